"""Pairs that keep meeting in new contexts: seeds of groups whose members each complain about a random subset of
targets.

X^c = contexts in which a pair meets, at five (lag, size cap) scales; p^c = (mu / (mu + b))^(X^c - 1), with b a scale's
own by sum mu / (mu + b) = #{X^c >= 2}, three rounds without p < 1e-3; times 5. Only seeds: growth and score decide.

A large window has tens of millions of such pairs. They are looked at in parts, and what is kept of them are the
distinct mu of each scale, with how many pairs have each, and the few pairs that met in two contexts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from workers.detection.arrays import Floats, Ints
from workers.detection.null_model import expectations
from workers.detection.pairs import PAIR_BITS, moved_together, neighbours_by_stretch, pair_keys
from workers.detection.sorted_index import AT_ONCE, run_starts
from workers.detection.window import Window

HOUR_MS = 3_600_000
SCALES = ((HOUR_MS, 12), (HOUR_MS, 30), (6 * HOUR_MS, 12), (6 * HOUR_MS, 30), (24 * HOUR_MS, 60))
WIDEST, LARGEST = max(reach for reach, _ in SCALES), max(cap for _, cap in SCALES)
PLACE_BITS = 27  # contexts of a window, beside 31 bits of pairs: more of either fit no memory
PART = 16_000_000  # meetings of a part, about, at 40 bytes each: bounds memory, not results
SEED_P = 0.01
TRIM = 1e-3

Sizes = npt.NDArray[np.uint8]


def crossing_pairs(window: Window, limit: int) -> tuple[Ints, Floats]:
    """Pairs (keys) with p^c <= SEED_P, and their p^c."""
    size = _sizes(window)
    # Of two who meet, each is among the complaints around the other.
    parts = 1 << (int(size[size <= LARGEST].sum()) // 2 // PART).bit_length()
    usual = _usual(window)
    scales = [_Scale() for _ in SCALES]
    for part in range(parts):
        pairs, visits = _visits(window, limit, size, part, parts)
        for k, scale in enumerate(scales):
            scale.add(window, pairs, visits[(visits & (1 << k)) != 0], usual[:, k])
        del pairs, visits
    found, lowest = zip(*(scale.improbable() for scale in scales), strict=True)
    which, at = np.unique(np.concatenate(found), return_inverse=True)
    best = np.ones(len(which))
    np.minimum.at(best, at, np.concatenate(lowest))
    best = np.minimum(1.0, best * len(SCALES))
    return which[best <= SEED_P], best[best <= SEED_P]


def _sizes(window: Window) -> Sizes:
    """By event, the complaints on its target within the largest scale, LARGEST + 1 for more; 0 for what has left."""
    size = np.zeros(window.size, np.uint8)
    for start in range(0, len(window.by_target.events), AT_ONCE):
        part = window.by_target.events[start : start + AT_ONCE]
        part = part[~window.gone[part]]
        size[part] = np.minimum(window.counts(part)[:, len(window.scales) - 1], LARGEST + 1)
    return size


def _usual(window: Window) -> Floats:
    """E_u of every reporter at each of the SCALES: shape (reporters, SCALES)."""
    caps = tuple(sorted({cap for _, cap in SCALES}))
    columns = [window.scales.tolist().index(reach) for reach, _ in SCALES], [caps.index(cap) for _, cap in SCALES]
    usual = np.zeros((len(window.reporters), len(SCALES)))
    for start in range(0, len(usual), AT_ONCE):
        people = np.arange(start, min(start + AT_ONCE, len(usual)))
        usual[people] = expectations(window, people, caps)[0][:, *columns]
    return usual


def _visits(window: Window, limit: int, size: Sizes, part: int, parts: int) -> tuple[Ints, Ints]:
    """The distinct pairs that met where at most the largest cap of complaints are, sorted; and their meetings, sorted:
    the pair's place among them, the context, and a bit for each scale that the meeting counts at, in one number.

    Only those of one of the `parts`, a power of two: each reporter's pairs with later numbers are in one of them.
    """
    keys, places = list[Ints](), list[npt.NDArray[Any]]()
    for mine, other in neighbours_by_stretch(window, limit, WIDEST, (size > 0) & (size <= LARGEST)):
        u, w = window.reporter[mine], window.reporter[other]
        here = np.flatnonzero(np.minimum(u, w) & (parts - 1) == part)
        mine, other = mine[here], other[here]
        lag, room = np.abs(window.time[mine] - window.time[other]), size[mine]
        place = window.context[mine].astype(np.uint32) << len(SCALES)
        for k, (reach, cap) in enumerate(SCALES):
            place |= ((lag <= reach) & (room <= cap)).astype(np.uint32) << k
        keys.append(pair_keys(u[here], w[here]))
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


class _Scale:
    """The pairs of one scale, as far as they are known."""

    def __init__(self) -> None:
        self._mu: Floats = np.empty(0)  # distinct values, sorted, of all pairs that met
        self._pairs: Floats = np.empty(0)  # how many have each
        # Those that met in two contexts or more: their keys, contexts and mu.
        self._several: list[tuple[Ints, Ints, Floats]] = [(np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0))]

    def add(self, window: Window, pairs: Ints, visits: Ints, usual: Floats) -> None:
        """Take in pairs (keys) that were not there before.

        `visits`: their meetings as in `_visits`, which are overwritten; `usual`: E_u by reporter.
        """
        visits >>= len(SCALES)
        visits = visits[run_starts(visits)]  # distinct contexts
        visits >>= PLACE_BITS
        contexts = np.bincount(visits, minlength=len(pairs)).astype(np.int32)
        met = np.flatnonzero(contexts)
        values, numbers = [self._mu], [self._pairs]
        for start in range(0, len(met), AT_ONCE):
            which = met[start : start + AT_ONCE]
            mu = _expected(window, pairs[which], usual)
            distinct, number = np.unique(mu, return_counts=True)
            values.append(distinct)
            numbers.append(number.astype(float))
            several = contexts[which] >= 2
            self._several.append((pairs[which[several]], contexts[which[several]], mu[several]))
        self._mu, at = np.unique(np.concatenate(values), return_inverse=True)
        self._pairs = np.asarray(np.bincount(at, np.concatenate(numbers), len(self._mu)), np.float64)

    def improbable(self) -> tuple[Ints, Floats]:
        """The pairs (keys) that met in two contexts or more, and their p."""
        keys, contexts, mu = (np.concatenate(some) for some in zip(*self._several, strict=True))
        use, p = np.ones(len(keys), bool), np.ones(len(keys))
        for _ in range(3):
            pairs = self._pairs.copy()
            np.subtract.at(pairs, np.searchsorted(self._mu, mu[~use]), 1)
            rate = _rate(self._mu, pairs, int(np.count_nonzero(use)))
            p = (mu / (mu + rate)) ** (contexts - 1)
            use = p >= TRIM
        return keys, p


def _expected(window: Window, pairs: Ints, usual: Floats) -> Floats:
    """mu of each pair (key)."""
    u, w = pairs >> PAIR_BITS, pairs & 0xFFFFFFFF
    return np.asarray(np.maximum(window.degree[w] * usual[u], window.degree[u] * usual[w]) + 1e-12)


def _rate(mu: Floats, pairs: Floats, met_twice: int) -> float:
    """b with sum mu / (mu + b) = met_twice over so many pairs of each mu, by bisection in the logarithm."""
    low, high = 1e-3, 100.0
    for _ in range(40):
        middle = float((low * high) ** 0.5)
        low, high = (middle, high) if (pairs * (mu / (mu + middle))).sum() > met_twice else (low, middle)
    return float((low * high) ** 0.5)
