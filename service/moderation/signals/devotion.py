"""Devotion: what share of all complaints by the members is about the group's targets? PURE."""

from __future__ import annotations

from service.moderation.phrases import percent, plural
from service.moderation.signals.counting_again import moved
from service.moderation.signals.signal import CountedAgain, GroupFacts, GroupView, MeasuredSignal, Measurement

USUAL = 0.3


def _measure(view: GroupView) -> Measurement:
    return Measurement(len(view.reporter) / max(view.complaints_anywhere, 1), USUAL)


def _sentence(measured: Measurement, facts: GroupFacts) -> str:
    where = "this target" if facts.targets == 1 else f"these {plural(facts.targets, 'target')}"
    return f"{percent(measured.value)} of all complaints by the members in the window are about {where}."


def _figure(group: CountedAgain) -> float:
    here, members = len(group.complaints), {c.reporter for c in group.complaints}
    return here / max(1, here + sum(group.elsewhere.get(member, 0) for member in members))


SIGNAL = MeasuredSignal(
    name="devotion",
    title="Focus on these targets",
    question="coordinated",
    unit="share",
    measure=_measure,
    contribution=lambda measured, targets, weights: weights.devotion * measured.value,
    sentence=_sentence,
    count_again=moved(_figure),
)
