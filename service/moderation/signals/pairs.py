"""How often do two members meet, compared with chance? Mean -log10 p of the pairs inside. Shown only. PURE.

It adds nothing to the score, since the group's own surprise (group.py) includes the pairs.
"""

from __future__ import annotations

from service.moderation.phrases import power_of_ten
from service.moderation.signals.signal import GroupFacts, GroupView, MeasuredSignal, Measurement

_CONTROL = {
    "given": "shared reading of the same articles is taken into account",
    "inferred": "many contexts were missing or unusable, so shared reading is estimated from inferred contexts",
    "none": "no usable contexts were given, so shared reading is not taken into account",
}


def _measure(view: GroupView) -> Measurement:
    return Measurement(view.pair_surprise, 1.0, 10 ** -min(view.pair_surprise, 300.0))


def _sentence(measured: Measurement, facts: GroupFacts) -> str:
    if measured.value <= 0:
        return f"No two members meet more often than chance explains; {_CONTROL[facts.contexts]}."
    odds = power_of_ten(measured.value)
    return f"Two members meet as often as only one pair in {odds} would by chance; {_CONTROL[facts.contexts]}."


SIGNAL = MeasuredSignal(
    name="pairs",
    title="Pairs of members",
    question="shown",
    unit="odds",
    measure=_measure,
    contribution=lambda measured, targets, weights: 0.0,
    sentence=_sentence,
)
