"""The outbox: events for subscribers, written in the transaction of the change that they report.

An event's id is derived from its tenant, type and key: the same change found twice is written once. With it goes
one delivery for each subscription that wants it. Events are kept without subscriptions too: they are the tenant's log.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import blake2b

from sqlalchemy import ColumnElement, Connection, Delete, Table, delete, select

from service.moderation.events import EVENT_TYPES, Event
from service.storage.sql import timers
from service.storage.sql.engine import insert_rows
from service.storage.sql.schema import deliveries, delivery_attempts, events, subscriptions

PENDING, DELIVERED, FAILED, CANCELLED = "pending", "delivered", "failed", "cancelled"  # deliveries.state
WORK = "deliver"
_IDS_PER_SELECT = 400
_ON_CONFLICT = "ON CONFLICT DO NOTHING"


def record(connection: Connection, tenant_id: int, found: Sequence[Event], now_us: int) -> int:
    """Keep what is new among the events, have it delivered, and say how many were new.

    Part of the caller's transaction: an event is sent if and only if the change that it reports is stored. Costs
    nothing without events. Raises ValueError for a type outside EVENT_TYPES, and for data that JSON cannot hold.
    """
    rows = {event_id(tenant_id, event): (event.type, _json(event)) for event in found}
    known: set[str] = set()
    ids = list(rows)
    for start in range(0, len(ids), _IDS_PER_SELECT):
        known.update(
            connection.scalars(select(events.c.id).where(events.c.id.in_(ids[start : start + _IDS_PER_SELECT])))
        )
    new = {event: row for event, row in rows.items() if event not in known}
    if not new:
        return 0
    insert_rows(
        connection,
        events,
        ("id", "tenant_id", "type", "at_us", "data"),
        [(event, tenant_id, kind, now_us, data) for event, (kind, data) in new.items()],
        _ON_CONFLICT,
    )
    wanted = [
        (to, event)
        for to, kinds in _subscribers(connection, tenant_id)
        for event, (kind, _) in new.items()
        if wants(kinds, kind)
    ]
    if wanted:
        columns = ("id", "tenant_id", "subscription_id", "event_id", "state", "next_us", "created_us")
        # A microsecond apart, so that they go, and are listed, in the order in which they were found.
        rows_to_send = [
            (delivery_id(to, event), tenant_id, to, event, PENDING, now_us, now_us + place)
            for place, (to, event) in enumerate(wanted)
        ]
        insert_rows(connection, deliveries, columns, rows_to_send, _ON_CONFLICT)
        timers.at_latest(connection, tenant_id, WORK, now_us)
    return len(new)


def event_id(tenant_id: int, event: Event) -> str:
    """The id of the event everywhere, the same at every attempt: the webhook-id."""
    return f"evt_{_digest(str(tenant_id), event.type, event.key)}"


def delivery_id(subscription_id: str, event: str) -> str:
    """The id of an event's one delivery to a subscription."""
    return f"dlv_{_digest(subscription_id, event)}"


def wants(filter_json: str, kind: str) -> bool:
    """Whether a subscription's stored filter takes events of this type; an empty one takes all."""
    wanted = json.loads(filter_json)
    return not wanted or kind in wanted


def forget_before(connection: Connection, tenant_id: int, before_us: int, at_most: int) -> tuple[int, int]:
    """Delete events that are older, with their deliveries (also what still waits) and attempts, `at_most` rows in all:
    attempts first, so that what is left never lacks what it belongs to. Returns (rows, events); (0, 0): all are gone.
    """
    old = select(events.c.id).where(events.c.tenant_id == tenant_id, events.c.at_us < before_us)
    of_these = select(deliveries.c.id).where(deliveries.c.tenant_id == tenant_id, deliveries.c.event_id.in_(old))
    gone = 0
    for statement in (
        _some(
            delivery_attempts,
            at_most,
            delivery_attempts.c.tenant_id == tenant_id,
            delivery_attempts.c.delivery_id.in_(of_these),
        ),
        _some(deliveries, at_most, deliveries.c.tenant_id == tenant_id, deliveries.c.event_id.in_(old)),
    ):
        gone += connection.execute(statement).rowcount
        if gone:  # there may be more: in the next transaction
            return gone, 0
    last = connection.execute(
        _some(events, at_most, events.c.tenant_id == tenant_id, events.c.at_us < before_us)
    ).rowcount
    return last, last


def _some(table: Table, at_most: int, *which: ColumnElement[bool]) -> Delete:
    return delete(table).where(table.c.id.in_(select(table.c.id).where(*which).limit(at_most)))


def _subscribers(connection: Connection, tenant_id: int) -> list[tuple[str, str]]:
    wanted = (
        select(subscriptions.c.id, subscriptions.c.events)
        .where(subscriptions.c.tenant_id == tenant_id, subscriptions.c.disabled_us.is_(None))
        .order_by(subscriptions.c.id)
    )
    # Locked against a change: disabling or removing one of them still sees what is recorded now.
    wanted = wanted.with_for_update(read=True)
    return [(row.id, row.events) for row in connection.execute(wanted)]


def _json(event: Event) -> str:
    if event.type not in EVENT_TYPES:
        raise ValueError(f"unknown event type {event.type!r}; known: {', '.join(EVENT_TYPES)}")
    try:
        return json.dumps(event.data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except TypeError as error:
        raise ValueError(f"the data of {event.type} {event.key!r} cannot be written as JSON: {error}") from None


def _digest(*parts: str) -> str:
    return blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()
