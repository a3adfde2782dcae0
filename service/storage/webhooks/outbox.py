"""The outbox: events for subscribers, written in the transaction of the change that they report.

An event's id is derived from its tenant, type and key: the same change found twice is written once. With it goes
one delivery for each subscription that wants it. Events are kept without subscriptions too: they are the tenant's log.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, select

from service.moderation.events import Event
from service.notifications.digest import USUAL_EVENTS
from service.storage.accounts.mail_preferences import plan_at_once
from service.storage.sql.outbox_rows import (
    enabled_subscribers,
    event_id,
    event_json,
    insert_events,
)
from service.storage.sql.schema import deliveries, delivery_attempts, events

DELIVERED, FAILED, CANCELLED = "delivered", "failed", "cancelled"  # deliveries.state, beside PENDING
_IDS_PER_SELECT = 400


def record(connection: Connection, tenant_id: int, found: Sequence[Event], now_us: int) -> int:
    """Keep what is new among the events, have it delivered, and say how many were new.

    Part of the caller's transaction: an event is sent if and only if the change that it reports is stored. Costs
    nothing without events. Raises ValueError for a type outside EVENT_TYPES, and for data that JSON cannot hold.
    """
    rows = {event_id(tenant_id, event): (event.type, event_json(event)) for event in found}
    known: set[str] = set()
    ids = list(rows)
    for start in range(0, len(ids), _IDS_PER_SELECT):
        known.update(
            connection.scalars(select(events.c.id).where(events.c.id.in_(ids[start : start + _IDS_PER_SELECT])))
        )
    new = {event: row for event, row in rows.items() if event not in known}
    if not new:
        return 0
    # Locked against a change: disabling or removing one of them still sees what is recorded now.
    found_subscribers = connection.execute(enabled_subscribers(tenant_id).with_for_update(read=True))
    insert_events(connection, tenant_id, new, [(row.id, row.events) for row in found_subscribers], now_us)
    if any(kind in USUAL_EVENTS for kind, _ in new.values()):
        plan_at_once(connection, tenant_id, now_us)
    return len(new)


def forget_before(connection: Connection, tenant_id: int, before_us: int, at_most: int) -> dict[str, int]:
    """Delete events that are older, with their deliveries (also what still waits) and attempts: about `at_most` rows of
    one table, attempts first, so that what is left never lacks what it belongs to. Returns the number of rows by table;
    none: all are gone.
    """
    old = select(events.c.id).where(events.c.tenant_id == tenant_id, events.c.at_us < before_us)
    of_old = select(deliveries.c.id).where(deliveries.c.tenant_id == tenant_id, deliveries.c.event_id.in_(old))
    for table, which in (
        (delivery_attempts, delivery_attempts.c.delivery_id.in_(of_old)),
        (deliveries, deliveries.c.event_id.in_(old)),
        (events, events.c.at_us < before_us),
    ):
        some = select(table.c.id).where(table.c.tenant_id == tenant_id, which).limit(at_most)
        if gone := connection.execute(delete(table).where(table.c.id.in_(some))).rowcount:
            return {table.name: gone}
    return {}
