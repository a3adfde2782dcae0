"""Files of an audit: whatever is in them, an item is read or refused; and the same complaints are the same in every
kind of file.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import tracemalloc
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import strategies as st
from pyarrow import parquet

from service.errors import Refused
from service.intake.items import COMPLAINT, OUTCOME, Noun, canonical
from tests.fuzz.cases import SCALARS, TEXTS, cases
from workers.audit.files import Reading, read_items

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
NOUNS = st.sampled_from([COMPLAINT, OUTCOME])
COLUMNS = st.sampled_from(
    [
        "id",
        "occurred_at",
        "reporter_id",
        "target_id",
        "author_id",
        "context_id",
        "trusted",
        "reporter_trusted",
        "kind",
        "fingerprint",
        "account_created_at",
        "reason",
        "text",
        "notice_type",
        "url",
        "excerpt",
        "attributes_x",
        "attributes.",
        "decided_at",
        "verdict",
        "action",
        "decided_by",
        "complaint_id",
        "retracts",
        "x",
        "",
        "reporter",
        "target",
    ]
)
CELLS = TEXTS | st.sampled_from(["2026-11-22T10:00:00Z", "true", "FALSE", "1", "upheld", "c-1"])
# without what a table cannot tell from nothing (blanks around it, "NULL") or from a number that lost digits
PRINTABLE = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cc"]), max_size=30).map(
    lambda text: f"_{text}_"
)
ROWS = st.fixed_dictionaries(
    {
        "id": PRINTABLE,
        "occurred_at": st.datetimes(  # hypothesis wants the bounds naive
            datetime(2000, 1, 1),  # noqa: DTZ001
            datetime(2026, 1, 1),  # noqa: DTZ001
            timezones=st.just(UTC),
        ).map(lambda at: at.isoformat().replace("+00:00", "Z")),
        "reporter_id": PRINTABLE,
        "target_id": PRINTABLE,
    },
    optional={"reason": PRINTABLE, "text": PRINTABLE, "author_id": PRINTABLE, "trusted": st.booleans()},
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def read(path: Path, noun: Noun) -> tuple[list[bytes], int]:
    """Canonical lines of what was read, and how many were refused."""
    reading = Reading()
    lines = [canonical(item, noun) for item in read_items(path, noun, NOW, reading, lambda n: None)]
    assert reading.items == len(lines)
    return lines, reading.rejected


def read_or_refused(path: Path, noun: Noun) -> None:
    try:
        read(path, noun)
    except Refused as refused:
        assert path.name in str(refused)


@cases(
    raw=st.binary(max_size=300),
    name=st.sampled_from(["a.ndjson", "a.csv", "a.parquet", "a.ndjson.gz", "a.csv.gz", "a"]),
    noun=NOUNS,
    wrap=st.booleans(),
)
def test_any_bytes_are_read_as_a_file_or_refused(folder: Path, raw: bytes, name: str, noun: Noun, wrap: bool) -> None:
    path = folder / name
    path.write_bytes(gzip.compress(raw) if wrap and name.endswith(".gz") else raw)
    read_or_refused(path, noun)


@cases(
    header=st.lists(COLUMNS, max_size=8),
    rows=st.lists(st.lists(CELLS, max_size=9), max_size=5),
    noun=NOUNS,
    dialect=st.sampled_from(["excel", "unix"]),
)
def test_any_table_of_text_is_read_or_refused(
    folder: Path, header: list[str], rows: list[list[str]], noun: Noun, dialect: str
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, dialect)
    for row in [header, *rows]:
        try:
            writer.writerow(row)
        except csv.Error:  # a cell that cannot be written is none that can be read
            continue
    path = folder / "a.csv"
    path.write_bytes(text.getvalue().encode("utf-8", "surrogatepass"))
    read_or_refused(path, noun)


ARROW = st.sampled_from(
    [
        pa.string(),
        pa.large_string(),
        pa.int64(),
        pa.uint64(),
        pa.float64(),
        pa.bool_(),
        pa.binary(),
        pa.timestamp("us", "UTC"),
        pa.timestamp("ns"),
        pa.timestamp("s", "Europe/Berlin"),
        pa.date32(),
        pa.time64("us"),
        pa.duration("s"),
        pa.decimal128(38, 9),
        pa.list_(pa.int64()),
        pa.struct([("a", pa.string())]),
        pa.dictionary(pa.int8(), pa.string()),
        pa.null(),
        pa.map_(pa.string(), pa.int8()),
    ]
)


@cases(
    columns=st.dictionaries(COLUMNS, st.tuples(ARROW, st.lists(SCALARS, min_size=3, max_size=3)), max_size=6),
    numbers=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=3, max_size=3),
    noun=NOUNS,
)
def test_any_parquet_table_is_read_or_refused(
    folder: Path, columns: dict[str, tuple[pa.DataType, list[Any]]], numbers: list[int], noun: Noun
) -> None:
    made = {name: column(kind, values, numbers) for name, (kind, values) in columns.items()}
    path = folder / "a.parquet"
    try:
        parquet.write_table(pa.table(made), path)
    except (pa.ArrowException, ValueError, UnicodeError):  # no table of this
        return
    read_or_refused(path, noun)


def column(kind: pa.DataType, values: Sequence[Any], numbers: Sequence[int]) -> pa.Array:
    """Three values of the type: those that fit it, else any whole numbers taken for it, else none."""
    for given in (values, numbers):
        try:
            made = pa.array(given, kind)
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            continue
        return made
    try:
        return pa.array(numbers, pa.int64()).view(kind)
    except (pa.ArrowException, TypeError, ValueError):
        return pa.nulls(3, kind)


@cases(rows=st.lists(ROWS, min_size=1, max_size=5, unique_by=lambda row: row["id"]))
def test_every_file_format_gives_the_same_complaints(folder: Path, rows: list[dict[str, Any]]) -> None:
    names = sorted({name for row in rows for name in row})
    text = io.StringIO()
    writer = csv.DictWriter(text, names)
    writer.writeheader()
    writer.writerows(
        [
            {name: str(value) if not isinstance(value, bool) else str(value).lower() for name, value in row.items()}
            for row in rows
        ]
    )
    (folder / "a.csv").write_text(text.getvalue(), newline="")
    parquet.write_table(
        pa.Table.from_pylist(
            rows, pa.schema([(name, pa.bool_() if name == "trusted" else pa.string()) for name in names])
        ),
        folder / "a.parquet",
    )
    documents = [
        {
            "id": row["id"],
            "occurred_at": row["occurred_at"],
            "reporter": {"id": row["reporter_id"], **({"trusted": row["trusted"]} if "trusted" in row else {})},
            "target": {"id": row["target_id"], **({"author_id": row["author_id"]} if "author_id" in row else {})},
            **{name: row[name] for name in ("reason", "text") if name in row},
        }
        for row in rows
    ]
    (folder / "a.ndjson.gz").write_bytes(
        gzip.compress("\n".join(json.dumps(document) for document in documents).encode())
    )
    table, rejected = read(folder / "a.parquet", COMPLAINT)
    assert (len(table), rejected) == (len(rows), 0)
    assert read(folder / "a.csv", COMPLAINT) == read(folder / "a.ndjson.gz", COMPLAINT) == (table, 0)


@pytest.mark.parametrize("name", ["a.ndjson.gz", "a.csv.gz"])
def test_a_small_file_with_one_endless_line_is_refused_without_being_loaded(folder: Path, name: str) -> None:
    path = folder / name
    item = b'{"id":"c","occurred_at":"2026-11-22T10:00:00Z","reporter":{"id":"r"},"target":{"id":"t"}}\n'
    with gzip.open(path, "wb", 1) as file:
        if name.startswith("a.ndjson"):
            file.write(item)
        for _ in range(256):
            file.write(b"x" * 1_048_576)
        file.write(b"\n" + item)
    tracemalloc.start()
    try:
        if name.startswith("a.ndjson"):
            lines, rejected = read(path, COMPLAINT)
            assert (len(lines), rejected) == (2, 1)
        else:
            read_or_refused(path, COMPLAINT)
        assert tracemalloc.get_traced_memory()[1] < 32 * 1_048_576
    finally:
        tracemalloc.stop()
