"""Complaints and outcomes from files: NDJSON (also gzipped), CSV and Parquet.

The only I/O of the audit, with the report.

Rows of a table have flat columns: `reporter_id`, `reporter_account_created_at`, `target_author_id` ... or, where it is
unambiguous, without the prefix (`author_id`, `context_id`, `account_created_at`, `fingerprint`, `trusted`).
Each row goes through the same checks as a POST; what they refuse is counted, with its line.
"""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

from service.errors import Refused
from service.intake.documents import NoteCount
from service.intake.encoding import wide_encoding
from service.intake.items import MAX_LINE_BYTES, OUTCOME, Amended, Noun, read_line, read_value
from service.model import Frozen, RejectedItem

_REPORTER = {
    "id": "reporter_id",
    "account_created_at": "account_created_at",
    "fingerprint": "fingerprint",
    "trusted": "trusted",
}
_TARGET = {
    "id": "target_id",
    "kind": "kind",
    "author_id": "author_id",
    "context_id": "context_id",
    "url": "url",
    "excerpt": "excerpt",
}
_TOP = ("id", "occurred_at", "reason", "text", "notice_type")
_OUTCOME = ("id", "target_id", "decided_at", "verdict", "action", "decided_by", "complaint_id", "retracts")
_LONGEST_LINE = MAX_LINE_BYTES + 2
REJECTED_SHOWN = 5


@dataclass(slots=True)
class Reading:
    """How reading went."""

    items: int = 0
    rejected: int = 0
    examples: list[str] = field(default_factory=list)  # the first few refusals, for people
    notes: NoteCount = field(default_factory=NoteCount)

    def refuse(self, path: Path, item: RejectedItem) -> None:
        """Count a refusal and keep the first few."""
        self.rejected += 1
        if len(self.examples) < REJECTED_SHOWN:
            self.examples.append(f"{path.name}:{item.line}: {item.pointer or 'item'}: {item.detail}")


def read_items(
    path: Path, noun: Noun, now: datetime, reading: Reading, progress: Callable[[int], None]
) -> Iterator[Frozen]:
    """The valid items of a file, in its order. `progress` is called with the number of bytes read since the last call.

    Raises Refused for a file that is none of the three kinds or cannot be read.
    """
    kind = "".join(path.suffixes[-2:]) if path.suffix == ".gz" else path.suffix
    readers = {".parquet": _parquet, ".csv": _csv, ".csv.gz": _csv}
    reader = readers.get(kind.lower(), _ndjson)
    try:
        for item in reader(path, noun, now, progress):
            if isinstance(item, RejectedItem):
                reading.refuse(path, item)
                continue
            reading.items += 1
            if isinstance(item, Amended):
                for note in item.notes:
                    reading.notes.add(note)
                item = item.item
            yield item
    except FileNotFoundError:
        raise Refused(f"{path} does not exist") from None
    except IsADirectoryError:
        raise Refused(f"{path} is a folder: name the files in it") from None
    except (OSError, EOFError, UnicodeError, csv.Error, zlib.error) as error:
        raise Refused(f"{path} cannot be read as {kind or 'NDJSON'}: {error}") from error


def _opened(path: Path, raw: BinaryIO) -> BinaryIO:
    return cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if path.suffix == ".gz" else raw


def _ndjson(
    path: Path, noun: Noun, now: datetime, progress: Callable[[int], None]
) -> Iterator[Frozen | Amended | RejectedItem]:
    with path.open("rb") as raw:
        before = 0
        for number, line in enumerate(_lines(_opened(path, raw)), 1):
            if number % 1000 == 0:
                progress(raw.tell() - before)
                before = raw.tell()
            if line.strip():
                yield read_line(line.strip(), noun, now, number)
        progress(raw.tell() - before)


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file; of one that is longer than any item may be, as much as shows that, so that a file of one
    endless line cannot exhaust memory. Raises UnicodeError for another encoding than UTF-8.
    """
    first = True
    while line := file.readline(_LONGEST_LINE):
        if first and (fault := wide_encoding(line)) is not None:
            raise UnicodeError(f"it {fault}")
        first = False
        yield line
        while len(line) == _LONGEST_LINE and not line.endswith(b"\n"):
            line = file.readline(_LONGEST_LINE)


def _csv(
    path: Path, noun: Noun, now: datetime, progress: Callable[[int], None]
) -> Iterator[Frozen | Amended | RejectedItem]:
    with path.open("rb") as raw:
        lines, before = (
            (line.decode("utf-8-sig" if k == 0 else "utf-8") for k, line in enumerate(_lines(_opened(path, raw)))),
            0,
        )
        for number, row in enumerate(csv.DictReader(lines), 2):
            if number % 1000 == 0:
                progress(raw.tell() - before)
                before = raw.tell()
            yield read_value(
                nested({k: v for k, v in row.items() if k and v not in (None, "")}, noun), noun, now, number
            )
        progress(raw.tell() - before)


def _parquet(
    path: Path, noun: Noun, now: datetime, progress: Callable[[int], None]
) -> Iterator[Frozen | Amended | RejectedItem]:
    from pyarrow import ArrowException, parquet  # heavy, and only needed here

    try:
        table = parquet.ParquetFile(path)
        share = max(1, path.stat().st_size // max(1, table.num_row_groups))
        number = 0
        for group in range(table.num_row_groups):
            for batch in table.iter_batches(row_groups=[group]):
                for row in _rows(batch):
                    number += 1
                    if row is None:
                        yield RejectedItem(
                            line=number, detail="a value of this row is outside the range of its type", pointer=""
                        )
                    else:
                        yield read_value(
                            nested({k: v for k, v in row.items() if v is not None}, noun), noun, now, number
                        )
            progress(share)
    except ArrowException as error:
        raise Refused(f"{path} cannot be read as Parquet: {error}") from error


def _rows(batch: Any) -> Iterator[dict[str, Any] | None]:
    """The rows of an Arrow batch; None for one with a value that Python cannot hold (a time beyond its calendar)."""
    try:
        yield from batch.to_pylist()
        return
    except (OverflowError, ValueError):
        pass  # nothing was yielded yet: convert row by row
    for k in range(batch.num_rows):
        try:
            yield batch.slice(k, 1).to_pylist()[0]
        except (OverflowError, ValueError):
            yield None


def nested(row: Mapping[str, Any], noun: Noun) -> dict[str, Any]:
    """A flat row in the shape of a complaint or an outcome; columns that are neither are attributes of the target."""
    left = dict(row)

    def take(*names: str) -> Any:
        return next((_plain(left.pop(n)) for n in names if n in left), None)

    if noun is OUTCOME:
        return {k: v for k in _OUTCOME if (v := take(k)) is not None} | left
    top = {k: v for k in _TOP if (v := take(k)) is not None}
    reporter = {k: v for k, flat in _REPORTER.items() if (v := take(f"reporter_{k}", flat)) is not None}
    target = {k: v for k, flat in _TARGET.items() if (v := take(f"target_{k}", flat)) is not None}
    if isinstance(reporter.get("trusted"), str):
        reporter["trusted"] = {"true": True, "1": True, "false": False, "0": False}.get(
            reporter["trusted"].lower(), reporter["trusted"]
        )
    attributes = {k.removeprefix("attributes_").removeprefix("attributes."): _plain(v) for k, v in left.items()}
    return top | {"reporter": reporter, "target": target | ({"attributes": attributes} if attributes else {})}


def _plain(value: Any) -> Any:
    """Ids come as text and times as RFC 3339, whatever a table's type; a naive time stays naive and is refused."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat() if value.tzinfo else value.isoformat()
    return value
