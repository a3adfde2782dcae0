"""The verdicts of people that are known at later and later moments of a history. PURE."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby

import numpy as np

from service.moderation.outcomes import standing
from service.storage.complaints.feed import FeedOutcome
from workers.audit.outcomes import NO_VERDICT, OutcomesByTarget
from workers.detection.arrays import Ints

_Change = tuple[int, int, int]  # when, target, the verdict that stands from then on


class VerdictsOverTime:
    """What stands on each target, as outcomes become known."""

    def __init__(self, outcomes: OutcomesByTarget) -> None:
        changes = _changes(outcomes)
        self._decided_us, self._targets, self._verdicts = changes[:, np.argsort(changes[0], kind="stable")]
        self._known, self._next = dict[int, bool](), 0

    def until(self, now_us: int) -> Mapping[int, bool]:
        """By target, what was decided until `now_us`, which must not be earlier than at the last call: whether the
        complaints were upheld.
        """
        news = slice(self._next, int(np.searchsorted(self._decided_us, now_us, "right")))
        self._next = news.stop
        for target, verdict in zip(self._targets[news].tolist(), self._verdicts[news].tolist(), strict=True):
            if verdict == NO_VERDICT:
                self._known.pop(target, None)
            else:
                self._known[target] = verdict == 1
        return self._known


def judged_targets(outcomes: OutcomesByTarget) -> Ints:
    """The targets on which a verdict stands, when everything is known."""
    _, targets, verdicts = _changes(outcomes)
    named, latest = np.unique(targets[::-1], return_index=True)
    judged: Ints = named[verdicts[::-1][latest] != NO_VERDICT]
    return judged


def _changes(outcomes: OutcomesByTarget) -> Ints:
    """A column for each change, with when, target and verdict; those of a target in the order of time.

    On nearly every target one verdict was given and nothing taken back: these come from the columns.
    """
    target, verdict = outcomes.target, outcomes.verdict
    named, number = np.unique(target, return_inverse=True)
    taught = np.bincount(number, verdict != NO_VERDICT)
    taken_back = np.bincount(number, outcomes.retracts)
    plain = (verdict != NO_VERDICT) & (taught[number] == 1) & (taken_back[number] == 0)
    simple = np.array([outcomes.decided_us[plain], target[plain], verdict[plain]])
    others = [change for at in named[(taught > 1) | (taken_back > 0)].tolist() for change in _each(at, outcomes)]
    return np.concatenate([simple, np.array(others, np.int64).reshape(-1, 3).T], axis=1)


def _each(target: int, outcomes: OutcomesByTarget) -> Iterator[_Change]:
    known, last = list[FeedOutcome](), NO_VERDICT
    for decided_us, several in groupby(outcomes.in_time_order(target), lambda o: o.decided_us):
        known += several
        stands = standing(known)
        verdict = NO_VERDICT if stands is None else int(stands.verdict == "upheld")
        if verdict != last:
            yield decided_us, target, verdict
        last = verdict
