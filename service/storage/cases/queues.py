"""A tenant's queues: their rules, their order, and who gets their cases."""

from __future__ import annotations

import json
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from service.errors import NotFound, Refused
from service.fields import is_storable
from service.moderation.queue_rules import QueueConditions, QueueRule, conditions_of
from service.storage.accounts import audit_log
from service.storage.accounts.users import User, list_users
from service.storage.sql import timers
from service.storage.sql.engine import lock_tenant
from service.storage.sql.schema import case_placements, queues

WORK = "place"  # the job that puts cases into queues (workers/placing.py)
LONGEST_NAME = 40
MOST = 30


@dataclass(frozen=True, slots=True)
class CaseQueue:
    """One queue."""

    id: int
    name: str
    conditions: QueueConditions
    user_ids: tuple[int, ...]

    @property
    def rule(self) -> QueueRule:
        """The queue as a rule."""
        return QueueRule(self.id, self.conditions, self.user_ids)


def list_queues(connection: Connection, tenant_id: int) -> list[CaseQueue]:
    """All queues, in the order of their rules."""
    found = sa.select(queues).where(queues.c.tenant_id == tenant_id).order_by(queues.c.place, queues.c.id)
    return [_queue(row) for row in connection.execute(found)]


def assignable(connection: Connection, tenant_id: int) -> list[User]:
    """Who cases can be assigned to: accounts that may decide and are not disabled."""
    return [one for one in list_users(connection, tenant_id) if one.disabled_us is None and one.role != "viewer"]


def save_queue(
    connection: Connection,
    tenant_id: int,
    name: str,
    conditions: QueueConditions,
    user_ids: tuple[int, ...],
    *,
    queue_id: int | None = None,
    by: str,
    now_us: int,
) -> int:
    """Create a queue behind the others, or change one; its id. Raises Refused and NotFound."""
    name = " ".join(name.split())
    if not 1 <= len(name) <= LONGEST_NAME or not is_storable(name):
        raise Refused(f"a queue's name must have 1 to {LONGEST_NAME} characters")
    lock_tenant(connection, tenant_id)
    others = list_queues(connection, tenant_id)
    if any(one.name.casefold() == name.casefold() and one.id != queue_id for one in others):
        raise Refused(f"there is a queue called {name!r} already")
    known = {one.id for one in assignable(connection, tenant_id)}
    people = json.dumps([one for one in dict.fromkeys(user_ids) if one in known])
    values = {"name": name, "conditions": json.dumps(conditions.set_ones, sort_keys=True), "user_ids": people}
    if queue_id is not None:
        read_queue(connection, tenant_id, queue_id)
        connection.execute(sa.update(queues).where(queues.c.id == queue_id).values(values))
    else:
        if len(others) >= MOST:
            raise Refused(f"there are {MOST} queues already: remove one first")
        place = 1 + (connection.scalar(sa.select(sa.func.max(queues.c.place)).where(_of(tenant_id))) or 0)
        made = connection.execute(sa.insert(queues).values(tenant_id=tenant_id, place=place, **values))
        assert made.inserted_primary_key is not None
        queue_id = int(made.inserted_primary_key[0])
    _changed(connection, tenant_id, "queue saved", name, by, now_us)
    return queue_id


def remove_queue(connection: Connection, tenant_id: int, queue_id: int, *, by: str, now_us: int) -> None:
    """Remove the queue; its cases go where the rules put them. Raises NotFound."""
    lock_tenant(connection, tenant_id)
    found, p = read_queue(connection, tenant_id, queue_id), case_placements.c
    connection.execute(sa.delete(queues).where(queues.c.id == queue_id))
    connection.execute(
        sa.update(case_placements)
        .where(p.tenant_id == tenant_id, p.queue_id == queue_id)
        .values(queue_id=None, moved=False)
    )
    _changed(connection, tenant_id, "queue removed", found.name, by, now_us)


def raise_queue(connection: Connection, tenant_id: int, queue_id: int, *, by: str, now_us: int) -> None:
    """Have the queue's rule tried before the one above it. Raises NotFound."""
    lock_tenant(connection, tenant_id)
    found = list_queues(connection, tenant_id)
    order = [one.id for one in found]
    at = order.index(read_queue(connection, tenant_id, queue_id).id)
    order.insert(max(0, at - 1), order.pop(at))
    for place, one in enumerate(order):
        connection.execute(sa.update(queues).where(queues.c.id == one).values(place=place))
    _changed(connection, tenant_id, "queue raised", found[at].name, by, now_us)


def read_queue(connection: Connection, tenant_id: int, queue_id: int) -> CaseQueue:
    """The tenant's queue with this id. Raises NotFound."""
    found = next((one for one in list_queues(connection, tenant_id) if one.id == queue_id), None)
    if found is None:
        raise NotFound("no such queue")
    return found


def plan_placing(connection: Connection, tenant_id: int, now_us: int) -> None:
    """Cases changed: have the rules applied again, if there are any."""
    if connection.scalar(sa.select(queues.c.id).where(_of(tenant_id)).limit(1)) is not None:
        timers.at_latest(connection, tenant_id, WORK, now_us)


def _changed(connection: Connection, tenant_id: int, action: str, name: str, by: str, now_us: int) -> None:
    timers.at_latest(connection, tenant_id, WORK, now_us)
    audit_log.enter(connection, tenant_id, actor=by, action=action, subject=f"queue:{name}", now_us=now_us)


def _of(tenant_id: int) -> sa.ColumnElement[bool]:
    return queues.c.tenant_id == tenant_id


def _queue(row: Row[tuple[object, ...]]) -> CaseQueue:
    return CaseQueue(row.id, row.name, conditions_of(json.loads(row.conditions)), tuple(json.loads(row.user_ids)))
