"""Pairs that keep meeting in new contexts: seeds of groups whose members each complain about a random subset of
targets.

X^c = contexts in which a pair meets, at five (lag, size cap) scales; p^c = (mu / (mu + b))^(X^c - 1), with b a scale's
own by sum mu / (mu + b) = #{X^c >= 2}, three rounds without p < 1e-3; times 5. Only seeds: growth and score decide.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workers.detection.arrays import Events, Floats, Ints
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
    keys = pair_keys(window.reporter[mine], window.reporter[other])
    order = np.argsort(keys, kind="stable")
    keys, mine, other = keys[order], mine[order], other[order]
    first = np.r_[True, keys[1:] != keys[:-1]][: len(keys)]
    pairs, number = keys[first], np.cumsum(first) - 1
    caps = tuple(sorted({cap for _, cap in SCALES}))
    u, w = pairs >> PAIR_BITS, pairs & 0xFFFFFFFF
    crosses = np.zeros(len(window.reporters), bool)
    crosses[u] = crosses[w] = True
    expected, _ = expectations(window, np.flatnonzero(crosses), caps)
    place_of = np.cumsum(crosses) - 1  # in `expected`
    ends = _Ends(window.degree[u], window.degree[w], place_of[u], place_of[w])
    # Sorted once by pair and place: distinct places are then changes between neighbours, at every scale. By pair they
    # are in order already, which is next to no work for a stable sort.
    place = number << 32 | window.context[mine]
    order = np.argsort(place, kind="stable")
    place, mine, other = place[order], mine[order], other[order]
    lag, room = np.abs(window.time[mine] - window.time[other]), crowd[mine]
    best = np.ones(len(pairs))
    for reach, cap in SCALES:
        here = place[(lag <= reach) & (room <= cap)]
        if len(here):
            distinct = here[np.r_[True, here[1:] != here[:-1]]] >> 32
            _lower(
                best,
                ends,
                np.bincount(distinct, minlength=len(pairs)),
                expected[:, scales.index(reach), caps.index(cap)],
            )
    best = np.minimum(1.0, best * len(SCALES))
    return pairs[best <= SEED_P], best[best <= SEED_P]


@dataclass(frozen=True, slots=True)
class _Ends:
    """The two of each pair: complaints, and place in what is expected of them."""

    degree_u: Events
    degree_w: Events
    u: Ints
    w: Ints


def _lower(best: Floats, ends: _Ends, contexts: Ints, expected: Floats) -> None:
    """Lower `best` to one scale's p where pairs meet in two contexts or more; `expected` is by such places."""
    met = np.flatnonzero(contexts)
    contexts, one, two = contexts[met], ends.u[met], ends.w[met]
    mu = np.maximum(ends.degree_w[met] * expected[one], ends.degree_u[met] * expected[two]) + 1e-12
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
    share = np.empty_like(mu)
    for _ in range(40):
        middle = float((low * high) ** 0.5)
        np.divide(mu, np.add(mu, middle, out=share), out=share)
        low, high = (middle, high) if share.sum() > met_twice else (low, middle)
    return float((low * high) ** 0.5)
