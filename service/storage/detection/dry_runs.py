"""Dry runs: proposed thresholds, what they would do, and putting them in force.

asked -> running -> done, or failed, or cancelled by a newer one. workers/dry_run.py does the work; one at a time is
under way for a tenant. All state is in the row: the person who requested the run may sign out, and the working process
may be killed.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, func, select, update
from sqlalchemy import insert as sql_insert

from service.errors import NotFound, Refused
from service.model import JsonObject
from service.policy import DEFAULT_POLICY, Policy, thresholds
from service.storage.accounts.policy_overrides import change_overrides, policy_of
from service.storage.sql import timers
from service.storage.sql.engine import lock_tenant
from service.storage.sql.schema import dry_runs, feed

REQUESTED, RUNNING, DONE, FAILED, CANCELLED = "asked", "running", "done", "failed", "cancelled"
_UNFINISHED = (REQUESTED, RUNNING)
WORK = "dry_run"
KEPT = 20  # of a tenant
RESTARTED = "the worker was stopped in the middle of it; it began once more"
VALID_US = 24 * 3_600 * 1_000_000  # much may have come in a day later


@dataclass(frozen=True, slots=True)
class DryRun:
    """One dry run. `values` are all overrides that would hold, {} the defaults."""

    id: str
    asked_us: int
    by: str
    values: dict[str, Any]
    state: str
    progress: float  # 0..1
    result: JsonObject | None
    error: str | None
    done_us: int | None

    @property
    def policy(self) -> Policy:
        """The thresholds that are proposed."""
        return DEFAULT_POLICY.overridden(self.values)

    @property
    def unfinished(self) -> bool:
        """Whether the run is requested or running."""
        return self.state in _UNFINISHED


def request_dry_run(connection: Connection, tenant_id: int, values: dict[str, Any], *, by: str, now_us: int) -> str:
    """Request a dry run of `values` (all overrides that would apply); returns the run's id.

    A run under way is cancelled.

    In the caller's writing transaction. Raises ValueError for a name that is not a threshold a tenant can set, or a
    value outside its range; Refused where nothing would change.
    """
    lock_tenant(connection, tenant_id)
    settable = {one.name for one in thresholds(DEFAULT_POLICY) if one.settable}
    for name in values.keys() - settable:
        raise ValueError(f"{name} is not a threshold that a tenant can set")
    values = {name: value for name, value in values.items() if value != getattr(DEFAULT_POLICY, name)}
    if DEFAULT_POLICY.overridden(values) == policy_of(connection, tenant_id):
        raise Refused("these are the thresholds that are in force: nothing would change")
    connection.execute(
        update(dry_runs)
        .where(dry_runs.c.tenant_id == tenant_id, dry_runs.c.state.in_(_UNFINISHED))
        .values(state=CANCELLED, done_us=now_us)
    )
    made = f"run_{secrets.token_hex(12)}"
    connection.execute(
        sql_insert(dry_runs).values(
            id=made,
            tenant_id=tenant_id,
            asked_us=now_us,
            by=by,
            values=json.dumps(values, sort_keys=True),
            state=REQUESTED,
            progress=0.0,
        )
    )
    kept = list(
        connection.scalars(
            select(dry_runs.c.id)
            .where(dry_runs.c.tenant_id == tenant_id)
            .order_by(dry_runs.c.asked_us.desc(), dry_runs.c.id.desc())
            .limit(KEPT)
        )
    )
    connection.execute(delete(dry_runs).where(dry_runs.c.tenant_id == tenant_id, dry_runs.c.id.not_in([*kept, made])))
    timers.at_latest(connection, tenant_id, WORK, now_us)
    return made


def read(connection: Connection, tenant_id: int, run_id: str) -> DryRun:
    """The tenant's run. Raises NotFound."""
    row = connection.execute(select(dry_runs).where(_this(tenant_id, run_id))).first()
    if row is None:
        raise NotFound("no dry run has this id")
    return _of(row)


def newest(connection: Connection, tenant_id: int) -> DryRun | None:
    """The tenant's latest run; None if there was none."""
    row = connection.execute(
        select(dry_runs)
        .where(dry_runs.c.tenant_id == tenant_id)
        .order_by(dry_runs.c.asked_us.desc(), dry_runs.c.id.desc())
        .limit(1)
    ).first()
    return None if row is None else _of(row)


