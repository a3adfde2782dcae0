"""Which clusters belong to which campaign: what it is computed from, the links, people's statements, the result.

Links are the costly part and are measured by a job (workers/campaigns.py). Grouping by them is cheap, so that what a
person says holds at once, in the transaction that records it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from service.moderation.campaign_events import campaign_events
from service.moderation.campaign_links import CaseMembers, Link
from service.moderation.campaigns import Relation, Statement, belongs_to_campaigns, grouped, identified
from service.moderation.events import Event
from service.storage.sql import schema, timers
from service.storage.sql.parts import IDS_AT_ONCE, parts
from service.storage.webhooks import outbox

WORK = "campaigns"
# After a change by detection: changes come with every tick, and a campaign's page may be as old as this.
DELAY_US = 120_000_000

_CAMPAIGNS, _BELONGING = schema.campaigns, schema.campaign_clusters
_LINKS, _STATEMENTS = schema.campaign_links, schema.campaign_statements


@dataclass(frozen=True, slots=True)
class Basis:
    """What decides which links there are, in numbers: if they are the same, so are the links."""

    clusters: int
    versions: int  # the sum: every change raises one
    allowed: int
    allowed_us: int


def plan(connection: Connection, tenant_id: int, due_us: int) -> None:
    """Have the links measured again, at `due_us` at the latest: clusters, decisions or the allow-list changed."""
    timers.at_latest(connection, tenant_id, WORK, due_us)


def basis_of(connection: Connection, tenant_id: int) -> Basis:
    """The numbers as they are now."""
    c, a = schema.clusters.c, schema.allowed_reporters.c
    clusters, versions = connection.execute(
        sa.select(sa.func.count(), sa.func.sum(c.version)).where(c.tenant_id == tenant_id)
    ).one()
    allowed, allowed_us = connection.execute(
        sa.select(sa.func.count(), sa.func.max(a.at_us)).where(a.tenant_id == tenant_id)
    ).one()
    return Basis(int(clusters), int(versions or 0), int(allowed), int(allowed_us or 0))


def members_of_cases(connection: Connection, tenant_id: int) -> list[CaseMembers]:
    """All clusters of the tenant but merged ones, which live on in another, without those of good patrols."""
    c, m, a = schema.clusters.c, schema.cluster_members.c, schema.allowed_reporters.c
    rows = connection.execute(
        sa.select(c.id, c.first_us, c.disposition, c.verdict).where(c.tenant_id == tenant_id, c.disposition != "merged")
    ).all()
    allowed = set(connection.scalars(sa.select(a.reporter_key).where(a.tenant_id == tenant_id)))
    members: dict[str, set[int]] = defaultdict(set)
    for cluster, reporter in connection.execute(
        sa.select(m.cluster_id, m.reporter_key).where(m.tenant_id == tenant_id, m.excluded.is_(False))
    ):
        members[cluster].add(reporter)
    cases = []
    for row in rows:
        everyone = members[row.id]
        counted = frozenset(everyone - allowed)
        if 2 * len(counted) > len(everyone):  # otherwise a patrol
            cases.append(CaseMembers(row.id, row.first_us, counted, belongs_to_campaigns(row.disposition, row.verdict)))
    return cases


def store_links(connection: Connection, tenant_id: int, links: Iterable[Link]) -> None:
    """Replace the tenant's links, in the caller's writing transaction; what stays as it was is not written."""
    wanted = {link.pair: _link_row(tenant_id, link) for link in links}
    rows = connection.execute(sa.select(_LINKS).where(_LINKS.c.tenant_id == tenant_id)).mappings()
    stored = {(row["cluster_id"], row["other_id"]): dict(row) for row in rows}
    gone = [pair for pair, row in stored.items() if wanted.get(pair) != row]
    fresh = [row for pair, row in wanted.items() if stored.get(pair) != row]
    if gone:
        connection.execute(
            sa.delete(_LINKS).where(
                _LINKS.c.cluster_id == sa.bindparam("first"), _LINKS.c.other_id == sa.bindparam("second")
            ),
            [{"first": first, "second": second} for first, second in gone],
        )
    if fresh:
        connection.execute(sa.insert(_LINKS), fresh)


def _link_row(tenant_id: int, link: Link) -> dict[str, Any]:
    return {
        "cluster_id": link.first,
        "other_id": link.second,
        "tenant_id": tenant_id,
        "common": link.common,
        "size": link.first_size,
        "other_size": link.second_size,
        "expected": link.expected,
        "log_p": link.log_p,
        "proven": link.proven,
    }


def links_of(connection: Connection, tenant_id: int, clusters: Collection[str] | None = None) -> list[Link]:
    """The tenant's links, or those between two of `clusters`, the strongest first."""
    query = sa.select(_LINKS).where(_LINKS.c.tenant_id == tenant_id)
    if clusters is None:
        rows = list(connection.execute(query))
    else:
        wanted, rows = sorted(clusters), []
        for some in parts(wanted, IDS_AT_ONCE):
            rows += connection.execute(query.where(_LINKS.c.cluster_id.in_(some)))
        rows = [row for row in rows if row.other_id in clusters]
    found = [
        Link(row.cluster_id, row.other_id, row.common, row.size, row.other_size, row.expected, row.log_p, row.proven)
        for row in rows
    ]
    return sorted(found, key=lambda link: (link.log_p, link.pair))


