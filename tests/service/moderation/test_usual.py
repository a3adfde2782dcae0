"""What is usual in a tenant is measured on others, and close to what is usual elsewhere while little is known."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cluster_states import cluster_state
from scipy.stats import betabinom

from service.model import Disposition
from service.moderation.cluster_state import ClusterState, StandingVerdict
from service.moderation.outcomes import log_likelihood_ratio
from service.moderation.usual import HIGHEST_SHARE, LOWEST_SHARE, Usual, Verdicts, usual_of
from service.storage.complaints.feed import FeedOutcome


def cluster(
    identity: str, targets: range, disposition: Disposition = "flagged", verdict: StandingVerdict | None = None
) -> ClusterState:
    return cluster_state(
        identity,
        members={1, 2, 3},
        author_by_target=dict.fromkeys(targets, 0),
        disposition=disposition,
        verdict=verdict,
    )


def outcome(target: int, verdict: str | None, decided_by: str = "person", at: int = 1) -> FeedOutcome:
    return FeedOutcome(1, f"o{target}{decided_by}{at}", target, at, verdict, None, decided_by, 0)


def test_without_verdicts_it_is_as_elsewhere() -> None:
    assert usual_of({}, (), 0.5) == Usual(upheld=0.4, upheld_of_all=0.4, unfounded=0.5, known=0)


def test_a_share_moves_from_two_in_five_to_the_tenants_own() -> None:
    few, many = {1: True}, dict.fromkeys(range(700), True) | dict.fromkeys(range(700, 1_000), False)
    assert usual_of(few, (), 0.5).upheld == 0.5  # 3 of 6
    assert usual_of(many, (), 0.5).upheld == pytest.approx(702 / 1_005, abs=0.005)


def test_a_campaign_that_files_most_complaints_does_not_make_it_usual_to_be_wrong() -> None:
    honest, attacked = dict.fromkeys(range(20), True), dict.fromkeys(range(100, 400), False)
    flood = cluster("k1", range(100, 400))
    known = usual_of(honest | attacked, [flood], 0.5)
    assert known.upheld == usual_of(honest, (), 0.5).upheld == HIGHEST_SHARE
    assert known.upheld_of_all == LOWEST_SHARE
    cleared = usual_of(honest | attacked, [replace(flood, disposition="reliable")], 0.5)
    assert cleared.upheld == LOWEST_SHARE, "a group that is cleared is like everybody"


@pytest.mark.parametrize(
    ("disposition", "verdict", "left_out"),
    [
        ("flagged", None, True),
        ("held_back", None, True),
        ("flagged", "coordinated", True),
        ("revoked", "not_coordinated", False),
        ("revoked", None, False),
        ("reliable", None, False),
    ],
)
def test_the_targets_of_suspected_groups_are_left_out(
    disposition: Disposition, verdict: StandingVerdict | None, left_out: bool
) -> None:
    verdicts = dict.fromkeys(range(10), False)
    known = usual_of(verdicts, [cluster("k", range(10), disposition, verdict)], 0.5)
    assert (known.upheld == 0.4) is left_out


def test_the_prior_is_the_share_of_unfounded_groups_among_those_that_people_ruled_on() -> None:
    decided = [cluster(f"k{k}", range(k * 10, k * 10 + 5), verdict="coordinated") for k in range(6)]
    assert usual_of({}, decided, 0.5).unfounded == 0.8  # 6 and half of 4, of 10
    innocent = [replace(c, disposition="revoked", verdict="not_coordinated") for c in decided]
    assert usual_of({}, innocent, 0.5).unfounded == 0.2
    assert usual_of({}, decided, 0.5).known == 6
    assert usual_of({}, [cluster("merged", range(3), "merged")], 0.5) == Usual()


def test_verdicts_on_a_groups_targets_say_how_likely_it_is_unfounded() -> None:
    wrong = dict.fromkeys(range(5), False)
    known = usual_of(wrong, [cluster("k", range(9))], 0.5)
    odds = 2.718281828459045 ** log_likelihood_ratio(0, 5, known.upheld)
    assert known.known == 1
    assert known.unfounded == pytest.approx((2 + odds / (1 + odds)) / 5, abs=0.005)
    assert usual_of(wrong, [cluster("k", range(50, 60))], 0.5).known == 0, "nobody ruled on its targets"


@pytest.mark.parametrize(("upheld", "rejected", "usual"), [(0, 0, 0.4), (3, 1, 0.4), (0, 7, 0.3), (4, 8, 0.7)])
def test_the_likelihoods_are_those_of_beta_binomial_counts(upheld: int, rejected: int, usual: float) -> None:
    total = upheld + rejected

    def chance(a: float, b: float) -> float:
        return float(betabinom.pmf(upheld, total, a, b))

    fair = (chance(4, 2) + chance(8 * usual, 8 * (1 - usual))) / 2
    assert 2.718281828459045 ** log_likelihood_ratio(upheld, rejected, usual) == pytest.approx(chance(1, 9) / fair)


def test_to_be_right_as_often_as_everybody_speaks_for_a_group() -> None:
    assert log_likelihood_ratio(10, 20, 1 / 3) < -1 < 0 < log_likelihood_ratio(1, 29, 1 / 3)


def test_the_standing_verdict_of_people_counts_and_machines_do_not() -> None:
    outcomes = {
        1: [outcome(1, "upheld"), outcome(1, "rejected", "appeal", 2)],
        2: [outcome(2, "upheld", "automatic")],
        3: [outcome(3, None)],
        4: [outcome(4, "upheld")],
    }
    assert Verdicts(o for several in outcomes.values() for o in several).by_target == {1: False, 4: True}


def test_later_verdicts_on_a_target_replace_earlier_ones_and_an_appeal_outranks_them() -> None:
    verdicts = Verdicts([outcome(1, "upheld", at=5)])
    verdicts.add(outcome(1, "rejected", at=4))
    assert verdicts.by_target == {1: True}
    verdicts.add(outcome(1, "rejected", at=6))
    assert verdicts.by_target == {1: False}
    verdicts.add(outcome(1, "upheld", "appeal", at=1))
    assert verdicts.by_target == {1: True}


def test_only_the_latest_targets_are_kept() -> None:
    verdicts = Verdicts(outcome(target, "upheld") for target in range(10))
    verdicts.keep_latest(3)
    assert set(verdicts.by_target) == {7, 8, 9}
    verdicts.add(outcome(2, "rejected"))
    assert verdicts.by_target[2] is False, "of a target that was forgotten, the new verdict is all there is"


def test_targets_whose_verdict_was_taken_back_are_forgotten_as_well() -> None:
    verdicts = Verdicts(outcome(target, "upheld") for target in range(10))
    for target in range(8):
        verdicts.add(replace(outcome(target, None, at=9), retracts=outcome(target, "upheld").id))
    assert set(verdicts.by_target) == {8, 9}
    verdicts.keep_latest(3)
    assert set(verdicts.by_target) == {8, 9} and len(verdicts._outcomes) == 3
