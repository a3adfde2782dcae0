"""The detector as a whole: what may not matter does not, and ticks end where a sweep does."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import DAY, HOUR, Row, columns, draw_town, members_of

from service.policy import DEFAULT_POLICY
from workers import sweep_codec
from workers.detection import threads
from workers.detection.detector import Detector
from workers.detection.groups import Group
from workers.detection.window_digest import window_digest

POLICY = DEFAULT_POLICY
NOTHING = columns([])
SEEDS = st.integers(0, 30)


def swept(rows: Sequence[Row]) -> list[Group]:
    return Detector.sweep(POLICY, columns(rows))[1]


def canonical(
    groups: Sequence[Group],
) -> set[tuple[frozenset[int], frozenset[int], tuple[int, ...], tuple[tuple[str, float], ...]]]:
    """All that a group says; contributions rounded, since sums in another order differ in the last digits."""
    return {
        (
            g.reporters,
            g.targets,
            tuple(sorted(g.seq.tolist())),
            tuple((e.signal, round(e.contribution, 6)) for e in g.evidence),
        )
        for g in groups
    }


def ticked(rows: Sequence[Row], sizes: Sequence[int]) -> Detector:
    detector, at, step = Detector(POLICY), 0, 0
    while at < len(rows):
        size = sizes[step % len(sizes)]
        detector.tick(columns(rows[at : at + size]))
        at, step = at + size, step + 1
    return detector


def taken_over(detector: Detector, rows: Sequence[Row]) -> list[Group]:
    """The groups after the handover of a sweep of `rows`."""
    sweep, _ = Detector.sweep(POLICY, columns(rows))
    detector.adopt(sweep.fitted(), max(r.seq for r in rows))
    return detector.regroup()


def test_a_brigade_is_found_whole_and_nobody_else() -> None:
    for seed in range(6):
        town = draw_town(seed)
        assert members_of(swept(town.rows)) == set(town.brigades)


def test_readers_alone_are_no_group() -> None:
    for seed in range(6):
        assert swept(draw_town(seed, brigades=0, complaints=700).rows) == []


def test_empty_is_quiet() -> None:
    assert swept([]) == []
    detector = Detector(POLICY)
    assert detector.tick(NOTHING) == []
    assert detector.tick(NOTHING, [1, 2]) == []
    sweep, _ = Detector.sweep(POLICY, NOTHING)
    detector.adopt(sweep.fitted(), 0)
    assert detector.regroup() == []


@settings(max_examples=20, deadline=None)
@given(SEEDS, SEEDS)
def test_the_order_of_input_is_irrelevant(seed: int, salt: int) -> None:
    rows = draw_town(seed, brigades=2).rows
    mixed = [rows[k] for k in np.random.default_rng(salt).permutation(len(rows))]
    found = canonical(swept(rows))
    assert len(found) == 2
    assert canonical(swept(mixed)) == found


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.integers(0, 2**31))
def test_other_names_change_nothing_but_names(seed: int, salt: int) -> None:
    rows = draw_town(seed, brigades=2).rows
    rng = np.random.default_rng(salt)
    other: dict[int, int] = {0: 0}

    def renamed(key: int) -> int:
        return other.setdefault(key, int(rng.integers(-(2**62), 2**62)))

    fresh = [
        replace(
            r,
            reporter=renamed(r.reporter),
            target=renamed(r.target),
            context=renamed(r.context),
            author=renamed(r.author),
        )
        for r in rows
    ]
    expected = {
        (frozenset(other[x] for x in g[0]), frozenset(other[x] for x in g[1]), *g[2:]) for g in canonical(swept(rows))
    }
    assert canonical(swept(fresh)) == expected


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.integers(-(10**10), 10**10))
def test_a_shift_in_time_changes_nothing(seed: int, shift_ms: int) -> None:
    rows = draw_town(seed).rows
    # Whole milliseconds, so that no rounding moves a complaint over the edge of a scale.
    moved = [
        replace(
            r,
            at=(round(r.at * 1000) + shift_ms) / 1000,
            created=None if r.created is None else (round(r.created * 1000) + shift_ms) / 1000,
        )
        for r in rows
    ]
    assert canonical(swept(moved)) == canonical(swept(rows))


def test_the_same_input_gives_the_same_answer_to_the_last_digit() -> None:
    rows = draw_town(3, brigades=2).rows
    one, two = swept(rows), swept(rows)
    assert [(g.reporters, g.targets, g.evidence, g.seq.tolist()) for g in one] == [
        (g.reporters, g.targets, g.evidence, g.seq.tolist()) for g in two
    ]


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_one_more_coordinated_reporter_never_makes_the_group_smaller_or_clears_it(seed: int) -> None:
    town = draw_town(seed)
    (before,) = swept(town.rows)
    leader = max(town.brigades[0], key=lambda who: sum(r.reporter == who for r in town.rows))
    more = [replace(r, seq=10_000 + r.seq, reporter=6_000, at=r.at + 1) for r in town.rows if r.reporter == leader]
    (after,) = swept([*town.rows, *more])
    assert after.reporters == before.reporters | {6_000}
    assert after.targets >= before.targets
    # Shares and means may dip a little with one more; the verdict may not.
    assert sum(e.contribution for e in after.evidence) > POLICY.flag_score
    assert max(e.value for e in after.evidence if e.signal == "burst") >= max(
        e.value for e in before.evidence if e.signal == "burst"
    )


@settings(max_examples=12, deadline=None)
@given(SEEDS, st.lists(st.integers(20, 600), min_size=1, max_size=8))
def test_ticks_of_any_size_and_a_handover_end_where_one_sweep_does(seed: int, sizes: list[int]) -> None:
    town = draw_town(seed, brigades=2)
    detector = ticked(town.rows, sizes)
    assert canonical(taken_over(detector, town.rows)) == canonical(swept(town.rows))
    assert detector.pairs_met == Detector.sweep(POLICY, columns(town.rows))[0].pairs_met


@settings(max_examples=10, deadline=None)
@given(SEEDS, SEEDS)
def test_after_late_arrivals_and_withdrawals_a_handover_gives_what_a_sweep_of_what_stands_gives(
    seed: int, salt: int
) -> None:
    town = draw_town(seed, brigades=2)
    delay = np.random.default_rng(salt).uniform(0, 12 * HOUR, len(town.rows))
    order = [town.rows[k] for k in np.argsort([r.at for r in town.rows] + delay)]
    withdrawn = {r.seq for r in town.rows if r.reporter in town.brigades[0] and r.reporter % 100 < 3} | {
        r.seq for r in town.rows[::17]
    }
    detector = Detector(POLICY)
    for at in range(0, len(order), 150):
        part = order[at : at + 150]
        detector.tick(columns(part), [r.seq for r in part if r.seq in withdrawn])
    standing = [r for r in town.rows if r.seq not in withdrawn]
    assert canonical(taken_over(detector, standing)) == canonical(swept(standing))


@settings(max_examples=10, deadline=None)
@given(SEEDS)
def test_withdrawing_and_coming_back_after_a_handover_leaves_no_trace(seed: int) -> None:
    town = draw_town(seed)
    detector = ticked(town.rows, [100])
    before = canonical(taken_over(detector, town.rows))
    some = [r for r in town.rows if r.reporter in town.brigades[0]][::3]
    gone = detector.tick(NOTHING, [r.seq for r in some])
    assert not any(set(g.seq.tolist()) & {r.seq for r in some} for g in gone)
    detector.tick(columns(some))
    assert canonical(taken_over(detector, town.rows)) == before


def test_a_brigade_whose_complaints_are_all_withdrawn_is_gone_at_once() -> None:
    town = draw_town(1)
    detector = ticked(town.rows, [100])
    assert members_of(taken_over(detector, town.rows)) == set(town.brigades)
    assert detector.tick(NOTHING, [r.seq for r in town.rows if r.reporter in town.brigades[0]]) == []


def test_a_handover_leaves_what_came_after_the_sweep_as_it_is() -> None:
    town = draw_town(2, brigades=2)
    half = [r for r in town.rows if r.at < DAY]
    detector = ticked(half, [80])
    sweep, groups = Detector.sweep(POLICY, columns(half))
    assert groups == [], "the sweep knows of nobody yet"
    for at in range(len(half), len(town.rows), 80):
        detector.tick(columns(town.rows[at : at + 80]))
    detector.adopt(sweep.fitted(), max(r.seq for r in half))
    assert members_of(detector.regroup()) == set(town.brigades)
    assert members_of(taken_over(detector, town.rows)) == members_of(swept(town.rows))


def test_a_window_that_was_loaded_goes_on_like_one_that_was_never_lost() -> None:
    town = draw_town(4, brigades=2)
    half = [r for r in town.rows if r.at < 4 * DAY]
    sweep, _ = Detector.sweep(POLICY, columns(half))
    never_lost, rebuilt = ticked(half, [70]), Detector(POLICY)
    never_lost.adopt(sweep.fitted(), max(r.seq for r in half))
    rebuilt.load([(columns(half), ())])
    rebuilt.adopt(sweep.fitted(), max(r.seq for r in half))
    assert canonical(rebuilt.regroup()) == canonical(never_lost.regroup())
    for at in range(len(half), len(town.rows), 70):
        one, two = (d.tick(columns(town.rows[at : at + 70])) for d in (never_lost, rebuilt))
        assert members_of(one) == members_of(two)
    assert rebuilt.pairs_met == never_lost.pairs_met


def test_a_window_that_was_loaded_in_parts_is_the_one_that_was_loaded_at_once() -> None:
    town = draw_town(4, brigades=2)
    rows, withdrawn = list(town.rows), {r.seq for r in town.rows[::9]}
    rows[50], rows[290] = rows[290], rows[50]  # one came late
    stand = [r for r in rows if r.seq not in withdrawn]
    sweep, groups = Detector.sweep(POLICY, columns(stand))
    one, other = Detector(POLICY), Detector(POLICY)
    one.load([(columns(stand), ())])
    parts = [columns(rows[at : at + 70]) for at in range(0, len(rows), 70)]
    other.load([(part, ()) for part in parts] + [(columns([]), sorted(withdrawn))])
    assert window_digest(one.window) == window_digest(other.window)
    newest = [Row(9_000 + k, r.reporter, r.target, 8.1 * DAY + k) for k, r in enumerate(stand[-90:-60])]
    for detector in (one, other):
        detector.adopt(sweep.fitted(), max(r.seq for r in stand))
        assert members_of(detector.regroup()) == members_of(groups)
        detector.tick(columns(newest))
    assert one.pairs_met == other.pairs_met > sweep.pairs_met, "the same pairs are known to have met"


@pytest.mark.parametrize("at_once", [25, 400])
def test_a_sweep_does_not_depend_on_how_many_threads_share_it(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = draw_town(4, brigades=3).rows
    alone, groups = Detector.sweep(POLICY, columns(rows))
    begun = list[int]()
    for constant in ("detector.AT_ONCE", "pairs.AT_ONCE", "window.AT_ONCE", "null_model.PAIRS_AT_ONCE"):
        monkeypatch.setattr(f"workers.detection.{constant}", at_once)
    monkeypatch.setattr(threads, "ThreadPoolExecutor", lambda many: begun.append(many) or ThreadPoolExecutor(many))
    shared, same = Detector.sweep(POLICY, columns(rows), threads=3)
    assert set(begun) == {2, 3}, "the sort takes two, the rest as many as there are"
    assert canonical(same) == canonical(groups)
    assert window_digest(shared.window) == window_digest(alone.window)
    assert sweep_codec.pack(shared.fitted()) == sweep_codec.pack(alone.fitted())


def test_groups_that_nothing_touched_are_the_same_objects() -> None:
    town = draw_town(5)
    detector = ticked(town.rows, [100])
    (group,) = taken_over(detector, town.rows)
    (same,) = detector.tick(columns([Row(9_001, 9_001, 9_001, 8.2 * DAY)]))
    assert same is group


def test_a_complaint_of_a_member_on_a_known_target_joins_the_group_at_the_next_tick() -> None:
    town = draw_town(6, members=14, hits=20)
    brigade = town.brigades[0]
    hits = [r for r in town.rows if r.reporter in brigade]
    absent = next(
        (who, target)
        for target in {r.target for r in hits}
        for who in brigade
        if not any(r.target == target and r.reporter == who for r in hits)
    )
    detector = ticked(town.rows, [100])
    taken_over(detector, town.rows)
    like = next(r for r in hits if r.target == absent[1])
    (group,) = detector.tick(columns([replace(like, seq=9_001, reporter=absent[0], at=8.1 * DAY)]))
    assert 9_001 in group.seq.tolist()


def test_a_new_target_of_a_coordinated_group_is_its_own_in_the_tick_that_brings_enough_of_it_there() -> None:
    town = draw_town(6, members=14, hits=20)
    detector = ticked(town.rows, [100])
    taken_over(detector, town.rows)
    some = sorted(town.brigades[0])[:7]
    (group,) = detector.tick(
        columns([Row(9_001 + k, who, 88_888, 8.1 * DAY + 60 * k, context=88_000) for k, who in enumerate(some)])
    )
    assert 88_888 in group.targets and {9_001, 9_007} <= set(group.seq.tolist())


def brigade_and_patrol() -> tuple[list[Row], frozenset[int], frozenset[int]]:
    """A brigade and a patrol on the same author's comments, at other hours; bystanders give the window its size."""
    rng = np.random.default_rng(11)
    brigade, patrol = frozenset(range(100, 112)), frozenset(range(200, 210))
    rows = [Row(0, 1_000 + k, 5_000 + k % 211, k * 1_500.0, context=7_000 + k % 97) for k in range(600)]
    for comment in range(14):
        at = (0.4 + 0.6 * comment) * DAY
        rows += [
            Row(0, who, 300 + comment, at + float(rng.exponential(120)), context=400 + comment, author=1)
            for who in brigade
        ]
        if comment % 2:
            rows += [
                Row(0, who, 300 + comment, at + 1_800 + float(rng.exponential(120)), context=400 + comment, author=1)
                for who in patrol
            ]
        else:
            rows += [
                Row(0, who, 350 + comment, at + 9 * HOUR + float(rng.exponential(120)), context=450 + comment, author=2)
                for who in patrol
            ]
    return [replace(r, seq=k) for k, r in enumerate(sorted(rows, key=lambda r: r.at), 1)], brigade, patrol