def say(
    connection: Connection,
    tenant_id: int,
    cluster_id: str,
    others: Iterable[str],
    relation: Relation,
    *,
    note: str | None,
    by: str,
    at_us: int,
) -> None:
    """Record what a person said about the cluster and each of the others, in the caller's writing transaction."""
    connection.execute(
        sa.insert(_STATEMENTS),
        [
            {
                "tenant_id": tenant_id,
                "cluster_id": cluster_id,
                "other_id": other,
                "relation": relation,
                "at_us": at_us,
                "by": by,
                "note": note,
            }
            for other in others
        ],
    )


def statements_of(connection: Connection, tenant_id: int) -> list[Statement]:
    """What people said, oldest first, about clusters that take part: of a merged cluster, about the one it went into.

    A statement about clusters of which one does not take part has no effect while that is so.
    """
    c, s = schema.clusters.c, _STATEMENTS.c
    said = connection.execute(
        sa.select(s.cluster_id, s.other_id, s.relation).where(s.tenant_id == tenant_id).order_by(s.id)
    ).all()
    if not said:
        return []
    into = sa.select(c.id, c.merged_into).where(c.tenant_id == tenant_id, c.merged_into.is_not(None))
    merged: dict[str, str] = {row.id: row.merged_into for row in connection.execute(into)}
    named = {_survivor(one, merged) for row in said for one in (row.cluster_id, row.other_id)}
    able = taking_part(connection, tenant_id, named)
    found = [Statement(_survivor(r.cluster_id, merged), _survivor(r.other_id, merged), r.relation) for r in said]
    return [one for one in found if one.pair <= able]


def _survivor(cluster: str, merged: Mapping[str, str]) -> str:
    seen = {cluster}
    while (into := merged.get(cluster)) is not None and into not in seen:
        cluster = into
        seen.add(cluster)
    return cluster


def taking_part(connection: Connection, tenant_id: int, clusters: Collection[str]) -> frozenset[str]:
    """Those of the clusters that can be in a campaign now."""
    c, wanted, found = schema.clusters.c, sorted(clusters), set()
    for some in parts(wanted, IDS_AT_ONCE):
        for row in connection.execute(
            sa.select(c.id, c.disposition, c.verdict).where(c.tenant_id == tenant_id, c.id.in_(some))
        ):
            if belongs_to_campaigns(row.disposition, row.verdict):
                found.add(row.id)
    return frozenset(found)


def belonging(connection: Connection, tenant_id: int) -> dict[str, str]:
    """The campaign of each cluster that is in one."""
    b = _BELONGING.c
    rows = connection.execute(sa.select(b.cluster_id, b.campaign_id).where(b.tenant_id == tenant_id))
    return {row.cluster_id: row.campaign_id for row in rows}


def campaigns_of(connection: Connection, tenant_id: int, clusters: Collection[str]) -> dict[str, str]:
    """The campaign of each of these clusters that is in one."""
    b, wanted = _BELONGING.c, sorted(clusters)
    found: dict[str, str] = {}
    for some in parts(wanted, IDS_AT_ONCE):
        rows = connection.execute(
            sa.select(b.cluster_id, b.campaign_id).where(b.tenant_id == tenant_id, b.cluster_id.in_(some))
        )
        found.update((row.cluster_id, row.campaign_id) for row in rows)
    return found


