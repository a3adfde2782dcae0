"""What is usual in a window, measured on everybody else: a group must not set what it is compared with.

Every share has a prior of 1 in 20, so that a small community is not taken for one where nothing ever happens.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from service.intake.text_fingerprints import slots_alike, slots_of
from service.moderation.signals.fresh_accounts import is_prepared
from service.policy import Policy
from workers.detection.arrays import Bools, Events, Ints
from workers.detection.fingerprint_users import FingerprintUsers
from workers.detection.pairs import moved_together
from workers.detection.sorted_index import AT_ONCE, portions, run_starts
from workers.detection.window import UNKNOWN_MS, Window

PRIOR_HITS, PRIOR_TOTAL = 1.0, 20.0
TEXTS_SAMPLED = 2_000  # one of each reporter; their wordings are compared with a group's
SPARE_TEXTS = 500  # sampled besides, since the group's own are left out
NO_GAP_MS = 86_400_000.0  # taken for usual where hardly two complaints are about the same target


class Surroundings:
    """Shares of the window, each as it is when it is first asked for. Members and targets are the window's numbers."""

    def __init__(self, window: Window, policy: Policy) -> None:
        self._window, self._policy = window, policy
        self.fingerprints = FingerprintUsers(window)

    def fresh_beside(self, who: Ints) -> float:
        """Share of the other accounts that were fresh at their first complaint, among those of known age."""
        return self._freshness[0].beside(who)

    def prepared_beside(self, who: Ints) -> float:
        """Share of them that were fresh and had been registered hours before."""
        return self._freshness[1].beside(who)

    def sharing_beside(self, what: Ints) -> float:
        """Share of the complaints on other targets that share their fingerprint with another on the same target."""
        return self._fingerprints.beside(what)

    def wording_beside(self, slots: npt.NDArray[np.uint8], who: Ints, what: Ints) -> npt.NDArray[np.float64]:
        """For each text (as the slots of its signature): share of other people's texts that are near-duplicates of it.

        One text of each person counts, and none on the group's own targets: a few accounts that spread a wording
        elsewhere do not make it usual.
        """
        reporter, target, theirs = self._texts
        beside = theirs[:, np.flatnonzero(~np.isin(reporter, who) & ~np.isin(target, what))[:TEXTS_SAMPLED]]
        enough = slots_alike(self._policy.text_jaccard)
        different, which = np.unique(slots, axis=0, return_inverse=True)  # copies are mostly of one text
        # Slot by slot: sums along the texts are several times faster than along the slots.
        alike = ((beside == one[:, None]).sum(0, dtype=np.uint8) for one in different)  # of SLOTS, so at most 127
        hits = np.array([np.count_nonzero(count >= enough) for count in alike], float)
        return np.asarray((hits[which.ravel()] + PRIOR_HITS) / (beside.shape[1] + PRIOR_TOTAL))

    @cached_property
    def gap_ms(self) -> float:
        """Median time between two complaints that follow each other on a target."""
        window, index = self._window, self._window.by_target
        events = index.events[~window.gone[index.events]]
        parts = []
        for start in range(0, len(events), AT_ONCE):
            part = events[start : start + AT_ONCE + 1]
            same = np.diff(window.target[part]) == 0
            parts.append(np.diff(window.time[part])[same].astype(np.min_scalar_type(window.span)))
        gaps = moved_together(parts)
        return float(np.median(gaps, overwrite_input=True)) if len(gaps) else NO_GAP_MS

    @cached_property
    def _freshness(self) -> tuple[_Shares, _Shares]:
        """By reporter, of those of known age: whether the account was fresh at its first complaint; and prepared."""
        window = self._window
        first = self._first_rows(self._held)
        first = first[window.created[first] != UNKNOWN_MS]
        age, limit = window.time[first] - window.created[first], self._policy.fresh_account_seconds * 1000
        known, young, prepared = (np.zeros(len(window.reporters), bool) for _ in range(3))
        known[window.reporter[first]] = True
        young[window.reporter[first]] = age < limit
        prepared[window.reporter[first]] = is_prepared(age, limit)
        return _Shares(young, known), _Shares(prepared, known)

    @cached_property
    def _fingerprints(self) -> _Shares:
        """By target, of the complaints with a fingerprint: those that share it with another on the target."""
        window = self._window
        events = window.by_target.events
        events = events[(self._held & (window.fingerprint[: window.size] != 0))[events]]
        target, targets = window.target[events], len(window.targets)
        begin = np.flatnonzero(run_starts(target))
        sizes = np.diff(begin, append=len(events))
        shared = np.empty(len(events), bool)
        for part in portions(sizes, AT_ONCE):
            rows = slice(int(begin[part][0]), int(begin[part][-1] + sizes[part][-1]))
            shared[rows] = shared_on_target(target[rows], window.fingerprint[events[rows]])
        return _Shares(np.bincount(target[shared], minlength=targets), np.bincount(target, minlength=targets))

    @cached_property
    def _texts(self) -> tuple[Ints, Ints, npt.NDArray[np.uint8]]:
        """Reporter, target and signature of a sample of texts, one of each reporter; the signatures as columns."""
        window = self._window
        rows = self._first_rows(self._held & window.texted[: window.size])
        # The keys are hashes, so that their order is a fair draw, and the same for the same people.
        order = np.argsort(window.reporters.keys[window.reporter[rows]], kind="stable")
        rows = rows[order[: TEXTS_SAMPLED + SPARE_TEXTS]]
        slots = slots_of([window.text[int(row)] for row in rows])
        reporter, target = window.reporter[rows].astype(np.int64), window.target[rows].astype(np.int64)
        return reporter, target, np.ascontiguousarray(slots.T)

    @property
    def _held(self) -> Bools:
        """Which rows of the columns are complaints in the window; it holds until they are compacted."""
        return ~self._window.gone[: self._window.size]

    def _first_rows(self, use: Bools) -> Events:
        """Of each reporter, the first of the marked complaints; of several at once, that on the smallest target."""
        events = self._window.by_pair.events  # by reporter and target: nothing has to be sorted
        begins = np.flatnonzero(run_starts(self._window.reporter[events]))
        ends = np.append(begins[1:], len(events))
        parts = [events[begins[part][0] : ends[part][-1]] for part in portions(ends - begins, AT_ONCE)]
        return moved_together([self._first_of(part[use[part]]) for part in parts])

    def _first_of(self, events: Events) -> Events:
        window = self._window
        time, reporter = window.time[events], window.reporter[events]
        begins = np.flatnonzero(run_starts(reporter))
        if not len(events):
            return events
        earliest = np.repeat(np.minimum.reduceat(time, begins), np.diff(begins, append=len(events)))
        first = np.flatnonzero(time == earliest)
        return events[first[np.unique(reporter[first], return_index=True)[1]]]


def shared_on_target(target: Ints | Events, fingerprint: Ints) -> Bools:
    """Which complaints share their fingerprint (0: none) with another on the same target."""
    shared = np.zeros(len(fingerprint), bool)
    some = np.flatnonzero((fingerprint != 0) & (np.bincount(target) > 1)[target])
    order = some[np.lexsort((fingerprint[some], target[some]))]
    same = (np.diff(target[order]) == 0) & (np.diff(fingerprint[order]) == 0)
    shared[order[1:][same]] = True
    shared[order[:-1][same]] = True
    return shared


class _Shares:
    """How many show something, and of how many, both by reporter or by target."""

    def __init__(self, showing: Ints | Bools, total: Ints | Bools) -> None:
        self._showing, self._total = showing, total
        self._hits, self._seen = int(showing.sum()), int(total.sum())  # once, not for each group

    def beside(self, left_out: Ints) -> float:
        """The share without some of them."""
        own = left_out[left_out < len(self._total)]
        hits, seen = self._hits - int(self._showing[own].sum()), self._seen - int(self._total[own].sum())
        return float((hits + PRIOR_HITS) / (seen + PRIOR_TOTAL))
