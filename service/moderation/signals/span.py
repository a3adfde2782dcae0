"""Span: what share of the members complained in two contexts or more? PURE.

Readers of one popular article stay below one half; campaigns that follow their victims are above three quarters.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from service.moderation.phrases import percent
from service.moderation.signals.counting_again import moved
from service.moderation.signals.signal import CountedAgain, GroupFacts, GroupView, MeasuredSignal, Measurement

USUAL = 0.3
_PLACES = {"given": "contexts", "inferred": "inferred contexts", "none": "targets"}


def _measure(view: GroupView) -> Measurement:
    places = np.unique(view.reporter.astype(np.int64) << 32 | view.context)
    _, contexts = np.unique(places >> 32, return_counts=True)
    return Measurement(int((contexts >= 2).sum()) / view.members if view.members else 0.0, USUAL)


def _sentence(measured: Measurement, facts: GroupFacts) -> str:
    return (
        f"{percent(measured.value)} of the members complained in two or more {_PLACES[facts.contexts]}; readers of one"
        " popular article would not."
    )


def _figure(group: CountedAgain) -> float:
    contexts: dict[int, set[str]] = defaultdict(set)
    for c in group.complaints:
        contexts[c.reporter].add(c.context if c.context is not None else f"\0{c.target}")
    return sum(len(own) >= 2 for own in contexts.values()) / max(len(contexts), 1)


SIGNAL = MeasuredSignal(
    name="span",
    title="Across threads",
    question="coordinated",
    unit="share",
    measure=_measure,
    contribution=lambda measured, targets, weights: weights.span * measured.value,
    sentence=_sentence,
    count_again=moved(_figure),
)
