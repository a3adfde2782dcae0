"""Tables as CSV files, page by page, so that a long one is never held whole."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime

from starlette.responses import StreamingResponse

_ROWS_AT_ONCE = 500
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?\Z", re.ASCII)
_UNNAMED = re.compile(r"[^A-Za-z0-9._-]+")

Cell = str | int | float | None


def csv_response(name: str, header: Sequence[str], rows: Callable[[], Iterable[Sequence[Cell]]]) -> StreamingResponse:
    """The table as a file that the browser saves as `name`.csv.

    `rows` is called once, on a thread, and may read as it goes. What a spreadsheet would take for a formula gets an
    apostrophe before it.
    """
    headers = {"Content-Disposition": f'attachment; filename="{file_name(name)}.csv"', "Cache-Control": "no-store"}
    return StreamingResponse(_lines(header, rows), media_type="text/csv; charset=utf-8", headers=headers)


def file_name(name: str) -> str:
    """The name without anything that a header or a file system could take amiss; never empty."""
    return _UNNAMED.sub("-", name).strip("-.")[:80] or "table"


def written(value: object) -> Cell:
    """A value as a cell: times in UTC as RFC 3339, yes and no for a truth; anything else as it is."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if value is None or isinstance(value, (str, int, float)) else str(value)


def harmless(cell: Cell) -> Cell:
    """The cell as it may be opened in a spreadsheet: text that begins like a formula is marked as text."""
    if isinstance(cell, str) and cell.startswith(_FORMULA) and not _NUMBER.match(cell):
        return f"'{cell}"
    return cell


def _lines(header: Sequence[str], rows: Callable[[], Iterable[Sequence[Cell]]]) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(header)
    for number, row in enumerate(rows(), 1):
        writer.writerow([harmless(cell) for cell in row])
        if number % _ROWS_AT_ONCE == 0:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()
