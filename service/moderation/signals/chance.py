"""How unlikely a count is by chance, and how much a single signal may contribute. PURE."""

from __future__ import annotations

import math

from scipy.stats import binom

NOTICED_P = 0.05  # a larger p does not count
MOST_SURPRISE = 4.0  # upper limit of -log10 p for one signal
DEVICE_WEIGHT = 1.3  # log-odds for each power of ten


def tail(hits: int, total: int, chance: float) -> float:
    """P(at least `hits` of `total`), each with the probability `chance`."""
    return float(binom.sf(hits - 1, total, chance)) if hits else 1.0


def surprise(p_value: float | None) -> float:
    """min(4, -log10 p) where p < .05, else 0: the most that one secondary signal may contribute."""
    if p_value is None or p_value >= NOTICED_P:
        return 0.0
    return min(MOST_SURPRISE, -math.log10(max(p_value, 1e-12)))


def device_contribution(p_value: float | None) -> float:
    """What fresh accounts, shared fingerprints or near-duplicate texts add, in log-odds."""
    return DEVICE_WEIGHT * surprise(p_value)
