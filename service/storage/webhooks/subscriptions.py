"""Webhook subscriptions of a tenant: addresses, events and secrets, kept encrypted (accounts/secret_box.py)."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, or_, select, tuple_, update

from service.errors import NotFound, Refused
from service.notifications.chat_formats import SIGNED
from service.notifications.quiet_hours import UTC_NAME, QuietHours
from service.storage.accounts import audit_log
from service.storage.sql import timers
from service.storage.sql.engine import lock_tenant
from service.storage.sql.outbox_rows import PENDING, WORK
from service.storage.sql.schema import deliveries, subscriptions
from service.storage.webhooks.outbox import CANCELLED
from service.storage.webhooks.reported_cases import forget_receiver

MOST = 100  # of a tenant
ROTATION_US = 24 * 3600 * 1_000_000  # how long the old secret signs too
_UNKNOWN = "no subscription has this id"


@dataclass(frozen=True, slots=True)
class StoredSubscription:
    """One subscription, without its secrets."""

    id: str
    url: str
    events: tuple[str, ...]  # none: all of them
    description: str
    created_us: int
    disabled_us: int | None
    disabled_because: str | None
    previous_until_us: int | None  # the secret before the present one signs until then
    format: str = SIGNED
    quiet_hours: QuietHours | None = None  # of a chat format
    time_zone: str = UTC_NAME


def create(
    connection: Connection,
    tenant_id: int,
    *,
    url: str,
    events: Sequence[str],
    description: str,
    sealed_secret: str,
    by: str,
    now_us: int,
    format: str = SIGNED,
    quiet_hours: QuietHours | None = None,
    time_zone: str = UTC_NAME,
) -> StoredSubscription:
    """A new subscription; events from now on go to it. Raises Refused when the tenant has too many.

    Of a chat format, `sealed_secret` is the address and `url` no more than may be shown of it.
    """
    lock_tenant(connection, tenant_id)
    if (
        int(
            connection.scalar(
                select(func.count()).select_from(subscriptions).where(subscriptions.c.tenant_id == tenant_id)
            )
            or 0
        )
        >= MOST
    ):
        raise Refused(f"this tenant has {MOST} subscriptions, the maximum: delete one that is no longer used")
    made = f"sub_{secrets.token_hex(12)}"
    connection.execute(
        insert(subscriptions).values(
            id=made,
            tenant_id=tenant_id,
            url=url,
            events=json.dumps(list(events)),
            description=description,
            secret=sealed_secret,
            created_us=now_us,
            format=format,
            time_zone=time_zone,
            **_quiet_columns(quiet_hours),
        )
    )
    detail = {"url": url, "events": list(events)} | ({} if format == SIGNED else {"format": format})
    _audit(connection, tenant_id, made, "subscription.created", by, now_us, detail)
    return read(connection, tenant_id, made)


def read(connection: Connection, tenant_id: int, subscription_id: str) -> StoredSubscription:
    """The tenant's subscription. Raises NotFound, for another tenant's too."""
    row = connection.execute(select(subscriptions).where(_this(tenant_id, subscription_id))).first()
    if row is None:
        raise NotFound(_UNKNOWN)
    return _of(row)


def list_page(
    connection: Connection, tenant_id: int, *, after: tuple[Any, ...] | None, limit: int
) -> tuple[list[StoredSubscription], tuple[int, str] | None]:
    """The tenant's subscriptions, oldest first, behind `after`; and the key to go on from, None on the last page."""
    c = subscriptions.c
    statement = select(subscriptions).where(c.tenant_id == tenant_id).order_by(c.created_us, c.id).limit(limit + 1)
    if after is not None:
        statement = statement.where(tuple_(c.created_us, c.id) > after)
    found = [_of(row) for row in connection.execute(statement)]
    return found[:limit], (found[limit - 1].created_us, found[limit - 1].id) if len(found) > limit else None


def change(
    connection: Connection, tenant_id: int, subscription_id: str, values: Mapping[str, Any], *, by: str, now_us: int
) -> None:
    """Set url, events, description, quiet_hours or time_zone; with the url of a chat format, `secret` is its sealed
    address. Raises NotFound.
    """
    stored: dict[str, Any] = {}
    for name, value in values.items():
        if name == "quiet_hours":
            stored |= _quiet_columns(value)
        else:
            stored[name] = json.dumps(list(value)) if name == "events" else value
    if not stored:
        return
    _update(connection, tenant_id, subscription_id, stored)
    if {"quiet_hours", "time_zone"} & values.keys():
        answered(connection, subscription_id)  # what waits for the end of the quiet hours looks at the new ones
        timers.at_latest(connection, tenant_id, WORK, now_us)
    detail = {name: _audited(name, value) for name, value in values.items() if name != "secret"}
    _audit(connection, tenant_id, subscription_id, "subscription.changed", by, now_us, detail)


def rotate_secret(
    connection: Connection, tenant_id: int, subscription_id: str, sealed_secret: str, *, by: str, now_us: int
) -> None:
    """Sign with a new secret; the present one signs too for a day. Raises NotFound."""
    values = {
        "secret": sealed_secret,
        "previous_secret": subscriptions.c.secret,
        "previous_until_us": now_us + ROTATION_US,
    }
    _update(connection, tenant_id, subscription_id, values)
    _audit(connection, tenant_id, subscription_id, "subscription.secret_rotated", by, now_us, {})


