"""When the next job of a kind is due for a tenant: the clock enqueues what is due, again and again, until its job moves the time.

Whoever makes work for a job says so in its own transaction (`at_latest`); the job ends with `move_to`, in a transaction that has looked
what is still to be done. So a time is never lost, whoever is killed between.
"""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select, update

from service.storage.schema import tenants, timers


def at_latest(connection: Connection, tenant_id: int, work: str, due_us: int) -> None:
    """Have the work done at `due_us`, or earlier if that is planned already."""
    row = (timers.c.tenant_id == tenant_id) & (timers.c.work == work)
    planned = connection.scalar(select(timers.c.due_us).where(row).with_for_update())
    if planned is None:
        connection.execute(insert(timers).values(tenant_id=tenant_id, work=work, due_us=due_us))
    elif due_us < planned:
        connection.execute(update(timers).where(row).values(due_us=due_us))


def move_to(connection: Connection, tenant_id: int, work: str, due_us: int | None) -> None:
    """Have the work done at `due_us` and not before; None: not until somebody asks."""
    connection.execute(delete(timers).where(timers.c.tenant_id == tenant_id, timers.c.work == work))
    if due_us is not None:
        connection.execute(insert(timers).values(tenant_id=tenant_id, work=work, due_us=due_us))


def due(connection: Connection, now_us: int) -> list[tuple[str, str]]:
    """(work, tenant's name) of everything that is due."""
    statement = select(timers.c.work, tenants.c.name).join(tenants, tenants.c.id == timers.c.tenant_id).where(timers.c.due_us <= now_us).order_by(timers.c.due_us)
    return [(row.work, row.name) for row in connection.execute(statement)]
