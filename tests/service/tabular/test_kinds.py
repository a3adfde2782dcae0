"""Every kind of file that people have gives the same complaints, or is refused with a sentence that names the mend."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet
from tabular_files import compressed, csv_of, expected, facts, lines_of, read, rows, workbook_of, written, zipped

from service.errors import Refused

ROWS = rows()
TEXT = csv_of(ROWS)
KINDS = {
    "comma": TEXT.encode(),
    "semicolon": csv_of(ROWS, ";").encode(),
    "tab": csv_of(ROWS, "\t").encode(),
    "bar": csv_of(ROWS, "|").encode(),
    "all quoted": csv_of(ROWS, quote_all=True).encode(),
    "Windows line ends": csv_of(ROWS, end="\r\n").encode(),
    "old Mac line ends": csv_of(ROWS, end="\r").encode(),
    "UTF-8 with mark": TEXT.encode("utf-8-sig"),
    "UTF-16": TEXT.encode("utf-16"),
    "UTF-16, big end first": b"\xfe\xff" + TEXT.encode("utf-16-be"),
    "UTF-16 without mark": TEXT.encode("utf-16-le"),
    "sep line": b"sep=;\r\n" + csv_of(ROWS, ";", end="\r\n").encode(),
    "title above": b"Reports of October\n\n" + TEXT.encode(),
    "blank lines": TEXT.replace("\n", "\n\n").encode(),
    "no newline at the end": TEXT.rstrip().encode(),
    "gzip": compressed(TEXT),
    "zip": zipped("export/reports.csv", TEXT.encode()),
    "gzip in zip": zipped("reports.csv.gz", compressed(TEXT)),
    "flat NDJSON": lines_of(ROWS).encode(),
    "flat NDJSON, UTF-16": lines_of(ROWS).encode("utf-16"),
    "JSON list": json.dumps(ROWS).encode(),
    "JSON list, indented": json.dumps(ROWS, indent=2).encode(),
    "list in a document": json.dumps({"exported": "today", "reports": ROWS}).encode(),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_is_read_by_its_content_whatever_it_is_called(tmp_path: Path, kind: str) -> None:
    for name in ("reports.csv", "reports.dat"):
        items, refused, _ = read(written(tmp_path / name, KINDS[kind]))
        assert (facts(items), refused, len(items)) == (expected(ROWS), [], len(ROWS))
        assert {c.target.author_id for c in items} == {r["author"] for r in ROWS}
        assert {c.reason for c in items} == {r["reason"] for r in ROWS}


def test_windows_1252_is_read_where_the_bytes_cannot_be_utf_8_and_said(tmp_path: Path) -> None:
    given = [row | {"reporter": f"Müller{k % 3}", "reason": "Beleidigung – übel"} for k, row in enumerate(ROWS)]
    items, refused, source = read(written(tmp_path / "a.csv", csv_of(given, ";").encode("cp1252")))
    assert (facts(items), refused) == (expected(given), [])
    assert "Windows-1252" in source.kind and items[0].reason == "Beleidigung – übel"


def test_damaged_utf_8_costs_its_rows_and_not_the_file(tmp_path: Path) -> None:
    given = [row | {"reporter": f"Jürgen{k}"} for k, row in enumerate(ROWS)]
    content = csv_of(given).encode().replace("Jürgen7".encode(), b"J\xff\xfergen7")
    items, refused, source = read(written(tmp_path / "a.csv", content))
    assert len(items) == len(ROWS) - 1 and [r.line for r in refused] == [9] and "UTF-8" in source.kind


def test_a_workbook_is_read_with_its_dates_and_its_numbers(tmp_path: Path) -> None:
    cells: list[list[object]] = [["Reports of October"], [], ["Reporter", "Post ID", "Reported at", "Note"]]
    cells += [[f"user{k % 4}", 500 + k % 3, datetime(2026, 10, 1 + k, 9, 30), None] for k in range(12)]  # noqa: DTZ001
    items, refused, source = read(workbook_of(cells, tmp_path / "reports.bin"))
    assert refused == [] and len(items) == 12 and "Excel" in source.kind
    assert {c.target.id for c in items} == {"500", "501", "502"}
    assert items[0].occurred_at == datetime(2026, 10, 1, 9, 30, tzinfo=UTC)
    assert [r.column for r in source.read_as if r.field == "occurred_at"] == ["Reported at"]


def test_numbers_of_a_workbook_that_lost_digits_are_refused(tmp_path: Path) -> None:
    cells: list[list[object]] = [["reporter", "post_id", "created_at"]]
    cells += [[f"user{k}", 1234567890123456789 if k == 2 else 7, "2026-10-01T09:00:00Z"] for k in range(4)]
    items, refused, _ = read(workbook_of(cells, tmp_path / "a.xlsx"))
    assert len(items) + len(refused) == 4
    assert not [c for c in items if c.target.id.startswith("12345") and c.target.id != "1234567890123456789"]


def test_a_parquet_file_of_any_sane_types(tmp_path: Path) -> None:
    table = pa.table(
        {
            "reporter": pa.array([1, 2, 3], pa.int32()),
            "post_id": pa.array([b"a1", b"a2", b"a1"], pa.binary()),
            "created_at": pa.array([datetime(2026, 10, d, tzinfo=UTC) for d in (1, 2, 3)], pa.timestamp("ms", "UTC")),
            "day": pa.array([date(2026, 10, 1)] * 3),
            "tags": pa.array([["x"], [], ["y"]]),
            "author": pa.array([{"id": 7.0}, {"id": 8.0}, {"id": 7.0}], pa.struct([("id", pa.float64())])),
        }
    )
    parquet.write_table(table, tmp_path / "a.dat")
    items, refused, source = read(tmp_path / "a.dat")
    assert refused == [] and [(c.reporter.id, c.target.id) for c in items] == [("1", "a1"), ("2", "a2"), ("3", "a1")]
    assert [c.target.author_id for c in items] == ["7", "8", "7"]
    assert any("tags" in note for note in source.notes)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"%PDF-1.7 ...", "is a PDF"),
        (b"--\n-- PostgreSQL database dump\n--\n", "dump of a database"),
        (b"-- phpMyAdmin SQL Dump\n", "dump of a database"),
        (b"/*!40101 SET NAMES utf8 */;\n", "dump of a database"),
        (b"INSERT INTO `reports` VALUES (1,2,3);\n", "dump of a database"),
        pytest.param(zipped("Index/Document.iwa", b"x"), "Numbers document", id="Numbers"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"<?xml version='1.0'?><reports/>", "no list of reports"),
        (b"SQLite format 3\0" + b"\0" * 100, "database"),
        (b"just a sentence\nand another\n", "one column"),
        (b"12,77,2026-10-01T09:00:00Z\n13,77,2026-10-01T10:00:00Z\n", "has no header"),
        pytest.param(zipped("a.csv", b"x")[:40], "zip", id="half a zip"),  # its bytes have the time in them
        (b"PK\x03\x04 not really", "damaged zip"),
        (b'{"a": [1, 2}', "JSON"),
        (b"[1, 2, 3]", "no reports"),
    ],
)
def test_what_is_not_a_table_is_refused_with_what_it_is(tmp_path: Path, content: bytes, says: str) -> None:
    with pytest.raises(Refused, match=r"reports\.csv") as caught:
        read(written(tmp_path / "reports.csv", content))
    assert says in str(caught.value)


def test_an_archive_with_several_files_names_them(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("users.csv", "a,b\n")
        archive.writestr("export/first.csv.gz", compressed(TEXT))
        archive.writestr("../../../etc/second.csv", TEXT)
    with pytest.raises(Refused, match=r"'export/first\.csv\.gz', '.*second\.csv' could each be.*--sheet 'export/first"):
        read(tmp_path / "a.zip")
    for chosen in ("export/first.csv.gz", "../../../etc/second.csv"):
        assert facts(read(tmp_path / "a.zip", sheet=chosen)[0]) == expected(ROWS)
    with pytest.raises(Refused, match=r"contains 3 files \(users\.csv, "):
        read(tmp_path / "a.zip", sheet="third.csv")


def test_the_one_file_with_reports_in_an_archive_is_read(tmp_path: Path) -> None:
    comments = csv_of([{"id": k} | r for k, r in enumerate(ROWS)]).replace("reporter", "user_id")
    for name, others in (("export.csv", {}), ("flags.csv", {"comments.csv": comments})):
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.writestr("readme.txt", "see the forum")
            archive.writestr("users.csv", "id,name,created_at\n1,x,2026-10-01T09:00:00Z\n")
            for other, content in ({name: TEXT} | others).items():
                archive.writestr(other, content)
        items, refused, source = read(tmp_path / "a.zip")
        assert (facts(items), refused) == (expected(ROWS), []) and f"from {name!r} in the archive" in source.notes


def test_a_path_in_an_archive_is_never_written(tmp_path: Path) -> None:
    items, _, _ = read(written(tmp_path / "a.zip", zipped("../escaped.csv", TEXT.encode())))
    assert len(items) == len(ROWS) and not (tmp_path.parent / "escaped.csv").exists()


@pytest.mark.parametrize("wrap", [gzip.compress, partial(zipped, "a.csv")])
def test_what_inflates_beyond_measure_is_refused(tmp_path: Path, wrap: Callable[[bytes], bytes]) -> None:
    two = b"".join(b"%b,t,2026-10-01T09:00:00Z,%b\n" % (who, b"x" * 4_000) for who in (b"a", b"b"))
    bomb = b"reporter,post_id,created_at,text\n" + two * 10_000
    with pytest.raises(Refused, match="inflates to more than"):
        read(written(tmp_path / "bomb", wrap(bomb)))


def test_a_workbook_that_inflates_beyond_measure_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    path = workbook_of([["reporter", "post_id", "created_at"], ["a", "b", "2026-10-01T09:00:00Z"]], tmp_path / "a.xlsx")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/bomb", b"\0" * (80 << 20))
    with pytest.raises(Refused, match="inflates to more"):
        read(path)


def test_a_cell_in_the_farthest_corner_does_not_fill_the_memory(tmp_path: Path) -> None:
    from openpyxl import load_workbook

    path = workbook_of([["reporter", "post_id", "created_at"], ["a", "b", "2026-10-01T09:00:00Z"]], tmp_path / "a.xlsx")
    book = load_workbook(path)
    book.active["XFD1048576"] = "x"
    book.save(path)
    items, refused, _ = read(path)
    assert len(items) == 1 and [r.line for r in refused] == [1_048_576]


@pytest.mark.parametrize("content", [b"", b"\n\n \n", pytest.param(compressed(""), id="gzip")])
def test_an_empty_file_has_nothing_and_says_so(tmp_path: Path, content: bytes) -> None:
    items, refused, source = read(written(tmp_path / "a.csv", content))
    assert (items, refused, source.kind) == ([], [], "empty")
