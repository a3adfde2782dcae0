"""A whole document: one object, an array, or NDJSON, read in slices, so that the caller can do other work in between.

batch = Submission()
for _ in read_document(body, COMPLAINT, "ndjson", now, batch):
    ...  # a slice is done, after a few milliseconds at most
batch.lines, batch.rejected, batch.rejected_count, batch.notes
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from service.errors import TooMany
from service.intake.encoding import MARK, wide_encoding
from service.intake.items import Amended, CheckedItem, MachineComplaint, Noun, parsed, read_line, read_value
from service.intake.json_bounds import MAX_VALUES_OF_BODY
from service.intake.namespaces import item_under
from service.intake.notes import MAX_REPORTED, NoteCount
from service.intake.pointers import json_fault
from service.intake.privacy_filter import Erased, PrivacyFilter
from service.model import Complaint, RejectedItem

MAX_ARRAY_ITEMS = 1_000
MAX_LINES = 10_000
# Half a millisecond, with the signature of a text: other requests wait for some slices of each batch in progress.
SLICE_ITEMS = 10
SLICE_BYTES = 64 * 1024


Form = Literal["json", "ndjson"]


class Marker(Protocol):
    """Makes what the stream counts of a complaint: of the target's id, and the reporter's as stored (None: a complaint
    that is never discounted). `trusted`: never discounted either, unless the tenant's registry of trusted flaggers
    decides about the reporter.
    """

    def __call__(self, target_id: str, reporter_id: str | None, trusted: bool = False) -> bytes:
        """The mark."""


def mark_of(marker: Marker, target_id: str, reporter_id: str, *, trusted: bool, notice_type: str | None) -> bytes:
    """The mark of a complaint by a person; `reporter_id` as it is stored."""
    return marker(target_id, None if notice_type == "illegal_content" else reporter_id, trusted)


class UnreadableDocument(ValueError):
    """The document as a whole is not valid JSON; none of it was stored."""


@dataclass(slots=True)
class Submission:
    """The items of a document, as they may be stored."""

    privacy_filter: PrivacyFilter = field(default_factory=PrivacyFilter)  # the tenant's; the default changes nothing
    lines: list[bytes] = field(default_factory=list)  # canonical, in the document's order
    marker: Marker | None = None  # None: no marks are made
    marks: list[bytes] = field(default_factory=list)  # of complaints by people; empty for other items
    namespace: str | None = None  # of all ids in the document
    rejected: list[RejectedItem] = field(default_factory=list)  # the first MAX_REPORTED
    rejected_count: int = 0
    notes: NoteCount = field(default_factory=NoteCount)

    def add(self, item: CheckedItem | Amended | RejectedItem, noun: Noun, number: int | None = None) -> None:
        """Add an item that was read, or the reason why it was refused; `number` is its line, if there are lines."""
        item, notes = (item.item, item.notes) if isinstance(item, Amended) else (item, ())
        if not isinstance(item, RejectedItem):
            try:
                kept = item_under(self.namespace, item)
                self.lines.append(self.privacy_filter.line_of(kept, noun))
                if self.marker is not None:
                    self.marks.append(self._mark(kept, self.marker))
                for note in notes:
                    self.notes.add(note)
                return
            except Erased as refused:
                item = RejectedItem(line=number, id=item.id, detail=str(refused), pointer="/reporter/id")
        self.rejected_count += 1
        if len(self.rejected) < MAX_REPORTED:
            self.rejected.append(item)

    def _mark(self, item: CheckedItem, marker: Marker) -> bytes:
        if not isinstance(item, Complaint) or isinstance(item, MachineComplaint):
            return b""
        reporter = self.privacy_filter.reporter(item.reporter.id)
        return mark_of(marker, item.target.id, reporter, trusted=item.reporter.trusted, notice_type=item.notice_type)


def read_document(document: bytes, noun: Noun, form: Form, now: datetime, batch: Submission) -> Iterator[None]:
    """Fill `batch` from the document, yielding after each slice.

    Raises UnreadableDocument and TooMany, both before anything is in the batch.
    """
    return _read_lines(document, noun, now, batch) if form == "ndjson" else _read_json(document, noun, now, batch)


def without_mark(document: bytes) -> bytes:
    """The document without a byte order mark. Raises UnreadableDocument for another encoding than UTF-8."""
    fault = wide_encoding(document)
    if fault is not None:
        raise UnreadableDocument(f"body {fault}")
    return document.removeprefix(MARK)


def value_of(document: bytes, max_values: int = MAX_VALUES_OF_BODY) -> Any:
    """The document's JSON value. Raises UnreadableDocument, and TooMany beyond `max_values`."""
    document = without_mark(document)
    try:
        return parsed(document, max_values)
    except ValueError as error:
        raise UnreadableDocument(json_fault(error)) from None


def _read_json(document: bytes, noun: Noun, now: datetime, batch: Submission) -> Iterator[None]:
    value = value_of(document)
    yield
    if not isinstance(value, list):
        batch.add(read_value(value, noun, now), noun)
        return
    if len(value) > MAX_ARRAY_ITEMS:
        raise TooMany(
            f"array has {len(value)} items; at most {MAX_ARRAY_ITEMS} are accepted: split it, or send NDJSON with up to"
            f" {MAX_LINES} lines"
        )
    for number, element in enumerate(value, 1):
        batch.add(read_value(element, noun, now, number), noun, number)
        if number % SLICE_ITEMS == 0:
            yield


def _read_lines(document: bytes, noun: Noun, now: datetime, batch: Submission) -> Iterator[None]:
    document = without_mark(document)
    # Counted before splitting: eight megabytes of newlines would be eight million objects.
    count = document.count(b"\n") + (not document.endswith(b"\n"))
    if count > MAX_LINES:
        raise TooMany(f"body has {count} lines; at most {MAX_LINES} are accepted: split it")
    yield
    held = 0
    for number, raw in enumerate(_lines(document), 1):
        text = raw.strip(b" \t\r")
        if not text:
            continue  # a blank line holds nothing, but it counts, so that `line` is what an editor shows
        batch.add(read_line(text, noun, now, number), noun, number)
        held += len(text)
        if number % SLICE_ITEMS == 0 or held > SLICE_BYTES:
            held = 0
            yield


def _lines(document: bytes) -> Iterator[bytes]:
    """The lines one by one: splitting eight megabytes at once takes as long as two slices."""
    start = 0
    while (end := document.find(b"\n", start)) >= 0:
        yield document[start:end]
        start = end + 1
    yield document[start:]
