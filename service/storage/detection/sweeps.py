"""Results of sweeps: written by the sweep job, adopted by the detect worker once it has analysed what they cover."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, insert, select

from service.storage.complaints.archive_reader import AnalysisState
from service.storage.sql.schema import feed, sweeps


@dataclass(frozen=True, slots=True)
class SweepResult:
    """One sweep as it is stored."""

    seq: int  # the sweep covers everything up to here
    position: int
    watermark_us: int | None
    finished_us: int
    payload: bytes  # workers/sweep_codec.py reads it


def latest_sweep(connection: Connection, tenant_id: int, upto_seq: int) -> SweepResult | None:
    """The tenant's newest sweep of nothing beyond `upto_seq`; None before the first."""
    row = connection.execute(
        select(sweeps)
        .where(sweeps.c.tenant_id == tenant_id, sweeps.c.seq <= upto_seq)
        .order_by(sweeps.c.id.desc())
        .limit(1)
    ).first()
    return (
        None
        if row is None
        else SweepResult(int(row.seq), int(row.position), row.watermark_us, row.finished_us, row.payload)
    )


def sweep_to_adopt(connection: Connection, tenant_id: int, state: AnalysisState) -> SweepResult | None:
    """The newest sweep of what is analysed, if it finished after the one that was adopted last."""
    newest = connection.scalar(
        select(sweeps.c.finished_us)
        .where(sweeps.c.tenant_id == tenant_id, sweeps.c.seq <= state.cursor_seq)
        .order_by(sweeps.c.id.desc())
        .limit(1)
    )
    if newest is None or newest <= (state.swept_us or 0):
        return None
    return latest_sweep(connection, tenant_id, state.cursor_seq)


@dataclass(frozen=True, slots=True)
class SweepEnd:
    """Up to where a sweep goes."""

    seq: int
    position: int
    watermark_us: int | None


def waiting_sweeps(connection: Connection, tenant_id: int, state: AnalysisState) -> list[SweepEnd]:
    """The sweeps that are not adopted yet, newest first."""
    rows = connection.execute(
        select(sweeps.c.seq, sweeps.c.position, sweeps.c.watermark_us)
        .where(sweeps.c.tenant_id == tenant_id, sweeps.c.finished_us > (state.swept_us or 0))
        .order_by(sweeps.c.id.desc())
    )
    return [SweepEnd(*row) for row in rows]


def next_stop(connection: Connection, tenant_id: int, after_seq: int, until_us: int) -> SweepEnd | None:
    """The end of the first row of the feed after `after_seq` whose watermark has reached `until_us`; None: it is not
    archived yet.
    """
    row = connection.execute(
        select(feed.c.last_seq, feed.c.last_position, feed.c.watermark_us)
        .where(feed.c.tenant_id == tenant_id, feed.c.last_seq > after_seq, feed.c.watermark_us >= until_us)
        .order_by(feed.c.last_seq)
        .limit(1)
    ).first()
    return None if row is None else SweepEnd(*row)


def save_sweep(
    connection: Connection, tenant_id: int, swept: AnalysisState, payload: bytes, *, seconds: float, now_us: int
) -> None:
    """Store the sweep of what `swept` says is analysed, and drop those older than the one that was adopted last."""
    last = connection.scalar(select(func.max(sweeps.c.finished_us)).where(sweeps.c.tenant_id == tenant_id)) or 0
    connection.execute(
        insert(sweeps).values(
            tenant_id=tenant_id,
            seq=swept.cursor_seq,
            position=swept.analysed_position,
            watermark_us=swept.watermark_us,
            finished_us=max(now_us, last + 1),
            seconds=seconds,
            payload=payload,
        )
    )
    # The adopted one stays: a window is built from it.
    connection.execute(
        delete(sweeps).where(sweeps.c.tenant_id == tenant_id, sweeps.c.finished_us < (swept.swept_us or 0))
    )
