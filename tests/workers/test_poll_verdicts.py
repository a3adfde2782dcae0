"""What becomes of moderators' doings on polled platforms: what is judged, what is taken back, and what says nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from polled_platforms import BEGIN, Coral, Lemmy, Ozone
from polled_world import Make, World, polled_worlds
from sqlalchemy import Engine
from starlette.responses import JSONResponse

from service.errors import Refused
from service.model import microseconds
from service.settings import Settings
from service.storage.accounts.secret_box import SecretBox
from service.storage.sql import schema
from service.storage.sql.engine import write
from service.storage.webhooks.sources import add_source, rotate_secret

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
POST = {"$type": "com.atproto.repo.strongRef", "uri": "at://did:plc:author/app.bsky.feed.post/3k", "cid": "bafy"}
MOD = "did:plc:mod"


@pytest.fixture
def make(fake_redis: Any, engine: Engine, settings: Settings) -> Iterator[Make]:
    with polled_worlds(settings, engine, fake_redis.blocking) as made:
        yield made


def judged(world: World) -> list[tuple[str, ...]]:
    """The outcomes: id, verdict, action, retracts, who decided."""
    return [
        (i, *(str(o.get(name, "-")) for name in ("verdict", "action", "retracts", "decided_by")))
        for i, o in world.outcomes().items()
    ]


# --- Ozone: subjects


def test_a_conversation_a_message_and_what_is_not_known_are_targets_of_their_own(make: Make) -> None:
    ozone, spam = Ozone(), "com.atproto.moderation.defs#reasonSpam"
    subjects = [
        {"$type": "com.atproto.admin.defs#repoRef", "did": "did:plc:a"},
        {"$type": "chat.bsky.convo.defs#convoRef", "did": "did:plc:a", "convoId": "c1"},
        {"$type": "chat.bsky.convo.defs#messageRef", "did": "did:plc:a", "convoId": "c1", "messageId": "m1"},
        {"$type": "chat.bsky.group.defs#groupRef", "did": "did:plc:a", "groupId": "g1"},
        {"$type": "chat.bsky.group.defs#groupRef", "did": "did:plc:a", "groupId": "g2"},
        {"$type": "app.bsky.video.defs#frameRef", "uri": POST["uri"], "frame": 7},
    ]
    for subject in subjects:
        ozone.event("modEventReport", BEGIN - HOUR, subject, reportType=spam)
    for subject in subjects[1:]:
        ozone.event("modEventAcknowledge", BEGIN - HOUR / 2, subject, by=MOD)
    world = make(ozone)
    world.poll()
    targets = [c["target"] for c in world.complaints().values()]
    assert [t["id"] for t in targets[:3]] == ["did:plc:a", "at://did:plc:a/chat.bsky.convo/c1", "message/m1"]
    assert [t["kind"] for t in targets] == ["account", "conversation", "message", "groupRef", "groupRef", "frameRef"]
    assert len({t["id"] for t in targets}) == 6 and POST["uri"] not in {t["id"] for t in targets}
    assert [t.get("author_id") for t in targets] == ["did:plc:a"] * 5 + [None]
    assert [o["target_id"] for o in world.outcomes().values()] == [t["id"] for t in targets[1:]]  # not the account's


# --- Ozone: what is taken back


def test_labels_that_are_negated_are_retracted_once_none_of_their_event_is_left(make: Make) -> None:
    ozone, at = Ozone(), BEGIN - HOUR
    ozone.event("modEventLabel", at, POST, by=MOD, createLabelVals=["spam", "!hide"], negateLabelVals=[])
    ozone.event("modEventAcknowledge", at + MINUTE, POST, by=MOD)  # closes what was labelled
    ozone.event("modEventLabel", at + 2 * MINUTE, POST, by=MOD, createLabelVals=["rude"], negateLabelVals=["spam"])
    ozone.event("modEventReport", at + 3 * MINUTE, POST, reportType="x#reasonAppeal", by="did:plc:author")
    ozone.event("modEventLabel", at + 4 * MINUTE, POST, by=MOD, createLabelVals=[], negateLabelVals=["!hide", "rude"])
    ozone.event("modEventAcknowledge", at + 5 * MINUTE, POST, by=MOD)  # nothing is left to close
    ozone.event("modEventLabel", at + 6 * MINUTE, POST, by=MOD, createLabelVals=[], negateLabelVals=["never there"])
    world = make(ozone)
    world.poll()
    assert judged(world) == [
        ("1", "upheld", "removed", "-", "person"),
        ("3", "upheld", "-", "-", "person"),
        ("5", "-", "restored", "1", "person"),
        ("5/3", "-", "-", "3", "person"),
        ("6", "rejected", "kept", "-", "person"),
    ]


def test_a_reversed_takedown_is_retracted_and_the_end_of_a_suspension_is_not(make: Make) -> None:
    ozone, at = Ozone(), BEGIN - HOUR
    ozone.event("modEventTakedown", at, POST, by=MOD)
    ozone.event("modEventTakedown", at, by=MOD, durationInHours=1)
    ozone.event("modEventReverseTakedown", at + MINUTE, POST, by=MOD)
    ozone.event("modEventReverseTakedown", at + MINUTE, by=MOD, comment="[SCHEDULED_REVERSAL] as scheduled")
    ozone.event("modEventReverseTakedown", at + 2 * MINUTE, {**POST, "uri": POST["uri"] + "x"}, by=MOD)
    world = make(ozone)
    world.poll()
    assert judged(world)[2:] == [
        ("3", "rejected", "restored", "1", "person"),
        ("4", "-", "restored", "-", "automatic"),
        ("5", "rejected", "restored", "-", "person"),  # its takedown is older than what is remembered
    ]


def test_what_is_taken_back_polls_later_is_still_known_and_reading_again_changes_nothing(make: Make) -> None:
    ozone = Ozone()
    ozone.event("modEventLabel", BEGIN - HOUR, POST, by=MOD, createLabelVals=["spam"], negateLabelVals=[])
    world = make(ozone)
    world.poll()
    ozone.event("modEventAcknowledge", BEGIN + 90 * MINUTE, POST, by=MOD)
    ozone.event("modEventLabel", BEGIN + 91 * MINUTE, POST, by=MOD, createLabelVals=[], negateLabelVals=["spam"])
    world.poll(after=2 * HOUR)
    # Within the overlap: the acknowledgement is read again, now that the label is gone, and means what it meant.
    for _ in range(3):
        world.poll()
    assert judged(world) == [("1", "upheld", "-", "-", "person"), ("3", "-", "-", "1", "person")]


def test_an_accounts_takedown_says_nothing_about_its_records(make: Make) -> None:
    ozone, at = Ozone(), BEGIN - HOUR
    ozone.event("modEventReport", at, POST, reportType="x#reasonSpam")
    account = {"$type": "com.atproto.admin.defs#repoRef", "did": "did:plc:author"}
    ozone.event("modEventTakedown", at + MINUTE, account, by=MOD, acknowledgeAccountSubjects=True)
    said = "[AUTO_RESOLVE_ON_ACCOUNT_ACTION]: Automatically resolving all reported content due to account level action"
    ozone.event("modEventAcknowledge", at + MINUTE, POST, by=MOD, comment=f"{said} | Account Event ID: 2")
    world = make(ozone)
    world.poll()
    assert [(o["target_id"], o["verdict"]) for o in world.outcomes().values()] == [("did:plc:author", "upheld")]


def test_tools_that_say_so_are_machines(make: Make) -> None:
    ozone = Ozone()
    for at, meta in enumerate(({"isAutomated": True}, {"isAutomated": "yes"}, {}, None)):
        tool = {"name": "partner/scanner", **({} if meta is None else {"meta": meta})}
        report = ozone.event("modEventReport", BEGIN - HOUR, POST, by=f"did:plc:r{at}", reportType="x#reasonSpam")
        report["modTool"] = tool
        ozone.event("modEventTakedown", BEGIN - HOUR + at * MINUTE, POST, by=MOD)["modTool"] = tool
    world = make(ozone)
    world.poll()
    assert world.states() == {"1": schema.MACHINE} | dict.fromkeys(("3", "5", "7"), schema.STANDING)
    assert [o["decided_by"] for o in world.outcomes().values()] == ["automatic", "person", "person", "person"]


# --- Ozone: reports that are closed without an event


def test_a_report_closed_by_itself_rejects_its_complaint_alone_until_it_is_opened_again(make: Make) -> None:
    ozone, at = Ozone(), BEGIN - HOUR
    reports = [ozone.event("modEventReport", at, POST, reportType="x#reasonSpam") for _ in range(3)]
    ozone.closed(1, at + MINUTE, reports[0])
    ozone.closed(2, at + MINUTE, reports[1], isAutomated=True)
    ozone.closed(3, at + 2 * MINUTE, reports[0], kind="reopenActivity")
    acted = ozone.closed(4, at + 3 * MINUTE, reports[2])
    acted["report"]["actionEventIds"] = [99]  # an event closed it, and speaks for it
    world = make(ozone)
    world.poll()
    assert judged(world) == [
        ("activity/1", "rejected", "kept", "-", "person"),
        ("activity/2", "rejected", "kept", "-", "automatic"),
        ("activity/3", "-", "-", "activity/1", "person"),
    ]
    assert [o["complaint_id"] for o in world.outcomes().values()] == ["1", "2", "1"]
    assert {o["target_id"] for o in world.outcomes().values()} == {POST["uri"]}


def test_closing_a_report_about_what_was_labelled_says_nothing_and_a_later_takedown_overrules_it(make: Make) -> None:
    ozone, at = Ozone(), BEGIN - HOUR
    other = {**POST, "uri": POST["uri"] + "x"}
    first = ozone.event("modEventReport", at, POST, reportType="x#reasonSpam")
    second = ozone.event("modEventReport", at, other, reportType="x#reasonSpam")
    ozone.event("modEventLabel", at + MINUTE, POST, by=MOD, createLabelVals=["spam"], negateLabelVals=[])
    ozone.closed(1, at + 2 * MINUTE, first)
    ozone.closed(2, at + 2 * MINUTE, second)
    world = make(ozone)
    world.poll()
    ozone.event("modEventTakedown", BEGIN + 5 * MINUTE, other, by=MOD)
    world.poll(after=10 * MINUTE)
    assert judged(world) == [
        ("3", "upheld", "-", "-", "person"),
        ("activity/2", "rejected", "kept", "-", "person"),
        ("4", "upheld", "removed", "activity/2", "person"),
    ]


def test_an_ozone_without_activities_is_polled_without_them_and_that_is_said_once(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    ozone = Ozone(newer=False)
    report = ozone.event("modEventReport", BEGIN - HOUR, POST, reportType="x#reasonSpam")
    world = make(ozone)
    with caplog.at_level(logging.WARNING):
        for _ in range(20):
            source = world.poll()
    assert (source.failures, source.last_error) == (0, None) and list(world.complaints()) == ["1"]
    assert len([r for r in caplog.records if "queryActivities" in r.getMessage()]) == 1
    assert ozone.asked.count("not implemented") == 1
    ozone.closed(1, world.now, report)
    ozone.newer = True
    world.poll(after=25 * HOUR)
    assert judged(world) == [("activity/1", "rejected", "kept", "-", "person")]


# --- Ozone: who may ask


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        ("eyJhbGciOi.eyJpc3MiOi.c2ln", "one minute"),
        ("moderator:secret", "admin:PASSWORD"),
        ("admin:", "colon"),
        ("admin:one:two", "colon"),
    ],
)
def test_a_secret_that_ozone_cannot_accept_is_refused_when_it_is_given(make: Make, secret: str, said: str) -> None:
    world = make(Ozone())
    box, now_us = SecretBox(world.resources.settings), microseconds(BEGIN)
    with write(world.resources.engine) as connection:
        with pytest.raises(Refused, match=said):
            add_source(
                connection, box, world.number, "ozone", secret=secret, url="https://ozone.example", now_us=now_us
            )
        with pytest.raises(Refused, match=said):
            rotate_secret(connection, box, world.number, world.source().id, secret, now_us=now_us)
        # one that was stored by an earlier version
        connection.execute(schema.sources.update().values(secret=box.seal(secret)))
    source = world.poll()
    assert said in str(source.last_error) and "sources rotate" in str(source.last_error)
    assert secret not in str(source.last_error) and world.server.asked == []


# --- Lemmy: a cursor whose report is gone, a version that is away


def test_a_page_that_was_purged_has_the_list_read_from_its_beginning(make: Make, monkeypatch: Any) -> None:
    lemmy = Lemmy(page_size=10)
    for number in range(35):
        lemmy.report(number, BEGIN - HOUR + number * MINUTE)
    world = make(lemmy)
    gone = {"C20"}  # the report that this cursor names was purged

    def fault(request: Any, body: Any, about: str) -> Any:
        if about in gone:
            gone.remove(about)
            return JSONResponse({"error": "not_found"}, 404)
        return JSONResponse(body)

    monkeypatch.setattr(lemmy, "answer", fault)
    source = world.poll()
    assert (source.failures, source.last_error) == (0, None) and len(world.complaints()) == 35
    assert source.cursor["version"] == 4 and "restarted" not in source.cursor


def test_a_page_that_is_gone_again_and_again_is_bounded_and_comes_back_by_itself(make: Make, monkeypatch: Any) -> None:
    lemmy = Lemmy(page_size=10)
    for number in range(35):
        lemmy.report(number, BEGIN - HOUR + number * MINUTE)
    world = make(lemmy)
    asked: list[str] = []
    real = lemmy.answer

    def fault(request: Any, body: Any, about: str) -> Any:
        asked.append(about)
        return JSONResponse({"error": "not_found"}, 404) if about else JSONResponse(body)

    monkeypatch.setattr(lemmy, "answer", fault)
    source = world.poll()
    assert source.failures == 1 and "purged" in str(source.last_error) and len(asked) == 4
    monkeypatch.setattr(lemmy, "answer", real)
    source = world.poll()
    assert (source.failures, source.last_error) == (0, None) and len(world.complaints()) == 35


def test_a_proven_version_is_not_left_for_one_404(make: Make) -> None:
    lemmy = Lemmy(version=4)
    lemmy.report(1, BEGIN - HOUR)
    world = make(lemmy)
    before = world.poll().cursor
    lemmy.faults.append(JSONResponse({}, 404))
    source = world.poll()
    assert source.failures == 1 and "neither" in str(source.last_error) and source.cursor == before
    lemmy.report(2, BEGIN)
    assert world.poll().last_error is None and set(world.complaints()) == {"comment-report/1", "comment-report/2"}


@pytest.mark.parametrize("version", [3, 4])
def test_where_both_versions_were_absent_the_poll_begins_at_the_newest_again(make: Make, version: int) -> None:
    lemmy = Lemmy(version=version)
    world = make(lemmy)
    with write(world.resources.engine) as connection:
        connection.execute(schema.sources.update().values(url=f"http://127.0.0.1:{world.port}/not/there"))
    for _ in range(3):
        assert "neither" in str(world.poll(after=HOUR).last_error)
    with write(world.resources.engine) as connection:
        connection.execute(schema.sources.update().values(url=f"http://127.0.0.1:{world.port}"))
    lemmy.report(1, world.now)
    assert world.poll(after=HOUR).last_error is None and list(world.complaints()) == ["comment-report/1"]
    assert world.source().cursor["version"] == version


# --- Lemmy: what "resolved, and still there" does not say


@pytest.mark.parametrize("version", [3, 4])
@pytest.mark.parametrize(
    "change",
    [
        {"post": {"id": 40, "removed": True}},
        {"post": {"id": 40, "deleted": True}},
        {"community": {"id": 3, "removed": True}},
        {"creator_banned": True},
        {"creator_banned_from_community": True},
        {"comment_creator": {"id": 7, "banned": True}},
    ],
)
def test_a_resolved_report_whose_target_is_gone_otherwise_rejects_nothing(
    make: Make, version: int, change: dict[str, Any]
) -> None:
    lemmy = Lemmy(version=version)
    for number in (1, 2, 3):
        view = lemmy.report(number, BEGIN - HOUR)
        lemmy.resolve(view, BEGIN - HOUR / 2, removed=number == 2)
        view |= {"comment_creator": {"id": 7, "banned": False}, "post": {"id": 40, "removed": False, "deleted": False}}
        view |= {"creator_banned": False, "creator_banned_from_community": False}
    for view in lemmy.views[:2]:
        view |= change
    world = make(lemmy)
    world.poll()
    assert {(o["target_id"], o["verdict"]) for o in world.outcomes().values()} == {
        ("comment/2", "upheld"),
        ("comment/3", "rejected"),
    }


# --- Coral: reports of illegal content


def ruling(number: int, legality: str | None, at: str) -> dict[str, Any]:
    decision = None if legality is None else {"legality": legality}
    kind = "NOTE" if legality is None else "DECISION_MADE"
    return {"id": f"item-{number}", "type": kind, "createdAt": at, "createdBy": {"id": "m"}, "decision": decision}


def test_corals_reports_of_illegal_content_are_notices_with_their_rulings(make: Make) -> None:
    coral = Coral(page_size=2)
    coral.flag(1, BEGIN - HOUR)
    coral.report(2, BEGIN - HOUR)
    coral.report(3, BEGIN - HOUR, reporter=None)
    coral.report(4, BEGIN - HOUR, comment=None)
    coral.report(5, BEGIN - 2 * HOUR)
    world = make(coral)
    world.poll()
    found = world.complaints()
    assert sorted(found) == ["dsa-report/report-2", "dsa-report/report-3", "dsa-report/report-5", "flag-1"]
    notice = found["dsa-report/report-2"]
    assert (notice["notice_type"], notice["reason"]) == ("illegal_content", "illegal")
    assert notice["text"] == "section 1\n\nas it says" and notice["target"]["id"] == "comment-2"
    assert notice["target"]["author_id"] == "author-1" and notice["target"]["context_id"] == "story-1"
    assert found["dsa-report/report-3"]["reporter"]["id"] == "submission/form-3"  # nobody knows who filled it in
    coral.reports[0]["history"] = [
        ruling(1, None, "2026-11-01T12:10:00.000Z"),
        ruling(2, "ILLEGAL", "2026-11-01T12:20:00.000Z"),
    ]
    rejected = {"id": "action-1", "status": "REJECTED", "createdAt": "2026-11-01T12:20:00.000Z", "moderator": {}}
    coral.reports[0]["comment"]["statusHistory"]["edges"] = [{"node": rejected}]
    coral.reports[3]["history"] = [ruling(3, "LEGAL", "2026-11-01T12:30:00.000Z")]
    world.poll(after=HOUR)
    assert sorted(
        (i, o["target_id"], o.get("complaint_id"), o["verdict"], o["action"], o["decided_by"])
        for i, o in world.outcomes().items()
    ) == [
        ("action-1", "comment-2", None, "upheld", "removed", "person"),
        ("dsa-decision/item-2", "comment-2", "dsa-report/report-2", "upheld", "removed", "person"),
        ("dsa-decision/item-3", "comment-5", "dsa-report/report-5", "rejected", "kept", "person"),
    ]


def test_reports_of_illegal_content_that_push_the_pages_on_are_all_found(make: Make, monkeypatch: Any) -> None:
    coral = Coral(page_size=10)
    for number in range(35):
        coral.report(number, BEGIN - HOUR + number * MINUTE / 10)
    world = make(coral)
    real = coral.dsa_reports

    def pushed(asked: Any) -> Any:
        if asked["after"] is not None:
            coral.report(100 + len(coral.reports), BEGIN + MINUTE / 2)
        return real(asked)

    with monkeypatch.context() as patched:
        patched.setattr(coral, "dsa_reports", pushed)
        world.poll()
    world.poll()
    assert len(world.complaints()) == len(coral.reports) > 35
    asked = len(coral.dsa_asked)
    world.poll()
    assert len(coral.dsa_asked) == asked + 1 and world.source().last_error is None


def test_a_coral_without_reports_of_illegal_content_is_polled_for_flags(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    coral = Coral(dsa=False)
    coral.flag(1, BEGIN - HOUR)
    world = make(coral)
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            source = world.poll()
    assert (source.failures, source.last_error, len(coral.dsa_asked)) == (0, None, 1)
    assert list(world.complaints()) == ["flag-1"]
    assert len([r for r in caplog.records if "dsaReports" in r.getMessage()]) == 1
    coral.dsa = True
    coral.report(2, world.now)
    world.poll(after=25 * HOUR)
    assert list(world.complaints()) == ["flag-1", "dsa-report/report-2"]
