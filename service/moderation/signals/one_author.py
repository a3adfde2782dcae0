"""One author: what share of the targets did one author write? For information only. PURE.

Volunteers who follow one author's page complain about one author, and so do those who hound one.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from service.model import Evidence
from service.moderation.phrases import percent
from service.moderation.signals.counting_again import SAME_SHARE
from service.moderation.signals.signal import CountedAgain, GroupFacts, GroupView, MeasuredSignal, Measurement

USUAL = 0.5
FEWEST_TARGETS = 4  # with fewer, a summary does not mention it


def _measure(view: GroupView) -> Measurement:
    authors = view.target_authors
    _, count = np.unique(authors[authors != 0], return_counts=True)
    most = int(count.max(initial=0))
    return Measurement(most / view.targets, USUAL, None, most, view.targets)


def _sentence(measured: Measurement, facts: GroupFacts) -> str:
    if not measured.count:
        return "The authors of the targets are not known."
    return f"{measured.count} of {measured.total} targets are by one author."


def _clause(evidence: Evidence, targets: int) -> str | None:
    notable = evidence.value > USUAL and targets >= FEWEST_TARGETS
    return f"{percent(evidence.value)} of the targets are by one author" if notable else None


def _share(group: CountedAgain) -> float:
    authors = {c.target: c.author for c in group.complaints}
    count = Counter(author for author in authors.values() if author is not None)
    return max(count.values(), default=0) / max(len(authors), 1)


def _count_again(stored: Evidence, whole: CountedAgain, left: CountedAgain) -> Measurement | None:
    if abs(_share(whole) - stored.value) > SAME_SHARE:
        return None
    return Measurement(_share(left), stored.usual, stored.p_value)


SIGNAL = MeasuredSignal(
    name="one_author",
    title="One author",
    question="shown",
    unit="share",
    measure=_measure,
    contribution=lambda measured, targets, weights: 0.0,
    sentence=_sentence,
    clause=_clause,
    count_again=_count_again,
)
