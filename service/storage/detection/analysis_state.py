"""The state of a tenant's analysis, written only by the worker that holds the epoch. A worker takes the epoch before it
reads; its writes are refused once another worker has taken a newer one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, func, select, update

from service.errors import LostLease
from service.storage.complaints.archive_reader import AnalysisState, analysis_state_of
from service.storage.sql.schema import analysis_state, decisions


def hold_analysis(connection: Connection, tenant_id: int, epoch: int) -> None:
    """Lock the tenant's analysis for this transaction: call it first of all.

    Retention and erasure rewrite the same rows: the caller waits for them, and they wait for the caller. Raises
    LostLease once another worker has taken the epoch.
    """
    check_epoch(analysis_state_of(connection, tenant_id, lock=True), tenant_id, epoch)


def check_epoch(state: AnalysisState, tenant_id: int, epoch: int) -> None:
    """Raise LostLease unless the stored state is still of this epoch."""
    if state.epoch != epoch:
        raise LostLease(
            f"tenant number {tenant_id}: another worker took over the analysis (epoch {state.epoch} after {epoch})"
        )


def advance_analysis(
    connection: Connection, tenant_id: int, state: AnalysisState, epoch: int, **values: Any
) -> AnalysisState:
    """Write these columns of the state, in the transaction that writes the clusters; returns the state after it.

    Raises LostLease if another worker has taken the epoch: nothing of the transaction may be committed then.
    """
    done = connection.execute(
        update(analysis_state)
        .where(analysis_state.c.tenant_id == tenant_id, analysis_state.c.epoch == epoch)
        .values(**values)
    )
    if done.rowcount != 1:
        raise LostLease(f"tenant number {tenant_id}: another worker took over the analysis (after epoch {epoch})")
    return replace(state, **values)


def latest_decision(connection: Connection, tenant_id: int) -> int:
    """The sequence number of the tenant's latest decision; 0 without any."""
    found = select(func.max(decisions.c.seq)).where(decisions.c.tenant_id == tenant_id)
    return int(connection.scalar(found) or 0)


def decided_since(connection: Connection, tenant_id: int, decision_cursor: int) -> dict[int, str]:
    """The cluster of each decision that the analysis has not taken in yet, by the decision's sequence number."""
    return {
        seq: cluster
        for seq, cluster in connection.execute(
            select(decisions.c.seq, decisions.c.cluster_id).where(
                decisions.c.tenant_id == tenant_id, decisions.c.seq > decision_cursor
            )
        )
    }
