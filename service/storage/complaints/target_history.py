"""One target's complaints over time, with the cluster that each belongs to.

Reads only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from pydantic_core import from_json
from sqlalchemy import Connection

from service.model import moment
from service.storage.accounts.flagger_registry import flaggers_of
from service.storage.complaints.listed_complaints import clusters_listing
from service.storage.sql import schema
from service.storage.sql.cursors import Key
from service.storage.sql.hashing import key_of

KEY_TYPES_BY_SORT: Mapping[str, tuple[type, ...]] = {"-occurred_at": (int, int)}
POINTS_DRAWN = 20_000  # the latest; a chart of more shows nothing new
STATES = {schema.STANDING: "stands", schema.REPEAT: "repeat", schema.WITHDRAWN: "withdrawn", schema.MACHINE: "machine"}


@dataclass(frozen=True, slots=True)
class Points:
    """The target's standing complaints in time."""

    by_cluster: Mapping[str, list[datetime]]  # of members; one in several clusters is in the first by id
    others: list[datetime]
    left_out: int  # earlier ones than the latest POINTS_DRAWN


@dataclass(frozen=True, slots=True)
class FiledComplaint:
    """One complaint in a list of a target's or a reporter's; fields of the complaint are as they came, and hostile."""

    id: str
    occurred_at: datetime
    received_at: datetime
    reporter_id: str
    target_id: str
    state: str  # of STATES
    reason: str | None
    text: str | None
    notice: bool  # of illegal content
    trusted: bool  # a trusted flagger's
    clusters: tuple[str, ...]  # that it is a part of


def read_points(connection: Connection, tenant_id: int, target_id: str, cluster_ids: list[str]) -> Points:
    """The times of complaints about the target, marked by the clusters in `cluster_ids`."""
    c, own = schema.complaints.c, schema.cluster_complaints.c
    key = key_of(target_id)
    rows = connection.execute(
        sa.select(c.row_key, c.occurred_us)
        .where(c.tenant_id == tenant_id, c.target_key == key, c.target_id == target_id, c.state == schema.STANDING)
        .order_by(c.occurred_us.desc(), c.row_key.desc())
        .limit(POINTS_DRAWN + 1)
    ).all()
    left_out = 0
    if len(rows) > POINTS_DRAWN:
        standing = sa.select(sa.func.count()).where(
            c.tenant_id == tenant_id, c.target_key == key, c.state == schema.STANDING
        )
        left_out = (connection.scalar(standing) or 0) - POINTS_DRAWN
    marked: dict[int, str] = {}
    of_target = (
        sa.select(own.row_key, own.cluster_id)
        .where(own.cluster_id.in_(cluster_ids), own.target_key == key, own.gone.is_(False))
        .order_by(own.cluster_id)
    )
    for row_key, cluster in connection.execute(of_target):
        marked.setdefault(row_key, cluster)
    by_cluster: dict[str, list[datetime]] = {}
    others: list[datetime] = []
    for row_key, at_us in reversed(rows[:POINTS_DRAWN]):
        (by_cluster.setdefault(marked[row_key], []) if row_key in marked else others).append(moment(at_us))
    return Points(by_cluster, others, left_out)


def list_of_target(
    connection: Connection, tenant_id: int, target_id: str, *, after: tuple[Key, ...] | None, limit: int
) -> tuple[list[FiledComplaint], tuple[Key, ...] | None]:
    """All archived complaints about the target, newest first, and the key of the next page (None on the last)."""
    c = schema.complaints.c
    return _list(
        connection,
        tenant_id,
        (c.tenant_id == tenant_id, c.target_key == key_of(target_id), c.target_id == target_id),
        after,
        limit,
    )


def list_of_reporter(
    connection: Connection, tenant_id: int, reporter_id: str, *, after: tuple[Key, ...] | None, limit: int
) -> tuple[list[FiledComplaint], tuple[Key, ...] | None]:
    """All archived complaints of the reporter, newest first, and the key of the next page (None on the last)."""
    c = schema.complaints.c
    return _list(
        connection,
        tenant_id,
        (c.tenant_id == tenant_id, c.reporter_key == key_of(reporter_id), c.reporter_id == reporter_id),
        after,
        limit,
    )


