"""Excel workbooks (.xlsx), streamed: a sheet is never held whole, and formulas are read as the values they had."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterator
from typing import Any, BinaryIO
from xml.etree.ElementTree import ParseError

from service.errors import Refused
from service.tabular.opening import most_inflated
from service.tabular.tables import MOST_COLUMNS

MOST_INFLATED = 1024**3


class ExcelSheet:
    """A sheet of a workbook that is open."""

    def __init__(self, sheet: Any, name: str, damage: tuple[type[Exception], ...]) -> None:
        self._sheet, self._name, self._damage = sheet, name, damage
        self.title: str = sheet.title
        sheet.reset_dimensions()  # what a workbook says of its size is often wrong

    def rows(self) -> Iterator[tuple[int, list[Any]]]:
        """Its rows with their numbers."""
        try:
            for number, row in enumerate(self._sheet.iter_rows(values_only=True), 1):
                cells = list(row[:MOST_COLUMNS])
                cells += [c for c in row[MOST_COLUMNS:] if c is not None][:1]  # refused, and not lost
                yield number, cells
        except self._damage as error:
            raise Refused(f"{self._name} is a damaged workbook: {error}") from None


def sheets_of(stream: BinaryIO, name: str) -> list[ExcelSheet]:
    """The sheets of a workbook. Raises Refused for a damaged one, and for one that inflates beyond measure."""
    from openpyxl import load_workbook  # heavy, and only needed here
    from openpyxl.utils.exceptions import InvalidFileException

    damage = (
        zipfile.BadZipFile, InvalidFileException, ParseError, KeyError, ValueError, TypeError, AttributeError,
        EOFError, IndexError, OverflowError,
    )  # fmt: skip
    check_inflation(stream, name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # styles and extensions that are of no interest here
            book = load_workbook(stream, read_only=True, data_only=True, keep_links=False)
            return [ExcelSheet(sheet, name, damage) for sheet in book.worksheets]
    except damage as error:
        raise Refused(f"{name} is a damaged workbook: {error}") from None


def check_inflation(stream: BinaryIO, name: str) -> None:
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
