"""When the clock asks for what, and that it outlives its stores."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis
from archive_lines import complaint
from pipeline_world import Paper
from redis_process import RedisProcess
from sqlalchemy import Engine, event, insert, update
from sqlalchemy.exc import OperationalError

from service.policy import DEFAULT_POLICY
from service.settings import Settings
from service.storage.accounts.tenants import create_tenant
from service.storage.redis_store import hurry, redis_keys
from service.storage.redis_store.job_queue import begun, waiting_jobs
from service.storage.redis_store.leases import Lease
from service.storage.sql.engine import write
from service.storage.sql.schema import analysis_state, decisions, sweeps
from workers import ingest
from workers.clock import Clock, TenantState, due, run_clock
from workers.resources import Resources

NOW = 1_790_000_000_000_000
SECOND, HOUR, DAY = 1_000_000, 3_600_000_000, 86_400_000_000

QUIET = TenantState(
    position=100,
    entries=0,
    ingesting=False,
    detecting=False,
    sweeping=False,
    archived_position=100,
    last_seq=90,
    resent=0,
    cursor_seq=90,
    analysed_position=100,
    watermark_us=50 * DAY,
    swept_position=100,
    swept_watermark_us=50 * DAY,
    decision_waits=False,
    sweep_finished_us=NOW - 60 * SECOND,
    sweep_began_us=NOW - 61 * SECOND,
    swept_us=NOW - 60 * SECOND,
    tick_age_us=SECOND,
    checked=True,
)
BEHIND = replace(
    QUIET, position=5_000, archived_position=4_000, last_seq=4_000, cursor_seq=2_000, analysed_position=2_000
)

CASES: list[tuple[str, TenantState, set[str]]] = [
    ("a quiet tenant", QUIET, set()),
    ("a stream with something in it", replace(QUIET, entries=1, position=101), {"ingest"}),
    ("while somebody ingests", replace(QUIET, entries=1, position=101, ingesting=True), set()),
    ("feed beyond the cursor", replace(QUIET, last_seq=91), {"detect"}),
    ("less than half a second after the last tick", replace(QUIET, last_seq=91, tick_age_us=400_000), set()),
    ("before this clock's first tick", replace(QUIET, last_seq=91, tick_age_us=None), {"detect"}),
    (
        "after a sweep that began an hour ahead, before the wall clock was set back",
        replace(
            QUIET,
            position=101,
            archived_position=101,
            analysed_position=101,
            sweep_began_us=NOW + HOUR,
            sweep_finished_us=NOW + HOUR + SECOND,
            swept_us=NOW + HOUR + SECOND,
        ),
        {"sweep"},
    ),
    ("while somebody detects", replace(QUIET, last_seq=91, detecting=True), set()),
    ("a decision", replace(QUIET, decision_waits=True), {"detect"}),
    (
        "a sweep to take over",
        replace(QUIET, sweep_finished_us=NOW - SECOND, analysed_position=101, position=101, archived_position=101),
        {"detect"},
    ),
    ("a first sweep to take over", replace(QUIET, swept_us=None), {"detect"}),
    ("an empty Redis", replace(QUIET, position=None, entries=3), {"restore"}),
    ("a Redis that fell back behind the archive", replace(QUIET, position=99, entries=3), {"restore"}),
    (
        "idle, and something analysed since the last sweep",
        replace(QUIET, position=101, archived_position=101, analysed_position=101),
        {"sweep"},
    ),
    (
        "the same within 30 s of the last sweep's beginning",
        replace(QUIET, position=101, archived_position=101, analysed_position=101, sweep_began_us=NOW - 29 * SECOND),
        set(),
    ),
    (
        "30 s after its beginning, however long it took",
        replace(
            QUIET,
            position=101,
            archived_position=101,
            analysed_position=101,
            sweep_began_us=NOW - 30 * SECOND,
            sweep_finished_us=NOW - SECOND,
            swept_us=NOW - SECOND,
        ),
        {"sweep"},
    ),
    (
        "idle, never swept, so nothing to pause after",
        replace(
            QUIET, swept_position=0, swept_watermark_us=None, sweep_finished_us=None, sweep_began_us=None, swept_us=None
        ),
        {"sweep"},
    ),
    (
        "behind and never swept, for only outcomes were there",
        replace(BEHIND, swept_watermark_us=None, sweep_began_us=NOW - SECOND),
        {"detect", "sweep"},
    ),
    (
        "outcomes alone, watermark unmoved",
        replace(
            QUIET,
            position=101,
            archived_position=101,
            analysed_position=101,
            watermark_us=None,
            swept_watermark_us=None,
        ),
        {"sweep"},
    ),
    (
        "a dead letter on its way again: not idle",
        replace(QUIET, position=101, archived_position=101, analysed_position=101, resent=1),
        set(),
    ),
    (
        "while somebody sweeps",
        replace(QUIET, position=101, archived_position=101, analysed_position=101, sweeping=True),
        set(),
    ),
    ("behind, moved less than an hour", replace(BEHIND, watermark_us=50 * DAY + HOUR - 1), {"detect"}),
    ("behind, moved an hour", replace(BEHIND, watermark_us=50 * DAY + HOUR), {"detect", "sweep"}),
    (
        "behind, moved an hour, swept a moment ago",
        replace(BEHIND, watermark_us=50 * DAY + HOUR, sweep_began_us=NOW - SECOND),
        {"detect"},
    ),
    (
        "a backlog of 7 days: the pause does not apply",
        replace(BEHIND, watermark_us=57 * DAY, sweep_began_us=NOW - SECOND),
        {"detect", "sweep"},
    ),
    ("nearly 7 days", replace(BEHIND, watermark_us=57 * DAY - 1, sweep_began_us=NOW - SECOND), {"detect"}),
    (
        "7 days, but nothing was analysed since the last sweep",
        replace(BEHIND, watermark_us=57 * DAY, swept_position=2_000),
        {"detect"},
    ),
]


@pytest.mark.parametrize(("state", "works"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_is_due(state: TenantState, works: set[str]) -> None:
    assert due(state, NOW, DEFAULT_POLICY) == works


def test_a_tenants_own_thresholds_decide() -> None:
    moved = replace(BEHIND, watermark_us=50 * DAY + HOUR)
    assert "sweep" not in due(moved, NOW, DEFAULT_POLICY.overridden({"sweep_every_seconds": 7_200}))


@pytest.fixture
def paper(clients: Any, engine: Engine, settings: Settings) -> Paper:
    return Paper(clients, engine, settings)


def test_a_beat_enqueues_what_is_due_once(paper: Paper) -> None:
    clock = Clock(paper.resources)
    assert clock.beat() == {"paper": frozenset()}
    paper.accepts(complaint("a"))
    assert clock.beat() == {"paper": {"ingest"}}
    clock.beat()
    assert waiting_jobs(paper.redis)["ingest"] == 1
    begun(paper.redis, "ingest", "paper")
    ingest.run("paper", paper.resources)
    assert clock.beat() == {"paper": {"detect"}}
    assert clock.beat() == {"paper": frozenset()}, "half a second has not passed"
    assert waiting_jobs(paper.redis)["detect"] == 1


def test_between_full_rounds_only_busy_tenants_are_looked_at_and_none_is_forgotten(paper: Paper) -> None:
    create_tenant(paper.engine, "other", 0)
    paper.redis.set(redis_keys.position("other"), 0)
    clock = Clock(paper.resources)
    assert set(clock.beat()) == {"paper", "other"}
    assert clock.beat() == {}
    paper.accepts(complaint("a"))
    assert set(clock.beat()) == {"paper"}
    paper.redis.delete(redis_keys.TENANTS_WAITING)  # a hint that was lost
    clock._round_at -= 2
    assert clock.beat()["paper"] == {"ingest"}


def test_a_tenant_that_is_done_is_busy_no_longer(paper: Paper) -> None:
    paper.accepts(complaint("a"))
    ingest.run("paper", paper.resources)
    state = paper.state()
    with write(paper.engine) as connection:
        connection.execute(
            update(analysis_state).values(
                cursor_seq=state.last_seq,
                analysed_position=1,
                swept_position=1,
                swept_us=1,
                swept_watermark_us=state.watermark_us,
            )
        )
    clock = Clock(paper.resources)
    clock._round_at = 1e18
    assert clock.beat() == {"paper": frozenset({"selfcheck"})}  # once a day, when nothing else is to be done
    assert clock.beat() == {"paper": frozenset()}
    assert clock.beat() == {}
    assert paper.redis.sunion([redis_keys.TENANTS_WAITING, redis_keys.TENANTS_DIRTY]) == set()


def test_leases_decisions_and_sweeps_are_read_from_the_stores(paper: Paper) -> None:
    paper.accepts(complaint("a"))
    ingest.run("paper", paper.resources)
    now = paper.resources.now_us()
    with write(paper.engine) as connection:
        connection.execute(update(analysis_state).values(cursor_seq=1, analysed_position=1, watermark_us=5))
        connection.execute(
            insert(sweeps).values(tenant_id=paper.id, seq=1, position=1, finished_us=now, seconds=2.5, payload=b"")
        )
    clock = Clock(paper.resources)
    with paper.engine.connect() as connection:
        state, _ = clock._look(connection, None)["paper"]
    assert (state.sweep_finished_us, state.sweep_began_us, state.decision_waits, state.detecting) == (
        now,
        now - 2_500_000,
        False,
        False,
    )
    Lease(paper.redis, "detect", "paper").take()
    with paper.engine.connect() as connection:
        assert clock._look(connection, ["paper"])["paper"][0].detecting
        assert decisions.c.seq is not None
    assert clock.beat()["paper"] == frozenset(), "a sweep waits to be taken over, so no other is due"


def test_who_asks_wakes_the_clock_and_ingest_hands_the_tenant_to_detect(
    paper: Paper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hurry, "MARK_MS", 600_000)  # however busy the machine is
    clock, stop = Clock(paper.resources), threading.Event()
    paper.accepts(complaint("a"))
    clock.rest(stop, time.monotonic())
    assert waiting_jobs(paper.redis)["ingest"] == 0
    paper.clients.run(hurry.request(paper.clients.asyncio, ["paper", "paper", "gone"]))
    before = time.monotonic()
    clock.rest(stop, before + 0.2)
    assert time.monotonic() - before > 0.15, "it rests on after it has enqueued"
    assert waiting_jobs(paper.redis)["ingest"] == 2
    assert not paper.redis.exists(redis_keys.HURRIED)
    ingest.run("gone", paper.resources)
    ingest.run("paper", paper.resources)
    assert waiting_jobs(paper.redis)["detect"] == 1
    paper.redis.delete(redis_keys.hurry("paper"))
    begun(paper.redis, "detect", "paper")
    paper.accepts(complaint("b"))
    ingest.run("paper", paper.resources)
    assert waiting_jobs(paper.redis)["detect"] == 1, "nobody waits: the clock's beat will do"


def test_the_clock_outlives_its_redis(tmp_path: Path, engine: Engine, settings: Settings) -> None:
    server = RedisProcess(tmp_path / "clock").start()
    client = redis.Redis.from_url(server.url, socket_timeout=1)
    create_tenant(engine, "paper", 0)
    client.set(redis_keys.position("paper"), 0)
    stop, seen = threading.Event(), threading.Event()

    def notice(record: logging.LogRecord) -> bool:
        if "cannot be used" in record.getMessage():
            seen.set()
        return True

    logging.getLogger("workers.clock").addFilter(notice)
    thread = threading.Thread(target=run_clock, args=(Resources(settings, engine, client), stop))
    thread.start()
    try:
        server.kill()
        assert seen.wait(10)
        server.start()
        client.xadd(redis_keys.stream("paper"), {"first": 1, "n": 1, "at": 1, "lines": "x"})
        for _ in range(100):
            if waiting_jobs(client)["ingest"]:
                break
            stop.wait(0.1)
        assert waiting_jobs(client)["ingest"] == 1
        assert thread.is_alive()
    finally:
        stop.set()
        thread.join(10)
        logging.getLogger("workers.clock").removeFilter(notice)
        client.close()
        server.stop()


def test_the_clock_outlives_its_database(paper: Paper, caplog: pytest.LogCaptureFixture) -> None:
    stop, failed = threading.Event(), threading.Event()

    def fail(*_: Any) -> None:
        failed.set()
        raise OperationalError("SELECT", {}, Exception("disk I/O error"))

    event.listen(paper.engine, "before_cursor_execute", fail)
    thread = threading.Thread(target=run_clock, args=(paper.resources, stop))
    thread.start()
    try:
        assert failed.wait(10)
        event.remove(paper.engine, "before_cursor_execute", fail)
        paper.accepts(complaint("a"))
        for _ in range(100):
            if waiting_jobs(paper.redis)["ingest"]:
                break
            stop.wait(0.1)
        assert waiting_jobs(paper.redis)["ingest"] == 1
    finally:
        stop.set()
        thread.join(10)
    assert caplog.text.count("does not answer") <= 2, "an outage is told once, not ten times a second"
