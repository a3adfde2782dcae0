"""Pairs that keep meeting in ever new places: the seeds of groups whose members hit random subsets.

X^c = contexts in which a pair meets, at five (lag, size cap) scales; p^c = (mu / (mu + b))^(X^c - 1), with b a scale's own
by sum mu / (mu + b) = #{X^c >= 2}, three rounds without p < 1e-3; times 5. Only seeds: growth and score decide.
"""

from __future__ import annotations

import numpy as np

from workers.detection.null_model import Floats, expectations
from workers.detection.pairs import PAIR_BITS, neighbours, pair_keys
from workers.detection.window import Ints, Window

HOUR_MS = 3_600_000
SCALES = ((HOUR_MS, 12), (HOUR_MS, 30), (6 * HOUR_MS, 12), (6 * HOUR_MS, 30), (24 * HOUR_MS, 60))
SEED_P = 0.01
TRIM = 1e-3


def crossing_pairs(window: Window, limit: int) -> tuple[Ints, Floats]:
    """Pairs (keys) with p^c <= SEED_P, and their p^c."""
    events = np.flatnonzero(~window.gone[: window.size]).astype(np.int32)
    if not len(events):
        return np.empty(0, np.int64), np.empty(0)
    scales = window.scales.tolist()
    size = window.counts(events)[:, len(scales) - 1]
    crowd = np.zeros(window.size, np.int64)
    crowd[events] = size
    mine, other = neighbours(window, events[size <= SCALES[-1][1]], limit)
    keys = pair_keys(window.reporter[mine], window.reporter[other])
    lag, room, place = np.abs(window.time[mine] - window.time[other]), crowd[mine], window.context[mine].astype(np.int64)
    caps = tuple(sorted({cap for _, cap in SCALES}))
    everyone = np.arange(len(window.reporters))
    expected, _ = expectations(window, everyone, caps)
    found: list[tuple[Ints, Floats]] = []
    for reach, cap in SCALES:
        near = (lag <= reach) & (room <= cap)
        if near.any():
            found.append(_scale(window, keys[near], place[near], expected[:, scales.index(reach), caps.index(cap)]))
    if not found:
        return np.empty(0, np.int64), np.empty(0)
    every, where = np.unique(np.concatenate([k for k, _ in found]), return_inverse=True)
    best = np.ones(len(every))
    np.minimum.at(best, where, np.concatenate([p for _, p in found]))
    best = np.minimum(1.0, best * len(SCALES))
    return every[best <= SEED_P], best[best <= SEED_P]


def _scale(window: Window, keys: Ints, place: Ints, expected: Floats) -> tuple[Ints, Floats]:
    """Pairs that meet in two contexts or more at one scale, and p."""
    pairs, where = np.unique(keys, return_inverse=True)
    places = np.unique(where.astype(np.int64) << 32 | place)
    contexts = np.bincount((places >> 32).astype(np.int64), minlength=len(pairs))
    u, w = pairs >> PAIR_BITS, pairs & 0xFFFFFFFF
    mu = np.maximum(window.degree[w] * expected[u], window.degree[u] * expected[w]) + 1e-12
    twice, use = contexts >= 2, np.ones(len(pairs), bool)
    p = np.ones(len(pairs))
    for _ in range(3):
        rate = _rate(mu[use], int(twice[use].sum()))
        p = (mu / (mu + rate)) ** (contexts - 1)
        use = ~(twice & (p < TRIM))
    return pairs[twice], p[twice]


def _rate(mu: Floats, met_twice: int) -> float:
    """b with sum mu / (mu + b) = met_twice, by bisection in the logarithm."""
    low, high = 1e-3, 100.0
    for _ in range(50):
        middle = float((low * high) ** 0.5)
        low, high = (middle, high) if (mu / (mu + middle)).sum() > met_twice else (low, middle)
    return float((low * high) ** 0.5)


