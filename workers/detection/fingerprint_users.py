"""How many accounts have used a fingerprint."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from workers.detection.arrays import Ints
from workers.detection.sorted_index import run_starts
from workers.detection.window import Window

SCANS = 64  # of a column take as long as sorting it: a tick asks seldom, a sweep for every group
PARTS = 8  # of the range of fingerprints, which are hashes and lie in all of them alike


class FingerprintUsers:
    """Counts accounts by fingerprint in the window as it is when it is asked."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._state: tuple[int, int, int] | None = None
        self._asked = 0
        self._prints: Ints | None = None  # sorted, once for each account that used it

    def count(self, fingerprint: int) -> int:
        """Accounts in the whole window that have used the fingerprint."""
        window, rows = self._window, slice(0, self._window.size)
        state = window.size, window.live, window.since
        if state != self._state:
            self._state, self._asked, self._prints = state, 0, None
        self._asked += 1
        if self._asked <= SCANS:
            used = np.flatnonzero(window.fingerprint[rows] == fingerprint)
            return len(np.unique(window.reporter[used[~window.gone[used]]]))
        if self._prints is None:
            self._prints = self._sorted()
        return int(
            np.searchsorted(self._prints, fingerprint, "right") - np.searchsorted(self._prints, fingerprint, "left")
        )

    def _sorted(self) -> Ints:
        """In parts, since sorting takes five times the memory of what is sorted."""
        edges = [*range(-(2**63), 2**63, 2**64 // PARTS), 2**63]
        return np.concatenate([self._sorted_between(low, high - 1) for low, high in pairwise(edges)])

    def _sorted_between(self, lowest: int, highest: int) -> Ints:
        window = self._window
        of_all = window.fingerprint[: window.size]
        rows = np.flatnonzero((of_all >= lowest) & (of_all <= highest) & (of_all != 0) & ~window.gone[: window.size])
        prints, who = of_all[rows], window.reporter[rows]
        order = np.lexsort((who, prints))
        prints, who = prints[order], who[order]
        return prints[run_starts(prints) | run_starts(who)]
