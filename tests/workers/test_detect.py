"""One tenant's ticks: what they write, what a failure in between leaves, and what decisions do to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from conftest import RedisClients
from flow import Newspaper, line
from redis.exceptions import ConnectionError as RedisConnectionError
from sqlalchemy import Engine
from worlds import DAY, Row, Town, document, draw_town, keys_of

from service.errors import StaleVersion
from service.settings import Settings
from service.storage.accounts.policy_overrides import set_overrides
from service.storage.cases import clusters
from service.storage.redis_store import assessments, redis_keys
from service.storage.redis_store.job_queue import enqueue
from service.storage.sql.engine import write
from service.storage.sql.hashing import field_of, key_of, key_of_field
from workers import analysis_steps, detect, ingest, tenant_analyzer, tick_size
from workers.detection.detector import Detector
from workers.detection.window_digest import window_digest
from workers.detection_metrics import DetectionMetrics
from workers.resident_windows import ResidentWindows
from workers.window_build import build_analyzer


@pytest.fixture
def paper(fake_redis: RedisClients, engine: Engine, settings: Settings) -> Iterator[Newspaper]:
    newspaper = Newspaper(fake_redis, engine, settings)
    yield newspaper
    newspaper.forgets()


@pytest.fixture(scope="module")
def town() -> Town:
    return draw_town(2)


def brigade(town: Town) -> frozenset[int]:
    return keys_of(f"r{r}" for r in town.brigades[0])


def in_redis(paper: Newspaper) -> dict[int, Any]:
    return {
        key_of_field(f): assessments.unpack(v)
        for f, v in paper.redis.hgetall(redis_keys.memberships(paper.name)).items()
    }


def totals_in_redis(paper: Newspaper) -> dict[str, int]:
    return {f.decode(): int(v) for f, v in paper.redis.hgetall(redis_keys.totals(paper.name)).items()}


def raid_target(paper: Newspaper, town: Town) -> str:
    """A target of the brigade on which it outnumbers everybody else."""
    (cluster,) = paper.clusters().values()
    count = {t: sum(m.target == t for m in cluster.memberships.values()) for t in cluster.author_by_target}
    best = max(count, key=lambda t: count[t])
    return next(f"t{r.target}" for r in town.rows if key_of(f"t{r.target}") == best)


def found(paper: Newspaper, town: Town) -> str:
    """Post the town, sweep; the id of its one cluster."""
    paper.posts([document(r) for r in town.rows], batch=300)
    paper.sweeps()
    ((identity, cluster),) = paper.clusters().items()
    assert cluster.members == brigade(town) and cluster.disposition == "flagged"
    return identity


def test_what_is_found_is_in_sql_and_answers_the_question_before_a_removal(paper: Newspaper, town: Town) -> None:
    identity = found(paper, town)
    target = raid_target(paper, town)
    answer = paper.asks(target)
    assert answer.complaints == sum(f"t{r.target}" == target for r in town.rows)
    assert answer.independent_complaints < answer.complaints
    assert [c.id for c in answer.clusters] == [identity] and answer.without_clusters == {
        identity: float(answer.complaints)
    }
    assert not answer.pending
    assert set(in_redis(paper)) == set(paper.clusters()[identity].author_by_target)
    state = paper.analysis()
    assert state.cursor_seq == paper.archived_seq() == state.swept_seq
    assert (state.analysed, state.analysed_position, state.swept_position) == (len(town.rows),) * 3
    assert paper.progress("analysed") == len(town.rows)


def test_a_window_reports_its_digest_after_the_turn_and_one_built_again_has_the_same(
    paper: Newspaper, town: Town, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = [document(r) for r in town.rows]
    mixed = [
        *documents[:200:2],
        *documents[1:200:2],
        *documents[200:],
        *({"withdraws": d["id"]} for d in documents[:40:3]),
    ]

    def requested_in_the_middle(*_: object) -> None:
        before = len(caplog.messages)
        paper.resources.kept(ResidentWindows).report()
        assert len(caplog.messages) == before, "half a tick is not reported"

    monkeypatch.setattr(DetectionMetrics, "count_tick", requested_in_the_middle)
    paper.posts(mixed, batch=100)
    paper.sweeps()
    assert caplog.messages
    paper.resources.kept(ResidentWindows).report()
    resident = caplog.messages[-1]
    paper.forgets()
    anew = build_analyzer(paper.name, paper.resources)
    window = anew.detector.window
    assert (
        resident == f"tenant {paper.name}: window of {window.live} complaints up to seq {anew.state.cursor_seq}, digest"
        f" {window_digest(window)}"
    )
    assert window.live == len(town.rows) - 14


def test_names_that_left_the_window_are_forgotten_by_building_it_again_and_those_of_withdrawn_complaints_only_once(
    paper: Newspaper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenant_analyzer, "STALE_NAMES", 20)

    def day(number: int, targets: int) -> list[dict[str, Any]]:
        """Few reporters, and targets that nobody complained about before."""
        rows = [Row(1_000 * number + k, k % 3, 1_000 * number + k, number * DAY + k) for k in range(targets)]
        return [document(row) for row in rows]

    held = []
    for number in range(0, 400, 20):
        paper.posts(day(number, 10))
        resident = paper.resident()
        assert resident is not None and resident.detector.window.live == 10
        held.append(resident.detector.window.names)
    assert max(held) < 100 < 20 * 10
    gone = day(400, 90)
    paper.posts(gone)
    paper.posts([{"withdraws": document["id"]} for document in gone])
    analyzers = []
    for number in range(401, 409):
        paper.posts(day(number, 1))
        analyzers.append(paper.resident())
    assert len(set(map(id, analyzers))) <= 2, "names of withdrawn complaints come back with each build"


class Flaky:
    """A Redis client that breaks off at the n-th pipeline from now on."""

    def __init__(self, client: Any) -> None:
        self.client, self.left = client, 10**9

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def pipeline(self, *args: Any, **kwargs: Any) -> Any:
        self.left -= 1
        if self.left < 0:
            raise RedisConnectionError("the connection broke")
        return self.client.pipeline(*args, **kwargs)


@pytest.mark.parametrize("pipelines", [0, 1])
def test_what_redis_did_not_get_after_the_commit_whoever_comes_next_writes(
    paper: Newspaper, town: Town, pipelines: int
) -> None:
    flaky = Flaky(paper.redis)
    paper.resources = replace(paper.resources, redis=flaky)  # type: ignore[arg-type]
    rows = [document(r) for r in town.rows]
    paper.posts(rows[:-300], batch=300)
    paper.sweeps()
    before = paper.analysis()
    paper.accepts(*[line(d) for d in rows[-300:]])
    ingest.run(paper.name, paper.resources)
    flaky.left = pipelines
    with pytest.raises(RedisConnectionError):
        detect.run(paper.name, paper.resources)
    assert paper.analysis().cursor_seq > before.cursor_seq, "SQL has it, Redis does not: the test has its point"
    flaky.left = 10**9
    paper.sweeps()
    paper.works()  # one turn of two seconds may be too short for all of it
    stored = clusters.summaries(paper.clusters().values())
    assert in_redis(paper) == stored and stored
    expected: dict[str, set[int]] = {}
    for r in town.rows:
        expected.setdefault(field_of(key_of(f"t{r.target}")), set()).add(r.reporter)
    assert totals_in_redis(paper) == {f: len(who) for f, who in expected.items()}
    assert paper.progress("analysed") == len(rows)


def test_memberships_of_a_cluster_that_lost_a_target_while_redis_was_away_are_taken_back(
    paper: Newspaper, town: Town
) -> None:
    identity = found(paper, town)
    target = raid_target(paper, town)
    flaky = Flaky(paper.redis)
    paper.resources = replace(paper.resources, redis=flaky)  # type: ignore[arg-type]
    for r in town.rows:
        if f"t{r.target}" == target:
            paper.accepts(line({"withdraws": f"c{r.seq}"}))
    ingest.run(paper.name, paper.resources)
    flaky.left = 1
    with pytest.raises(RedisConnectionError):
        detect.run(paper.name, paper.resources)
    flaky.left = 10**9
    paper.sweeps()
    assert key_of(target) not in paper.clusters()[identity].author_by_target
    assert key_of(target) not in in_redis(paper)
    assert paper.asks(target).complaints == 0


def test_a_decision_made_during_a_tick_is_not_overwritten(paper: Newspaper, town: Town) -> None:
    identity = found(paper, town)
    late = next(r for r in town.rows if r.reporter in town.brigades[0])
    paper.accepts(line({"withdraws": f"c{late.seq}"}))
    ingest.run(paper.name, paper.resources)
    began: list[str] = []
    analysis = paper.resident()
    original = analysis.detector.tick

    def tick_and_decide(*args: Any, **kwargs: Any) -> Any:
        groups = original(*args, **kwargs)
        if not began:
            began.append("decided")
            paper.decides(identity, "coordinated")
        return groups

    analysis.detector.tick = tick_and_decide  # type: ignore[method-assign]
    with pytest.raises(StaleVersion, match=identity):
        detect.run(paper.name, paper.resources)
    assert began
    assert (paper.clusters()[identity].status, paper.clusters()[identity].verdict) == ("decided", "coordinated")
    paper.works()
    state = paper.clusters()[identity]
    assert (state.status, state.verdict) == ("decided", "coordinated")
    assert late.seq not in state.memberships


def test_a_standing_decision_sets_the_count_and_its_undo_restores_it(paper: Newspaper, town: Town) -> None:
    identity = found(paper, town)
    target = raid_target(paper, town)
    before = paper.asks(target)
    others = sum(f"t{r.target}" == target and r.reporter not in town.brigades[0] for r in town.rows)
    first = paper.decides(identity, "not_coordinated")
    detect.run(paper.name, paper.resources)
    assert paper.independent(target) == before.complaints
    undo = paper.decides(identity, "not_coordinated", reverses=first)
    detect.run(paper.name, paper.resources)
    assert paper.independent(target) == pytest.approx(before.independent_complaints)
    paper.decides(identity, "coordinated", reverses=undo)
    detect.run(paper.name, paper.resources)
    assert paper.independent(target) == 1 + others


def test_the_excluded_count_in_full_and_come_back_with_the_undo(paper: Newspaper, town: Town) -> None:
    identity = found(paper, town)
    target = raid_target(paper, town)
    member = next(r for r in town.rows if f"t{r.target}" == target and r.reporter in town.brigades[0])
    coordinated = paper.decides(identity, "coordinated", excluded_reporters=[f"r{member.reporter}"])
    detect.run(paper.name, paper.resources)
    others = sum(f"t{r.target}" == target and r.reporter not in town.brigades[0] for r in town.rows)
    assert paper.independent(target) == 1 + others + 1
    paper.posts([document(replace(member, seq=9_001, target=77_777, at=8.2 * DAY))])
    paper.sweeps()
    assert key_of(f"r{member.reporter}") not in paper.clusters()[identity].members
    paper.decides(identity, "coordinated", reverses=coordinated)
    detect.run(paper.name, paper.resources)
    paper.sweeps()
    assert paper.clusters()[identity].members == brigade(town)


def test_a_complaint_taken_back_into_its_place_is_not_lost_between_two_rows_of_the_feed(paper: Newspaper) -> None:
    """An earlier complaint takes the place of a later one, is withdrawn before the next tick, and the later one counts
    again.
    """
    now = Row(1, 1, 1, 20 * DAY)
    paper.posts([document(now), document(Row(2, 2, 1, 20 * DAY))])
    # so old that it is late: not analysed itself
    for lines in ([line(document(Row(3, 1, 1, 2 * DAY)))], [line({"withdraws": "c3"})]):
        paper.accepts(*lines)
        ingest.run(paper.name, paper.resources)
    paper.works()
    window = paper.resident().detector.window
    assert sorted(window.seq[: window.size][~window.gone[: window.size]].tolist()) == [1, 2]
    assert paper.asks("t1").complaints == 2


def test_a_tick_spans_a_day_of_event_time_however_much_waits(
    paper: Newspaper, monkeypatch: pytest.MonkeyPatch, town: Town
) -> None:
    spans: list[float] = []
    tick = Detector.tick

    def noted(self: Detector, batch: Any, removed: Any = ()) -> Any:
        if len(batch):
            spans.append(float(batch.time_ms.max() - batch.time_ms.min()) / 1000)
        return tick(self, batch, removed)

    monkeypatch.setattr(Detector, "tick", noted)
    paper.posts([document(r) for r in town.rows], batch=100, at_once=100)
    assert len(spans) >= 7 and max(spans) <= DAY
    assert paper.analysis().analysed == len(town.rows)


def test_in_a_backlog_ticks_wait_for_a_sweep_after_a_week_of_event_time(paper: Newspaper) -> None:
    days = [document(Row(k, k, k, k * DAY)) for k in range(1, 13)]
    for d in days:
        paper.accepts(line(d))
        ingest.run(paper.name, paper.resources)
    for _ in range(20):
        detect.run(paper.name, paper.resources)
    assert paper.analysis().analysed == 8, "seven days after the first"
    paper.sweeps()
    for _ in range(20):
        detect.run(paper.name, paper.resources)
    assert paper.analysis().analysed == 12


def test_while_another_worker_holds_the_lease_nothing_is_done(paper: Newspaper) -> None:
    paper.accepts(line(document(Row(1, 1, 1, 0))))
    ingest.run(paper.name, paper.resources)
    paper.redis.set(redis_keys.lease("detect", paper.name), "another")
    detect.run(paper.name, paper.resources)
    assert paper.analysis().cursor_seq == 0


def test_raising_the_quota_releases_at_the_next_sweep(paper: Newspaper, town: Town) -> None:
    with write(paper.engine) as connection:
        set_overrides(connection, paper.id, {"flags_per_day": 0}, by="ann", now_us=1)
    paper.posts([document(r) for r in town.rows], batch=300)
    paper.sweeps()
    ((identity, cluster),) = paper.clusters().items()
    assert cluster.disposition == "held_back"
    target = raid_target(paper, town)
    answer = paper.asks(target, threshold=1)
    assert answer.independent_complaints < answer.complaints and answer.recommendation == "none", (
        "discounted, though not flagged"
    )
    with write(paper.engine) as connection:
        set_overrides(connection, paper.id, {"flags_per_day": 5}, by="ann", now_us=2)
    detect.run(paper.name, paper.resources)
    assert paper.clusters()[identity].disposition == "held_back"
    paper.posts([document(Row(9_001, 1, 9_001, 8.1 * DAY))])
    paper.sweeps()
    assert paper.clusters()[identity].disposition == "flagged"
    assert paper.asks(target, threshold=1).recommendation == "review"


def test_ticks_are_small_and_turns_short_where_another_tenants_job_waits(
    paper: Newspaper, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detect, "SHORT_TURN_SECONDS", 0.0)
    monkeypatch.setattr(detect, "ITEMS_BESIDE_OTHERS", 300)
    for start in range(0, 900, 300):
        paper.accepts(*(line(document(row)) for row in town.rows[start : start + 300]))
        ingest.run(paper.name, paper.resources)
    enqueue(paper.redis, "detect", "other")
    detect.run(paper.name, paper.resources)
    assert 0 < paper.analysis().analysed <= 300
    paper.redis.delete("rq:queue:detect")
    detect.run(paper.name, paper.resources)
    assert paper.analysis().analysed == 900


def test_a_tick_is_no_larger_than_what_takes_half_a_second_here(
    paper: Newspaper, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tick_size, "LEAST_ITEMS", 1)
    paper.posts([document(row) for row in town.rows[:100]], batch=100)
    analysis = paper.resident()
    assert analysis.items_per_second != 100_000  # measured
    sizes: list[int] = []
    real = analysis_steps.read_feed
    monkeypatch.setattr(
        analysis_steps,
        "read_feed",
        lambda connection, number, after, limit: sizes.append(limit) or real(connection, number, after, limit),
    )
    analysis.items_per_second = 60.0
    analysis_steps.take_step(analysis, paper.resources)
    assert sizes == [30]
