"""A whole history in columns: what the audit's windows are cut from. PURE."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import compress

import numpy as np

from service.intake.text_fingerprints import signature_of, word_count
from service.model import Complaint, Outcome, microseconds
from service.moderation.cluster_state import Membership
from service.moderation.listed_complaints import ListedByReporter, ListedComplaint, by_reporter
from service.storage.complaints.feed import NOT_ARCHIVED, FeedOutcome
from service.storage.sql.hashing import key_of
from service.tabular.checked_complaints import CheckedComplaints
from workers.detection.arrays import Ints
from workers.detection.target_traits import TargetTraits
from workers.detection.window import UNKNOWN_MS, Complaints

AT_ONCE = 10_000  # complaints that come one by one are laid out together


@dataclass(frozen=True)
class ComplaintHistory:
    """Standing complaints in time order (seq = row + 1: an outcome's 0 means the whole target), and how to name
    keys.
    """

    complaints: Complaints
    reporter_ids: dict[int, str]
    target_ids: dict[int, str]
    duplicates: int
    repeats: int  # later complaints of the same reporter about the same target
    listed: tuple[ListedComplaint, ...]  # those that are part of another's act, in time order; seqs follow the others'
    traits: TargetTraits  # of every target, from the first of its complaints that was read

    def between(self, first: int, last: int) -> Complaints:
        """Rows first..last (half-open), as views."""
        c, rows = self.complaints, slice(first, last)
        texts = {seq: c.texts[seq] for seq in range(first + 1, last + 1) if seq in c.texts} if c.texts else {}
        return Complaints(
            c.seq[rows],
            c.time_ms[rows],
            c.reporter[rows],
            c.target[rows],
            c.context[rows],
            c.author[rows],
            c.created_ms[rows],
            c.fingerprint[rows],
            c.exempt[rows],
            texts,
        )

    def listed_between(self, since_ms: int, until_ms: int) -> ListedByReporter:
        """What is part of the acts from `since_ms` to `until_ms`, by reporter."""
        first = bisect_left(self.listed, since_ms * 1000, key=_time_us)
        return by_reporter(self.listed[first : bisect_right(self.listed, until_ms * 1000, key=_time_us)])

    @cached_property
    def totals(self) -> Mapping[int, int]:
        """The number of standing complaints about each target."""
        listed = np.array([one.filed.target for one in self.listed], np.int64)
        targets, total = np.unique(np.concatenate([self.complaints.target, listed]), return_counts=True)
        return dict(zip(targets.tolist(), total.tolist(), strict=True))


class KeyByName(dict[str | None, int]):
    """The keys of names, 0 for None. Most names stand in many complaints, and a look into a dictionary is faster than a
    digest.
    """

    def __missing__(self, text: str | None) -> int:
        found = self[text] = 0 if text is None else key_of(text)
        return found

    def names(self) -> dict[int, str]:
        """The names by their keys."""
        return {key: name for name, key in self.items() if name is not None}


class Collector:
    """Takes complaints in any order, and lays them out as a ComplaintHistory."""

    def __init__(self, text_min_words: int) -> None:
        self._numbers = {
            name: array("q")
            for name in ("time", "reporter", "target", "context", "author", "created", "fingerprint", "tie")
        }
        self._exempt = bytearray()
        self._texts: dict[int, bytes] = {}
        self._seen: set[int] = set()
        self._row_by_id: dict[str, int] = {}  # of `judged_complaints`, and of those that are judged where they stand
        self._part_of: dict[int, int] = {}  # row -> key of the id of the complaint whose act it is part of
        self._keys, self._reporters, self._targets = KeyByName(), KeyByName(), KeyByName()
        self._traits = TargetTraits()
        self._min_words = text_min_words
        self._waiting = CheckedComplaints()
        self._duplicates = 0
        self.judged_complaints: set[str] = set()  # ids of complaints that outcomes are about

    def add(self, complaint: Complaint) -> None:
        """Take a complaint; the same id again changes nothing."""
        self._waiting.append(complaint, judged=complaint.id in self.judged_complaints)
        if len(self._waiting) >= AT_ONCE:
            self._take_waiting()

    def add_all(self, complaints: CheckedComplaints) -> None:
        """Take many complaints."""
        self._take_waiting()
        self._take(complaints)

    def _take_waiting(self) -> None:
        waiting, self._waiting = self._waiting, CheckedComplaints()
        if len(waiting):
            self._take(waiting)

    def _take(self, found: CheckedComplaints) -> None:
        ids = list(map(key_of, found.ids))
        new = list[bool]()
        for identity in ids:
            new.append(identity not in self._seen)
            self._seen.add(identity)
        if not all(new):
            self._duplicates += len(new) - sum(new)
            found, ids = found.only(new), list(compress(ids, new))
        first = len(self._exempt)
        self._note_single_ones(found, first)
        for row, name in enumerate(found.targets):
            if name not in self._targets:
                self._traits.add(self._targets[name], found.content(row))
        columns = {
            "tie": ids,
            "time": found.time_us,
            "reporter": map(self._reporters.__getitem__, found.reporters),
            "target": map(self._targets.__getitem__, found.targets),
            "context": map(self._keys.__getitem__, found.contexts),
            "author": map(self._keys.__getitem__, found.authors),
            "created": (UNKNOWN_MS if us is None else us // 1000 for us in found.created_us),
            "fingerprint": map(self._keys.__getitem__, found.fingerprints),
        }
        for name, values in columns.items():
            self._numbers[name].extend(values)
        self._exempt.extend(found.exempt)

    def _note_single_ones(self, found: CheckedComplaints, first: int) -> None:
        """What few complaints have: an outcome of their own, an act that they are part of, a text."""
        for row, (name, judged, act, text) in enumerate(
            zip(found.ids, found.judged, found.part_of, found.texts, strict=True), first
        ):
            if judged or name in self.judged_complaints:
                self._row_by_id[name] = row
            if act is not None:
                self._part_of[row] = key_of(act)
            signature = signature_of(text) if text else None
            if signature is not None and word_count(signature) >= self._min_words:
                self._texts[row] = signature

    def history(self) -> tuple[ComplaintHistory, dict[str, int]]:
        """Everything in time order, one standing complaint a reporter and target; and the row of each wanted
        complaint.
        """
        self._take_waiting()
        c = {
            name: np.frombuffer(column, np.int64) if len(column) else np.empty(0, np.int64)
            for name, column in self._numbers.items()
        }
        acts = self._acts(c["tie"], c["reporter"])
        order = np.lexsort((c["tie"], c["time"]))
        apart = np.isin(order, np.fromiter(acts, np.int64, len(acts)))
        parts, order = order[apart], order[~apart]
        order = order[_first_of_pair(c["reporter"][order], c["target"][order])]
        listed = self._listed(c, acts, parts, order)
        repeats = len(c["time"]) - len(order) - len(listed)
        place = np.full(len(c["time"]), -1, np.int64)
        place[order] = np.arange(1, len(order) + 1)
        complaints = Complaints(
            np.arange(1, len(order) + 1),
            c["time"][order] // 1000,
            c["reporter"][order],
            c["target"][order],
            c["context"][order],
            c["author"][order],
            c["created"][order],
            c["fingerprint"][order],
            np.frombuffer(bytes(self._exempt), np.bool_)[order] if len(order) else np.empty(0, bool),
            {int(place[row]): text for row, text in self._texts.items() if place[row] > 0},
        )
        rows = {identity: int(place[row]) for identity, row in self._row_by_id.items() if place[row] > 0}
        return ComplaintHistory(
            complaints,
            self._reporters.names(),
            self._targets.names(),
            self._duplicates,
            repeats,
            listed,
            self._traits,
        ), rows

    def _acts(self, ids: Ints, reporter: Ints) -> dict[int, int]:
        """By row of a complaint that is part of an act: the row of the act. A reporter's own complaints alone."""
        wanted = np.fromiter(set(self._part_of.values()), np.int64)
        rows = np.flatnonzero(np.isin(ids, wanted)).tolist()
        row_by_id = {int(ids[row]): row for row in rows}
        of = {
            row: act
            for row, key in self._part_of.items()
            if (act := row_by_id.get(key)) not in (None, row) and reporter[act] == reporter[row]
        }
        return {row: of.get(act, act) for row, act in of.items()}

    def _listed(
        self, c: dict[str, Ints], acts: dict[int, int], parts: Ints, standing: Ints
    ) -> tuple[ListedComplaint, ...]:
        """The first of each reporter and target, where no act of their own is about it."""
        seen = (
            set(zip(c["reporter"][standing].tolist(), c["target"][standing].tolist(), strict=True)) if acts else set()
        )
        found: list[ListedComplaint] = []
        for row in parts.tolist():
            reporter, target = int(c["reporter"][row]), int(c["target"][row])
            if (reporter, target) not in seen:
                seen.add((reporter, target))
                seq, time_us = len(standing) + len(found) + 1, int(c["time"][row]) // 1000 * 1000
                filed = Membership(seq, reporter, target, time_us, bool(self._exempt[row]))
                found.append(ListedComplaint(filed, int(c["target"][acts[row]])))
        return tuple(found)


def _time_us(listed: ListedComplaint) -> int:
    return listed.filed.time_us  # whole milliseconds


def _first_of_pair(reporter: Ints, target: Ints) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which rows are the first of their (reporter, target)."""
    order = np.lexsort((np.arange(len(reporter)), target, reporter))
    r, v = reporter[order], target[order]
    first = np.ones(len(reporter), bool)
    first[order[1:]] = (r[1:] != r[:-1]) | (v[1:] != v[:-1])
    return first


def outcomes_by_target(outcomes: list[Outcome], row_by_complaint: dict[str, int]) -> dict[int, list[FeedOutcome]]:
    """Outcomes by target key; the first of equal ids wins. In an audit `decided_at` stands for the receipt.

    One about a complaint that is in no file is left out, unless it retracts another.
    """
    found: dict[int, list[FeedOutcome]] = defaultdict(list)
    seen: set[str] = set()
    for o in outcomes:
        about = 0 if o.complaint_id is None else row_by_complaint.get(o.complaint_id, NOT_ARCHIVED)
        if o.id in seen or (about == NOT_ARCHIVED and o.retracts is None):
            continue
        seen.add(o.id)
        target, decided_us = key_of(o.target_id), microseconds(o.decided_at)
        found[target].append(
            FeedOutcome(0, o.id, target, decided_us, o.verdict, o.action, o.decided_by, about, o.retracts)
        )
    return dict(found)
