"""Every list of the console as a CSV file, streamed so that a long one is never held in memory.

Times are in UTC with their offset, whatever the person's time zone, so that two people's files agree. A file has at
most MOST_ROWS rows; one that is cut says so in its last row.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime

from starlette.responses import StreamingResponse

from service.console.spreadsheet_text import without_formulas

MOST_ROWS = 1_000_000  # about as many as a spreadsheet opens
_ROWS_AT_ONCE = 500
_UNNAMED = re.compile(r"[^A-Za-z0-9._-]+")

Cell = str | int | float | bool | datetime | None


def csv_response(name: str, header: Sequence[str], rows: Callable[[], Iterable[Sequence[Cell]]]) -> StreamingResponse:
    """The table as a file that the browser saves as `name`.csv.

    `rows` is called once, on a thread, and may read lazily. Text that a spreadsheet would run as a formula gets an
    apostrophe before it; `csv_cell` says how times and booleans are written.
    """
    headers = {"Content-Disposition": f'attachment; filename="{file_name(name)}.csv"', "Cache-Control": "no-store"}
    return StreamingResponse(_lines(header, rows), media_type="text/csv; charset=utf-8", headers=headers)


def file_name(name: str) -> str:
    """The name reduced to characters that are safe in a header and a file name; never empty."""
    return _UNNAMED.sub("-", name).strip("-.")[:80] or "table"


def csv_cell(value: object) -> str | int | float | None:
    """A value as a cell: times as RFC 3339 in UTC (+00:00), booleans as yes or no, anything else unchanged."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if value is None or isinstance(value, (str, int, float)) else str(value)


def escape_formula(cell: Cell) -> Cell:
    """The cell with an apostrophe before text that a spreadsheet might run as a formula."""
    return without_formulas(cell) if isinstance(cell, str) else cell


def _cut(rows: Iterable[Sequence[Cell]]) -> Iterator[Sequence[Cell]]:
    for number, row in enumerate(rows):
        if number == MOST_ROWS:
            yield (f"Cut after {MOST_ROWS:,} rows. Narrow the filters to get the rest.",)
            return
        yield row


def _lines(header: Sequence[str], rows: Callable[[], Iterable[Sequence[Cell]]]) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(header)
    for number, row in enumerate(_cut(rows()), 1):
        writer.writerow([escape_formula(csv_cell(cell)) for cell in row])
        if number % _ROWS_AT_ONCE == 0:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()
