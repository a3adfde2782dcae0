"""The delivery log: waiting deliveries, attempts and results."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, insert, or_, select, tuple_, update

from service.errors import NotFound, Refused
from service.moderation.events import PING, Event
from service.storage.sql import timers
from service.storage.sql.outbox_rows import PENDING, WORK, delivery_id, event_id
from service.storage.sql.schema import deliveries, delivery_attempts, events, subscriptions
from service.storage.webhooks.outbox import CANCELLED, DELIVERED, FAILED
from service.storage.webhooks.subscriptions import answered, read, sealed_secrets

STATES = (PENDING, DELIVERED, FAILED, CANCELLED)
_SHOWN_ATTEMPTS = 50  # of one delivery, the latest; replays add to the usual ten


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that this process alone attempts now."""

    id: str
    tenant_id: int
    subscription_id: str
    url: str
    sealed_secrets: tuple[str, ...]
    event_id: str
    type: str
    at_us: int
    data: str
    attempts: int  # that failed before, since it was last sent for the first time
    silences: int  # of the subscription: attempts in a row without an answer


@dataclass(frozen=True, slots=True)
class LoggedAttempt:
    """One attempt of the past."""

    at_us: int
    seconds: float
    status: int | None
    error: str | None


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """One line of the log."""

    id: str
    event_id: str
    type: str
    state: str
    next_us: int | None
    created_us: int
    finished_us: int | None
    attempts: tuple[LoggedAttempt, ...]


def due(
    connection: Connection,
    tenant_id: int,
    now_us: int,
    *,
    but: Collection[str],
    per_subscription: int,
    subscriptions_at_most: int,
) -> dict[str, list[str]]:
    """Ids of due deliveries by subscription, the longest due first; none of the subscriptions in `but`, or that are
    left alone.
    """
    c = deliveries.c
    mine = (c.tenant_id == tenant_id) & (c.state == PENDING) & (c.next_us <= now_us)
    left_alone = select(subscriptions.c.id).where(
        subscriptions.c.tenant_id == tenant_id, subscriptions.c.rest_until_us > now_us
    )
    waiting = select(c.subscription_id).where(
        mine, c.subscription_id.not_in(list(but)), c.subscription_id.not_in(left_alone)
    )
    found: dict[str, list[str]] = {}
    for subscription in connection.scalars(
        waiting.group_by(c.subscription_id).order_by(func.min(c.next_us)).limit(subscriptions_at_most)
    ).all():
        ids = (
            select(c.id)
            .where(mine, c.subscription_id == subscription)
            .order_by(c.next_us, c.created_us, c.id)
            .limit(per_subscription)
        )
        found[subscription] = list(connection.scalars(ids))
    return found


def next_due_us(connection: Connection, tenant_id: int) -> int | None:
    """When the tenant's next delivery can go; None: none waits, but for what is held."""
    c = deliveries.c
    first = (
        select(c.subscription_id, func.min(c.next_us))
        .where(c.tenant_id == tenant_id, c.state == PENDING, c.next_us.is_not(None))
        .group_by(c.subscription_id)
    )
    rests: dict[str, int] = {
        row.id: row.rest_until_us
        for row in connection.execute(
            select(subscriptions.c.id, subscriptions.c.rest_until_us).where(
                subscriptions.c.tenant_id == tenant_id, subscriptions.c.rest_until_us.is_not(None)
            )
        )
    }
    return min(
        (max(next_us, rests.get(subscription, next_us)) for subscription, next_us in connection.execute(first)),
        default=None,
    )


def pull_back(connection: Connection, tenant_id: int, now_us: int, longest_first_us: int, longest_us: int) -> bool:
    """Make due now what is planned further ahead than any pause lasts (`longest_first_us` from now: what never failed,
    or is claimed; `longest_us`: the rest, and receivers left alone), since the wall clock was ahead then; whether
    there was any.
    """
    c, s = deliveries.c, subscriptions.c
    far = or_(c.next_us > now_us + longest_us, (c.attempts == 0) & (c.next_us > now_us + longest_first_us))
    mine = (c.tenant_id == tenant_id) & (c.state == PENDING) & far
    moved = connection.execute(update(deliveries).where(mine).values(next_us=now_us)).rowcount
    rests = (s.tenant_id == tenant_id) & (s.rest_until_us > now_us + longest_us)
    return bool(connection.execute(update(subscriptions).where(rests).values(rest_until_us=None)).rowcount + moved)