def unfinished(connection: Connection, tenant_id: int) -> DryRun | None:
    """The unfinished run; None if there is none."""
    row = connection.execute(
        select(dry_runs)
        .where(dry_runs.c.tenant_id == tenant_id, dry_runs.c.state.in_(_UNFINISHED))
        .order_by(dry_runs.c.asked_us.desc())
        .limit(1)
    ).first()
    return None if row is None else _of(row)


def cancel(connection: Connection, tenant_id: int, run_id: str, *, now_us: int) -> bool:
    """Cancel the run; False if it was over."""
    return bool(
        connection.execute(
            update(dry_runs)
            .where(_this(tenant_id, run_id), dry_runs.c.state.in_(_UNFINISHED))
            .values(state=CANCELLED, done_us=now_us)
        ).rowcount
    )


def note_progress(connection: Connection, tenant_id: int, run_id: str, progress: float) -> bool:
    """Record the progress; False if the run was cancelled and must stop."""
    return _go_on(connection, tenant_id, run_id, {"state": RUNNING, "progress": progress})


def restart(connection: Connection, tenant_id: int, run_id: str) -> bool:
    """Record that the run starts over because its worker was stopped in the middle; False if it was cancelled."""
    return _go_on(connection, tenant_id, run_id, {"state": RUNNING, "progress": 0.0, "error": RESTARTED})


def _go_on(connection: Connection, tenant_id: int, run_id: str, values: dict[str, Any]) -> bool:
    return bool(
        connection.execute(
            update(dry_runs).where(_this(tenant_id, run_id), dry_runs.c.state.in_(_UNFINISHED)).values(**values)
        ).rowcount
    )


def finish(
    connection: Connection,
    tenant_id: int,
    run_id: str,
    result: JsonObject | None,
    *,
    error: str | None = None,
    now_us: int,
) -> None:
    """Record the end of the run: the result, or the error."""
    values = {
        "state": FAILED if result is None else DONE,
        "progress": 1.0,
        "result": None if result is None else json.dumps(result, ensure_ascii=False),
        "error": error,
        "done_us": now_us,
    }
    connection.execute(
        update(dry_runs).where(_this(tenant_id, run_id), dry_runs.c.state.in_(_UNFINISHED)).values(**values)
    )


def put_in_force(connection: Connection, tenant_id: int, run_id: str, *, by: str, now_us: int) -> Policy:
    """Put the run's thresholds in force (service/storage/accounts/policy_overrides.py) and return the resulting policy.

    Raises NotFound, and Refused unless it is done, not older than a day, and was compared with the thresholds that are
    in force now.
    """
    lock_tenant(connection, tenant_id)
    run = read(connection, tenant_id, run_id)
    if run.state != DONE or run.result is None:
        raise Refused(f"this dry run is {run.state}: only one that is done can be put in force")
    if run.done_us is None or now_us - run.done_us > VALID_US:
        raise Refused("this dry run is older than a day: run it again, much may have come in since")
    if run.result.get("policy_now") != policy_of(connection, tenant_id).version:
        raise Refused(
            "the thresholds in force have been changed since this dry run: run it again, to see what it does now"
        )
    return change_overrides(connection, tenant_id, put=run.values, drop=None, by=by, now_us=now_us)


def _this(tenant_id: int, run_id: str) -> ColumnElement[bool]:
    return (dry_runs.c.tenant_id == tenant_id) & (dry_runs.c.id == run_id)


def _of(row: Row[Any]) -> DryRun:
    found = row._mapping
    return DryRun(
        row.id,
        row.asked_us,
        row.by,
        json.loads(found["values"]),
        row.state,
        row.progress,
        None if row.result is None else json.loads(row.result),
        row.error,
        row.done_us,
    )


def complaints_since(connection: Connection, tenant_id: int, since_us: int, upto_seq: int) -> int:
    """About how many items a read of the feed from that time on would bring, up to and with `upto_seq`."""
    return int(
        connection.scalar(
            select(func.coalesce(func.sum(feed.c["items"]), 0)).where(
                feed.c.tenant_id == tenant_id, feed.c.newest_us >= since_us, feed.c.last_seq <= upto_seq
            )
        )
        or 0
    )
