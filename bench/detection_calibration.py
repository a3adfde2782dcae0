"""Calibration of `probability` and `unfounded_probability`: predicted against observed shares over many known groups.

PURE.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from service.moderation.log_odds import log_odds, sigmoid
from service.moderation.score import coordination
from workers.detection.groups import Group

DAYS_APART = 3  # candidates are collected in windows so far apart: a day later mostly the same groups stand there again
BINS = 10
KNOWN = ("all", "third", "none")  # whose outcomes `unfounded_probability` is measured with
PATROL = "n2"  # volunteers who act together: coordinated, though right


@dataclass(frozen=True, slots=True)
class Candidate:
    """One group of one window."""

    world: str
    kind: str  # repeat or one_shot
    probability: float
    coordinated: bool
    label: str  # the campaign, n2 or org that most of its accounts belong to
    accounts: int


@dataclass(frozen=True, slots=True)
class Bin:
    """Candidates of similar probability."""

    candidates: int
    predicted: float  # mean probability
    true: float  # share that is coordinated


@dataclass(frozen=True, slots=True)
class Calibration:
    """How far probabilities and frequencies lie apart."""

    candidates: int
    base_rate: float
    expected_error: float  # mean over the candidates of |predicted - true| of their bin
    brier: float
    brier_of_base_rate: float  # the naive forecast: the base rate for everybody
    bins: tuple[Bin, ...]


def candidate_of(world: str, group: Group, reporter_ids: Mapping[int, str], truth: Mapping[str, Any]) -> Candidate:
    """The group against the truth: coordinated when at least half of its accounts belong to one campaign or to the
    patrol.
    """
    campaign, named = truth["campaign_of_reporter"], truth["hard_negative_of_reporter"]
    labels: Counter[str] = Counter()
    for key in sorted(group.reporters):
        reporter = reporter_ids[key]
        labels[campaign.get(reporter) or (PATROL if named.get(reporter) == PATROL else "org")] += 1
    label, count = labels.most_common(1)[0]
    probability = sigmoid(coordination(group.evidence))
    return Candidate(
        world,
        group.kind,
        probability,
        label != "org" and 2 * count >= len(group.reporters),
        label,
        len(group.reporters),
    )


def calibration(probability: Sequence[float], coordinated: Sequence[bool], bins: int = BINS) -> Calibration:
    """Expected calibration error over equal-count bins, and the Brier score; ValueError without a candidate."""
    if not len(probability):
        raise ValueError("no candidates: there is nothing to calibrate, collect some from worlds with campaigns")
    p, y = np.asarray(probability, float), np.asarray(coordinated, float)
    parts = [part for part in np.array_split(np.argsort(p, kind="stable"), bins) if len(part)]
    predicted = tuple(Bin(len(part), float(p[part].mean()), float(y[part].mean())) for part in parts)
    base = float(y.mean())
    return Calibration(
        len(p),
        base,
        sum(b.candidates * abs(b.predicted - b.true) for b in predicted) / len(p),
        float(((p - y) ** 2).mean()),
        base * (1 - base),
        predicted,
    )


def by_height(
    probability: Sequence[float], coordinated: Sequence[bool], edges: Sequence[float] = (0.0, 0.1, 0.5, 0.9, 1.0)
) -> tuple[tuple[float, float, Bin], ...]:
    """Bins of fixed width, (from, to, bin), empty ones left out: where nearly all candidates are certain, bins of equal
    count show only those.
    """
    p, y = np.asarray(probability, float), np.asarray(coordinated, float)
    found = []
    for low, high in pairwise(edges):
        inside = (p >= low) & ((p < high) | ((high == edges[-1]) & (p <= high)))
        if inside.any():
            found.append((low, high, Bin(int(inside.sum()), float(p[inside].mean()), float(y[inside].mean()))))
    return tuple(found)


def with_prior(found: Sequence[Mapping[str, Any]], prior: float | None) -> list[float]:
    """The forecasts had the tenant had this prior, which is one summand of the log-odds; None: as the service gave
    them.
    """
    if prior is None:
        return [f["unfounded"] for f in found]
    inside = np.clip([f["unfounded"] for f in found], 1e-15, 1 - 1e-15)
    return [
        sigmoid(log_odds(float(p)) + log_odds(prior) - log_odds(f["prior"])) for p, f in zip(inside, found, strict=True)
    ]


def dishonest_share(found: Sequence[Mapping[str, Any]]) -> float:
    """The share of dishonest groups among these clusters, the best prior that a tenant could have; never 0 or 1."""
    return min(max(sum(bool(f["dishonest"]) for f in found) / len(found), 1e-3), 1 - 1e-3)


def calibrated(found: Sequence[Mapping[str, Any]], prior: float | None) -> Calibration:
    """How close the forecasts are to the truth, with this prior; None: with those measured in the tenant."""
    return calibration(with_prior(found, prior), [bool(f["dishonest"]) for f in found])
