"""Probabilities and their log-odds. PURE."""

from __future__ import annotations

import math


def log_odds(probability: float) -> float:
    """The logit; `probability` strictly between 0 and 1."""
    return math.log(probability / (1 - probability))


def sigmoid(x: float) -> float:
    """The inverse of log_odds, safe for large |x|."""
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))
