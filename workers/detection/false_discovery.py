"""Select p-values at a given false discovery rate."""

from __future__ import annotations

import numpy as np

from workers.detection.arrays import Floats


def threshold(p_values: Floats, tests: int, rate: float) -> float:
    """The Benjamini-Hochberg threshold: among pairs at or below it, at most `rate` are expected to be false.

    `p_values` are the small ones of `tests` tests in all (the rest cannot pass). 0.0 where none passes.
    """
    ordered = np.sort(p_values)
    passing = np.flatnonzero(ordered <= rate * np.arange(1, len(ordered) + 1) / max(tests, 1))
    return float(ordered[passing[-1]]) if len(passing) else 0.0
