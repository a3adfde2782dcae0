"""Dumps of databases (mysqldump, phpMyAdmin, pg_dump, SQLite's .dump and the like): the rows of one table.

A dump is read twice, in parts: once for its tables and how their rows look, and once for the rows of the one with the
reports. Nothing of it is ever run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from service.errors import Refused
from service.model import RejectedItem
from service.tabular.choosing import chosen_part, only_note
from service.tabular.sql_text import (
    NAME,
    NAMES,
    columns_of,
    copied,
    is_expression,
    names_in,
    table_name,
    value_of,
    value_of_expression,
    value_pattern,
)
from service.tabular.tables import MOST_COLUMNS, Batch, Table, refused, unique_names
from service.tabular.text import TextBlocks

LONGEST_ROW = 16 * 1024**2  # characters
MOST_TABLES = 2_000
_LONGEST_HEAD = 64 * 1024  # of a statement, before its rows
_TRIED = 2_000  # rows that show what a table is
_BATCH = 2_000
_BEGINS = re.compile(
    r"\s*(?:--|/\*|#|\\restrict|(?:set|begin|start|use|create|insert|replace|drop|pragma|lock|copy|prompt|rem|go)\b)",
    re.I,
)
_HEAD = re.compile(r"\s*(?:(?:--\s*\n)*--\s.{0,40}(?:dump|sqlite|postgresql|mariadb)|/\*M?!\d{5})", re.I)
_HAS_ROWS = re.compile(
    rf"^\s*(?:insert\s+(?:or\s+\w+\s+|ignore\s+)?(?:into\s+)?|replace\s+into\s+|create\s+table\s+|copy\s+){NAMES}",
    re.I | re.M,
)
_SLASHES = re.compile(  # what MySQL alone writes, or a quote behind a backslash that does not end a text
    r"^(?:(?:insert|replace|create|drop|lock)[^\n;('\"]*`|(?:--|\#)\ .*(?:mysql|mariadb|phpmyadmin)|/\*!\d{5})"
    r"|\\'(?=\s*[^\s,);'])",
    re.I | re.M,
)
_NO_SLASHES = re.compile(r"^(?:-- postgresql|pragma |set standard_conforming_strings)", re.I | re.M)
_BLANK = re.compile(
    r"(?:\s++|(?:--|\#|rem\b|\\)[^\n]*+(?:\n|\Z)|/\*.*?\*/|;|(?:go\s*?|/[\t ]*+)(?:\n|\Z))*+", re.I | re.DOTALL
)
_DELIMITER = re.compile(r"delimiter\s+(?!;\s)\S+.*?^\s*delimiter\s+;", re.I | re.DOTALL | re.M)
_INSERT = re.compile(
    rf"(?:insert|replace)\s+(?:or\s+\w+\s+|low_priority\s+|delayed\s+|ignore\s+)*(?:into\s+)?(?P<table>{NAMES})\s*"
    rf"(?:\((?P<columns>\s*{NAME}(?:\s*,\s*{NAME})*\s*)\)\s*)?(?:overriding\s+\w+\s+value\s+)?values?\s*(?=\()",
    re.I,
)
_COPY = re.compile(rf"copy\s+(?P<table>{NAMES})\s*(?:\((?P<columns>[^)]*)\)\s*)?from\s+stdin\b[^;\n]*;[^\n]*\n", re.I)
_CREATE = re.compile(
    rf"create\s+(?:\w+\s+){{0,3}}?table\s+(?:if\s+not\s+exists\s+)?(?P<table>{NAMES})\s*\((?P<columns>.*)\)",
    re.I | re.DOTALL,
)
_STATEMENT = re.compile(
    r"""(?:[^'"`;$/\-#\n\\]++|'(?:[^'\\]++|\\.|'')*+'|"[^"]*+"|`[^`]*+`|--[^\n]*+|/\*.*?\*/
    |\$(?P<tag>\w*)\$.*?\$(?P=tag)\$|\n(?!\s*go\s*(?:\n|\Z))|[$/\-#\\])*+(?:;|\n\s*go\s*(?:\n|\Z)|\Z)""",
    re.I | re.DOTALL | re.VERBOSE,
)  # fmt: skip
_KNOWN = (  # words that begin a statement, or end one after its rows
    r"(?:alter|analyze|as|begin|call|comment|commit|copy|create|declare|delete|delimiter|drop|end|exec|exit|go|grant|if|insert|lock"
    r"|merge|on|pragma|print|prompt|replace|returning|revoke|rollback|select|set|start|truncate|unlock|update|use|with)\b"
)
_AFTER_ROW = re.compile(rf"\s*+(?:(,)\s*+(?=\()|(?=;|--|/\*|/[\t ]*(?:\n|\Z)|\#|\\|{_KNOWN})|\Z)", re.I)
_BEGINS_KNOWN = re.compile(_KNOWN, re.I)
_VALUES = re.compile(r"\bvalues\s*\(", re.I)
_FURTHER = re.compile(r"\)\s*,\s*\(|\)\s*;|\)\s*\n\s*(?:insert|go)\b", re.I)  # rows behind one without an end
_EXPRESSION = re.compile(r"""(?:[^'"(),;]++|'(?:[^']|'')*+'|"[^"]*+")*+""")


@dataclass(slots=True)
class _DumpedTable:
    """What is known of a table."""

    columns: list[str] = field(default_factory=list)
    rows: list[list[Any]] = field(default_factory=list)  # the first ones
    has_rows: bool = False


@dataclass(frozen=True, slots=True)
class _Row:
    table: str
    columns: list[str] | None  # that its statement names
    line: int
    values: list[Any] | str  # or what is wrong


class _Sample:
    """The first rows of a table, as a table."""

    kind = ""

    def __init__(self, table: _DumpedTable) -> None:
        self.header, self._rows = unique_names(table.columns), table.rows
        self.notes: list[str] = []

    def batches(self) -> Iterator[Batch]:
        yield Batch(range(len(self._rows)), self._rows)


def is_dump(start: str) -> bool:
    """Whether a text that begins like this is a dump of a database."""
    if _HEAD.match(start):
        return True
    return _BEGINS.match(start) is not None and _HAS_ROWS.search(start) is not None


class DumpTable:
    """The one table of a dump that has the reports. Raises Refused where none or several have."""

    def __init__(
        self,
        text: TextBlocks,
        again: Callable[[], TextBlocks],
        name: str,
        told: str | None,
        fits: Callable[[Table], bool],
    ) -> None:
        self._again, self._name = again, name
        self.notes: list[str] = []
        tables: dict[str, _DumpedTable] = {}
        for row in _Dump(text, name, tables).rows():
            table = tables[row.table]
            table.has_rows = True
            if len(table.rows) < _TRIED and not isinstance(row.values, str):
                with suppress(_Misfit):
                    table.rows.append(_placed(row, table.columns))
        found = [(title, table) for title, table in tables.items() if table.has_rows]
        if not found:
            raise Refused(f"{name} is a dump of a database without rows: dump the table with the reports with its data")
        named = [(title, table) for title, table in found if table.columns]
        if not named:
            raise Refused(
                f"{name} is a dump of a database without the names of columns: dump the table with its structure, in"
                " mysqldump without --no-create-info or with --complete-insert"
            )
        self._table = chosen_part(name, "tables", named, told, lambda table: fits(_Sample(table)))
        self._columns = tables[self._table].columns
        if len(self._columns) > MOST_COLUMNS:
            raise Refused(f"{name}: the table {self._table!r} has more than {MOST_COLUMNS:,} columns")
        self.header = unique_names(self._columns)
        self.notes += only_note("table", self._table, [title for title, _ in found])
        self.kind = f"dump of a database, table {self._table!r}, {text.encoding_name}"

    def batches(self) -> Iterator[Batch]:
        """The rows, with the lines on which they begin."""
        lines: list[int] = []
        rows: list[list[Any]] = []
        out: list[RejectedItem] = []
        for row in _Dump(self._again(), self._name, {}).rows():
            if row.table != self._table:
                continue
            try:
                rows.append(_placed(row, self._columns))
                lines.append(row.line)
            except _Misfit as error:
                out.append(refused(row.line, str(error)))
            if len(rows) + len(out) >= _BATCH:
                yield Batch(lines, rows, out)
                lines, rows, out = [], [], []
        yield Batch(lines, rows, out)


class _Misfit(Exception):
    """A row that cannot be read; its text says why."""


def _placed(row: _Row, columns: list[str]) -> list[Any]:
    """The values of a row in the order of the table's columns."""
    if isinstance(row.values, str):
        raise _Misfit(row.values)
    named = row.columns or columns
    if len(row.values) != len(named):
        raise _Misfit(f"the row has {len(row.values)} values, the table {len(named)} columns")
    if named == columns:
        return row.values
    by_name = dict(zip(named, row.values, strict=True))
    if not by_name.keys() <= set(columns):
        raise _Misfit("the row names columns that the table does not have")
    return [by_name.get(column) for column in columns]


class _Dump:
    """Reads statement by statement; `tables` learns what is created and named."""

    def __init__(self, text: TextBlocks, name: str, tables: dict[str, _DumpedTable]) -> None:
        self._parts, self._name, self._tables = text.texts(), name, tables
        self._buffer, self._at, self._line, self._counted = "", 0, 1, 0
        self._ended = False
        self._more()
        self._slashes = not _NO_SLASHES.search(self._buffer[:10_000]) and _SLASHES.search(self._buffer) is not None
        self._value = value_pattern(slashes=self._slashes)

    def _more(self) -> bool:
        """Read on; what was read before is dropped. False at the end."""
        if self._ended:
            return False
        if len(self._buffer) - self._at > LONGEST_ROW:
            raise Refused(
                f"{self._name}: what begins in line {self._line_of(self._at)} has more than {LONGEST_ROW >> 20} million"
                " characters without an end"
            )
        self._line_of(self._at)
        part, self._ended = next(self._parts, ("", True))
        self._buffer = self._buffer[self._at :] + part
        self._at = self._counted = 0
        return True

    def _line_of(self, at: int) -> int:
        self._line += self._buffer.count("\n", self._counted, at)
        self._counted = at
        return self._line

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """A match that more text would not change."""
        while True:
            found = pattern.match(self._buffer, self._at)
            if found is not None and (found.end() < len(self._buffer) or self._ended):
                return found  # a lookahead may look at one sign more, which is there
            if (
                found is None
                and len(self._buffer) - self._at > _LONGEST_HEAD
                and pattern not in (_STATEMENT, _DELIMITER)
            ):
                return None
            if not self._more():
                return found

    def rows(self) -> Iterator[_Row]:
        """The rows of all tables."""
        while self._skip_blanks():
            yield from self._statement()

    def _skip_blanks(self) -> bool:
        """Go to the next statement, so that its head is in the buffer. False at the end."""
        while True:
            while len(self._buffer) - self._at < _LONGEST_HEAD and self._more():
                pass
            while self._buffer.startswith("/*", self._at) and self._buffer.find("*/", self._at) < 0 and self._more():
                pass
            found = self._match(_BLANK)
            if found is None or found.end() == self._at:
                return self._at < len(self._buffer)
            self._at = found.end()

    def _statement(self) -> Iterator[_Row]:
        start = self._buffer[self._at : self._at + 9].lower()
        if start.startswith(("insert", "replace")) and (found := self._match(_INSERT)):
            self._at = found.end()
            yield from self._inserted(*self._known(found))
        elif start.startswith("copy") and (found := self._match(_COPY)):
            self._at = found.end()
            yield from self._copied(*self._known(found))
        else:
            pattern = _DELIMITER if start == "delimiter" else _STATEMENT
            found = self._match(pattern) or self._match(_STATEMENT)
            end = found.end() if found and found.end() > self._at else self._buffer.find("\n", self._at) + 1
            if not _BEGINS_KNOWN.match(start) and _VALUES.search(self._buffer, self._at, end or len(self._buffer)):
                raise Refused(
                    f"{self._name}: the statement in line {self._line_of(self._at)} has rows and cannot be understood:"
                    " is it damaged?"
                )
            if start.startswith("create") and (created := _CREATE.match(self._buffer, self._at, end)):
                self._learn(table_name(created["table"])).columns = columns_of(created["columns"])
            self._at = end or len(self._buffer)

    def _known(self, found: re.Match[str]) -> tuple[str, list[str] | None]:
        name = table_name(found["table"])
        columns = names_in(found["columns"]) if found["columns"] else None
        table = self._learn(name)
        if columns and not table.columns:
            table.columns = columns
        return name, columns

    def _learn(self, name: str) -> _DumpedTable:
        if len(self._tables) >= MOST_TABLES and name not in self._tables:
            raise Refused(f"{self._name} is a dump of more than {MOST_TABLES:,} tables: dump the one with the reports")
        return self._tables.setdefault(name, _DumpedTable())

    def _inserted(self, name: str, columns: list[str] | None) -> Iterator[_Row]:
        while True:
            line = self._line_of(self._at)
            while (found := self._tuple()) is None:
                if not self._more():
                    if _FURTHER.search(self._buffer, self._at):
                        raise Refused(f"{self._name}: a quote or bracket that opens in line {line} never closes")
                    yield _Row(name, columns, line, "the row has no end")
                    self._at = len(self._buffer)
                    return
            values, self._at = found
            yield _Row(name, columns, line, values)
            after = self._match(_AFTER_ROW)
            if after is None:
                raise Refused(f"{self._name}: what follows the row in line {line} is not a row")
            if not after[1]:
                return
            self._at = after.end()

    def _tuple(self) -> tuple[list[Any], int] | None:
        """The values of the row that begins here, and where it ends; None if more has to be read."""
        match, buffer = self._value.match, self._buffer
        at = buffer.find("(", self._at) + 1
        values: list[Any] = []
        while at:
            found = match(buffer, at)
            if found is not None:
                values.append(value_of(found, slashes=self._slashes))
                at = found.end()
                if found["end"] == ")":
                    return values, at
                continue
            end = _end_of_expression(buffer, at)
            if end is None:
                return None
            text = buffer[at:end]
            if not is_expression(text):
                raise Refused(
                    f"{self._name}: a value in line {self._line_of(at)} cannot be read ({text.strip()[:40]!r}): is a"
                    " quote missing?"
                )
            values.append(value_of_expression(text))
            at = end + 1
            if buffer[end] == ")":
                return values, at
        return None

    def _copied(self, name: str, columns: list[str] | None) -> Iterator[_Row]:
        while True:
            while (end := self._buffer.find("\n", self._at)) < 0 and self._more():
                pass
            end = end if end >= 0 else len(self._buffer)
            line = self._buffer[self._at : end].removesuffix("\r")
            number = self._line_of(self._at)
            at_end = end >= len(self._buffer)
            self._at = min(end + 1, len(self._buffer))
            if line == "\\." or (at_end and not line):
                return
            yield _Row(name, columns, number, [copied(value) for value in line.split("\t")])
            if at_end:
                return


def _end_of_expression(buffer: str, at: int) -> int | None:
    """Where an expression ends: at a comma or bracket outside of brackets; None if the text ends before."""
    depth = 0
    while True:
        found = _EXPRESSION.match(buffer, at)
        at = found.end() if found else at
        if at >= len(buffer):
            return None
        sign = buffer[at]
        if sign == "(":
            depth += 1
        elif sign == ")" and depth:
            depth -= 1
        elif sign in "),;" and not depth:
            return at
        at += 1
