"""Pairs that keep meeting in new contexts: seeds of groups whose members each complain about a random subset of
targets.

X^c = contexts in which a pair meets, at five (lag, size cap) scales; p^c = (mu / (mu + b))^(X^c - 1), with b a scale's
own by sum mu / (mu + b) = #{X^c >= 2}, three rounds without p < 1e-3; times 5. Only seeds: growth and score decide.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from workers.detection.arrays import Events, Floats, Ints
from workers.detection.null_model import expectations
from workers.detection.pairs import PAIR_BITS, all_neighbours, moved_together, pair_keys
from workers.detection.sorted_index import AT_ONCE, run_starts
from workers.detection.window import Window

HOUR_MS = 3_600_000
SCALES = ((HOUR_MS, 12), (HOUR_MS, 30), (6 * HOUR_MS, 12), (6 * HOUR_MS, 30), (24 * HOUR_MS, 60))
PLACE_BITS = 27  # contexts of a window, beside 31 bits of pairs: more of either fit no memory
SEED_P = 0.01
TRIM = 1e-3


def crossing_pairs(window: Window, limit: int) -> tuple[Ints, Floats]:
    """Pairs (keys) with p^c <= SEED_P, and their p^c."""
    pairs, visits = _visits(window, limit)
    met = np.zeros(len(window.reporters), bool)
    met[pairs >> PAIR_BITS], met[pairs & 0xFFFFFFFF] = True, True
    people = np.flatnonzero(met)
    caps = tuple(sorted({cap for _, cap in SCALES}))
    expected, _ = expectations(window, people, caps)
    found, lowest = list[Ints]([np.empty(0, np.int64)]), list[Floats]([np.empty(0)])
    for k, (reach, cap) in enumerate(SCALES):
        here = visits[visits >> k & 1 == 1] >> len(SCALES)
        if len(here):
            # Sorted by pair and place: distinct places are changes between neighbours.
            distinct = here[run_starts(here)] >> PLACE_BITS
            contexts = np.bincount(distinct, minlength=len(pairs)).astype(np.int32)
            del here, distinct
            usual = np.zeros(len(window.reporters))
            usual[people] = expected[:, window.scales.tolist().index(reach), caps.index(cap)]
            which, p = _improbable(window, pairs, contexts, usual)
            found.append(which)
            lowest.append(p)
    which, at = np.unique(np.concatenate(found), return_inverse=True)
    best = np.ones(len(which))
    np.minimum.at(best, at, np.concatenate(lowest))
    best = np.minimum(1.0, best * len(SCALES))
    return pairs[which[best <= SEED_P]], best[best <= SEED_P]


def _visits(window: Window, limit: int) -> tuple[Ints, Ints]:
    """The distinct pairs that met where at most the largest cap of complaints are, sorted; and their meetings, sorted:
    the pair's place among them, the context, and a bit for each scale that the meeting counts at, in one number.
    """
    size = _sizes(window)
    keys, places = list[Ints](), list[npt.NDArray[Any]]()
    for mine, other in all_neighbours(
        window, limit, max(reach for reach, _ in SCALES), (size > 0) & (size <= max(cap for _, cap in SCALES))
    ):
        lag, room = np.abs(window.time[mine] - window.time[other]), size[mine]
        place = window.context[mine].astype(np.uint32) << len(SCALES)
        for k, (reach, cap) in enumerate(SCALES):
            place |= ((lag <= reach) & (room <= cap)).astype(np.uint32) << k
        keys.append(pair_keys(window.reporter[mine], window.reporter[other]))
        places.append(place)
    met, place = moved_together(keys), moved_together(places)
    order = np.argsort(met)
    place = place[order]
    met = met[order]
    del order
    first = run_starts(met)
    pairs = met[first]
    del met
    visits: Ints = np.cumsum(first, dtype=np.int64)
    visits -= 1
    visits <<= PLACE_BITS + len(SCALES)
    visits |= place
    visits.sort()
    return pairs, visits


def _sizes(window: Window) -> Events:
    """By event, the complaints on its target within the largest scale; 0 for what has left."""
    events = window.by_target.events[~window.gone[window.by_target.events]]
    size = np.zeros(window.size, np.int32)
    for start in range(0, len(events), AT_ONCE):
        part = events[start : start + AT_ONCE]
        size[part] = window.counts(part)[:, len(window.scales) - 1]
    return size


def _improbable(window: Window, pairs: Ints, contexts: Events, usual: Floats) -> tuple[Ints, Floats]:
    """The pairs (as places) that met in two contexts or more at one scale, and their p; `usual` is by reporter."""
    met = contexts > 0
    mu, end = np.empty(int(np.count_nonzero(met))), 0
    for start in range(0, len(pairs), AT_ONCE):
        part = pairs[start : start + AT_ONCE][met[start : start + AT_ONCE]]
        u, w = part >> PAIR_BITS, part & 0xFFFFFFFF
        mu[end : end + len(part)] = np.maximum(window.degree[w] * usual[u], window.degree[u] * usual[w]) + 1e-12
        end += len(part)
    which, several = np.flatnonzero(contexts >= 2), np.flatnonzero(contexts[met] >= 2)
    use, theirs = np.ones(len(mu), bool), mu[several]
    p = np.ones(len(which))
    for _ in range(3):
        rate = _rate(mu if use.all() else mu[use], int(np.count_nonzero(use[several])))
        p = (theirs / (theirs + rate)) ** (contexts[which] - 1)
        use[several] = p >= TRIM
    return which, p


def _rate(mu: Floats, met_twice: int) -> float:
    """b with sum mu / (mu + b) = met_twice, by bisection in the logarithm."""
    low, high, part = 1e-3, 100.0, np.empty_like(mu)
    for _ in range(40):
        middle = float((low * high) ** 0.5)
        np.divide(mu, np.add(mu, middle, out=part), out=part)
        low, high = (middle, high) if part.sum() > met_twice else (low, middle)
    return float((low * high) ** 0.5)
