"""Sorted arrays of keys, merged rather than rebuilt, and dense numbers for keys."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from workers.detection.arrays import Bools, Events, Ints

AT_ONCE = 200_000  # complaints or pairs that are looked at together: bounds memory, not results
LEAST_MERGED, MERGED_SHARE = 1_000, 16  # new names are merged in when they are so many, and this part of all


class Index:
    """A sorted array of 64-bit keys with the event of each beside it."""

    __slots__ = ("events", "keys")

    def __init__(self) -> None:
        self.keys: Ints = np.empty(0, np.int64)
        self.events: Events = np.empty(0, np.int32)

    def insert(self, keys: Ints, events: Events) -> None:
        """Merge new keys in; equal keys stay in order of arrival."""
        order = np.argsort(keys, kind="stable")
        keys, events = keys[order], events[order]
        if not len(self.keys):
            self.keys, self.events = keys, events
            return
        at = np.searchsorted(self.keys, keys, "right")
        if len(keys) * 16 > len(self.keys):
            place = at + np.arange(len(keys))
            old = np.ones(len(self.keys) + len(keys), bool)
            old[place] = False
            self.keys, self.events = _merged(self.keys, keys, place, old), _merged(self.events, events, place, old)
            return
        # Few into many: whole stretches are copied as they are, several times faster than by mask.
        cuts = np.flatnonzero(run_starts(at))
        edges = [0, *at[cuts].tolist(), len(self.keys)]
        runs = [*cuts.tolist(), len(keys)]
        self.keys = _woven(self.keys, keys, edges, runs)
        self.events = _woven(self.events, events, edges, runs)

    def delete(self, gone: Bools) -> None:
        """Drop every entry whose event is marked in `gone` (a mask over events)."""
        keep = ~gone[self.events]
        self.keys, self.events = self.keys[keep], self.events[keep]


def _merged(old: npt.NDArray, new: npt.NDArray, place: Ints, is_old: Bools) -> npt.NDArray:  # type: ignore[type-arg]
    out = np.empty(len(is_old), old.dtype)
    out[place] = new
    out[is_old] = old
    return out


def _woven(old: npt.NDArray, new: npt.NDArray, edges: list[int], runs: list[int]) -> npt.NDArray:  # type: ignore[type-arg]
    pieces = []
    for k in range(len(runs) - 1):
        pieces.append(old[edges[k] : edges[k + 1]])
        pieces.append(new[runs[k] : runs[k + 1]])
    pieces.append(old[edges[-2] :])
    return np.concatenate(pieces)


class NameIndex:
    """Dense numbers for 64-bit keys, in order of first sight."""

    __slots__ = ("_merged", "_recent", "keys")

    def __init__(self) -> None:
        self.keys: Ints = np.empty(0, np.int64)  # by number
        self._merged = Index()  # the number of each key: a dictionary of all takes ten times the memory
        self._recent: dict[int, int] = {}  # those not merged in yet, so that a tick need not copy all

    def numbers(self, keys: Ints) -> Ints:
        """The number of each key; new keys get the next ones."""
        unique, inverse = np.unique(keys, return_inverse=True)
        numbers, before = self.find(unique), len(self)
        fresh = np.flatnonzero(numbers < 0)
        if len(fresh):
            numbers[fresh] = np.arange(before, before + len(fresh))
            self.keys = np.concatenate([self.keys, unique[fresh]])
            merged = len(self._merged.keys)
            if len(self) - merged > max(LEAST_MERGED, merged // MERGED_SHARE):
                self._recent.clear()
                self._merged.insert(self.keys[merged:], np.arange(merged, len(self), dtype=np.int32))
            else:
                self._recent.update(zip(unique[fresh].tolist(), numbers[fresh].tolist(), strict=True))
        return numbers[inverse]

    def find(self, keys: Ints) -> Ints:
        """The number of each key, -1 for one never seen."""
        numbers, merged = np.full(len(keys), -1, np.int64), self._merged
        if len(merged.keys):
            at = np.minimum(np.searchsorted(merged.keys, keys), len(merged.keys) - 1)
            known = merged.keys[at] == keys
            numbers[known] = merged.events[at[known]]
        if self._recent:
            rest = np.flatnonzero(numbers < 0)
            numbers[rest] = [self._recent.get(key, -1) for key in keys[rest].tolist()]
        return numbers

    def __len__(self) -> int:
        return len(self.keys)


def in_order(values: Ints, *ties: Ints) -> Ints:
    """The order in which the values ascend, ties by the columns beside them. For values that hardly come twice, and are
    mostly in order already.
    """
    order = np.argsort(values, kind="stable")
    again = np.flatnonzero(np.diff(values[order]) == 0)
    tied = np.union1d(again, again + 1)
    rows = order[tied]
    order[tied] = rows[np.lexsort((*(column[rows] for column in reversed(ties)), values[rows]))]
    return order


def run_starts(values: Ints | Events) -> Bools:
    """Which values differ from the one before them, the first among them."""
    starts = np.ones(len(values), bool)
    np.not_equal(values[1:], values[:-1], out=starts[1:])
    return starts


def portions(sizes: Ints, most: int) -> Iterator[slice]:
    """Consecutive slices whose sizes come to `most` at the most, or of one element: bounds memory, not results."""
    end, start = np.cumsum(sizes), 0
    while start < len(sizes):
        before = end[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(end, before + most, "right")))
        yield slice(start, stop)
        start = stop


def are_in(values: Ints, keys: Ints) -> Bools:
    """Which of the values are among the sorted keys, of which there may be many more."""
    at = np.searchsorted(keys, values)
    found = at < len(keys)
    found[found] = keys[at[found]] == values[found]
    return found


def spread(low: Ints, high: Ints) -> tuple[Ints, Ints]:
    """Positions low[k]..high[k] of every k, with k beside each: the vectorised form of nested loops."""
    length = np.maximum(high - low, 0)
    owner = np.repeat(np.arange(len(low)), length)
    return owner, np.arange(len(owner)) - np.repeat(np.cumsum(length) - length, length) + low[owner]
