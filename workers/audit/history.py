"""A whole history in columns: what the audit's windows are cut from. PURE."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from service.model import Complaint
from service.moderation.cluster_state import Membership
from service.moderation.listed_complaints import ListedByReporter, ListedComplaint, by_reporter
from service.tabular.checked_complaints import CheckedComplaints
from workers.audit.keyed_complaints import COLUMNS, KeyedComplaints, KeyMaker, numbers
from workers.audit.names import Names
from workers.audit.signatures import Signatures
from workers.audit.totals import Totals
from workers.detection.arrays import Ints
from workers.detection.target_traits import TargetTraits
from workers.detection.window import Complaints

AT_ONCE = 10_000  # complaints that come one by one are laid out together


@dataclass(frozen=True)
class ComplaintHistory:
    """Standing complaints in time order (seq = row + 1: an outcome's 0 means the whole target), and how to name
    keys.
    """

    complaints: Complaints
    reporter_ids: Names
    target_ids: Names
    duplicates: int
    repeats: int  # later complaints of the same reporter about the same target
    listed: tuple[ListedComplaint, ...]  # those that are part of another's act, in time order; seqs follow the others'
    traits: TargetTraits  # of every target, from the first of its complaints that was read

    def between(self, first: int, last: int) -> Complaints:
        """Rows first..last (half-open), as views."""
        c, rows = self.complaints, slice(first, last)
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
            self._signatures.between(first + 1, last + 1),
        )

    def listed_between(self, since_ms: int, until_ms: int) -> ListedByReporter:
        """What is part of the acts from `since_ms` to `until_ms`, by reporter."""
        first = bisect_left(self.listed, since_ms * 1000, key=_time_us)
        return by_reporter(self.listed[first : bisect_right(self.listed, until_ms * 1000, key=_time_us)])

    @cached_property
    def _signatures(self) -> Signatures:
        return Signatures.of(self.complaints.texts)

    @cached_property
    def totals(self) -> Totals:
        """The number of standing complaints about each target."""
        listed = np.array([one.filed.target for one in self.listed], np.int64)
        return Totals(np.concatenate([self.complaints.target, listed]))


class Collector:
    """Takes complaints in any order, and lays them out as a ComplaintHistory."""

    def __init__(self, text_min_words: int) -> None:
        self._columns = KeyedComplaints()
        self._text_rows, self._signatures = numbers(), bytearray()  # of the complaints with a text
        self._row_by_id: dict[str, int] = {}  # of `judged_complaints`, and of those that are judged where they stand
        self._part_of: dict[int, int] = {}  # row -> key of the id of the complaint whose act it is part of
        self._reporter_names, self._target_names = Names(), Names()
        self._traits = TargetTraits()
        self._waiting: list[Complaint] = []
        self.judged_complaints = set[str]()  # ids of complaints that outcomes are about: callers of `add` fill it
        self._keys = KeyMaker(text_min_words, self.judged_complaints)

    def add(self, complaint: Complaint) -> None:
        """Take a complaint; the same id again changes nothing."""
        self._waiting.append(complaint)
        if len(self._waiting) >= AT_ONCE:
            self._take_waiting()

    def _take_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting:
            self.take(self._keys.keyed(CheckedComplaints.of(waiting)))

    def take(self, found: KeyedComplaints) -> None:
        """Take many complaints that have their keys, later ones of a file after earlier ones."""
        row = len(self._columns)
        for name in COLUMNS:
            getattr(self._columns, name).extend(getattr(found, name))
        for k, name in found.judged:
            self._row_by_id.setdefault(name, row + k)
        self._part_of |= {row + k: act for k, act in found.part_of}
        self._text_rows.extend(row + k for k, _ in found.signatures)
        self._signatures += b"".join(signature for _, signature in found.signatures)
        self._reporter_names.add(found.reporter_names)
        self._target_names.add(found.target_names)
        self._traits.add(found.features)

    def history(self) -> tuple[ComplaintHistory, dict[str, int]]:
        """Everything in time order, one standing complaint a reporter and target; and the row of each wanted
        complaint.
        """
        self._take_waiting()
        c = self._arrays()
        signatures = Signatures.joined(np.array(self._text_rows, np.int64), self._signatures)
        self._text_rows, self._signatures = numbers(), bytearray()
        duplicates, signatures = self._leave_out_duplicates(c, signatures)
        acts = self._acts(c["id"], c["reporter"])
        order = np.lexsort((c["id"], c["time_us"]))
        apart = np.isin(order, np.fromiter(acts, np.int64, len(acts)))
        parts, order = order[apart], order[~apart]
        order = order[_first_of_pair(c["reporter"][order], c["target"][order])]
        listed = self._listed(c, acts, parts, order)
        repeats = len(c["time_us"]) - len(order) - len(listed)
        place = np.full(len(c["time_us"]), -1, np.int64)
        place[order] = np.arange(1, len(order) + 1)
        complaints = Complaints(
            np.arange(1, len(order) + 1),
            c["time_us"][order] // 1000,
            c["reporter"][order],
            c["target"][order],
            c["context"][order],
            c["author"][order],
            c["created_ms"][order],
            c["fingerprint"][order],
            c["exempt"][order].view(np.bool_),
            signatures.renumbered(place),
        )
        rows = {identity: int(place[row]) for identity, row in self._row_by_id.items() if place[row] > 0}
        return ComplaintHistory(
            complaints,
            _names_of(self._reporter_names, c["reporter"], duplicates),
            _names_of(self._target_names, c["target"], duplicates),
            duplicates,
            repeats,
            listed,
            self._traits,
        ), rows

    def _arrays(self) -> dict[str, Any]:
        """The columns, which the collector lets go of."""
        columns, self._columns = self._columns, KeyedComplaints()
        found = {}
        for name in COLUMNS:
            column, kind = getattr(columns, name), np.uint8 if name == "exempt" else np.int64
            found[name] = np.frombuffer(column, kind) if len(column) else np.empty(0, kind)
        return found

    def _leave_out_duplicates(self, c: dict[str, Any], signatures: Signatures) -> tuple[int, Signatures]:
        """Of complaints with one id, keep the first that was read; returns how many others there are, and the
        signatures of those that stay.
        """
        _, first, which = np.unique(c["id"], return_index=True, return_inverse=True)
        if duplicates := len(c["id"]) - len(first):
            order = np.argsort(first)
            place = np.empty(len(first), np.int64)
            place[order] = np.arange(len(first))
            row_of, stays = place[which], np.zeros(len(c["id"]), bool)  # of every row: that of the first with its id
            stays[first] = True
            for name in COLUMNS:
                c[name] = c[name][first[order]]
            self._part_of = {int(row_of[row]): act for row, act in self._part_of.items() if stays[row]}
            signatures = signatures.renumbered(np.where(stays, row_of, -1))
            self._row_by_id = {name: int(row_of[row]) for name, row in self._row_by_id.items()}
        return duplicates, signatures

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
                seq, time_us = len(standing) + len(found) + 1, int(c["time_us"][row]) // 1000 * 1000
                filed = Membership(seq, reporter, target, time_us, bool(c["exempt"][row]))
                found.append(ListedComplaint(filed, int(c["target"][acts[row]])))
        return tuple(found)


def _time_us(listed: ListedComplaint) -> int:
    return listed.filed.time_us  # whole milliseconds


def _names_of(names: Names, keys: Ints, duplicates: int) -> Names:
    """The names of the keys. Only a complaint that was a duplicate can have brought others."""
    return names.only(keys) if duplicates else names


def _first_of_pair(reporter: Ints, target: Ints) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which rows are the first of their (reporter, target)."""
    order = np.lexsort((np.arange(len(reporter)), target, reporter))
    r, v = reporter[order], target[order]
    first = np.ones(len(reporter), bool)
    first[order[1:]] = (r[1:] != r[:-1]) | (v[1:] != v[:-1])
    return first
