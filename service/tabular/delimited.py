"""CSV and its relatives: comma, semicolon, tab or bar; quoted strictly, so that nothing is read for what it is not.

Rows are parsed by the block. A block in which every line is a row costs one call; lines are counted one by one only
where a row has several lines or a quote is wrong. Such a row is refused, and reading goes on with the line after it.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

from service.errors import Refused
from service.model import RejectedItem
from service.moderation.phrases import plural
from service.tabular.borders import (
    is_drawn,
    is_remark,
    is_title,
    merged_head,
    of_one_column,
    questions_of,
    undrawn,
)
from service.tabular.tables import MOST_COLUMNS, Batch, is_blank, refused, unique_names
from service.tabular.text import TextBlocks
from service.tabular.times import looks_like_time
from service.tabular.values import UNKNOWN_WORDS

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
MOST_BROKEN_QUOTES = 1_000
MOST_REMARKS = 20  # lines under a table
_SNIFFED_LINES = 200
_MOST_ALIKE = 0.6  # of the fields of a line that is a row of its own look like those of another row
_FORMULA_SEPARATOR = re.compile(r"sep=(.|\\t)\r?\n?\Z")
_MYSQL_NULL = re.compile(r"(?:(?<=[,;\t|])|^)\\N(?=[,;\t|\r\n]|$)")


@dataclass(frozen=True, slots=True)
class _Dialect:
    delimiter: str
    skip_spaces: bool
    escapes: bool  # backslash before a quote, as MySQL writes
    drawn: bool = False  # for people to look at, with blanks around values and without quotes

    def rows(self, lines: Sequence[str]) -> Any:
        if self.escapes:
            lines = [_MYSQL_NULL.sub("", line) for line in lines]
        return csv.reader(
            lines,
            delimiter=self.delimiter,
            skipinitialspace=self.skip_spaces,
            escapechar="\\" if self.escapes else None,
            quoting=csv.QUOTE_NONE if self.drawn else csv.QUOTE_MINIMAL,
            strict=True,
        )


@dataclass(slots=True)
class _Progress:
    """Where in the file the reader is."""

    lines: list[str]
    number: int  # of the first of `lines`
    rows: list[list[str]] = field(default_factory=list)
    at: list[int] = field(default_factory=list)
    refused: list[RejectedItem] = field(default_factory=list)


class DelimitedTable:
    """A CSV file. Raises Refused for one without a header or with one column."""

    def __init__(self, text: TextBlocks, name: str) -> None:
        self._name, self._text = name, text
        self._blocks = iter(text)
        self.notes: list[str] = []
        self._broken = 0
        first = next(self._blocks, [])
        skipped = 0
        delimiter: str | None = None
        if first and (told := _FORMULA_SEPARATOR.match(first[0])):
            delimiter, skipped = told[1].replace("\\t", "\t"), 1
        self._dialect = _dialect_of(first[skipped:], delimiter)
        if self._dialect.delimiter == "|" and is_drawn(first[:_SNIFFED_LINES]):
            self._dialect = _Dialect("|", skip_spaces=False, escapes=False, drawn=True)
        self._under: list[tuple[RejectedItem, Sequence[str]]] = []  # short rows, until a full one follows
        self._spaced = False  # whether blank lines stand between rows
        self._any = False  # whether a full row was read
        self._remarks = False  # whether the short rows are remarks under the table
        first = self._undrawn(first)
        self.header, used = self._read_header(first, skipped)
        self._first, self._number = first[used:], used + 1

    @property
    def kind(self) -> str:
        """What the file is, for people."""
        separator = DELIMITERS.get(self._dialect.delimiter, repr(self._dialect.delimiter))
        return f"CSV with {separator}, {self._text.encoding_name}"

    def _read_header(self, lines: list[str], at: int) -> tuple[list[str], int]:
        """The names, and how many lines are before the first row."""
        widest = 0
        for skip in range(at, min(len(lines), at + 30)):
            try:
                cells: list[str] = next(self._dialect.rows(lines[skip:]), [])
            except csv.Error:
                cells = []
            filled = sum(not is_blank(cell) for cell in cells)
            widest = max(widest, filled)
            if filled < 2 or (cells and is_title(cells, self._rows_below(lines, skip))):
                continue
            taken = sum(1 for cell in cells for c in cell if c == "\n") + 1
            while cells and is_blank(cells[-1]):
                cells.pop()
            if len(cells) > MOST_COLUMNS:
                raise Refused(
                    f"{self._name} has {len(cells)} columns: no table of reports has more than {MOST_COLUMNS}"
                )
            self._check_header(cells)
            if any(not is_blank(line) for line in lines[at:skip]):
                self.notes.append(f"{plural(skip - at, 'line')} above the header skipped")
            if questions := self._questions(lines[skip:]):
                return unique_names(questions[0]), skip + questions[1]
            if taken == 1 and (names := self._merged(lines, skip - 1) or self._merged(lines, skip)):
                return unique_names(names[0]), names[1]
            return unique_names(cells), skip + taken
        if not lines or all(is_blank(line) for line in lines):
            raise Refused(f"{self._name} is empty")
        raise Refused(f"{self._name} {of_one_column(lines[at:])}")

    def _merged(self, lines: list[str], at: int) -> tuple[list[str], int] | None:
        """The names of a head of two rows that begins there, and how many lines are before the first row."""
        if at < 0 or at + 1 >= len(lines) or is_blank(lines[at]):
            return None
        with suppress(csv.Error):
            rows = list(islice(self._dialect.rows(lines[at : at + 2]), 2))
            names = merged_head(*rows) if len(rows) == 2 else None
            return None if names is None else (names, at + 2)
        return None

    def _questions(self, lines: list[str]) -> tuple[list[str], int] | None:
        """The questions of a survey in three heads, and how many lines those take."""
        with suppress(csv.Error):
            heads = list(islice(self._dialect.rows(lines), 3))
            if (names := questions_of(heads)) is not None:
                return names, 3 + sum(cell.count("\n") for head in heads for cell in head)
        return None

    def _rows_below(self, lines: list[str], skip: int) -> list[list[str]]:
        rows: list[list[str]] = []
        with suppress(csv.Error):  # what is wrong with a row is said when it is read
            rows += islice(self._dialect.rows(lines[skip : skip + _SNIFFED_LINES]), 1, 1 + _SNIFFED_LINES // 4)
        return rows

    def _undrawn(self, lines: list[str]) -> list[str]:
        return [undrawn(line) for line in lines] if self._dialect.drawn else lines

    def _check_header(self, cells: Sequence[str]) -> None:
        if any(looks_like_time(c) for c in cells if not c.strip().isdecimal()) or all(
            c.strip().isdecimal() for c in cells
        ):
            raise Refused(
                f"{self._name} has no header: its first row is {', '.join(cells)[:80]!r}. Add a first line with the"
                " columns' names"
            )

    def batches(self) -> Iterator[Batch]:
        """The rows, with what is refused."""
        rest: list[str] = []
        number = self._number
        for block in chain([self._first], self._blocks):
            done = _Progress(rest + (block if block is self._first else self._undrawn(block)), number)
            left = self._read(done, last=False)
            number += len(done.lines) - left
            rest = done.lines[len(done.lines) - left :]
            yield self._batch(done)
        done = _Progress(rest, number)
        self._read(done, last=True)
        yield self._batch(done)
        if self._under and self._remarks and self._any:
            shown = ", ".join(repr(" ".join(row).strip()[:40]) for _, row in self._under[:3])
            self.notes.append(f"{plural(len(self._under), 'line')} under the table left out: {shown}")
        elif self._under:
            yield Batch([], [], [item for item, _ in self._under])

    def _batch(self, done: _Progress) -> Batch:
        width = len(self.header)
        if self._dialect.drawn:
            done.rows = [[cell.strip() for cell in row] for row in done.rows]
        if any(len(row) != width for row in done.rows):
            self._fit(done, width)
        elif done.rows:
            self._above(done)
        return Batch(done.at, done.rows, done.refused)

    def _fit(self, done: _Progress, width: int) -> None:
        rows: list[list[str]] = []
        at: list[int] = []
        blank = False
        for row, line in zip(done.rows, done.at, strict=True):
            if len(row) > width and all(is_blank(cell) for cell in row[width:]):
                row = row[:width]
            if len(row) == width:
                self._above(done)
                self._spaced = self._spaced or (blank and bool(rows))
                rows.append(row)
                at.append(line)
            elif all(is_blank(cell) for cell in row):
                blank = True
                continue
            else:
                why = f"the row has {len(row)} fields, the header {width}: is a {self._what()} not quoted?"
                if not self._under:
                    self._remarks = len(row) < width and is_remark(row, blank and not self._spaced)
                self._remarks = self._remarks and not self._holds_rows(row, width)
                self._under.append((refused(line, why), row))
                if len(self._under) > MOST_REMARKS or len(row) > width:
                    self._above(done)
            blank = False
        done.rows, done.at = rows, at

    def _holds_rows(self, row: Sequence[str], width: int) -> bool:
        """Whether quotes put whole rows into one field of a short row."""
        return any(line.count(self._dialect.delimiter) >= width - 1 for cell in row for line in cell.splitlines())

    def _above(self, done: _Progress) -> None:
        """Refuse short rows that full ones follow."""
        self._any = True
        done.refused += [item for item, _ in self._under]
        self._under = []

    def _what(self) -> str:
        return DELIMITERS.get(self._dialect.delimiter, "delimiter").removesuffix("s")

    def _read(self, done: _Progress, *, last: bool) -> int:
        """Parse the lines; returns how many of the last ones wait for what follows."""
        try:
            rows = list(self._dialect.rows(done.lines))
        except csv.Error:
            return self._read_carefully(done, last=last)
        starts = range(len(rows)) if len(rows) == len(done.lines) else self._starts(rows, done)
        if starts is None:
            return self._read_carefully(done, last=last)
        done.rows, done.at = rows, [done.number + k for k in starts]
        return 0

    def _starts(self, rows: Sequence[Sequence[str]], done: _Progress) -> list[int] | None:
        """The lines on which rows begin where some have several lines: those with an odd number of quotes open and
        close their fields. None: it is not as plain as that.
        """
        odd = [k for k, line in enumerate(done.lines) if line.count('"') % 2]
        starts: list[int] = []
        after = 0
        for first, last in zip(odd[::2], odd[1::2], strict=False):
            starts += range(after, first + 1)
            after = last + 1
            row, lines = rows[min(len(starts), len(rows)) - 1], done.lines[first : last + 1]
            if self._swallowed(row, lines, done.number + first):
                return None
        starts += range(after, len(done.lines))
        return starts if len(starts) == len(rows) and len(odd) % 2 == 0 else None

    def _read_carefully(self, done: _Progress, *, last: bool) -> int:
        begin = 0
        while begin < len(done.lines):
            reader = self._dialect.rows(done.lines[begin:])
            before, fault = begin, None
            try:
                for row in reader:
                    end = begin + reader.line_num
                    if end - before > 1 and (
                        fault := self._swallowed(row, done.lines[before:end], before + done.number)
                    ):
                        break
                    done.rows.append(row)
                    done.at.append(done.number + before)
                    before = end
                else:
                    return 0
            except csv.Error as error:
                if not last and "unexpected end" in str(error):
                    return len(done.lines) - before
                fault = _fault_of(str(error))
            done.refused.append(refused(done.number + before, fault or "the row cannot be read"))
            self._broken += 1
            if self._broken > MOST_BROKEN_QUOTES:
                raise Refused(
                    f"{self._name}: more than {MOST_BROKEN_QUOTES:,} rows have quotes that do not match, one of them in"
                    f" line {done.refused[0].line}: export it again with quotes doubled inside fields"
                )
            begin = before + 1
        return 0

    def _swallowed(self, row: Sequence[str], lines: Sequence[str], number: int) -> str | None:
        """Why a row of several lines is not one: a line in its quoted field is like a row of its own."""
        opened = next((k for k, cell in enumerate(row) if "\n" in cell or "\r" in cell), 0)
        width = len(row)
        if width < 3:
            return None
        shapes = [_shape(cell) for cell in row]
        for k, line in enumerate(lines):
            cells = [_shape(cell.strip('"')) for cell in line.rstrip("\r\n").split(self._dialect.delimiter)]
            if k == 0 and opened and len(cells) == width and _end_alike(cells[opened + 1 :], shapes[opened + 1 :]):
                return self._looks_like_row(number, k, lines)
            if k == 0 and not opened and len(cells) == width - 1 and _end_alike(cells[1:], shapes[1:-1]):
                return self._looks_like_row(number, k, lines)  # and lacks its last field
            if k and opened and len(cells) >= width - 1 and _begin_alike(cells[:opened], shapes[:opened]):
                return self._looks_like_row(number, k, lines)
            if len(cells) == width and k < len(lines) - 1 and not (k == 0 and opened):
                others = [c for c in range(width) if c != opened]
                alike = sum(cells[c] == shapes[c] for c in others)
                if others and alike >= _MOST_ALIKE * len(others):
                    return self._looks_like_row(number, k, lines)
        return None

    def _looks_like_row(self, number: int, k: int, lines: Sequence[str]) -> str:
        own = "this line" if k == 0 else f"line {number + k}"
        return (
            f"the quote that opens in this row closes in line {number + len(lines) - 1}, but {own} looks like a row of"
            " its own"
        )


def _begin_alike(cells: Sequence[str], shapes: Sequence[str]) -> bool:
    """Whether a line begins as the row does: in all of its fields that are given in both, or in most where some of them
    are numbered.
    """
    given = [(cell, shape) for cell, shape in zip(cells, shapes, strict=True) if cell and shape]
    same = [cell for cell, shape in given if cell == shape]
    if len(same) == len(given):
        return len(given) == len(shapes) or any("9" in cell for cell in same)
    return len(same) >= _MOST_ALIKE * len(shapes) and sum("9" in c for c in same) > 1


def _end_alike(cells: Sequence[str], shapes: Sequence[str]) -> bool:
    """Whether a line ends as the row does, whose quote opened in that line."""
    same = [cell for cell, shape in zip(cells, shapes, strict=True) if cell == shape]
    return len(cells) > 1 and len(same) >= _MOST_ALIKE * len(cells) and any("9" in cell for cell in same)


def _fault_of(error: str) -> str:
    if "unexpected end" in error:
        return "a quote that opens in this row never closes"
    if "field larger" in error:
        return "a quote that opens in this row does not close within 130,000 characters"
    if "expected after" in error:
        return "text follows a closing quote: quotes inside a quoted field have to be doubled"
    return f"the row cannot be read: {error}"


def _shape(text: str) -> str:
    if text.strip().lower() in UNKNOWN_WORDS:
        return ""
    return re.sub(r"[^\W\d_]+", "a", re.sub(r"\d+", "9", text.strip()))


def _dialect_of(lines: Sequence[str], told: str | None) -> _Dialect:
    some = [line for line in lines[:_SNIFFED_LINES] if line.strip()]
    delimiter = told or max(DELIMITERS, key=lambda d: _consistency(some, d))
    spaces = any(f'{delimiter} "' in line for line in some)
    escapes = any('\\"' in line for line in some) and not any('\\""' in line for line in some)
    return _Dialect(delimiter, spaces, escapes)


def _consistency(lines: Sequence[str], delimiter: str) -> float:
    """How well a delimiter divides the lines into equally many fields."""
    counts: Counter[int] = Counter()
    for line in lines:
        try:
            counts[len(next(csv.reader([line], delimiter=delimiter, skipinitialspace=True)))] += 1
        except (csv.Error, StopIteration):
            counts[1] += 1
    several = {n: count for n, count in counts.items() if n > 1}
    if not several:
        return 0.0
    width = max(several, key=lambda n: (several[n], n))
    header = next((len(line.split(delimiter)) for line in lines if delimiter in line), 0)
    return several[width] / len(lines) + 0.02 * min(width, 20) + 0.1 * (header >= width)
