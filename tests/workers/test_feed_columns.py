"""Feed rows as columns: what stands after many batches, and how they are cut."""

from __future__ import annotations

from itertools import pairwise
from typing import Any
from unittest.mock import patch

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from service.intake.text_fingerprints import SIGNATURE_BYTES
from service.storage.complaints.feed import COMPLAINT, EXEMPT, TOTAL, UNKNOWN_US, FeedBatch, FeedOutcome, pack, unpack
from workers import feed_columns
from workers.detection.window import UNKNOWN_MS, Window
from workers.feed_columns import columns_of, joined, parts_of, slices, standing, whole


def rows(*seqs: int, day: float = 0.0) -> Any:
    return np.array(
        [(s, int(day * 86_400_000_000) + s, 10 + s, 20 + s, 0, 0, UNKNOWN_US, 0, 0) for s in seqs], COMPLAINT
    )


def text_of(seq: int) -> bytes:
    return bytes([seq]) * SIGNATURE_BYTES


def batch(*seqs: int, removed: tuple[int, ...] = ()) -> FeedBatch:
    return FeedBatch(rows(*seqs), {s: text_of(s) for s in seqs}, removed)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(st.frozensets(st.integers(1, 8), max_size=4), st.frozensets(st.integers(1, 8), max_size=3)),
        max_size=8,
    ),
    st.sampled_from([1, 3, 100]),
    st.integers(0, 9),
)
def test_what_stands_is_what_applying_the_batches_in_order_leaves(
    steps: list[tuple[frozenset[int], frozenset[int]]], least: int, since: int
) -> None:
    held: set[int] = set()
    batches = []
    for new, gone in steps:
        batches.append(batch(*sorted(new), removed=tuple(sorted(gone))))
        held = (held | new) - gone
    found, texts = standing(batches)
    assert sorted(found["seq"].tolist()) == sorted(held)
    assert {texts[s] for s in held} == {text_of(s) for s in held}
    with patch.object(feed_columns, "PART", least):
        parts = list(parts_of(batches, since))
    young = {seq for seq in held if rows(seq)["time_us"][0] >= since}
    once = columns_of(found[found["time_us"] >= since], texts)
    every = whole(parts)
    for name in ("seq", "time_ms", "reporter", "target", "created_ms", "exempt"):
        assert np.array_equal(getattr(every, name), getattr(once, name)), "in the order of the feed"
    assert {s: every.texts[s] for s in young} == {s: text_of(s) for s in young}
    window = Window(10**9, (1_000,))
    for part, removed in parts:
        window.remove(removed)
        window.append(part)
    assert sorted(window.seq[: window.size][~window.gone[: window.size]].tolist()) == sorted(young)


def test_columns_say_what_the_rows_said() -> None:
    made = np.array(
        [(7, 1_999_999, 1, -2, 3, 4, UNKNOWN_US, 5, 0), (8, 2_000_000, 6, 7, 0, 0, 1_500_000, 0, EXEMPT)], COMPLAINT
    )
    told = columns_of(made, {8: text_of(8)})
    assert told.seq.tolist() == [7, 8] and told.time_ms.tolist() == [1_999, 2_000]
    assert told.target.tolist() == [-2, 7] and told.exempt.tolist() == [False, True]
    assert told.created_ms.tolist() == [UNKNOWN_MS, 1_500]
    assert told.texts == {8: text_of(8)}


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 400), max_size=30))
def test_slices_lose_nothing_keep_the_order_of_time_and_span_no_more_than_allowed(times: list[int]) -> None:
    made = np.array([(k, t, 1, 2, 0, 0, UNKNOWN_US, 0, 0) for k, t in enumerate(times)], COMPLAINT)
    parts = list(slices(FeedBatch(made), 50))
    assert sorted(s for p in parts for s in p["seq"].tolist()) == list(range(len(times)))
    flat = [t for p in parts for t in p["time_us"].tolist()]
    assert flat == sorted(flat)
    assert all(len(p) and p["time_us"][-1] - p["time_us"][0] <= 50 for p in parts)
    assert all(b["time_us"][0] - a["time_us"][0] > 50 for a, b in pairwise(parts)), "as few as can be"


def test_joined_batches_hold_all_that_each_held() -> None:
    one, two = (
        batch(1, 2),
        FeedBatch(
            rows(3),
            outcomes=(FeedOutcome(4, "o", 1, 2, None, "kept", "person", 0),),
            totals=np.array([(1, 5)], TOTAL),
            listed=(5,),
        ),
    )
    both = joined([one, two])
    assert (both.listed, unpack(pack(both)).listed) == ((5,), (5,))
    assert both.complaints["seq"].tolist() == [1, 2, 3] and both.texts == one.texts
    assert both.outcomes == two.outcomes and both.totals.tolist() == [(1, 5)]
    assert joined([one]) is one
