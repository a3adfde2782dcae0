"""What people say about campaigns: two cases are one campaign, or are not. It holds at once, and outweighs links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from service.errors import NotFound, Refused
from service.fields import is_storable
from service.model import microseconds, moment
from service.moderation.campaigns import Relation, Statement, identified
from service.storage.accounts import audit_log
from service.storage.cases import campaign_groups
from service.storage.cases.cases import cluster_row
from service.storage.sql import schema
from service.storage.sql.engine import lock_tenant

MOST_OTHERS, LONGEST_NOTE = 1_000, 4_096
_STATEMENTS = schema.campaign_statements


@dataclass(frozen=True, slots=True)
class CampaignChange:
    """A campaign whose clusters a statement changes; without clusters before it is new, without any after it ends."""

    campaign_id: str
    before: frozenset[str]
    after: frozenset[str]


@dataclass(frozen=True, slots=True)
class SaidAboutCases:
    """A statement as it stands, for people."""

    cluster_id: str
    other_id: str
    relation: Relation
    at: datetime
    by: str
    note: str | None


def declare(
    connection: Connection,
    tenant_id: int,
    cluster_id: str,
    others: Sequence[str],
    relation: Relation,
    *,
    note: str | None = None,
    by: str,
    now: datetime,
) -> list[CampaignChange]:
    """Record that the cluster is `together` with each of the others, or `apart` from them, and group again.

    In the caller's writing transaction. What stands already is not recorded twice. Raises NotFound for an unknown
    cluster, Refused for one that cannot be in a campaign, and for a note that cannot be kept.
    """
    lock_tenant(connection, tenant_id)
    if note is not None and (len(note) > LONGEST_NOTE or not is_storable(note)):
        raise Refused(f"the note must have {LONGEST_NOTE:,} characters at most, and no NUL character")
    changes = preview(connection, tenant_id, cluster_id, others, relation)
    standing = _standing(connection, tenant_id)
    fresh = [other for other in dict.fromkeys(others) if standing.get(frozenset((cluster_id, other))) != relation]
    if not fresh:
        return []
    at_us = microseconds(now)
    campaign_groups.say(connection, tenant_id, cluster_id, fresh, relation, note=note, by=by, at_us=at_us)
    campaign_groups.group_again(connection, tenant_id, now_us=at_us)
    audit_log.enter(
        connection,
        tenant_id,
        actor=by,
        action="campaign",
        subject=f"cluster:{cluster_id}",
        now_us=at_us,
        detail={
            "relation": relation,
            "cases": fresh[:50],
            "campaigns": {c.campaign_id: {"before": len(c.before), "after": len(c.after)} for c in changes},
        },
    )
    return changes


def preview(
    connection: Connection, tenant_id: int, cluster_id: str, others: Sequence[str], relation: Relation
) -> list[CampaignChange]:
    """Which campaigns would change, by the same grouping that `declare` does. Raises as `declare` does."""
    if not 0 < len(others) <= MOST_OTHERS:
        raise Refused(f"name 1 to {MOST_OTHERS:,} other cases, not {len(others):,}")
    if cluster_id in others:
        raise Refused(f"case {cluster_id} cannot be named together with itself")
    for one in (cluster_id, *others):
        cluster_row(connection, tenant_id, one)
    if relation == "together":
        able = campaign_groups.taking_part(connection, tenant_id, [cluster_id, *others])
        unable = [one for one in (cluster_id, *others) if one not in able]
        if unable:
            raise Refused(
                f"case {unable[0]} is neither flagged nor decided as coordinated: only such cases can be in a campaign"
            )
    said = campaign_groups.statements_of(connection, tenant_id)
    fresh = [Statement(cluster_id, other, relation) for other in others]
    stored = campaign_groups.belonging(connection, tenant_id)
    after = identified(campaign_groups.grouping(connection, tenant_id, [*said, *fresh]), stored)
    return changes_between(stored, after)


def changes_between(stored: Mapping[str, str], after: Mapping[str, frozenset[str]]) -> list[CampaignChange]:
    """The campaigns whose clusters differ."""
    before: dict[str, set[str]] = {}
    for cluster, campaign in stored.items():
        before.setdefault(campaign, set()).add(cluster)
    return [
        CampaignChange(campaign, had, has)
        for campaign in sorted(before.keys() | after.keys())
        if (had := frozenset(before.get(campaign, ()))) != (has := after.get(campaign, frozenset()))
    ]


def clusters_of(connection: Connection, tenant_id: int, campaign_id: str) -> list[str]:
    """The campaign's clusters, the latest first. Raises NotFound for an unknown campaign."""
    b, c = schema.campaign_clusters.c, schema.clusters.c
    found = connection.scalars(
        sa.select(c.id)
        .join(schema.campaign_clusters, b.cluster_id == c.id)
        .where(b.tenant_id == tenant_id, b.campaign_id == campaign_id)
        .order_by(c.last_us.desc(), c.id)
    ).all()
    if not found:
        raise NotFound("no such campaign, or it has ended")
    return list(found)


def said_about(connection: Connection, tenant_id: int, clusters: Sequence[str]) -> list[SaidAboutCases]:
    """What stands between any of these clusters and others, the latest first."""
    s = _STATEMENTS.c
    rows = connection.execute(
        sa.select(_STATEMENTS)
        .where(s.tenant_id == tenant_id, s.cluster_id.in_(clusters) | s.other_id.in_(clusters))
        .order_by(s.id.desc())
    ).all()
    seen: set[frozenset[str]] = set()
    found = []
    for row in rows:
        pair = frozenset((row.cluster_id, row.other_id))
        if pair not in seen:
            seen.add(pair)
            found.append(
                SaidAboutCases(row.cluster_id, row.other_id, row.relation, moment(row.at_us), row.by, row.note)
            )
    return found


def _standing(connection: Connection, tenant_id: int) -> dict[frozenset[str], str]:
    s = _STATEMENTS.c
    rows = connection.execute(
        sa.select(s.cluster_id, s.other_id, s.relation).where(s.tenant_id == tenant_id).order_by(s.id)
    )
    return {frozenset((row.cluster_id, row.other_id)): row.relation for row in rows}
