"""Campaigns as moderators see them: the list, one campaign, and what a case says about its own. Reads only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from service.errors import NotFound
from service.model import DecisionVerdict, moment
from service.moderation.campaign_links import Link
from service.moderation.decisions import effective_status, is_plain_undo
from service.storage.cases.campaign_groups import campaigns_of, links_of
from service.storage.cases.campaign_statements import SaidAboutCases, said_about
from service.storage.cases.case_decisions import GivenVerdict, decision_of, verdicts_of
from service.storage.cases.decision_log import decisions_named
from service.storage.sql import schema
from service.storage.sql.cursors import Key

SORT_KEY_TYPES: Mapping[str, tuple[type, ...]] = {"-last_at": (int, str)}
WEEK_US = 7 * 86_400_000_000
_MONDAY_US = 3 * 86_400_000_000  # 1970 began on a Thursday
PEOPLE_SHOWN, DECISIONS_SHOWN = 1_000, 200
_UNKNOWN = "no such campaign"
_CAMPAIGNS = schema.campaigns


@dataclass(frozen=True, slots=True)
class ListedCampaign:
    """A campaign in a list."""

    id: str
    cluster_count: int
    formed_at: datetime
    changed_at: datetime
    first_at: datetime
    last_at: datetime
    ended_at: datetime | None
    merged_into: str | None


@dataclass(frozen=True, slots=True)
class CampaignCase:
    """One of its clusters."""

    id: str
    summary: str
    disposition: str
    status: str
    verdict: str | None
    reason: str | None  # that was given for the verdict
    reporter_count: int
    target_count: int
    first_at: datetime
    last_at: datetime
    trimmed: bool  # retention deleted some of its complaints


@dataclass(frozen=True, slots=True)
class CampaignMember:
    """An account, and in how many of the clusters it is."""

    id: str
    clusters: int


@dataclass(frozen=True, slots=True)
class CampaignAuthor:
    """An author of targets, and by how many of the clusters they were hit."""

    id: str
    clusters: int
    targets: int


@dataclass(frozen=True, slots=True)
class CampaignWeek:
    """The complaints of one week, from Monday 0:00 UTC, by cluster."""

    start: datetime
    by_cluster: Mapping[str, int]

    @property
    def complaints(self) -> int:
        """Of all clusters."""
        return sum(self.by_cluster.values())


@dataclass(frozen=True, slots=True)
class CampaignDecision:
    """A decision on one of its clusters."""

    id: str
    cluster_id: str
    at: datetime
    by: str
    verdict: DecisionVerdict
    reason_code: str
    reverses: str | None
    is_undo: bool  # it only takes another back


@dataclass(frozen=True, slots=True)
class CampaignFile:
    """One campaign with everything that its page shows."""

    campaign: ListedCampaign
    cases: tuple[CampaignCase, ...]  # by time of the first complaint
    members: tuple[CampaignMember, ...]  # those in most clusters first, PEOPLE_SHOWN at most
    member_count: int
    authors: tuple[CampaignAuthor, ...]
    author_count: int
    weeks: tuple[CampaignWeek, ...]  # those with complaints
    decisions: tuple[CampaignDecision, ...]  # the latest first
    links: tuple[Link, ...]  # between its clusters, the strongest first
    said: tuple[SaidAboutCases, ...]
    overlap: Mapping[tuple[str, str], int]  # members that two clusters share, for both orders


@dataclass(frozen=True, slots=True)
class CasesCampaign:
    """What a case's page says about the campaign that it is part of."""

    id: str
    cluster_count: int
    links: tuple[Link, ...]  # of this case to others of the campaign, the strongest first
    said: tuple[SaidAboutCases, ...]


