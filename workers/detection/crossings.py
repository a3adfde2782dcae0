"""Pairs that keep meeting in new contexts: seeds of groups whose members each complain about a random subset of
targets.

X^c = contexts in which a pair meets, at five (lag, size cap) scales; p^c = (mu / (mu + b))^(X^c - 1), with b a scale's
own by sum mu / (mu + b) = #{X^c >= 2}, three rounds without p < 1e-3; times 5. Only seeds: growth and score decide.
"""

from __future__ import annotations

import numpy as np

from workers.detection.arrays import Floats, Ints
from workers.detection.null_model import expectations
from workers.detection.pairs import PAIR_BITS, all_neighbours, collected, pair_keys
from workers.detection.window import Window

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
    small = np.zeros(window.size, bool)
    small[events] = size <= SCALES[-1][1]
    mine, other = collected(all_neighbours(window, limit, max(reach for reach, _ in SCALES), small))
    lag = np.abs(window.time[mine] - window.time[other])
    pairs, number = np.unique(pair_keys(window.reporter[mine], window.reporter[other]), return_inverse=True)
    caps = tuple(sorted({cap for _, cap in SCALES}))
    people = np.unique(np.concatenate([pairs >> PAIR_BITS, pairs & 0xFFFFFFFF]))
    expected, _ = expectations(window, people, caps)
    # Sorted once by pair and place: distinct places are then changes between neighbours, at every scale.
    place = number.astype(np.int64) << 32 | window.context[mine]
    order = np.argsort(place, kind="stable")
    place, lag, room = place[order], lag[order], crowd[mine[order]]
    best = np.ones(len(pairs))
    for reach, cap in SCALES:
        here = place[(lag <= reach) & (room <= cap)]
        if len(here):
            distinct = here[np.r_[True, here[1:] != here[:-1]]] >> 32
            _lower(
                best,
                window,
                people,
                pairs,
                np.bincount(distinct, minlength=len(pairs)),
                expected[:, scales.index(reach), caps.index(cap)],
            )
    best = np.minimum(1.0, best * len(SCALES))
    return pairs[best <= SEED_P], best[best <= SEED_P]


def _lower(best: Floats, window: Window, people: Ints, pairs: Ints, contexts: Ints, expected: Floats) -> None:
    """Lower `best` to one scale's p where pairs meet in two contexts or more; `expected` is by place in `people`."""
    met = np.flatnonzero(contexts)
    u, w, contexts = pairs[met] >> PAIR_BITS, pairs[met] & 0xFFFFFFFF, contexts[met]
    one, two = np.searchsorted(people, u), np.searchsorted(people, w)
    mu = np.maximum(window.degree[w] * expected[one], window.degree[u] * expected[two]) + 1e-12
    twice, use = contexts >= 2, np.ones(len(met), bool)
    p = np.ones(len(met))
    for _ in range(3):
        rate = _rate(mu[use], int(twice[use].sum()))
        p = (mu / (mu + rate)) ** (contexts - 1)
        use = ~(twice & (p < TRIM))
    best[met[twice]] = np.minimum(best[met[twice]], p[twice])


def _rate(mu: Floats, met_twice: int) -> float:
    """b with sum mu / (mu + b) = met_twice, by bisection in the logarithm."""
    low, high = 1e-3, 100.0
    for _ in range(40):
        middle = float((low * high) ** 0.5)
        low, high = (middle, high) if (mu / (mu + middle)).sum() > met_twice else (low, middle)
    return float((low * high) ** 0.5)
