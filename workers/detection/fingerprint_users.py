"""How many accounts have used a fingerprint."""

from __future__ import annotations

import numpy as np

from workers.detection.arrays import Ints
from workers.detection.sorted_index import run_starts
from workers.detection.window import Window

SCANS = 64  # of a column take as long as sorting it: a tick asks seldom, a sweep for every group


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
        window = self._window
        rows = np.flatnonzero(~window.gone[: window.size] & (window.fingerprint[: window.size] != 0))
        prints, who = window.fingerprint[rows], window.reporter[rows]
        order = np.lexsort((who, prints))
        prints, who = prints[order], who[order]
        return prints[run_starts(prints) | run_starts(who)]
