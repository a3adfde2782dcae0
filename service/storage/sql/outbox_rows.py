"""Rows of the outbox: an event and its deliveries, as webhooks/outbox.py and accounts/audit_log.py record them.

An event's id is derived from its tenant, type and key, so that the same change found twice is written once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import blake2b

from sqlalchemy import Connection, Select, select

from service.moderation.events import CHOSEN_ONLY, EVENT_TYPES, Event
from service.storage.sql import timers
from service.storage.sql.engine import insert_rows
from service.storage.sql.schema import deliveries, events, subscriptions

PENDING = "pending"  # deliveries.state
WORK = "deliver"
_ON_CONFLICT = "ON CONFLICT DO NOTHING"


def insert_events(
    connection: Connection,
    tenant_id: int,
    new: Mapping[str, tuple[str, str]],
    subscribers: Sequence[tuple[str, str]],
    now_us: int,
    *,
    place: int = 0,
) -> None:
    """Write events (by id: type and JSON) with a delivery for each of the subscribers, (id, stored filter), that wants
    them. `place` puts them behind others of the same time, in microseconds.
    """
    insert_rows(
        connection,
        events,
        ("id", "tenant_id", "type", "at_us", "data"),
        [(event, tenant_id, kind, now_us, data) for event, (kind, data) in new.items()],
        _ON_CONFLICT,
    )
    wanted = [(to, event) for to, kinds in subscribers for event, (kind, _) in new.items() if wants(kinds, kind)]
    if wanted:
        columns = ("id", "tenant_id", "subscription_id", "event_id", "state", "next_us", "created_us")
        # A microsecond apart, so that they go, and are listed, in the order in which they were found.
        rows_to_send = [
            (delivery_id(to, event), tenant_id, to, event, PENDING, now_us, now_us + place)
            for place, (to, event) in enumerate(wanted, place)
        ]
        insert_rows(connection, deliveries, columns, rows_to_send, _ON_CONFLICT)
        timers.at_latest(connection, tenant_id, WORK, now_us)


def enabled_subscribers(tenant_id: int) -> Select[tuple[str, str]]:
    """The tenant's enabled subscriptions: id and stored filter."""
    return (
        select(subscriptions.c.id, subscriptions.c.events)
        .where(subscriptions.c.tenant_id == tenant_id, subscriptions.c.disabled_us.is_(None))
        .order_by(subscriptions.c.id)
    )


def event_id(tenant_id: int, event: Event) -> str:
    """The id of the event everywhere, the same at every attempt: the webhook-id."""
    return f"evt_{_digest(str(tenant_id), event.type, event.key)}"


def delivery_id(subscription_id: str, event: str) -> str:
    """The id of an event's one delivery to a subscription."""
    return f"dlv_{_digest(subscription_id, event)}"


def wants(filter_json: str, kind: str) -> bool:
    """Whether a subscription's stored filter takes events of this type; an empty one takes all but those that have to
    be named.
    """
    wanted = json.loads(filter_json)
    return kind in wanted if wanted else kind not in CHOSEN_ONLY


def event_json(event: Event) -> str:
    """The event's data. Raises ValueError for a type outside EVENT_TYPES, and for data that JSON cannot hold."""
    if event.type not in EVENT_TYPES:
        raise ValueError(f"unknown event type {event.type!r}; known: {', '.join(EVENT_TYPES)}")
    try:
        return json.dumps(event.data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except TypeError as error:
        raise ValueError(f"the data of {event.type} {event.key!r} cannot be written as JSON: {error}") from None


def _digest(*parts: str) -> str:
    return blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()
