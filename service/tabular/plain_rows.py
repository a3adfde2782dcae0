"""Rows of a recognised table as complaints in columns: plain cells by the column, other rows one by one. PURE.

Most rows of a file are plain: their ids, times and texts are valid as they stand. A row with anything else in it is
read by the Assembler, so that what is refused, cut, left out or counted is the same as in a file read row by row.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from types import NoneType
from typing import Any

from service.fields import ATTRIBUTE_NAME_CHARACTERS, MAX_ATTRIBUTES, is_storable
from service.intake.items import LEEWAY
from service.model import Complaint, RejectedItem, microseconds
from service.tabular.assembly import LONGEST, LONGEST_FINGERPRINT, LONGEST_URL, Assembler, row_id
from service.tabular.checked_complaints import CheckedComplaints
from service.tabular.plain_values import (
    ODD,
    Remembered,
    plain_account_time,
    plain_attributes,
    plain_flag,
    plain_id,
    plain_moment,
    plain_name,
    plain_notice,
    plain_words,
    unknown,
    with_kind,
)
from service.tabular.tables import Batch
from service.tabular.vocabulary import Field

Meaning = Callable[[Any], Any]

_LEEWAY_US = LEEWAY // LEEWAY.resolution


class PlainRows:
    """Reads the batches of one table of complaints, with the Assembler that reads its rows."""

    def __init__(self, assembler: Assembler) -> None:
        found = assembler.recognition
        self._assembler = assembler
        self._columns = {name: use.columns[0] for name, use in found.uses.items()}
        self._attributes = tuple(found.attributes)
        self._latest_us = microseconds(assembler.now + LEEWAY)
        self._meanings = _meanings(assembler)
        self._meaning_of_targets = Remembered(with_kind) if found.with_kind else None
        self._meaning_of_attributes = Remembered(partial(plain_attributes, tuple(found.attributes.values())))
        self._are_plain = (
            all(len(use.columns) == 1 and use.clock is None for use in found.uses.values())
            and len(found.attributes) <= MAX_ATTRIBUTES
            and all(0 < len(n) <= ATTRIBUTE_NAME_CHARACTERS and is_storable(n) for n in found.attributes.values())
        )

    def read(self, batch: Batch) -> Iterator[CheckedComplaints | RejectedItem]:
        """What is refused of a batch, then its complaints; both in the file's order."""
        rows, assembler = batch.rows, self._assembler
        if not rows:
            return
        columns, odd = self._read_plain(rows)
        left_out: set[int] = set()
        # A verdict counts from its row on: with verdicts, rows are gone through in order.
        for k in range(len(rows)) if "verdict" in self._columns else sorted(odd):
            if k not in odd:
                assembler.judge(columns.ids[k], columns.targets[k], columns.time_us[k], rows[k])
                columns.judged[k] = columns.ids[k] in assembler.judged
                continue
            item = assembler.read(batch.lines[k], rows[k])
            if isinstance(item, Complaint):
                columns.put(k, item, judged=item.id in assembler.judged)
                continue
            left_out.add(k)
            if isinstance(item, RejectedItem):
                yield item
        if left_out:
            columns = columns.only([k not in left_out for k in range(len(rows))])
        if len(columns):
            yield columns

    def _read_plain(self, rows: Sequence[Sequence[Any]]) -> tuple[CheckedComplaints, Collection[int]]:
        """The columns of all rows, and the rows that have to be read one by one: theirs are not filled."""
        cells = list(zip(*rows, strict=True))
        used = (*self._columns.values(), *self._attributes)
        if not self._are_plain or not all(set(map(type, cells[c])) <= {str, NoneType} for c in used):
            return CheckedComplaints.blank(len(rows)), range(len(rows))
        style = self._assembler.times["occurred_at"]
        moments = [plain_moment(value, style) for value in cells[self._columns["occurred_at"]]]
        time_us = [0 if moment is ODD else microseconds(moment) for moment in moments]
        read = {name: self._read_column(name, cells, len(rows)) for name in self._meanings}
        if self._meaning_of_targets is not None:
            kinds_and_ids = zip(read["kind"], read["target_id"], strict=True)
            read["target_id"] = list(map(self._meaning_of_targets.__getitem__, kinds_and_ids))
        attributes = self._read_attributes(cells, len(rows))
        odd = _odd_in(moments, attributes, *read.values())
        odd |= self._odd_times(time_us, read["account_created_at"])
        if self._assembler.recognition.only is not None:
            odd |= {k for k, row in enumerate(rows) if not self._assembler.recognition.only.has(row)}
        ids, reporters, targets = read["id"], read["reporter_id"], read["target_id"]
        for k in [k for k, own in enumerate(ids) if own is None]:
            if k not in odd:
                ids[k] = row_id(reporters[k], targets[k], moments[k])
        return CheckedComplaints(
            ids,
            time_us,
            reporters,
            read["account_created_at"],
            read["fingerprint"],
            [bool(t) or n == "illegal_content" for t, n in zip(read["trusted"], read["notice_type"], strict=True)],
            targets,
            read["kind"],
            read["author_id"],
            read["context_id"],
            read["excerpt"],
            attributes,
            read["text"],
            read["part_of"],
            [False] * len(rows),
        ), odd

    def _read_column(self, name: Field, cells: Sequence[Sequence[Any]], count: int) -> list[Any]:
        column = self._columns.get(name)
        return [None] * count if column is None else list(map(self._meanings[name], cells[column]))

    def _read_attributes(self, cells: Sequence[Sequence[Any]], count: int) -> list[Any]:
        if not self._attributes:
            return [None] * count
        values = zip(*(cells[column] for column in self._attributes), strict=True)
        return list(map(self._meaning_of_attributes.__getitem__, values))

    def _odd_times(self, time_us: Sequence[int], created_us: Sequence[Any]) -> set[int]:
        """The complaints of the future, and those by accounts that are younger than they."""
        odd = {k for k, at in enumerate(time_us) if at > self._latest_us}
        if "account_created_at" in self._columns:
            of_both = enumerate(zip(time_us, created_us, strict=True))
            odd |= {k for k, (at, since) in of_both if isinstance(since, int) and since > at + _LEEWAY_US}
        return odd


