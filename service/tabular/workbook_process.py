"""A process of its own that reads one workbook by calamine, within bounds: a small file may ask for any memory.

The workbook comes by standard input. What is in it goes out as lines of JSON: `["title"]` begins a sheet,
`[number, cells]` is a row, `true` the end; an object with `error` says why there is none. It is run by
`service.tabular.older_workbooks` as a file, isolated, and imports nothing of ours.
"""

from __future__ import annotations

import io
import json
import sys
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from typing import Any

MEMORY = 3 * 1024**3 // 2
SECONDS = 300
MOST_OUT = 1024**3
MOST_CELLS = 2_001  # of a row: one more than a table has columns


def _cell(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, datetime | date | time):
        return {type(value).__name__: value.isoformat()}
    return str(value) if isinstance(value, timedelta) else value


def _write(line: Any, left: int) -> int:
    text = json.dumps(line) + "\n"
    left -= len(text)
    if left < 0:
        raise MemoryError
    sys.stdout.write(text)
    return left


def _main() -> None:
    with suppress(ImportError, ValueError, OSError):
        import resource  # not on Windows

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    from python_calamine import CalamineError, PasswordError, load_workbook

    left = MOST_OUT
    try:
        book = load_workbook(io.BytesIO(sys.stdin.buffer.read()))
        for title in book.sheet_names:
            sheet = book.get_sheet_by_name(title)
            left = _write([title], left)
            for number, row in enumerate(sheet.iter_rows(), 1):
                cells = [None if value == "" else _cell(value) for value in row]
                cells = cells[: MOST_CELLS - 1] + [c for c in cells[MOST_CELLS - 1 :] if c is not None][:1]
                while cells and cells[-1] is None:
                    cells.pop()
                if cells:
                    left = _write([number, cells], left)
        _write(True, left)
    except PasswordError:
        _write({"error": "password"}, MOST_OUT)
    except MemoryError:
        _write({"error": "memory"}, MOST_OUT)
    except (CalamineError, ValueError, OverflowError, KeyError, OSError) as error:
        _write({"error": str(error)[:200]}, MOST_OUT)


if __name__ == "__main__":
    _main()
