"""What every kind of file is read into: a header, and batches of rows with their places in the file."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from service.model import RejectedItem

MOST_COLUMNS = 2_000


@dataclass(slots=True)
class Batch:
    """Rows, the line of the file that each begins on, and what was refused among them.

    Of a file in the API's form the rows are its items, as lines or as values.
    """

    lines: Sequence[int]
    rows: Sequence[Any]
    refused: list[RejectedItem] = field(default_factory=list)


class Table(Protocol):
    """A file with a header and rows that are as long as it."""

    header: list[str]
    notes: list[str]

    @property
    def kind(self) -> str:
        """For people: "CSV with semicolons, UTF-8"."""
        ...

    def batches(self) -> Iterator[Batch]:
        """The rows, once."""
        ...


class WithoutColumns:
    """A table without some of its columns, by their names."""

    def __init__(self, table: Table, ignored: Collection[str]) -> None:
        self._table = table
        self._kept = [number for number, name in enumerate(table.header) if name not in ignored]
        self.header = [table.header[number] for number in self._kept]
        self.notes = table.notes

    @property
    def kind(self) -> str:
        """What the file is, for people."""
        return self._table.kind

    def batches(self) -> Iterator[Batch]:
        """The rows."""
        for batch in self._table.batches():
            rows = [[row[number] for number in self._kept] for row in batch.rows]
            yield Batch(batch.lines, rows, batch.refused)


def refused(line: int, detail: str) -> RejectedItem:
    """A row that cannot be read."""
    return RejectedItem(line=line, detail=detail, pointer="")


def unique_names(header: Sequence[Any]) -> list[str]:
    """Names for all columns: the empty ones are numbered, repeated ones counted."""
    names: dict[str, int] = {}  # and the number of the next one that is called the same
    for k, value in enumerate(header, 1):
        name = " ".join(str(value).split()) if value is not None else ""
        wanted = name = name or f"column {k}"
        while name in names:
            name, names[wanted] = f"{wanted} ({names[wanted]})", names[wanted] + 1
        names[name] = 2
    return list(names)


def is_blank(value: Any) -> bool:
    """Whether a cell is empty."""
    return value is None or (isinstance(value, str) and not value.strip())
