"""Workbooks of other kinds than .xlsx, made by other libraries: as right as those, and as bounded."""

from __future__ import annotations

import gzip
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tabular_files import expected, facts, read, rows, written, zipped

from service.errors import Refused

WORKBOOKS = Path(__file__).with_name("workbooks")  # each with the rows of tabular_files, and a sheet of something else
KINDS = {
    "made-by-xlwt.xls": "Excel 97-2003 workbook, sheet 'Reports'",
    "made-by-pyxlsbwriter.xlsb": "binary Excel workbook, sheet 'Reports'",
    "made-by-odfpy.ods": "OpenDocument workbook, sheet 'Reports'",
}
OPEN_DOCUMENT = b"application/vnd.oasis.opendocument.spreadsheet"
CONTENT = """<?xml version="1.0"?><office:document-content
 xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"
 xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0">
<office:body><office:spreadsheet><table:table table:name="Reports">{}</table:table></office:spreadsheet></office:body>
</office:document-content>"""


def open_document(path: Path, cells: str) -> Path:
    """An OpenDocument workbook with this XML in its one sheet."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", OPEN_DOCUMENT, zipfile.ZIP_STORED)
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
        archive.writestr("content.xml", CONTENT.format(cells))
    return path


def text(value: str, more: str = "") -> str:
    return f'<table:table-cell office:value-type="string"{more}><text:p>{value}</text:p></table:table-cell>'


def row(*cells: str) -> str:
    return f"<table:table-row>{''.join(cells)}</table:table-row>"


def repeated(count: int) -> str:
    cells = text("x", ' table:number-columns-repeated="1000"')
    return f'<table:table-row table:number-rows-repeated="{count}">{cells}</table:table-row>'


@pytest.mark.parametrize("name", KINDS)
def test_its_dates_numbers_and_words_are_read(tmp_path: Path, name: str) -> None:
    content = (WORKBOOKS / name).read_bytes()
    for path in (
        WORKBOOKS / name,
        written(tmp_path / "a.csv", content),
        written(tmp_path / "b", gzip.compress(content)),
    ):
        items, refused, source = read(path)
        assert (facts(items), refused, len(items)) == (expected(rows()), [], len(rows()))
        assert source.kind == KINDS[name]
        assert [c.target.author_id for c in items] == [r["author"] for r in rows()]
        assert any(note.startswith("only the sheet 'Reports' is read, not ") for note in source.notes)
    assert facts(read(written(tmp_path / "a.zip", zipped(name, content)))[0]) == expected(rows())


@pytest.mark.parametrize("name", KINDS)
def test_the_sheet_can_be_chosen(name: str) -> None:
    assert facts(read(WORKBOOKS / name, sheet="Reports")[0]) == expected(rows())
    with pytest.raises(Refused, match="has no sheet 'September': its sheets are .*, Reports"):
        read(WORKBOOKS / name, sheet="September")


def test_lines_are_the_sheet_s_and_a_formula_s_error_costs_its_row(tmp_path: Path) -> None:
    names = row(*map(text, ("reporter", "post_id", "created_at")))
    date = '<table:table-cell office:value-type="date" office:date-value="2026-10-01T09:30:00"/>'
    number = '<table:table-cell office:value-type="float" office:value="500"/>'
    empty = '<table:table-row table:number-rows-repeated="3"><table:table-cell/></table:table-row>'
    rest = [row(text("a"), number, date), empty, row(text("#REF!"), number, date), row(text("b"), number)]
    items, refused, _ = read(open_document(tmp_path / "a.ods", names + "".join(rest) + row(text("c"), number, date)))
    assert [(c.reporter.id, c.target.id) for c in items] == [("a", "500"), ("c", "500")]
    assert items[0].occurred_at == datetime(2026, 10, 1, 9, 30, tzinfo=UTC)
    assert [(r.line, r.detail) for r in refused] == [
        (6, "a formula of this row has an error"),
        (7, "'created_at' is empty"),
    ]


def test_numbers_that_lost_digits_are_refused(tmp_path: Path) -> None:
    names = row(*map(text, ("reporter", "post_id", "created_at")))
    number = '<table:table-cell office:value-type="float" office:value="1234567890123456789"/>'
    rest = row(text("a"), number, text("2026-10-01T09:00:00Z")) + row(
        text("a"), text("7"), text("2026-10-01T10:00:00Z")
    )
    items, refused, _ = read(open_document(tmp_path / "a.ods", names + rest))
    assert [c.target.id for c in items] == ["7"] and [r.line for r in refused] == [2]
    assert "more digits than a spreadsheet" in refused[0].detail


@pytest.mark.parametrize(
    "cells",
    [
        repeated(1_000_000),
        row(text("x")) + '<table:table-row table:number-rows-repeated="1048574"><table:table-cell/></table:table-row>'
        + row('<table:table-cell table:number-columns-repeated="16383"/>', text("x")),
        repeated(90_000),
    ],
    ids=["repeated", "far corner", "repeated as often as calamine allows"],
)  # fmt: skip
def test_what_would_fill_the_memory_is_refused(tmp_path: Path, cells: str) -> None:
    with pytest.raises(Refused, match=r"a\.ods .*takes too much memory"):
        read(open_document(tmp_path / "a.ods", cells))


def test_what_inflates_beyond_measure_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    path = open_document(tmp_path / "a.ods", row(text("x")))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Pictures/bomb", b"\0" * (80 << 20))
    with pytest.raises(Refused, match="inflates to more"):
        read(path)


def test_entities_are_not_expanded_into_cells(tmp_path: Path) -> None:
    bomb = CONTENT.replace(
        '<?xml version="1.0"?>',
        f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "{"x" * 99}"><!ENTITY b "&a;&a;">'
        '<!ENTITY f SYSTEM "/etc/passwd">]>',
    )
    with zipfile.ZipFile(tmp_path / "a.ods", "w") as archive:
        archive.writestr("mimetype", OPEN_DOCUMENT)
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
        names = row(*map(text, ("reporter", "post_id", "created_at")))
        archive.writestr("content.xml", bomb.format(names + row(text("&b;"), text("&f;"), text("2026-10-01"))))
    try:
        items, _, _ = read(tmp_path / "a.ods")
    except Refused:
        return
    assert not any("xx" in c.reporter.id or "root" in c.target.id for c in items)


@pytest.mark.parametrize("name", KINDS)
def test_half_a_workbook_is_refused(tmp_path: Path, name: str) -> None:
    content = (WORKBOOKS / name).read_bytes()
    with pytest.raises(Refused, match=r"a\.dat is"):
        read(written(tmp_path / "a.dat", content[: len(content) // 2]))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 1000, "a file of another old Office program"),
        (zipped("mimetype", b"application/vnd.oasis.opendocument.text"), "not a spreadsheet"),
    ],
    ids=["Word", "Writer"],
)
def test_documents_of_the_same_programs_are_refused(tmp_path: Path, content: bytes, says: str) -> None:
    with pytest.raises(Refused, match=says):
        read(written(tmp_path / "a", content))
