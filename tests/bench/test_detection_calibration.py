"""What the measurement of `probability` computes from candidates, on cases that can be done by hand."""

from __future__ import annotations

import numpy as np
import pytest

from bench.detection_calibration import by_height, calibrated, calibration, candidate_of, dishonest_share, with_prior
from service.model import Evidence
from workers.detection.groups import Group

TRUTH = {
    "campaign_of_reporter": {"r1": "p1_0", "r2": "p1_0"},
    "hard_negative_of_reporter": {"r7": "n2", "r8": "n2", "r5": "n1", "r6": "n1"},
}
IDS = {k: f"r{k}" for k in range(1, 10)}


def group(*reporters: int) -> Group:
    none = np.empty(0, np.int64)
    evidence = (
        Evidence(signal="base", value=1, usual=1, p_value=None, contribution=-2.0, text=""),
        Evidence(signal="lockstep", value=1, usual=0, p_value=None, contribution=2.0, text=""),
        Evidence(signal="fresh_accounts", value=1, usual=0, p_value=0.001, contribution=5.0, text=""),
    )
    return Group(
        "repeat", frozenset(reporters), frozenset({1, 2}), none, none, none, none, np.empty(0, bool), evidence, {}
    )


def test_forecasts_that_come_true_as_often_as_predicted_have_no_calibration_error() -> None:
    found = calibration([0.25] * 4 + [0.75] * 4, [True, False, False, False, True, True, True, False], bins=2)
    assert found.expected_error == pytest.approx(0)
    assert found.brier == pytest.approx(0.1875)
    assert [(b.candidates, b.predicted, b.true) for b in found.bins] == [(4, 0.25, 0.25), (4, 0.75, 0.75)]


def test_certain_but_wrong_forecasts_have_the_largest_error() -> None:
    found = calibration([1.0, 1.0, 0.0, 0.0], [False, False, True, True], bins=2)
    assert found.expected_error == pytest.approx(1)
    assert found.brier == pytest.approx(1)


def test_predicting_the_base_rate_is_the_naive_forecast() -> None:
    found = calibration([0.25] * 4, [True, False, False, False], bins=1)
    assert found.base_rate == pytest.approx(0.25)
    assert found.brier == pytest.approx(found.brier_of_base_rate)


def test_fewer_candidates_than_bins_fill_fewer_bins() -> None:
    assert [b.candidates for b in calibration([0.1, 0.9], [False, True]).bins] == [1, 1]


def test_calibration_without_candidates_is_an_error() -> None:
    with pytest.raises(ValueError, match="no candidates"):
        calibration([], [])


def test_fixed_bins_leave_out_empty_ones() -> None:
    found = by_height([0.05, 0.95, 0.97, 1.0], [False, True, True, False])
    assert [(low, high, b.candidates) for low, high, b in found] == [(0.0, 0.1, 1), (0.9, 1.0, 3)]
    assert found[1][2].true == pytest.approx(2 / 3)


def test_the_probability_covers_only_coordination() -> None:
    # -2 + 2; the fresh accounts answer another question
    assert candidate_of("w", group(1, 2), IDS, TRUTH).probability == pytest.approx(0.5)


def test_a_candidate_belongs_to_a_campaign_if_half_of_its_accounts_do() -> None:
    found = candidate_of("w", group(1, 2, 3, 4), IDS, TRUTH)
    assert (found.coordinated, found.accounts) == (True, 4)
    assert not candidate_of("w", group(1, 3, 4), IDS, TRUTH).coordinated


def test_a_patrol_is_coordinated_and_an_outraged_crowd_is_not() -> None:
    assert candidate_of("w", group(7, 8, 3), IDS, TRUTH).coordinated
    assert not candidate_of("w", group(5, 6), IDS, TRUTH).coordinated


def forecasts(prior: float, *unfounded: float) -> list[dict[str, float]]:
    return [{"unfounded": probability, "prior": prior} for probability in unfounded]


def test_another_prior_shifts_the_log_odds_and_the_measured_one_changes_nothing() -> None:
    assert with_prior(forecasts(0.5, 0.2, 0.5, 1.0), None) == [0.2, 0.5, 1.0]
    assert with_prior(forecasts(0.7, 0.2, 0.5, 1.0), 0.7) == pytest.approx([0.2, 0.5, 1.0])
    assert with_prior(forecasts(0.5, 0.5), 0.9) == pytest.approx([0.9])
    assert with_prior(forecasts(0.5, 0.2), 0.8) == pytest.approx([0.5])
    assert with_prior(forecasts(0.8, 0.5), 0.5) == pytest.approx([0.2])


def test_the_groups_own_share_as_prior_is_right_where_nothing_else_is_known() -> None:
    found = [{"unfounded": 0.5, "prior": 0.5, "dishonest": dishonest} for dishonest in 10 * (True, True, True, False)]
    assert dishonest_share(found) == pytest.approx(0.75)
    assert calibrated(found, 0.75).expected_error == pytest.approx(0, abs=1e-6)
    assert calibrated(found, None).expected_error == pytest.approx(0.25)


def test_a_share_of_one_does_not_make_a_prior_certain() -> None:
    assert dishonest_share([{"dishonest": True}]) == pytest.approx(0.999)
