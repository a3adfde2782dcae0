"""Ticks and sweeps end where an audit of the same items does; and so they do through crashes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pytest
from conftest import RedisClients
from flow import STANDING, Newspaper, audited, groups_of, jaccard, line, told, world_of
from sqlalchemy import Engine

from service.errors import LostLease
from service.moderation.cluster_state import ClusterState
from service.settings import Settings
from service.storage.redis_store import redis_keys
from service.storage.redis_store.leases import take_epoch
from service.storage.sql.hashing import key_of
from service.storage.sql.schema import analysis_state
from workers import ingest
from workers.analysis_steps import take_step
from workers.audit.report import counts

FORTNIGHT = "2021-12-15"


@pytest.fixture
def paper(fake_redis: RedisClients, engine: Engine, settings: Settings) -> Iterator[Newspaper]:
    newspaper = Newspaper(fake_redis, engine, settings)
    yield newspaper
    newspaper.forgets()


@pytest.mark.parametrize(("seed", "batch", "at_once"), [(8, 500, 1), (1, 130, 3), (6, 500, 8)])
def test_a_fortnight_live_gives_the_groups_of_its_audit(paper: Newspaper, seed: int, batch: int, at_once: int) -> None:
    documents = told(world_of(seed, 9_000), until=FORTNIGHT)
    paper.posts(documents, batch=batch, at_once=at_once)
    paper.sweeps()
    expected, history = audited(documents)
    assert groups_of(expected), "nothing to find: the test has lost its point"
    assert paper.groups() == groups_of(expected)
    assert paper.groups("reliable") == groups_of(expected, "reliable")
    targets = {c.members: set(c.author_by_target) for c in paper.clusters().values() if c.disposition in STANDING}
    assert targets == {c.members: set(c.author_by_target) for c in expected if c.disposition in STANDING}
    told_by_audit = {row["id"]: row["independent_complaints"] for row in counts(expected, history)}
    assert told_by_audit
    assert {t: paper.independent(t) for t in told_by_audit} == pytest.approx(told_by_audit, abs=1e-5)


def test_four_weeks_live_flag_the_accounts_of_their_audit(paper: Newspaper) -> None:
    documents = told(world_of(3, 6_000))
    paper.posts(documents)
    paper.sweeps()
    expected, _ = audited(documents)
    assert len(groups_of(expected)) >= 2
    assert jaccard(paper.groups("flagged"), groups_of(expected, "flagged")) >= 0.95


def test_a_backlog_of_four_weeks_at_once_flags_them_as_well(paper: Newspaper) -> None:
    documents = told(world_of(3, 6_000))
    paper.posts(documents, at_once=100)
    paper.sweeps()
    assert jaccard(paper.groups("flagged"), groups_of(audited(documents)[0], "flagged")) >= 0.95


def test_late_arrivals_and_withdrawals_end_where_an_audit_of_what_stands_does(paper: Newspaper) -> None:
    world = world_of(9, 9_000)
    documents = told(world, until=FORTNIGHT)
    rng = np.random.default_rng(1)
    complaints = [d for d in documents if "reporter" in d]
    withdrawn = [{"withdraws": complaints[k]["id"]} for k in rng.choice(len(complaints), 200, replace=False)]
    members = sorted(m for m, name in world.campaign_by_account.items() if name == "tight brigade")[:4]
    withdrawn += [
        {"withdraws": d["id"]}
        for d in complaints
        if d["reporter"]["id"] in members and {"withdraws": d["id"]} not in withdrawn
    ]
    place = np.concatenate(
        [
            np.arange(len(documents)) + rng.uniform(0, 300, len(documents)),
            rng.uniform(0, len(documents), len(withdrawn)),
        ]
    )
    mixed = [[*documents, *withdrawn][k] for k in np.argsort(place)]
    paper.posts(mixed, batch=300)
    paper.sweeps()
    expected, _ = audited(mixed)
    assert groups_of(expected)
    assert paper.groups() == groups_of(expected)
    assert not any(key_of(m) in group for group in paper.groups() for m in members)


def test_retracted_verdicts_teach_neither_the_service_nor_the_audit(paper: Newspaper) -> None:
    world = world_of(9, 9_000)
    documents = told(world, until=FORTNIGHT)
    rng = np.random.default_rng(4)
    brigades = {
        d["target"]["id"] for d in documents if "reporter" in d and d["reporter"]["id"] in world.campaign_by_account
    }
    end = max(d.get("occurred_at") or d["decided_at"] for d in documents)
    late = [  # of the verdicts below, and of half of all others; some of them name a complaint, or come first
        {"id": f"r-{d['id']}", "target_id": d["target_id"], "decided_at": end, "retracts": d["id"]}
        for d in documents
        if "target_id" in d and rng.random() < 0.5
    ]
    wrong = [
        {"id": f"x{k}", "target_id": t, "decided_at": end, "verdict": "upheld", "action": "kept"}
        for k, t in enumerate(sorted(brigades))
    ]
    late += [
        {
            "id": f"r-{x['id']}",
            "target_id": x["target_id"],
            "decided_at": end,
            "retracts": x["id"],
            **({"complaint_id": "in no file"} if k % 3 else {}),
        }
        for k, x in enumerate(wrong)
    ]
    mixed = [*documents, *([*late, *wrong][k] for k in rng.permutation(len(late) + len(wrong)))]
    paper.posts(mixed, batch=300)
    paper.sweeps()
    expected, _ = audited(mixed)
    assert groups_of(expected) and groups_of(expected) == paper.groups()
    assert paper.groups("reliable") == groups_of(expected, "reliable")
    believed, _ = audited([*documents, *wrong])
    assert groups_of(believed) != groups_of(expected), "the verdicts would have cleared a brigade"

    def unfounded(states: Iterable[ClusterState]) -> dict[frozenset[int], float]:
        return {s.members: s.unfounded_probability for s in states if s.disposition in STANDING}

    assert unfounded(paper.clusters().values()) == pytest.approx(unfounded(expected))


@pytest.mark.parametrize(
    "break_off",
    [
        pytest.param(lambda paper: paper.forgets(), id="killed between ticks"),
        pytest.param(lambda paper: take_epoch(paper.engine, analysis_state, paper.id), id="another worker in between"),
    ],
)
def test_a_worker_that_begins_anew_goes_on_where_the_last_one_stopped(
    paper: Newspaper, break_off: Callable[[Newspaper], object]
) -> None:
    documents = told(world_of(9, 9_000), until=FORTNIGHT)
    for k, start in enumerate(range(0, len(documents), 400)):
        paper.posts(documents[start : start + 400])
        if k % 4 == 1:
            paper.sweeps()
        if k % 3 == 2:
            break_off(paper)
    paper.sweeps()
    assert paper.groups() == groups_of(audited(documents)[0])
    first_ids = {i for i, c in paper.clusters().items() if c.disposition in ("flagged", "reliable")}
    paper.forgets()
    paper.sweeps()
    assert {i for i, c in paper.clusters().items() if c.disposition in ("flagged", "reliable")} == first_ids, (
        "and under the same ids"
    )


def test_results_of_an_older_epoch_are_refused_and_change_nothing(paper: Newspaper) -> None:
    documents = told(world_of(9, 9_000), until=FORTNIGHT)
    half = len(documents) // 2
    paper.posts(documents[:half])
    stale = paper.resident()
    take_epoch(paper.engine, analysis_state, paper.id)
    paper.accepts(line({"withdraws": "nobody"}))
    ingest.run(paper.name, paper.resources)
    before = (paper.analysis(), paper.clusters(), paper.redis.hgetall(redis_keys.memberships(paper.name)))
    with pytest.raises(LostLease, match="epoch"):
        take_step(stale, paper.resources)
    assert (paper.analysis(), paper.clusters(), paper.redis.hgetall(redis_keys.memberships(paper.name))) == before
