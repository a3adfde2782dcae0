"""No cell of a CSV file is a formula, for no spreadsheet, and text that is none stays as it is."""

from __future__ import annotations

import csv
import io

import pytest

from service.console.csv_files import csv_response
from service.console.spreadsheet_text import without_formulas


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("+49 170", "'+49 170"),
        ("-2+3", "'-2+3"),
        ("\n=1", "\n'=1"),
        ("\r\n=1", "\r\n'=1"),
        ("\t=1", "\t'=1"),
        ("  =1", "  '=1"),
        ("\u00a0=1", "\u00a0'=1"),
        ("\u3000=1", "\u3000'=1"),
        ("\ufeff=1", "\ufeff'=1"),
        ("\u200b\u2060=1", "\u200b\u2060'=1"),
        ("\u202e=1", "\u202e'=1"),
        ("\x00=1", "\x00'=1"),
        ("＝1", "'＝1"),
        ("＋1", "'＋1"),
        ("－1", "'－1"),
        ("＠A1", "'＠A1"),
        ("﹦1", "'﹦1"),
        ("⁼1", "'⁼1"),
        ("−1+1", "'−1+1"),
        ("|calc", "'|calc"),
        ("%0A", "'%0A"),
        ('"=1', "\"'=1"),
        ("fine;=1", "fine;'=1"),
        ("fine\n@A1", "fine\n'@A1"),
        ("fine\t＝1", "fine\t'＝1"),
        ('fine; "=1', "fine; \"'=1"),
        ("a;;=1;-x", "a;;'=1;'-x"),
    ],
)
def test_every_beginning_of_a_formula_gets_an_apostrophe(text: str, written: str) -> None:
    assert without_formulas(text) == written


@pytest.mark.parametrize(
    "text",
    ["", "-5", "+0.25", "1e-9", "-1.5E+30", "a=b", "r-77", "it's 5 - 3", "'=1", "über", "https://a/?b=c", "\n", ";"],
)
def test_text_that_begins_no_formula_is_unchanged(text: str) -> None:
    assert without_formulas(text) == text


def test_a_file_read_with_commas_or_with_semicolons_has_no_formula() -> None:
    hostile = ['=HYPERLINK("http://evil")', '\n=cmd|" /C calc"!A0', "x;=1+1", '";=1+1', "＝1", '\ufeff"\n=1']

    async def text() -> str:
        return "".join(
            [part async for part in csv_response("x", ("a", "b"), lambda: [(h, h) for h in hostile]).body_iterator]
        )

    import asyncio

    file = asyncio.run(text())
    assert file.count("HYPERLINK") == 2 and len(list(csv.reader(io.StringIO(file)))) == 1 + len(hostile)
    for delimiter in (",", ";", "\t"):
        for row in csv.reader(io.StringIO(file), delimiter=delimiter):
            for cell in row:
                assert cell.strip('\ufeff" \n\t')[:1] not in tuple("=+-@＝＋－＠|%"), (delimiter, row)
