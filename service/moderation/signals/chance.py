"""How unlikely a count is by chance, and how much a single signal may contribute. PURE."""

from __future__ import annotations

import math

from scipy.stats import binom

from service.moderation.signals.signal import Measurement

NOTICED_P = 0.05  # a larger p does not count
MOST_SURPRISE = 4.0  # upper limit of -log10 p for one signal


def tail(hits: int, total: int, chance: float) -> float:
    """P(at least `hits` of `total`), each with the probability `chance`."""
    return float(binom.sf(hits - 1, total, chance)) if hits else 1.0


def share_of(showing: int, total: int, usual: float, chance: float) -> Measurement:
    """The share that shows a sign, tested against a `chance` of each to show it."""
    return Measurement(showing / max(total, 1), usual, tail(showing, total, chance), showing, total)


def surprise(p_value: float | None) -> float:
    """min(4, -log10 p) where p < .05, else 0: the most that one secondary signal may contribute."""
    if p_value is None or p_value >= NOTICED_P:
        return 0.0
    return min(MOST_SURPRISE, -math.log10(max(p_value, 1e-12)))