def list_campaigns(
    connection: Connection, tenant_id: int, *, after: tuple[Key, ...] | None, limit: int
) -> tuple[list[ListedCampaign], tuple[Key, ...] | None]:
    """Campaigns that have not ended, by their last complaint, the latest first, and the key to go on from."""
    c = _CAMPAIGNS.c
    query = sa.select(_CAMPAIGNS).where(c.tenant_id == tenant_id, c.ended_us.is_(None))
    if after is not None:
        last_us, last_id = after
        query = query.where(sa.or_(c.last_us < last_us, sa.and_(c.last_us == last_us, c.id > last_id)))
    rows = connection.execute(query.order_by(c.last_us.desc(), c.id).limit(limit + 1)).all()
    further = (rows[limit - 1].last_us, rows[limit - 1].id) if len(rows) > limit else None
    return [_listed(row) for row in rows[:limit]], further


def campaign_of_case(connection: Connection, tenant_id: int, cluster_id: str) -> CasesCampaign | None:
    """The campaign that the case is part of, and why; None: it is in none."""
    campaign = campaigns_of(connection, tenant_id, [cluster_id]).get(cluster_id)
    if campaign is None:
        return None
    b = schema.campaign_clusters.c
    clusters = connection.scalars(
        sa.select(b.cluster_id).where(b.tenant_id == tenant_id, b.campaign_id == campaign)
    ).all()
    links = [link for link in links_of(connection, tenant_id, set(clusters)) if cluster_id in link.pair]
    inside = set(clusters)
    said = [one for one in said_about(connection, tenant_id, [cluster_id]) if {one.cluster_id, one.other_id} <= inside]
    return CasesCampaign(campaign, len(clusters), tuple(links), tuple(said))


def read_campaign(connection: Connection, tenant_id: int, campaign_id: str, *, now: datetime) -> CampaignFile:
    """The campaign; one that has ended is without clusters. Raises NotFound."""
    c, b, k = _CAMPAIGNS.c, schema.campaign_clusters.c, schema.clusters.c
    row = connection.execute(sa.select(_CAMPAIGNS).where(c.tenant_id == tenant_id, c.id == campaign_id)).first()
    if row is None:
        raise NotFound(_UNKNOWN)
    rows = connection.execute(
        sa.select(schema.clusters)
        .join(schema.campaign_clusters, b.cluster_id == k.id)
        .where(b.tenant_id == tenant_id, b.campaign_id == campaign_id)
        .order_by(k.first_us, k.id)
    ).all()
    verdicts = verdicts_of(connection, tenant_id, [one.id for one in rows if one.verdict is not None])
    cases = tuple(_case(one, verdicts.get(one.id), now) for one in rows)
    ids = [case.id for case in cases]
    members, overlap = _members(connection, tenant_id, campaign_id)
    authors, author_count = _authors(connection, tenant_id, campaign_id)
    return CampaignFile(
        campaign=_listed(row),
        cases=cases,
        members=tuple(members[:PEOPLE_SHOWN]),
        member_count=len(members),
        authors=tuple(authors),
        author_count=author_count,
        weeks=_weeks(connection, tenant_id, campaign_id),
        decisions=_decisions(connection, tenant_id, campaign_id),
        links=tuple(links_of(connection, tenant_id, set(ids))) if ids else (),
        said=tuple(said_about(connection, tenant_id, ids)) if ids else (),
        overlap=overlap,
    )


def _listed(row: Row[Any]) -> ListedCampaign:
    return ListedCampaign(
        row.id,
        row.cluster_count,
        moment(row.formed_us),
        moment(row.changed_us),
        moment(row.first_us),
        moment(row.last_us),
        None if row.ended_us is None else moment(row.ended_us),
        row.merged_into,
    )


def _case(row: Row[Any], given: GivenVerdict | None, now: datetime) -> CampaignCase:
    snooze = None if row.snooze_until_us is None else moment(row.snooze_until_us)
    return CampaignCase(
        row.id,
        row.summary,
        row.disposition,
        effective_status(row.status, snooze, now),
        row.verdict,
        None if given is None else given.reason,
        row.reporter_count,
        row.target_count,
        moment(row.first_us),
        moment(row.last_us),
        row.trimmed_first_us is not None,
    )


