"""The window against an oracle that goes through plain lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import Row, columns

from service.intake.text_fingerprints import signature_of
from workers.detection import sorted_index
from workers.detection.sorted_index import Index, NameIndex, portions, run_starts, spread
from workers.detection.window import TIME_MASK, Complaints, Window
from workers.detection.window_digest import window_digest

SPAN, SCALES = 120_000, (1_000, 10_000, 40_000)  # milliseconds


class Oracle:
    """What the window should say, from lists."""

    def __init__(self) -> None:
        self.rows: dict[int, Row] = {}
        self.newest: int | None = None

    def append(self, rows: Sequence[Row]) -> None:
        for row in rows:
            self.newest = row.time_ms if self.newest is None else max(self.newest, row.time_ms)
        self.rows |= {row.seq: row for row in rows}
        if self.newest is not None:
            self.rows = {seq: row for seq, row in self.rows.items() if row.time_ms >= self.newest - SPAN}

    def remove(self, seqs: Sequence[int]) -> None:
        self.rows = {seq: row for seq, row in self.rows.items() if seq not in seqs}

    def counts(self, row: Row) -> list[int]:
        def near(same: Any, scale: int) -> int:
            return sum(
                same(other) == same(row) and abs(other.time_ms - row.time_ms) <= scale for other in self.rows.values()
            )

        return [*(near(lambda r: r.target, scale) for scale in SCALES), near(place, SCALES[-1])]


def place(row: Row) -> tuple[str, int]:
    return ("context", row.context) if row.context else ("target", row.target)


def agrees(window: Window, oracle: Oracle) -> None:
    rows = sorted(oracle.rows.values(), key=lambda r: r.seq)
    alive = np.flatnonzero(~window.gone[: window.size])
    assert window.live == len(rows)
    assert sorted(window.seq[alive].tolist()) == [r.seq for r in rows]
    event_by_seq = {int(window.seq[e]): int(e) for e in alive}
    events = np.array([event_by_seq[r.seq] for r in rows], np.int32)
    assert window.counts(events).tolist() == [oracle.counts(r) for r in rows]
    for reporter, number in zip(window.reporters.keys.tolist(), range(len(window.reporters)), strict=True):
        mine = [r for r in rows if r.reporter == reporter]
        assert window.degree[number] == len(mine)
        assert {int(s) for s in window.seq[window.runs(window.by_pair, np.array([number]))[1]]} == {r.seq for r in mine}
    for target, number in zip(window.targets.keys.tolist(), range(len(window.targets)), strict=True):
        mine = sorted((r.time_ms, r.seq) for r in rows if r.target == target)
        found = window.runs(window.by_target, np.array([number]))[1]
        assert (
            sorted(zip((window.time[found] + window.origin).tolist(), window.seq[found].tolist(), strict=True)) == mine
        )
        assert window.time[found].tolist() == sorted(window.time[found].tolist())
        assert window.crowd[number] == len(mine)
    if rows:
        who, what, where = (
            np.array([x[event_by_seq[r.seq]] for r in rows], np.int64)
            for x in (window.reporter, window.target, window.context)
        )
        assert window.find_pairs(who, what).tolist() == events.tolist()
        assert window.context_share(who, where).tolist() == [
            sum(o.reporter == r.reporter and place(o) == place(r) for o in rows) for r in rows
        ]
        assert window.context_crowd[where].tolist() == [sum(place(o) == place(r) for o in rows) for r in rows]


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[list[Row], list[int]]]:
    """Batches in roughly the order of time, with late ones among them, and removals after each."""
    pairs = draw(st.lists(st.tuples(st.integers(1, 6), st.integers(1, 5)), unique=True, max_size=28))
    steps: list[tuple[list[Row], list[int]]] = []
    clock, seq = 0, 0
    while pairs:
        batch = []
        for reporter, target in [pairs.pop() for _ in range(draw(st.integers(1, min(6, len(pairs)))))]:
            clock += draw(st.sampled_from([0, 0, 500, 1_000, 7_000, 30_000]))
            seq += 1
            at = max(0, clock - draw(st.sampled_from([0, 0, 0, 1, 3_000, 35_000, 90_000])))
            batch.append(Row(seq, reporter, target, at / 1000, context=100 + target // 2 if target < 5 else 0))
        steps.append((batch, draw(st.lists(st.integers(1, seq), max_size=2)) if draw(st.booleans()) else []))
    return steps


@settings(max_examples=60, deadline=None)
@given(histories())
def test_counts_runs_and_pairs_are_those_of_plain_lists_through_late_arrivals_expiry_and_removal(
    steps: list[tuple[list[Row], list[int]]],
) -> None:
    window, oracle = Window(SPAN, SCALES), Oracle()
    for batch, gone in steps:
        window.append(columns(batch))
        oracle.append(batch)
        agrees(window, oracle)
        if gone:
            window.remove(gone)
            oracle.remove(gone)
            agrees(window, oracle)


@settings(max_examples=40, deadline=None)
@given(histories(), st.randoms(use_true_random=False))
def test_the_digest_is_that_of_a_window_that_was_given_what_is_left_at_once_and_of_no_other(
    steps: list[tuple[list[Row], list[int]]], random: Any
) -> None:
    window, oracle = Window(SPAN, SCALES), Oracle()
    for batch, gone in steps:
        window.append(columns(batch))
        oracle.append(batch)
        window.remove(gone)
        oracle.remove(gone)
    rows = list(oracle.rows.values())
    random.shuffle(rows)

    def digest(rows: list[Row]) -> str:
        other = Window(SPAN, SCALES)
        other.append(columns(rows))
        return window_digest(other)

    assert digest(rows) == window_digest(window)
    if rows:
        one = rows[0]
        for changed in (
            {"seq": 999},
            {"at": one.at + 0.001},
            {"reporter": 77},
            {"author": 5},
            {"created": 1.0},
            {"fingerprint": 5},
            {"exempt": True},
            {"text": "six words are enough for this one text"},
        ):
            assert digest([replace(one, **changed), *rows[1:]]) != window_digest(window), changed
        assert digest(rows[1:]) != window_digest(window)


@settings(max_examples=25, deadline=None)
@given(histories(), st.randoms(use_true_random=False))
def test_one_batch_says_what_many_said(steps: list[tuple[list[Row], list[int]]], random: Any) -> None:
    rows = [row for batch, _ in steps for row in batch]
    oracle = Oracle()
    oracle.append(rows)
    random.shuffle(rows)
    window = Window(SPAN, SCALES)
    window.append(columns(rows))
    agrees(window, oracle)


def test_a_complaint_a_little_late_opens_counts_that_had_been_final() -> None:
    # Found by reading: the first complaint is final once nothing within 40 s of it is expected any more; one that comes
    # 0.5 s late still is.
    window, oracle = Window(SPAN, SCALES), Oracle()
    for batch in ([Row(1, 1, 1, 0)], [Row(2, 2, 2, 40.5)], [Row(3, 3, 1, 40.0)]):
        window.append(columns(batch))
        oracle.append(batch)
        agrees(window, oracle)


def test_counts_stay_right_when_the_columns_are_compacted() -> None:
    rng = np.random.default_rng(1)
    window, oracle = Window(SPAN, SCALES), Oracle()
    compacted = 0
    for step in range(8):
        rows = [
            Row(
                step * 500 + k,
                int(rng.integers(1, 60)),
                int(10_000 * step + k),
                step * 40 + float(rng.uniform(0, 40)),
                context=1 + k % 40,
            )
            for k in range(500)
        ]
        before = window.size
        window.append(columns(rows))
        oracle.append(rows)
        compacted += window.size < before + len(rows)
        seqs = [int(s) for s in rng.choice([r.seq for r in rows], 5, replace=False)]
        window.remove(seqs)
        oracle.remove(seqs)
    assert compacted
    kept = sorted(oracle.rows.values(), key=lambda r: r.seq)[::37]
    event_by_seq = {int(window.seq[e]): e for e in np.flatnonzero(~window.gone[: window.size])}
    assert window.live == len(oracle.rows) == len(event_by_seq)
    assert window.counts(np.array([event_by_seq[r.seq] for r in kept], np.int32)).tolist() == [
        oracle.counts(r) for r in kept
    ]


def test_removing_twice_or_something_unknown_changes_nothing() -> None:
    window = Window(SPAN, SCALES)
    window.append(columns([Row(1, 1, 1, 0), Row(2, 2, 1, 1)]))
    assert len(window.remove([1])) == 1
    assert len(window.remove([1, 77])) == 0
    assert window.live == 1


def test_what_is_older_than_the_window_does_not_come_in() -> None:
    window = Window(SPAN, SCALES)
    window.append(columns([Row(1, 1, 1, 500)]))
    assert len(window.append(columns([Row(2, 2, 1, 379.9)]))) == 0
    assert len(window.append(columns([Row(3, 2, 1, 380)]))) == 1


def test_an_empty_batch_changes_nothing() -> None:
    window = Window(SPAN, SCALES)
    assert len(window.append(columns([]))) == 0
    assert window.live == 0
    assert window.counts(np.empty(0, np.int32)).shape == (0, len(SCALES) + 1)
    assert window.find_pairs(np.array([0]), np.array([0])).tolist() == [-1]


@pytest.mark.parametrize("together", [True, False])
def test_a_complaint_dated_1970_does_not_spoil_the_years_that_follow(together: bool) -> None:
    # A clock at zero is a common fault; the times inside have room for 8.7 years only.
    window, oracle = Window(SPAN, SCALES), Oracle()
    long_ago = Row(1, 9, 1, -56 * 366 * 86_400.0)
    now = [Row(2, 1, 1, 0), Row(3, 2, 1, 0.5), Row(4, 1, 2, 1)]
    for batch in [[long_ago, *now]] if together else [[long_ago], now]:
        window.append(columns(batch))
        oracle.append(batch)
        agrees(window, oracle)
    assert window.time[: window.size].max() < TIME_MASK // 2


def test_a_window_that_lives_for_decades_moves_its_origin() -> None:
    window, oracle = Window(SPAN, SCALES), Oracle()
    for year in range(0, 30, 3):
        rows = [
            Row(10 * year + k, 1 + k % 2, 1 + k // 2, year * 365 * 86_400.0 + 8 * k, created=0.0) for k in range(1, 8)
        ]
        window.append(columns(rows))
        oracle.append(rows)
        agrees(window, oracle)
        alive = np.flatnonzero(~window.gone[: window.size])
        assert set((window.created[alive] + window.origin).tolist()) == {rows[0].time_ms - round(rows[0].at * 1000)}


def test_targets_without_a_context_are_their_own_and_never_a_declared_one() -> None:
    window = Window(SPAN, SCALES)
    window.append(columns([Row(1, 1, 7, 0), Row(2, 1, 8, 0, context=7), Row(3, 2, 7, 1)]))
    seqs = window.seq[: window.size].tolist()
    assert window.counts(np.array([seqs.index(1), seqs.index(2)], np.int32))[:, -1].tolist() == [2, 1]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=40), max_size=6))
def test_an_index_holds_all_keys_in_order_equal_ones_as_they_came(batches: list[list[int]]) -> None:
    index, flat = Index(), [k for batch in batches for k in batch]
    first = 0
    for batch in batches:
        index.insert(np.array(batch, np.int64), np.arange(first, first + len(batch), dtype=np.int32))
        first += len(batch)
    expected = sorted(range(len(flat)), key=lambda i: (flat[i], i))
    assert index.events.tolist() == expected
    assert index.keys.tolist() == [flat[i] for i in expected]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 9), max_size=12), max_size=12),
    st.sampled_from([0, 3, 1_000]),
)
def test_names_are_numbered_as_they_were_first_seen_and_found_again(batches: list[list[int]], least: int) -> None:
    names, known = NameIndex(), dict[int, int]()
    with patch.object(sorted_index, "LEAST_MERGED", least):
        for batch in batches:
            for key in sorted(set(batch)):
                known.setdefault(key, len(known))
            before = names.find(np.array(batch, np.int64))
            assert names.numbers(np.array(batch, np.int64)).tolist() == [known[key] for key in batch]
            assert all(number in (-1, known[key]) for key, number in zip(batch, before.tolist(), strict=True))
            assert names.find(np.array([*known, 77], np.int64)).tolist() == [*known.values(), known.get(77, -1)]
    assert names.keys.tolist() == list(known) and len(names) == len(known)


def test_spread_is_a_nested_loop() -> None:
    owner, place_ = spread(np.array([3, 5, 9]), np.array([5, 5, 10]))
    assert list(zip(owner.tolist(), place_.tolist(), strict=True)) == [(0, 3), (0, 4), (2, 9)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 9), max_size=20), st.integers(1, 12))
def test_portions_hold_everything_once_and_no_more_than_was_asked_for(sizes: list[int], most: int) -> None:
    parts = [sizes[part] for part in portions(np.array(sizes, np.int64), most)]
    assert [size for part in parts for size in part] == sizes
    assert all(part and (sum(part) <= most or len(part) == 1) for part in parts)
    assert all(sum(one) + other[0] > most for one, other in pairwise(parts)), "as few as can be"


@pytest.mark.parametrize("values", [[], [5], [5, 5], [1, 1, 2, 2, 2, 7, 1]])
def test_runs_start_where_a_value_differs_from_the_one_before(values: list[int]) -> None:
    expected = [k == 0 or values[k] != values[k - 1] for k in range(len(values))]
    assert run_starts(np.array(values, np.int64)).tolist() == expected


def text_of(k: int) -> str:
    return f"five words are in text-{k}"


def test_texts_leave_with_their_complaints() -> None:
    window = Window(SPAN, SCALES)
    rows = [replace(Row(k, k, 1, 30 * k), text=text_of(k)) for k in range(1, 8)]
    for row in rows:
        window.append(columns([row]))
    assert set(window.text.values()) == {signature_of(text_of(k)) for k in range(3, 8)}
    window.remove([5])
    assert "text 5" not in window.text.values()


def test_columns_are_as_long_as_their_complaints() -> None:
    batch: Complaints = columns([Row(1, 1, 1, 0), Row(2, 2, 1, 0)])
    assert len(batch) == 2