def group_again(connection: Connection, tenant_id: int, *, now_us: int) -> dict[str, frozenset[str]]:
    """Group the clusters by the stored links and statements, and store and report what changed.

    In the caller's writing transaction, which holds the tenant. Returns the campaigns by id.
    """
    before = belonging(connection, tenant_id)
    found = grouping(connection, tenant_id, statements_of(connection, tenant_id))
    after = identified(found, before)
    now_in = {cluster: campaign for campaign, group in after.items() for cluster in group}
    moved = sorted(one for one in before.keys() | now_in.keys() if before.get(one) != now_in.get(one))
    touched = {campaign for one in moved for campaign in (before.get(one), now_in.get(one)) if campaign is not None}
    spans = _spans(connection, tenant_id, after)
    _store_campaigns(connection, tenant_id, before, after, touched, spans, now_us)
    if moved:
        connection.execute(
            sa.delete(_BELONGING).where(_BELONGING.c.cluster_id == sa.bindparam("one")), [{"one": one} for one in moved]
        )
        rows = [
            {"cluster_id": one, "tenant_id": tenant_id, "campaign_id": now_in[one]} for one in moved if one in now_in
        ]
        if rows:
            connection.execute(sa.insert(_BELONGING), rows)
        outbox.record(connection, tenant_id, _events(before, after, touched, spans), now_us)
    return after


def grouping(connection: Connection, tenant_id: int, statements: Sequence[Statement]) -> list[frozenset[str]]:
    """The groups by the stored links, with these statements."""
    links = links_of(connection, tenant_id)
    alive = taking_part(connection, tenant_id, {one for link in links for one in link.pair})
    return grouped([link for link in links if alive.issuperset(link.pair)], statements)


def _spans(
    connection: Connection, tenant_id: int, campaigns: Mapping[str, frozenset[str]]
) -> dict[str, tuple[int, int]]:
    """Times of the first and the last complaint of each campaign."""
    c, wanted = schema.clusters.c, sorted(one for group in campaigns.values() for one in group)
    times: dict[str, tuple[int, int]] = {}
    for some in parts(wanted, IDS_AT_ONCE):
        for row in connection.execute(
            sa.select(c.id, c.first_us, c.last_us).where(c.tenant_id == tenant_id, c.id.in_(some))
        ):
            times[row.id] = row.first_us, row.last_us
    return {
        campaign: (min(times[one][0] for one in group), max(times[one][1] for one in group))
        for campaign, group in campaigns.items()
    }


def _store_campaigns(
    connection: Connection,
    tenant_id: int,
    before: Mapping[str, str],
    after: Mapping[str, frozenset[str]],
    touched: Collection[str],
    spans: Mapping[str, tuple[int, int]],
    now_us: int,
) -> None:
    c = _CAMPAIGNS.c
    stored = {row.id: row for row in connection.execute(sa.select(_CAMPAIGNS).where(c.tenant_id == tenant_id)).all()}
    for campaign, group in after.items():
        first_us, last_us = spans[campaign]
        values = {"first_us": first_us, "last_us": last_us, "cluster_count": len(group)}
        row = stored.get(campaign)
        if row is None:
            fresh = {"id": campaign, "tenant_id": tenant_id, "formed_us": now_us, "changed_us": now_us}
            connection.execute(sa.insert(_CAMPAIGNS).values(**fresh, **values))
        elif campaign in touched or any(getattr(row, name) != value for name, value in values.items()):
            changed_us = now_us if campaign in touched else row.changed_us
            connection.execute(
                sa.update(_CAMPAIGNS)
                .where(c.id == campaign)
                .values(**values, changed_us=changed_us, ended_us=None, merged_into=None)
            )
    for campaign in sorted(set(before.values()) - after.keys()):
        went = [name for name, group in after.items() for one in group if before.get(one) == campaign]
        into = max(sorted(set(went)), key=went.count) if went else None
        connection.execute(
            sa.update(_CAMPAIGNS)
            .where(c.id == campaign)
            .values(changed_us=now_us, ended_us=now_us, merged_into=into, cluster_count=0)
        )


def _events(
    before: Mapping[str, str],
    after: Mapping[str, frozenset[str]],
    touched: Collection[str],
    spans: Mapping[str, tuple[int, int]],
) -> list[Event]:
    had: dict[str, set[str]] = defaultdict(set)
    for cluster, campaign in before.items():
        had[campaign].add(cluster)
    return [
        event
        for campaign in sorted(touched & after.keys())
        for event in campaign_events(campaign, frozenset(had[campaign]), after[campaign], spans[campaign])
    ]
