"""One author: what share of the targets did one author write? For information only. PURE.

Volunteers who follow one author's page complain about one author, and so do those who hound one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable

import numpy as np

from service.model import Evidence
from service.moderation.phrases import percent
from service.moderation.signals.counting_again import SAME_SHARE
from service.moderation.signals.signal import CountedAgain, GroupFacts, GroupView, MeasuredSignal, Measurement

NAME = "one_author"
USUAL = 0.5
FEWEST_TARGETS = 4  # with fewer, a summary does not mention it


def _measure(view: GroupView) -> Measurement:
    authors = view.target_authors
    _, count = np.unique(authors[authors != 0], return_counts=True)
    most = int(count.max(initial=0))
    return Measurement(most / view.targets, USUAL, None, most, view.targets)


def recounted(evidence: Iterable[Evidence], authors: Collection[int]) -> tuple[Evidence, ...]:
    """The evidence with this signal counted on a cluster's targets: it needs no window, and the group may have had
    other targets when it was measured. `authors` are the targets' authors' keys, 0 where unknown.
    """
    count = Counter(author for author in authors if author)
    measured = Measurement(
        max(count.values(), default=0) / max(len(authors), 1), USUAL, None, max(count.values(), default=0), len(authors)
    )
    return tuple(
        e.model_copy(update={"value": measured.value, "text": _text(measured)}) if e.signal == NAME else e
        for e in evidence
    )


def _sentence(measured: Measurement, facts: GroupFacts) -> str:
    return _text(measured)


def _text(measured: Measurement) -> str:
    if not measured.count:
        return "The authors of the targets are not known."
    if measured.count == 1 < measured.total:
        return "No two of the targets are known to be by one author."
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
    name=NAME,
    title="One author",
    question="shown",
    unit="share",
    measure=_measure,
    contribution=lambda measured, targets, weights: 0.0,
    sentence=_sentence,
    clause=_clause,
    count_again=_count_again,
)
