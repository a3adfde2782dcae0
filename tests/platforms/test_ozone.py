"""The poller against a real Ozone: what its log becomes, who may ask, and that a kill loses and doubles nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from platforms.node_programs import ROOT
from platforms.ozone_process import RealOzone, account, conversation, message, post
from polled_platforms import text
from polled_world import Clocked, World, world_of
from sqlalchemy import Engine

from service.errors import Refused
from service.settings import Settings
from service.storage.redis_store import redis_keys
from service.storage.sql import schema
from service.storage.sql.engine import write
from workers import ingest

MINUTE = timedelta(minutes=1)

# One poll in a process of its own, which ends itself with SIGKILL: at the n-th request, or when the n-th page is in the
# stream and its cursor is not stored yet.
ONE_POLL = """
import os, signal, sys
import redis
from service.settings import read_settings
from service.storage.sql.engine import open_database
from workers import poll
from workers.resources import Resources
where, count = sys.argv[1], int(sys.argv[2])
real, left = getattr(poll, where), [count]
def dies(*arguments, **named):
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments, **named)
setattr(poll, where, dies)
settings = read_settings()
client = redis.Redis.from_url(os.environ["REDIS_URL"])
poll.run("paper", Resources(settings, open_database(settings.database_url), client))
"""


@pytest.fixture
def world(ozone: RealOzone, settings: Settings, engine: Engine, fake_redis: Any) -> World:
    return world_at(ozone, settings, engine, fake_redis.blocking)


def world_at(ozone: RealOzone, settings: Settings, engine: Engine, client: Any) -> World:
    used = replace(settings, secret_keys=("5e" * 32,), outbound_allow=f"127.0.0.1/32:{ozone.port}")
    made = world_of(used, engine, client, "ozone", ozone.port, token=ozone.secret)
    Clocked.times[id(made.resources)] = datetime.now(UTC)
    return made


def mine(world: World, *targets: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The complaints and outcomes about these targets, by id: other tests use the same Ozone."""
    return (
        {i: c for i, c in world.complaints().items() if c["target"]["id"] in targets},
        {i: o for i, o in world.outcomes().items() if o["target_id"] in targets},
    )


def test_every_kind_of_subject_is_a_target_of_its_own(ozone: RealOzone, world: World) -> None:
    reader, author = ozone.person(), ozone.person()
    subjects = [account(author), post(author, "1"), conversation(author, "c1"), message(author, "c1", "m1")]
    for subject in subjects:
        ozone.report(reader, subject, reason="com.atproto.moderation.defs#reasonRude")
    for subject in subjects[2:]:
        ozone.emit("modEventAcknowledge", subject)
    world.poll()
    ids = [author, subjects[1]["uri"], f"at://{author}/chat.bsky.convo/c1", "message/m1"]
    complaints, outcomes = mine(world, *ids)
    assert [c["target"]["id"] for c in complaints.values()] == ids
    assert [c["target"]["kind"] for c in complaints.values()] == ["account", "post", "conversation", "message"]
    assert {c["target"]["author_id"] for c in complaints.values()} == {author}
    assert {c["reporter"]["id"] for c in complaints.values()} == {reader}
    assert [o["target_id"] for o in outcomes.values()] == ids[2:]  # the account was not acknowledged


def test_what_is_negated_or_reversed_is_retracted(ozone: RealOzone, world: World) -> None:
    reader, author = ozone.person(), ozone.person()
    labelled, taken = post(author, "1"), post(author, "2")
    for subject in (labelled, taken):
        ozone.report(reader, subject)
    label = ozone.emit("modEventLabel", labelled, createLabelVals=["spam", "!hide"], negateLabelVals=[])
    ozone.emit("modEventAcknowledge", labelled)  # closes what was labelled
    takedown = ozone.emit("modEventTakedown", taken)
    world.poll()
    ozone.report(author, labelled, reason="com.atproto.moderation.defs#reasonAppeal")
    half = ozone.emit("modEventLabel", labelled, createLabelVals=[], negateLabelVals=["spam"])
    negated = ozone.emit("modEventLabel", labelled, createLabelVals=[], negateLabelVals=["!hide"])
    ozone.emit("modEventResolveAppeal", labelled)
    reversal = ozone.emit("modEventReverseTakedown", taken)
    acknowledged = ozone.emit("modEventAcknowledge", labelled)  # nothing is left that it could close
    world.poll()
    complaints, outcomes = mine(world, labelled["uri"], taken["uri"])
    assert len(complaints) == 2 and str(half) not in outcomes
    assert {i: (o.get("verdict"), o.get("action"), o.get("retracts")) for i, o in outcomes.items()} == {
        str(label): ("upheld", "removed", None),
        str(takedown): ("upheld", "removed", None),
        str(negated): (None, "restored", str(label)),
        str(reversal): ("rejected", "restored", str(takedown)),
        str(acknowledged): ("rejected", "kept", None),
    }


def test_an_account_that_is_taken_down_with_its_subjects_says_nothing_about_them(
    ozone: RealOzone, world: World
) -> None:
    reader, author = ozone.person(), ozone.person()
    subject = post(author, "1")
    ozone.report(reader, subject)
    takedown = ozone.emit("modEventTakedown", account(author), acknowledgeAccountSubjects=True)
    world.poll()
    complaints, outcomes = mine(world, author, subject["uri"])
    assert len(complaints) == 1 and list(outcomes) == [str(takedown)] and outcomes[str(takedown)]["target_id"] == author


