"""Tables of web pages, which much software saves as .xls: read by their tags, however loosely those are written.

Tables with the same heading are one that was divided into pages.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import unescape
from typing import Any

from service.errors import Refused
from service.tabular.sheets import SheetTable
from service.tabular.tables import MOST_COLUMNS, Table, is_blank
from service.tabular.text import TextBlocks

MOST_TEXT = 256 * 1024**2
MOST_CELLS = 5_000_000
_BEGIN = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]{0,30})")
_REST = re.compile(r"""(?:[^>"']{1,4000}+|"[^"]{0,4000}+"|'[^']{0,4000}+'){0,200}+>""")
_SPAN = re.compile(r"""\b(col|row)span\s*=\s*["']?\s*(\d{1,6})""", re.IGNORECASE)
_SILENT = ("script", "style", "title", "select")
_BREAKS = ("br", "p", "div", "li", "tr")
_ROWS = 2  # that a table of records has at least, and as many columns


class PageTable:
    """The rows of a table of a page, with the lines on which they begin."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.cells: list[tuple[int, list[Any]]] = []

    def rows(self) -> Iterator[tuple[int, list[Any]]]:
        """Its rows with their lines."""
        for line, cells in self.cells:
            yield line, list(cells)

    @property
    def size(self) -> int:
        """How many cells it has."""
        return sum(len(cells) for _, cells in self.cells)


class _Cells:
    """Counts the cells of a page, and refuses too many."""

    def __init__(self, name: str) -> None:
        self._name, self._left = name, MOST_CELLS

    def take(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise Refused(f"{self._name} is a web page with more than {MOST_CELLS:,} cells: export it as CSV")


class _OpenTable:
    """A table that is being read."""

    def __init__(self, bound: _Cells) -> None:
        self._bound = bound
        self.rows: list[tuple[int, list[Any]]] = []
        self.row: list[Any] | None = None
        self.line = 0
        self.text: list[str] | None = None  # of the cell that is open
        self.spans = (1, 1)  # columns and rows of it
        self.below: dict[int, tuple[int, str]] = {}  # column -> rows that a cell above still covers, and its text

    def begin_row(self, line: int) -> None:
        self.end_row()
        self.row, self.line = [], line

    def begin_cell(self, attributes: str, line: int) -> None:
        self.end_cell()
        if self.row is None:
            self.begin_row(line)
        found = {kind.lower(): int(count) for kind, count in _SPAN.findall(attributes)}
        self.text, self.spans = [], (min(found.get("col", 1), MOST_COLUMNS + 1) or 1, found.get("row", 1) or 1)

    def end_cell(self) -> None:
        if self.text is None or self.row is None:
            return
        self._fill()
        value = " ".join(unescape("".join(self.text)).split())
        columns, rows = self.spans
        for k in range(columns if len(self.row) <= MOST_COLUMNS else 1):
            if rows > 1:
                self.below[len(self.row)] = (rows - 1, value)
            self.row.append(value if k == 0 or rows > 1 else None)
        self.text = None

    def end_row(self) -> None:
        self.end_cell()
        if self.row is None:
            return
        self._fill()
        self._bound.take(len(self.row))
        if self.row:
            self.rows.append((self.line, self.row))
        self.row = None

    def _fill(self) -> None:
        """Put what cells above cover into the row."""
        assert self.row is not None
        while len(self.row) in self.below:
            left, value = self.below.pop(at := len(self.row))
            if left > 1:
                self.below[at] = (left - 1, value)
            self.row.append(value)


def page_table(text: TextBlocks, name: str, told: str | None, fits: Callable[[Table], bool]) -> Table:
    """The largest table of a page that can be read as reports. Raises Refused for a page without one."""
    tables = _joined([t for t in _tables(_whole(text, name), name) if _is_of_records(t)])
    if not tables:
        raise Refused(f"{name} is a web page, not a table: use the export of the site, as CSV, or save it as .xlsx")
    kind = f"table of a web page, {text.encoding_name}"
    if told is not None or len(tables) == 1:
        return _table(kind, tables, name, told, fits)
    by_size = sorted(tables, key=lambda table: -table.size)
    chosen = next((t for t in by_size if _fits(kind, t, name, fits)), by_size[0])
    found = _table(kind, [chosen], name, None, fits)
    others = ", ".join(repr(t.title) for t in tables if t is not chosen)
    found.notes.append(f"only {chosen.title!r} is read, not {others[:200]}: --sheet chooses another")
    return found


def _table(
    kind: str, tables: list[PageTable], name: str, told: str | None, fits: Callable[[Table], bool]
) -> SheetTable:
    return SheetTable(kind, tables, name, told, fits, what="table")


def _fits(kind: str, table: PageTable, name: str, fits: Callable[[Table], bool]) -> bool:
    try:
        return fits(_table(kind, [table], name, None, fits))
    except Refused:
        return False


def _is_of_records(table: PageTable) -> bool:
    wide = [cells for _, cells in table.cells if sum(not is_blank(cell) for cell in cells) >= _ROWS]
    return len(wide) >= _ROWS


def _joined(tables: list[PageTable]) -> list[PageTable]:
    """The tables, those with the heading of an earlier one put under it."""
    found: dict[tuple[Any, ...], PageTable] = {}
    for table in tables:
        heading = tuple(table.cells[0][1])
        if heading in found and len(heading) > 1:
            found[heading].cells += table.cells[1:]
        else:
            found[heading] = table
    return list(found.values())


def _whole(text: TextBlocks, name: str) -> str:
    parts, size = list[str](), 0
    for part, _ in text.texts():
        parts.append(part)
        size += len(part)
        if size > MOST_TEXT:
            raise Refused(f"{name} is a web page of more than {MOST_TEXT >> 20} million characters: export it as CSV")
    return "".join(parts)


def _tables(text: str, name: str) -> list[PageTable]:
    """All tables, those inside others too, in the order in which they begin."""
    found: list[tuple[int, _OpenTable]] = []
    stack: list[_OpenTable] = []
    bound = _Cells(name)
    at, line, counted = 0, 1, 0
    while (begin := text.find("<", at)) >= 0:
        if stack and stack[-1].text is not None:
            stack[-1].text.append(text[at:begin])
        line += text.count("\n", counted, begin)
        counted = begin
        tag = _BEGIN.match(text, begin)
        if tag is None:
            at = _after_remark(text, begin)
            if at == begin + 1 and stack and stack[-1].text is not None:
                stack[-1].text.append("<")
            continue
        rest = _REST.match(text, tag.end())
        at = rest.end() if rest else text.find(">", tag.end()) + 1 or len(text)
        closes, what = bool(tag[1]), tag[2].lower()
        if what in _SILENT and not closes:
            end = re.compile(rf"</{what}", re.IGNORECASE).search(text, at)
            at = end.start() if end else len(text)
        elif what == "table":
            if closes and stack:
                stack.pop().end_row()
            elif not closes:
                stack.append(_OpenTable(bound))
                found.append((len(found) + 1, stack[-1]))
        elif stack and what == "tr":
            stack[-1].end_row() if closes else stack[-1].begin_row(line)
        elif stack and what in ("td", "th"):
            stack[-1].end_cell() if closes else stack[-1].begin_cell(text[tag.end() : at], line)
        if stack and stack[-1].text is not None and what in _BREAKS:
            stack[-1].text.append(" ")
    for open_one in stack:
        open_one.end_row()
    tables = []
    for number, built in found:
        tables.append(table := PageTable(f"table {number}"))
        table.cells = built.rows
    return tables


def _after_remark(text: str, begin: int) -> int:
    """Behind a comment or declaration that begins here; behind the sign if it is only a sign."""
    for start, end in (("<!--", "-->"), ("<!", ">"), ("<?", ">"), ("</", ">")):
        if text.startswith(start, begin):
            return text.find(end, begin) + len(end) if text.find(end, begin) >= 0 else len(text)
    return begin + 1
