"""Excel workbooks (.xlsx), streamed: a sheet is never held whole, and formulas are read as the values they had."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, BinaryIO
from xml.etree.ElementTree import ParseError

from service.errors import Refused
from service.tabular.borders import is_title, merged_head
from service.tabular.choosing import chosen_part, only_note
from service.tabular.opening import most_inflated
from service.tabular.tables import MOST_COLUMNS, Batch, Table, is_blank, refused, unique_names

MOST_INFLATED = 1024**3
_BATCH = 2_000
_TITLES = 30  # rows among which the header is
_SHOWING = 20  # rows below that show it
_ERRORS = ("#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NUM!", "#NULL!")


class WorkbookTable:
    """The one sheet of a workbook that has a table."""

    def __init__(self, stream: BinaryIO, name: str, sheet: str | None, fits: Callable[[Table], bool]) -> None:
        from openpyxl import load_workbook  # heavy, and only needed here
        from openpyxl.utils.exceptions import InvalidFileException

        self._name = name
        self.notes: list[str] = []
        self._damage = (
            zipfile.BadZipFile, InvalidFileException, ParseError, KeyError, ValueError, TypeError, AttributeError,
            EOFError, IndexError, OverflowError,
        )  # fmt: skip
        _check_inflation(stream, name)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # styles and extensions that are of no interest here
                book = load_workbook(stream, read_only=True, data_only=True, keep_links=False)
                sheets = [s for s in book.worksheets if sheet is None or s.title == sheet]
        except self._damage as error:
            raise Refused(f"{name} is a damaged workbook: {error}") from None
        if not sheets:
            titles = ", ".join(s.title for s in book.worksheets[:10])
            raise Refused(f"{name} has no sheet {sheet!r}: its sheets are {titles}")
        self._choose(sheets, fits)

    def _choose(self, sheets: Sequence[Any], fits: Callable[[Table], bool]) -> None:
        """The one sheet with a header, or the one of several that is a table of reports."""
        found = []
        for sheet in sheets:
            sheet.reset_dimensions()  # what a workbook says of its size is often wrong
            if (header := self._header_of(sheet)) is not None:
                found.append((sheet, *header))
        if not found:
            raise Refused(f"{self._name} has no sheet with a header and rows")

        def fitting(part: tuple[Any, int, list[str]]) -> bool:
            self._sheet, self._header_at, self.header = part
            return fits(self)

        parts = [(part[0].title, part) for part in found]
        title = chosen_part(self._name, "sheets", parts, None, fitting, by_name=False)
        self._sheet, self._header_at, self.header = dict(parts)[title]
        self.notes += only_note("sheet", title, [other for other, _ in parts])

    def _header_of(self, sheet: Any) -> tuple[int, list[str]] | None:
        top = list(islice(self._cells(sheet), _TITLES + _SHOWING))
        for k, (number, cells) in enumerate(top[:_TITLES]):
            filled = [c for c in cells if not is_blank(c)]
            if len(filled) >= 2 and not is_title(cells, [below for _, below in top[k + 1 :]]):
                while is_blank(cells[-1]):
                    cells.pop()
                if len(cells) > MOST_COLUMNS:
                    raise Refused(f"{self._name} has more than {MOST_COLUMNS:,} columns: no table of reports has")
                if not any(isinstance(c, str) for c in filled):
                    raise Refused(f"{self._name} has no header: add a first row with the columns' names")
                for over, under, at in ((k - 1, k, number), (k, k + 1, number + 1)):
                    if over >= 0 and under < len(top) and (names := merged_head(top[over][1], top[under][1])):
                        return at, unique_names(names)
                return number, unique_names(cells)
        return None

    def _cells(self, sheet: Any) -> Iterator[tuple[int, list[Any]]]:
        try:
            for number, row in enumerate(sheet.iter_rows(values_only=True), 1):
                cells = list(row[:MOST_COLUMNS])
                cells += [c for c in row[MOST_COLUMNS:] if c is not None][:1]  # refused, and not lost
                yield number, cells
        except self._damage as error:
            raise Refused(f"{self._name} is a damaged workbook: {error}") from None

    @property
    def kind(self) -> str:
        """What the file is, for people."""
        return f"Excel workbook, sheet {self._sheet.title!r}"

    def batches(self) -> Iterator[Batch]:
        """The rows, with their numbers in the sheet."""
        width = len(self.header)
        lines: list[int] = []
        rows: list[list[Any]] = []
        out: list[Any] = []
        for number, cells in self._cells(self._sheet):
            if number <= self._header_at or all(is_blank(c) for c in cells):
                continue
            if any(not is_blank(c) for c in cells[width:]):
                out.append(refused(number, f"the row has more cells than the header has names ({width})"))
            elif any(c in _ERRORS for c in cells if isinstance(c, str)):
                out.append(refused(number, "a formula of this row has an error"))
            else:
                lines.append(number)
                rows.append((cells + [None] * width)[:width])
            if len(rows) + len(out) >= _BATCH:
                yield Batch(lines, rows, out)
                lines, rows, out = [], [], []
        yield Batch(lines, rows, out)


def _check_inflation(stream: BinaryIO, name: str) -> None:
    """Inflate every part once, so that a workbook that grows beyond measure never reaches the parser.

    A part that inflates to more than it declares is cut off by zipfile, and then has the wrong checksum.
    """
    stream.seek(0, 2)
    left = min(MOST_INFLATED, most_inflated(stream.tell()))
    stream.seek(0)
    try:
        with zipfile.ZipFile(stream) as archive:
            for member in archive.infolist():
                with archive.open(member) as part:
                    while block := part.read(1 << 20):
                        left -= len(block)
                        if left < 0:
                            raise Refused(f"{name} inflates to more than a table does: save the sheet as CSV")
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise Refused(f"{name} is a damaged or encrypted workbook: {error}") from None
    stream.seek(0)
