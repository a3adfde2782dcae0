"""What people's judgements teach, and what does not teach."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import betabinom

from service.moderation.outcomes import (
    JudgedComplaint,
    log_likelihood_ratio,
    standing,
    tally,
)
from service.moderation.track_record import verdict_on
from service.moderation.usual import HIGHEST_SHARE, LOWEST_SHARE, Verdicts
from service.storage.complaints.feed import FeedOutcome


def outcome(
    name: str,
    verdict: str | None = "upheld",
    at: int = 100,
    by: str = "person",
    target: int = 1,
    about: int = 0,
    retracts: str | None = None,
) -> FeedOutcome:
    return FeedOutcome(1, name, target, at, verdict, None, by, about, retracts)


def test_the_latest_decision_wins_and_of_equal_times_the_larger_id() -> None:
    told = [
        outcome("a", "upheld", 100),
        outcome("b", "rejected", 200),
        outcome("c", "upheld", 200),
        outcome("z", "rejected", 50),
    ]
    for order in permutations(told):
        found = standing(order)
        assert found is not None and found.id == "c"


def test_an_appeal_beats_a_later_person() -> None:
    found = standing([outcome("a", "upheld", 300), outcome("b", "rejected", 200, by="appeal")])
    assert found is not None and found.id == "b"


def test_what_a_machine_removed_or_nobody_gave_a_verdict_on_teaches_nothing() -> None:
    assert standing([outcome("a", by="automatic", at=900), outcome("b", None)]) is None
    found = standing([outcome("a", "rejected", at=900, by="automatic"), outcome("b", "upheld")])
    assert found is not None and found.id == "b"


def test_a_retracted_outcome_counts_no_longer_whichever_came_first() -> None:
    told = [outcome("a", "rejected", 100), outcome("b", "upheld", 200), outcome("r", None, 300, retracts="b")]
    for order in permutations(told):
        found = standing(order)
        assert found is not None and found.id == "a"
    assert standing([outcome("b"), outcome("r", None, retracts="b")]) is None
    replaced = standing([outcome("b", "upheld", 400), outcome("r", "rejected", 300, retracts="b")])
    assert replaced is not None and replaced.id == "r", "its own verdict takes the place, even with an earlier time"
    by_machine = [outcome("b", "upheld"), outcome("r", None, by="automatic", retracts="b")]
    assert standing(by_machine) is None
    appeal = [outcome("a"), outcome("b", "rejected", by="appeal"), outcome("r", None, retracts="b")]
    found = standing(appeal)
    assert found is not None and found.id == "a"


def test_a_retraction_cannot_be_taken_back_but_its_verdict_can() -> None:
    told = [
        outcome("b", "upheld", 100),
        outcome("r", "rejected", 200, retracts="b"),
        outcome("s", None, 300, retracts="r"),
    ]
    assert all(standing(order) is None for order in permutations(told))


def test_an_unknown_outcome_and_one_of_another_target_are_not_retracted() -> None:
    known = {1: [outcome("a", "upheld"), outcome("r", None, retracts="nowhere")], 2: [outcome("b", target=2)]}
    known[1].append(outcome("s", None, retracts="b"))
    filed = [JudgedComplaint(1, 1, 10), JudgedComplaint(2, 2, 10)]
    assert tally(filed, known).upheld == 2


@pytest.mark.parametrize(("about", "by"), [(0, 2), (2, 0), (2, -1), (2, 7)])
def test_a_retraction_takes_back_a_verdict_about_any_part_of_the_same_target(about: int, by: int) -> None:
    told = [outcome("a", "rejected", about=about), outcome("r", None, about=by, retracts="a")]
    filed = JudgedComplaint(2, 1, 10)
    assert tally([filed], {1: told[:1]}).rejected == 1 and verdict_on(filed, told[:1]) == "rejected"
    assert tally([filed], {1: told}).unjudged == 1
    assert verdict_on(filed, told) is None


_SENT = st.lists(
    st.builds(
        outcome,
        st.sampled_from("abcdef"),
        st.sampled_from(["upheld", "rejected", None]),
        st.integers(1, 5),
        st.sampled_from(["person", "automatic", "appeal"]),
        st.integers(1, 2),
        st.integers(0, 2),
        st.sampled_from([None, "a", "b", "c", "z"]),
    ),
    max_size=8,
    unique_by=lambda o: o.id,
)


@given(_SENT, st.data())
@settings(deadline=None)
def test_order_and_repetition_of_outcomes_and_retractions_change_nothing(
    sent: list[FeedOutcome], data: st.DataObject
) -> None:
    again = data.draw(st.lists(st.sampled_from(sent), max_size=4)) if sent else []
    arrived = data.draw(st.permutations([*sent, *again]))
    filed = [JudgedComplaint(seq, target, 2) for seq in (1, 2, 3) for target in (1, 2)]

    def taught(outcomes: list[FeedOutcome]) -> object:
        known = {t: [o for o in outcomes if o.target == t] for t in (1, 2)}
        return (
            tally(filed, known),
            [verdict_on(complaint, known[complaint.target]) for complaint in filed],
            {t: standing(known[t]) for t in (1, 2)},
            Verdicts(outcomes).by_target,
        )

    assert taught(arrived) == taught(sent)

    def verdict(outcomes: list[FeedOutcome], target: int) -> str | None:
        found = standing(o for o in outcomes if o.target == target)
        return found and found.verdict

    retracted = {(o.target, o.retracts) for o in sent}
    never_sent = [replace(o, retracts=None) for o in sent if (o.target, o.id) not in retracted]
    verdicts = {t: verdict(never_sent, t) for t in (1, 2)}
    assert {t: verdict(arrived, t) for t in (1, 2)} == verdicts
    assert Verdicts(arrived).by_target == {t: word == "upheld" for t, word in verdicts.items() if word}


def test_only_complaints_filed_before_the_decision_are_judged_by_it() -> None:
    told = {1: [outcome("a", "upheld", at=100)]}
    assert tally([JudgedComplaint(1, 1, 99)], told).upheld == 1
    assert tally([JudgedComplaint(1, 1, 100)], told).upheld == 0


def test_a_verdict_about_one_complaint_is_about_that_one_and_goes_before_the_targets() -> None:
    filed = [JudgedComplaint(1, 1, 10), JudgedComplaint(2, 1, 10), JudgedComplaint(3, 1, 10)]
    alone = [outcome("a", "rejected", about=1)]
    assert (tally(filed, {1: alone}).upheld, tally(filed, {1: alone}).rejected) == (0, 1)
    both = [*alone, outcome("w", "upheld")]
    assert (tally(filed, {1: both}).upheld, tally(filed, {1: both}).rejected) == (1, 0), "two of three were right"
    assert tally(filed[1:], {1: alone}).unjudged == 1, "it was about a complaint of somebody else"


def test_where_the_complaints_of_a_target_differ_a_tie_is_for_the_complainers() -> None:
    filed = [JudgedComplaint(1, 1, 10), JudgedComplaint(2, 1, 10)]
    told = {1: [outcome("a", "rejected", about=1), outcome("b", "upheld", about=2)]}
    assert (tally(filed, told).upheld, tally(filed, told).rejected) == (1, 0)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(0, 6)), max_size=8),
    st.lists(
        st.tuples(
            st.integers(1, 3),
            st.sampled_from(["upheld", "rejected", None]),
            st.integers(0, 6),
            st.sampled_from(["person", "appeal", "automatic"]),
        ),
        max_size=8,
    ),
    st.randoms(use_true_random=False),
)
def test_every_target_counts_once_in_any_order(
    complaints: list[tuple[int, int]], told: list[tuple[int, str | None, int, str]], random: object
) -> None:
    filed = [JudgedComplaint(k, target, time) for k, (target, time) in enumerate(complaints, 1)]
    outcomes: dict[int, list[FeedOutcome]] = {}
    for k, (target, verdict, at, by) in enumerate(told):
        outcomes.setdefault(target, []).append(outcome(f"o{k}", verdict, at, by, target))
    counted = tally(filed, outcomes)
    assert counted.upheld + counted.rejected + counted.unjudged == len({f.target for f in filed})
    upheld = rejected = 0
    for target in {f.target for f in filed}:
        taught = [o for o in outcomes.get(target, []) if o.decided_by != "automatic" and o.verdict]
        if taught:
            last = max(taught, key=lambda o: (o.decided_by == "appeal", o.decided_us, o.id))
            if any(f.time_us < last.decided_us for f in filed if f.target == target):
                upheld, rejected = upheld + (last.verdict == "upheld"), rejected + (last.verdict == "rejected")
    assert (counted.upheld, counted.rejected) == (upheld, rejected)
    assert tally(filed[::-1], {t: o[::-1] for t, o in outcomes.items()}) == counted


@pytest.mark.parametrize("usual", [0.15, 0.4, 0.85])
@pytest.mark.parametrize(("upheld", "rejected"), [(0, 0), (3, 1), (0, 7), (12, 0)])
def test_the_ratio_is_that_of_abusive_groups_to_good_and_ordinary_ones(
    upheld: int, rejected: int, usual: float
) -> None:
    reviewed = upheld + rejected
    abusive = betabinom.pmf(upheld, reviewed, 1, 9)
    good, like_everybody = (
        betabinom.pmf(upheld, reviewed, 4, 2),
        betabinom.pmf(upheld, reviewed, 8 * usual, 8 - 8 * usual),
    )
    expected = math.log(abusive / ((good + like_everybody) / 2))
    assert log_likelihood_ratio(upheld, rejected, usual) == pytest.approx(expected, abs=1e-9)


@given(st.integers(0, 40), st.integers(0, 40), st.floats(LOWEST_SHARE, HIGHEST_SHARE))
def test_nothing_known_says_nothing_and_each_verdict_pulls_its_way(upheld: int, rejected: int, usual: float) -> None:
    assert log_likelihood_ratio(0, 0, usual) == pytest.approx(0, abs=1e-12)
    now = log_likelihood_ratio(upheld, rejected, usual)
    assert log_likelihood_ratio(upheld + 1, rejected, usual) < now < log_likelihood_ratio(upheld, rejected + 1, usual)


@pytest.mark.parametrize("usual", [1 / 3, 0.5, 0.8])
def test_a_group_that_is_upheld_as_often_as_everybody_in_its_tenant_is_not_taken_for_abusive(usual: float) -> None:
    assert log_likelihood_ratio(30 * usual, 30 * (1 - usual), usual) < 0
    assert log_likelihood_ratio(0, 30, usual) > 0


def test_where_one_in_five_is_upheld_a_group_like_everybody_cannot_be_told_from_an_abusive_one() -> None:
    assert abs(log_likelihood_ratio(6, 24, 0.2)) < 0.2


def test_where_few_complaints_are_upheld_many_rejected_ones_say_less_against_a_group() -> None:
    said = [log_likelihood_ratio(0, 6, usual) for usual in (0.15, 0.3, 0.5, 0.85)]
    assert said == sorted(said) and said[0] > 0
