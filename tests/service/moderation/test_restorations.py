"""What carried a removed target over the threshold, how harmful that is, and which word closes it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from cluster_states import cluster_state
from hypothesis import given
from hypothesis import strategies as st

from service.moderation.cluster_state import ClusterState, Membership
from service.moderation.restorations import (
    Inflation,
    Moment,
    Restoration,
    harm,
    inflations,
    latest_action,
    latest_removal,
    review,
)

HOUR = 3_600_000_000
LATER = Moment(since_seq=100, seq=200, now_us=7)
CARRIED = Inflation(12, 3.0, ("k1",), 10 * HOUR)


@dataclass(frozen=True)
class Told:
    """An outcome with its place in the sequence."""

    id: str
    seq: int
    decided_us: int
    verdict: str | None = None
    action: str | None = None
    decided_by: str = "automatic"
    complaint: int = 0
    target: int = 1
    retracts: str | None = None


REMOVED = Told("o1", 150, 9 * HOUR, action="removed")


def looked(
    before: Restoration | None,
    outcomes: Iterable[Told],
    inflation: Inflation | None = CARRIED,
    known: Iterable[str] = (),
    threshold: int = 8,
    at: Moment = LATER,
) -> Restoration | None:
    return review(1, before, list(outcomes), inflation, known, threshold=threshold, at=at)


def opened(**changes: Any) -> Restoration:
    found = looked(None, [REMOVED])
    assert found is not None and found.state == "open"
    return replace(found, **changes)


def test_only_a_removal_that_clusters_carried_over_the_threshold_is_one() -> None:
    assert opened().complaints == 12
    assert looked(None, []) is None
    assert looked(None, [replace(REMOVED, action="kept")]) is None
    assert looked(None, [REMOVED], None) is None
    for inflation in (
        Inflation(7, 3.0, ("k1",), 0),
        Inflation(12, 8.0, ("k1",), 0),
        Inflation(12, 7.9999999, ("k1",), 0),
    ):
        assert looked(None, [REMOVED], inflation) is None, "rounded to six decimals before it is compared"
    assert looked(None, [REMOVED], Inflation(8, 7.99, ("k1",), 0)) is not None
    assert looked(None, [REMOVED], threshold=13) is None


def test_an_outcome_about_one_complaint_removes_no_target() -> None:
    assert (
        latest_removal([replace(REMOVED, complaint=5)]) is None
        and looked(None, [replace(REMOVED, complaint=5)]) is None
    )


def test_the_latest_decision_says_what_is_removed_whoever_made_it() -> None:
    outcomes = [
        REMOVED,
        Told("o2", 151, 11 * HOUR, action="restored", decided_by="appeal"),
        Told("o3", 152, 12 * HOUR, action="removed"),
    ]
    latest = latest_action(outcomes)
    assert latest is not None and latest.id == "o3"
    tied = [
        Told("a", 1, HOUR, action="removed", decided_by="automatic"),
        Told("b", 2, HOUR, action="kept", decided_by="person"),
    ]
    latest = latest_action(tied)
    assert latest is not None and latest.id == "b", "at the same moment a person has the last word"


@pytest.mark.parametrize("action", ["restored", "kept"])
def test_what_is_back_is_restored_and_what_never_opened_stays_nothing(action: str) -> None:
    back = Told("o2", 250, 11 * HOUR, action=action, decided_by="person")
    closed = looked(opened(), [REMOVED, back], at=Moment(200, 300, 9))
    assert closed is not None and (closed.state, closed.changed_us, closed.opened_us) == ("restored", 9, 7)
    assert looked(closed, [REMOVED, back], at=Moment(300, 400, 11)) is closed, "nothing changed: the same object"
    assert looked(None, [REMOVED, back]) is None
    again = Told("o3", 350, 12 * HOUR, action="removed")
    reopened = looked(closed, [REMOVED, back, again], at=Moment(300, 400, 11))
    assert reopened is not None and (reopened.state, reopened.removal, reopened.opened_us) == ("open", "o3", 11)


@pytest.mark.parametrize(
    ("word", "state"),
    [
        (Told("p", 250, 11 * HOUR, verdict="upheld", decided_by="person"), "stands"),
        (Told("p", 250, 11 * HOUR, verdict="upheld", decided_by="appeal"), "stands"),
        (Told("p", 250, 11 * HOUR, action="removed", decided_by="person"), "stands"),
        (Told("p", 250, 11 * HOUR, verdict="rejected", decided_by="person"), "open"),
        (Told("p", 250, 11 * HOUR, verdict="upheld", action="removed", decided_by="automatic"), "open"),
        # decided before the cluster's last complaint, sent late
        (Told("p", 250, 9 * HOUR + 1, verdict="upheld", decided_by="person"), "open"),
        (
            Told("p", 199, 11 * HOUR, verdict="upheld", decided_by="person"),
            "open",
        ),  # received before the cluster was found
        (Told("p", 250, 11 * HOUR, verdict="upheld", decided_by="person", complaint=5), "open"),
    ],
)
def test_a_removal_stands_by_the_word_of_people_who_could_know(word: Told, state: str) -> None:
    after = looked(opened(removed_us=REMOVED.decided_us), [REMOVED, word], at=Moment(200, 300, 9))
    assert after is not None and after.state == state


def test_a_removal_that_a_retracted_decision_confirmed_is_open_again() -> None:
    word = Told("p", 250, 11 * HOUR, verdict="upheld", decided_by="person")
    stands = looked(opened(), [REMOVED, word], at=Moment(200, 300, 9))
    assert stands is not None and stands.state == "stands"
    retraction = Told("r", 350, 12 * HOUR, decided_by="person", retracts="p")
    again = looked(stands, [REMOVED, word, retraction], at=Moment(300, 400, 11))
    assert again is not None and (again.state, again.changed_us, again.opened_us) == ("open", 11, 7)
    rejected = replace(retraction, verdict="rejected")
    assert looked(stands, [REMOVED, word, rejected], at=Moment(300, 400, 11)) == again
    kept = looked(opened(), [REMOVED, retraction, word], at=Moment(200, 400, 11))
    assert kept is not None and kept.state == "open", "the retraction may come first"


def test_a_retracted_removal_is_none_and_what_it_had_opened_is_restored_only_if_the_content_is_back() -> None:
    person = Told("p", 250, 11 * HOUR, verdict="upheld", action="removed", decided_by="person")
    retraction = Told("r", 350, 12 * HOUR, decided_by="person", retracts="p")
    removal = latest_removal([REMOVED, person, retraction])
    assert removal is not None and removal.id == "o1", "the automatic one before it is the latest again"
    assert latest_action([person, retraction]) is None
    before = opened(removal="p", removed_by="person")
    assert looked(before, [person, retraction]) is None
    back = looked(before, [person, replace(retraction, action="restored")])
    assert back is not None and back.state == "restored"
    restored = looked(replace(back, removal="o1"), [REMOVED, replace(retraction, action="restored", retracts=None)])
    assert restored is not None and restored.state == "restored"
    undone = [REMOVED, Told("b", 250, 11 * HOUR, action="restored", decided_by="person")]
    reopened = looked(opened(state="restored"), [*undone, Told("x", 360, 13 * HOUR, retracts="b")])
    assert reopened is not None and reopened.state == "open", "putting it back can be taken back as well"


def test_a_removal_by_a_person_who_could_know_stands_however_often_it_is_looked_at() -> None:
    person = Told("p", 250, 11 * HOUR, verdict="upheld", action="removed", decided_by="person")
    for before, known in ((opened(), ()), (None, ("k1",))):
        stands = looked(before, [REMOVED, person], known=known, at=Moment(200, 300, 9))
        assert stands is not None and stands.state == "stands"
        assert looked(stands, [REMOVED, person], known=known, at=Moment(300, 400, 11)) is stands


def test_an_appeal_has_the_last_word_and_takes_a_persons_back() -> None:
    person, appeal = (
        Told("p", 250, 12 * HOUR, verdict="upheld", decided_by="person"),
        Told("a", 260, 11 * HOUR, verdict="rejected", decided_by="appeal"),
    )
    after = looked(opened(), [REMOVED, person, appeal], at=Moment(200, 300, 9))
    assert after is not None and after.state == "open"


def test_who_removes_while_the_cluster_is_known_has_decided_and_a_rule_has_not() -> None:
    person = Told("p", 150, 11 * HOUR, action="removed", decided_by="person")
    for known, outcome, state in (
        ({"k1"}, person, "stands"),
        ({"k9"}, person, "open"),
        ({"k1"}, replace(person, decided_by="automatic"), "open"),
        ({"k1"}, replace(person, seq=90), "open"),
    ):
        found = looked(None, [outcome], known=known)
        assert found is not None and found.state == state


def test_when_the_cluster_is_gone_it_is_withdrawn() -> None:
    assert looked(opened(), [REMOVED], None) is None
    assert looked(opened(state="stands"), [REMOVED], Inflation(12, 12.0, ("k1",), 0)) is None


def test_figures_move_and_the_opening_stays() -> None:
    after = looked(opened(), [REMOVED], replace(CARRIED, independent=2.0), at=Moment(200, 300, 9))
    assert after is not None and (after.independent, after.opened_us, after.opened_seq, after.changed_us) == (
        2.0,
        7,
        200,
        7,
    )
    assert looked(after, [REMOVED], replace(CARRIED, independent=2.0), at=Moment(300, 400, 11)) is after


def test_harm_puts_automatic_removals_first_and_then_those_that_least_speaks_for() -> None:
    ordered = [
        (12, 1.0, "automatic"),
        (12, 4.0, "automatic"),
        (9, 7.5, "automatic"),
        (12, 1.0, "person"),
        (12, 4.0, "appeal"),
        (9, 7.5, "person"),
    ]
    values = [harm(n, independent, 8, by) for n, independent, by in ordered]
    assert values == sorted(values, reverse=True) and len(set(values)) == len(values)


@given(st.integers(8, 10_000), st.floats(0, 7.99), st.sampled_from(["automatic", "person", "appeal"]))
def test_harm_lies_between_0_and_2_and_falls_with_every_independent_voice(
    complaints: int, independent: float, by: str
) -> None:
    value = harm(complaints, independent, 8, by)
    assert (1 <= value < 2.000001) if by == "automatic" else (0 <= value < 1.000001)
    assert harm(complaints, min(8.0, independent + 0.5), 8, by) <= value


@pytest.mark.parametrize(("complaints", "threshold"), [(0, 8), (12, 0), (-1, 8)])
def test_harm_of_nothing_is_a_mistake(complaints: int, threshold: int) -> None:
    with pytest.raises(ValueError, match="must be at least 1"):
        harm(complaints, 0.0, threshold, "person")


def cluster(identity: str, reporters: Iterable[int], times: Iterable[int], **changes: Any) -> ClusterState:
    memberships = [
        Membership(n, reporter, 1, at, False) for n, (reporter, at) in enumerate(zip(reporters, times, strict=True), 1)
    ]
    state = cluster_state(
        identity,
        memberships,
        status="decided",
        verdict="coordinated",
        probability=1.0,
        unfounded_probability=1.0,
        found_us=5 * HOUR,
    )
    return replace(state, **changes)


def test_counted_is_what_stood_when_it_was_removed() -> None:
    group = cluster("k1", range(10), [n * HOUR for n in range(10)])
    found = inflations([group], {1: 4 * HOUR}, {1: 7})
    assert found[1] == Inflation(7, 3.0, ("k1",), 5 * HOUR), "five of the group and two others"
    assert inflations([group], {1: -1}, {1: 0}) == {} == inflations([group], {2: 9 * HOUR}, {2: 9})


def test_what_discounts_nothing_inflates_nothing() -> None:
    group = cluster("k1", range(10), [0] * 10)
    for changes in (
        {"verdict": "not_coordinated", "disposition": "revoked"},
        {"disposition": "merged"},
        {"verdict": None, "disposition": "reliable", "status": "open"},
    ):
        assert inflations([replace(group, **changes)], {1: HOUR}, {1: 12}) == {}


def test_the_clusters_are_named_strongest_first_and_the_latest_finding_counts() -> None:
    strong, weak = (
        cluster("kb", range(10), [0] * 10),
        cluster("ka", range(10, 20), [0] * 10, verdict=None, status="open", probability=0.5, found_us=8 * HOUR),
    )
    found = inflations([weak, strong], {1: HOUR}, {1: 22})[1]
    assert found.clusters == ("kb", "ka") and found.found_us == 8 * HOUR and 4 < found.independent < 8
