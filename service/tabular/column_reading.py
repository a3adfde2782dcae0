"""Complaints of a file in columns, thousands at once: what an audit of a large file is read by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from service.intake.items import COMPLAINT, CheckedItem
from service.model import Complaint, RejectedItem
from service.tabular.assembly import Assembler
from service.tabular.checked_complaints import CheckedComplaints
from service.tabular.plain_items import PlainItems
from service.tabular.plain_rows import PlainRows
from service.tabular.reading import Reader
from service.tabular.tables import Batch


class BatchColumns:
    """Reads the batches of one file of complaints in columns, without an item for each of its rows or lines."""

    def __init__(self) -> None:
        self._rows: PlainRows | None = None
        self._items: PlainItems | None = None

    def of(self, reader: Reader | None, batch: Batch) -> Iterator[CheckedComplaints | RejectedItem]:
        """What is refused of a batch, then its complaints."""
        yield from batch.refused
        if isinstance(reader, Assembler):
            self._rows = self._rows or PlainRows(reader)
            yield from self._rows.read(batch)
        elif reader is not None and reader.as_lines and reader.noun is COMPLAINT:
            self._items = self._items or PlainItems(reader)
            yield from self._items.read(batch)
        elif reader is not None:
            refused = list[RejectedItem]()
            found = CheckedComplaints.of(_complaints_of(reader.items(batch), refused))
            yield from refused
            if len(found):
                yield found


def _complaints_of(items: Iterable[CheckedItem | RejectedItem], refused: list[RejectedItem]) -> Iterator[Complaint]:
    for item in items:
        if isinstance(item, RejectedItem):
            refused.append(item)
        elif isinstance(item, Complaint):
            yield item
