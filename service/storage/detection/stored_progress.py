"""Each tenant's progress in SQL, for the clock: one row per tenant, in one statement."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from service.storage.sql.schema import analysis_state, dead_letters, decisions, ingest_state, sweeps, tenants


@dataclass(frozen=True, slots=True)
class StoredProgress:
    """One tenant's states, its newest decision and its newest sweep."""

    tenant_id: int
    name: str
    archived_position: int
    last_seq: int
    cursor_seq: int
    analysed_position: int
    watermark_us: int | None  # of what is analysed
    swept_position: int
    swept_watermark_us: int | None
    swept_us: int | None  # finish of the sweep that detection adopted last
    decision_cursor: int
    sweep_finished_us: int | None  # of the newest sweep
    sweep_seconds: float | None
    decision_seq: int  # of the newest decision; 0: none
    resent: int  # dead letters sent again and not archived yet


def read_stored_progress(connection: Connection, names: Collection[str] | None) -> list[StoredProgress]:
    """Progress of the named tenants (None: of all), by tenant number."""
    # Each subquery is one look-up in an index.
    newest = (
        select(func.max(sweeps.c.id)).where(sweeps.c.tenant_id == tenants.c.id).correlate(tenants).scalar_subquery()
    )
    decision = (
        select(func.max(decisions.c.seq))
        .where(decisions.c.tenant_id == tenants.c.id)
        .correlate(tenants)
        .scalar_subquery()
    )
    resent = (
        select(func.count(dead_letters.c.resent_us))
        .where(dead_letters.c.tenant_id == tenants.c.id)
        .correlate(tenants)
        .scalar_subquery()
    )
    columns: list[Any] = [
        tenants.c.id,
        tenants.c.name,
        ingest_state.c.archived_position,
        ingest_state.c.last_seq,
        analysis_state.c.cursor_seq,
        analysis_state.c.analysed_position,
        analysis_state.c.watermark_us,
        analysis_state.c.swept_position,
        analysis_state.c.swept_watermark_us,
        analysis_state.c.swept_us,
        analysis_state.c.decision_cursor,
        sweeps.c.finished_us,
        sweeps.c.seconds,
        func.coalesce(decision, 0),
        func.coalesce(resent, 0),
    ]
    statement = (
        select(*columns)
        .join(ingest_state, ingest_state.c.tenant_id == tenants.c.id)
        .join(analysis_state, analysis_state.c.tenant_id == tenants.c.id)
        .outerjoin(sweeps, sweeps.c.id == newest)
        .order_by(tenants.c.id)
    )
    if names is not None:
        statement = statement.where(tenants.c.name.in_(list(names)))
    return [StoredProgress(*row) for row in connection.execute(statement)]
