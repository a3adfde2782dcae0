"""From evidence to score, two probabilities and a sentence."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.model import Evidence
from service.moderation.outcomes import VerdictTally, log_likelihood_ratio
from service.moderation.score import FLAG_PRIOR, Verdict, judge, log_odds, sigmoid
from service.moderation.signals.chance import surprise
from service.moderation.signals.devices import DEVICE_WEIGHT
from service.moderation.signals.outcomes import OUTCOMES
from service.moderation.signals.registry import COORDINATION

DEVICE_SIGNALS = ("fresh_accounts", "shared_fingerprints", "near_duplicate_texts")


def signal(name: str, contribution: float, value: float = 0.5, p: float | None = None) -> Evidence:
    return Evidence(signal=name, value=value, usual=0.1, p_value=p, contribution=contribution, text=name)


def judged(evidence: list[Evidence], upheld: int = 0, rejected: int = 0, targets: int = 10) -> Verdict:
    return judge(
        evidence,
        VerdictTally(upheld, rejected, targets - upheld - rejected),
        targets,
        prior_unfounded=0.5,
        flag_score=0.0,
    )


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.floats(-4, 4), min_size=1, max_size=5),
    st.lists(st.floats(0, 4), max_size=3),
    st.integers(0, 5),
    st.integers(0, 5),
)
def test_the_score_is_the_sum_of_what_is_shown_and_each_probability_of_its_own_question(
    about_group: list[float], about_complaints: list[float], upheld: int, rejected: int
) -> None:
    evidence = [signal(name, part) for name, part in zip(COORDINATION, about_group, strict=False)] + [
        signal(name, part) for name, part in zip(DEVICE_SIGNALS, about_complaints, strict=False)
    ]
    verdict = judged(evidence, upheld, rejected)
    first = sum(e.contribution for e in verdict.evidence if e.signal in COORDINATION)
    second = FLAG_PRIOR + sum(e.contribution for e in verdict.evidence if e.signal not in COORDINATION)
    assert verdict.evidence[-1].signal == OUTCOMES and verdict.evidence[-1].contribution == pytest.approx(
        log_likelihood_ratio(upheld, rejected)
    )
    assert verdict.score == pytest.approx(sum(e.contribution for e in verdict.evidence))
    assert verdict.probability == pytest.approx(sigmoid(first)), "outcomes are not in it"
    assert verdict.unfounded_probability == pytest.approx(sigmoid(second - FLAG_PRIOR)), "the tenant's prior, here even"


@settings(max_examples=50, deadline=None)
@given(st.floats(-4, 4), st.integers(0, 6), st.integers(0, 6))
def test_judging_again_starts_from_the_evidence_alone(part: float, upheld: int, rejected: int) -> None:
    once = judged([signal("base", part)], 5, 1)
    assert judged(list(once.evidence), upheld, rejected) == judged([signal("base", part)], upheld, rejected)


def test_coordinated_and_right_is_reliable_and_neither_is_revoked() -> None:
    assert judged([signal("base", 2)]).disposition == "flagged"
    assert judged([signal("base", 2)], upheld=8).disposition == "reliable"
    assert judged([signal("base", -1)]).disposition == "revoked"
    assert judged([signal("base", -1)], rejected=8).disposition == "revoked", (
        "that complaints were wrong does not make them one hand"
    )
    assert judged([signal("base", 0)]).disposition == "revoked", "flagged is above the bound"


def test_one_upheld_target_does_not_clear_a_group_and_two_do() -> None:
    assert judged([signal("base", 2)], upheld=1).disposition == "flagged"
    assert judged([signal("base", 2)], upheld=2).disposition == "reliable"


def test_unfounded_is_the_prior_where_nothing_speaks_and_moves_with_outcomes() -> None:
    assert judged([signal("base", 5)]).unfounded_probability == 0.5
    assert judged([signal("base", 5)], rejected=5).unfounded_probability > 0.9
    assert judged([signal("base", 5)], upheld=5).unfounded_probability < 0.1
    assert judge(
        [signal("base", 5)], VerdictTally(0, 0, 3), 3, prior_unfounded=0.84, flag_score=0
    ).unfounded_probability == pytest.approx(0.84)


def test_what_no_honest_volunteer_shows_speaks_for_unfounded_and_outweighs_an_upheld_target() -> None:
    devices = [signal(name, DEVICE_WEIGHT * 3, p=1e-3) for name in DEVICE_SIGNALS]
    assert log_odds(judged(devices).unfounded_probability) == pytest.approx(3 * 3 * DEVICE_WEIGHT)
    assert judged([signal("base", 2), *devices], upheld=3).disposition == "flagged", (
        "bought accounts are not people, whatever they complain about"
    )


def test_one_signal_says_so_much_at_most_and_an_ordinary_one_nothing() -> None:
    assert surprise(None) == surprise(0.05) == surprise(1.0) == 0
    assert surprise(1e-3) == pytest.approx(3)
    assert surprise(0.0) == surprise(1e-300) == 4


@given(st.floats(-500, 500))
def test_sigmoid_is_the_inverse_of_the_log_odds(x: float) -> None:
    p = sigmoid(x)
    assert 0 <= p <= 1 and sigmoid(-x) == pytest.approx(1 - p)
    if abs(x) < 20:
        assert log_odds(p) == pytest.approx(x, abs=1e-6)
    assert math.isfinite(p)


def aim(name: str, p: float, value: float = 1.0, usual: float = 0.1) -> Evidence:
    return Evidence(
        signal=f"aim_{name}",
        value=value,
        usual=usual,
        p_value=p,
        contribution=0.0,
        text=f"12 of 12 targets share {name}.",
    )


def test_what_the_targets_have_in_common_changes_no_score() -> None:
    with_aims, without = judged([signal("base", 2), aim("author", 1e-9)]), judged([signal("base", 2)])
    assert (with_aims.score, with_aims.unfounded_probability, with_aims.disposition) == (
        without.score,
        without.unfounded_probability,
        without.disposition,
    )
