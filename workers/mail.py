"""The mail job: to each person who wants it, one message about what is new to them.

A message is claimed in SQL before it is sent; a worker that is killed in between leaves it to be sent again. A mail
server that is down is tried again, at most every 15 minutes, and holds up nothing else: what happened meanwhile is in
the message that arrives at last, up to three days of it. An address that is refused for good five times in a row is no
longer used.
"""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import make_msgid

from sqlalchemy import Connection

from service import logs
from service.model import moment
from service.notifications.digest import Digest, select_news
from service.notifications.mail_messages import Envelope, confirmation_message, digest_message
from service.notifications.quiet_hours import day_start_us, next_time_us
from service.outbound.smtp import MailRefused, MailServer, MailServerDown, mail_server
from service.settings import SmtpSettings
from service.storage.accounts import mail_preferences
from service.storage.accounts.mail_preferences import WORK, MailPreference
from service.storage.accounts.secret_box import SecretBox
from service.storage.accounts.tenants import tenant_id
from service.storage.cases import mentions
from service.storage.cases.case_news import cases_now
from service.storage.redis_store.job_kinds import LOOK_AGAIN_SECONDS
from service.storage.redis_store.leases import held
from service.storage.sql import timers
from service.storage.sql.engine import write
from service.storage.webhooks.recent_events import newest_us, occurrences_since
from service.storage.webhooks.reported_cases import remember, reported_us
from workers.resources import Resources

log = logging.getLogger(__name__)

SECOND_US = 1_000_000
PEOPLE_A_TURN = 50
TURN_SECONDS = 60.0
CLAIM_US = 300 * SECOND_US
AT_ONCE_PAUSE_US = 300 * SECOND_US  # between two messages to a person who wants to know at once
SETTLED_US = 60 * SECOND_US  # an event may be committed so long after its time
OLDEST_US = 3 * 86_400 * SECOND_US
PAUSES_SECONDS = (30, 60, 300, 900)  # after failures in a row
MOST_REFUSALS = 5
ACTOR = "mail"  # in the audit trail


@dataclass(frozen=True, slots=True)
class ReadyMail:
    """A message that is claimed, and what is stored when it has gone; without a message, nothing is new."""

    preference: MailPreference
    until_us: int  # the claim's end
    message: EmailMessage | None
    case_ids: tuple[str, ...] = ()
    reported_us: int | None = None
    mention_ids: tuple[int, ...] = ()


def run(tenant: str, resources: Resources) -> None:
    """Send what is due, for a minute at most, and plan the next run; returns at once when another worker does."""
    with held(resources.redis, WORK, tenant) as lease:
        if lease is None:
            return
        number, smtp = tenant_id(resources.engine, tenant), resources.settings.smtp
        sent, pause = (0, LOOK_AGAIN_SECONDS) if smtp is None else _send_due(tenant, number, resources, smtp)
        _plan(number, resources, pause)
        logs.note(sent=sent)


def _send_due(tenant: str, number: int, resources: Resources, smtp: SmtpSettings) -> tuple[int, int]:
    """How many messages went, and the seconds in which no other run helps, since the server is down."""
    with resources.engine.connect() as connection:
        due = mail_preferences.due_people(connection, number, resources.now_us(), PEOPLE_A_TURN)
    over, sent = time.monotonic() + TURN_SECONDS, 0
    server: MailServer | None = None
    with ExitStack() as stack:
        for preference, name in due:
            if time.monotonic() > over:
                break
            ready = _prepare(tenant, number, resources, smtp, preference)
            if ready is None:
                continue
            try:
                if ready.message is not None:
                    server = server or stack.enter_context(mail_server(smtp))
                    server.send(ready.message)
                    sent += 1
            except (MailServerDown, MailRefused) as error:
                pause = _failed(resources, ready, error, name)
                if isinstance(error, MailServerDown):
                    return sent, pause
                continue
            _arrived(resources, ready)
    return sent, 0


def _prepare(
    tenant: str, number: int, resources: Resources, smtp: SmtpSettings, preference: MailPreference
) -> ReadyMail | None:
    """Claim the person's message and write it; None: not now."""
    now_us = resources.now_us()
    envelope = _envelope(resources, smtp, preference, now_us)
    console = resources.settings.public_url
    with write(resources.engine) as connection:
        quiet = preference.quiet_hours
        quiet_end_us = None if quiet is None else quiet.end_us(now_us, preference.time_zone)
        if preference.test_us is None and quiet_end_us is not None:
            mail_preferences.wait_until(connection, preference, quiet_end_us)
            return None
        until_us = now_us + CLAIM_US
        if not mail_preferences.claim(connection, preference, now_us, until_us):
            return None
        if preference.test_us is None:
            return _digest(connection, tenant, number, preference, envelope, console, now_us)
    if preference.confirmed_us is not None:
        return ReadyMail(preference, until_us, digest_message(Digest(tenant, (), console, test=True), envelope))
    token = mail_preferences.seal_token(SecretBox(resources.settings), "mail-confirm", preference)
    url = f"{console}/console/mail/confirm/{token}"
    return ReadyMail(preference, until_us, confirmation_message(tenant, url, envelope))


