"""Whether a table is one of reports at all: lists of contents have people and times too, of those who wrote. PURE."""

from __future__ import annotations

from service.tabular.looks import ColumnLook, depends_on
from service.tabular.values import plain_text

FEW = 10  # so many rows show nothing
MOSTLY = 0.9  # of the targets have one author, one context, one time
_SEVERAL = 3  # times that go with targets
_LENGTH_OF_A_DAY = 10  # 2026-11-29


def is_time_of_target(time: ColumnLook, target: ColumnLook) -> bool:
    """Whether a column of times is the same for all rows about one target: then it is when the content was written."""
    if len(time.known) < FEW or time.distinct < _SEVERAL:
        return False
    if all(len(plain_text(v)) <= _LENGTH_OF_A_DAY for v in time.known):
        return False
    share = depends_on(time, target)
    return share is not None and share >= MOSTLY


def is_list_of_contents(target: ColumnLook) -> bool:
    """Whether every row is about another target: reports of people meet, contents are listed once."""
    return len(target.known) >= FEW and target.distinct == len(target.known)
