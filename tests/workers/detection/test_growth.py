"""Growing a seed, guarding it, merging, and what a group's evidence says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import DAY, HOUR, Row, columns

from service.intake.text_fingerprints import signature_of
from service.model import Evidence
from service.moderation.signals import registry
from service.moderation.signals.signal import ContextSource, GroupFacts
from service.policy import DEFAULT_POLICY
from workers.detection.arrays import Ints
from workers.detection.group_view import WindowView, complaints_of, near_duplicates
from workers.detection.growth import Affinity, MemberSet, grow, measured_targets, merge, target_traffic, targets_of
from workers.detection.surroundings import Surroundings
from workers.detection.window import Window

POLICY = DEFAULT_POLICY
AFFINITY = Affinity(POLICY.default_shape, POLICY.default_rate)
CROWD = columns(
    [
        Row(0, 10_000 + k, 20_000 + k % 2_011, k * 60.0, context=30_000 + k % 701, created=-400 * DAY)
        for k in range(12_000)
    ]
)


def window_of(rows: list[Row]) -> Window:
    window = Window(POLICY.window_seconds * 1000, tuple(s * 1000 for s in POLICY.lag_scales))
    window.append(CROWD)
    window.append(columns(rows))
    return window


def numbers(window: Window, people: range) -> MemberSet:
    return frozenset(window.reporters.find(np.array(list(people))).tolist())


def sorted_of(members: MemberSet) -> Ints:
    return np.array(sorted(members), np.int64)


NO_SEEDS = sorted_of(frozenset())


def keys(window: Window, members: MemberSet) -> set[int]:
    return set(window.reporters.keys[np.array(sorted(members), np.int64)].tolist()) if members else set()


def raid(people: range, targets: range, *, first: float = DAY, gap: float = HOUR / 60, author: int = 1) -> list[Row]:
    return [
        Row(0, who, target, first + k * 8 * HOUR + i * gap, context=500 + target, author=author)
        for k, target in enumerate(targets)
        for i, who in enumerate(people)
    ]


def test_a_seed_takes_in_who_hits_the_same_targets_in_the_same_hours_and_nobody_else() -> None:
    window = window_of(
        [*raid(range(1, 9), range(20)), Row(0, 900, 0, 5 * DAY, context=500), Row(0, 900, 1, 9 * DAY, context=501)]
    )
    assert keys(window, grow(window, numbers(window, range(1, 6)), NO_SEEDS, AFFINITY, POLICY)) == set(range(1, 9))


def test_growth_leaves_members_of_other_seeds_outside() -> None:
    window = window_of(raid(range(1, 9), range(20)))
    seeds = sorted_of(numbers(window, range(1, 5)) | numbers(window, range(6, 9)))
    assert keys(window, grow(window, numbers(window, range(1, 5)), seeds, AFFINITY, POLICY)) == set(range(1, 6))


def test_two_seeds_on_one_author_do_not_become_one() -> None:
    """A brigade and a patrol that watch the same author: neither swallows the other, and they are not merged."""
    window = window_of([*raid(range(1, 9), range(20)), *raid(range(11, 15), range(20), first=DAY + HOUR / 2)])
    brigade, patrol = numbers(window, range(1, 9)), numbers(window, range(11, 15))
    seeds = sorted_of(brigade | patrol)
    one, two = grow(window, brigade, seeds, AFFINITY, POLICY), grow(window, patrol, seeds, AFFINITY, POLICY)
    assert sorted(merge([one, two], POLICY.merge_share), key=min) == sorted([brigade, patrol], key=min)
    assert brigade | patrol <= grow(window, brigade, NO_SEEDS, AFFINITY, POLICY), (
        "without the guard they would be one: the test has lost its point"
    )


def test_a_seed_without_two_common_targets_grows_into_nothing() -> None:
    window = window_of(
        [Row(0, who, 40 + who, DAY) for who in range(1, 6)] + [Row(0, who, 39, DAY) for who in range(1, 6)]
    )
    assert grow(window, numbers(window, range(1, 6)), NO_SEEDS, AFFINITY, POLICY) == frozenset()


def test_targets_are_those_of_a_tenth_of_the_members_and_of_two_at_least() -> None:
    window = window_of(
        [
            *raid(range(1, 31), range(2)),
            Row(0, 1, 7, DAY),
            Row(0, 2, 7, DAY),
            Row(0, 1, 8, DAY),
            Row(0, 2, 8, DAY),
            Row(0, 3, 8, DAY),
        ]
    )
    people = np.array(sorted(numbers(window, range(1, 31))))
    assert window.targets.keys[targets_of(window, people, POLICY.target_share)].tolist() == [0, 1, 8]


def test_decoys_on_popular_targets_are_no_aims() -> None:
    """Each member lays sixty beside ten hits, where everybody complains: on many of these targets they meet by
    chance.
    """
    rng = np.random.default_rng(3)
    liked = 1 / np.arange(5, 605)

    def on_popular(who: int, number: int, first: float, last: float) -> list[Row]:
        return [
            Row(0, who, 40_000 + int(v), float(rng.uniform(first, last)), context=50_000 + int(v))
            for v in rng.choice(len(liked), number, replace=False, p=liked / liked.sum())
        ]

    everybody = [row for who in range(60_000, 64_000) for row in on_popular(who, 2, 0, 8 * DAY)]
    decoys = [row for who in range(1, 21) for row in on_popular(who, 60, 2 * DAY, 5 * DAY)]
    window = window_of([*raid(range(1, 21), range(10), first=2 * DAY), *everybody, *decoys])
    who = np.array(sorted(numbers(window, range(1, 21))))
    told = [
        set(window.targets.keys[found(window, who, POLICY.target_share)].tolist())
        for found in (measured_targets, targets_of)
    ]
    assert told[0] >= set(range(10)) and len(told[0]) <= 12
    assert len(told[1]) > len(told[0]), "without the correction more would count: the test has lost its point"


def test_the_aim_is_the_members_hours_and_one_at_each_end() -> None:
    rows = [
        Row(1, 1, 7, DAY),
        Row(2, 2, 7, DAY + HOUR),
        Row(3, 8, 7, DAY - HOUR),
        Row(4, 9, 7, DAY - HOUR - 1),
        Row(5, 10, 7, DAY + 2 * HOUR),
        Row(6, 11, 7, DAY + 2 * HOUR + 1),
    ]
    window = window_of(rows)
    traffic = target_traffic(
        window, np.array(sorted(numbers(window, range(1, 3)))), window.targets.find(np.array([7])), 3_600_000
    )
    assert sorted(window.reporters.keys[window.reporter[traffic.events]].tolist()) == [1, 2, 8, 10]
    assert traffic.by_member.sum() == 2


@settings(max_examples=60, deadline=None)
@given(st.lists(st.frozensets(st.integers(0, 15), min_size=1, max_size=8), max_size=6))
def test_merging_loses_nobody_and_is_the_same_for_any_order(groups: list[MemberSet]) -> None:
    merged = merge(groups, 0.3)
    assert frozenset().union(*merged) == frozenset().union(*groups)
    assert all(any(g <= m for m in merged) for g in groups)
    assert set(merge(groups[::-1], 0.3)) == set(merged)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.frozensets(st.integers(0, 15), min_size=1, max_size=8), max_size=6), st.integers(0, 1_000))
def test_merging_does_not_depend_on_who_is_who(groups: list[MemberSet], salt: int) -> None:
    renamed = np.random.default_rng(salt).permutation(16).tolist()
    merged = merge(groups, 0.3)
    assert set(merge([frozenset(renamed[x] for x in g) for g in groups], 0.3)) == {
        frozenset(renamed[x] for x in g) for g in merged
    }


@settings(max_examples=60, deadline=None)
@given(st.lists(st.frozensets(st.integers(0, 15), min_size=1, max_size=8), max_size=6))
def test_after_merging_no_two_groups_share_so_much(groups: list[MemberSet]) -> None:
    merged = merge(groups, 0.3)
    assert not any(len(a & b) >= 0.3 * min(len(a), len(b)) for k, a in enumerate(merged) for b in merged[:k])


def evidence_of(rows: list[Row], people: range, contexts: ContextSource = "given") -> dict[str, Evidence]:
    window = window_of(rows)
    who = np.array(sorted(numbers(window, people)), np.int64)
    targets = targets_of(window, who, POLICY.target_share)
    around = Surroundings(window, POLICY)
    view = WindowView(window, who, targets, complaints_of(window, who, targets), POLICY, around, 6.0, 2.0)
    facts = GroupFacts("repeat", len(who), len(targets), contexts)
    return {e.signal: e for e in registry.evidence_of(registry.measured(view), facts, POLICY.weights)}


def test_lockstep_and_devotion_are_shares() -> None:
    rows = [*raid(range(1, 9), range(6)), *(Row(0, who, 700 + who, 2 * DAY) for who in range(1, 9))]
    told = evidence_of(rows, range(1, 9))
    assert told["lockstep"].value == 1.0
    assert told["devotion"].value == 6 / 7
    weights = POLICY.weights
    assert told["base"].contribution == weights.base
    assert (told["group"].contribution, told["span"].contribution) == (2 * weights.group, weights.span)
    assert told["pairs"].contribution == 0, "the pairs are in the group's surprise already"
    half = evidence_of([r for r in rows if r.target % 2 or r.reporter < 5 or r.target > 100], range(1, 9))
    assert 0 < half["lockstep"].value < 1


def test_fresh_accounts_count_where_their_age_was_told_and_more_than_a_quarter_is_unusual() -> None:
    rows = raid(range(1, 9), range(6))
    assert evidence_of(rows, range(1, 9))["fresh_accounts"].contribution == 0
    fresh = evidence_of(
        [Row(0, r.reporter, r.target, r.at, r.context, created=r.at - DAY if r.reporter < 8 else None) for r in rows],
        range(1, 9),
    )["fresh_accounts"]
    assert fresh.value == 1.0 and fresh.p_value is not None and fresh.p_value < 1e-3 and fresh.contribution > 0
    old = evidence_of(
        [Row(0, r.reporter, r.target, r.at, r.context, created=r.at - 400 * DAY) for r in rows], range(1, 9)
    )["fresh_accounts"]
    assert old.value == 0.0 and old.contribution == 0


def test_a_fingerprint_that_many_others_use_is_an_office() -> None:
    rows = [Row(0, r.reporter, r.target, r.at, r.context, fingerprint=77) for r in raid(range(1, 9), range(6))]
    assert evidence_of(rows, range(1, 9))["shared_fingerprints"].value == 1.0
    office = [Row(0, 800 + k, 900 + k, DAY, fingerprint=77) for k in range(6)]
    assert evidence_of([*rows, *office], range(1, 9))["shared_fingerprints"].value == 0.0


def test_near_duplicate_texts_need_five_words() -> None:
    rows = raid(range(1, 9), range(6))
    copied = [
        Row(k + 1, r.reporter, r.target, r.at, r.context, text=f"this comment insults all people of number{k % 3} town")
        for k, r in enumerate(rows)
    ]
    assert evidence_of(copied, range(1, 9))["near_duplicate_texts"].value == 1.0
    canned = [Row(k + 1, r.reporter, r.target, r.at, r.context, text="please remove spam") for k, r in enumerate(rows)]
    assert evidence_of(canned, range(1, 9))["near_duplicate_texts"].contribution == 0


def test_texts_are_near_duplicates_by_shared_words() -> None:
    texts = [signature_of(" ".join(words)) for words in ("abcde", "abcdf", "vwxyz")]
    assert near_duplicates([text for text in texts if text is not None], 0.4).tolist() == [True, True, False]
    assert near_duplicates([], 0.4).tolist() == []


def test_the_burst_is_the_densest_hour_against_what_others_do_there() -> None:
    rows = raid(range(1, 9), range(6))
    burst = evidence_of(rows, range(1, 9))["burst"]
    assert burst.value == 8 and burst.p_value is not None and burst.p_value < 1e-6 and burst.contribution == 0
    crowded = [Row(0, 5_000 + k, k % 6, DAY + k * 60.0, context=500 + k % 6) for k in range(3_000)]
    loud = evidence_of([*rows, *crowded], range(1, 9))["burst"]
    assert loud.usual > 30 and loud.p_value == 1.0


def test_one_author_is_shown_and_counts_nothing_since_volunteers_follow_one_as_well() -> None:
    whole = evidence_of(raid(range(1, 9), range(6)), range(1, 9))["one_author"]
    assert (whole.value, whole.contribution) == (1.0, 0.0)
    assert (
        evidence_of([Row(0, r.reporter, r.target, r.at, r.context) for r in raid(range(1, 9), range(6))], range(1, 9))[
            "one_author"
        ].value
        == 0.0
    )


@pytest.mark.parametrize(
    ("contexts", "words"),
    [
        ("given", "shared reading of the same articles is taken into account"),
        ("inferred", "estimated from inferred contexts"),
        ("none", "shared reading is not taken into account"),
    ],
)
def test_the_evidence_says_what_the_control_had_to_look_at(contexts: ContextSource, words: str) -> None:
    rows = raid(range(1, 9), range(6))
    assert words in evidence_of(rows, range(1, 9), contexts)["pairs"].text
