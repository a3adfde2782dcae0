"""Deliveries of subscriptions of a chat format: all that are due go as one message, outside of the quiet hours."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from service.moderation.events import PING
from service.notifications.chat_formats import SIGNED
from service.notifications.digest import Occurrence, occurrence_of
from service.notifications.quiet_hours import UTC_NAME
from service.storage.sql.outbox_rows import PENDING
from service.storage.sql.schema import deliveries, events, subscriptions
from service.storage.webhooks.deliveries import Claimed, LoggedAttempt, note_attempt
from service.storage.webhooks.outbox import CANCELLED
from service.storage.webhooks.subscriptions import quiet_hours_of

EVENTS_A_MESSAGE = 500


@dataclass(frozen=True, slots=True)
class ClaimedBatch:
    """The deliveries of one message, which this process alone attempts now."""

    format: str
    sealed_address: str
    time_zone: str
    claimed: tuple[Claimed, ...]
    occurrences: tuple[Occurrence, ...]  # by the delivery's id; none for a test message
    test: bool


def chat_subscriptions(connection: Connection, tenant_id: int) -> set[str]:
    """Ids of the tenant's subscriptions whose format is a chat service's."""
    s = subscriptions.c
    return set(connection.scalars(select(s.id).where(s.tenant_id == tenant_id, s.format != SIGNED)))


def claim_batch(
    connection: Connection, tenant_id: int, subscription_id: str, *, now_us: int, until_us: int
) -> ClaimedBatch | None:
    """Take what is due to the subscription, test messages first and alone; None: nothing is.

    In its quiet hours only test messages go, and the rest waits for their end. Until `until_us` no other process takes
    what was taken. If this one dies before, it is sent again then.
    """
    s, c = subscriptions.c, deliveries.c
    row = connection.execute(
        select(subscriptions).where(s.tenant_id == tenant_id, s.id == subscription_id).with_for_update()
    ).first()
    if row is None:
        return None
    quiet, zone = quiet_hours_of(row), row.time_zone or UTC_NAME
    quiet_end_us = None if quiet is None else quiet.end_us(now_us, zone)
    if quiet_end_us is not None:
        connection.execute(update(subscriptions).where(s.id == subscription_id).values(rest_until_us=quiet_end_us))
    due = (
        select(deliveries, events.c.type, events.c.at_us, events.c.data)
        .outerjoin(events, events.c.id == c.event_id)
        .where(c.subscription_id == subscription_id, c.state == PENDING, c.next_us <= now_us)
        .order_by(c.created_us, c.id)
        .limit(EVENTS_A_MESSAGE)
        .with_for_update(of=deliveries)
    )
    found = list(connection.execute(due.where(events.c.type == PING)))
    test = bool(found)
    if not found and quiet_end_us is None:
        found = list(connection.execute(due))
    gone = {one.id for one in found if one.type is None}
    if gone:  # their events were deleted
        _cancel(connection, gone, now_us)
        found = [one for one in found if one.id not in gone]
    if not found:
        return None
    connection.execute(update(deliveries).where(c.id.in_([one.id for one in found])).values(next_us=until_us))
    claimed = tuple(
        Claimed(
            one.id,
            tenant_id,
            subscription_id,
            row.url,
            (row.secret,),
            one.event_id,
            one.type,
            one.at_us,
            one.data,
            one.attempts,
            row.silences,
        )
        for one in found
    )
    occurrences = () if test else tuple(occurrence_of(o.id, o.at_us, o.type, json.loads(o.data)) for o in found)
    return ClaimedBatch(row.format, row.secret, zone, claimed, occurrences, test)


def leave_out(
    connection: Connection, claimed: Sequence[Claimed], because: Mapping[str, str], now_us: int
) -> list[Claimed]:
    """Cancel the deliveries that no message reports, each with its reason; returns the others."""
    out = [one for one in claimed if one.id in because]
    for one in out:
        note_attempt(connection, one, LoggedAttempt(now_us, 0.0, None, f"not sent: {because[one.id]}"))
    _cancel(connection, {one.id for one in out}, now_us)
    return [one for one in claimed if one.id not in because]


def _cancel(connection: Connection, delivery_ids: Collection[str], now_us: int) -> None:
    c = deliveries.c
    connection.execute(
        update(deliveries)
        .where(c.id.in_(sorted(delivery_ids)), c.state == PENDING)
        .values(state=CANCELLED, next_us=None, finished_us=now_us)
    )
