"""Lockstep: on an average target, what share of the other members complained too? PURE."""

from __future__ import annotations

from service.moderation.phrases import percent
from service.moderation.signals.counting_again import moved
from service.moderation.signals.signal import CountedAgain, GroupFacts, GroupView, MeasuredSignal, Measurement


def _measure(view: GroupView) -> Measurement:
    return Measurement((len(view.reporter) / view.targets - 1) / max(view.members - 1, 1), 0.0)


def _sentence(measured: Measurement, facts: GroupFacts) -> str:
    return f"On an average target, {percent(measured.value)} of the other members complained too."


def _figure(group: CountedAgain) -> float:
    return (len(group.complaints) / max(group.targets, 1) - 1) / max(group.members - 1, 1)


SIGNAL = MeasuredSignal(
    name="lockstep",
    title="Lockstep",
    question="coordinated",
    unit="share",
    measure=_measure,
    contribution=lambda measured, targets, weights: weights.lockstep * measured.value,
    sentence=_sentence,
    count_again=moved(_figure),
)
