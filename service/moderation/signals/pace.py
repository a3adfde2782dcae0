"""Pace: how soon after one member does the next one complain about the same target? PURE.

The median over all targets of the time between two members who follow each other there. Those who wait for a call, or
follow a list, come within minutes of each other; people who find a target on their own come when they read it.
"""

from __future__ import annotations

import math

import numpy as np

from service.model import Evidence
from service.moderation.phrases import duration
from service.moderation.signals.signal import CountedAgain, GroupFacts, GroupView, Ints, MeasuredSignal, Measurement

LEAST_MS = 1_000.0  # many platforms send whole seconds
MOST_FACTORS = 2.0  # powers of ten by which a pace counts at most, either way


def measure(view: GroupView) -> Measurement:
    """The group's median gap against the one of all complaints of the window, in seconds."""
    gap, usual = _median_gap(view.target, view.time_ms), max(LEAST_MS, view.usual_gap_ms)
    return Measurement((usual if gap is None else gap) / 1_000, usual / 1_000)


def _median_gap(target: Ints, time_ms: Ints) -> float | None:
    """None without two complaints on one target."""
    order = np.lexsort((time_ms, target))
    same = np.diff(target[order]) == 0
    gaps = np.diff(time_ms[order])[same]
    return max(LEAST_MS, float(np.median(gaps))) if len(gaps) else None


def factors(measured: Measurement) -> float:
    """By how many powers of ten the group is faster than usual, within -2..2."""
    return min(MOST_FACTORS, max(-MOST_FACTORS, math.log10(measured.usual / measured.value)))


def _sentence(measured: Measurement, facts: GroupFacts) -> str:
    return (
        f"Half of the time, the next member complained about the same target within {duration(measured.value)};"
        f" between one complaint on a target and the next it is usually {duration(measured.usual)}."
    )


def _figure(group: CountedAgain) -> float:
    columns = np.array([(c.target, c.time_us // 1_000) for c in group.complaints], np.int64).reshape(-1, 2)
    gap = _median_gap(columns[:, 0], columns[:, 1])
    return 0.0 if gap is None else gap / 1_000


def _count_again(stored: Evidence, whole: CountedAgain, left: CountedAgain) -> Measurement | None:
    before, now = _figure(whole), _figure(left)
    if not before or not now:
        return None
    return Measurement(max(LEAST_MS / 1_000, stored.value * now / before), stored.usual)


SIGNAL = MeasuredSignal(
    name="pace",
    title="Pace",
    question="coordinated",
    unit="duration",
    measure=measure,
    contribution=lambda measured, targets, weights: weights.pace * factors(measured),
    sentence=_sentence,
    count_again=_count_again,
)
