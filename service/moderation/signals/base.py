"""Where every group starts: most groups are chance. PURE."""

from __future__ import annotations

from service.moderation.signals.signal import MeasuredSignal, Measurement

SIGNAL = MeasuredSignal(
    name="base",
    title="Starting point",
    question="coordinated",
    unit="figure",
    measure=lambda view: Measurement(1, 1),
    contribution=lambda measured, targets, weights: weights.base,
    sentence=lambda measured, facts: "The starting point for every group: most groups are coincidence.",
)
