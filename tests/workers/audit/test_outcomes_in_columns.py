"""Outcomes in columns are the same outcomes, and what stands at a moment is what live detection makes of them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.model import Outcome
from service.moderation.outcomes import standing
from service.moderation.usual import Verdicts
from service.storage.complaints.feed import NOT_ARCHIVED, FeedOutcome
from service.storage.sql.hashing import key_of
from workers.audit.outcomes import OutcomesByTarget, outcomes_by_target
from workers.audit.totals import Totals
from workers.audit.verdict_changes import VerdictsOverTime, judged_targets


@st.composite
def given_outcomes(draw: Any) -> list[FeedOutcome]:
    """A few outcomes on a few targets at a few moments; some take others back, which may come earlier or never."""
    many = draw(st.integers(0, 12))
    return [
        FeedOutcome(
            0,
            f"o{number}",
            draw(st.sampled_from([1, 2, -3, 2**63 - 1])),
            draw(st.integers(-2, 5)),
            draw(st.sampled_from(["upheld", "rejected", None])),
            draw(st.sampled_from(["removed", None])),
            draw(st.sampled_from(["person", "automatic", "appeal"])),
            draw(st.sampled_from([0, 4, NOT_ARCHIVED])),
            draw(st.none() | st.integers(0, many).map(lambda other: f"o{other}")),
        )
        for number in range(many)
    ]


def by_target(outcomes: list[FeedOutcome]) -> dict[int, tuple[FeedOutcome, ...]]:
    found: dict[int, list[FeedOutcome]] = defaultdict(list)
    for outcome in outcomes:
        found[outcome.target].append(outcome)
    return {target: tuple(several) for target, several in found.items()}


@given(given_outcomes())
def test_they_are_what_they_were_made_of(outcomes: list[FeedOutcome]) -> None:
    found = OutcomesByTarget.of(by_target(outcomes))
    assert found == by_target(outcomes)
    assert OutcomesByTarget.of(found) is found
    assert 5 not in found and found.get(5, ()) == ()


@given(given_outcomes())
def test_what_stands_at_each_moment_is_what_live_detection_would_say(outcomes: list[FeedOutcome]) -> None:
    columns, live = OutcomesByTarget.of(by_target(outcomes)), Verdicts()
    history = VerdictsOverTime(columns)
    for moment in range(-3, 7):
        for outcome in outcomes:
            if outcome.decided_us == moment:
                live.add(outcome)
        assert dict(history.until(moment)) == live.by_target
    right = {target for target, several in by_target(outcomes).items() if standing(several) is not None}
    assert set(judged_targets(columns).tolist()) == right


def test_a_retraction_counts_from_when_it_was_decided() -> None:
    decided = FeedOutcome(0, "o1", 1, 5, "upheld", None, "person", 0)
    taken_back = replace(decided, id="o2", decided_us=9, verdict=None, retracts="o1")
    history = VerdictsOverTime(OutcomesByTarget.of({1: [taken_back, decided]}))
    assert [dict(history.until(moment)) for moment in (4, 5, 8, 9)] == [{}, {1: True}, {1: True}, {}]


def outcome(identity: str, **others: Any) -> Outcome:
    return Outcome(id=identity, target_id="t", decided_at=datetime(2026, 3, 1, tzinfo=UTC), **others)


def test_the_first_that_counts_of_equal_ids_is_taken() -> None:
    outcomes = [
        outcome("a", verdict="upheld", complaint_id="of no file"),
        outcome("a", verdict="rejected", complaint_id="c"),
        outcome("a", verdict="upheld"),
        outcome("b", retracts="a", complaint_id="of no file"),
    ]
    first, second = outcomes_by_target(outcomes, {"c": 7})[key_of("t")]
    assert (first.verdict, first.complaint) == ("rejected", 7)
    assert (second.retracts, second.complaint) == ("a", NOT_ARCHIVED)


def test_there_may_be_none() -> None:
    assert dict(outcomes_by_target([], {})) == {}


def test_totals_count_the_complaints_of_a_target() -> None:
    totals = Totals(np.array([5, -1, 5, 2**63 - 1, 5], np.int64))
    assert totals == {-1: 1, 5: 3, 2**63 - 1: 1}
    assert totals[5] == 3 and 6 not in totals
    assert Totals(np.empty(0, np.int64)) == {}