def claim(connection: Connection, delivery_id: str, *, now_us: int, until_us: int) -> Claimed | None:
    """Take a due delivery; None if another process has it, or it is no longer due.

    Until `until_us` no other process takes it. If this one dies before, it is sent again then.
    """
    c = deliveries.c
    taken = connection.execute(
        update(deliveries).where(c.id == delivery_id, c.state == PENDING, c.next_us <= now_us).values(next_us=until_us)
    )
    if taken.rowcount != 1:
        return None
    row = connection.execute(
        select(
            deliveries,
            subscriptions.c.url,
            subscriptions.c.secret,
            subscriptions.c.previous_secret,
            subscriptions.c.previous_until_us,
            subscriptions.c.silences,
            events.c.type,
            events.c.at_us,
            events.c.data,
        )
        .join(subscriptions, subscriptions.c.id == c.subscription_id)
        .join(events, events.c.id == c.event_id)
        .where(c.id == delivery_id)
    ).first()
    if row is None:  # its subscription or its event is gone
        connection.execute(
            update(deliveries).where(c.id == delivery_id).values(state=CANCELLED, next_us=None, finished_us=now_us)
        )
        return None
    return Claimed(
        row.id,
        row.tenant_id,
        row.subscription_id,
        row.url,
        tuple(sealed_secrets(row, now_us)),
        row.event_id,
        row.type,
        row.at_us,
        row.data,
        row.attempts,
        row.silences,
    )


def note_attempt(connection: Connection, claimed: Claimed, attempt: LoggedAttempt) -> None:
    """Write an attempt into the log."""
    connection.execute(
        insert(delivery_attempts).values(
            delivery_id=claimed.id,
            tenant_id=claimed.tenant_id,
            at_us=attempt.at_us,
            seconds=attempt.seconds,
            status=attempt.status,
            error=attempt.error,
        )
    )


def finish(connection: Connection, claimed: Claimed, state: str, now_us: int) -> None:
    """Close a delivery: delivered, failed or cancelled.

    One that was cancelled meanwhile, but arrived, was delivered.
    """
    left = (PENDING, CANCELLED) if state == DELIVERED else (PENDING,)
    values = {"state": state, "attempts": claimed.attempts + 1, "next_us": None, "finished_us": now_us}
    connection.execute(
        update(deliveries).where(deliveries.c.id == claimed.id, deliveries.c.state.in_(left)).values(**values)
    )


def postpone(connection: Connection, claimed: Claimed, next_us: int) -> None:
    """Try again at `next_us`. One that is held (without a time), since its subscription was disabled meanwhile, stays
    so.
    """
    c = deliveries.c
    connection.execute(
        update(deliveries)
        .where(c.id == claimed.id, c.state == PENDING, c.next_us.is_not(None))
        .values(next_us=next_us, attempts=claimed.attempts + 1)
    )


def any_arrived(connection: Connection, subscription_id: str, since_us: int) -> bool:
    """Whether the subscriber accepted anything since then: if so, it is not down but rejects this delivery."""
    c = deliveries.c
    taken = (
        select(c.id)
        .where(c.subscription_id == subscription_id, c.state == DELIVERED, c.finished_us > since_us)
        .limit(1)
    )
    return connection.scalar(taken) is not None


def list_page(
    connection: Connection,
    tenant_id: int,
    subscription_id: str,
    *,
    state: str | None,
    after: tuple[Any, ...] | None,
    limit: int,
) -> tuple[list[DeliveryRecord], tuple[int, str] | None]:
    """The log of a subscription, newest first; and the key to go on from, None on the last page. Raises NotFound."""
    read(connection, tenant_id, subscription_id)
    c = deliveries.c
    statement = (
        _log()
        .where(c.tenant_id == tenant_id, c.subscription_id == subscription_id)
        .order_by(c.created_us.desc(), c.id.desc())
        .limit(limit + 1)
    )
    if state is not None:
        statement = statement.where(c.state == state)
    if after is not None:
        statement = statement.where(tuple_(c.created_us, c.id) < after)
    rows = connection.execute(statement).all()
    found = _with_attempts(connection, rows[:limit])
    return found, (found[-1].created_us, found[-1].id) if len(rows) > limit else None


