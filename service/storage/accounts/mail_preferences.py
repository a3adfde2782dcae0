"""Who gets e-mail about new cases, when and where; and what came of it. Off for everybody who has not chosen it.

An address is used once its owner has confirmed it, with a link that only the sealed token in it opens. The job `mail`
(workers/mail.py) is planned by a timer, and each person's `next_us` says before when nothing goes to them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, insert, or_, select, update

from service.errors import Refused
from service.notifications.quiet_hours import QuietHours, next_time_us
from service.settings import MAIL_ADDRESS
from service.storage.accounts import audit_log
from service.storage.accounts.secret_box import SealedWithAnotherKey, SecretBox
from service.storage.sql import timers
from service.storage.sql.schema import mail_preferences, reported_cases, users

Cadence = Literal["off", "at_once", "daily", "daily_if_new"]
CADENCES: tuple[Cadence, ...] = get_args(Cadence)
WORK = "mail"
MOST_ADDRESS = 254
TEST_PAUSE_US = 60 * 1_000_000  # nobody makes the service write to strangers faster than that
LONGEST_US = 50 * 3_600 * 1_000_000  # no message is planned further ahead, unless the wall clock was ahead
Purpose = Literal["mail-confirm", "mail-off"]


@dataclass(frozen=True, slots=True)
class MailPreference:
    """One person's choice."""

    user_id: int
    tenant_id: int
    address: str
    cadence: Cadence
    minute: int  # of the day, of a daily message
    time_zone: str
    quiet_hours: QuietHours | None
    confirmed_us: int | None
    test_us: int | None
    reported_us: int
    next_us: int | None
    sent_us: int | None
    failures: int
    last_error: str | None

    @property
    def receiver(self) -> str:
        """The name under which the cases reported to them are remembered."""
        return f"user:{self.user_id}"


@dataclass(frozen=True, slots=True)
class MailState:
    """How e-mail of a tenant goes."""

    people: int  # who get messages
    failing: int  # whose last attempt failed
    last_error: str | None


def checked_address(text: str) -> str:
    """The address as it is stored. Raises Refused."""
    address = text.strip()
    if len(address) > MOST_ADDRESS or not MAIL_ADDRESS.fullmatch(address):
        raise Refused("this is not an e-mail address like anna@example.org")
    return address


def read_preference(connection: Connection, user_id: int) -> MailPreference | None:
    """The person's choice; None: they made none."""
    row = connection.execute(select(mail_preferences).where(mail_preferences.c.user_id == user_id)).first()
    return None if row is None else _of(row)


def save_preference(
    connection: Connection,
    tenant_id: int,
    user_id: int,
    *,
    address: str,
    cadence: Cadence,
    minute: int,
    time_zone: str,
    quiet_hours: QuietHours | None,
    by: str,
    now_us: int,
) -> MailPreference:
    """Store the choice. A new address has to be confirmed first; only events from now on are reported to who begins."""
    before = read_preference(connection, user_id)
    values: dict[str, Any] = {
        "address": address,
        "cadence": cadence,
        "minute": minute,
        "time_zone": time_zone,
        "quiet_from": None if quiet_hours is None else quiet_hours.start,
        "quiet_until": None if quiet_hours is None else quiet_hours.until,
        "next_us": next_time_us(now_us, minute, time_zone) if cadence.startswith("daily") else None,
        "failures": 0,
        "last_error": None,
    }
    if before is None or before.cadence == "off":
        values["reported_us"] = now_us
    if before is None or before.address != address:
        values |= {"confirmed_us": None, "test_us": _test_us(before, now_us)}
    if before is None:
        connection.execute(insert(mail_preferences).values(user_id=user_id, tenant_id=tenant_id, **values))
    else:
        connection.execute(update(mail_preferences).where(mail_preferences.c.user_id == user_id).values(**values))
    timers.at_latest(connection, tenant_id, WORK, now_us)
    _audit(connection, tenant_id, user_id, by, "mail.changed", now_us, {"cadence": cadence})
    found = read_preference(connection, user_id)
    assert found is not None
    return found


def request_test(connection: Connection, preference: MailPreference, now_us: int) -> None:
    """Have a test message sent, or the confirmation of an address that is not confirmed."""
    _set(connection, preference.user_id, test_us=_test_us(preference, now_us))
    timers.at_latest(connection, preference.tenant_id, WORK, now_us)


def seal_token(box: SecretBox, purpose: Purpose, preference: MailPreference) -> str:
    """What a link carries that confirms or stops messages to this address."""
    return box.seal(json.dumps([purpose, preference.user_id, preference.address])).rstrip("=")  # as a URL has it


def open_token(connection: Connection, box: SecretBox, purpose: Purpose, token: str) -> MailPreference | None:
    """Whose link this is; None if it is not valid, or the address was changed since."""
    try:
        found = json.loads(box.open(token[:2048] + "=" * (-len(token) % 4)))
    except (SealedWithAnotherKey, ValueError):
        return None
    if not isinstance(found, list) or len(found) != 3 or found[0] != purpose or not isinstance(found[1], int):
        return None
    preference = read_preference(connection, found[1])
    return preference if preference is not None and preference.address == found[2] else None


def confirm(connection: Connection, preference: MailPreference, *, by: str, now_us: int) -> None:
    """The address is theirs; messages begin."""
    _set(connection, preference.user_id, confirmed_us=now_us, reported_us=now_us, failures=0, last_error=None)
    timers.at_latest(connection, preference.tenant_id, WORK, now_us)
    _audit(connection, preference.tenant_id, preference.user_id, by, "mail.confirmed", now_us, {})


