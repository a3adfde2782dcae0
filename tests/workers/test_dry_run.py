"""A dry run: what other thresholds would have flagged, without anything being changed by it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import RedisClients
from flow import Newspaper
from sqlalchemy import Engine, select
from worlds import DAY, Row, document, draw_town

from service.errors import NotFound, Refused
from service.model import JsonObject
from service.settings import Settings
from service.storage.accounts.policy_overrides import change_overrides, overrides_of, policy_of
from service.storage.accounts.tenants import create_tenant
from service.storage.detection import dry_runs
from service.storage.redis_store import redis_keys
from service.storage.redis_store.job_queue import open_queue
from service.storage.sql import schema, timers
from service.storage.sql.engine import write
from workers import detect, dry_run, dry_run_windows, sweep
from workers.clock import Clock
from workers.detection.detector import Detector
from workers.dry_run import ResidentDryRun

TOWN = draw_town(2, brigades=2)


@pytest.fixture
def paper(fake_redis: RedisClients, engine: Engine, settings: Settings) -> Iterator[Newspaper]:
    newspaper = Newspaper(fake_redis, engine, settings)
    newspaper.posts([document(r) for r in TOWN.rows], batch=500)
    newspaper.sweeps()
    assert len(newspaper.groups("flagged")) == 2
    yield newspaper
    newspaper.forgets()


def ask(paper: Newspaper, **values: Any) -> str:
    with write(paper.engine) as connection:
        return dry_runs.request_dry_run(connection, paper.id, values, by="ann", now_us=paper.resources.now_us())


def read(paper: Newspaper, run: str) -> dry_runs.DryRun:
    with paper.engine.connect() as connection:
        return dry_runs.read(connection, paper.id, run)


def tried(paper: Newspaper, **values: Any) -> JsonObject:
    run = ask(paper, **values)
    dry_run.run(paper.name, paper.resources)
    found = read(paper, run)
    assert (found.state, found.progress) == ("done", 1.0), found.error
    assert found.result is not None
    return found.result


def everything(paper: Newspaper) -> dict[str, list[Any]]:
    tables = (
        schema.clusters,
        schema.cluster_members,
        schema.cluster_complaints,
        schema.events,
        schema.restorations,
        schema.analysis_state,
        schema.sweeps,
        schema.policy_overrides,
    )
    with paper.engine.connect() as connection:
        return {table.name: list(connection.execute(select(table))) for table in tables}


def test_a_target_that_acts_list_is_held_in_it_as_it_is_live(paper: Newspaper) -> None:
    """Members of a group name one of its comments, and with it an account that nobody else reports."""
    members = sorted(TOWN.brigades[0])
    comment = next(r.target for r in reversed(TOWN.rows) if r.reporter in members)
    acts = [document(r) for r in TOWN.rows if r.target == comment and r.reporter in members]
    paper.posts(
        [{**act, "id": f"{act['id']}/account", "target": {"id": "account"}, "part_of": act["id"]} for act in acts]
    )
    assert paper.asks("account", 5).recommendation == "hold"
    lower = tried(paper, default_threshold=5)
    held = [t for t in {f"t{r.target}" for r in TOWN.rows} if paper.asks(t, 5).recommendation == "hold"]
    assert lower["holds"]["then"] == len(held) + 1


def test_it_says_which_cases_would_go_and_come_by_name_and_changes_nothing(paper: Newspaper) -> None:
    before, held = (
        everything(paper),
        sum(paper.asks(f"t{t}", 7).recommendation == "hold" for t in {r.target for r in TOWN.rows}),
    )
    strict = tried(paper, flag_score=10.0, default_threshold=7)
    assert everything(paper) == before
    assert (
        strict["cases"]["now"] == 2 and strict["cases"]["then"] == strict["cases"]["stay"] == 2 - strict["goes_count"]
    )
    weakest = min(paper.clusters().values(), key=lambda c: c.probability)
    assert tried(paper, min_members=20)["cases"] == {
        "now": 2,
        "then": 0,
        "stay": 0,
        "decided": 0,
        "new_now": 2,
        "new_then": 0,
        "held_back_now": 0,
        "held_back_then": 0,
    }
    gone = tried(paper, min_members=20)
    assert {case["cluster"] for case in gone["goes"]} == set(paper.clusters()), "named as they are stored"
    assert {case["why"] for case in gone["goes"]} <= {"not_found", "below"} and all(
        case["summary"] for case in gone["goes"]
    )
    assert weakest.id in {case["cluster"] for case in gone["goes"]}
    lower = tried(paper, default_threshold=7)
    assert (lower["comes_count"], lower["goes_count"]) == (0, 0)
    assert lower["holds"]["then"] == held > lower["holds"]["now"]
    assert lower["holds"]["comes"] == len(lower["holds"]["targets_that_come"]) == held - lower["holds"]["now"]
    assert all(paper.asks(one["target"], 7).recommendation == "hold" for one in lower["holds"]["targets_that_come"])


def test_cases_come_when_the_quota_or_the_least_size_is_put_back(paper: Newspaper) -> None:
    with write(paper.engine) as connection:
        change_overrides(connection, paper.id, put={"flags_per_day": 0}, by="ann", now_us=1)
    found = tried(paper)
    assert found["policy_now"] != found["policy_then"] == "2026.12"
    assert found["comes_count"] == 2 == found["cases"]["held_back_now"] and found["cases"]["held_back_then"] == 0
    assert {case["cluster"] for case in found["comes"]} == set(paper.clusters())
    with write(paper.engine) as connection:
        change_overrides(connection, paper.id, put={"flags_per_day": 50, "min_members": 20}, by="ann", now_us=2)
    assert tried(paper)["comes_count"] == 2


def test_groups_are_found_once_where_only_the_judging_differs(
    paper: Newspaper, monkeypatch: pytest.MonkeyPatch
) -> None:
    swept: list[int] = []
    original = Detector.sweep.__func__  # type: ignore[attr-defined]

    def counted(cls: type[Detector], policy: Any, batch: Any) -> Any:
        swept.append(len(batch))
        return original(cls, policy, batch)

    monkeypatch.setattr(Detector, "sweep", classmethod(counted))
    tried(paper, flag_score=1.0)
    days = len(swept)
    assert 7 <= days <= 8
    tried(paper, neighbours=16)
    assert len(swept) == 3 * days


def test_what_people_decided_stays_whatever_the_thresholds(paper: Newspaper) -> None:
    one, other = sorted(paper.clusters())
    paper.decides(one, "coordinated")
    detect.run(paper.name, paper.resources)
    found = tried(paper, flag_score=10.0, min_members=20)
    assert found["cases"]["decided"] == 1
    assert [case["cluster"] for case in found["goes"]] == [other]


def test_between_two_steps_others_have_their_turn_and_it_goes_on_where_it_was(paper: Newspaper) -> None:
    run = ask(paper, min_members=5)
    with paper.engine.connect() as connection:
        assert ("dry_run", paper.name) in timers.due(connection, 2**62)
    seen = [0.0]
    for _ in range(20):
        Clock(paper.resources).beat()
        queue = open_queue(paper.redis, "chores")
        queue.empty()
        paper.redis.delete(redis_keys.enqueued("dry_run", paper.name))
        queue.enqueue_call("restore", args=("somebody else",))
        dry_run.run(paper.name, paper.resources)
        if not read(paper, run).unfinished:
            break
        seen.append(read(paper, run).progress)
    assert seen == sorted(set(seen)) and len(seen) > 5
    assert read(paper, run).state == "done"
    with paper.engine.connect() as connection:
        assert ("dry_run", paper.name) not in timers.due(connection, 2**62)
    assert paper.resources.kept(ResidentDryRun).windows is None


def test_a_newer_one_cancels_it_and_what_was_computed_is_forgotten(paper: Newspaper) -> None:
    first = ask(paper, min_members=5)
    open_queue(paper.redis, "chores").enqueue_call("restore", args=("somebody else",))
    dry_run.run(paper.name, paper.resources)
    assert read(paper, first).state == "running" and paper.resources.kept(ResidentDryRun).windows.done == 1
    second = ask(paper, min_members=6)
    assert read(paper, first).state == "cancelled"
    open_queue(paper.redis, "chores").empty()
    dry_run.run(paper.name, paper.resources)
    assert read(paper, second).state == "done" and read(paper, first).result is None
    third = ask(paper, min_members=7)
    with write(paper.engine) as connection:
        assert dry_runs.cancel(connection, paper.id, third, now_us=1) and not dry_runs.cancel(
            connection, paper.id, third, now_us=2
        )
    dry_run.run(paper.name, paper.resources)
    assert read(paper, third).state == "cancelled"
    with paper.engine.connect() as connection:
        assert ("dry_run", paper.name) not in timers.due(connection, 2**62)


def test_a_killed_worker_is_begun_anew_once_and_then_it_is_given_up(paper: Newspaper) -> None:
    run, resident = ask(paper, min_members=5), paper.resources.kept(ResidentDryRun)

    def killed_in_the_middle() -> None:
        queue = open_queue(paper.redis, "chores")
        queue.enqueue_call("restore", args=("somebody else",))
        dry_run.run(paper.name, paper.resources)
        queue.empty()
        resident.drop()

    killed_in_the_middle()
    assert read(paper, run).progress > 0
    resident.process, mine = "another process", resident.process
    try:
        dry_run.run(paper.name, paper.resources)
        assert read(paper, run).error is None, "the claim of the one that died has not run out yet"
        paper.redis.delete(redis_keys.lease("dry_run_claim", paper.name))
        killed_in_the_middle()
        assert "began once more" in str(read(paper, run).error) and read(paper, run).unfinished
        dry_run.run(paper.name, paper.resources)
    finally:
        resident.process = mine
    assert read(paper, run).state == "failed" and "stopped twice" in str(read(paper, run).error)


def test_a_failure_is_told_and_not_tried_for_ever(paper: Newspaper, monkeypatch: pytest.MonkeyPatch) -> None:
    run = ask(paper, min_members=5)
    monkeypatch.setattr(Detector, "sweep", classmethod(lambda *_: (_ for _ in ()).throw(MemoryError("no more"))))
    dry_run.run(paper.name, paper.resources)
    assert read(paper, run).state == "failed" and "MemoryError" in str(read(paper, run).error)
    dry_run.run(paper.name, paper.resources)
    with paper.engine.connect() as connection:
        assert ("dry_run", paper.name) not in timers.due(connection, 2**62)


def test_a_tenant_without_complaints_and_one_with_too_many_have_an_answer_too(
    paper: Newspaper, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = create_tenant(paper.engine, "empty", 0)
    with write(paper.engine) as connection:
        run = dry_runs.request_dry_run(connection, number, {"min_members": 5}, by="ann", now_us=1)
    dry_run.run("empty", paper.resources)
    with paper.engine.connect() as connection:
        found = dry_runs.read(connection, number, run)
    assert found.state == "done" and found.result is not None and found.result["cases"]["now"] == 0
    monkeypatch.setattr(dry_run_windows, "MOST_COMPLAINTS", 10)
    assert tried(paper, min_members=20)["days"] == 0


def test_cases_from_before_the_seven_days_are_compared_but_are_no_new_ones(
    fake_redis: RedisClients, engine: Engine, settings: Settings
) -> None:
    paper = Newspaper(fake_redis, engine, settings, "late")
    paper.posts(
        [document(r) for r in TOWN.rows] + [document(Row(9_999, 99, 99_999, TOWN.rows[-1].at + 9 * DAY))], batch=500
    )
    paper.sweeps()
    found = tried(paper, min_members=20)
    assert found["cases"] == {
        "now": 2,
        "then": 0,
        "stay": 0,
        "decided": 0,
        "new_now": 0,
        "new_then": 0,
        "held_back_now": 0,
        "held_back_then": 0,
    }
    assert (found["days"], found["complaints"]) == (7, len(TOWN.rows) + 1)
    paper.forgets()


def test_only_a_fresh_finished_one_is_put_in_force_and_it_is_on_record(paper: Newspaper) -> None:
    run = ask(paper, min_members=5)

    def put(by: str = "ann", later_us: int = 0) -> None:
        with write(paper.engine) as connection:
            dry_runs.put_in_force(connection, paper.id, run, by=by, now_us=paper.resources.now_us() + later_us)

    with pytest.raises(Refused, match="is asked"):
        put()
    dry_run.run(paper.name, paper.resources)
    with pytest.raises(Refused, match="older than a day"):
        put(later_us=dry_runs.VALID_US + 60_000_000)
    other = create_tenant(paper.engine, "other", 0)
    with write(paper.engine) as connection, pytest.raises(NotFound):
        dry_runs.put_in_force(connection, other, run, by="eve", now_us=1)
    put()
    with paper.engine.connect() as connection:
        assert overrides_of(connection, paper.id) == {"min_members": 5}
        detail = connection.scalar(
            select(schema.audit_trail.c.detail).where(
                schema.audit_trail.c.action == "policy", schema.audit_trail.c.actor == "ann"
            )
        )
    assert json.loads(str(detail))["after"] == {"min_members": 5}
    with pytest.raises(Refused, match="have been changed since"):
        put()
    sweep.run(paper.name, paper.resources)
    detect.run(paper.name, paper.resources)
    with paper.engine.connect() as connection:
        assert {c.policy_version for c in paper.clusters().values()} == {policy_of(connection, paper.id).version}


def test_impossible_thresholds_and_those_in_force_are_refused(paper: Newspaper) -> None:
    with write(paper.engine) as connection:
        for wrong in (
            {"no_such": 1},
            {"lag_scales": (1, 2)},
            {"min_members": 1},
            {"min_members": "5"},
            {"flag_score": float("nan")},
        ):
            with pytest.raises(ValueError):
                dry_runs.request_dry_run(connection, paper.id, wrong, by="ann", now_us=1)
        for same in ({}, {"min_members": 3}):
            with pytest.raises(Refused, match="nothing would change"):
                dry_runs.request_dry_run(connection, paper.id, same, by="ann", now_us=1)
        for k in range(30):
            dry_runs.request_dry_run(connection, paper.id, {"min_members": 5 + k % 10}, by="ann", now_us=k)
        rows = (
            connection.execute(select(schema.dry_runs.c.state).where(schema.dry_runs.c.tenant_id == paper.id))
            .scalars()
            .all()
        )
    assert len(rows) == dry_runs.KEPT and sorted(rows).count("cancelled") == dry_runs.KEPT - 1
