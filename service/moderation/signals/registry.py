"""All signals, in the order of a group's evidence. A new signal is a new file in this folder and a line here. PURE.

The order affects the results, since contributions are added up in it.
"""

from __future__ import annotations

from collections.abc import Mapping

from service.model import Evidence
from service.moderation.signals import (
    base,
    burst,
    devotion,
    fresh_accounts,
    group,
    lockstep,
    near_duplicate_texts,
    one_author,
    outcomes,
    pace,
    pairs,
    prior,
    record,
    shared_fingerprints,
    slice,
    span,
)
from service.moderation.signals.signal import GroupFacts, GroupView, MeasuredSignal, Measurement, Signal
from service.policy import Weights

SIGNALS: tuple[Signal, ...] = (
    base.SIGNAL,
    lockstep.SIGNAL,
    devotion.SIGNAL,
    group.SIGNAL,
    span.SIGNAL,
    pace.SIGNAL,
    pairs.SIGNAL,
    slice.SIGNAL,
    fresh_accounts.SIGNAL,
    shared_fingerprints.SIGNAL,
    near_duplicate_texts.SIGNAL,
    one_author.SIGNAL,
    burst.SIGNAL,
    record.SIGNAL,
    prior.SIGNAL,
    outcomes.SIGNAL,
)
SIGNAL_BY_NAME: Mapping[str, Signal] = {signal.name: signal for signal in SIGNALS}
# the signals that answer the first question
COORDINATION = frozenset(signal.name for signal in SIGNALS if signal.question == "coordinated")


_MEASURED = tuple(signal for signal in SIGNALS if isinstance(signal, MeasuredSignal))


def measured(view: GroupView) -> dict[str, Measurement]:
    """Every signal that can be measured on a group's complaints, by name."""
    return {signal.name: signal.measure(view) for signal in _MEASURED if signal.measure is not None}


def evidence_of(measurements: Mapping[str, Measurement], facts: GroupFacts, weights: Weights) -> tuple[Evidence, ...]:
    """The evidence for these measurements (by a signal's name)."""
    return tuple(
        signal.evidence(measurements[signal.name], facts, weights)
        for signal in _MEASURED
        if signal.name in measurements
    )


def contribution_of(name: str, measurement: Measurement, targets: int, weights: Weights) -> float:
    """A measured signal's contribution to the score of a group with `targets` targets, in log-odds."""
    signal = SIGNAL_BY_NAME[name]
    if not isinstance(signal, MeasuredSignal):
        raise ValueError(f"signal {name} is not measured on a group's complaints: its own module computes it")
    return signal.contribution(measurement, targets, weights)
