"""What the metrics port shows of all tenants at once. Reads only; rows name tenants by number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select, text

from service.platforms.registry import POLLED
from service.storage.sql.schema import (
    analysis_state,
    clusters,
    dead_letters,
    decisions,
    deliveries,
    feed,
    ingest_state,
    restorations,
    sources,
    subscriptions,
    sweeps,
    tenants,
    timers,
)


@dataclass(frozen=True, slots=True)
class PolledPlatform:
    """A tenant's polled sources of one platform."""

    tenant_id: int
    platform: str
    polled_us: int  # latest success of the source that has waited longest for one; its creation counts as one
    failing: int  # sources whose latest poll failed


def tenant_names(connection: Connection) -> dict[int, str]:
    """All tenants by number, in order."""
    return {
        number: name for number, name in connection.execute(select(tenants.c.id, tenants.c.name).order_by(tenants.c.id))
    }


def database_bytes(connection: Connection) -> int:
    """Size of the database, without its log."""
    statement = (
        "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
        if connection.dialect.name == "sqlite"
        else "SELECT pg_database_size(current_database())"
    )
    return int(connection.execute(text(statement)).scalar_one())


def earliest_timers(connection: Connection) -> dict[str, int]:
    """When the earliest planned job of each kind is due, in microseconds since 1970."""
    return {
        work: due_us
        for work, due_us in connection.execute(select(timers.c.work, func.min(timers.c.due_us)).group_by(timers.c.work))
    }


def polled_platforms(connection: Connection) -> list[PolledPlatform]:
    """The sources that are polled, by tenant and platform."""
    by = (sources.c.tenant_id, sources.c.platform)
    oldest = func.min(func.coalesce(sources.c.polled_us, sources.c.created_us))
    statement = (
        select(*by, oldest, func.count().filter(sources.c.failures > 0))
        .where(sources.c.platform.in_(POLLED), sources.c.url.is_not(None), sources.c.removed_us.is_(None))
        .group_by(*by)
    )
    return [PolledPlatform(*row) for row in connection.execute(statement)]


def ingest_states(connection: Connection) -> Sequence[Mapping[Any, Any]]:
    """All rows of the archive's states, by column name."""
    return connection.execute(select(ingest_state)).mappings().all()


def analysis_states(connection: Connection) -> Sequence[Mapping[Any, Any]]:
    """All rows of the analysis' states, by column name."""
    return connection.execute(select(analysis_state)).mappings().all()


def unanalysed_items(connection: Connection) -> dict[int, tuple[int, int]]:
    """Receipt of the oldest archived item that waits for analysis, and how many wait; a tenant without one is left
    out.
    """
    statement = (
        select(feed.c.tenant_id, func.min(feed.c.oldest_received_us), func.sum(feed.c["items"]))
        .join(
            analysis_state,
            (analysis_state.c.tenant_id == feed.c.tenant_id) & (feed.c.last_seq > analysis_state.c.cursor_seq),
        )
        .group_by(feed.c.tenant_id)
    )
    return {tenant: (oldest_us, items) for tenant, oldest_us, items in connection.execute(statement)}


def dead_letter_counts(connection: Connection) -> dict[int, int]:
    """Dead letters that were not sent again."""
    statement = (
        select(dead_letters.c.tenant_id, func.count())
        .where(dead_letters.c.resent_us.is_(None))
        .group_by(dead_letters.c.tenant_id)
    )
    return {tenant: count for tenant, count in connection.execute(statement)}


def cluster_counts(connection: Connection) -> list[tuple[int, str, str, str, int]]:
    """(tenant, kind, disposition, status, clusters)."""
    by = (clusters.c.tenant_id, clusters.c.kind, clusters.c.disposition, clusters.c.status)
    return [tuple(row) for row in connection.execute(select(*by, func.count()).group_by(*by))]


def decision_counts(connection: Connection) -> list[tuple[int, str, str, int]]:
    """(tenant, verdict, reason, decisions)."""
    by = (decisions.c.tenant_id, decisions.c.verdict, decisions.c.reason_code)
    return [tuple(row) for row in connection.execute(select(*by, func.count()).group_by(*by))]


def restoration_counts(connection: Connection) -> list[tuple[int, str, int]]:
    """(tenant, state, restorations)."""
    by = (restorations.c.tenant_id, restorations.c.state)
    return [tuple(row) for row in connection.execute(select(*by, func.count()).group_by(*by))]


def latest_sweeps(connection: Connection) -> list[tuple[int, float, int]]:
    """(tenant, seconds it took, finish in microseconds since 1970) of each tenant's latest sweep."""
    latest = select(func.max(sweeps.c.id)).group_by(sweeps.c.tenant_id)
    statement = select(sweeps.c.tenant_id, sweeps.c.seconds, sweeps.c.finished_us).where(sweeps.c.id.in_(latest))
    return [tuple(row) for row in connection.execute(statement)]


def waiting_delivery_counts(connection: Connection) -> dict[int, int]:
    """Webhook deliveries that are to be sent, or sent again."""
    statement = (
        select(deliveries.c.tenant_id, func.count())
        .where(deliveries.c.state == "pending", deliveries.c.next_us.is_not(None))
        .group_by(deliveries.c.tenant_id)
    )
    return {tenant: count for tenant, count in connection.execute(statement)}


def disabled_subscription_counts(connection: Connection) -> dict[int, int]:
    """Webhook subscriptions that nothing is sent to."""
    statement = (
        select(subscriptions.c.tenant_id, func.count())
        .where(subscriptions.c.disabled_us.is_not(None))
        .group_by(subscriptions.c.tenant_id)
    )
    return {tenant: count for tenant, count in connection.execute(statement)}
