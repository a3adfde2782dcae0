"""E-mail to people: chosen, confirmed, once a case and day, not at night, and what happens when it does not work."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from email import policy
from typing import Any

import pytest
import sqlalchemy as sa
from conftest import NOW_US, RedisClients
from delivery_desk import HOUR, SECOND, Desk
from hostile_texts import HOSTILE
from mail_server import Mailbox, receiving
from sqlalchemy import Engine
from stored_cases import store_case

from service.model import moment
from service.moderation.events import Event
from service.notifications.digest import FLAGGED, HOLD
from service.notifications.quiet_hours import QuietHours
from service.settings import Settings
from service.storage.accounts import mail_preferences, users
from service.storage.accounts.mail_preferences import MailPreference
from service.storage.cases.mentions import mark_read
from service.storage.cases.notes import add_note
from service.storage.sql import schema
from service.storage.sql.engine import write
from workers import mail

CONSOLE = "https://moderation.example.org"
DAY = 24 * HOUR


class MailDesk(Desk):
    """A tenant with people, a mail server, and the job at simulated times."""

    def __init__(self, settings: Settings, engine: Engine, redis: Any, box: Mailbox) -> None:
        super().__init__(settings, engine, redis)
        self.box = box
        self.resources = replace(
            self.resources, settings=replace(settings, smtp=box.settings(), public_url=CONSOLE), at=[NOW_US]
        )

    def person(self, name: str = "anna", cadence: Any = "at_once", *, confirmed: bool = True, **choice: Any) -> int:
        fields: dict[str, Any] = {"minute": 480, "time_zone": "UTC", "quiet_hours": None, **choice}
        with write(self.engine) as connection:
            user = users.create_user(connection, self.tenant, name, "moderator", "x", actor="test", now_us=0)
            made = mail_preferences.save_preference(
                connection,
                self.tenant,
                user.id,
                address=f"{name}@example.org",
                cadence=cadence,
                by=name,
                now_us=self.now_us,
                **fields,
            )
            if confirmed:
                mail_preferences.confirm(connection, made, by=name, now_us=self.now_us)
                mail_preferences.settle(connection, user.id, self.now_us, test_us=None)
        return user.id

    def preference(self, user_id: int) -> MailPreference:
        with self.engine.connect() as connection:
            found = mail_preferences.read_preference(connection, user_id)
        assert found is not None
        return found

    def flag(self, *identities: str) -> None:
        self.resources.at[0] += SECOND
        for identity in identities:
            store_case(self.engine, self.tenant, identity)
        self.happens(*(Event(FLAGGED, f"{i}/{self.now_us}", {"cluster_id": i}) for i in identities))

    def due_us(self) -> int | None:
        t = schema.timers.c
        with self.engine.connect() as connection:
            found: int | None = connection.scalar(
                sa.select(t.due_us).where(t.work == "mail", t.tenant_id == self.tenant)
            )
            return found

    def work(self) -> None:
        mail.run(self.name, self.resources)

    def subjects(self) -> list[str]:
        return [str(one["Subject"]) for one in self.box.messages]


@pytest.fixture
def desk(settings: Settings, engine: Engine, fake_redis: RedisClients) -> Iterator[MailDesk]:
    with receiving(Mailbox()) as box:
        made = MailDesk(settings, engine, fake_redis.blocking, box)
        yield made
        made.restart()


def test_nobody_gets_anything_who_has_not_chosen_it(desk: MailDesk) -> None:
    with write(desk.engine) as connection:
        users.create_user(connection, desk.tenant, "bert", "admin", "x", actor="test", now_us=0)
    desk.flag("k-1")
    assert desk.due_us() is None
    desk.work()
    assert desk.box.messages == []


def test_a_new_case_and_its_holds_arrive_at_once_as_one_message_in_two_forms(desk: MailDesk) -> None:
    desk.person()
    desk.flag("k-1", "k-2")
    desk.happens(Event(HOLD, "c-1/k-1", {"target_id": "c-1", "clusters": [{"id": "k-1"}]}))
    assert desk.due_us() is not None
    desk.work()
    [message] = desk.box.messages
    assert desk.box.receivers == ["anna@example.org"]
    assert (message["Subject"], message["From"], message["To"]) == (
        "2 new cases in paper",
        "moderation@example.org",
        "anna@example.org",
    )
    plain = desk.box.texts()[0]
    html = message.get_body(("html",))
    assert html is not None
    for text in (plain, html.get_content()):
        assert "14 accounts, 20 targets: 14 accounts complained about the same 20 targets. On hold: c-1." in text
        assert f"{CONSOLE}/console/clusters/k-1" in text and f"{CONSOLE}/console/mail" in text
    assert "src=" not in html.get_content()
    assert re.fullmatch(rf"<{CONSOLE}/console/mail/off/\S+>", message["List-Unsubscribe"])
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert (message["Auto-Submitted"], bool(message["Message-ID"]), bool(message["Date"])) == (
        "auto-generated",
        True,
        True,
    )
    desk.until(NOW_US + DAY)
    assert len(desk.box.messages) == 1


def test_a_case_arrives_once_a_day_and_what_was_settled_does_not(desk: MailDesk) -> None:
    desk.person()
    desk.flag("k-1")
    desk.until(NOW_US + HOUR)
    desk.flag("k-1")  # it came back, and is held, and so on
    store_case(desk.engine, desk.tenant, "k-2", status="decided")
    desk.happens(Event(FLAGGED, "k-2/1", {"cluster_id": "k-2"}))
    desk.until(NOW_US + 2 * HOUR)
    assert desk.subjects() == ["1 new case in paper"]
    desk.resources.at[0] += DAY
    desk.flag("k-1")
    desk.until(NOW_US + 2 * DAY)
    assert desk.subjects() == ["1 new case in paper", "1 grown case in paper"]


def test_cases_in_quick_succession_are_collected(desk: MailDesk) -> None:
    desk.person()
    for number in range(1, 6):
        desk.flag(f"k-{number}")
        desk.work()
    desk.until(NOW_US + HOUR)
    assert desk.subjects() == ["1 new case in paper", "4 new cases in paper"]


def test_the_daily_message_comes_at_its_hour_and_only_with_news_if_so_chosen(desk: MailDesk) -> None:
    hour = moment(NOW_US).hour
    minute = (hour + 3) % 24 * 60
    desk.person("anna", "daily", minute=minute)
    desk.person("bert", "daily_if_new", minute=minute)
    desk.flag("k-1")
    desk.until(NOW_US + 2 * HOUR)
    assert desk.box.messages == []
    desk.until(NOW_US + 4 * HOUR)
    assert sorted(desk.box.receivers) == ["anna@example.org", "bert@example.org"]
    desk.until(NOW_US + DAY + 4 * HOUR)
    assert desk.box.receivers[2:] == ["anna@example.org"] and desk.subjects()[2] == "No new cases in paper"


def test_quiet_hours_hold_back_until_their_end(desk: MailDesk) -> None:
    hour = moment(NOW_US).hour
    desk.person(quiet_hours=QuietHours(hour * 60, (hour + 8) % 24 * 60))
    for number in range(1, 4):
        desk.flag(f"k-{number}")
        desk.until(NOW_US + number * HOUR)
    assert desk.box.messages == []
    desk.until(NOW_US + 9 * HOUR)
    assert desk.subjects() == ["3 new cases in paper"]


def test_an_address_is_confirmed_by_a_link_before_anything_else_goes_there(desk: MailDesk) -> None:
    user = desk.person(confirmed=False)
    desk.flag("k-1")
    desk.until(NOW_US + HOUR)
    assert desk.subjects() == ["Confirm your address for brigadewatch"]
    found = re.search(r"/console/mail/confirm/(\S+)", desk.box.texts()[0])
    assert found is not None and "k-1" not in desk.box.texts()[0]
    assert desk.preference(user).confirmed_us is None


def test_a_mail_server_that_is_down_is_tried_more_and_more_rarely_and_then_everything_arrives(desk: MailDesk) -> None:
    desk.person("anna")
    user = desk.person("bert", "at_once")
    desk.resources = replace(
        desk.resources, settings=replace(desk.resources.settings, smtp=desk.box.settings(port=1)), at=desk.resources.at
    )
    desk.flag("k-1")
    runs = 0
    while desk.now_us < NOW_US + 6 * HOUR:
        due = desk.due_us()
        assert due is not None
        desk.resources.at[0] = max(desk.now_us, due)
        desk.work()
        runs += 1
    assert runs < 60  # of two people, some every 15 minutes
    with desk.engine.connect() as connection:
        state = mail_preferences.mail_state(connection, desk.tenant)
    assert state.people == 2 and state.failing == 2 and "ConnectionRefused" in (state.last_error or "")
    desk.resources = replace(
        desk.resources, settings=replace(desk.resources.settings, smtp=desk.box.settings()), at=desk.resources.at
    )
    desk.flag("k-2")
    desk.until(NOW_US + 8 * HOUR)
    assert desk.subjects() == ["2 new cases in paper"] * 2
    assert desk.preference(user).failures == 0 and desk.preference(user).last_error is None


def test_an_address_that_is_refused_for_good_gets_no_more_and_others_do(desk: MailDesk) -> None:
    anna = desk.person("anna")
    desk.person("bert")
    desk.box.refuse = lambda receiver: f"550 no such user {receiver}" if receiver.startswith("anna") else ""
    desk.flag("k-1")
    desk.until(NOW_US + DAY)
    assert desk.box.receivers == ["bert@example.org"]
    given_up = desk.preference(anna)
    assert (given_up.cadence, given_up.last_error) == ("off", "550 no such user anna@example.org")
    with desk.engine.connect() as connection:
        trail = schema.audit_trail.c
        ended = connection.execute(sa.select(trail.subject, trail.detail).where(trail.action == "mail.off")).all()
    assert [row.subject for row in ended] == ["user:anna"] and "anna@" not in ended[0].detail


def test_one_that_is_refused_for_now_gets_it_later(desk: MailDesk) -> None:
    desk.person()
    answers = ["451 greylisted", "451 greylisted", ""]
    desk.box.refuse = lambda receiver: answers.pop(0)
    desk.flag("k-1")
    desk.until(NOW_US + HOUR)
    assert desk.subjects() == ["1 new case in paper"]


def test_a_disabled_person_gets_nothing(desk: MailDesk) -> None:
    user = desk.person()
    with write(desk.engine) as connection:
        users.disable_user(connection, users.read_user(connection, desk.tenant, user), actor="test", now_us=desk.now_us)
    desk.flag("k-1")
    desk.until(NOW_US + HOUR)
    assert desk.box.messages == []


def test_a_worker_that_died_after_its_claim_is_followed_by_another(desk: MailDesk) -> None:
    user = desk.person()
    desk.flag("k-1")
    with write(desk.engine) as connection:
        assert mail_preferences.claim(connection, desk.preference(user), desk.now_us, desk.now_us + mail.CLAIM_US)
    desk.work()
    assert desk.box.messages == []
    desk.until(NOW_US + HOUR)
    assert desk.subjects() == ["1 new case in paper"]


def test_an_event_that_is_committed_late_is_not_lost(desk: MailDesk) -> None:
    desk.person()
    desk.resources.at[0] += HOUR
    desk.flag("k-1")
    desk.work()
    store_case(desk.engine, desk.tenant, "k-2")
    before = desk.now_us - 2 * SECOND  # its transaction began before the message was written
    desk.resources.at[0] = before
    desk.happens(Event(FLAGGED, "k-2/1", {"cluster_id": "k-2"}))
    desk.until(NOW_US + 2 * HOUR)
    assert desk.subjects() == ["1 new case in paper"] * 2 and "clusters/k-2" in desk.box.texts()[1]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_strangers_write_is_neither_a_link_nor_a_header(desk: MailDesk, text: str) -> None:
    desk.person()
    store_case(desk.engine, desk.tenant, "k-1", summary=f"9 of 10 targets are by author {text}.")
    desk.resources.at[0] += SECOND
    desk.happens(Event(HOLD, "h", {"target_id": text, "clusters": [{"id": "k-1"}]}))
    desk.work()
    [message] = desk.box.messages
    whole = message.as_string(policy=policy.SMTP)
    html = message.get_body(("html",))
    assert html is not None
    assert "evil.example" not in whole.lower() and "<script" not in html.get_content()
    assert set(re.findall(r'href="(https?://[^/]+)', html.get_content())) == {CONSOLE}


def test_without_a_mail_server_nothing_fails(desk: MailDesk) -> None:
    desk.person()
    desk.resources = replace(desk.resources, settings=replace(desk.resources.settings, smtp=None), at=desk.resources.at)
    desk.flag("k-1")
    desk.work()
    due = desk.due_us()
    assert due is not None and due >= desk.now_us + 800 * SECOND


def mention(desk: MailDesk, name: str, words: str = "look") -> None:
    desk.resources.at[0] += SECOND
    with write(desk.engine) as connection:
        add_note(connection, desk.tenant, "k1", f"@{name}: {words}", by="zoe", now=moment(desk.now_us))


def test_a_mention_reaches_its_person_once_and_nobody_else(desk: MailDesk) -> None:
    desk.person("anna")
    desk.person("ben")
    store_case(desk.engine, desk.tenant, "k1")
    mention(desk, "anna")
    mention(desk, "anna", "look again")
    desk.work()
    desk.work()
    assert [(one["To"], one["Subject"]) for one in desk.box.messages] == [
        ("anna@example.org", f"2 mentions of you in {desk.name}")
    ]
    text = desk.box.messages[0].get_body(("plain",)).get_content()
    assert "A colleague mentioned you on case k1." in text and "/console/clusters/k1" in text
    assert "zoe" not in text and "look" not in text
    mention(desk, "anna")
    desk.work()  # five minutes have not passed
    assert len(desk.box.messages) == 1
    desk.resources.at[0] = desk.due_us() or 0
    desk.work()
    assert len(desk.box.messages) == 2


def test_what_was_read_or_is_older_than_the_choice_is_not_mailed(desk: MailDesk) -> None:
    user = desk.person("anna", "off")
    store_case(desk.engine, desk.tenant, "k1")
    mention(desk, "anna")
    desk.work()
    assert desk.box.messages == []
    desk.resources.at[0] += SECOND
    with write(desk.engine) as connection:
        made = mail_preferences.save_preference(
            connection,
            desk.tenant,
            user,
            address="anna@example.org",
            cadence="at_once",
            minute=0,
            time_zone="UTC",
            quiet_hours=None,
            by="anna",
            now_us=desk.now_us,
        )
        mail_preferences.confirm(connection, made, by="anna", now_us=desk.now_us)
    mention(desk, "anna")
    with write(desk.engine) as connection:
        mark_read(connection, desk.tenant, user, moment(desk.now_us))
    desk.work()
    assert desk.box.messages == []