def disable(
    connection: Connection,
    tenant_id: int,
    subscription_id: str,
    because: str,
    *,
    by: str,
    now_us: int,
    cancel: bool = False,
) -> bool:
    """Disable the subscription for this reason; False if it was disabled already or does not exist.

    What waits is held until it is enabled again; with `cancel` it is given up.
    """
    done = connection.execute(
        update(subscriptions)
        .where(_this(tenant_id, subscription_id), subscriptions.c.disabled_us.is_(None))
        .values(disabled_us=now_us, disabled_because=because)
    )
    if cancel:
        _cancel(connection, subscription_id, now_us)
    else:
        connection.execute(update(deliveries).where(*_waiting(subscription_id)).values(next_us=None))
    if done.rowcount:
        _audit(connection, tenant_id, subscription_id, "subscription.disabled", by, now_us, {"because": because})
    return bool(done.rowcount)


def enable(connection: Connection, tenant_id: int, subscription_id: str, *, by: str, now_us: int) -> None:
    """Send again, what was held first; no matter when it was enabled already."""
    done = connection.execute(
        update(subscriptions)
        .where(_this(tenant_id, subscription_id), subscriptions.c.disabled_us.is_not(None))
        .values(disabled_us=None, disabled_because=None)
    )
    if done.rowcount:
        answered(connection, subscription_id)
        held = connection.execute(
            update(deliveries)
            .where(*_waiting(subscription_id), deliveries.c.next_us.is_(None))
            .values(next_us=now_us, attempts=0)
        )
        if held.rowcount:
            timers.at_latest(connection, tenant_id, WORK, now_us)
        _audit(
            connection,
            tenant_id,
            subscription_id,
            "subscription.enabled",
            by,
            now_us,
            {"held_deliveries": held.rowcount},
        )


def remove(connection: Connection, tenant_id: int, subscription_id: str, *, by: str, now_us: int) -> None:
    """Delete the subscription and cancel its waiting deliveries. Raises NotFound."""
    if connection.execute(delete(subscriptions).where(_this(tenant_id, subscription_id))).rowcount != 1:
        raise NotFound(_UNKNOWN)
    _cancel(connection, subscription_id, now_us)
    forget_receiver(connection, subscription_id)
    _audit(connection, tenant_id, subscription_id, "subscription.deleted", by, now_us, {})


def silent(connection: Connection, subscription_id: str, silences: int, rest_until_us: int) -> None:
    """The receiver did not answer, or requested a pause, `silences` times in a row: nothing goes there before
    then.
    """
    connection.execute(
        update(subscriptions)
        .where(subscriptions.c.id == subscription_id)
        .values(silences=silences, rest_until_us=rest_until_us)
    )


def answered(connection: Connection, subscription_id: str) -> None:
    """The receiver answers, or somebody wants to know whether it does: what waits may go as it is due."""
    resting = or_(subscriptions.c.silences > 0, subscriptions.c.rest_until_us.is_not(None))
    connection.execute(
        update(subscriptions)
        .where(subscriptions.c.id == subscription_id, resting)
        .values(silences=0, rest_until_us=None)
    )


def sealed_secrets(row: Row[Any], now_us: int) -> list[str]:
    """The secrets that a row signs with now: its secret, and shortly after a rotation also the previous one."""
    rotating = row.previous_secret is not None and row.previous_until_us is not None and row.previous_until_us > now_us
    return [row.secret, row.previous_secret] if rotating else [row.secret]


def quiet_hours_of(row: Row[Any]) -> QuietHours | None:
    """The quiet hours of a row."""
    return None if row.quiet_from is None else QuietHours(row.quiet_from, row.quiet_until)


def _quiet_columns(hours: QuietHours | None) -> dict[str, int | None]:
    start, until = (None, None) if hours is None else (hours.start, hours.until)
    return {"quiet_from": start, "quiet_until": until}


def _audited(name: str, value: Any) -> Any:
    if name == "quiet_hours":
        return None if value is None else "-".join(value.text)
    return list(value) if name == "events" else value


def _this(tenant_id: int, subscription_id: str) -> ColumnElement[bool]:
    return (subscriptions.c.tenant_id == tenant_id) & (subscriptions.c.id == subscription_id)


def _waiting(subscription_id: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return deliveries.c.subscription_id == subscription_id, deliveries.c.state == PENDING


def _cancel(connection: Connection, subscription_id: str, now_us: int) -> None:
    connection.execute(
        update(deliveries).where(*_waiting(subscription_id)).values(state=CANCELLED, next_us=None, finished_us=now_us)
    )


def _update(connection: Connection, tenant_id: int, subscription_id: str, values: Mapping[str, Any]) -> None:
    if (
        connection.execute(update(subscriptions).where(_this(tenant_id, subscription_id)).values(**values)).rowcount
        != 1
    ):
        raise NotFound(_UNKNOWN)


def _audit(
    connection: Connection,
    tenant_id: int,
    subscription_id: str,
    action: str,
    by: str,
    now_us: int,
    detail: dict[str, Any],
) -> None:
    audit_log.enter(
        connection,
        tenant_id,
        actor=by,
        action=action,
        subject=f"subscription:{subscription_id}",
        now_us=now_us,
        detail=detail,
    )


def _of(row: Row[Any]) -> StoredSubscription:
    return StoredSubscription(
        row.id,
        row.url,
        tuple(json.loads(row.events)),
        row.description,
        row.created_us,
        row.disabled_us,
        row.disabled_because,
        row.previous_until_us,
        row.format,
        quiet_hours_of(row),
        row.time_zone,
    )
