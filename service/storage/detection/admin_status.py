"""One tenant's status for administrators, from SQL: sweeps, failing deliveries, polled sources. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from service.model import moment
from service.platforms.registry import POLLED
from service.storage.complaints.dead_letters import DeadLetter
from service.storage.sql import schema
from service.storage.sql.cursors import Key
from service.storage.sql.outbox_rows import PENDING
from service.storage.webhooks.outbox import FAILED

SWEEPS_SHOWN, DELIVERIES_SHOWN = 5, 20
LINE_SHOWN = 4_000  # characters of a dead letter
DEAD_KEY_TYPES: Mapping[str, tuple[type, ...]] = {"-id": (int,)}


@dataclass(frozen=True, slots=True)
class Sweep:
    """One recomputation of the whole window."""

    finished_at: datetime
    seconds: float
    watermark: datetime | None


@dataclass(frozen=True, slots=True)
class Subscriber:
    """One outbound subscription and what waits for it."""

    id: str
    url: str
    disabled_because: str | None
    rest_until: datetime | None
    pending: int
    failed: int


@dataclass(frozen=True, slots=True)
class Troubled:
    """A delivery that has failed, or is tried again."""

    id: str
    subscription_id: str
    type: str
    state: str
    attempts: int
    next_at: datetime | None
    created_at: datetime
    status: int | None  # of the latest attempt
    error: str | None


@dataclass(frozen=True, slots=True)
class PollerStatus:
    """One polled source."""

    platform: str
    url: str
    polled_at: datetime | None
    next_at: datetime | None
    failures: int  # in a row
    last_error: str | None


@dataclass(frozen=True, slots=True)
class Timer:
    """Planned work."""

    work: str
    due_at: datetime


def read_sweeps(connection: Connection, tenant_id: int) -> list[Sweep]:
    """The latest, newest first."""
    s = schema.sweeps.c
    rows = connection.execute(
        sa.select(s.finished_us, s.seconds, s.watermark_us)
        .where(s.tenant_id == tenant_id)
        .order_by(s.id.desc())
        .limit(SWEEPS_SHOWN)
    )
    return [
        Sweep(moment(row.finished_us), row.seconds, None if row.watermark_us is None else moment(row.watermark_us))
        for row in rows
    ]


def read_subscribers(connection: Connection, tenant_id: int) -> list[Subscriber]:
    """All subscriptions with the deliveries that are not done."""
    s, d = schema.subscriptions.c, schema.deliveries.c
    counted = (
        sa.select(d.subscription_id, d.state, sa.func.count())
        .where(d.tenant_id == tenant_id, d.state.in_((PENDING, FAILED)))
        .group_by(d.subscription_id, d.state)
    )
    counts = {(subscription, state): count for subscription, state, count in connection.execute(counted)}
    rows = connection.execute(
        sa.select(s.id, s.url, s.disabled_us, s.disabled_because, s.rest_until_us)
        .where(s.tenant_id == tenant_id)
        .order_by(s.created_us, s.id)
    ).all()
    return [
        Subscriber(
            row.id,
            row.url,
            None if row.disabled_us is None else (row.disabled_because or "switched off"),
            None if row.rest_until_us is None else moment(row.rest_until_us),
            counts.get((row.id, PENDING), 0),
            counts.get((row.id, FAILED), 0),
        )
        for row in rows
    ]


def read_troubled(connection: Connection, tenant_id: int) -> list[Troubled]:
    """Deliveries that failed at least once and did not arrive, the latest first."""
    d, e, a = schema.deliveries.c, schema.events.c, schema.delivery_attempts.c
    rows = connection.execute(
        sa.select(schema.deliveries, e.type)
        .join(schema.events, e.id == d.event_id)
        .where(d.tenant_id == tenant_id, sa.or_(d.state == FAILED, sa.and_(d.state == PENDING, d.attempts > 0)))
        .order_by(d.created_us.desc(), d.id)
        .limit(DELIVERIES_SHOWN)
    ).all()
    latest = sa.select(sa.func.max(a.id)).where(a.delivery_id.in_([row.id for row in rows])).group_by(a.delivery_id)
    tried = {
        row.delivery_id: row for row in connection.execute(sa.select(schema.delivery_attempts).where(a.id.in_(latest)))
    }
    return [
        Troubled(
            row.id,
            row.subscription_id,
            row.type,
            row.state,
            row.attempts,
            None if row.next_us is None else moment(row.next_us),
            moment(row.created_us),
            tried[row.id].status if row.id in tried else None,
            tried[row.id].error if row.id in tried else None,
        )
        for row in rows
    ]


def read_pollers(connection: Connection, tenant_id: int) -> list[PollerStatus]:
    """The polled sources; those with failures first."""
    s = schema.sources.c
    rows = connection.execute(
        sa.select(s.platform, s.url, s.polled_us, s.next_poll_us, s.failures, s.last_error)
        .where(s.tenant_id == tenant_id, s.platform.in_(POLLED), s.url.is_not(None), s.removed_us.is_(None))
        .order_by(s.failures.desc(), s.platform, s.url)
    )
    return [
        PollerStatus(
            row.platform,
            row.url,
            None if row.polled_us is None else moment(row.polled_us),
            None if row.next_poll_us is None else moment(row.next_poll_us),
            row.failures,
            row.last_error,
        )
        for row in rows
    ]


def read_timers(connection: Connection, tenant_id: int) -> list[Timer]:
    """Planned work, the next first."""
    t = schema.timers.c
    return [
        Timer(work, moment(due))
        for work, due in connection.execute(
            sa.select(t.work, t.due_us).where(t.tenant_id == tenant_id).order_by(t.due_us)
        )
    ]


def list_dead(
    connection: Connection, tenant_id: int, *, after: tuple[Key, ...] | None, limit: int
) -> tuple[list[DeadLetter], tuple[Key, ...] | None]:
    """Dead letters, the newest first, their lines cut to LINE_SHOWN characters; and the key to go on from (None: that
    was all).
    """
    d = schema.dead_letters.c
    query = sa.select(
        d.id, d.position, d.received_us, d.dead_us, d.error, sa.func.substr(d.line, 1, LINE_SHOWN), d.resent_us
    ).where(d.tenant_id == tenant_id)
    if after is not None:
        query = query.where(d.id < after[0])
    rows = connection.execute(query.order_by(d.id.desc()).limit(limit + 1)).all()
    return [DeadLetter(*row) for row in rows[:limit]], ((rows[limit - 1].id,) if len(rows) > limit else None)