def test_growth_never_swallows_another_seed() -> None:
    rows, brigade, patrol = brigade_and_patrol()
    detector, groups = Detector.sweep(POLICY, columns(rows))
    for one, two in combinations(detector.grouping.pairs.components, 2):
        for (tier, _), group in detector.grouping.seeds.grown.items():
            assert tier == "strong" or not group.members
            assert not (one <= group.members and two <= group.members)
    assert frozenset().union(*members_of(groups)) == brigade | patrol


@pytest.mark.parametrize("withdraw", [False, True])
def test_removals_are_right_also_in_the_tick_in_which_the_columns_are_compacted(withdraw: bool) -> None:
    """Old complaints leave, many at once, in the same tick as a withdrawal: what was withdrawn is still the right
    reporter's.
    """
    town = draw_town(7)
    old = [Row(20_000 + k, 30_000 + k, 40_000 + k, -9 * DAY + k) for k in range(6_000)]
    detector = Detector(POLICY)
    detector.tick(columns(old))
    detector.tick(columns([r for r in town.rows if r.at < 4.9 * DAY]))
    brigade = [r.seq for r in town.rows if r.reporter in town.brigades[0]]
    late = [r for r in town.rows if r.at >= 4.9 * DAY]
    size = detector.window.size
    detector.tick(columns(late), brigade if withdraw else [])
    assert detector.window.size < size, "nothing was compacted: the test has lost its point"
    standing = [r for r in town.rows if not withdraw or r.seq not in brigade]
    assert members_of(taken_over(detector, standing)) == members_of(swept(standing))
    if withdraw:
        numbers = detector.window.reporters.find(np.array(sorted(town.brigades[0])))
        assert len(detector.edges.of(numbers)) == 0
