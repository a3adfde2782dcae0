"""Meetings and joins against nested loops."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from random import Random
from unittest.mock import patch

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import Row, columns

from workers.detection.pairs import (
    MetBefore,
    all_neighbours,
    collected,
    join,
    meet,
    neighbours,
    neighbours_by_stretch,
    pair_keys,
)
from workers.detection.window import Window

SCALES = (1_000, 10_000, 40_000)
STRATA = (2, 4)
SPAN = 10_000_000


@st.composite
def rows_in_time(draw: st.DrawFn) -> list[Row]:
    pairs = draw(st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), unique=True, min_size=1, max_size=30))
    rows, clock = [], 0
    for seq, (reporter, target) in enumerate(pairs, 1):
        clock += draw(st.sampled_from([0, 0, 400, 1_000, 9_000, 41_000]))
        rows.append(Row(seq, reporter, target, clock / 1000, context=100 + target // 3))
    return rows


def filled(rows: list[Row]) -> Window:
    window = Window(SPAN, SCALES)
    window.append(columns(rows))
    return window


def names(window: Window, first: np.ndarray, second: np.ndarray) -> list[frozenset[int]]:  # type: ignore[type-arg]
    keys = window.reporters.keys
    return [frozenset((int(keys[a]), int(keys[b]))) for a, b in zip(first, second, strict=True)]


def met_in(rows: list[Row], limit: int) -> Counter[frozenset[int]]:
    """How often each pair meets, each complaint paired with the `limit` before it on its target."""
    times: Counter[frozenset[int]] = Counter()
    for target in {r.target for r in rows}:
        mine = sorted((r for r in rows if r.target == target), key=lambda r: (r.time_ms, r.reporter))
        for k, row in enumerate(mine):
            times.update(
                frozenset((row.reporter, other.reporter))
                for other in mine[max(0, k - limit) : k]
                if row.time_ms - other.time_ms <= SCALES[-1]
            )
    return times


@settings(max_examples=50, deadline=None)
@given(rows_in_time(), st.sampled_from([1, 2, 32]))
def test_a_sweep_meets_every_pair_and_hands_on_those_that_met_twice(rows: list[Row], limit: int) -> None:
    window = filled(rows)
    met = meet(window, np.arange(len(rows), dtype=np.int32), limit, None, sample=1_000)
    expected = met_in(rows, limit)
    assert met.new_pairs == len(expected)
    assert set(names(window, met.first, met.second)) == {pair for pair, times in expected.items() if times > 1}
    assert sorted(map(sorted, names(window, met.sample_first, met.sample_second))) == sorted(map(sorted, expected))
    close = sum(a.target == b.target and abs(a.time_ms - b.time_ms) <= SCALES[-1] for a, b in combinations(rows, 2))
    if limit == 32:
        assert met.cut == 0 and sum(expected.values()) == close


@settings(max_examples=50, deadline=None)
@given(rows_in_time(), st.lists(st.integers(1, 8), min_size=1, max_size=10))
def test_ticks_of_any_size_miss_no_pair_that_meets_twice(rows: list[Row], sizes: list[int]) -> None:
    window, before = Window(SPAN, SCALES), MetBefore()
    joined: set[frozenset[int]] = set()
    new = at = step = 0
    while at < len(rows):
        size = sizes[step % len(sizes)]
        met = meet(window, window.append(columns(rows[at : at + size])), 32, before)
        joined |= set(names(window, met.first, met.second))
        new += met.new_pairs
        at, step = at + size, step + 1
    expected = met_in(rows, 32)
    assert new == len(expected)
    assert joined >= {pair for pair, times in expected.items() if times > 1}
    assert joined <= set(expected)


@settings(max_examples=50, deadline=None)
@given(rows_in_time(), st.randoms(use_true_random=False))
def test_late_arrivals_are_met_by_those_that_were_there(rows: list[Row], random: np.random.Generator) -> None:
    order = list(rows)
    random.shuffle(order)  # type: ignore[arg-type]
    window, before = Window(SPAN, SCALES), MetBefore()
    joined: set[frozenset[int]] = set()
    for at in range(0, len(order), 4):
        met = meet(window, window.append(columns(order[at : at + 4])), 32, before)
        joined |= set(names(window, met.first, met.second))
    assert joined >= {pair for pair, times in met_in(rows, 32).items() if times > 1}


@settings(max_examples=50, deadline=None)
@given(rows_in_time())
def test_join_counts_meetings_by_scale_and_rarity_as_nested_loops_do(rows: list[Row]) -> None:
    window = filled(rows)
    numbers = np.array(list(combinations(range(len(window.reporters)), 2)), np.int64).reshape(-1, 2)
    found = join(window, numbers[:, 0], numbers[:, 1], STRATA)
    keys = window.reporters.keys
    told = {
        frozenset((int(keys[a]), int(keys[b]))): (x, int(y))
        for a, b, x, y in zip(found.first, found.second, found.meetings, found.elsewhere, strict=True)
    }
    single = 0
    for one, two in combinations(sorted({r.reporter for r in rows}), 2):
        mine, theirs = ({r.target: r for r in rows if r.reporter == who} for who in (one, two))
        shared = [(mine[t], theirs[t]) for t in mine.keys() & theirs.keys()]
        close = [(a, b) for a, b in shared if abs(a.time_ms - b.time_ms) <= SCALES[-1]]
        pair = frozenset((one, two))
        single += len(close) == 1
        if len(close) < 2:
            assert pair not in told
            continue
        x = [[0] * (len(STRATA) + 1) for _ in SCALES]
        for a, b in close:
            later = max(a, b, key=lambda r: r.time_ms)
            # In the same millisecond both see the same crowd.
            size = sum(r.target == later.target and abs(r.time_ms - later.time_ms) <= SCALES[-1] for r in rows)
            for k, scale in enumerate(SCALES):
                for c, bound in enumerate((*STRATA, 10**9)):
                    x[k][c] += abs(a.time_ms - b.time_ms) <= scale and size <= bound
        contexts = [Counter(r.context for r in rows if r.reporter == who) for who in (one, two)]
        elsewhere = sum(n * contexts[1][c] for c, n in contexts[0].items()) - len(shared)
        assert told[pair][0].tolist() == x
        assert told[pair][1] == elsewhere
    assert found.single == single


def test_a_crowd_is_paired_with_the_latest_only_and_what_that_cuts_is_counted() -> None:
    rows = [Row(k, k, 1, k / 10) for k in range(1, 101)]
    window = filled(rows)
    met = meet(window, np.arange(100, dtype=np.int32), 32, None)
    assert met.new_pairs == sum(min(k, 32) for k in range(100))
    assert met.new_pairs + met.cut == 100 * 99 // 2


def test_neighbours_end_where_the_lag_does() -> None:
    window = filled([Row(1, 1, 1, 0), Row(2, 2, 1, 30), Row(3, 3, 1, 41), Row(4, 4, 2, 41)])
    mine, other = neighbours(window, np.arange(4, dtype=np.int32), 5)
    assert {(int(window.seq[a]), int(window.seq[b])) for a, b in zip(mine, other, strict=True)} == {(2, 1), (3, 2)}


@settings(max_examples=50, deadline=None)
@given(rows_in_time(), st.sampled_from([1, 2, 32]), st.sampled_from([0, 1_000, 40_000, 99_000]), st.randoms())
def test_the_whole_window_at_once_has_the_neighbours_that_are_looked_up_one_by_one(
    rows: list[Row], limit: int, lag_ms: int, random: Random
) -> None:
    window = filled(rows)
    window.remove([row.seq for row in rows if random.random() < 0.2])
    of = np.array([random.random() < 0.7 for _ in range(window.size)])
    alive = np.flatnonzero(~window.gone[: window.size]).astype(np.int32)
    for mask in (None, of):
        mine, other = neighbours(window, alive if mask is None else alive[of[alive]], limit)
        near = np.abs(window.time[mine] - window.time[other]) <= lag_ms
        one_by_one = sorted(zip(mine[near].tolist(), other[near].tolist(), strict=True))
        mine, other = collected(all_neighbours(window, limit, lag_ms, mask))
        assert sorted(zip(mine.tolist(), other.tolist(), strict=True)) == one_by_one
        with patch("workers.detection.pairs.AT_ONCE", 3):
            mine, other = collected(neighbours_by_stretch(window, limit, lag_ms, mask))
        assert sorted(zip(mine.tolist(), other.tolist(), strict=True)) == one_by_one


def test_a_pair_has_one_key_whoever_is_named_first() -> None:
    a, b = np.array([3, 9]), np.array([9, 3])
    assert pair_keys(a, b).tolist() == pair_keys(b, a).tolist()
    assert len(set(pair_keys(a, b).tolist())) == 1
