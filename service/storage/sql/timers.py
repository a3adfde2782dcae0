"""When the next job of a kind is due for a tenant. The clock keeps enqueuing due work until the job itself moves the
time.

No plan lies further ahead than the longest interval of its kind (service/storage/redis_store/job_kinds.py). One that
does was made while the wall clock was ahead: it counts as due, and its job plans again.

What makes work for a job schedules it in its own transaction (`at_latest`); the job ends with `hold`, a look at what is
still to be done, and `move_to`, in one transaction. So no due time is lost if a process is killed in between, or plans
work then.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, and_, delete, or_, select, text

from service.storage.sql.schema import tenants, timers

# One statement each, since two processes may plan at the same time and neither is to fail or to be lost.
_INSERT = (
    "INSERT INTO timers (tenant_id, work, due_us) VALUES (:tenant_id, :work, :due_us) ON CONFLICT (tenant_id, work) DO"
    " UPDATE SET due_us = "
)
_HOLD = text(f"{_INSERT} timers.due_us")
_PLAN = text(f"{_INSERT} excluded.due_us")
_PLAN_AT_LATEST = text(
    f"{_INSERT} CASE WHEN excluded.due_us < timers.due_us THEN excluded.due_us ELSE timers.due_us END"
)


def at_latest(connection: Connection, tenant_id: int, work: str, due_us: int) -> None:
    """Schedule the work at `due_us`, or earlier if that is planned already."""
    connection.execute(_PLAN_AT_LATEST, {"tenant_id": tenant_id, "work": work, "due_us": due_us})


def hold(connection: Connection, tenant_id: int, work: str, now_us: int) -> None:
    """Lock the timer before looking for work: planners under way are waited for, so their reason is seen; later ones
    wait for this transaction.

    It moves no due time (work that was not planned becomes due now, unless `move_to` follows).
    """
    connection.execute(_HOLD, {"tenant_id": tenant_id, "work": work, "due_us": now_us})


def move_to(connection: Connection, tenant_id: int, work: str, due_us: int | None) -> None:
    """Schedule the work at `due_us` and not before; None: not until it is requested."""
    if due_us is None:
        connection.execute(delete(timers).where(timers.c.tenant_id == tenant_id, timers.c.work == work))
    else:
        connection.execute(_PLAN, {"tenant_id": tenant_id, "work": work, "due_us": due_us})


def planned(connection: Connection, tenant_id: int, work: str) -> bool:
    """Whether the work is planned at all."""
    return (
        connection.scalar(select(timers.c.due_us).where(timers.c.tenant_id == tenant_id, timers.c.work == work))
        is not None
    )


def due(connection: Connection, now_us: int, longest_us: Mapping[str, int] | None = None) -> list[tuple[str, str]]:
    """(work, tenant's name) of everything that is due: its time has come, or lies further ahead than the longest
    interval of its kind (`longest_us`, by work; a kind without one may be planned for any time).
    """
    late = [and_(timers.c.work == work, timers.c.due_us > now_us + most) for work, most in (longest_us or {}).items()]
    statement = (
        select(timers.c.work, tenants.c.name)
        .join(tenants, tenants.c.id == timers.c.tenant_id)
        .where(or_(timers.c.due_us <= now_us, *late))
        .order_by(timers.c.due_us)
    )
    return [(row.work, row.name) for row in connection.execute(statement)]
