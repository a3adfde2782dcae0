"""What ticks, sweeps and decisions tell: events once and for all, restorations kept up by outcomes, warnings that only
people's verdicts suggest.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import RedisClients
from flow import LONG_AFTER, Newspaper, line
from sqlalchemy import Engine, delete, select
from worlds import DAY, START, Row, Town, document, draw_town

from service.model import DecisionRequest
from service.settings import Settings
from service.storage.accounts.policy_overrides import set_overrides
from service.storage.cases import clusters, restorations
from service.storage.cases.decision_preview import effect_of_decisions
from service.storage.sql import schema
from service.storage.sql.engine import write
from service.storage.sql.hashing import key_of
from workers import detect, ingest


@pytest.fixture(scope="module")
def town() -> Town:
    return draw_town(2, members=12, complaints=700, readers=350, articles=40)


@pytest.fixture
def paper(fake_redis: RedisClients, engine: Engine, settings: Settings) -> Iterator[Newspaper]:
    newspaper = Newspaper(fake_redis, engine, settings)
    yield newspaper
    newspaper.forgets()


def told(paper: Newspaper, kind: str | None = None) -> list[tuple[str, dict[str, Any]]]:
    """The tenant's events, in the order in which they were written."""
    table = schema.events
    with paper.engine.connect() as connection:
        rows = connection.execute(
            select(table.c.type, table.c.data).where(table.c.tenant_id == paper.id).order_by(table.c.at_us)
        ).all()
    return [(row.type, json.loads(row.data)) for row in rows if kind in (None, row.type)]


def states(paper: Newspaper) -> dict[str, str]:
    with paper.engine.connect() as connection:
        items, after = restorations.list_restorations(connection, paper.id, None, after=None, limit=1000)
    assert after is None and [i.harm for i in items] == sorted((i.harm for i in items), reverse=True)
    return {i.target_id: i.state for i in items}


def outcome(target: str, at: float, identity: str, **fields: Any) -> dict[str, Any]:
    """An outcome `at` seconds after START, an automatic removal unless told otherwise."""
    body = document(Row(1, 1, 1, at))
    return {
        "id": identity,
        "target_id": target,
        "decided_at": body["occurred_at"],
        **(fields or {"action": "removed", "decided_by": "automatic"}),
    }


def targets_of(town: Town) -> list[str]:
    """Targets of the brigade, most complaints first."""
    counts: dict[str, int] = {}
    raided = {r.target for r in town.rows if r.reporter in town.brigades[0]}
    for r in town.rows:
        if r.target in raided:
            counts[f"t{r.target}"] = counts.get(f"t{r.target}", 0) + 1
    return sorted(counts, key=lambda t: (-counts[t], t))


def held(paper: Newspaper, town: Town) -> set[str]:
    return {t for t in targets_of(town) if paper.asks(t).recommendation == "hold"}


def found(paper: Newspaper, town: Town) -> str:
    paper.posts([document(r) for r in town.rows], batch=300)
    paper.sweeps()
    ((identity, cluster),) = paper.clusters().items()
    assert cluster.disposition == "flagged"
    return identity


def test_a_flag_and_each_held_target_are_told_once_however_often_it_is_looked_at(paper: Newspaper, town: Town) -> None:
    identity = found(paper, town)
    ((_, flagged),) = told(paper, "cluster.flagged")
    assert flagged["cluster_id"] == identity
    holds = told(paper, "target.hold")
    assert sorted(data["target_id"] for _, data in holds) == sorted(held(paper, town)) and len(holds) >= 5
    for _, data in holds:
        asked = paper.asks(data["target_id"])
        assert (
            data["complaints"] <= asked.complaints
            and data["threshold"] == 8
            and [c["id"] for c in data["clusters"]] == [identity]
        )
    before = told(paper)
    paper.sweeps()
    paper.forgets()
    paper.posts([document(Row(9_001, 1, 9_001, 8.01 * DAY))])
    paper.sweeps()
    assert told(paper) == before


def test_killed_after_every_batch_the_same_is_told_as_without(
    paper: Newspaper, town: Town, fake_redis: RedisClients, engine: Engine, settings: Settings
) -> None:
    found(paper, town)
    other = Newspaper(fake_redis, engine, settings, "other")
    documents = [document(r) for r in town.rows]
    for start in range(0, len(documents), 300):
        other.posts(documents[start : start + 300])
        other.forgets()
    other.sweeps()
    other.forgets()

    def holds(tenant: Newspaper) -> list[str]:
        return sorted(data["target_id"] for _, data in told(tenant, "target.hold"))

    assert holds(other) == holds(paper)
    assert len(told(other, "cluster.flagged")) == len(told(paper, "cluster.flagged")) == 1


