"""What an uploaded file holds: its items as the reader yields them, and a preview of them for the person who imports.

The preview shows what would be stored, after the tenant's privacy filter; so do the sentences about what was refused.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from service.errors import Refused
from service.intake.items import COMPLAINT
from service.intake.privacy_filter import Erased, PrivacyFilter
from service.model import Complaint, JsonObject, RejectedItem, microseconds, moment
from service.storage.complaints.import_content import ContentSeal, chunks
from service.storage.complaints.imports import ImportRecord
from service.tabular.options import ReadingOptions
from service.tabular.reading import SourceFile
from service.tabular.reading_choice import ReadingChoice, in_a_form
from service.tabular.refusals import UnclearColumns, UnclearParts
from workers.resources import Resources

MOST_ITEMS = 1_000_000  # of an import: its lines are held in memory while they are sent in the order of their times
ROWS_SHOWN, REFUSED_SHOWN, NOTES_SHOWN = 10, 20, 30
_FOLDER = "brigadewatch-import-"
_FORGOTTEN_SECONDS = 3_600  # a folder of that age belongs to a process that was killed
_QUOTED = re.compile(r"""(?<!\w)(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")""")  # as repr writes: which quotes depends
_REPORT_SECONDS = 0.5


class StepStopped(Exception):
    """The step was stopped, or its file deleted: what was done of it counts for nothing."""


@contextmanager
def plain_file(resources: Resources, tenant_id: int, one: ImportRecord, seal: ContentSeal) -> Iterator[Path]:
    """The upload in a folder of its own that only this user can enter, deleted at the end of the block."""
    for left in Path(tempfile.gettempdir()).glob(f"{_FOLDER}*"):
        if resources.now_us() / 1e6 - left.stat().st_mtime > _FORGOTTEN_SECONDS:
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_FOLDER) as folder:
        path = Path(folder) / one.name
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            for part in chunks(resources.engine, seal, tenant_id, one.id):
                file.write(part)
        yield path


def options_of(one: ImportRecord) -> ReadingOptions:
    """How the person wants the file to be read."""
    return ReadingChoice.of(one.options).options()


@dataclass
class Preview:
    """What was read of a file."""

    privacy_filter: PrivacyFilter
    items: int = 0
    refused: int = 0
    oldest_us: int | None = None
    newest_us: int | None = None
    rows: list[JsonObject] = field(default_factory=list)
    refusals: list[JsonObject] = field(default_factory=list)

    def add(self, item: Complaint) -> None:
        """Count a complaint; the first ones are shown."""
        at = microseconds(item.occurred_at)
        self.oldest_us = at if self.oldest_us is None else min(at, self.oldest_us)
        self.newest_us = at if self.newest_us is None else max(at, self.newest_us)
        try:
            if len(self.rows) < ROWS_SHOWN:
                self.rows.append(_shown(self.privacy_filter.line_of(item, COMPLAINT)))
            elif self.privacy_filter.is_erased(item.reporter.id):
                raise Erased("the reporter was erased")
        except Erased as erased:
            self.refuse(RejectedItem(detail=str(erased), pointer="/reporter/id"))
            return
        self.items += 1

    def refuse(self, item: RejectedItem, header: list[str] | None = None) -> None:
        """Count a row that cannot be read; the first ones are shown with their lines."""
        self.refused += 1
        if len(self.refusals) < REFUSED_SHOWN:
            self.refusals.append({"line": item.line, "detail": self.said(item.detail, header or [])})

    def said(self, sentence: str, header: list[str]) -> str:
        """A sentence of the reader, as it may be shown."""
        return without_values(in_a_form(sentence), header, self.privacy_filter)


def without_values(sentence: str, header: list[str], privacy_filter: PrivacyFilter) -> str:
    """A sentence about a row, without values of it where the tenant's rules would not store them."""
    if not privacy_filter.pseudonyms and privacy_filter.keep_text:
        return sentence
    return _QUOTED.sub(lambda found: found[0] if found[0][1:-1] in header else "'…'", sentence)


def _shown(line: bytes) -> JsonObject:
    body = from_json(line[1:])
    target = body["target"]
    return {
        "at": body["occurred_at"],
        "reporter": body["reporter"]["id"],
        "target": target["id"],
        "author": target.get("author_id", ""),
        "context": target.get("context_id", ""),
        "reason": body.get("reason", ""),
        "text": body.get("text", "")[:200],
    }


def reading_progress(path: Path, progress: Callable[[float], None]) -> Callable[[int], None]:
    """Takes numbers of bytes, and passes on the share of the file twice a second."""
    size, done, said = max(path.stat().st_size, 1), 0, time.monotonic()

    def advanced(count: int) -> None:
        nonlocal done, said
        done += count
        if time.monotonic() - said > _REPORT_SECONDS:
            said = time.monotonic()
            progress(min(1.0, done / size))

    return advanced


def read_preview(
    path: Path,
    options: ReadingOptions,
    privacy_filter: PrivacyFilter,
    now: datetime,
    progress: Callable[[float], None],
) -> JsonObject:
    """Read the whole file; what is found in it, as JSON. What refuses the file as a whole stands in `error`."""
    found, header, source, error = Preview(privacy_filter), list[str](), None, ""
    try:
        source = SourceFile(path, COMPLAINT, now, options, reading_progress(path, progress))
        header = source.header
        for item in source.items():
            if isinstance(item, RejectedItem):
                found.refuse(item, header)
            elif isinstance(item, Complaint):
                found.add(item)
            if found.items + found.refused > MOST_ITEMS:
                raise Refused(f"it has more than {MOST_ITEMS:,} rows: split it, or send it with `brigadewatch replay`")
        if not found.items:
            error = "no row of it can be read as a complaint" if found.refused else "nothing is in it"
    except UnclearColumns as unclear:
        error, header = found.said(unclear.problem, unclear.header), unclear.header
    except UnclearParts as unclear:
        error = found.said(unclear.problem, unclear.parts)
    except Refused as refused:  # of rows that were read before, nothing is shown
        error, found = found.said(refused.problem, header), Preview(privacy_filter)
    return _document(found, source, header, error)


def _document(found: Preview, source: SourceFile | None, header: list[str], error: str) -> JsonObject:
    fields = {} if source is None else {r.column: r.field for r in source.read_as}
    notes = [] if source is None else [*source.notes, *source.amended.sentences()]
    return {
        "kind": "" if source is None else in_a_form(source.kind),
        "error": error,
        "header": header,
        "read_as": {column: fields[column] for column in header if column in fields},
        "items": found.items,
        "refused": found.refused,
        "refusals": found.refusals,
        "rows": found.rows,
        "notes": [found.said(note, header) for note in notes[:NOTES_SHOWN]],
        "verdicts": 0 if source is None else len(source.outcomes()),
        "oldest": _time(found.oldest_us),
        "newest": _time(found.newest_us),
        "oldest_us": found.oldest_us,
    }


def _time(us: int | None) -> Any:
    return None if us is None else moment(us).astimezone(UTC).isoformat()
