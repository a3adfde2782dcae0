"""From evidence to score, two probabilities and a sentence."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.model import Evidence
from service.moderation.log_odds import log_odds, sigmoid
from service.moderation.outcomes import VerdictTally, log_likelihood_ratio
from service.moderation.score import BENEFIT, Verdict, judge, usual_in
from service.moderation.signals.chance import surprise
from service.moderation.signals.outcomes import OUTCOMES
from service.moderation.signals.prior import PRIOR
from service.moderation.signals.registry import COORDINATION, contribution_of
from service.moderation.signals.signal import Measurement
from service.moderation.usual import Usual
from service.policy import Weights

EVEN = Usual(upheld=0.4, unfounded=0.5)
DEVICE_SIGNALS = ("fresh_accounts", "shared_fingerprints", "near_duplicate_texts")


def signal(name: str, contribution: float, value: float = 0.5, p: float | None = None) -> Evidence:
    return Evidence(signal=name, value=value, usual=0.1, p_value=p, contribution=contribution, text=name)


def judged(
    evidence: list[Evidence],
    upheld: int = 0,
    rejected: int = 0,
    targets: int = 10,
    usual: Usual = EVEN,
    flag_score: float = 0.0,
) -> Verdict:
    return judge(
        evidence,
        VerdictTally(upheld, rejected, targets - upheld - rejected),
        targets,
        usual=usual,
        flag_score=flag_score,
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
    second = sum(e.contribution for e in verdict.evidence if e.signal not in COORDINATION)
    assert verdict.evidence[-1].signal == OUTCOMES and verdict.evidence[-1].contribution == pytest.approx(
        log_likelihood_ratio(upheld, rejected, EVEN.upheld)
    )
    assert verdict.score == pytest.approx(sum(e.contribution for e in verdict.evidence))
    assert verdict.coordination == pytest.approx(first)
    assert verdict.probability == pytest.approx(sigmoid(first)), "outcomes are not in it"
    assert verdict.unfounded_probability == pytest.approx(sigmoid(second)), "the tenant's prior, here even, is among it"


@settings(max_examples=50, deadline=None)
@given(st.floats(-4, 4), st.integers(0, 6), st.integers(0, 6))
def test_judging_again_starts_from_the_evidence_alone(part: float, upheld: int, rejected: int) -> None:
    once = judged([signal("base", part)], 5, 1)
    assert judged(list(once.evidence), upheld, rejected) == judged([signal("base", part)], upheld, rejected)


def test_the_bound_is_for_coordination_alone() -> None:
    for bound in (-5.0, 0.0, 3.0, 9.9):
        above, below = [signal("base", bound + 0.1)], [signal("base", bound - 0.1)]
        assert judged(above, flag_score=bound).disposition == "flagged", "nobody has said that it is right"
        assert judged(above, upheld=10, flag_score=bound).disposition == "reliable", "whatever the bound"
        device = signal(next(iter(DEVICE_SIGNALS)), 9.0)
        assert judged([*below, device], rejected=10, flag_score=bound).disposition == "revoked", "whatever the sum"


def test_coordinated_and_right_is_reliable_and_neither_is_revoked() -> None:
    assert judged([signal("base", 2)]).disposition == "flagged"
    assert judged([signal("base", 2)], upheld=8).disposition == "reliable"
    assert judged([signal("base", -1)]).disposition == "revoked"
    assert judged([signal("base", -1)], rejected=8).disposition == "revoked", (
        "that complaints were wrong does not make them one hand"
    )
    assert judged([signal("base", 0)]).disposition == "revoked", "flagged is above the bound"


def test_how_many_upheld_targets_clear_a_group_depends_on_how_many_the_tenant_usually_upholds() -> None:
    often, seldom = Usual(upheld=0.85), Usual(upheld=0.4)
    assert math.log(0.1 / ((4 / 6 + 0.85) / 2)) < -BENEFIT < math.log(0.1 / ((4 / 6 + 0.4) / 2))
    assert judged([signal("base", 2)], upheld=1, usual=often).disposition == "reliable"
    assert judged([signal("base", 2)], upheld=1, usual=seldom).disposition == "flagged"
    assert judged([signal("base", 2)], upheld=2, usual=seldom).disposition == "reliable"


def test_unfounded_is_the_prior_where_nothing_speaks_and_moves_with_outcomes() -> None:
    assert judged([signal("base", 5)]).unfounded_probability == 0.5
    # five of five: 9/14 if abusive, 1/42 if good, .1367 (Beta(3.2, 4.8)) if like everybody: eight to one
    assert judged([signal("base", 5)], rejected=5).unfounded_probability == pytest.approx(8.01 / 9.01, abs=1e-3)
    assert judged([signal("base", 5)], upheld=5).unfounded_probability < 0.1
    assert judged([signal("base", 5)], usual=Usual(unfounded=0.84)).unfounded_probability == pytest.approx(0.84)


@pytest.mark.parametrize(
    ("unfounded", "disposition"), [(0.98, "flagged"), (0.5, "flagged"), (1 / 7, "flagged"), (1 / 9, "reliable")]
)
def test_the_tenants_earlier_cases_are_shown_and_clear_a_group_only_where_groups_are_right_at_seven_to_one(
    unfounded: float, disposition: str
) -> None:
    verdict = judged([signal("base", 2)], usual=Usual(unfounded=unfounded))
    (shown,) = [e for e in verdict.evidence if e.signal == PRIOR]
    assert (shown.value, shown.contribution) == (unfounded, pytest.approx(log_odds(unfounded)))
    assert verdict.score == pytest.approx(2 + log_odds(unfounded))
    assert verdict.disposition == disposition


def test_the_prior_says_how_many_reviewed_groups_it_is_measured_on() -> None:
    def text(usual: Usual) -> str:
        return next(e.text for e in judged([signal("base", 2)], usual=usual).evidence if e.signal == PRIOR)

    start = "Before its own targets are reviewed, 75 % of groups that act together are unfounded"
    assert text(Usual(unfounded=0.75, known=3)) == f"{start} (from 3 groups reviewed here)."
    assert text(Usual(unfounded=0.75, known=1)) == f"{start} (from 1 group reviewed here)."
    assert text(Usual(unfounded=0.75)) == f"{start} (no group was reviewed here yet)."


@given(st.floats(0.15, 0.85), st.floats(0.02, 0.98), st.integers(0, 5), st.integers(0, 5))
def test_stored_evidence_tells_what_the_cluster_was_compared_with(
    upheld: float, unfounded: float, good: int, bad: int
) -> None:
    usual = usual_in(judged([signal("base", 2)], good, bad, usual=Usual(upheld=upheld, unfounded=unfounded)).evidence)
    assert (usual.upheld, usual.unfounded) == (pytest.approx(upheld), unfounded)


def test_evidence_without_a_prior_or_outcomes_is_compared_with_what_is_usual_elsewhere() -> None:
    assert usual_in([signal("base", 2)]) == Usual()


def test_signs_of_disposable_accounts_speak_for_unfounded_and_outweigh_an_upheld_target() -> None:
    weights = Weights()
    found = Measurement(0.5, 0.05, 1e-3, 5, 10)
    devices = [
        signal(name, contribution_of(name, found, targets=10, weights=weights), p=1e-3) for name in DEVICE_SIGNALS
    ]
    expected = 3 * (weights.fresh_accounts + weights.shared_fingerprints + weights.near_duplicate_texts)
    assert log_odds(judged(devices).unfounded_probability) == pytest.approx(expected)
    assert judged([signal("base", 2), *devices], upheld=1).disposition == "flagged", (
        "bought accounts are not people, whatever they complain about"
    )


@pytest.mark.parametrize("name", DEVICE_SIGNALS)
def test_signs_that_revealed_a_crowd_on_one_target_do_not_count_again_as_a_reason_that_it_is_wrong(name: str) -> None:
    found = Measurement(0.9, 0.05, 1e-9, 18, 20)
    assert contribution_of(name, found, targets=1, weights=Weights()) == 0
    assert contribution_of(name, found, targets=2, weights=Weights()) > 0


@pytest.mark.parametrize("usual", [0.15, 0.4, 0.6])
def test_one_upheld_verdict_clears_a_crowd_on_one_target_but_no_group_of_ten(usual: float) -> None:
    share = Usual(upheld=usual)
    assert judged([signal("slice", 4)], upheld=1, targets=1, usual=share).disposition == "reliable"
    assert judged([signal("base", 4)], upheld=1, targets=10, usual=share).disposition == "flagged"


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
