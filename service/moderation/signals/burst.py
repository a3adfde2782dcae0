"""Burst: how many members complained within one hour, compared with other people on these targets? Shown only. PURE.

The normal rate is the number of other people's complaints on the same targets, plus one so that it is never zero, over
the hours in which the targets drew complaints. The tail is multiplied by the number of hours examined.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.stats import poisson

from service.model import Evidence
from service.moderation.signals.signal import GroupFacts, GroupView, Ints, MeasuredSignal, Measurement

NAME = "burst"
HOUR_MS = 3_600_000
HARDLY_ANY = 0.05  # complaints an hour


def measure(view: GroupView) -> Measurement:
    """Distinct members in the densest hour against the complaints of others expected in one."""
    time, who = view.time_ms, view.reporter
    until = np.searchsorted(time, time + HOUR_MS)
    most = max((len(np.unique(who[k : until[k]])) for k in _starts(until)), default=0)
    span = view.everyone_ms
    hours = max(1.0, float(span.max() - span.min()) / HOUR_MS)
    expected = (view.complaints_by_others + 1) / hours
    p_value = float(min(1.0, poisson.sf(most - 1, expected) * hours))
    return Measurement(float(most), expected, p_value, most, view.members)


def _starts(until: Ints) -> list[int]:
    """Start positions worth counting: an hour that ends where the previous one ended adds nothing."""
    if not len(until):
        return []
    ends = until.tolist()
    return [0, *(k for k, (a, b) in enumerate(pairwise(ends), 1) if b > a)]


def normally(usual: float) -> str:
    """An expected number of complaints in words."""
    if usual < HARDLY_ANY:
        return "none"
    return "less than one" if round(usual, 1) < 1 else f"{usual:.1f}".removesuffix(".0")


def _sentence(measured: Measurement, facts: GroupFacts) -> str:
    return (
        f"{measured.count} of {facts.members} members complained within one hour; others normally make"
        f" {normally(measured.usual)} an hour on {'this target' if facts.targets == 1 else 'these targets'}."
    )


def _clause(evidence: Evidence, targets: int) -> str:
    return f"up to {evidence.value:.0f} within one hour (normally {normally(evidence.usual)})"


SIGNAL = MeasuredSignal(
    name=NAME,
    title="Burst",
    question="shown",
    unit="figure",
    measure=measure,
    contribution=lambda measured, targets, weights: 0.0,
    sentence=_sentence,
    clause=_clause,
)
