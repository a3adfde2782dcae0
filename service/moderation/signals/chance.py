"""How unlikely is a count by chance, and how much of that may one signal say? PURE."""

from __future__ import annotations

import math

from scipy.stats import binom

NOTICED_P = 0.05  # a p above it says nothing
MOST_SURPRISE = 4.0  # -log10 p that one signal may say at most
DEVICE_WEIGHT = 1.3  # log-odds for each power of ten


def tail(hits: int, total: int, chance: float) -> float:
    """P(at least `hits` of `total`), each with the probability `chance`."""
    return float(binom.sf(hits - 1, total, chance)) if hits else 1.0


def surprise(p_value: float | None) -> float:
    """min(4, -log10 p) where p < .05, else 0: what one secondary signal may say at most."""
    if p_value is None or p_value >= NOTICED_P:
        return 0.0
    return min(MOST_SURPRISE, -math.log10(max(p_value, 1e-12)))


def device_contribution(p_value: float | None) -> float:
    """What fresh accounts, shared fingerprints or near-duplicate texts add, in log-odds."""
    return DEVICE_WEIGHT * surprise(p_value)
