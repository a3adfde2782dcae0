"""How often would two readers meet by chance?

X | kappa ~ Poisson(kappa mu), kappa ~ Gamma(a, rate b): mu is what labels permuted at random give, kappa the
affinity of two who read the same articles. Their negative control shows it: Y, how often the two meet in the
same context on *other* targets, with E_Y expected. So p = P(X >= x | X >= 1, Y) = I_pi(x, a + Y) / I_pi(1, a + Y),
pi = mu / (mu + b + E_Y), the smallest over scales and strata times their number.

Plain Poisson (kappa = 1) is 65 times too small at 1e-5 on organic readers; this one is not. Without a context
every target is its own, Y is 0 and E_Y about 0: the null is weaker there, and the evidence says so.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import betainc, gammaln

from workers.detection.arrays import Events, Floats, Ints
from workers.detection.pairs import Joined, shared_contexts, shared_targets
from workers.detection.sorted_index import AT_ONCE, portions
from workers.detection.threads import in_threads
from workers.detection.window import TIME_BITS, TIME_MASK, Window

SHAPE_BOUNDS, RATE_BOUNDS = (0.3, 5.0), (0.02, 2.0)
LEAST_CONTROL = 50  # pairs that the affinity is fitted on
PAIRS_AT_ONCE = 20_000  # at a time: bounds memory, not results
MARKED = 4  # reporters of the window a pair up to which they are marked rather than sorted


def expectations(
    window: Window, reporters: Ints, strata: tuple[int, ...], group: Ints | None = None
) -> tuple[Floats, Floats]:
    """E_u by scale and stratum, and E_u of the control: shapes (reporters, scales, strata + 1) and (reporters,).

    Expected complaints of one random complaint a reporter's targets draw around its own. Computed afresh at each
    call: a stale one is too small, and so is its p. Complaints by a `group` of reporters (sorted) do not count: what
    they do together must not become what is usual on their targets. One of them does, since each target drew it.
    """
    expected = np.empty((len(reporters), len(window.scales), len(strata) + 1))
    control = np.empty(len(reporters))
    for part in portions(window.degree[reporters], AT_ONCE):
        expected[part], control[part] = _expected(window, reporters[part], strata, group)
    return expected, control


def _expected(window: Window, reporters: Ints, strata: tuple[int, ...], group: Ints | None) -> tuple[Floats, Floats]:
    owner, events = window.runs(window.by_pair, reporters)
    counts = window.counts(events)
    scales = len(window.scales)
    size = counts[:, scales - 1]
    stratum = np.searchsorted(np.array(strata), size)
    others = counts[:, :scales] - 1 if group is None else _by_others(window, events, counts, group)
    total = np.zeros((len(reporters), scales, len(strata) + 1))
    for k in range(scales):
        cell = owner * (len(strata) + 1) + stratum
        total[:, k] = np.bincount(cell, others[:, k], len(reporters) * (len(strata) + 1)).reshape(len(reporters), -1)
    control = np.bincount(owner, np.maximum(counts[:, scales] - size, 0), len(reporters))
    n = max(window.live, 1)
    return np.asarray(total.cumsum(2) / n), np.asarray(control / n)


def _by_others(window: Window, events: Events, counts: npt.NDArray[np.int32], group: Ints) -> Ints:
    """By scale, the complaints around each event by nobody of the group, and one by another of them."""
    _, theirs = window.runs(window.by_pair, group)
    keys = np.sort(window.target[theirs].astype(np.int64) << TIME_BITS | window.time[theirs])
    base, time = window.target[events].astype(np.int64) << TIME_BITS, window.time[events]
    by_group = [
        np.searchsorted(keys, base | np.minimum(time + scale, TIME_MASK), "right")
        - np.searchsorted(keys, base | np.maximum(time - scale, 0), "left")
        for scale in window.scales.tolist()
    ]
    return np.asarray(np.maximum(counts[:, : len(by_group)] - np.stack(by_group, 1), 0) + 1, np.int64)


def pair_p_values(
    window: Window, joined: Joined, strata: tuple[int, ...], shape: float, rate: float, group: Ints | None = None
) -> Floats:
    """p of each joined pair, in (0, 1]; against what nobody of the `group` did, if there is one."""
    if not len(joined.first):
        return np.empty(0)
    reporters, one, two = _numbered(joined.first, joined.second)
    expected, control = expectations(window, reporters, strata, group)
    degree = window.degree[reporters].astype(float)

    def best_of(part: slice) -> Floats:
        u, w, met = one[part], two[part], joined.meetings[part]
        mu = np.maximum(degree[w, None, None] * expected[u], degree[u, None, None] * expected[w]) + 1e-12
        chance = np.maximum(degree[w] * control[u], degree[u] * control[w])
        return smallest_p(
            met.reshape(len(met), -1), joined.elsewhere[part], mu.reshape(len(met), -1), chance, shape, rate
        )

    parts = [slice(start, start + PAIRS_AT_ONCE) for start in range(0, len(joined.first), PAIRS_AT_ONCE)]
    best = np.concatenate(in_threads(window.threads, best_of, parts))
    tests = joined.meetings.shape[1] * joined.meetings.shape[2]
    return np.asarray(np.minimum(1.0, best * tests))


def _numbered(first: Ints, second: Ints) -> tuple[Ints, Ints, Ints]:
    """The reporters of the pairs, and where among them each pair's two are."""
    known = int(max(first.max(), second.max())) + 1
    if known > MARKED * len(first):
        reporters = np.unique(np.concatenate([first, second]))
        return reporters, np.searchsorted(reporters, first), np.searchsorted(reporters, second)
    present = np.zeros(known, bool)  # many pairs: to mark their people takes a tenth of the time that sorting them does
    present[first] = present[second] = True
    place = np.cumsum(present) - 1
    return np.flatnonzero(present), place[first], place[second]


