"""Known rows, and how to write them as people's files: for the tests of the reader and its fuzz."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from service.intake.items import COMPLAINT, Noun
from service.model import Complaint, Frozen, RejectedItem
from service.tabular.checked_complaints import CheckedComplaints
from service.tabular.column_reading import BatchColumns
from service.tabular.options import ReadingOptions
from service.tabular.reading import SourceFile

NOW = datetime(2026, 11, 22, tzinfo=UTC)
START = datetime(2026, 10, 1, 8, 30, tzinfo=UTC)
Rows = list[dict[str, Any]]


def rows(count: int = 40, *, reporters: int = 7, targets: int = 11) -> Rows:
    """Reports of a forum: who, which post, by whom, when, why."""
    return [
        {
            "reporter": f"user{k % reporters}",
            "post_id": str(500 + k % targets),
            "author": f"writer{(k % targets) % 5}",
            "created_at": (START + timedelta(hours=7 * k)).isoformat(),
            "reason": ("spam", "rude", "off topic")[k % 3],
        }
        for k in range(count)
    ]


def csv_of(given: Rows, delimiter: str = ",", *, quote_all: bool = False, end: str = "\n") -> str:
    """The rows as CSV."""
    text = io.StringIO()
    quoting = csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL
    writer = csv.DictWriter(text, list(given[0]), delimiter=delimiter, quoting=quoting, lineterminator=end)
    writer.writeheader()
    writer.writerows(given)
    return text.getvalue()


def workbook_of(given: Sequence[Sequence[Any]], path: Path, title: str = "Reports") -> Path:
    """Rows of cells as an Excel workbook."""
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = title
    for row in given:
        sheet.append(list(row))
    book.save(path)
    return path


def zipped(name: str, content: bytes) -> bytes:
    """A zip archive with one file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return out.getvalue()


def written(path: Path, content: str | bytes) -> Path:
    """A file with this content."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(path: Path, noun: Noun = COMPLAINT, **options: Any) -> tuple[list[Any], list[RejectedItem], SourceFile]:
    """The items of a file, what was refused, and how it was read; complaints in columns have to say the same."""
    source = SourceFile(path, noun, NOW, ReadingOptions(**({"assume_utc": True} | options)))
    items: list[Frozen] = []
    refused: list[RejectedItem] = []
    complaints, judged = list[Complaint](), list[bool]()
    for item in source.items():
        if isinstance(item, RejectedItem):
            refused.append(item)
            continue
        items.append(item)
        if isinstance(item, Complaint):
            complaints.append(item)
            judged.append(source.is_judged(item.id))
    if noun is COMPLAINT:
        expected_columns = CheckedComplaints.of(complaints)
        expected_columns.judged = judged
        again = SourceFile(path, noun, NOW, ReadingOptions(**({"assume_utc": True} | options)))
        columns, refused_again = in_columns(again)
        assert (columns, refused_again) == (expected_columns, refused)
        assert (again.notes, again.amended, again.outcomes()) == (source.notes, source.amended, source.outcomes())
    return items, refused, source


def in_columns(source: SourceFile) -> tuple[CheckedComplaints, list[RejectedItem]]:
    """The complaints of a file in columns, and what was refused."""
    found, refused = CheckedComplaints(), list[RejectedItem]()
    columns = BatchColumns()
    for part in (part for batch in source.batches() for part in columns.of(*batch)):
        if isinstance(part, RejectedItem):
            refused.append(part)
            continue
        for column in fields(part):
            getattr(found, column.name).extend(getattr(part, column.name))
    return found, refused


def facts(items: Sequence[Any]) -> set[tuple[str, str, datetime]]:
    """Who complained about what, and when."""
    return {(c.reporter.id, c.target.id, c.occurred_at) for c in items}


def expected(given: Rows) -> set[tuple[str, str, datetime]]:
    """The facts of known rows."""
    return {(r["reporter"], r["post_id"], datetime.fromisoformat(r["created_at"])) for r in given}


def compressed(content: str) -> bytes:
    """Text in gzip."""
    return gzip.compress(content.encode())


def lines_of(given: Rows) -> str:
    """The rows as flat NDJSON."""
    return "".join(json.dumps(row) + "\n" for row in given)
