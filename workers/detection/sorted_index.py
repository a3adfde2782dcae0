"""Sorted arrays of keys, merged rather than rebuilt, and dense numbers for keys."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from workers.detection.arrays import Bools, Events, Ints


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
        cuts = np.flatnonzero(np.r_[True, at[1:] != at[:-1]])
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

    __slots__ = ("_number_by_key", "keys")

    def __init__(self) -> None:
        self._number_by_key: dict[int, int] = {}
        self.keys: Ints = np.empty(0, np.int64)

    def numbers(self, keys: Ints) -> Ints:
        """The number of each key; new keys get the next ones."""
        unique, inverse = np.unique(keys, return_inverse=True)
        known = self._number_by_key
        before = len(known)
        numbers = np.fromiter((known.setdefault(k, len(known)) for k in unique.tolist()), np.int64, len(unique))
        if len(known) > before:
            fresh = numbers >= before
            grown = np.empty(len(known), np.int64)
            grown[:before] = self.keys[:before]
            grown[numbers[fresh]] = unique[fresh]
            self.keys = grown
        return numbers[inverse]

    def find(self, keys: Ints) -> Ints:
        """The number of each key, -1 for one never seen."""
        known = self._number_by_key
        return np.fromiter((known.get(k, -1) for k in keys.tolist()), np.int64, len(keys))

    def __len__(self) -> int:
        return len(self._number_by_key)


def spread(low: Ints, high: Ints) -> tuple[Ints, Ints]:
    """Positions low[k]..high[k] of every k, with k beside each: the vectorised form of nested loops."""
    length = np.maximum(high - low, 0)
    owner = np.repeat(np.arange(len(low)), length)
    return owner, np.arange(len(owner)) - np.repeat(np.cumsum(length) - length, length) + low[owner]
