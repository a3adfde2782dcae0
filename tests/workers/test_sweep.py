"""One sweep: what it reads, what it leaves, and that it is not done twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from conftest import RedisClients
from flow import Newspaper, line, told, world_of
from sqlalchemy import Engine, select, update
from worlds import DAY, Row, columns, document, draw_town

from service.policy import DEFAULT_POLICY
from service.settings import Settings
from service.storage.accounts.policy_overrides import SWEEP_WORK
from service.storage.redis_store import redis_keys
from service.storage.sql import schema, timers
from service.storage.sql.engine import write
from workers import analysis_steps, detect, ingest, sweep, sweep_codec
from workers.detection.detector import Detector
from workers.detection.swept_pairs import SweptPairs
from workers.large import large_windows
from workers.large.pair_sweep import pairs_of


@pytest.fixture
def paper(fake_redis: RedisClients, engine: Engine, settings: Settings) -> Iterator[Newspaper]:
    newspaper = Newspaper(fake_redis, engine, settings)
    yield newspaper
    newspaper.forgets()


def rows_of(paper: Newspaper) -> list[object]:
    with paper.engine.connect() as connection:
        return list(
            connection.execute(
                select(schema.sweeps).where(schema.sweeps.c.tenant_id == paper.id).order_by(schema.sweeps.c.id)
            )
        )


def test_it_leaves_what_a_detector_of_the_whole_window_fits(paper: Newspaper) -> None:
    town = draw_town(2)
    paper.posts([document(r) for r in town.rows], batch=300)
    sweep.run(paper.name, paper.resources)
    *_, row = rows_of(paper)  # ticks may have waited for others on the way
    assert (row.seq, row.position) == (len(town.rows), len(town.rows))  # type: ignore[attr-defined]
    expected = Detector.sweep(DEFAULT_POLICY, columns(town.rows))[0].fitted()
    told = sweep_codec.unpack(row.payload)  # type: ignore[attr-defined]
    assert told.pairs_met == expected.pairs_met and len(told.p) == len(expected.p)
    assert sorted(told.p.tolist()) == pytest.approx(sorted(expected.p.tolist()))
    assert told.affinity.shape == pytest.approx(expected.affinity.shape, rel=1e-6)
    assert paper.redis.sismember(redis_keys.TENANTS_DIRTY, paper.name), "so that it is taken over soon"


def test_a_window_above_the_bound_of_the_settings_is_compared_in_duckdb_and_hands_on_the_same(
    fake_redis: RedisClients, engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    town, asked = draw_town(2), []
    documents = [document(r) for r in town.rows]

    def noted(*given: Any) -> SweptPairs:
        asked.append(pairs_of(*given))
        return asked[-1]

    monkeypatch.setattr(large_windows, "pairs_of", noted)
    payloads = []
    for name, bound in (("small", 10**6), ("large", len(documents))):
        paper = Newspaper(fake_redis, engine, replace(settings, large_window=bound), name)
        paper.posts(documents, batch=1_000)
        sweep.run(name, paper.resources)
        payloads.append(rows_of(paper)[-1].payload)  # type: ignore[attr-defined]
        paper.forgets()
    assert payloads[0] == payloads[1]
    assert len(asked) == 1
    assert not list((settings.data / "large").iterdir())


def test_only_the_window_is_swept_and_only_what_stands(paper: Newspaper) -> None:
    paper.posts(
        [
            document(r)
            for r in [
                Row(1, 1, 1, 0),
                Row(2, 2, 1, 60),
                Row(3, 3, 2, 20 * DAY),
                Row(4, 4, 2, 20 * DAY + 60),
                Row(5, 5, 2, 20 * DAY + 120),
            ]
        ],
        batch=2,
    )
    paper.posts([{"withdraws": "c5"}])
    sweep.run(paper.name, paper.resources)
    row = rows_of(paper)[-1]
    assert sweep_codec.unpack(row.payload).pairs_met == 1  # type: ignore[attr-defined]
    assert row.position == 6  # type: ignore[attr-defined]


def test_the_same_sweep_is_not_done_twice_and_an_older_one_is_cleared_away(paper: Newspaper) -> None:
    for k in range(1, 5):
        paper.posts([document(Row(k, k, 1, k * 60))])
        sweep.run(paper.name, paper.resources)
        sweep.run(paper.name, paper.resources)
        paper.sweeps()
        assert paper.analysis().swept_seq == paper.archived_seq()
    assert len(rows_of(paper)) <= 2
    finished = [row.finished_us for row in rows_of(paper)]  # type: ignore[attr-defined]
    assert finished == sorted(set(finished))


def test_a_tenant_without_a_complaint_can_be_swept(paper: Newspaper) -> None:
    paper.sweeps()
    assert paper.analysis().swept_position == 0
    assert paper.clusters() == {}


def test_while_another_sweeps_nothing_is_done(paper: Newspaper) -> None:
    paper.redis.set(redis_keys.lease("sweep", paper.name), "another")
    sweep.run(paper.name, paper.resources)
    assert rows_of(paper) == []


def in_a_backlog(paper: Newspaper, documents: list[dict[str, Any]]) -> None:
    """Everything is archived before the first tick."""
    for start in range(0, len(documents), 500):
        paper.accepts(*map(line, documents[start : start + 500]))
    while paper.waiting():
        ingest.run(paper.name, paper.resources)


def sweep_enqueued(paper: Newspaper) -> bool:
    return bool(paper.redis.delete(redis_keys.enqueued("sweep", paper.name)))


def analysed(paper: Newspaper, each_time: Callable[[], object]) -> None:
    """Analyse all that is archived; `each_time` before each turn of the detect worker."""
    while paper.analysis().cursor_seq < paper.archived_seq():
        each_time()
        detect.run(paper.name, paper.resources)


@pytest.mark.parametrize("forgets", [False, True])
def test_in_a_backlog_sweeps_run_ahead_of_the_ticks_and_change_no_result(
    fake_redis: RedisClients, engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch, forgets: bool
) -> None:
    for name in ("TURN_SECONDS", "SHORT_TURN_SECONDS"):
        monkeypatch.setattr(detect, name, 0.0)  # a step a turn
    monkeypatch.setattr(analysis_steps, "items_for", lambda speed, at_most: at_most)  # ticks as on any machine
    documents = told(world_of(3, 6_000))
    waits, ahead = Newspaper(fake_redis, engine, settings, "waits"), Newspaper(fake_redis, engine, settings, "ahead")
    for paper in (waits, ahead):
        in_a_backlog(paper, documents)
    while waits.analysis().cursor_seq < waits.archived_seq():
        before = waits.analysis()
        detect.run(waits.name, waits.resources)
        if waits.analysis() == before:
            waits.sweeps()
            if forgets:
                waits.forgets()
    seen, adopted = set[int](), {0}

    def sweep_first() -> None:
        while sweep_enqueued(ahead):
            sweep.run(ahead.name, ahead.resources)
        seen.update(row.seq for row in rows_of(ahead) if row.seq > ahead.analysis().cursor_seq)  # type: ignore[attr-defined]
        if forgets and ahead.analysis().swept_seq not in adopted:
            ahead.forgets()
        adopted.add(ahead.analysis().swept_seq)

    analysed(ahead, sweep_first)
    assert len(seen) >= 2, "no sweep was ahead of the ticks: the test has lost its point"
    for paper in (waits, ahead):
        paper.sweeps()
        paper.forgets()
    assert len(waits.groups()) >= 2
    assert ahead.groups() == waits.groups()
    known = {c.members: c for c in waits.clusters().values()}
    for cluster in ahead.clusters().values():
        assert cluster.score == pytest.approx(known[cluster.members].score)
        assert cluster.disposition == known[cluster.members].disposition


def test_the_next_sweep_ahead_is_enqueued_where_its_stop_is_archived_and_two_wait_at_most(paper: Newspaper) -> None:
    in_a_backlog(paper, [document(Row(k, k % 40, k // 3, k * DAY // 10)) for k in range(1, 500)])
    analysed_until_ticks_wait(paper)
    sweep_enqueued(paper)
    sweep.run(paper.name, paper.resources)
    assert sweep_enqueued(paper), "of the second stop"
    sweep.run(paper.name, paper.resources)
    assert not sweep_enqueued(paper), "two wait"
    sweep.run(paper.name, paper.resources)
    assert len(rows_of(paper)) == 2
    first, second = rows_of(paper)
    assert first.seq == paper.analysis().cursor_seq < second.seq  # type: ignore[attr-defined]
    analysed_until_ticks_wait(paper)
    assert paper.analysis().swept_seq >= first.seq  # type: ignore[attr-defined]
    assert sweep_enqueued(paper), "of the third stop, now that one is adopted"


def analysed_until_ticks_wait(paper: Newspaper) -> None:
    """Until ticks wait for a sweep, however many turns that takes on a busy machine."""
    before = None
    while before != (before := paper.analysis()):
        detect.run(paper.name, paper.resources)
    assert 0 < before.cursor_seq < paper.archived_seq()


def test_other_thresholds_are_swept_for_now_and_not_ahead(paper: Newspaper) -> None:
    in_a_backlog(paper, [document(Row(k, k % 40, k // 3, k * DAY // 10)) for k in range(1, 500)])
    analysed_until_ticks_wait(paper)
    sweep.run(paper.name, paper.resources)
    sweep.run(paper.name, paper.resources)
    with write(paper.engine) as connection:
        timers.at_latest(connection, paper.id, SWEEP_WORK, 0)
    sweep.run(paper.name, paper.resources)
    assert rows_of(paper)[-1].seq == paper.analysis().cursor_seq  # type: ignore[attr-defined]
    detect.run(paper.name, paper.resources)
    with paper.engine.connect() as connection:
        assert not timers.planned(connection, paper.id, SWEEP_WORK)
    analysed(paper, lambda: sweep.run(paper.name, paper.resources))


def test_ticks_that_stop_before_what_was_swept_ahead_get_a_sweep_of_their_own(paper: Newspaper) -> None:
    """As after a rebuild that cut the rows of the feed anew."""
    in_a_backlog(paper, [document(Row(k, k % 40, k // 3, k * DAY // 10)) for k in range(1, 500)])
    analysed_until_ticks_wait(paper)
    sweep.run(paper.name, paper.resources)
    sweep.run(paper.name, paper.resources)
    ahead = rows_of(paper)[-1]
    feed = schema.feed
    with write(paper.engine) as connection:  # the same stop is reached by an earlier row
        earlier = connection.scalars(
            select(feed.c.last_seq)
            .where(feed.c.tenant_id == paper.id, feed.c.last_seq < ahead.seq)  # type: ignore[attr-defined]
            .order_by(feed.c.last_seq.desc())
            .limit(1)
        ).one()
        assert earlier > paper.analysis().cursor_seq
        connection.execute(
            update(feed)
            .where(feed.c.tenant_id == paper.id, feed.c.last_seq == earlier)
            .values(watermark_us=ahead.watermark_us)  # type: ignore[attr-defined]
        )
    analysed_until_ticks_wait(paper)
    assert paper.analysis().cursor_seq == earlier
    sweep.run(paper.name, paper.resources)
    assert rows_of(paper)[-1].seq == earlier  # type: ignore[attr-defined]
    analysed(paper, lambda: sweep.run(paper.name, paper.resources))