def test_reports_that_are_closed_without_an_event_are_rejected_alone(ozone: RealOzone, world: World) -> None:
    readers, author = [ozone.person() for _ in range(3)], ozone.person()
    closed, singly, acted = post(author, "1"), post(author, "2"), post(author, "3")
    reports = [ozone.report(reader, closed) for reader in readers]
    single = [ozone.report(reader, singly) for reader in readers[:2]]
    ozone.report(readers[0], acted)
    ozone.route()
    ozone.call("tools.ozone.report.closeReports", {"subject": closed["uri"], "isAutomated": True})
    close, reopen = ({"$type": f"tools.ozone.report.defs#{kind}Activity"} for kind in ("close", "reopen"))
    ozone.call("tools.ozone.report.createActivity", {"eventId": single[0], "activity": close})
    # An event that closes reports as well: it speaks for them.
    label = {"$type": "tools.ozone.moderation.defs#modEventLabel", "createLabelVals": ["spam"], "negateLabelVals": []}
    event = {"event": label, "subject": acted, "createdBy": ozone.moderator, "reportAction": {"all": True}}
    ozone.call("tools.ozone.moderation.emitEvent", event)
    world.poll(after=6 * MINUTE)
    complaints, outcomes = mine(world, closed["uri"], singly["uri"], acted["uri"])
    assert len(complaints) == 6
    found = [(o["target_id"], o.get("complaint_id"), o["verdict"], o["decided_by"]) for o in outcomes.values()]
    assert sorted(found, key=str) == sorted(
        [
            *((closed["uri"], str(report), "rejected", "automatic") for report in reports),
            (singly["uri"], str(single[0]), "rejected", "person"),
            (acted["uri"], None, "upheld", "person"),
        ],
        key=str,
    )
    ozone.call("tools.ozone.report.createActivity", {"eventId": single[0], "activity": reopen})
    world.poll(after=6 * MINUTE)
    _, later = mine(world, singly["uri"])
    (first, _), (_, again) = later.items()
    assert again["retracts"] == first and "verdict" not in again


def test_what_says_that_it_is_automated_is_a_machine(ozone: RealOzone, world: World) -> None:
    reader, author = ozone.person(), ozone.person()
    subject, tool = post(author, "1"), {"name": "partner/scanner", "meta": {"isAutomated": True}}
    by_tool = ozone.report(reader, subject, modTool=tool)
    takedown = ozone.emit("modEventTakedown", subject, modTool=tool)
    world.poll()
    _, outcomes = mine(world, subject["uri"])
    assert world.states()[str(by_tool)] == schema.MACHINE and outcomes[str(takedown)]["decided_by"] == "automatic"


def test_a_moderators_token_is_good_for_one_method_alone_and_refused(
    ozone: RealOzone, settings: Settings, engine: Engine, fake_redis: Any
) -> None:
    token = ozone.token()
    headers = {"Authorization": f"Bearer {token}"}
    answers = [
        ozone.control.get(f"{ozone.url}/xrpc/{method}", headers=headers)
        for method in ("tools.ozone.moderation.queryEvents", "tools.ozone.report.queryActivities")
    ]
    assert [answer.status_code for answer in answers] == [200, 401] and "lxm" in answers[1].text
    used = replace(settings, secret_keys=("5e" * 32,))
    with pytest.raises(Refused, match="admin:PASSWORD"):
        world_of(used, engine, fake_redis.blocking, "ozone", ozone.port, token=token)


@pytest.mark.timeout(300)  # seven processes, each of which imports everything
def test_a_poll_killed_at_any_page_of_one_millisecond_loses_and_doubles_nothing(
    ozone: RealOzone, settings: Settings, engine: Engine, valkey_url: str
) -> None:
    author = ozone.person()
    subjects = [post(author, str(number)) for number in range(3)]
    made = ozone.reports_of_one_millisecond(300, subjects, text(datetime.now(UTC) - 10 * MINUTE))
    with redis.Redis.from_url(valkey_url) as client:
        world = world_at(ozone, settings, engine, client)
        # before and behind the first page, the second, and the third, which is sent twice before its cursor is stored
        kills = [("fetch", 1), ("record_cursor", 1), ("fetch", 2), ("record_cursor", 2), ("record_cursor", 1)]
        for number, (where, count) in enumerate(kills):
            assert killed(world, valkey_url, where, count) == -signal.SIGKILL
            if number % 2:
                ingest.run(world.name, world.resources)  # of some, what came before is archived; of others, it is not
        assert killed(world, valkey_url, "fetch", 1_000) == 0
        for _ in range(2):  # what is on its way twice is archived once
            ingest.run(world.name, world.resources)
        Clocked.times[id(world.resources)] = datetime.now(UTC)
        source = world.poll()
        complaints, _ = mine(world, *(subject["uri"] for subject in subjects))
        assert source.last_error is None
        assert list(complaints) == [str(number) for number in sorted(made)]
        states = world.states()
        assert {states[str(number)] for number in made} == {schema.STANDING}


def killed(world: World, redis_url: str, where: str, count: int) -> int:
    """One poll that ends itself there; its exit code."""
    with write(world.resources.engine) as connection:
        connection.execute(schema.sources.update().values(next_poll_us=0))
    world.resources.redis.delete(redis_keys.lease("poll", world.name))  # of the one before, which is dead
    settings = world.resources.settings
    environment = {
        **os.environ,
        "REDIS_URL": redis_url,
        "DATABASE_URL": settings.database_url,
        "BRIGADEWATCH_SECRET_KEY": "5e" * 32,
        "BRIGADEWATCH_DATA": str(settings.data),
        "BRIGADEWATCH_OUTBOUND_ALLOW": settings.outbound_allow,
        "PYTHONPATH": str(ROOT),
    }
    arguments = [sys.executable, "-c", ONE_POLL, where, str(count)]
    return subprocess.run(arguments, env=environment, cwd=ROOT, timeout=60).returncode