def turn_off(
    connection: Connection, preference: MailPreference, *, by: str, now_us: int, error: str | None = None
) -> None:
    """Send nothing more to the person, until they choose it again. Their link may be opened more than once."""
    before = read_preference(connection, preference.user_id)
    _set(connection, preference.user_id, cadence="off", test_us=None, last_error=error)
    if before is not None and before.cadence != "off":
        # not the error itself: mail servers name the address in it, and the trail is kept and sent on
        detail = {} if error is None else {"because": "the mail server refuses the address"}
        _audit(connection, preference.tenant_id, preference.user_id, by, "mail.off", now_us, detail)


def plan_at_once(connection: Connection, tenant_id: int, now_us: int) -> None:
    """Something happened that somebody wants to know at once: plan the job, in the transaction that records it."""
    c = mail_preferences.c
    waiting = select(c.user_id).where(c.tenant_id == tenant_id, c.cadence == "at_once", c.confirmed_us.is_not(None))
    if connection.scalar(waiting.limit(1)) is not None:
        timers.at_latest(connection, tenant_id, WORK, now_us)


def due_people(connection: Connection, tenant_id: int, now_us: int, at_most: int) -> list[tuple[MailPreference, str]]:
    """Who may get a message now, with their names, the longest due first."""
    c = mail_preferences.c
    statement = _active(tenant_id).where(or_(_due(c.test_us, now_us), and_(_wanted(), _due_or_never(now_us))))
    rows = connection.execute(statement.order_by(c.next_us, c.user_id).limit(at_most)).all()
    return [(_of(row), row.name) for row in rows]


def active_people(connection: Connection, tenant_id: int) -> list[MailPreference]:
    """Everybody to whom something goes, now or later."""
    c = mail_preferences.c
    rows = connection.execute(_active(tenant_id).where(or_(c.test_us.is_not(None), _wanted())))
    return [_of(row) for row in rows]


def claim(connection: Connection, preference: MailPreference, now_us: int, until_us: int) -> bool:
    """Take the person's message; False if another process has it. If this one dies, it is sent again at `until_us`."""
    c = mail_preferences.c
    mine = c.user_id == preference.user_id
    if preference.test_us is not None:
        taken = update(mail_preferences).where(mine, c.test_us == preference.test_us).values(test_us=until_us)
    else:
        taken = update(mail_preferences).where(mine, _due_or_never(now_us), _wanted()).values(next_us=until_us)
    return connection.execute(taken).rowcount == 1


def settle(connection: Connection, user_id: int, until_us: int, **values: int | str | None) -> None:
    """Store what came of a claimed message: test_us, reported_us, next_us, sent_us, failures, last_error. Nothing, if
    the person made another choice meanwhile.
    """
    c = mail_preferences.c
    mine = (c.user_id == user_id) & ((c.next_us == until_us) | (c.test_us == until_us))
    connection.execute(update(mail_preferences).where(mine).values(**values))


def wait_until(connection: Connection, preference: MailPreference, next_us: int) -> None:
    """Nothing goes to the person before then."""
    _set(connection, preference.user_id, next_us=next_us)


def forget_address(connection: Connection, preference: MailPreference, *, by: str, now_us: int) -> None:
    """The person wants no messages, and their address is not kept."""
    connection.execute(delete(mail_preferences).where(mail_preferences.c.user_id == preference.user_id))
    connection.execute(delete(reported_cases).where(reported_cases.c.receiver == preference.receiver))
    _audit(connection, preference.tenant_id, preference.user_id, by, "mail.off", now_us, {})


def mail_state(connection: Connection, tenant_id: int) -> MailState:
    """For the Operations page."""
    found = active_people(connection, tenant_id)
    failing = [one for one in found if one.failures]
    return MailState(len(found), len(failing), failing[0].last_error if failing else None)


def _test_us(before: MailPreference | None, now_us: int) -> int:
    sent_us = before.sent_us if before is not None else None
    return now_us if sent_us is None else max(now_us, sent_us + TEST_PAUSE_US)


def _set(connection: Connection, user_id: int, **values: Any) -> None:
    connection.execute(update(mail_preferences).where(mail_preferences.c.user_id == user_id).values(**values))


def _active(tenant_id: int) -> Any:
    return (
        select(mail_preferences, users.c.name)
        .join(users, users.c.id == mail_preferences.c.user_id)
        .where(mail_preferences.c.tenant_id == tenant_id, users.c.disabled_us.is_(None))
    )


def _wanted() -> ColumnElement[bool]:
    return (mail_preferences.c.cadence != "off") & mail_preferences.c.confirmed_us.is_not(None)


def _due(column: Any, now_us: int) -> ColumnElement[bool]:
    return or_(column <= now_us, column > now_us + LONGEST_US)


def _due_or_never(now_us: int) -> ColumnElement[bool]:
    return or_(mail_preferences.c.next_us.is_(None), _due(mail_preferences.c.next_us, now_us))


def _audit(
    connection: Connection, tenant_id: int, user_id: int, by: str, action: str, now_us: int, detail: dict[str, Any]
) -> None:
    name = connection.scalar(select(users.c.name).where(users.c.id == user_id))
    audit_log.enter(
        connection, tenant_id, actor=by, action=action, subject=f"user:{name}", now_us=now_us, detail=detail
    )


def _of(row: Row[Any]) -> MailPreference:
    return MailPreference(
        row.user_id,
        row.tenant_id,
        row.address,
        row.cadence,
        row.minute,
        row.time_zone,
        None if row.quiet_from is None else QuietHours(row.quiet_from, row.quiet_until),
        row.confirmed_us,
        row.test_us,
        row.reported_us,
        row.next_us,
        row.sent_us,
        row.failures,
        row.last_error,
    )
