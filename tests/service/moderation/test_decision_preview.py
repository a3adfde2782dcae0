"""What a decision does, told before: complaints lifted, holds, restorations."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from cluster_states import cluster_state

from service.model import DecisionRequest
from service.moderation.cluster_state import ClusterState, Membership
from service.moderation.decision_preview import Effect, Facts, decided_state, effects_of, sentence
from service.moderation.decisions import Case, decide
from service.moderation.restorations import Moment, inflations, review

HOUR = 3_600_000_000
NOW = datetime(2026, 11, 2, tzinfo=UTC)


@dataclass(frozen=True)
class Told:
    id: str
    seq: int
    target: int
    decided_us: int
    verdict: str | None = None
    action: str | None = "removed"
    decided_by: str = "automatic"
    complaint: int = 0
    retracts: str | None = None


def cluster(identity: str, people: Iterable[int], targets: Iterable[int], **changes: Any) -> ClusterState:
    who = list(people)
    filed = [Membership(1_000 * t + w, w, t, t * HOUR + w, False) for t in targets for w in who]
    return replace(cluster_state(identity, filed, probability=0.5), **changes)


def facts(totals: dict[int, int], *removals: Told, stood: dict[int, int] | None = None, threshold: int = 8) -> Facts:
    outcomes: dict[int, list[Told]] = {}
    for removal in removals:
        outcomes.setdefault(removal.target, []).append(removal)
    return Facts(totals, outcomes, {}, stood if stood is not None else totals, threshold, Moment(100, 100, 7))


def after(state: ClusterState, verdict: str, excluded: Iterable[int] = ()) -> ClusterState:
    names = {f"r{w}": w for w in state.members | state.excluded}
    case = Case(
        id=state.id,
        version=1,
        changed_by="detector",
        disposition=state.disposition,
        status=state.status,
        verdict=state.verdict,
        snooze_until=None,
        revoked_at=None,
        revoked_because=None,
        merged_into=None,
        members=frozenset(names),
        excluded=frozenset(),
        target_count=len(state.author_by_target),
        decided_reporters=None,
        decided_targets=None,
    )
    asked = DecisionRequest.model_validate(
        {"verdict": verdict, "reason_code": "other", "version": 1, "excluded_reporters": [f"r{w}" for w in excluded]}
    )
    return decided_state(state, decide(case, [], asked, decision_id="d", by="ann", now=NOW)[0], names)


def effect(
    state: ClusterState, verdict: str, known: Facts, excluded: Iterable[int] = (), *others: ClusterState
) -> Effect:
    return effects_of({s.id: s for s in (state, *others)}, [{state.id: after(state, verdict, excluded)}], known)[0]


def test_coordinated_lifts_all_but_one_voice_a_target() -> None:
    found = effect(cluster("k1", range(10), [1, 2]), "coordinated", facts({1: 12, 2: 30}))
    assert (found.lifted, found.changed_targets) == (pytest.approx(18.0), 2)
    assert 0 < found.lifted_before < found.lifted, "an estimate lifted a part of them already"
    assert (found.held_before, found.held) == (1, 1), "12 with ten of one voice is held by the estimate as well"
    assert sentence(found) == "Stops counting 4 more complaints on 2 targets (14 → 18)."


def test_not_coordinated_counts_them_again_and_releases_the_holds() -> None:
    found = effect(
        cluster("k1", range(10), [1, 2], probability=0.99, unfounded_probability=0.99),
        "not_coordinated",
        facts({1: 12, 2: 30}),
    )
    assert found.lifted == 0 and found.lifted_before > 17
    assert (found.held_before, found.held) == (1, 0)
    assert sentence(found) == (
        "Counts 18 complaints on 2 targets in full again (not counted: 18 → 0) and releases 1 target at the removal"
        " threshold (1 → 0)."
    )


def test_a_removal_that_the_group_carried_is_suggested_for_restoration() -> None:
    removed = Told("o1", 50, 1, 20 * HOUR)
    found = effect(cluster("k1", range(10), [1, 2], probability=0.1), "coordinated", facts({1: 12, 2: 30}, removed))
    assert (found.restorations_before, found.restorations) == (0, 1)
    assert "suggests reviewing the removal of 1 target" in sentence(found)
    assert effect(cluster("k1", range(10), [1]), "coordinated", facts({1: 30}, removed)).restorations == 0, (
        "enough others complained"
    )
    restored = Told("o2", 51, 1, 21 * HOUR, action="restored", decided_by="person")
    assert effect(cluster("k1", range(10), [1]), "coordinated", facts({1: 12}, removed, restored)).restorations == 0, (
        "it is back already"
    )


def test_who_is_excluded_counts_for_himself() -> None:
    whole, without = (effect(cluster("k1", range(10), [1]), "coordinated", facts({1: 12}), out) for out in ((), (3, 4)))
    assert without.excluded == 2 and whole.lifted - without.lifted == pytest.approx(2)
    assert sentence(without).endswith("excludes 2 accounts from the group.")


def test_escalating_changes_no_count() -> None:
    found = effect(cluster("k1", range(10), [1]), "escalated", facts({1: 12}))
    assert found.lifted == pytest.approx(found.lifted_before) and found.held == found.held_before
    assert sentence(found) == "Changes no counts."


def test_what_another_cluster_lifts_anyway_is_not_this_ones_doing() -> None:
    twin = cluster("k0", range(10), [1], status="decided", verdict="coordinated")
    found = effect(cluster("k1", range(10), [1]), "coordinated", facts({1: 12}), (), twin)
    assert found.lifted == pytest.approx(0.0) and sentence(found) == "Changes no counts."


def test_several_decisions_are_told_together() -> None:
    one, two = cluster("k1", range(10), [1]), cluster("k2", range(20, 30), [1])
    known = facts({1: 25})
    states = {s.id: s for s in (one, two)}
    [both] = effects_of(states, [{s.id: after(s, "coordinated") for s in (one, two)}], known)
    assert both.lifted == pytest.approx(18) and both.clusters == 2 and both.targets == 1
    assert (both.held_before, both.held) == (0, 1)
    with pytest.raises(KeyError):
        effects_of({}, [{"k1": one}], known)


def test_a_restoration_that_falls_with_its_cluster_is_taken_back() -> None:
    removed = Told("o1", 50, 1, 20 * HOUR)
    state = cluster("k1", range(10), [1], probability=0.99, unfounded_probability=0.99)
    opened = effect(state, "coordinated", facts({1: 12}, removed))
    assert opened.restorations == 1

    before = review(
        1,
        None,
        [removed],
        inflations([state], {1: removed.decided_us}, {1: 12})[1],
        (),
        threshold=8,
        at=Moment(0, 40, 7),
    )
    assert before is not None and before.state == "open"
    known = replace(facts({1: 12}, removed), restorations={1: before})
    [found] = effects_of({"k1": state}, [{"k1": after(state, "not_coordinated")}], known)
    assert (found.restorations_before, found.restorations) == (1, 0)
    assert "no longer suggests reviewing the removal of 1 target" in sentence(found)
