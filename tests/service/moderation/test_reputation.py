"""What a reporter's judged complaints are worth."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import beta

from service.moderation.outcomes import JudgedComplaint
from service.moderation.reputation import HALF_LIFE_US, Reputation, reputation
from service.storage.complaints.feed import FeedOutcome

NOW = 10 * HALF_LIFE_US


def earned(
    verdicts: Sequence[str | None], *, others: int = 0, age_us: int = 0, decided_by: str = "person"
) -> Reputation | None:
    """The reputation from one complaint a verdict, each on a target of its own that `others` complained about too."""
    filed = [JudgedComplaint(k, k, NOW - age_us) for k in range(1, len(verdicts) + 1)]
    outcomes = {
        k: [FeedOutcome(0, f"o{k}", k, NOW + 1, v, None, decided_by, 0)] for k, v in enumerate(verdicts, 1) if v
    }
    return reputation(filed, outcomes, {c.target: 1 + others for c in filed}, NOW)


def known(verdicts: Sequence[str | None], *, others: int = 0, age_us: int = 0) -> Reputation:
    found = earned(verdicts, others=others, age_us=age_us)
    assert found is not None
    return found


def test_while_nothing_is_decided_the_reputation_is_unknown() -> None:
    assert reputation([], {}, {}, NOW) is None
    assert earned([None, None]) is None
    assert earned(["upheld"] * 9, decided_by="automatic") is None


def test_the_mean_is_that_of_a_beta_with_two_and_two_before_it() -> None:
    found = known(["upheld"] * 3 + ["rejected"])
    assert (found.mean, found.weight, found.upheld, found.rejected) == (5 / 8, 4, 3, 1)


def test_the_interval_holds_nine_tenths_of_the_posterior() -> None:
    found = known(["upheld"] * 3 + ["rejected"])
    inside, _ = quad(lambda x: float(beta.pdf(x, 5, 3)), found.low, found.high)
    below, _ = quad(lambda x: float(beta.pdf(x, 5, 3)), 0, found.low)
    assert [inside, below] == pytest.approx([0.9, 0.05])


def test_after_a_half_life_a_verdict_weighs_half() -> None:
    assert known(["rejected"], age_us=HALF_LIFE_US).weight == 0.5
    assert known(["upheld"] * 8, age_us=2 * HALF_LIFE_US).mean == known(["upheld"] * 2).mean


def test_a_complaint_from_after_now_is_not_worth_more_than_one_from_now() -> None:
    outcome = FeedOutcome(0, "o", 1, 2 * NOW, "upheld", None, "person", 0)
    assert reputation([JudgedComplaint(1, 1, NOW + HALF_LIFE_US)], {1: [outcome]}, {}, NOW) == known(["upheld"])


def test_thirty_accounts_on_one_obvious_case_earn_together_what_one_alone_would() -> None:
    assert 30 * known(["upheld"], others=29).weight == pytest.approx(known(["upheld"]).weight)


def test_thirty_accounts_that_are_wrong_together_lose_together_what_one_alone_would() -> None:
    """What they did together counts against them as a group, on its own targets (signals/outcomes.py)."""
    assert 30 * known(["rejected"], others=29).weight == pytest.approx(known(["rejected"]).weight)
    assert 0.45 < known(["rejected"] * 5, others=29).mean < 0.5


def test_an_ordinary_reader_in_company_keeps_the_share_that_moderators_upheld() -> None:
    """Four of ten upheld, among ten people each: .4 and .6 verdicts on top of two and two."""
    assert known(["upheld"] * 4 + ["rejected"] * 6, others=9).mean == pytest.approx((2 + 0.4) / (4 + 1))


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 200))
def test_company_draws_the_reputation_to_the_prior_and_never_across_it(up: int, down: int, others: int) -> None:
    verdicts = ["upheld"] * up + ["rejected"] * down
    if verdicts:
        alone, together = known(verdicts).mean - 0.5, known(verdicts, others=others).mean - 0.5
        assert abs(together) <= abs(alone) + 1e-12 and together * alone >= 0


def test_whoever_is_joined_in_every_right_complaint_does_not_fall_below_the_prior() -> None:
    assert 0.5 < known(["upheld"] * 20, others=500).mean < 0.51


def test_farming_a_hundred_crowds_does_not_pay_for_a_dozen_wrong_hits_of_ones_own() -> None:
    verdicts = ["upheld"] * 100
    farmed = reputation(
        [JudgedComplaint(k, k, NOW) for k in range(112)],
        {
            k: [FeedOutcome(0, "o", k, NOW + 1, "upheld" if k < len(verdicts) else "rejected", None, "person", 0)]
            for k in range(112)
        },
        {k: 60 if k < len(verdicts) else 1 for k in range(112)},
        NOW,
    )
    assert farmed is not None
    assert farmed.high < 0.5


def test_a_target_without_a_count_has_no_others() -> None:
    assert reputation(
        [JudgedComplaint(1, 1, NOW)], {1: [FeedOutcome(0, "o", 1, NOW + 1, "upheld", None, "person", 0)]}, {}, NOW
    ) == known(["upheld"])


def test_a_count_that_leaves_the_reporter_out_is_refused() -> None:
    with pytest.raises(ValueError, match="must be at least 1"):
        known(["upheld"], others=-1)


@given(st.lists(st.sampled_from(["upheld", "rejected", None])), st.integers(0, 50), st.integers(0, 4 * HALF_LIFE_US))
def test_a_right_complaint_more_never_lowers_and_a_wrong_one_never_raises(
    verdicts: list[str | None], others: int, age_us: int
) -> None:
    before = earned(verdicts, others=others, age_us=age_us)
    mean = 0.5 if before is None else before.mean
    assert known([*verdicts, "upheld"], others=others, age_us=age_us).mean >= mean - 1e-12
    assert known([*verdicts, "rejected"], others=others, age_us=age_us).mean <= mean + 1e-12
    found = known([*verdicts, "upheld"], others=others, age_us=age_us)
    assert 0 < found.low < found.mean < found.high < 1
