"""Complaints of a file in columns, thousands at once: what an audit of a large file is read by."""

from __future__ import annotations

from collections.abc import Iterator

from service.model import Complaint, RejectedItem
from service.tabular.assembly import Assembler
from service.tabular.checked_complaints import CheckedComplaints
from service.tabular.plain_rows import PlainRows
from service.tabular.reading import SourceFile
from service.tabular.tables import Batch

AT_ONCE = 10_000  # complaints that are no rows of a table


def complaints_in_columns(source: SourceFile) -> Iterator[CheckedComplaints | RejectedItem]:
    """What `source.items()` gives for a file of complaints, without an item for each row of a table.

    Complaints keep the file's order, and so does what is refused; of one batch the latter comes first. Raises Refused.
    """
    rows: PlainRows | None = None

    def of_batch(assembler: Assembler, batch: Batch) -> Iterator[CheckedComplaints | RejectedItem]:
        nonlocal rows
        rows = rows or PlainRows(assembler)
        return rows.read(batch)

    waiting = CheckedComplaints()
    for read in source.read_by(of_batch):
        if not isinstance(read, Complaint):
            yield read
            continue
        waiting.append(read, judged=source.is_judged(read.id))
        if len(waiting) >= AT_ONCE:
            yield waiting
            waiting = CheckedComplaints()
    if len(waiting):
        yield waiting
