"""Workbooks of other kinds than .xlsx: Excel's older and binary ones (.xls, .xlsb) and OpenDocument's (.ods).

calamine reads them, and holds each sheet as a full rectangle: a file of a few kilobytes with a cell in the last corner
takes gigabytes. So it works in a process of its own with bounded memory and time, and only its rows come back.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, BinaryIO

from service.errors import Refused
from service.tabular.workbook import check_inflation
from service.tabular.workbook_process import SECONDS

MOST_BYTES = 256 * 1024**2  # of a file; .xls is not compressed
KINDS = {"xls": "Excel 97-2003 workbook", "xlsb": "binary Excel workbook", "ods": "OpenDocument workbook"}
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT")  # to the process: not our settings and secrets
_TYPES: dict[str, Any] = {"datetime": datetime, "date": date, "time": time}


class ReadSheet:
    """A sheet, with its rows as lines of JSON."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.lines: list[bytes] = []

    def rows(self) -> Iterator[tuple[int, list[Any]]]:
        """Its rows with their numbers."""
        for line in self.lines:
            number, cells = json.loads(line)
            yield number, [_value(cell) if isinstance(cell, dict) else cell for cell in cells]


def sheets_of(stream: BinaryIO, name: str, kind: str) -> list[ReadSheet]:
    """The sheets of a workbook. Raises Refused for a damaged one, and for one that takes too much memory or time."""
    if kind != "xls":
        check_inflation(stream, name)
    content = stream.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise Refused(f"{name} has more than {MOST_BYTES >> 20} MiB: save the sheet as .xlsx or CSV")
    found: list[ReadSheet] = []
    end: Any = None
    for line in _answer(content).splitlines():
        if line.startswith(b'["'):
            found.append(ReadSheet(json.loads(line)[0]))
        elif line.startswith(b"["):
            found[-1].lines.append(line)
        else:
            end = json.loads(line)
    if end is True:
        return found
    why = end["error"] if isinstance(end, dict) else "memory"
    if why == "password":
        raise Refused(f"{name} is encrypted: save it without a password")
    if why == "memory":
        raise Refused(f"{name} takes too much memory or time to read: save the sheet as .xlsx or CSV")
    other = ", or a file of another old Office program" if kind == "xls" else ""
    raise Refused(
        f"{name} is a damaged workbook, one that takes too much memory{other} ({why}): save the sheet as .xlsx or CSV"
    )


def _answer(content: bytes) -> bytes:
    """What the process says; as much as it could say if it was ended."""
    program = Path(__file__).with_name("workbook_process.py")
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(program)],
            input=content,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=2 * SECONDS,
            check=False,
            env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        )
    except subprocess.TimeoutExpired:
        return b""
    return done.stdout if done.returncode == 0 else b""


def _value(cell: dict[str, str]) -> Any:
    ((kind, text),) = cell.items()
    return _TYPES[kind].fromisoformat(text)