def _meanings(assembler: Assembler) -> dict[Field, Meaning]:
    """How the cells of each field are read, except the time; what stands in many rows is remembered."""
    style = assembler.times.get("account_created_at")
    repeated: dict[Field, Meaning] = {
        "reporter_id": partial(plain_name, guests=assembler.recognition.guests),
        "target_id": partial(plain_name, guests=assembler.recognition.nothing),
        "author_id": plain_id,
        "context_id": plain_id,
        "account_created_at": unknown if style is None else partial(plain_account_time, style=style),
        "fingerprint": partial(plain_words, longest=LONGEST_FINGERPRINT),
        "trusted": plain_flag,
        "notice_type": plain_notice,
        "kind": partial(plain_words, longest=LONGEST["kind"]),
        "reason": partial(plain_words, longest=LONGEST["reason"]),
        "context_title": partial(plain_words, longest=LONGEST["context_title"]),
        "context_url": partial(plain_words, longest=LONGEST_URL),
    }
    return {
        "id": plain_id,
        "part_of": plain_id,
        "url": partial(plain_words, longest=LONGEST_URL),
        "excerpt": partial(plain_words, longest=LONGEST["excerpt"]),
        "text": partial(plain_words, longest=LONGEST["text"]),
        **{name: Remembered(meaning).__getitem__ for name, meaning in repeated.items()},
    }


def _odd_in(*columns: Sequence[Any]) -> set[int]:
    """The rows with an odd value in one of the columns."""
    return {k for column in columns if ODD in column for k, value in enumerate(column) if value is ODD}
