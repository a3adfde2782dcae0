"""A whole document: one object, an array, or NDJSON; read in slices, so that its reader can do other things between.

batch = Batch()
for _ in read_document(body, COMPLAINT, "ndjson", now, batch):
    ...  # a slice is done, a few milliseconds at most
batch.lines, batch.rejected, batch.rejected_count
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from service.intake.items import Noun, canonical, parsed, read_line, read_value
from service.intake.privacy_filter import Erased, PrivacyFilter
from service.model import Frozen, RejectedItem

MAX_ARRAY_ITEMS = 1_000
MAX_LINES = 10_000
MAX_REPORTED = 100  # errors listed in one answer; the rest is counted
# half a millisecond, with the signature of a text: whoever asks meanwhile waits for some slices of each batch under way
SLICE_ITEMS = 10
SLICE_BYTES = 64 * 1024

Form = Literal["json", "ndjson"]


class UnreadableDocument(ValueError):
    """The document as a whole is no JSON; nothing of it was taken."""


class TooManyItems(ValueError):
    """The document holds more items than one call may; nothing of it was taken."""


@dataclass(slots=True)
class Submission:
    """What a document held, as it may be stored."""

    privacy_filter: PrivacyFilter = field(
        default_factory=PrivacyFilter
    )  # the tenant's; the default lets everything pass as it is
    lines: list[bytes] = field(default_factory=list)  # canonical, in the document's order
    rejected: list[RejectedItem] = field(default_factory=list)  # the first MAX_REPORTED
    rejected_count: int = 0

    def add(self, item: Frozen | RejectedItem, noun: Noun, number: int | None = None) -> None:
        """Take an item that was read, or note why it was refused; `number` is its line's, where there are lines."""
        if not isinstance(item, RejectedItem):
            try:
                self.lines.append(self.privacy_filter.line(canonical(item, noun)))
                return
            except Erased as refused:
                item = RejectedItem(line=number, id=item.id, detail=str(refused), pointer="/reporter/id")  # type: ignore[attr-defined]
        self.rejected_count += 1
        if len(self.rejected) < MAX_REPORTED:
            self.rejected.append(item)


def read_document(document: bytes, noun: Noun, form: Form, now: datetime, batch: Submission) -> Iterator[None]:
    """Fill `batch` from the document, yielding after each slice.

    Raises UnreadableDocument and TooManyItems, both before anything is in the batch.
    """
    return _read_lines(document, noun, now, batch) if form == "ndjson" else _read_json(document, noun, now, batch)


def _read_json(document: bytes, noun: Noun, now: datetime, batch: Submission) -> Iterator[None]:
    try:
        value = parsed(document)
    except ValueError as error:
        raise UnreadableDocument(f"the body is no JSON: {error}"[:300]) from None
    yield
    if not isinstance(value, list):
        batch.add(read_value(value, noun, now), noun)
        return
    if len(value) > MAX_ARRAY_ITEMS:
        raise TooManyItems(
            f"the array holds {len(value)} items; at most {MAX_ARRAY_ITEMS} are taken at once: split it, or send NDJSON"
            f" with up to {MAX_LINES} lines"
        )
    for number, element in enumerate(value, 1):
        batch.add(read_value(element, noun, now, number), noun, number)
        if number % SLICE_ITEMS == 0:
            yield


def _read_lines(document: bytes, noun: Noun, now: datetime, batch: Submission) -> Iterator[None]:
    # Counted before splitting: eight megabytes of newlines would be eight million objects.
    count = document.count(b"\n") + (not document.endswith(b"\n"))
    if count > MAX_LINES:
        raise TooManyItems(f"the document has {count} lines; at most {MAX_LINES} are taken at once: split it")
    yield
    held = 0
    for number, raw in enumerate(_lines(document), 1):
        text = raw.strip(b" \t\r")
        if not text:
            continue  # a blank line is no item, but it counts, so that `line` is what an editor shows
        batch.add(read_line(text, noun, now, number), noun, number)
        held += len(text)
        if number % SLICE_ITEMS == 0 or held > SLICE_BYTES:
            held = 0
            yield


def _lines(document: bytes) -> Iterator[bytes]:
    """The lines one by one: splitting eight megabytes at once holds everybody up for as long as two slices."""
    start = 0
    while (end := document.find(b"\n", start)) >= 0:
        yield document[start:end]
        start = end + 1
    yield document[start:]
