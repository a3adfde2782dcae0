"""What the signs of disposable accounts have in common: new accounts, shared devices, copied wording. PURE.

Each is a share of the accounts or of the texts. It contributes to the score and is mentioned in a summary only where
it would be a surprise by chance (chance.surprise).
"""

from __future__ import annotations

from collections.abc import Callable

from service.model import Evidence
from service.moderation.phrases import percent
from service.moderation.signals.chance import surprise
from service.moderation.signals.signal import CountAgain, GroupFacts, GroupView, MeasuredSignal, Measurement
from service.policy import Weights


def device_signal(
    *,
    name: str,
    title: str,
    measure: Callable[[GroupView], Measurement],
    sentence: Callable[[Measurement, GroupFacts], str],
    noticed: str,
    count_again: CountAgain,
) -> MeasuredSignal:
    """A signal of this family; `noticed` follows its share in a summary."""

    def clause(evidence: Evidence, targets: int) -> str | None:
        return f"{percent(evidence.value)} {noticed}" if surprise(evidence.p_value) > 0 else None

    def contribution(measured: Measurement, targets: int, weights: Weights) -> float:
        # Of a crowd on one target it has answered the first question (slice.py): nothing counts twice.
        return float(getattr(weights, name)) * surprise(measured.p_value) if targets > 1 else 0.0

    return MeasuredSignal(
        name=name,
        title=title,
        question="unfounded",
        unit="share",
        measure=measure,
        contribution=contribution,
        sentence=sentence,
        clause=clause,
        count_again=count_again,
    )