def _of_campaign(table: sa.Table, tenant_id: int, campaign_id: str) -> sa.ColumnElement[bool]:
    b = schema.campaign_clusters.c
    mine = sa.select(b.cluster_id).where(b.tenant_id == tenant_id, b.campaign_id == campaign_id)
    return sa.and_(table.c.tenant_id == tenant_id, table.c.cluster_id.in_(mine))


def _members(
    connection: Connection, tenant_id: int, campaign_id: str
) -> tuple[list[CampaignMember], dict[tuple[str, str], int]]:
    m = schema.cluster_members.c
    rows = connection.execute(
        sa.select(m.cluster_id, m.reporter_id).where(
            _of_campaign(schema.cluster_members, tenant_id, campaign_id), m.excluded.is_(False)
        )
    ).all()
    clusters: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        clusters[row.reporter_id].append(row.cluster_id)
    overlap: dict[tuple[str, str], int] = defaultdict(int)
    for mine in clusters.values():
        for one in mine:
            for other in mine:
                overlap[one, other] += 1
    members = [CampaignMember(reporter, len(mine)) for reporter, mine in clusters.items()]
    return sorted(members, key=lambda member: (-member.clusters, member.id)), dict(overlap)


def _authors(connection: Connection, tenant_id: int, campaign_id: str) -> tuple[list[CampaignAuthor], int]:
    t = schema.cluster_targets.c
    clusters = sa.func.count(t.cluster_id.distinct())
    grouped = (
        sa.select(t.author_id, clusters.label("clusters"), sa.func.count(t.target_key.distinct()).label("targets"))
        .where(_of_campaign(schema.cluster_targets, tenant_id, campaign_id), t.author_id.is_not(None))
        .group_by(t.author_id)
    )
    rows = connection.execute(grouped.order_by(clusters.desc(), sa.desc("targets"), t.author_id)).all()
    return [CampaignAuthor(row.author_id, row.clusters, row.targets) for row in rows[:PEOPLE_SHOWN]], len(rows)


def _weeks(connection: Connection, tenant_id: int, campaign_id: str) -> tuple[CampaignWeek, ...]:
    cc = schema.cluster_complaints.c
    week = ((cc.occurred_us + _MONDAY_US) // WEEK_US).label("week")
    counts: dict[int, dict[str, int]] = defaultdict(dict)
    for row in connection.execute(
        sa.select(cc.cluster_id, week, sa.func.count().label("complaints"))
        .where(_of_campaign(schema.cluster_complaints, tenant_id, campaign_id), cc.gone.is_(False))
        .group_by(cc.cluster_id, week)
    ):
        counts[int(row.week)][row.cluster_id] = row.complaints
    return tuple(
        CampaignWeek(moment(number * WEEK_US - _MONDAY_US), dict(sorted(by_cluster.items())))
        for number, by_cluster in sorted(counts.items())
    )


def _decisions(connection: Connection, tenant_id: int, campaign_id: str) -> tuple[CampaignDecision, ...]:
    d = schema.decisions.c
    rows = connection.execute(
        sa.select(schema.decisions)
        .where(_of_campaign(schema.decisions, tenant_id, campaign_id))
        .order_by(d.seq.desc())
        .limit(DECISIONS_SHOWN)
    ).mappings()
    made = [decision_of(row) for row in rows]
    undone = decisions_named(connection, tenant_id, [one.reverses for one in made if one.reverses])
    return tuple(
        CampaignDecision(
            one.id,
            one.cluster_id,
            one.at,
            one.by,
            one.verdict,
            one.reason_code,
            one.reverses,
            is_plain_undo(one, undone.get(one.reverses or "")),
        )
        for one in made
    )


@dataclass(frozen=True, slots=True)
class Rest:
    """Weeks without complaints between two with."""

    after: datetime  # start of the last week before
    weeks: int


def rests_of(weeks: Sequence[CampaignWeek], at_least: int = 4) -> list[Rest]:
    """Stretches of at least so many weeks without complaints."""
    found = []
    for earlier, later in pairwise(weeks):
        between = (later.start - earlier.start) // timedelta(weeks=1) - 1
        if between >= at_least:
            found.append(Rest(earlier.start, between))
    return found
