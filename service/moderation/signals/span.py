"""Span: what share of the members came back, on another occasion, in another context? PURE.

Readers of one popular article stay below one half; campaigns that follow their victims are above three quarters. A
member counts with two complaints in different contexts at least six hours apart: on the evening of a spam wave honest
readers complain in five articles within the hour.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from service.moderation.phrases import percent
from service.moderation.signals.counting_again import moved
from service.moderation.signals.signal import (
    Bools,
    CountedAgain,
    GroupFacts,
    GroupView,
    Ints,
    MeasuredSignal,
    Measurement,
)

USUAL = 0.3
OCCASION_MS = 21_600_000  # what lies closer together is one evening
_PLACES = {"given": "contexts", "inferred": "inferred contexts", "none": "targets"}


def _measure(view: GroupView) -> Measurement:
    returned = int(_returned(view.reporter.astype(np.int64), view.context.astype(np.int64), view.time_ms).sum())
    return Measurement(returned / view.members if view.members else 0.0, USUAL)


def _returned(who: Ints, where: Ints, time_ms: Ints) -> Bools:
    """Which reporters complained in two contexts at least OCCASION_MS apart; one entry a distinct reporter, in order.

    Such a pair of complaints exists exactly if there is one with the reporter's first or last complaint in it.
    """
    order = np.lexsort((where, time_ms, who))
    who, where, time = who[order], where[order], time_ms[order]
    _, start, which = np.unique(who, return_index=True, return_inverse=True)
    end = np.r_[start[1:], len(who)] - 1
    first, last = start[which], end[which]
    away = ((where != where[first]) & (time - time[first] >= OCCASION_MS)) | (
        (where != where[last]) & (time[last] - time >= OCCASION_MS)
    )
    return np.asarray(np.bincount(which[away], minlength=len(start)) > 0)


def _sentence(measured: Measurement, facts: GroupFacts) -> str:
    return (
        f"{percent(measured.value)} of the members complained on different occasions in two or more"
        f" {_PLACES[facts.contexts]}; readers of one popular article, or of one evening's spam, would not."
    )


def _figure(group: CountedAgain) -> float:
    number: dict[str, int] = defaultdict(lambda: len(number))
    columns = [
        (c.reporter, number[c.context if c.context is not None else f"\0{c.target}"], c.time_us // 1_000)
        for c in group.complaints
    ]
    if not columns:
        return 0.0
    who, where, time = np.array(columns, np.int64).T
    return float(_returned(who, where, time).mean())


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
