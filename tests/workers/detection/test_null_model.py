"""The p-values against the formula written out, and the threshold against its definition."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betainc
from scipy.stats import nbinom
from worlds import Row, columns, draw_town

from service.policy import DEFAULT_POLICY
from workers.detection import false_discovery
from workers.detection.null_model import RATE_BOUNDS, SHAPE_BOUNDS, at_least, expectations, fit_affinity, pair_p_values
from workers.detection.pair_store import PairStore
from workers.detection.pairs import join, meet, pair_keys, shared_contexts, shared_targets
from workers.detection.window import Window

SCALES = tuple(s * 1000 for s in DEFAULT_POLICY.lag_scales)
STRATA = DEFAULT_POLICY.size_strata
A, B = 0.55, 0.065


def formula(rows: list[Row], one: int, two: int) -> float:
    """Section 2 of the description of detection, written out for one pair."""
    n, reach = len(rows), SCALES[-1]

    def near(row: Row, scale: int, context: bool = False) -> int:
        return sum(
            (r.context == row.context if context else r.target == row.target) and abs(r.time_ms - row.time_ms) <= scale
            for r in rows
        )

    of = {who: {r.target: r for r in rows if r.reporter == who} for who in (one, two)}
    shared = [(of[one][t], of[two][t]) for t in of[one].keys() & of[two].keys()]
    degree = {who: len(of[who]) for who in of}
    in_context = {who: [r.context for r in of[who].values()] for who in of}
    y = sum(in_context[two].count(c) for c in in_context[one]) - len(shared)
    control = {who: sum(near(r, reach, context=True) - near(r, reach) for r in of[who].values()) / n for who in of}
    chance = max(degree[two] * control[one], degree[one] * control[two])
    best = 1.0
    for scale in SCALES:
        for bound in (*STRATA, 10**9):
            x = sum(
                abs(a.time_ms - b.time_ms) <= scale and near(max(a, b, key=lambda r: r.time_ms), reach) <= bound
                for a, b in shared
            )
            if x < 2:
                continue
            e = {who: sum(near(r, scale) - 1 for r in of[who].values() if near(r, reach) <= bound) / n for who in of}
            mu = max(degree[two] * e[one], degree[one] * e[two])
            pi = mu / (mu + B + chance)
            best = min(best, float(betainc(x, A + y, pi) / betainc(1, A + y, pi)))
    return min(1.0, 20 * best)


@pytest.mark.parametrize("contexts", [True, False])
def test_p_values_are_those_of_the_formula(contexts: bool) -> None:
    town = draw_town(5, complaints=150, articles=8, members=4, hits=4, contexts=contexts)
    rows = town.rows if contexts else [Row(r.seq, r.reporter, r.target, r.at, context=r.target) for r in town.rows]
    window = Window(DEFAULT_POLICY.window_seconds * 1000, SCALES)
    events = window.append(columns(town.rows))
    met = meet(window, events, 32, None)
    joined = join(window, met.first, met.second, STRATA)
    p = pair_p_values(window, joined, STRATA, A, B)
    assert len(p) > 10
    keys = window.reporters.keys
    for k in range(0, len(p), max(1, len(p) // 12)):
        assert p[k] == pytest.approx(formula(rows, int(keys[joined.first[k]]), int(keys[joined.second[k]])), rel=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 12), st.floats(0.3, 30), st.floats(1e-6, 0.99))
def test_the_tail_is_the_negative_binomials_given_one_meeting(x: int, a: float, pi: float) -> None:
    exact = nbinom.sf(x - 1, a, 1 - pi) / nbinom.sf(0, a, 1 - pi)
    assert at_least(x, np.array([a]), np.array([pi]))[0] == pytest.approx(exact, rel=1e-5)


def test_one_more_meeting_is_never_less_surprising() -> None:
    a, pi = np.full(9, 1.5), np.full(9, 0.2)
    assert np.all(np.diff(at_least(np.arange(1, 10), a, pi)) < 0)


def test_who_meets_as_often_elsewhere_is_less_surprising() -> None:
    assert at_least(4, np.array([0.5 + 20]), np.array([0.05]))[0] > at_least(4, np.array([0.5]), np.array([0.05]))[0]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(1e-9, 1), max_size=40), st.integers(0, 200), st.sampled_from([0.01, 0.1, 0.5]))
def test_the_threshold_is_the_largest_p_that_its_rank_allows(p: list[float], more: int, rate: float) -> None:
    tests = max(1, len(p) + more)
    passing = [value for value in p if value <= rate * sum(other <= value for other in p) / tests]
    assert false_discovery.threshold(np.array(p), tests, rate) == max(passing, default=0.0)


def test_nobody_passes_where_nothing_was_tested() -> None:
    assert false_discovery.threshold(np.empty(0), 0, 0.01) == 0.0


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.dictionaries(st.integers(0, 12), st.floats(1e-9, 0.05), max_size=8), max_size=6), st.integers(1, 3_000)
)
def test_kept_pairs_are_a_table_of_the_latest_small_p(updates: list[dict[int, float]], tests: int) -> None:
    edges, table = PairStore(0.02), dict[int, float]()
    for update in updates:
        keys = np.array(list(update), np.int64)
        edges.update(pair_keys(keys, keys + 20), np.array(list(update.values())))
        table |= update
    small = {k: p for k, p in table.items() if p <= 0.02}
    assert edges.keys.tolist() == sorted(pair_keys(np.array([k]), np.array([k + 20]))[0] for k in small)
    limit = false_discovery.threshold(np.array(list(small.values())), tests, 0.01)
    assert sorted(edges.validated(tests, 0.01)[1].tolist()) == sorted(p for p in small.values() if p <= limit)
    active = np.full(40, 2, np.int32)
    active[3] = active[25] = 1
    edges.drop_inactive(active)
    assert sorted(e >> 32 for e in edges.keys.tolist()) == sorted(k for k in small if k not in (3, 5))


def test_the_affinity_is_the_likeliest_one() -> None:
    town = draw_town(8, complaints=900, articles=40, brigades=0)
    window = Window(DEFAULT_POLICY.window_seconds * 1000, SCALES)
    met = meet(window, window.append(columns(town.rows)), 32, None, sample=20_000)
    first, second = met.sample_first, met.sample_second
    shape, rate = fit_affinity(window, first, second, (9.0, 9.0))
    assert fit_affinity(window, second, first, (9.0, 9.0)) == pytest.approx((shape, rate), rel=1e-6)
    owner, _, _ = shared_targets(window, first, second)
    y = shared_contexts(window, first, second) - np.bincount(owner, minlength=len(first))
    _, control = expectations(window, np.arange(len(window.reporters)), ())
    degree = window.degree[: len(window.reporters)]
    e = np.maximum(np.maximum(degree[second] * control[first], degree[first] * control[second]), 1e-9)

    def likelihood(a: float, b: float) -> float:
        return float(nbinom.logpmf(y, a, b / (b + e)).sum())

    assert SHAPE_BOUNDS[0] < shape < SHAPE_BOUNDS[1] and RATE_BOUNDS[0] < rate < RATE_BOUNDS[1]
    best = likelihood(shape, rate)
    assert all(
        best > likelihood(shape * one, rate * other)
        for one in (0.8, 1, 1.25)
        for other in (0.8, 1, 1.25)
        if (one, other) != (1, 1)
    )


def test_too_few_pairs_leave_the_affinity_as_it_was() -> None:
    window = Window(DEFAULT_POLICY.window_seconds * 1000, SCALES)
    window.append(columns([Row(1, 1, 1, 0), Row(2, 2, 1, 1)]))
    few = list(combinations(range(2), 2))
    assert fit_affinity(window, np.array([a for a, _ in few]), np.array([b for _, b in few]), (0.4, 0.2)) == (0.4, 0.2)
