"""Polls against servers that speak as the platforms do: nothing lost, nothing twice, and a platform's faults stay its
own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest
from listening import listening
from polled_platforms import BEGIN, Coral, Lemmy, Ozone
from polled_world import Clocked, Make, World, polled_worlds
from sqlalchemy import Engine
from starlette.responses import JSONResponse, Response

from service.errors import Overloaded, StoreUnavailable
from service.model import JsonObject, microseconds
from service.settings import Settings
from service.storage.accounts.secret_box import SecretBox
from service.storage.accounts.tenant_settings import change_settings
from service.storage.privacy.privacy_filters import open_privacy_filter
from service.storage.redis_store import redis_keys, stream
from service.storage.sql import schema, timers
from service.storage.sql.engine import write
from service.storage.webhooks.sources import (
    add_source,
    remove_source,
    rotate_secret,
    wake_pollers,
)
from workers import ingest, poll
from workers.resources import Resources

HOUR = timedelta(hours=1)


@pytest.fixture
def make(fake_redis: Any, engine: Engine, settings: Settings) -> Iterator[Make]:
    with polled_worlds(settings, engine, fake_redis.blocking) as made:
        yield made


# --- what each platform's list becomes


def test_corals_flags_become_complaints_and_its_moderators_decisions_outcomes(make: Make) -> None:
    coral = Coral()
    for number in range(120):
        coral.flag(number, BEGIN - HOUR + timedelta(seconds=number))
    coral.flag(500, BEGIN - HOUR, flagger=None, reason="COMMENT_DETECTED_TOXIC")
    coral.flag(501, BEGIN - HOUR, comment=None)
    coral.flags[3]["comment"]["statusHistory"]["edges"] = [
        {
            "node": {
                "id": "action-1",
                "status": "REJECTED",
                "createdAt": "2026-11-01T11:30:00.000Z",
                "moderator": {"id": "m"},
            }
        },
        {"node": {"id": "action-2", "status": "APPROVED", "createdAt": "2026-11-01T11:40:00.000Z", "moderator": None}},
        {"node": {"id": "action-3", "status": "NONE", "createdAt": "2026-11-01T11:40:00.000Z", "moderator": None}},
    ]
    world = make(coral)
    source = world.poll()
    assert set(world.complaints()) == {f"flag-{number}" for number in range(120)}
    first = world.complaints()["flag-8"]
    assert (
        first["reason"] == "abusive"
        and first["text"] == "rude"
        and first["reporter"]["id"] == "reader-8"
        and first["occurred_at"] == "2026-11-01T11:00:08Z"
    )
    assert first["target"] == {
        "id": "comment-1",
        "kind": "comment",
        "author_id": "author-1",
        "context_id": "story-1",
        "context_title": "The title at flag 8",
        "context_url": "https://paper.example/s/1",
        "url": "https://paper.example/c/1",
        "excerpt": "What they said.",
        "attributes": {"is_reply": False},
    }
    assert world.outcomes()["action-1"] == {
        "id": "action-1",
        "target_id": "comment-3",
        "decided_at": "2026-11-01T11:30:00Z",
        "verdict": "upheld",
        "action": "removed",
        "decided_by": "person",
    }
    assert world.outcomes()["action-2"]["decided_by"] == "automatic" and len(world.outcomes()) == 2
    assert (source.failures, source.last_error, source.polled_us) == (0, None, microseconds(world.now))
    assert world.polls() == {"coral|ok": 1}


def test_corals_flags_of_one_millisecond_are_all_found_wherever_a_page_ends(make: Make) -> None:
    coral = Coral(page_size=10)
    for number in range(35):
        coral.flag(number, BEGIN - HOUR + timedelta(seconds=number // 8))
    world = make(coral)
    world.poll()
    assert len(world.complaints()) == 35


@pytest.mark.parametrize("version", [3, 4])
def test_lemmys_reports_of_both_versions_become_complaints(make: Make, version: int) -> None:
    lemmy = Lemmy(version=version)
    for number in range(130):
        lemmy.report(number, BEGIN - timedelta(minutes=130 - number))
    lemmy.report(
        9,
        BEGIN - HOUR,
        "post",
        post_report={
            "id": 9,
            "creator_id": 55,
            "post_id": 5,
            "original_post_name": "A title",
            "reason": "off topic",
            "resolved": False,
            "published" if version == 3 else "published_at": "2026-11-01T11:00:00",
        },
    )
    world = make(lemmy)
    world.poll()
    found = world.complaints()
    assert len(found) == 131
    assert found["comment-report/128"] == {
        "id": "comment-report/128",
        "occurred_at": "2026-11-01T11:58:00Z",
        "text": "spam, I say",
        "reporter": {"id": "228", "account_created_at": "2026-08-03T12:00:00Z", "trusted": False},
        "target": {
            "id": "comment/3",
            "kind": "comment",
            "author_id": "7",
            "context_id": "post/40",
            "context_title": "Bread",
            "context_url": "https://lemmy.example/post/40",
            "url": "https://lemmy.example/comment/3",
            "excerpt": "What they said.",
            "attributes": {"community": "community/3"},
        },
    }
    assert (
        found["post-report/9"]["target"]["id"] == "post/5"
        and found["post-report/9"]["target"]["context_id"] == "post/5"
        and found["post-report/9"]["target"]["context_title"] == "A title"
        and found["post-report/9"]["occurred_at"] == "2026-11-01T11:00:00Z"
    )
    assert world.outcomes() == {}


def test_lemmys_resolved_reports_become_outcomes_when_they_are_looked_at_again(make: Make) -> None:
    lemmy = Lemmy()
    for number in range(3):
        lemmy.report(number, BEGIN - HOUR + timedelta(minutes=number))
    world = make(lemmy)
    world.poll()
    lemmy.resolve(lemmy.views[0], BEGIN + HOUR, removed=True)
    lemmy.resolve(lemmy.views[1], BEGIN + HOUR, removed=False)
    lemmy.resolve(lemmy.views[2], BEGIN + HOUR, removed=False)
    lemmy.views[2]["comment"]["deleted"] = True
    lemmy.views[0]["comment_report"]["reason"] = "edited since"
    world.poll(after=2 * HOUR)
    assert [(o["target_id"], o["verdict"], o["action"], o["decided_by"]) for o in world.outcomes().values()] == [
        ("comment/1", "rejected", "kept", "person"),
        ("comment/0", "upheld", "removed", "person"),
    ]
    assert world.complaints()["comment-report/0"]["text"] == "spam, I say"  # the first content wins
    assert (len(world.complaints()), world.position()) == (3, 5)


def test_a_lemmy_report_opened_again_and_resolved_otherwise_is_a_second_decision(make: Make) -> None:
    lemmy = Lemmy(version=3)
    view = lemmy.report(1, BEGIN - HOUR)
    world = make(lemmy)
    lemmy.resolve(view, BEGIN, removed=True)
    world.poll()
    lemmy.resolve(view, BEGIN + HOUR, removed=False)
    world.poll(after=2 * HOUR)
    assert [o["action"] for o in world.outcomes().values()] == ["removed", "kept"]


def test_reports_that_a_server_forwards_are_machines_and_private_messages_stay_private(make: Make) -> None:
    lemmy = Lemmy()
    lemmy.report(1, BEGIN - HOUR)["creator"] |= {"local": False, "ap_id": "https://mastodon.example/actor"}
    lemmy.report(2, BEGIN - HOUR)["creator"] |= {"local": False, "ap_id": "https://other.example/u/actor"}
    lemmy.report(3, BEGIN - HOUR)["creator"]["bot_account"] = True
    lemmy.views.append(
        {
            "private_message_report": {"id": 4, "published_at": "2026-11-01T11:00:00Z", "reason": "secret words"},
            "_at": BEGIN - HOUR,
        }
    )
    world = make(lemmy)
    world.poll()
    assert world.states() == {
        "comment-report/1": schema.MACHINE,
        "comment-report/2": schema.STANDING,
        "comment-report/3": schema.MACHINE,
    }


def test_ozones_log_becomes_complaints_and_outcomes(make: Make) -> None:
    ozone, at = Ozone(), BEGIN - HOUR
    post = {"$type": "com.atproto.repo.strongRef", "uri": "at://did:plc:author/app.bsky.feed.post/3k", "cid": "bafy"}
    ozone.event("modEventReport", at, post, comment="rude", reportType="com.atproto.moderation.defs#reasonSpam")
    ozone.event("modEventReport", at, reportType="tools.ozone.report.defs#reasonHarassmentTroll")
    ozone.event("modEventReport", at, reportType="com.atproto.moderation.defs#reasonAppeal", by="did:plc:author")
    ozone.event("modEventTag", at, add=["lang:en"], remove=[])
    ozone.event("modEventAcknowledge", at + HOUR / 6, by="did:plc:mod")
    ozone.event("modEventTakedown", at + HOUR / 5, post, by="did:plc:mod")
    ozone.event("modEventAcknowledge", at + HOUR / 4, post, by="did:plc:mod")  # closes what was done: no judgement
    ozone.event("modEventReverseTakedown", at + HOUR / 3, post, by="did:plc:mod", comment="appeal was right")
    ozone.event("modEventLabel", at + HOUR / 2, by="did:plc:mod", createLabelVals=["!hide"], negateLabelVals=[])[
        "modTool"
    ] = {"name": "automod/rules"}
    world = make(ozone)
    world.poll()
    found = world.complaints()
    assert list(found) == ["1", "2"]
    assert (
        found["1"]["target"] == {"id": post["uri"], "kind": "post", "author_id": "did:plc:author"}
        and found["1"]["reason"] == "reasonSpam"
        and found["1"]["text"] == "rude"
    )
    assert found["2"]["target"]["kind"] == "account" and found["2"]["reporter"]["id"] == "did:plc:reader"
    assert [
        (i, o["target_id"][:12], o.get("verdict"), o.get("action"), o["decided_by"])
        for i, o in world.outcomes().items()
    ] == [
        ("5", "did:plc:auth", "rejected", "kept", "person"),
        ("6", "at://did:plc", "upheld", "removed", "person"),
        ("8", "at://did:plc", "rejected", "restored", "person"),
        ("9", "did:plc:auth", "upheld", "removed", "automatic"),
    ]


def test_ozones_acknowledgement_of_what_an_earlier_poll_saw_labelled_says_nothing(make: Make) -> None:
    ozone = Ozone()
    ozone.event("modEventLabel", BEGIN - HOUR, by="did:plc:mod", createLabelVals=["spam"], negateLabelVals=[])
    world = make(ozone)
    world.poll()
    ozone.event("modEventAcknowledge", BEGIN + timedelta(minutes=2), by="did:plc:mod")
    world.poll(after=timedelta(minutes=3))
    assert [o["verdict"] for o in world.outcomes().values()] == ["upheld"]


# --- cursors


def test_the_next_poll_goes_on_where_the_last_one_ended_and_sends_nothing_twice(make: Make) -> None:
    coral = Coral()
    for number in range(60):
        coral.flag(number, BEGIN - timedelta(days=3) + timedelta(minutes=number))
    world = make(coral)
    world.poll()
    coral.asked.clear()
    fresh = coral.flag(100, BEGIN + timedelta(seconds=70))
    # appears behind its time: within the overlap
    late = coral.flag(101, BEGIN - timedelta(days=3) + timedelta(minutes=58))
    world.poll()
    assert set(world.complaints()) >= {fresh["id"], late["id"]} and world.position() == 62
    assert len(coral.asked) == 1 and coral.asked[0] > "2026-10-29T12:40"


def noted(world: World) -> list[dict[str, Any]]:
    """The last deliveries of the one source, as Redis has them, the newest first."""
    (key,) = world.resources.redis.scan_iter("bw:paper:recent:*")
    return [json.loads(text) for text in cast(list[bytes], world.resources.redis.lrange(key, 0, -1))]


def test_polls_that_brought_something_and_the_first_that_failed_are_noted_for_the_administrator(make: Make) -> None:
    coral = Coral()
    for number in range(60):
        coral.flag(number, BEGIN - HOUR + timedelta(seconds=number))
    coral.flag(500, BEGIN - HOUR, comment=None)
    world = make(coral)
    world.poll()
    world.poll()  # nothing new
    coral.faults += [Response("no", 500), Response("no", 500)]
    world.poll()
    world.poll(timedelta(minutes=5))
    first_failed, brought = noted(world)
    assert (brought["result"], brought["stored"], brought["refused"], len(brought["ids"])) == ("ok", 60, 0, 10)
    assert brought["notes"] == ["left out: comment deleted (2)"] and brought["ids"][0].startswith("complaint ")
    assert first_failed["result"] == "failed" and first_failed["stored"] == 0 and first_failed["notes"]
    assert first_failed["at_us"] == microseconds(world.now)  # of the latest that failed alike


def test_what_a_poll_tells_every_minute_pushes_out_nothing(make: Make) -> None:
    coral = Coral()
    coral.flag(1, BEGIN - HOUR)
    coral.flag(2, BEGIN + timedelta(days=300))  # refused, and read again by each poll
    world = make(coral)
    for _ in range(15):
        world.poll()
    assert [(one["stored"], one["refused"] > 0) for one in noted(world)] == [(0, True), (1, True)]


def test_what_our_own_stream_has_no_room_for_is_not_noted_as_stored(make: Make) -> None:
    coral = Coral(page_size=10)
    for number in range(30):
        coral.flag(number, BEGIN - HOUR + timedelta(seconds=number))
    world = make(coral, max_stream_items=15)
    world.passes(timedelta(minutes=1))
    world.turn()
    (one,) = noted(world)
    assert (one["result"], one["stored"], len(one["ids"]), world.position()) == ("waiting", 10, 10, 10)


def test_a_platform_without_news_is_asked_once_a_poll_and_sends_nothing(make: Make) -> None:
    ozone = Ozone()
    ozone.event("modEventReport", BEGIN - HOUR, reportType="x#reasonSpam")
    world = make(ozone)
    world.poll()
    ozone.asked.clear()
    for _ in range(3):
        world.poll()
    assert len(ozone.asked) == 3 and world.position() == 1


def test_a_cursor_survives_a_restart_in_the_middle_of_a_long_list(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poll, "NEWS_ASKS", 2)
    lemmy = Lemmy(page_size=20)
    for number in range(100):
        lemmy.report(number, BEGIN - timedelta(days=9) + timedelta(hours=number))
    world = make(lemmy)
    assert world.poll().next_poll_us == microseconds(world.now) + poll.ONWARD_US
    assert len(world.complaints()) == 40
    for number in range(100, 110):
        lemmy.report(number, BEGIN + timedelta(seconds=number - 99))  # push the pages on
    for _ in range(6):
        world.poll(after=timedelta(seconds=30))
    assert len(world.complaints()) == 110


def test_what_was_sent_before_a_kill_is_neither_lost_nor_doubled(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    coral = Coral(page_size=10)
    for number in range(30):
        coral.flag(number, BEGIN - HOUR + timedelta(seconds=number))
    world = make(coral)
    real, calls = poll.record_cursor, []

    def killed(*arguments: Any) -> bool:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(poll, "record_cursor", killed)
    with pytest.raises(KeyboardInterrupt):
        world.poll()
    monkeypatch.setattr(poll, "record_cursor", real)
    # the second page (which begins with the last flag of the first) is in the stream, the cursor stands before it
    assert world.position() == 19
    world.poll()
    world.poll()
    assert sorted(world.complaints()) == sorted(f"flag-{number}" for number in range(30))
    assert set(world.states().values()) <= {schema.STANDING, schema.REPEAT}


@pytest.mark.parametrize(
    "broken",
    [
        "[]",
        '{"walks": 7, "version": "x", "acts": [1], "before": 5}',
        '{"walks": {"news": {"bound_us": -5, "page": 9}, "news/all": {"begun_us": true}}}',
        '"text"',
    ],
)
@pytest.mark.parametrize("server", [Coral, Lemmy, Ozone])
def test_a_cursor_that_nobody_could_have_written_begins_anew(make: Make, server: Any, broken: str) -> None:
    world = make(server())
    with write(world.resources.engine) as connection:
        connection.execute(schema.sources.update().values(cursor=broken))
    source = world.poll()
    assert (source.failures, source.last_error) == (0, None)


def test_a_server_that_was_upgraded_is_asked_at_its_new_path(make: Make) -> None:
    lemmy = Lemmy(version=3)
    lemmy.report(1, BEGIN - HOUR)
    world = make(lemmy)
    world.poll()
    upgraded = Lemmy(version=4)
    upgraded.report(1, BEGIN - HOUR)
    upgraded.report(2, BEGIN)
    with listening(upgraded.app()) as port:
        used = replace(world.resources.settings, outbound_allow=f"127.0.0.1/32:{port}")
        with write(world.resources.engine) as connection:
            connection.execute(schema.sources.update().values(url=f"http://127.0.0.1:{port}"))
        world.resources = Clocked(used, world.resources.engine, world.resources.redis)
        Clocked.times[id(world.resources)] = BEGIN + HOUR
        source = world.poll()
    assert (
        source.last_error is None
        and list(world.complaints()) == ["comment-report/1", "comment-report/2"]
        and world.position() == 2
    )


# --- faults


@pytest.mark.parametrize(
    ("fault", "result", "said"),
    [
        (Response("no", 500), "failed", "500"),
        (Response("{nonsense", 200), "unreadable", "not valid JSON"),
        (Response("[" * 100_000, 200), "unreadable", "not valid JSON"),
        (JSONResponse([1, 2]), "unreadable", "no"),
        (JSONResponse({"data": {"flags": {"edges": 5}}, "reports": 5, "events": 5}), "unreadable", ""),
        (JSONResponse({"errors": [{"message": "not entitled"}], "data": None}), "unreadable", ""),
        (Response(b"\xff\xfe\x00", 200), "unreadable", "not valid JSON"),
        (Response("", 302, {"Location": "http://169.254.169.254/"}), "failed", "302"),
        (JSONResponse({}, 401), "unauthorized", "sources rotate"),
        (JSONResponse({}, 403), "unauthorized", "sources rotate"),
        (JSONResponse({}, 429), "limited", "later"),
    ],
)
@pytest.mark.parametrize("server", [Coral, Lemmy, Ozone])
def test_a_fault_is_told_backed_off_from_and_gone_over(
    make: Make, server: Any, fault: Response, result: str, said: str
) -> None:
    platform = server(faults=[fault])
    world = make(platform)
    source = world.poll()
    name = server.__name__.lower()
    assert (
        source.failures == 1
        and source.last_error is not None
        and said in source.last_error
        and source.polled_us is None
    )
    assert "secret" not in source.last_error
    assert source.next_poll_us == microseconds(world.now) + 15_000_000 == microseconds(world.timer() or BEGIN)
    assert world.polls() == {f"{name}|{result}": 1}
    source = world.poll()
    assert (source.failures, source.last_error) == (0, None)


def test_a_wrong_token_is_told_until_it_is_rotated(make: Make) -> None:
    world = make(Coral(authorization="Bearer another"))
    for _ in range(3):
        source = world.poll(after=HOUR)
    assert source.failures == 3 and "401" in str(source.last_error)
    world.server.authorization = "Bearer new"
    with write(world.resources.engine) as connection:
        rotate_secret(
            connection,
            SecretBox(world.resources.settings),
            world.number,
            source.id,
            "new",
            now_us=microseconds(world.now),
        )
    assert world.poll(after=timedelta(0)).last_error is None


def test_retry_after_is_honoured_as_seconds_and_as_a_date(make: Make) -> None:
    soon = BEGIN + timedelta(minutes=11)
    world = make(
        Ozone(
            faults=[
                JSONResponse({}, 429, {"Retry-After": "120"}),
                JSONResponse({}, 503, {"Retry-After": soon.strftime("%a, %d %b %Y %H:%M:%S GMT")}),
                JSONResponse({}, 429, {"Retry-After": "1e99"}),
            ]
        )
    )
    assert world.poll().next_poll_us == microseconds(world.now + timedelta(seconds=120))
    world.poll(after=timedelta(seconds=119))
    assert len(world.server.asked) == 1
    assert world.poll(after=timedelta(seconds=1)).next_poll_us == microseconds(soon)
    assert world.poll(after=HOUR).next_poll_us == microseconds(world.now + HOUR)


def test_back_off_doubles_up_to_a_quarter_of_an_hour_with_jitter() -> None:
    assert [poll.backoff_seconds(n, 0.0) for n in (1, 2, 3, 6, 7, 8, 10_000)] == [15, 30, 60, 480, 900, 900, 900]
    assert poll.backoff_seconds(7, 1.0) == 450


def test_nobody_at_the_address_and_an_address_inside_are_told_apart(make: Make) -> None:
    world = make(Ozone())
    with write(world.resources.engine) as connection:
        connection.execute(schema.sources.update().values(url="http://10.0.0.1:9/"))
    assert "10.0.0.1" in str(world.poll().last_error)
    with write(world.resources.engine) as connection:
        connection.execute(schema.sources.update().values(url=f"http://127.0.0.1:{world.port}/elsewhere"))
    assert "404" in str(world.poll(after=HOUR).last_error)


def test_a_secret_that_no_key_opens_is_told(make: Make) -> None:
    world = make(Ozone())
    with write(world.resources.engine) as connection:
        connection.execute(schema.sources.update().values(secret="unreadable"))
    source = world.poll()
    assert source.failures == 1 and world.server.asked == []


@pytest.mark.parametrize("server", [Coral(stuck=True), Lemmy(endless=True)])
def test_a_list_that_never_ends_is_bounded_work(make: Make, server: Any) -> None:
    if isinstance(server, Lemmy):
        for number in range(10):
            server.report(number, BEGIN - HOUR)
        server.page_size = 1
    world = make(server)
    for _ in range(3):
        world.poll(after=HOUR)
    assert len(server.asked) <= 3 * (poll.NEWS_ASKS + poll.REVIEW_ASKS)


def test_hostile_entries_are_left_out_and_the_others_taken(make: Make) -> None:
    ozone = Ozone()
    good = ozone.event("modEventReport", BEGIN - HOUR, reportType="x#reasonSpam", comment="a\x00b" + "x" * 9_000)
    other = ozone.event("modEventReport", BEGIN - HOUR, reportType="x#reasonSpam")
    changes: list[JsonObject] = [
        {"id": -1},
        {"id": 10**30},
        {"id": True},
        {"createdAt": "soon"},
        {"createdAt": None},
        {"createdAt": "0001-01-01T00:00:00+14:00"},
        {"createdBy": ""},
        {"createdBy": "d" * 129},
        {"createdBy": "a\x1bb"},
        {"subject": []},
        {"subject": {}},
        {"subject": {"uri": 5}},
        {"event": None},
        {"event": {"$type": ["x"]}},
    ]
    ozone.faults.append(JSONResponse({"events": [good, *({**other, **change} for change in changes), 7, None, []]}))
    world = make(ozone)
    source = world.poll()
    assert source.last_error is None and list(world.complaints()) == ["1"]
    assert world.complaints()["1"]["text"].startswith("a b")


# --- our own side


def test_what_is_polled_passes_the_tenants_edge(make: Make) -> None:
    ozone = Ozone()
    for reader in ("did:plc:one", "did:plc:gone"):
        ozone.event("modEventReport", BEGIN - HOUR, by=reader, reportType="x#reasonSpam", comment="words of a reader")
    world = make(ozone)
    with write(world.resources.engine) as connection:
        change_settings(connection, world.number, actor="test", now_us=1, keep_text=False, pseudonyms=True)
    privacy_filter = open_privacy_filter(world.resources.engine, SecretBox(world.resources.settings), world.number)
    with write(world.resources.engine) as connection:
        row = {
            "id": "job",
            "tenant_id": world.number,
            "reporter_hash": privacy_filter.mark("did:plc:gone"),
            "token": "x",
            "state": "done",
            "asked_us": 1,
        }
        connection.execute(schema.erasures.insert().values(row))
    world.poll()
    assert [c["reporter"]["id"] for c in world.complaints().values()] == [privacy_filter.pseudonym("did:plc:one")]
    assert "did:plc:one" not in json.dumps(world.complaints()) and "words" not in json.dumps(world.complaints())


def test_a_full_stream_makes_the_poll_wait_and_loses_nothing(make: Make) -> None:
    coral = Coral(page_size=10)
    for number in range(30):
        coral.flag(number, BEGIN - HOUR + timedelta(seconds=number))
    world = make(coral, max_stream_items=15)
    world.passes(timedelta(minutes=1))
    world.turn()
    source = world.source()
    assert (
        world.position() == 10
        and source.failures == 0
        and "our own stream" in str(source.last_error)
        and source.next_poll_us == microseconds(world.now) + 5_000_000
    )
    ingest.run(world.name, world.resources)
    for _ in range(3):
        world.poll(after=timedelta(seconds=10))
    assert len(world.complaints()) == 30 and world.source().last_error is None


@pytest.mark.parametrize("failure", [StoreUnavailable("gone"), Overloaded("full", retry_after_seconds=7)])
def test_a_store_that_is_away_leaves_the_cursor_where_it_was(
    make: Make, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    ozone = Ozone()
    ozone.event("modEventReport", BEGIN - HOUR, reportType="x#reasonSpam")
    world = make(ozone)

    def fails(*_: Any, **__: Any) -> int:
        raise failure

    with monkeypatch.context() as patched:
        patched.setattr(stream, "append_blocking", fails)
        assert world.poll().cursor is None or "walks" not in (world.source().cursor or {})
    world.poll()
    assert list(world.complaints()) == ["1"]


def test_a_webhook_wakes_a_poll_but_not_twice_within_two_seconds(make: Make) -> None:
    coral = Coral()
    world = make(coral)
    world.poll()
    asked = len(coral.asked)
    with write(world.resources.engine) as connection:
        assert wake_pollers(connection, world.number, "coral", microseconds(world.now)) == 1
    world.poll(after=timedelta(seconds=1))
    assert len(coral.asked) == asked
    assert world.timer() == world.now + timedelta(seconds=1)
    world.poll(after=timedelta(seconds=1))
    assert len(coral.asked) == asked + 1


def test_news_that_arrives_during_a_poll_has_the_source_polled_again_at_once(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make(Coral())
    real = poll.fetch

    def fetch(*arguments: Any) -> object:
        with write(world.resources.engine) as connection:
            wake_pollers(connection, world.number, "coral", microseconds(world.now))
        return real(*arguments)

    monkeypatch.setattr(poll, "fetch", fetch)
    source = world.poll()
    assert source.next_poll_us == microseconds(world.now) and world.timer() == world.now + timedelta(seconds=2)


def test_a_source_removed_during_its_poll_is_left_alone(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make(Coral())
    real = poll.fetch

    def fetch(*arguments: Any) -> object:
        with write(world.resources.engine) as connection:
            remove_source(connection, world.number, world_source.id, now_us=1)
        return real(*arguments)

    world_source = world.source()
    monkeypatch.setattr(poll, "fetch", fetch)
    world.passes(HOUR)
    world.turn()
    assert world.timer() is None


def test_the_timer_names_the_next_poll_of_the_tenants_sources(make: Make) -> None:
    world = make(Ozone())
    with world.resources.engine.connect() as connection:
        assert timers.due(connection, microseconds(BEGIN)) == [("poll", "paper")]
    world.poll()
    assert world.timer() == world.now + timedelta(seconds=60)


def test_a_turn_ends_in_time_and_the_rest_of_the_sources_is_the_next_jobs(make: Make) -> None:
    world = make(Ozone())
    with write(world.resources.engine) as connection:
        add_source(
            connection,
            SecretBox(world.resources.settings),
            world.number,
            "ozone",
            secret="admin:secret-password",
            url=f"http://127.0.0.1:{world.port}",
            same_installation=True,
            now_us=microseconds(BEGIN),
        )
    world.turn(seconds=0.0)
    assert world.server.asked == [] and world.timer() == BEGIN
    world.turn()
    assert world.server.asked == ["", "activities"] * 2


def test_two_installations_of_a_platform_lose_nothing_and_mix_nothing(make: Make) -> None:
    first, second = Lemmy(), Lemmy()
    for number in range(3):
        first.report(number, BEGIN - HOUR + timedelta(minutes=number))
        second.report(number, BEGIN - HOUR + timedelta(minutes=number))
    second.resolve(second.views[0], BEGIN, removed=True)
    world = make(first)
    with listening(second.app()) as port:
        allowed = f"{world.resources.settings.outbound_allow},127.0.0.1/32:{port}"
        reaching = replace(world.resources.settings, outbound_allow=allowed)
        world.resources = Clocked(reaching, world.resources.engine, world.resources.redis)
        Clocked.times[id(world.resources)] = BEGIN
        with write(world.resources.engine) as connection:
            add_source(
                connection,
                SecretBox(world.resources.settings),
                world.number,
                "lemmy",
                secret="secret-token",
                url=f"http://127.0.0.1:{port}",
                namespace="second",
                now_us=microseconds(BEGIN),
            )
        world.poll()
        position = world.position()
        world.poll(after=2 * HOUR)  # reads all of it again, and knows it
    bare = {f"comment-report/{number}" for number in range(3)}
    assert set(world.complaints()) == bare | {f"second:{one}" for one in bare}
    assert (world.position(), position) == (7, 7)
    assert set(world.states().values()) == {schema.STANDING}
    found = world.complaints()["second:comment-report/2"]
    assert found["reporter"]["id"] == "second:102"
    assert (found["target"]["id"], found["target"]["author_id"], found["target"]["context_id"]) == (
        "second:comment/2",
        "second:7",
        "second:post/40",
    )
    # The community is what targets may have in common: those of two installations are two.
    assert found["target"]["attributes"] == {"community": "second:community/3"}
    assert [(one["id"][:24], one["target_id"]) for one in world.outcomes().values()] == [
        ("second:comment-report/0/", "second:comment/0")
    ]


def test_the_job_itself_runs_with_the_real_clock_and_a_lease(make: Make) -> None:
    ozone = Ozone()
    world = make(ozone)
    resources = Resources(world.resources.settings, world.resources.engine, world.resources.redis)
    world.resources.redis.set(redis_keys.lease("poll", "paper"), "another")
    poll.run("paper", resources)
    assert ozone.asked == []
    world.resources.redis.delete(redis_keys.lease("poll", "paper"))
    poll.run("paper", resources)
    assert ozone.asked == ["", "activities"]
    poll.run("nobody", resources)
