"""Pairs that keep meeting in new contexts, against the definition in plain Python, and in any number of parts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import groupby
from math import fsum

import numpy as np
import pytest
from worlds import DAY, HOUR, MINUTE, Row, columns

from service.policy import DEFAULT_POLICY
from workers.detection import crossings
from workers.detection.crossings import SCALES, SEED_P, TRIM, crossing_pairs
from workers.detection.pairs import PAIR_BITS
from workers.detection.window import Window

POLICY = DEFAULT_POLICY
REACH = POLICY.lag_scales[-1]
LIMIT = 5  # neighbours: fewer than the fuller targets draw


def drawn(seed: int, size: int = 1_500) -> list[Row]:
    """Readers of forty articles, and eight accounts of which half complain about each of twelve targets."""
    rng = np.random.default_rng(seed)
    rows = {}
    for who, what in zip(rng.integers(300, size=size).tolist(), rng.integers(160, size=size).tolist(), strict=True):
        at = DAY + what % 40 * 5 * HOUR + rng.exponential(10 * HOUR)
        rows[who, what] = Row(0, 1_000 + who, 2_000 + what, round(min(at, 13 * DAY), 3), context=3_000 + what % 40)
    for what in range(12):
        for who in np.flatnonzero(rng.random(8) < 0.5).tolist():
            at = (1 + what) * DAY + rng.uniform(0, 50 * MINUTE)
            rows[500 + who, 500 + what] = Row(0, 1 + who, 100 + what, round(at, 3), context=200 + what)
    ordered = sorted(rows.values(), key=lambda row: row.at)
    return [Row(k, row.reporter, row.target, row.at, row.context) for k, row in enumerate(ordered, 1)]


def window_of(rows: Sequence[Row]) -> Window:
    window = Window(POLICY.window_seconds * 1000, tuple(s * 1000 for s in POLICY.lag_scales))
    window.append(columns(rows))
    return window


def by_definition(rows: Sequence[Row]) -> dict[frozenset[int], float]:
    """p^c of the pairs of reporters that have one of at most SEED_P."""
    degree = defaultdict[int, int](int)
    for row in rows:
        degree[row.reporter] += 1
    met = [defaultdict[frozenset[int], set[int]](set) for _ in SCALES]
    usual = [defaultdict[int, float](float) for _ in SCALES]
    for _, group in groupby(sorted(rows, key=lambda row: (row.target, row.at)), lambda row: row.target):
        there = list(group)
        for place, mine in enumerate(there):
            lags = [abs(mine.at - other.at) for other in there]
            size = sum(lag <= REACH for lag in lags)
            for scale, (reach_ms, cap) in enumerate(SCALES):
                if size > cap:
                    continue
                usual[scale][mine.reporter] += (sum(lag <= reach_ms / 1000 for lag in lags) - 1) / len(rows)
                for other in there[max(0, place - LIMIT) : place]:
                    if mine.at - other.at <= reach_ms / 1000:
                        met[scale][frozenset((mine.reporter, other.reporter))].add(mine.context)
    best = defaultdict[frozenset[int], float](lambda: 1.0)
    for contexts, expected in zip(met, usual, strict=True):
        mu = {
            pair: max(degree[a] * expected[b], degree[b] * expected[a]) + 1e-12
            for pair in contexts
            for a, b in (sorted(pair),)
        }
        for pair, p in improbable(contexts, mu).items():
            best[pair] = min(best[pair], p * len(SCALES))
    return {pair: p for pair, p in best.items() if p <= SEED_P}


def improbable(
    contexts: dict[frozenset[int], set[int]], mu: dict[frozenset[int], float]
) -> dict[frozenset[int], float]:
    p = {pair: 1.0 for pair, places in contexts.items() if len(places) >= 2}
    for _ in range(3):
        trimmed = {pair for pair, value in p.items() if value < TRIM}
        low, high = 1e-3, 100.0
        for _ in range(40):
            b = (low * high) ** 0.5
            known = fsum(value / (value + b) for pair, value in mu.items() if pair not in trimmed)
            low, high = (b, high) if known > len(p) - len(trimmed) else (low, b)
        b = (low * high) ** 0.5
        p = {pair: (mu[pair] / (mu[pair] + b)) ** (len(contexts[pair]) - 1) for pair in p}
    return p


def found_in(window: Window) -> dict[frozenset[int], float]:
    keys, p = crossing_pairs(window, LIMIT)
    names = window.reporters.keys
    pairs = [frozenset(names[[key >> PAIR_BITS, key & 0xFFFFFFFF]].tolist()) for key in keys.tolist()]
    return dict(zip(pairs, p.tolist(), strict=True))


@pytest.mark.parametrize("seed", range(3))
def test_they_are_those_of_the_definition(seed: int) -> None:
    rows = drawn(seed)
    expected = by_definition(rows)
    assert any(max(pair) <= 8 for pair in expected), "the accounts that were planted are among them"
    found = found_in(window_of(rows))
    assert found.keys() == expected.keys()
    assert [found[pair] for pair in expected] == pytest.approx(list(expected.values()), rel=1e-6)


def test_they_are_the_same_in_many_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    window = window_of(drawn(1))
    keys, p = crossing_pairs(window, LIMIT)
    monkeypatch.setattr(crossings, "PART", 100)
    monkeypatch.setattr(crossings, "AT_ONCE", 50)
    in_parts, their_p = crossing_pairs(window, LIMIT)
    assert len(keys) > 5
    assert in_parts.tolist() == keys.tolist()
    assert their_p.tolist() == p.tolist()


def test_a_window_without_meetings_has_none() -> None:
    window = window_of([Row(1, 1, 100, DAY, context=200), Row(2, 2, 101, DAY, context=201)])
    assert [len(part) for part in crossing_pairs(window, LIMIT)] == [0, 0]
