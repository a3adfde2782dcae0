"""Rows that a database's terminal printed value by value: `\\x` of psql, `\\G` of mysql."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import chain, islice

from service.errors import Refused
from service.tabular.tables import MOST_COLUMNS, Batch, refused, unique_names
from service.tabular.text import TextBlocks

_ROW = re.compile(r"-\[ RECORD \d+ \]|\*{5,} \d+\. row \*{5,}")
_END = re.compile(r"\(?\d+ rows?(?:\)| in set).*\Z")
_LINES_SEARCHED = 2  # for the beginning of the first row
_BATCH = 1_000
Record = tuple[int, dict[str, str], str]  # its line, its values, and what is wrong with it


def is_value_lines(beginning: str) -> bool:
    """Whether a text is such a printout."""
    return any(_ROW.match(line.strip()) for line in beginning.lstrip().split("\n")[:_LINES_SEARCHED])


class ValueLines:
    """Such a printout, as a table."""

    kind = "a database's terminal, value by value"

    def __init__(self, text: TextBlocks, name: str) -> None:
        self.notes: list[str] = []
        self._records = _records(line for block in text for line in block)
        first = list(islice(self._records, _BATCH))
        if not first:
            raise Refused(f"{name} has no rows")
        (names, _), *_ = Counter(tuple(values) for _, values, _ in first).most_common(1)
        if len(names) > MOST_COLUMNS:
            raise Refused(f"{name} has {len(names)} columns: no table of reports has more than {MOST_COLUMNS}")
        self._names, self.header = names, unique_names(names)
        self._records = chain(first, self._records)

    def batches(self) -> Iterator[Batch]:
        """The rows; a record with other columns than most is refused."""
        while some := list(islice(self._records, _BATCH)):
            batch, lines, rows = Batch([], []), list[int](), list[list[str | None]]()
            for line, values, wrong in some:
                if wrong or values.keys() != set(self._names):
                    batch.refused.append(refused(line, wrong or "has other columns than the other records"))
                    continue
                lines.append(line)
                rows.append([values[name] for name in self._names])
            batch.lines, batch.rows = lines, rows
            yield batch


def _records(lines: Iterator[str]) -> Iterator[Record]:
    """The records; a value of several lines goes on where psql ends a line with +, or a line of mysql has no name."""
    record: Record | None = None
    key, separator = "", ""
    for number, line in enumerate(lines, 1):
        text = line.rstrip("\r\n")
        if _ROW.match(begin := text.strip()):
            if record is not None:
                yield record
            record, key, separator = (number, {}, ""), "", "|" if begin.startswith("-") else ":"
        elif record is None or _END.match(text) or not text.strip():
            continue
        else:
            at, values, wrong = record
            name, found, value = (part.strip() for part in text.partition(separator))
            if not found and (separator == "|" or not key):
                record = (at, values, wrong or f"line {number} has no name of a column")
            elif (separator == "|" and not name and key) or not found:
                values[key] = f"{values[key].removesuffix('+').rstrip()}\n{value if found else text}"
            elif name in values:
                record = (at, values, wrong or f"line {number} has a column that the record has already")
            else:
                key, values[name] = name, value
    if record is not None:
        yield record
