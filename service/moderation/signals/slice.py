"""Slice: do complaints on one target within a few hours look like the work of one group? PURE.

Measured by workers/detection/one_shot.py, which finds such crowds.
"""

from __future__ import annotations

import math

from service.moderation.phrases import power_of_ten
from service.moderation.signals.signal import GroupFacts, MeasuredSignal, Measurement

_SMALLEST_P = 1e-12


def measurement(p_value: float, accounts: int, complaints: int) -> Measurement:
    """`accounts` of the slice's `complaints` belong to the crowd; `p_value` is corrected for all slices examined."""
    return Measurement(-math.log10(max(p_value, _SMALLEST_P)), 0.0, p_value, accounts, complaints)


def _sentence(measured: Measurement, facts: GroupFacts) -> str:
    return (
        f"{measured.count} of {measured.total} complaints within a few hours look like the work of one group (new"
        " accounts, shared devices or copied wording); by chance, only one crowd in"
        f" {power_of_ten(measured.value)} would."
    )


SIGNAL = MeasuredSignal(
    name="slice",
    title="One crowd at the same time",
    question="coordinated",
    unit="odds",
    measure=None,
    contribution=lambda measured, targets, weights: math.log(10) * (measured.value - 3) / 2,
    sentence=_sentence,
)