def unsettled(connection: Connection, tenant_id: int) -> dict[str, dict[str, int]]:
    """How many deliveries wait or failed, by subscription and state; those that have none of either are left out."""
    c = deliveries.c
    found: dict[str, dict[str, int]] = defaultdict(dict)
    counted = (
        select(c.subscription_id, c.state, func.count())
        .where(c.tenant_id == tenant_id, c.state.in_((PENDING, FAILED)))
        .group_by(c.subscription_id, c.state)
    )
    for subscription, state, count in connection.execute(counted):
        found[subscription][state] = count
    return dict(found)


def replay(
    connection: Connection, tenant_id: int, subscription_id: str, delivery_id: str, *, now_us: int
) -> DeliveryRecord:
    """Send it again now, whatever came of it before, with the whole schedule before it.

    Raises NotFound, and Refused while the subscription is disabled.
    """
    subscription = read(connection, tenant_id, subscription_id)
    c = deliveries.c
    this = (c.tenant_id == tenant_id) & (c.subscription_id == subscription_id) & (c.id == delivery_id)
    if connection.execute(_log().where(this)).first() is None:
        raise NotFound("this subscription has no delivery with this id")
    if subscription.disabled_us is not None:
        raise Refused(
            f"the subscription is disabled ({subscription.disabled_because}): enable it first, with PATCH and"
            ' {"enabled": true}'
        )
    # the subscription before the delivery, like every writer of both, so that no two wait for each other
    answered(connection, subscription_id)
    connection.execute(
        update(deliveries).where(this).values(state=PENDING, attempts=0, next_us=now_us, finished_us=None)
    )
    timers.at_latest(connection, tenant_id, WORK, now_us)
    return _with_attempts(connection, connection.execute(_log().where(this)).all())[0]


def ping(connection: Connection, tenant_id: int, subscription_id: str, *, now_us: int) -> str:
    """Have a `ping` sent to this subscription alone, whatever it subscribes to, signed and tried again like everything
    else; the delivery's id.

    Raises NotFound, and Refused while the subscription is disabled.
    """
    subscription = read(connection, tenant_id, subscription_id)
    if subscription.disabled_us is not None:
        raise Refused(f"the subscription is disabled ({subscription.disabled_because}): enable it first")
    event = event_id(tenant_id, Event(PING, f"{subscription_id} {now_us}"))
    sent = delivery_id(subscription_id, event)
    connection.execute(
        insert(events).values(
            id=event,
            tenant_id=tenant_id,
            type=PING,
            at_us=now_us,
            data=json.dumps({"subscription_id": subscription_id}),
        )
    )
    connection.execute(
        insert(deliveries).values(
            id=sent,
            tenant_id=tenant_id,
            subscription_id=subscription_id,
            event_id=event,
            state=PENDING,
            next_us=now_us,
            created_us=now_us,
        )
    )
    answered(connection, subscription_id)  # a person's request ends the pause
    timers.at_latest(connection, tenant_id, WORK, now_us)
    return sent


def _log() -> Any:
    return select(deliveries, events.c.type).join(events, events.c.id == deliveries.c.event_id)


def _with_attempts(connection: Connection, rows: Sequence[Row[Any]]) -> list[DeliveryRecord]:
    tried: dict[str, list[LoggedAttempt]] = defaultdict(list)
    statement = (
        select(delivery_attempts)
        .where(delivery_attempts.c.delivery_id.in_([row.id for row in rows]))
        .order_by(delivery_attempts.c.id)
    )
    for row in connection.execute(statement):
        tried[row.delivery_id].append(LoggedAttempt(row.at_us, row.seconds, row.status, row.error))
    return [
        DeliveryRecord(
            row.id,
            row.event_id,
            row.type,
            row.state,
            row.next_us,
            row.created_us,
            row.finished_us,
            tuple(tried[row.id][-_SHOWN_ATTEMPTS:]),
        )
        for row in rows
    ]
