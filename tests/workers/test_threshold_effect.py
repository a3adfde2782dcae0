"""A dry run foretells what putting its thresholds in force does: cluster by cluster, and target by target."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from conftest import RedisClients
from flow import Newspaper, copied, told, world_of
from sqlalchemy import Engine

from service.model import JsonObject
from service.moderation.what_if import is_waiting
from service.settings import Settings
from service.storage.accounts.policy_overrides import policy_of
from service.storage.cases import claims, notes, restorations
from service.storage.complaints.archive_reader import ids_by_key
from service.storage.detection import allow_list, dry_runs
from service.storage.sql.engine import write
from workers import detect, dry_run, sweep

NOW = datetime(2026, 3, 1, tzinfo=UTC)


DOCUMENTS = told(world_of(5, 6_000))
LAST = max(one["occurred_at"] for one in DOCUMENTS if "reporter" in one)
CHANGES: tuple[dict[str, Any], ...] = (
    {"flag_score": 4.0},  # two of the four cases go
    {"flag_score": 4.0, "default_threshold": 12},
    {},  # and back again
    {"flag_score": 9.9},
    {"flag_score": -2.0, "flags_per_day": 0},
    {"flag_score": -2.0},  # what was held back is released
    {"min_members": 20},
    {"window_seconds": 5 * 86_400, "neighbours": 16},
    {},
)


@pytest.fixture
def paper(fake_redis: RedisClients, engine: Engine, settings: Settings) -> Iterator[Newspaper]:
    newspaper = Newspaper(fake_redis, engine, settings)
    yield newspaper
    newspaper.forgets()


def tried(paper: Newspaper, values: dict[str, Any]) -> tuple[str, JsonObject]:
    with write(paper.engine) as connection:
        run = dry_runs.request_dry_run(connection, paper.id, values, by="ann", now_us=paper.resources.now_us())
    dry_run.run(paper.name, paper.resources)
    with paper.engine.connect() as connection:
        found = dry_runs.read(connection, paper.id, run)
    assert found.result is not None, found.error
    return run, found.result


def applied(paper: Newspaper, run: str) -> None:
    with write(paper.engine) as connection:
        dry_runs.put_in_force(connection, paper.id, run, by="ann", now_us=paper.resources.now_us())
    sweep.run(paper.name, paper.resources)
    before = None
    while before != (before := paper.analysis()):  # a turn may end before it has come to the sweep
        detect.run(paper.name, paper.resources)


def held(paper: Newspaper) -> set[str]:
    """Targets that the API recommends to hold."""
    keys = {t for s in paper.clusters().values() for t in s.discounted_targets}
    with paper.engine.connect() as connection:
        _, names = ids_by_key(connection, paper.id, reporters=(), targets=keys)
        threshold = policy_of(connection, paper.id).default_threshold
    return {name for name in names.values() if paper.asks(name, threshold).recommendation == "hold"}


def open_restorations(paper: Newspaper) -> int:
    with paper.engine.connect() as connection:
        return restorations.count_by_state(connection, paper.id).get("open", 0)


def people(paper: Newspaper, ids: Iterable[str]) -> list[tuple[int, int]]:
    """Accounts and targets of the clusters: new ones have no id beforehand."""
    states = paper.clusters()
    return sorted((len(states[i].members), len(states[i].author_by_target)) for i in ids)


def waiting(paper: Newspaper) -> set[str]:
    return {i for i, s in paper.clusters().items() if is_waiting(s)}


def check(paper: Newspaper, values: dict[str, Any]) -> JsonObject:
    """Try the values, put them in force, and compare."""
    before, held_before = waiting(paper), held(paper)
    run, result = tried(paper, values)
    assert (waiting(paper), held(paper)) == (before, held_before), "nothing is changed by a dry run"
    opened_before = open_restorations(paper)
    applied(paper, run)
    after, held_after, cases, holds = waiting(paper), held(paper), result["cases"], result["holds"]
    assert {case["cluster"] for case in result["goes"]} == before - after
    assert {case["cluster"] for case in result["comes"]} - {None} <= after - before
    assert sorted((c["accounts"], c["target_count"]) for c in result["comes"]) == people(paper, after - before)
    assert (cases["now"], cases["then"]) == (len(before), len(after))
    assert cases["then"] == cases["now"] - result["goes_count"] + result["comes_count"]
    assert cases["held_back_then"] == sum(c.disposition == "held_back" for c in paper.clusters().values())
    assert {one["target"] for one in holds["targets_that_go"]} == held_before - held_after
    assert {one["target"] for one in holds["targets_that_come"]} == held_after - held_before
    assert (holds["now"], holds["then"]) == (len(held_before), len(held_after))
    assert result["restorations"] == {"now": opened_before, "then": open_restorations(paper)}
    return result


def test_what_was_tried_is_what_happens_case_by_case_and_target_by_target(paper: Newspaper) -> None:
    paper.posts(DOCUMENTS[: len(DOCUMENTS) * 2 // 3], batch=500, at_once=4)
    paper.sweeps()
    assert waiting(paper)
    moved = 0
    for values in CHANGES:
        result = check(paper, values)
        moved += result["goes_count"] + result["comes_count"]
    assert moved > 6
    paper.posts(DOCUMENTS[len(DOCUMENTS) * 2 // 3 :], batch=500, at_once=4)
    for values in CHANGES:
        check(paper, values)


def test_accounts_that_the_acts_of_groups_list_are_foretold_as_well(paper: Newspaper) -> None:
    documents = []
    for one in DOCUMENTS:
        documents.append(one)
        if "reporter" in one and (author := one["target"].get("author_id")):
            part = copied(one, id=f"{one['id']}/account", part_of=one["id"])
            documents.append({**part, "target": {"id": f"account/{author}"}})
    paper.posts(documents, batch=500, at_once=4)
    paper.sweeps()
    removed = {name for name in held(paper) if name.startswith("account/")}
    paper.posts([{"id": f"o/{t}", "target_id": t, "decided_at": LAST, "action": "removed"} for t in sorted(removed)])
    opened = open_restorations(paper)
    assert len(removed) > 1 and opened > 0
    result = check(paper, {"flag_score": 9.9})
    assert {one["target"] for one in result["holds"]["targets_that_go"]} & removed
    assert result["restorations"]["then"] < opened
    check(paper, {})


def test_what_people_have_touched_is_named_and_decided_cases_are_exempt(paper: Newspaper) -> None:
    paper.posts(DOCUMENTS, batch=500, at_once=4)
    paper.sweeps()
    decided, claimed, noted, other = sorted(waiting(paper), key=lambda i: paper.clusters()[i].probability)
    with write(paper.engine) as connection:
        claims.claim(connection, paper.id, [claimed], by="ann", now=NOW)
        for text in ("look at the texts", "they know each other"):
            notes.add_note(connection, paper.id, noted, text, by="bo", now=NOW)
    paper.decides(decided, "coordinated")  # and the detect worker has not taken it in yet
    result = check(paper, {"flag_score": 10.0})
    assert [(c["cluster"], c["why"]) for c in result["exempt"]] == [(decided, "decided")]
    touched = {c["cluster"]: (c["why"], c["claimed_by"], c["notes"]) for c in result["goes"]}
    assert touched == {claimed: ("below", "ann", 0), noted: ("below", None, 2), other: ("below", None, 0)}
    assert result["cases"]["now"] == 3 and result["cases"]["then"] == 0, "a decided case waits for nobody"
    assert result["holds"]["then"] > 0, "its targets stay on hold"


def test_a_change_of_the_allow_list_that_waits_is_part_of_what_is_foretold(paper: Newspaper) -> None:
    paper.posts(DOCUMENTS, batch=500, at_once=4)
    paper.sweeps()
    strongest = max(paper.clusters().values(), key=lambda s: s.probability)
    with paper.engine.connect() as connection:
        names, _ = ids_by_key(connection, paper.id, reporters=strongest.members, targets=())
    before = held(paper)
    with write(paper.engine) as connection:
        for name in names.values():
            allow_list.allow(connection, paper.id, name, note=None, by="ann", now_us=1)
    run, result = tried(paper, {"flag_score": 1.0})
    applied(paper, run)
    assert {one["target"] for one in result["holds"]["targets_that_go"]} == before - held(paper) != set()