def smallest_p(
    met: npt.NDArray[Any], elsewhere: Ints | Floats, mu: Floats, chance: Floats, shape: float, rate: float
) -> Floats:
    """Of each pair the smallest p over its columns (scales and strata), of meetings and what is expected of them."""
    best = np.ones(len(met))
    most, left = met.max(1, initial=0), np.arange(len(met))
    # For one pair and one X the smallest mu gives the smallest p: one incomplete beta a distinct X, not twenty.
    for x in range(2, int(most.max(initial=1)) + 1):
        left = left[most[left] >= x]
        rows = left[(met[left] == x).any(1)]
        if not len(rows):
            continue
        least = np.where(met[rows] == x, mu[rows], np.inf).min(1)
        best[rows] = np.minimum(best[rows], at_least(x, shape + elsewhere[rows], least / (least + rate + chance[rows])))
    return best


def at_least(x: int | Ints, a: Floats, pi: Floats) -> Floats:
    """P(X >= x | X >= 1) of the negative binomial (a, pi)."""
    met_at_all = -np.expm1(a * np.log1p(-np.minimum(pi, 1 - 1e-15)))
    return np.asarray(betainc(x, a, pi) / np.maximum(met_at_all, 1e-300))


def fit_affinity(window: Window, first: Ints, second: Ints, default: tuple[float, float]) -> tuple[float, float]:
    """a and b from a sample of pairs; `default` where they are too few."""
    if len(first) < LEAST_CONTROL:
        return default
    owner, _, _ = shared_targets(window, first, second)
    y = np.maximum(shared_contexts(window, first, second) - np.bincount(owner, minlength=len(first)), 0)
    reporters, one, two = _numbered(first, second)
    _, control = expectations(window, reporters, ())
    degree = window.degree[reporters].astype(float)
    e = np.maximum(np.maximum(degree[two] * control[one], degree[one] * control[two]), 1e-9)
    return fit_gamma(y, e, default)


def fit_gamma(y: Ints, e: Floats, default: tuple[float, float]) -> tuple[float, float]:
    """a and b by maximum likelihood from the controls of a sample of pairs: Y ~ Poisson(kappa E_Y).

    Fewer than LEAST_CONTROL pairs say too little: `default`.
    """
    if len(y) < LEAST_CONTROL:
        return default
    kinds, back, number = np.unique(y, return_inverse=True, return_counts=True)
    log_e = float((y * np.log(e)).sum())

    def surprise(x: Floats) -> float:
        a, b = np.exp(x)
        shrink = np.log(b + e)
        gamma = (number * (gammaln(a + kinds) - gammaln(a))).sum()
        return float(-(gamma + a * np.log(b) * len(e) - ((a + kinds[back]) * shrink).sum() + log_e))

    # Label-free start and a derivative-free search: 100 evaluations of 20,000 logarithms, about 40 ms.
    found = minimize(
        surprise,
        [np.log(0.5), np.log(0.3)],
        method="Nelder-Mead",
        options={"maxiter": 200, "xatol": 1e-3, "fatol": 1e-2},
    ).x
    a, b = np.exp(found)
    return float(np.clip(a, *SHAPE_BOUNDS)), float(np.clip(b, *RATE_BOUNDS))
