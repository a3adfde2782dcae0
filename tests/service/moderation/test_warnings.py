"""When a warning is suggested: often, mostly, and by people's judgement alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from service.moderation.outcomes import JudgedComplaint
from service.moderation.warnings import Noticed, Suggestion, suggest
from service.policy import DAY, DEFAULT_POLICY

NOW = 400 * DAY * 1_000_000


@dataclass(frozen=True)
class Told:
    """An outcome about a target."""

    target: int
    verdict: str | None
    decided_by: str = "person"
    id: str = "o"
    decided_us: int = NOW
    action: str | None = None
    complaint: int = 0
    retracts: str | None = None


def filed(n: int, *, days_ago: float = 5, trusted: bool = False, brigade: str | None = None) -> Noticed:
    return Noticed(JudgedComplaint(n, n, NOW - round(days_ago * DAY * 1_000_000)), trusted, brigade)


def looked(
    rejected: int, upheld: int = 0, *, decided_by: str = "person", warned_us: int | None = None, **complaint: Any
) -> Suggestion | None:
    outcomes = {n: [Told(n, "rejected" if n < rejected else "upheld", decided_by)] for n in range(rejected + upheld)}
    return suggest(
        [filed(n, **complaint) for n in range(rejected + upheld)],
        outcomes,
        DEFAULT_POLICY,
        now_us=NOW,
        warned_us=warned_us,
    )


def test_ten_of_which_eight_in_ten_are_wrong_and_no_fewer() -> None:
    assert looked(9) is None
    assert looked(10) == Suggestion(10, 10, 10, 0, 90 * DAY, ())
    found = looked(12, 3)
    assert found is not None and (found.share, found.judged) == (0.8, 15)
    assert looked(12, 4) is None


def test_only_people_judge() -> None:
    assert looked(50, decided_by="automatic") is None
    assert looked(50, decided_by="appeal") is not None
    assert suggest([filed(n) for n in range(50)], {}, DEFAULT_POLICY, now_us=NOW) is None, "unjudged is no verdict"


def test_what_was_filed_after_the_verdict_is_not_judged_by_it() -> None:
    outcomes = {n: [Told(n, "rejected", decided_us=NOW - 10 * DAY * 1_000_000)] for n in range(20)}
    assert suggest([filed(n) for n in range(20)], outcomes, DEFAULT_POLICY, now_us=NOW) is None


def test_an_appeal_takes_the_verdict_back() -> None:
    outcomes = {n: [Told(n, "rejected"), Told(n, "upheld", "appeal", id="a")] for n in range(20)}
    assert suggest([filed(n) for n in range(20)], outcomes, DEFAULT_POLICY, now_us=NOW) is None


def test_a_decided_brigade_counts_where_no_outcome_speaks() -> None:
    complaints = [filed(n, brigade="k1" if n < 9 else "k2") for n in range(12)]
    found = suggest(complaints, {}, DEFAULT_POLICY, now_us=NOW)
    assert found == Suggestion(12, 12, 0, 12, 90 * DAY, ("k1", "k2"))
    outcomes = {n: [Told(n, "upheld")] for n in range(6)}
    assert suggest(complaints, outcomes, DEFAULT_POLICY, now_us=NOW) is None, (
        "found right by a person: right, whoever else complained"
    )


def test_a_trusted_flagger_has_another_way() -> None:
    assert looked(50, trusted=True) is None


def test_old_mistakes_are_forgotten_and_one_suggestion_a_period_is_enough() -> None:
    assert looked(50, days_ago=91) is None
    assert looked(50, warned_us=NOW - 89 * DAY * 1_000_000) is None
    assert looked(50, warned_us=NOW - 90 * DAY * 1_000_000) is not None


@pytest.mark.parametrize("overrides", [{"warn_unfounded": 51}, {"warn_share": 1.0}])
def test_a_tenant_may_ask_for_more(overrides: dict[str, Any]) -> None:
    outcomes = {n: [Told(n, "rejected" if n else "upheld")] for n in range(51)}
    complaints = [filed(n) for n in range(51)]
    assert suggest(complaints, outcomes, DEFAULT_POLICY, now_us=NOW) is not None
    assert suggest(complaints, outcomes, DEFAULT_POLICY.overridden(overrides), now_us=NOW) is None
