"""What a rebuild of Redis, and the daily self-check, read of a whole tenant."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, func, select

from service.storage.complaints.archive_reader import ingest_state_of
from service.storage.complaints.listed_complaints import listed_targets
from service.storage.sql.schema import cluster_members, cluster_targets, dead_letters, targets


def pages_of_totals(connection: Connection, tenant_id: int, targets_per_page: int) -> Iterator[dict[int, int]]:
    """Standing complaints of every target by its key, so many targets a page."""
    after: int | None = None
    while True:
        statement = (
            select(targets.c.target_key, targets.c.complaints)
            .where(targets.c.tenant_id == tenant_id)
            .order_by(targets.c.target_key)
            .limit(targets_per_page)
        )
        rows = connection.execute(statement if after is None else statement.where(targets.c.target_key > after)).all()
        if not rows:
            return
        yield {row.target_key: row.complaints for row in rows}
        after = rows[-1].target_key


def targets_in_clusters(connection: Connection, tenant_id: int) -> set[int]:
    """Keys of the targets of all clusters, and of those that are part of their acts."""
    own = connection.scalars(select(cluster_targets.c.target_key).where(cluster_targets.c.tenant_id == tenant_id))
    return {*own, *listed_targets(connection, tenant_id)}


def members_of_clusters(connection: Connection, tenant_id: int) -> set[int]:
    """Keys of the reporters of all clusters, excluded ones included."""
    return set(
        connection.scalars(select(cluster_members.c.reporter_key).where(cluster_members.c.tenant_id == tenant_id))
    )


def highest_stored_position(connection: Connection, tenant_id: int) -> int:
    """The last position that is archived or among the dead letters."""
    dead = connection.scalar(select(func.max(dead_letters.c.position)).where(dead_letters.c.tenant_id == tenant_id))
    return max(ingest_state_of(connection, tenant_id).archived_position, dead or 0)
