"""Tables as CSV files, streamed in pages so that a long one is never held in memory."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime

from starlette.responses import StreamingResponse

from service.console.spreadsheet_text import without_formulas

_ROWS_AT_ONCE = 500
_UNNAMED = re.compile(r"[^A-Za-z0-9._-]+")

Cell = str | int | float | None


def csv_response(name: str, header: Sequence[str], rows: Callable[[], Iterable[Sequence[Cell]]]) -> StreamingResponse:
    """The table as a file that the browser saves as `name`.csv.

    `rows` is called once, on a thread, and may read lazily. Text that a spreadsheet would run as a formula gets an
    apostrophe before it.
    """
    headers = {"Content-Disposition": f'attachment; filename="{file_name(name)}.csv"', "Cache-Control": "no-store"}
    return StreamingResponse(_lines(header, rows), media_type="text/csv; charset=utf-8", headers=headers)


def file_name(name: str) -> str:
    """The name reduced to characters that are safe in a header and a file name; never empty."""
    return _UNNAMED.sub("-", name).strip("-.")[:80] or "table"


def csv_cell(value: object) -> Cell:
    """A value as a cell: times as RFC 3339 in UTC, booleans as yes or no, anything else unchanged."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if value is None or isinstance(value, (str, int, float)) else str(value)


def escape_formula(cell: Cell) -> Cell:
    """The cell with an apostrophe before text that a spreadsheet might run as a formula."""
    return without_formulas(cell) if isinstance(cell, str) else cell


def _lines(header: Sequence[str], rows: Callable[[], Iterable[Sequence[Cell]]]) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(header)
    for number, row in enumerate(rows(), 1):
        writer.writerow([escape_formula(cell) for cell in row])
        if number % _ROWS_AT_ONCE == 0:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()
