"""All pairs with a small p, as two flat columns."""

from __future__ import annotations

import numpy as np

from workers.detection import false_discovery
from workers.detection.arrays import Events, Floats, Ints
from workers.detection.pairs import PAIR_BITS


class PairStore:
    """Pair keys (pairs.pair_keys), sorted, with the p of each; only p <= `weak_p` is kept."""

    def __init__(self, weak_p: float) -> None:
        self.weak_p = weak_p
        self.keys: Ints = np.empty(0, np.int64)
        self.p: Floats = np.empty(0)
        self.changed = False  # since its reader last reset it

    def update(self, keys: Ints, p: Floats) -> None:
        """Set the p of distinct pairs; a pair whose p is no longer small is forgotten."""
        order = np.argsort(keys)
        keys, p = keys[order], p[order]
        at = np.searchsorted(self.keys, keys)
        known = at < len(self.keys)
        known[known] = self.keys[at[known]] == keys[known]
        if known.any():
            self.keys, self.p = np.delete(self.keys, at[known]), np.delete(self.p, at[known])
            self.changed = True
        small = p <= self.weak_p
        if small.any():
            keys, p = keys[small], p[small]
            at = np.searchsorted(self.keys, keys)
            self.keys, self.p = np.insert(self.keys, at, keys), np.insert(self.p, at, p)
            self.changed = True

    def replace(self, keys: Ints, p: Floats) -> None:
        """Forget all and keep these."""
        self.keys, self.p, self.changed = np.empty(0, np.int64), np.empty(0), True
        self.update(keys, p)

    def drop_inactive(self, degree: Events) -> None:
        """Forget pairs of which one has fewer than two complaints left in the window."""
        keep = (degree[self.keys >> PAIR_BITS] > 1) & (degree[self.keys & 0xFFFFFFFF] > 1)
        if not keep.all():
            self.keys, self.p = self.keys[keep], self.p[keep]
            self.changed = True

    def of(self, reporters: Ints) -> Ints:
        """Keys of the pairs that touch any of the reporters."""
        return self.keys[np.isin(self.keys >> PAIR_BITS, reporters) | np.isin(self.keys & 0xFFFFFFFF, reporters)]

    def validated(self, tests: int, rate: float) -> tuple[Ints, Floats]:
        """The pairs that pass the false discovery rate, with their p."""
        # No threshold can lie above rate * kept / tests, so the bulk need not be sorted.
        bound = rate * len(self.p) / max(tests, 1)
        limit = false_discovery.threshold(self.p[self.p <= bound], tests, rate)
        passing = self.p <= limit if limit > 0 else np.zeros(len(self.p), bool)
        return self.keys[passing], self.p[passing]
