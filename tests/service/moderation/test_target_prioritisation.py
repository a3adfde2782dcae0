"""Which targets a person should judge first."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import betabinom

from service.model import Evidence
from service.moderation.log_odds import log_odds, sigmoid
from service.moderation.outcomes import JudgedComplaint, VerdictTally, tally
from service.moderation.score import judge
from service.moderation.target_prioritisation import MOST, expected_change, forecast, looks_needed, settle_with
from service.moderation.usual import HIGHEST_SHARE, LOWEST_SHARE, Usual
from service.storage.complaints.feed import FeedOutcome

UNTOLD = VerdictTally(0, 0, 9)
USUAL = 0.4  # share upheld in the tenant
usual_shares = st.floats(LOWEST_SHARE, HIGHEST_SHARE)
tallies = st.builds(VerdictTally, st.integers(0, 12), st.integers(0, 12), st.just(3))
probabilities = st.floats(0.01, 0.99)


def outcome(
    target: int, verdict: str | None = "upheld", *, decided_us: int = 10, action: str | None = None, by: str = "person"
) -> FeedOutcome:
    return FeedOutcome(0, f"o{target}-{decided_us}", target, decided_us, verdict, action, by, 0)


def named(
    members_by_target: Mapping[int, int], *outcomes: FeedOutcome, now: float = 0.5, time_us: int = 5
) -> tuple[int, ...]:
    """What is named when so many members complained about each target."""
    filed = [
        JudgedComplaint(100 * target + k, target, time_us)
        for target, members in members_by_target.items()
        for k in range(members)
    ]
    known = {o.target: [x for x in outcomes if x.target == o.target] for o in outcomes}
    return settle_with(filed, known, tally(filed, known), now, USUAL)


def test_the_unjudged_targets_with_most_members_come_first() -> None:
    assert named({1: 6, 2: 3, 3: 6, 4: 5}, outcome(1, "rejected")) == (3, 4, 2)


def test_never_more_than_three_and_only_what_there_is() -> None:
    assert len(named(dict.fromkeys(range(1, 9), 4))) == MOST
    assert named({7: 4}) == (7,)
    assert named({}) == ()


def test_when_all_are_judged_nothing_is_left_to_ask() -> None:
    assert named({1: 4, 2: 4}, outcome(1), outcome(2, "rejected")) == ()


def test_a_verdict_from_before_every_complaint_judges_none_of_them() -> None:
    assert named({1: 4}, outcome(1, decided_us=5), time_us=5) == (1,)
    assert named({1: 4}, outcome(1, decided_us=6), time_us=5) == ()


def test_what_a_machine_decided_is_still_to_be_judged() -> None:
    assert named({1: 4}, outcome(1, by="automatic", action="removed")) == (1,)


def test_of_equal_targets_the_removed_come_first() -> None:
    removed = outcome(3, None, action="removed", by="automatic")
    assert named({1: 4, 2: 4, 3: 4}, removed) == (3, 1, 2)
    assert named({1: 5, 2: 4, 3: 4}, removed) == (1, 3, 2)
    assert named({1: 4, 2: 4, 3: 4}, removed, outcome(3, None, decided_us=11, action="restored")) == (1, 2, 3)


def test_one_is_named_where_one_verdict_probably_settles_it() -> None:
    assert looks_needed(0.91, UNTOLD, MOST, USUAL) == 1  # a rejection, six times in seven, brings it to .95
    assert len(named(dict.fromkeys(range(1, 9), 4), now=0.91)) == 1


def test_three_are_named_from_the_middle() -> None:
    assert looks_needed(0.5, UNTOLD, MOST, USUAL) == 3


def test_nobody_is_asked_where_no_verdict_would_change_anything() -> None:
    assert named({1: 4, 2: 4}, now=1.0) == named({1: 4, 2: 4}, now=0.0) == ()
    assert looks_needed(0.99995, UNTOLD, MOST, USUAL) == 0
    assert looks_needed(0.99, UNTOLD, MOST, USUAL) > 0


@given(probabilities, tallies, st.integers(1, MOST), usual_shares)
def test_the_forecast_is_a_distribution_and_the_mean_of_its_posteriors_is_now(
    now: float, told: VerdictTally, looks: int, usual: float
) -> None:
    weight, posterior = forecast(now, told, looks, usual)
    assert weight.sum() == pytest.approx(1)
    # The bound on what outcomes may say breaks the martingale; inside it, no forecast may know better than now.
    if told.upheld + told.rejected + looks <= 6:
        assert float((weight * posterior).sum()) == pytest.approx(now)


@given(probabilities, tallies, usual_shares)
def test_the_posteriors_are_those_that_judging_the_cluster_would_give(
    now: float, told: VerdictTally, usual: float
) -> None:
    def unfounded(upheld: int, rejected: int, beside: float) -> float:
        evidence = [Evidence(signal="fresh_accounts", value=0, usual=0, contribution=beside, text="")]
        return judge(
            evidence, VerdictTally(upheld, rejected, 0), 9, usual=Usual(upheld=usual, unfounded=0.5), flag_score=0
        ).unfounded_probability

    beside = log_odds(now) - log_odds(unfounded(told.upheld, told.rejected, 0))
    _, posterior = forecast(now, told, 2, usual)
    assert posterior.tolist() == pytest.approx(
        [unfounded(told.upheld + i, told.rejected + 2 - i, beside) for i in range(3)]
    )


def test_the_forecast_equals_a_simulation_of_abusive_good_and_ordinary_groups() -> None:
    rng, told, now = np.random.default_rng(5), VerdictTally(1, 2, 4), 0.7
    # Rates are drawn from the kind's posterior after the verdicts known by now.
    abusive = rng.random(200_000) < now
    good, like_everybody = betabinom.pmf(1, 3, 4, 2), betabinom.pmf(1, 3, 3.2, 4.8)
    fair = np.where(
        rng.random(200_000) < good / (good + like_everybody),
        rng.beta(4 + 1, 2 + 2, abusive.size),
        rng.beta(3.2 + 1, 4.8 + 2, abusive.size),
    )
    rate = np.where(abusive, rng.beta(1 + 1, 9 + 2, abusive.size), fair)
    drawn = np.bincount(rng.binomial(3, rate), minlength=4) / abusive.size
    weight, posterior = forecast(now, told, 3, 0.4)
    assert weight == pytest.approx(drawn, abs=0.005)
    upheld = rng.binomial(3, rate)
    assert posterior == pytest.approx([abusive[upheld == i].mean() for i in range(4)], abs=0.01)


@given(probabilities, tallies)
def test_more_looks_are_expected_to_change_no_less(now: float, told: VerdictTally) -> None:
    if told.upheld + told.rejected <= 3:
        changes = [expected_change(now, told, looks, USUAL) for looks in (1, 2, 3)]
        assert changes == sorted(changes)


@given(probabilities, st.dictionaries(st.integers(1, 20), st.integers(1, 6)))
def test_the_order_of_complaints_is_irrelevant(now: float, members_by_target: dict[int, int]) -> None:
    assert named(members_by_target, now=now) == named(dict(reversed(members_by_target.items())), now=now)


def test_what_is_no_probability_and_no_look_is_refused() -> None:
    with pytest.raises(ValueError, match=r"unfounded_probability = 1.5 is outside 0\.\.1"):
        forecast(1.5, UNTOLD, 1, USUAL)
    with pytest.raises(ValueError, match="0 looks"):
        forecast(sigmoid(0), UNTOLD, 0, USUAL)
