"""The table "read as": which column of a file stands for what, and why. PURE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.tabular.columns import Recognition
from service.tabular.times import TimeStyle
from service.tabular.values import is_unknown
from service.tabular.vocabulary import Field

ATTRIBUTE = "target attribute"  # of a line, beside the fields


@dataclass(frozen=True, slots=True)
class ReadAs:
    """A line of the table that says how a file is read."""

    column: str
    field: str
    why: str
    example: str


def lines_read_as(
    header: Sequence[str],
    rows: Sequence[Sequence[Any]],
    found: Recognition,
    times: Mapping[Field, TimeStyle],
) -> list[ReadAs]:
    """The table's lines: the fields with their columns, then the columns that are the targets' attributes."""
    lines = []
    for name, use in found.uses.items():
        why = f"{use.why}; {times[name].note}" if name in times and times[name].note else use.why
        for c in use.columns:
            example = use.example if c == use.columns[0] else first_known(rows, c)
            lines.append(ReadAs(header[c], name, why, example))
    return lines + [
        ReadAs(header[column], ATTRIBUTE, "the same for each complaint about a target", "")
        for column in found.attributes
    ]


def first_known(rows: Sequence[Sequence[Any]], column: int) -> str:
    """An example of a column's values; empty without one."""
    return next((str(row[column])[:40] for row in rows if not is_unknown(row[column])), "")
