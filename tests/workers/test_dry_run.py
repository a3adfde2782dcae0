"""A dry run: what other thresholds would do, without anything being changed by it."""

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
from service.storage.sql import schema, timers
from service.storage.sql.engine import write
from workers import detect, dry_run, sweep, threshold_effect
from workers.detection.detector import Detector

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
    before = everything(paper)
    held = sum(paper.asks(f"t{t}", 7).recommendation == "hold" for t in {r.target for r in TOWN.rows})
    strict = tried(paper, flag_score=10.0, default_threshold=7)
    assert everything(paper) == before
    assert strict["cases"]["now"] == 2 and strict["cases"]["then"] == 2 - strict["goes_count"]
    gone = tried(paper, min_members=20)
    assert gone["cases"] == {"now": 2, "then": 0, "held_back_now": 0, "held_back_then": 0}
    assert {case["cluster"] for case in gone["goes"]} == set(paper.clusters()), "named as they are stored"
    assert {case["why"] for case in gone["goes"]} <= {"not_found", "below"}
    assert all(case["summary"] for case in gone["goes"])
    lower = tried(paper, default_threshold=7)
    assert (lower["comes_count"], lower["goes_count"]) == (0, 0)
    assert lower["holds"]["then"] == held > lower["holds"]["now"]
    assert lower["holds"]["comes"] == len(lower["holds"]["targets_that_come"]) == held - lower["holds"]["now"]
    assert all(paper.asks(one["target"], 7).recommendation == "hold" for one in lower["holds"]["targets_that_come"])


def test_a_daily_limit_takes_back_no_flag_and_a_smaller_least_size_brings_cases(paper: Newspaper) -> None:
    limited = tried(paper, flags_per_day=0)
    assert (limited["comes_count"], limited["goes_count"]) == (0, 0)
    with write(paper.engine) as connection:
        change_overrides(connection, paper.id, put={"min_members": 20}, by="ann", now_us=2)
    paper.sweeps()
    assert not paper.groups("flagged")
    found = tried(paper)
    assert found["policy_now"] != found["policy_then"] == "2026.12"
    assert found["comes_count"] == 2 and {case["cluster"] for case in found["comes"]} == set(paper.clusters())


def test_a_newer_one_cancels_it_and_one_that_is_stopped_in_the_middle_leaves_no_result(
    paper: Newspaper, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ask(paper, min_members=5)
    second = ask(paper, min_members=6)
    assert read(paper, first).state == "cancelled"
    dry_run.run(paper.name, paper.resources)
    assert read(paper, second).state == "done" and read(paper, first).result is None
    third, original = ask(paper, min_members=7), threshold_effect.load_window

    def meanwhile(*args: Any) -> None:
        with write(paper.engine) as connection:
            assert dry_runs.cancel(connection, paper.id, third, now_us=1)
            assert not dry_runs.cancel(connection, paper.id, third, now_us=2)
        original(*args)

    monkeypatch.setattr(threshold_effect, "load_window", meanwhile)
    dry_run.run(paper.name, paper.resources)
    assert read(paper, third).state == "cancelled" and read(paper, third).result is None
    with paper.engine.connect() as connection:
        assert ("dry_run", paper.name) not in timers.due(connection, 2**62)


def test_a_killed_worker_is_begun_anew_once_and_then_it_is_given_up(
    paper: Newspaper, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, original = ask(paper, min_members=5), Detector.sweep

    def killed_in_the_middle() -> None:
        monkeypatch.setattr(Detector, "sweep", classmethod(lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)))
        with pytest.raises(KeyboardInterrupt):
            dry_run.run(paper.name, paper.resources)
        monkeypatch.setattr(Detector, "sweep", original)

    killed_in_the_middle()
    assert read(paper, run).progress > 0
    with paper.engine.connect() as connection:
        assert ("dry_run", paper.name) in timers.due(connection, 2**62)
    killed_in_the_middle()
    assert "began once more" in str(read(paper, run).error) and read(paper, run).unfinished
    dry_run.run(paper.name, paper.resources)
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
    monkeypatch.setattr(threshold_effect, "MOST_COMPLAINTS", 10)
    too_many = ask(paper, min_members=20)
    dry_run.run(paper.name, paper.resources)
    assert read(paper, too_many).state == "failed" and "try a shorter one" in str(read(paper, too_many).error)


def test_a_case_that_is_older_than_the_window_is_exempt_from_what_the_window_shows(
    fake_redis: RedisClients, engine: Engine, settings: Settings
) -> None:
    paper = Newspaper(fake_redis, engine, settings, "late")
    paper.posts([document(r) for r in TOWN.rows], batch=500)
    paper.sweeps()
    paper.posts([document(Row(9_999, 99, 99_999, TOWN.rows[-1].at + 9 * DAY))])
    paper.sweeps()
    found = tried(paper, min_members=20)
    assert {case["cluster"]: case["why"] for case in found["exempt"]} == dict.fromkeys(paper.clusters(), "older")
    assert (found["goes_count"], found["cases"]["now"], found["cases"]["then"]) == (0, 2, 2)
    assert tried(paper, flag_score=10.0)["exempt"] == [], "its score is looked at again whatever its age"
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