def _digest(
    connection: Connection,
    tenant: str,
    number: int,
    preference: MailPreference,
    envelope: Envelope,
    console: str | None,
    now_us: int,
) -> ReadyMail:
    since_us = max(preference.reported_us, now_us - OLDEST_US)
    occurrences = occurrences_since(connection, number, since_us)
    current = cases_now(connection, number, {one.case_id for one in occurrences if one.case_id is not None})
    before = reported_us(connection, preference.receiver, {case.id for case in current.values()})
    news, _ = select_news(occurrences, current, before, day_start_us(now_us, preference.time_zone))
    newest = max((one.at_us for one in occurrences), default=since_us)
    seen_us = max(since_us, min(newest, now_us - SETTLED_US))
    # Whoever turned messages on later has seen what is older, or will in the console.
    named = mentions.to_be_mailed(connection, preference.user_id, max(preference.confirmed_us or 0, now_us - OLDEST_US))
    if not news and not named and preference.cadence != "daily":
        return ReadyMail(preference, now_us + CLAIM_US, None, (), seen_us)
    on_cases = tuple(case_id for _, case_id in named)
    message = digest_message(Digest(tenant, news, console, mentions=on_cases), envelope)
    case_ids, mention_ids = tuple(one.case_id for one in news), tuple(one for one, _ in named)
    return ReadyMail(preference, now_us + CLAIM_US, message, case_ids, seen_us, mention_ids)


def _envelope(resources: Resources, smtp: SmtpSettings, preference: MailPreference, now_us: int) -> Envelope:
    console = f"{resources.settings.public_url}/console"
    token = mail_preferences.seal_token(SecretBox(resources.settings), "mail-off", preference)
    return Envelope(
        smtp.sender,
        preference.address,
        make_msgid(domain=smtp.sender.rpartition("@")[2]),
        moment(now_us).replace(microsecond=0),
        f"{console}/mail/off/{token}",
        f"{console}/mail",
    )


def _arrived(resources: Resources, ready: ReadyMail) -> None:
    now_us, preference = resources.now_us(), ready.preference
    with write(resources.engine) as connection:
        if preference.test_us is not None:
            mail_preferences.settle(
                connection,
                preference.user_id,
                ready.until_us,
                test_us=None,
                sent_us=now_us,
                failures=0,
                last_error=None,
            )
            return
        next_us = _next_us(preference, now_us)
        values: dict[str, int | str | None] = {"reported_us": ready.reported_us, "next_us": next_us}
        if ready.message is not None:
            values |= {"sent_us": now_us, "failures": 0, "last_error": None}
        mail_preferences.settle(connection, preference.user_id, ready.until_us, **values)
        remember(connection, preference.tenant_id, preference.receiver, ready.case_ids, now_us)
        mentions.mark_mailed(connection, ready.mention_ids, now_us)


def _failed(resources: Resources, ready: ReadyMail, error: MailServerDown | MailRefused, name: str) -> int:
    """Store the failure; returns the seconds until the next attempt."""
    now_us, preference, failures = resources.now_us(), ready.preference, ready.preference.failures + 1
    pause = PAUSES_SECONDS[min(failures, len(PAUSES_SECONDS)) - 1]
    log.warning("e-mail to %s failed %d times in a row: %s", name, failures, type(error).__name__)
    with write(resources.engine) as connection:
        hopeless = isinstance(error, MailRefused) and (error.permanent or preference.test_us is not None)
        if hopeless and failures >= MOST_REFUSALS:
            mail_preferences.turn_off(connection, preference, by=ACTOR, now_us=now_us, error=str(error))
            return pause
        values: dict[str, int | str | None] = {"failures": failures, "last_error": str(error)}
        values["test_us" if preference.test_us is not None else "next_us"] = now_us + pause * SECOND_US
        mail_preferences.settle(connection, preference.user_id, ready.until_us, **values)
    return pause


def _next_us(preference: MailPreference, now_us: int) -> int:
    if preference.cadence == "at_once":
        return now_us + AT_ONCE_PAUSE_US
    return next_time_us(now_us, preference.minute, preference.time_zone)


def _plan(number: int, resources: Resources, pause_seconds: int) -> None:
    """When the next run is due, as the preferences have it now: written together with that look."""
    now_us = resources.now_us()
    with write(resources.engine) as connection:
        timers.hold(connection, number, WORK, now_us)
        newest, named = newest_us(connection, number), mentions.newest_to_be_mailed(connection, number)
        people = mail_preferences.active_people(connection, number)
        times = [at for one in people for at in _times(one, newest, named.get(one.user_id, 0))]
        next_us = None if not times else min(times)
        if next_us is not None:
            next_us = min(max(next_us, now_us + pause_seconds * SECOND_US), now_us + LOOK_AGAIN_SECONDS * SECOND_US)
        timers.move_to(connection, number, WORK, next_us)


def _times(preference: MailPreference, newest: int, mentioned_us: int) -> list[int]:
    found = [] if preference.test_us is None else [preference.test_us]
    waits = preference.confirmed_us is not None and preference.cadence != "off"
    mentioned = mentioned_us > (preference.confirmed_us or 0)
    if waits and (preference.cadence != "at_once" or newest > preference.reported_us or mentioned):
        found.append(preference.next_us or 0)
    return found
