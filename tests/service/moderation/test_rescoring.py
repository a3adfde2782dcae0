"""The estimate of a group's score without some of its members."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import log10

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.model import Evidence
from service.moderation.outcomes import VerdictTally
from service.moderation.rescoring import Rescored, RescoredSignal, rescore_without
from service.moderation.score import judge
from service.moderation.signals.signal import MemberComplaint
from service.moderation.usual import Usual
from service.policy import DEFAULT_POLICY

HOUR, DAY = 3_600_000_000, 86_400_000_000
NOBODY = VerdictTally(0, 0, 6)


def evidence(lockstep: float = 1.0, devotion: float = 1.0, span: float = 1.0, **counted: float) -> list[Evidence]:
    weights = DEFAULT_POLICY.weights
    rows = [
        ("base", 1.0, weights.base),
        ("lockstep", lockstep, weights.lockstep * lockstep),
        ("devotion", devotion, weights.devotion * devotion),
        ("group", 3.0, 3 * weights.group),
        ("span", span, weights.span * span),
        *((name, value, 0.0) for name, value in counted.items()),
    ]
    return [
        Evidence(signal=name, value=value, usual=0.0, p_value=None, contribution=part, text=name)
        for name, value, part in rows
    ]


def raid(people: int = 8, targets: int = 6) -> list[MemberComplaint]:
    return [
        MemberComplaint(w, t, t * DAY + w, context=f"a{t}", author="a-1" if t < targets - 1 else "a-2")
        for t in range(targets)
        for w in range(people)
    ]


def without(
    said: Sequence[MemberComplaint], left_out: set[int], rows: Sequence[Evidence] | None = None, **changes: object
) -> Rescored:
    arguments = {"elsewhere": {}, "verdicts": (NOBODY, NOBODY), "kind": "repeat", "policy": DEFAULT_POLICY, **changes}
    return rescore_without(rows if rows is not None else evidence(), said, left_out, **arguments)  # type: ignore[arg-type]


def test_without_nobody_nothing_changes() -> None:
    found = without(raid(), set())
    assert (
        found.coordination == pytest.approx(found.coordination_before)
        and found.members == 8
        and found.targets == 6
        and not found.too_few
    )
    assert all(row.change == pytest.approx(0) for row in found.rows)


def test_a_bystander_who_strays_raises_the_coordination_score_when_taken_out() -> None:
    said = [*raid(), MemberComplaint(99, 0, HOUR, "a0"), MemberComplaint(99, 3, 3 * DAY + HOUR, "a0")]
    found = without(said, {99}, evidence(lockstep=0.85, devotion=0.5, span=8 / 9), elsewhere={99: 60})
    changes = {row.signal: row.change for row in found.rows}
    assert changes["lockstep"] > 0 and changes["devotion"] > 0 and changes["span"] > 0
    assert found.coordination > found.coordination_before
    assert found.members == 8 and not found.too_few


def test_what_needs_the_window_stays_and_says_so() -> None:
    rows = {row.signal: row for row in without(raid(), {1}).rows}
    assert not rows["group"].measured and rows["group"].change == 0 and not rows["base"].measured
    assert rows["lockstep"].measured and rows["outcomes"].measured


@pytest.mark.parametrize("left_out", [{0, 1, 2, 3, 4, 5}, set(range(8))])
def test_two_accounts_are_no_group(left_out: set[int]) -> None:
    found = without(raid(), left_out)
    assert found.too_few and found.disposition == "revoked"


def test_fresh_accounts_are_counted_anew_where_our_count_is_the_detectors() -> None:
    said = [replace(s, created_us=s.time_us - HOUR if s.reporter < 4 else s.time_us - 900 * DAY) for s in raid()]
    told = {row.signal: row for row in without(said, {0, 1, 2, 3}, evidence(fresh_accounts=0.5)).rows}
    assert told["fresh_accounts"].measured and told["fresh_accounts"].after.value == 0
    other = {row.signal: row for row in without(said, {0}, evidence(fresh_accounts=0.9)).rows}
    assert not other["fresh_accounts"].measured, "the detector saw other complaints than we do"


def test_fingerprints_texts_and_the_author_are_counted_anew() -> None:
    said = [
        replace(
            s,
            fingerprint="f1" if s.reporter < 2 else f"own{s.reporter}",
            wording="g1" if s.reporter in (5, 6) and s.target == 0 else None,
        )
        for s in raid()
    ]
    said += [MemberComplaint(7, 5, 9 * DAY, wording="g2")]
    rows = evidence(shared_fingerprints=2 / 8, near_duplicate_texts=2 / 3, one_author=5 / 6)
    told = {row.signal: row for row in without(said, {0, 5}, rows).rows}
    assert told["shared_fingerprints"].measured and told["shared_fingerprints"].after.value == 0
    assert told["near_duplicate_texts"].measured and told["near_duplicate_texts"].after.p_value is None
    assert not told["one_author"].measured or told["one_author"].after.value <= 1


def test_the_pace_is_that_of_the_remaining_members() -> None:
    usual, weight = 3_600.0, DEFAULT_POLICY.weights.pace
    stored = Evidence(
        signal="pace", value=60.0, usual=usual, p_value=None, contribution=weight * log10(usual / 60), text="pace"
    )
    # each a minute after the one before, and the last member ten minutes after them
    said = [
        MemberComplaint(w, t, t * DAY + 60_000_000 * (w if w < 7 else 16), context=f"a{t}")
        for t in range(6)
        for w in range(8)
    ]

    def pace(left_out: set[int]) -> RescoredSignal:
        [row] = [row for row in without(said, left_out, [*evidence(), stored]).rows if row.signal == "pace"]
        return row

    assert pace(set()).measured and pace(set()).after.value == 60
    assert pace({7}).after.value == 60 and pace({7}).change == 0
    slower = pace({1, 3, 5}).after  # minutes 0, 2, 4, 6 and 16
    assert (slower.value, slower.usual) == (120, usual)
    assert slower.contribution == pytest.approx(weight * log10(usual / 120))
    assert pace({0, 1, 2, 3, 4, 5}).after.value == 600
    alone = pace(set(range(7)))
    assert not alone.measured and alone.after == alone.before, "one member follows nobody"


def test_outcomes_of_who_is_left_count() -> None:
    good = without(raid(), {1}, verdicts=(NOBODY, VerdictTally(6, 0, 0)))
    assert good.unfounded_probability < 0.5


def test_what_the_group_was_compared_with_and_the_priors_sentence_stay_as_they_are_stored() -> None:
    ruled, usual = VerdictTally(1, 2, 3), Usual(upheld=0.7, unfounded=0.8, known=3)
    stored = judge(evidence(), ruled, 6, usual=usual, flag_score=DEFAULT_POLICY.flag_score)
    found = without(raid(), {1}, stored.evidence, verdicts=(ruled, ruled))
    assert tuple(row.before for row in found.rows) == stored.evidence
    after = {row.signal: row.after for row in found.rows}
    assert after["prior"].text.endswith("(from 3 groups reviewed here).")
    assert after["outcomes"].usual == pytest.approx(0.3)
    assert found.coordination_before == stored.coordination


def test_a_crowd_on_one_target_is_judged_by_its_one_target() -> None:
    said = [MemberComplaint(w, 0, w) for w in range(9)]
    rows = [Evidence(signal="slice", value=6, usual=0, p_value=1e-6, contribution=3.5, text="")]
    found = without(said, {1}, rows, kind="one_shot")
    assert (found.members, found.targets, found.too_few) == (8, 1, False) and found.coordination == pytest.approx(
        found.coordination_before
    )


@given(st.sets(st.integers(0, 7)), st.randoms())
def test_order_is_irrelevant_and_shares_stay_shares(left_out: set[int], chance: object) -> None:
    said = raid()
    shuffled = list(said)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = without(said, left_out), without(shuffled, left_out)
    assert one == other
    assert all(0 <= row.after.value <= 1 for row in one.rows if row.signal in ("lockstep", "devotion", "span"))


def test_an_empty_group_is_quiet() -> None:
    found = without([], {1}, [])
    assert found.too_few and found.members == 0
