"""Rows by key, in arrays: a history has millions of keys, and a dictionary takes 150 bytes for each. PURE."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from workers.detection.arrays import Ints

_LEAST_RECENT = 50_000  # keys that are held in a dictionary before they are sorted in
_RECENT_SHARE = 8  # or an eighth of those that are sorted, so that sorting takes a time that is proportional to them


class RowsByKey:
    """The row of each key, 16 bytes a key: keys get rows from 0 in the order in which they are added."""

    def __init__(self) -> None:
        self._keys, self._rows = np.empty(0, np.int64), np.empty(0, np.int64)  # by key
        self._recent: dict[int, int] = {}  # those that are not yet among them

    def add(self, keys: Sequence[int]) -> list[int]:
        """Give rows to the keys that have none; returns the positions of these in `keys`, which are distinct."""
        new = np.flatnonzero(self._sorted_rows(np.fromiter(keys, np.int64, len(keys))) < 0).tolist()
        new = [position for position in new if keys[position] not in self._recent]
        for row, position in enumerate(new, len(self)):
            self._recent[keys[position]] = row
        if len(self._recent) > max(_LEAST_RECENT, len(self._keys) // _RECENT_SHARE):
            self._sort_in()
        return new

    def rows(self, keys: Ints) -> Ints:
        """The rows of the keys; -1 for those that have none."""
        self._sort_in()
        return self._sorted_rows(keys)

    def get(self, key: int) -> int | None:
        """The row of a key."""
        self._sort_in()
        place = int(np.searchsorted(self._keys, key))
        return int(self._rows[place]) if place < len(self._keys) and self._keys[place] == key else None

    def only(self, keys: Ints) -> RowsByKey:
        """Those of the keys that have rows, with these."""
        rows, left = self.rows(keys := np.unique(keys)), RowsByKey()
        left._keys, left._rows = keys[rows >= 0], rows[rows >= 0]
        return left

    def __len__(self) -> int:
        return len(self._keys) + len(self._recent)

    def __iter__(self) -> Iterator[int]:
        self._sort_in()
        return iter(self._keys[np.argsort(self._rows)].tolist())

    def _sorted_rows(self, keys: Ints) -> Ints:
        if not len(self._keys):
            return np.full(len(keys), -1, np.int64)
        place = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return np.where(self._keys[place] == keys, self._rows[place], -1)

    def _sort_in(self) -> None:
        if not self._recent:
            return
        recent, self._recent = self._recent, {}
        keys = np.concatenate([self._keys, np.fromiter(recent, np.int64, len(recent))])
        rows = np.concatenate([self._rows, np.fromiter(recent.values(), np.int64, len(recent))])
        order = np.argsort(keys)
        self._keys, self._rows = keys[order], rows[order]
