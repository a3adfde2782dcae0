"""What was stored while the wall clock was ahead keeps nothing waiting once it is right again: every mark, lease, plan
and beat beyond the longest of its kind is pulled back. (Redis keeps the end of a key's life as a time, so that a clock
that is set back by an hour leaves it an hour more.)
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from conftest import RedisClients
from pipeline_world import Paper
from sqlalchemy import Connection, Engine

from service.api import limits
from service.moderation.events import Event
from service.ops.processes import read_kinds
from service.settings import Settings
from service.storage.accounts import sessions, sign_in_throttle
from service.storage.accounts.tenants import create_tenant
from service.storage.accounts.users import create_user
from service.storage.redis_store import health, redis_keys
from service.storage.redis_store.job_queue import enqueue
from service.storage.redis_store.leases import TTL_MS, Lease, is_held
from service.storage.sql import schema, timers
from service.storage.sql.engine import write
from service.storage.webhooks import deliveries, outbox, subscriptions
from service.storage.webhooks.sources import Source
from workers import deliver, poll
from workers.clock import Clock
from workers.tenant_assignment import TenantAssignment

NOW = 1_795_000_000_000_000
HOUR_MS, HOUR, DAY = 3_600_000, 3_600_000_000, 86_400_000_000
SECOND = 1_000_000


@pytest.fixture
def paper(clients: RedisClients, engine: Engine, settings: Settings) -> Paper:
    return Paper(clients, engine, settings)


@pytest.fixture
def connection(engine: Engine) -> Any:
    create_tenant(engine, "paper", 1)
    with write(engine) as opened:
        yield opened


def test_a_lease_of_who_died_before_an_hour_back_is_free_within_seconds(clients: RedisClients) -> None:
    redis = clients.blocking
    gone, comes = Lease(redis, "ingest", "paper"), Lease(redis, "ingest", "paper")
    assert gone.take()
    redis.pexpire(gone.key, HOUR_MS + TTL_MS)
    assert not comes.take()
    assert redis.pttl(gone.key) <= TTL_MS
    assert is_held(TTL_MS) and is_held(-1) and not is_held(HOUR_MS) and not is_held(-2)


def test_the_clock_has_the_work_tried_that_such_a_lease_would_hold_up(paper: Paper) -> None:
    paper.accepts(b"c{}")
    paper.redis.set(redis_keys.lease("ingest", "paper"), "gone", px=HOUR_MS)
    assert "ingest" in Clock(paper.resources).beat()["paper"]


def test_a_mark_of_a_lost_job_keeps_the_next_away_for_seconds_only(clients: RedisClients) -> None:
    redis = clients.blocking
    assert enqueue(redis, "ingest", "paper")
    redis.pexpire(redis_keys.enqueued("ingest", "paper"), HOUR_MS)
    assert not enqueue(redis, "ingest", "paper")
    assert 0 < redis.pttl(redis_keys.enqueued("ingest", "paper")) <= 5_000


def test_a_refused_write_of_before_an_hour_back_makes_nobody_unready(clients: RedisClients) -> None:
    health.note_refused_write(clients.blocking, "disk is full")
    assert health.look(clients.blocking) == (None, "disk is full")
    clients.blocking.pexpire(redis_keys.REFUSED_WRITE, HOUR_MS)
    assert health.look(clients.blocking) == clients.run(health.look_async(clients.asyncio)) == (None, None)


def test_a_detect_worker_last_heard_in_the_future_loses_its_tenants(clients: RedisClients) -> None:
    dead, lives = TenantAssignment(clients.blocking), TenantAssignment(clients.blocking)
    dead.beat()
    lives.beat()
    assert dead.has("paper") and not lives.has("paper")
    seconds, _ = clients.blocking.time()
    clients.blocking.zadd(redis_keys.DETECTORS, {dead.name: (seconds + 40 * 86_400) * 1_000})
    assert lives.has("paper")
    lives.beat()
    assert clients.blocking.zscore(redis_keys.DETECTORS, dead.name) is None


def test_a_process_last_heard_in_the_future_is_not_counted() -> None:
    beats = {"clock|a": '{"at": 1000.0}', "clock|b": '{"at": 4600.0}'}
    assert read_kinds(beats, 1_005.0)["clock"].count == 1


def test_a_plan_beyond_the_longest_of_its_kind_is_due(connection: Connection) -> None:
    for work, due_us in (("poll", NOW + 40 * DAY), ("retain", NOW + DAY), ("deliver", NOW + HOUR), ("erase", NOW + 1)):
        timers.at_latest(connection, 1, work, due_us)
    longest = {"poll": 900 * SECOND, "retain": DAY, "deliver": 900 * SECOND, "erase": 900 * SECOND}
    assert sorted(work for work, _ in timers.due(connection, NOW, longest)) == ["deliver", "poll"]
    assert timers.due(connection, NOW) == []


SOURCE = Source(
    id="src_1",
    tenant_id=1,
    tenant="paper",
    platform="lemmy",
    url="https://x.example",
    secret=None,
    previous_secret=None,
    previous_until_us=None,
    mapping=None,
    namespace=None,
    created_us=NOW,
    cursor=None,
    next_poll_us=None,
    polled_us=None,
    failures=0,
    last_error=None,
)


@pytest.mark.parametrize(
    ("changes", "is_due"),
    [
        pytest.param({"next_poll_us": NOW + 59 * SECOND}, False, id="planned"),
        pytest.param({"next_poll_us": NOW + 40 * DAY}, True, id="planned 40 days ahead"),
        pytest.param({"next_poll_us": NOW + HOUR}, True, id="planned before an hour back"),
        pytest.param({"next_poll_us": NOW + HOUR, "failures": 3}, False, id="left alone for the hour it asked for"),
        pytest.param({"next_poll_us": NOW + 2 * HOUR, "failures": 3}, True, id="longer than anybody may ask for"),
        pytest.param({"next_poll_us": NOW, "polled_us": NOW + HOUR}, True, id="polled in the future"),
        pytest.param({"next_poll_us": NOW, "polled_us": NOW - SECOND}, False, id="polled a second ago"),
    ],
)
def test_when_a_source_is_polled(changes: dict[str, int], is_due: bool) -> None:
    assert (poll.due_us(replace(SOURCE, **changes), NOW, 60.0) <= NOW) is is_due


def test_deliveries_that_were_put_off_by_a_clock_ahead_go_now(connection: Connection) -> None:
    subscriptions.create(
        connection,
        1,
        url="https://x.example",
        events=[],
        description="",
        sealed_secret="sealed",
        by="test",
        now_us=NOW,
    )
    for key in ("fresh", "failed", "waits", "claimed"):
        outbox.record(connection, 1, [Event("target.hold", key, {})], NOW)
    d = schema.deliveries.c
    ids = list(connection.scalars(sa.select(d.id).order_by(d.id)))
    states = ((0, HOUR), (2, 40 * DAY), (8, 20 * HOUR), (0, 60 * SECOND))
    for delivery, (attempts, ahead) in zip(ids, states, strict=True):
        connection.execute(
            sa.update(schema.deliveries).where(d.id == delivery).values(attempts=attempts, next_us=NOW + ahead)
        )
    connection.execute(sa.update(schema.subscriptions).values(rest_until_us=NOW + 40 * DAY))
    assert deliveries.pull_back(connection, 1, NOW, deliver.LONGEST_FIRST_US, deliver.LONGEST_PAUSE_US)
    found = {row.id: row.next_us for row in connection.execute(sa.select(d.id, d.next_us))}
    assert [found[delivery] - NOW for delivery in ids] == [0, 0, 20 * HOUR, 60 * SECOND]
    assert connection.scalar(sa.select(schema.subscriptions.c.rest_until_us)) is None
    assert not deliveries.pull_back(connection, 1, NOW, deliver.LONGEST_FIRST_US, deliver.LONGEST_PAUSE_US)


def test_a_lock_or_session_of_a_clock_ahead_has_ended(connection: Connection) -> None:
    user = create_user(connection, 1, "ann", "admin", "hash", actor="test", now_us=NOW)
    token = sessions.open_session(connection, user.id, "hash", "1.2.3.4", NOW + 40 * DAY)
    assert token is not None and sessions.read_session(connection, token, NOW + 40 * DAY) is not None
    assert sessions.read_session(connection, token, NOW) is None
    an_hour_back = sessions.open_session(connection, user.id, "hash", "1.2.3.4", NOW + HOUR)
    assert an_hour_back is not None and sessions.read_session(connection, an_hour_back, NOW) is not None
    short = sessions.start_session(
        connection, 1, user.id, "ann", "1.2.3.4", NOW + 2 * DAY, seconds=12 * 3_600, via="sso"
    )
    assert sessions.read_session(connection, short, NOW) is None, "it would last for five times as long as it may"
    assert sign_in_throttle.is_locked(NOW + 900 * SECOND, NOW)
    assert not sign_in_throttle.is_locked(NOW + 901 * SECOND, NOW) and not sign_in_throttle.is_locked(NOW, NOW)


def test_a_debt_of_a_rate_is_not_prolonged(clients: RedisClients) -> None:
    seconds, _ = clients.blocking.time()
    ahead = (seconds + 40 * 86_400) * SECOND
    clients.blocking.set("bucket", f"{5 * SECOND} {ahead}")
    left = clients.run(limits._SPEND.ask(clients.asyncio, ["bucket"], [str(SECOND)]))
    assert int(left) == 6 * SECOND
