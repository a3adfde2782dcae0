"""How unlikely is the group as a whole, for each member? Powers of ten, -1..4. PURE.

Measured by workers/detection/surprise.py against the null model; only the whole window can tell.
"""

from __future__ import annotations

from service.moderation.phrases import power_of_ten
from service.moderation.signals.signal import GroupFacts, MeasuredSignal, Measurement

MOST = 4.0  # the measurement ends there
MOST_WEIGHED = 2.0  # whoever reads one author's page is beyond it as well: more says nothing about acting together
LEAST_SHOWN = 0.05  # smaller values ("1.1 times less likely") mean nothing to readers


def _sentence(measured: Measurement, facts: GroupFacts) -> str:
    if measured.value < LEAST_SHOWN:
        return "Additional members do not make coincidence less likely."
    at_least = "at least " if measured.value >= MOST else ""
    times = power_of_ten(measured.value)
    return f"Each additional member makes coincidence {at_least}{times} times less likely."


SIGNAL = MeasuredSignal(
    name="group",
    title="Unlikely by chance",
    question="coordinated",
    unit="factor",
    measure=lambda view: Measurement(view.member_surprise, 0.0),
    contribution=lambda measured, targets, weights: weights.group * min(MOST_WEIGHED, measured.value),
    sentence=_sentence,
)