def _list(
    connection: Connection,
    tenant_id: int,
    mine: tuple[sa.ColumnElement[bool], ...],
    after: tuple[Key, ...] | None,
    limit: int,
) -> tuple[list[FiledComplaint], tuple[Key, ...] | None]:
    c = schema.complaints.c
    query = sa.select(c.row_key, c.occurred_us).where(*mine)
    if after is not None:
        query = query.where(sa.or_(c.occurred_us < after[0], sa.and_(c.occurred_us == after[0], c.row_key < after[1])))
    # Keys first: sorting whole rows would drag every content along.
    keys = connection.execute(query.order_by(c.occurred_us.desc(), c.row_key.desc()).limit(limit + 1)).all()
    page = [row.row_key for row in keys[:limit]]
    # keys are the tenant's own: with the tenant as a condition too, SQLite would walk all of its complaints
    rows = {row.row_key: row for row in connection.execute(sa.select(schema.complaints).where(c.row_key.in_(page)))}
    flaggers = flaggers_of(connection, tenant_id)
    clusters = _clusters_of(connection, tenant_id, {(row.reporter_key, row.target_key) for row in rows.values()})
    found = []
    for row_key in page:
        if row_key not in rows:
            continue
        row = rows[row_key]
        body = from_json(row.content)
        found.append(
            FiledComplaint(
                id=body["id"],
                occurred_at=moment(row.occurred_us),
                received_at=moment(row.received_us),
                reporter_id=row.reporter_id,
                target_id=row.target_id,
                state=STATES[row.state],
                reason=body.get("reason"),
                text=body.get("text"),
                notice=body.get("notice_type") == "illegal_content",
                trusted=flaggers.is_trusted(row.reporter_key, row.occurred_us, body),
                clusters=clusters.get((row.reporter_key, row.target_key), ()) if row.state == schema.STANDING else (),
            )
        )
    return found, ((keys[limit - 1].occurred_us, keys[limit - 1].row_key) if len(keys) > limit else None)


def _clusters_of(
    connection: Connection, tenant_id: int, pairs: set[tuple[int, int]]
) -> dict[tuple[int, int], tuple[str, ...]]:
    """Clusters, without merged and revoked ones, that have these reporters as members and these targets."""
    m, t, c = schema.cluster_members.c, schema.cluster_targets.c, schema.clusters.c
    # Two short questions along indexes: as one, the database begins with all clusters of the tenant.
    memberships = connection.execute(
        sa.select(m.reporter_key, m.cluster_id)
        .join(schema.clusters, c.id == m.cluster_id)
        .where(
            m.tenant_id == tenant_id,
            m.reporter_key.in_({reporter for reporter, _ in pairs}),
            m.excluded.is_(False),
            c.disposition.in_(("flagged", "held_back", "reliable")),
        )
    ).all()
    hit = sa.select(t.cluster_id, t.target_key).where(
        t.cluster_id.in_({row.cluster_id for row in memberships}), t.target_key.in_({target for _, target in pairs})
    )
    targets: dict[str, set[int]] = {}
    for cluster, target in connection.execute(hit):
        targets.setdefault(cluster, set()).add(target)
    listing = clusters_listing(connection, tenant_id, {target for _, target in pairs})
    rows = sorted(
        (cluster, reporter, target)
        for member, cluster in memberships
        for reporter, target in pairs
        if reporter == member and (target in targets.get(cluster, ()) or cluster in listing.get((reporter, target), ()))
    )
    found: dict[tuple[int, int], list[str]] = {}
    for cluster, reporter, target in rows:
        found.setdefault((reporter, target), []).append(cluster)
    return {pair: tuple(clusters) for pair, clusters in found.items()}
