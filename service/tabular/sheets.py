"""The sheets of a workbook of any kind as a table: which of them, where its header is, and its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, Protocol

from service.errors import Refused
from service.tabular.borders import is_title, merged_head, questions_of
from service.tabular.choosing import chosen_part, only_note
from service.tabular.tables import MOST_COLUMNS, Batch, Table, is_blank, refused, unique_names

_BATCH = 2_000
_TITLES = 30  # rows among which the header is
_SHOWING = 20  # rows below that show it
_FIELDS = 3  # that a report has at least: who, what and when
_ERRORS = ("#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NUM!", "#NULL!")


class Sheet(Protocol):
    """A sheet, whose rows can be read several times."""

    @property
    def title(self) -> str:
        """Its name."""
        ...

    def rows(self) -> Iterator[tuple[int, list[Any]]]:
        """Its rows from the first on, with their numbers; those without cells may be left out."""
        ...


class SheetTable:
    """The one sheet of several that has a table of reports. Raises Refused where none or several have."""

    def __init__(
        self,
        kind: str,
        sheets: Sequence[Sheet],
        name: str,
        told: str | None,
        fits: Callable[[Table], bool],
        *,
        what: str = "sheet",
    ) -> None:
        self._kind, self._name, self._what = kind, name, what
        self.notes: list[str] = []
        chosen = [sheet for sheet in sheets if told is None or sheet.title == told]
        if not chosen and told is not None:
            titles = ", ".join(sheet.title[:60] for sheet in sheets[:10])
            raise Refused(f"{name} has no {what} {told!r}: its {what}s are {titles}")
        self._choose(chosen, fits)

    def _choose(self, sheets: Sequence[Sheet], fits: Callable[[Table], bool]) -> None:
        """The one sheet with a header, or the one of several that is a table of reports."""
        found = [(sheet, *header) for sheet in sheets if (header := self._header_of(sheet)) is not None]
        if not found:
            raise Refused(f"{self._name} has no {self._what} with a header and rows")

        def fitting(part: tuple[Sheet, int, list[str]]) -> bool:
            self._sheet, self._header_at, self.header = part
            return fits(self)

        wide = [part for part in found if len(part[2]) >= _FIELDS] or found  # a cover sheet has a word and its meaning
        parts = [(part[0].title, part) for part in wide]
        title = chosen_part(self._name, f"{self._what}s", parts, None, fitting, by_name=False)
        self._sheet, self._header_at, self.header = dict(parts)[title]
        self.notes += only_note(self._what, title, [part[0].title for part in found])

    def _header_of(self, sheet: Sheet) -> tuple[int, list[str]] | None:
        top = list(islice(sheet.rows(), _TITLES + _SHOWING))
        for k, (_, cells) in enumerate(top[:_TITLES]):
            filled = [c for c in cells if not is_blank(c)]
            if len(filled) >= 2 and not is_title(cells, [below for _, below in top[k + 1 :]]):
                while is_blank(cells[-1]):
                    cells.pop()
                if len(cells) > MOST_COLUMNS:
                    raise Refused(f"{self._name} has more than {MOST_COLUMNS:,} columns: no table of reports has")
                if not any(isinstance(c, str) for c in filled):
                    raise Refused(f"{self._name} has no header: add a first row with the columns' names")
                if questions := questions_of([heads for _, heads in top[k : k + 3]]):
                    return k + 2, unique_names(questions)
                for over, under in ((k - 1, k), (k, k + 1)):
                    if over >= 0 and under < len(top) and (names := merged_head(top[over][1], top[under][1])):
                        return under, unique_names(names)
                return k, unique_names(cells)
        return None

    @property
    def kind(self) -> str:
        """What the file is, for people."""
        return f"{self._kind}, {self._what} {self._sheet.title!r}"

    def batches(self) -> Iterator[Batch]:
        """The rows, with their numbers in the sheet."""
        width = len(self.header)
        lines: list[int] = []
        rows: list[list[Any]] = []
        out: list[Any] = []
        for number, cells in islice(self._sheet.rows(), self._header_at + 1, None):
            if all(is_blank(c) for c in cells):
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
