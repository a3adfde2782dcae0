"""How a table is read: the column of each field. PURE."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from service.tabular.days_and_clocks import day_and_clock
from service.tabular.only_reports import ReportRows
from service.tabular.vocabulary import Field


@dataclass(frozen=True, slots=True)
class ColumnUse:
    """The column that a field is read from; several for a target that stands in one column of several."""

    columns: tuple[int, ...]
    why: str
    example: str
    clock: int | None = None  # the column with the hours of a column of dates


@dataclass(slots=True)
class Recognition:
    """How a table is read."""

    uses: dict[Field, ColumnUse] = field(default_factory=dict)
    attributes: dict[int, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    only: ReportRows | None = None  # the rows that are reports, if others are among them
    guests: Collection[str] = ()  # ids of those who reported that stand for everybody without an account
    nothing: Collection[str] = ()  # ids that stand for no target
    with_kind: bool = False  # targets of different kinds share numbers: their ids are written kind/id

    def column(self, name: Field) -> int | None:
        """The number of a field's column."""
        use = self.uses.get(name)
        return use.columns[0] if use else None


def time_cell(use: ColumnUse, row: Sequence[Any]) -> Any:
    """The value of a time, whose hour may stand in a column of its own."""
    day = row[use.columns[0]]
    return day if use.clock is None else day_and_clock(day, row[use.clock])