def test_what_a_failed_commit_would_have_told_is_told_by_the_next_once(
    paper: Newspaper, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, failures = clusters.save, [1]

    def failing(*args: Any, **kwargs: Any) -> None:
        save(*args, **kwargs)
        if args[3] and failures:
            failures.pop()
            raise OSError("the disk is full")

    monkeypatch.setattr(clusters, "save", failing)
    with pytest.raises(OSError, match="disk"):
        found(paper, town)
    assert told(paper) == [] and paper.clusters() == {}
    paper.works()
    paper.sweeps()
    assert len(told(paper, "cluster.flagged")) == 1


def test_automatic_removals_open_restorations_and_do_not_launder_the_brigade(paper: Newspaper, town: Town) -> None:
    identity = found(paper, town)
    expected = held(paper, town)
    removed = [outcome(t, 8.1 * DAY, f"o-{t}") for t in targets_of(town)]
    paper.posts(removed)
    assert states(paper) == dict.fromkeys(expected, "open")
    events = told(paper, "target.restore_suggested")
    assert {data["target_id"] for _, data in events} == expected and len(events) == len(expected)
    assert all(data["removed_by"] == "automatic" and data["harm"] > 1 for _, data in events)
    assert paper.clusters()[identity].disposition == "flagged"
    assert held(paper, town) == expected
    paper.posts(removed)
    paper.sweeps()
    assert len(told(paper, "target.restore_suggested")) == len(expected)


def test_removed_before_the_cluster_was_found_is_opened_by_the_finding(paper: Newspaper, town: Town) -> None:
    times: dict[str, float] = {}
    for r in town.rows:
        times[f"t{r.target}"] = r.at
    documents = sorted(
        [(r.at, document(r)) for r in town.rows]
        + [
            (times[t], outcome(t, times[t] + 1, f"o-{t}", action="removed", decided_by="person"))
            for t in targets_of(town)
        ],
        key=lambda pair: pair[0],
    )
    for _, d in documents:  # archived before anything is analysed: nobody could know
        paper.accepts(line(d))
    while paper.waiting():
        ingest.run(paper.name, paper.resources)
    paper.works()
    paper.sweeps()
    expected = held(paper, town)
    (cluster,) = paper.clusters().values()
    unknowing = {t for t in expected if START.timestamp() + times[t] + 1 < cluster.found_us / 1e6}
    assert len(unknowing) >= 3
    assert set(states(paper)) == expected
    assert {t for t, state in states(paper).items() if state == "open"} >= unknowing, (
        "a person removed, at an inflated count, before anybody could know"
    )
    assert all(
        0 < data["harm"] < 1 and data["removed_by"] == "person" for _, data in told(paper, "target.restore_suggested")
    )


def test_outcomes_close_restorations_and_reopen_them(paper: Newspaper, town: Town) -> None:
    found(paper, town)
    first, second, third, *_ = sorted(held(paper, town))
    paper.posts([outcome(t, 8.1 * DAY, f"o-{t}") for t in (first, second, third)])
    assert states(paper) == {first: "open", second: "open", third: "open"}
    paper.posts(
        [
            outcome(first, 8.2 * DAY, "p1", action="restored", verdict="rejected", decided_by="person"),
            outcome(second, 8.2 * DAY, "p2", verdict="upheld", decided_by="person"),
        ]
    )
    assert states(paper) == {first: "restored", second: "stands", third: "open"}
    paper.posts([outcome(second, 8.3 * DAY, "p3", verdict="rejected", decided_by="appeal")])
    assert states(paper)[second] == "open", "an appeal's word beats a person's"
    paper.posts(
        [
            outcome(second, 8.4 * DAY, "p4", action="restored", decided_by="appeal"),
            outcome(first, 8.5 * DAY, "p5", action="removed", decided_by="automatic"),
        ]
    )
    assert states(paper) == {first: "open", second: "restored", third: "open"}
    events = [data["target_id"] for _, data in told(paper, "target.restore_suggested")]
    assert sorted(events) == sorted([first, second, third, first]), (
        "another removal is another event, the same one is not"
    )


def test_a_person_who_removes_while_the_cluster_is_known_has_decided(paper: Newspaper, town: Town) -> None:
    found(paper, town)
    (target, *_) = sorted(held(paper, town))
    paper.posts([outcome(target, 8.1 * DAY, "o1", action="removed", decided_by="person")])
    assert states(paper) == {target: "stands"}
    paper.forgets()
    paper.posts([document(Row(9_001, 1, 9_001, 8.2 * DAY))])
    assert states(paper) == {target: "stands"}, "also for a worker that begins anew, and looks again"
    assert told(paper, "target.restore_suggested") == []


def test_a_decision_sent_late_that_was_made_before_the_cluster_was_there_settles_nothing(
    paper: Newspaper, town: Town
) -> None:
    found(paper, town)
    last = {t: max(r.at for r in town.rows if f"t{r.target}" == t) for t in held(paper, town)}
    target = min(last, key=lambda t: last[t])
    (cluster,) = paper.clusters().values()
    assert START.timestamp() + last[target] + 60 < cluster.found_us / 1e6, "the test has its point"
    paper.posts([outcome(target, last[target] + 60, "o1", action="removed", verdict="upheld", decided_by="person")])
    assert states(paper) == {target: "open"}


def test_a_removal_before_the_raid_is_no_restoration(paper: Newspaper, town: Town) -> None:
    found(paper, town)
    (target, *_) = sorted(held(paper, town))
    first = min(r.at for r in town.rows if f"t{r.target}" == target)
    paper.posts([outcome(target, first - 60, "o1")])
    assert states(paper) == {}


def test_a_decision_that_frees_the_group_withdraws_and_its_undo_opens_again(paper: Newspaper, town: Town) -> None:
    identity = found(paper, town)
    expected = held(paper, town)
    paper.posts([outcome(t, 8.1 * DAY, f"o-{t}") for t in expected])
    decision = paper.decides(identity, "not_coordinated")
    kinds = [kind for kind, _ in told(paper)]
    assert kinds.count("cluster.decided") == kinds.count("cluster.revoked") == 1, (
        "told in the decision's own transaction"
    )
    detect.run(paper.name, paper.resources)
    assert states(paper) == {}
    paper.decides(identity, "not_coordinated", reverses=decision)
    detect.run(paper.name, paper.resources)
    assert states(paper) == dict.fromkeys(expected, "open")
    kinds = [kind for kind, _ in told(paper)]
    assert (kinds.count("cluster.decided"), kinds.count("cluster.flagged")) == (2, 2)
    assert kinds.count("target.restore_suggested") == len(expected), "the same removals: told once"


def test_withdrawn_complaints_withdraw_the_restoration_and_revoke_the_flag(paper: Newspaper, town: Town) -> None:
    identity = found(paper, town)
    (target, *_) = sorted(held(paper, town))
    paper.posts([outcome(target, 8.1 * DAY, "o1")])
    assert states(paper) == {target: "open"}
    paper.posts([{"withdraws": f"c{r.seq}"} for r in town.rows if r.reporter in town.brigades[0]])
    assert states(paper) == {}
    ((_, data),) = told(paper, "cluster.revoked")
    assert data["cluster_id"] == identity and "withdrawn" in data["because"]


def test_what_people_found_right_revokes_and_an_appeal_takes_that_back(paper: Newspaper, town: Town) -> None:
    identity = found(paper, town)
    targets = targets_of(town)
    paper.posts([outcome(t, 8.1 * DAY, f"o-{t}") for t in targets])
    opened = set(states(paper))
    paper.posts([outcome(t, 8.2 * DAY, f"p-{t}", verdict="upheld", decided_by="person") for t in targets])
    assert paper.clusters()[identity].disposition == "reliable" and states(paper) == {}
    ((_, revoked),) = told(paper, "cluster.revoked")
    assert revoked["because"] == "moderators upheld its complaints"
    paper.posts([outcome(t, 8.3 * DAY, f"a-{t}", verdict="rejected", decided_by="appeal") for t in targets])
    assert paper.clusters()[identity].disposition == "flagged"
    assert len(told(paper, "cluster.flagged")) == 2
    assert states(paper) == dict.fromkeys(opened, "open")


def test_another_threshold_is_looked_at_anew(paper: Newspaper, town: Town) -> None:
    found(paper, town)
    targets = targets_of(town)
    paper.posts([outcome(t, 8.1 * DAY, f"o-{t}") for t in targets])
    before = set(states(paper))
    with write(paper.engine) as connection:
        set_overrides(connection, paper.id, {"default_threshold": 5}, by="ann", now_us=1)
    paper.posts([document(Row(9_001, 1, 9_001, 8.2 * DAY))])
    after = set(states(paper))
    assert before != after == {t for t in targets if paper.asks(t, threshold=5).recommendation == "hold"}
    assert {data["threshold"] for _, data in told(paper, "target.hold")} == {5, 8}


def test_nobody_is_warned_by_what_the_detector_or_a_machine_thinks(paper: Newspaper, town: Town) -> None:
    found(paper, town)
    paper.posts(
        [
            outcome(t, 8.1 * DAY, f"o-{t}", verdict="rejected", action="kept", decided_by="automatic")
            for t in targets_of(town)
        ]
    )
    paper.sweeps()
    assert told(paper, "reporter.warn_suggested") == []


def test_who_people_find_wrong_again_and_again_is_suggested_for_a_warning_once(paper: Newspaper, town: Town) -> None:
    found(paper, town)
    targets = targets_of(town)
    wrong = {f"r{r}": sum(r == row.reporter for row in town.rows) for r in town.brigades[0]}
    paper.posts(
        [outcome(t, 8.1 * DAY, f"o-{t}", verdict="rejected", action="kept", decided_by="person") for t in targets]
    )
    assert told(paper, "reporter.warn_suggested") == [], "not before a sweep: nobody waits for it"
    paper.sweeps()
    events = told(paper, "reporter.warn_suggested")
    assert {data["reporter_id"] for _, data in events} == {r for r, n in wrong.items() if n >= 10} and len(events) >= 8
    assert all(
        data["unfounded"] >= 10 and data["share"] >= 0.8 and data["rejected_by_outcome"] == data["unfounded"]
        for _, data in events
    )
    paper.posts([outcome(targets[0], 8.2 * DAY, "more", verdict="rejected", decided_by="person")])
    paper.sweeps()
    assert len(told(paper, "reporter.warn_suggested")) == len(events)
    assert paper.count(schema.reporter_warnings) == len(events)
    paper.posts([outcome(t, 8.3 * DAY, f"a-{t}", verdict="upheld", decided_by="appeal") for t in targets])
    paper.sweeps()
    assert paper.count(schema.reporter_warnings) == 0, "an appeal takes back what it was made of"


def test_a_person_who_calls_it_a_brigade_has_judged_its_complaints(paper: Newspaper, town: Town) -> None:
    identity = found(paper, town)
    paper.decides(identity, "coordinated")
    detect.run(paper.name, paper.resources)
    events = told(paper, "reporter.warn_suggested")
    assert len(events) >= 8 and all(
        data["in_decided_brigades"] >= 10 and data["reviewed"] == 0 and data["clusters"] == [identity]
        for _, data in events
    )
    assert {key_of(data["reporter_id"]) for _, data in events} <= paper.clusters()[identity].members


def test_a_brigade_whose_undo_was_undone_counts_for_warnings_as_it_was_decided(paper: Newspaper, town: Town) -> None:
    identity = found(paper, town)
    last = paper.decides(identity, "coordinated")
    detect.run(paper.name, paper.resources)
    warned = paper.count(schema.reporter_warnings)
    assert warned >= 8
    for expected in (0, warned, 0, warned):
        request = DecisionRequest(verdict="coordinated", reason_code="other", version=0, reverses=last)
        with paper.engine.connect() as connection:
            preview = effect_of_decisions(connection, paper.id, {identity: request}, now=LONG_AFTER)
        last = paper.decides(identity, "coordinated", reason="other", reverses=last)
        detect.run(paper.name, paper.resources)
        assert (preview.warnings, paper.count(schema.reporter_warnings)) == (expected, expected)


def test_a_restoration_whose_complaints_were_deleted_goes_with_them_and_nothing_is_told_again(
    paper: Newspaper, town: Town
) -> None:
    found(paper, town)
    (target, other, *_) = sorted(held(paper, town))
    paper.posts([outcome(t, 8.1 * DAY, f"o-{t}") for t in (target, other)])
    with write(paper.engine) as connection:  # as retention does, an old event and the target's complaints
        connection.execute(delete(schema.events).where(schema.events.c.tenant_id == paper.id))
        connection.execute(
            delete(schema.complaints).where(
                schema.complaints.c.tenant_id == paper.id, schema.complaints.c.target_id == target
            )
        )
    paper.forgets()
    paper.posts([document(Row(9_001, 1, 9_001, 8.2 * DAY))])
    assert states(paper) == {other: "open"}
    assert told(paper) == []
