"""Results of sweeps: written by the sweep job, adopted by the detect worker at its next tick."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, insert, select

from service.storage.complaints.archive_reader import AnalysisState
from service.storage.sql.schema import sweeps


@dataclass(frozen=True, slots=True)
class SweepResult:
    """One sweep as it is stored."""

    seq: int  # the sweep covers everything up to here
    position: int
    watermark_us: int | None
    finished_us: int
    payload: bytes  # workers/sweep_codec.py reads it


def latest_sweep(connection: Connection, tenant_id: int) -> SweepResult | None:
    """The tenant's newest sweep; None before the first."""
    row = connection.execute(
        select(sweeps).where(sweeps.c.tenant_id == tenant_id).order_by(sweeps.c.id.desc()).limit(1)
    ).first()
    return (
        None
        if row is None
        else SweepResult(int(row.seq), int(row.position), row.watermark_us, row.finished_us, row.payload)
    )


def sweep_to_adopt(connection: Connection, tenant_id: int, swept_us: int | None) -> SweepResult | None:
    """The newest sweep, if it finished after the one that was adopted last (`swept_us`; None: none was)."""
    newest = connection.scalar(
        select(sweeps.c.finished_us).where(sweeps.c.tenant_id == tenant_id).order_by(sweeps.c.id.desc()).limit(1)
    )
    return latest_sweep(connection, tenant_id) if newest is not None and newest > (swept_us or 0) else None


def is_swept(connection: Connection, tenant_id: int, state: AnalysisState) -> bool:
    """Whether a sweep of everything analysed is stored already and only waits to be adopted."""
    swept: int | None = connection.scalar(
        select(func.max(sweeps.c.seq)).where(
            sweeps.c.tenant_id == tenant_id, sweeps.c.finished_us > (state.swept_us or 0)
        )
    )
    return swept == state.cursor_seq


def save_sweep(
    connection: Connection, tenant_id: int, state: AnalysisState, payload: bytes, *, seconds: float, now_us: int
) -> None:
    """Store the sweep of what `state` says was analysed, and drop those that nobody reads any more."""
    last = connection.scalar(select(func.max(sweeps.c.finished_us)).where(sweeps.c.tenant_id == tenant_id)) or 0
    connection.execute(
        insert(sweeps).values(
            tenant_id=tenant_id,
            seq=state.cursor_seq,
            position=state.analysed_position,
            watermark_us=state.watermark_us,
            finished_us=max(now_us, last + 1),
            seconds=seconds,
            payload=payload,
        )
    )
    # The one before stays: a detect worker may be reading it.
    connection.execute(delete(sweeps).where(sweeps.c.tenant_id == tenant_id, sweeps.c.finished_us < last))
