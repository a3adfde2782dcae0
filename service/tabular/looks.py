"""What the values of a column look like, and how two columns go together. PURE."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

from service.fields import ID_CHARACTERS
from service.tabular.days_and_clocks import is_clock, is_day
from service.tabular.times import is_zero, looks_like_time
from service.tabular.values import is_unknown, plain_text

_LIST = re.compile(  # of PHP, of JSON, of people; but not {GUID}, 1,234,567, 1,1E+17 and addresses
    r"a:\d+:\{|[\[{](?![0-9a-f]{8}-[0-9a-f-]{27}\})|(?!https?:|\d{1,3}(?:,\d{3})+\Z|[\d,]+E\+)"
    r"(?:[^,;\s]+(?:,|;\s?)[^,;\s]+(?:[,;]|\Z)|[^,;]+, [^,;]+, )"
)
_FRACTION = re.compile(r"-?\d+[.,](?!0+\Z)\d{1,6}")
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff]")  # of Chinese and Japanese
_SENTENCE = 16  # of these characters: nicknames have fewer
_SHORT_SENTENCE = 6  # of them, if a full stop ends it
_MANY = 10  # rows that show that numbers grow
_DIGITS = 20
_NEARLY_ALL = 0.95  # of the rows
LOOKED_AT = 2_000  # values of a column whose form is examined
Rows = Sequence[Sequence[Any]]


@dataclass(frozen=True)
class ColumnLook:
    """A column of a sample of rows; None stands for unknown values."""

    number: int
    name: str
    values: Sequence[Any]

    @cached_property
    def known(self) -> list[Any]:
        """Its values without the unknown ones."""
        return [v for v in self.values if v is not None]

    @cached_property
    def distinct(self) -> int:
        """How many different values it has."""
        return len(set(map(plain_text, self.known)))

    @cached_property
    def example(self) -> str:
        """Its first value, shortened."""
        text = plain_text(self.known[0]) if self.known else ""
        return text if len(text) <= 40 else text[:39] + "…"

    @cached_property
    def is_time(self) -> bool:
        """Whether nearly all values are times."""
        some = [v for v in self.known[:LOOKED_AT] if not is_zero(v)]
        return bool(some) and sum(map(looks_like_time, some)) >= 0.5 * len(some) and not self.is_clock

    @cached_property
    def is_number(self) -> bool:
        """Whether its values are only digits, which may stand for anything."""
        return all(plain_text(v).strip().replace(".", "", 1).isdecimal() for v in self.known[:LOOKED_AT])

    @cached_property
    def is_measured(self) -> bool:
        """Whether most values are numbers with a fraction, as amounts and scores are, and ids are not."""
        some = [plain_text(v).strip() for v in self.known[:LOOKED_AT]]
        return sum(_FRACTION.fullmatch(t) is not None for t in some) > 0.5 * len(some)

    @cached_property
    def has_numbers(self) -> bool:
        """Whether nearly all values are single words with a digit, as ids are and what people write is not."""
        some = [plain_text(v).strip() for v in self.known[:LOOKED_AT]]
        return sum(" " not in t and any(map(str.isdigit, t)) for t in some) >= 0.9 * len(some)

    @cached_property
    def has_links(self) -> bool:
        """Whether nearly all values are addresses of web pages."""
        some = [plain_text(v).strip() for v in self.known[:LOOKED_AT]]
        return bool(some) and sum(t.startswith(("http://", "https://")) for t in some) >= 0.9 * len(some)

    @cached_property
    def has_lists(self) -> bool:
        """Whether cells hold several values each, as databases and people write lists."""
        some = [plain_text(v).strip() for v in self.known[:LOOKED_AT]]
        return sum(_LIST.match(t) is not None for t in some) > 0.1 * len(some)

    @cached_property
    def is_day(self) -> bool:
        """Whether its values are dates without hours."""
        return bool(self.known) and all(map(is_day, self.known[:LOOKED_AT]))

    @cached_property
    def is_clock(self) -> bool:
        """Whether its values are hours without dates."""
        return bool(self.known) and all(map(is_clock, self.known[:LOOKED_AT]))

    @cached_property
    def is_prose(self) -> bool:
        """Whether values are sentences rather than ids or names."""
        some = [plain_text(v) for v in self.known[:LOOKED_AT]]
        return sum(map(_is_sentence, some)) > 0.2 * len(some)

    @cached_property
    def is_yes_or_no(self) -> bool:
        """Whether it has only the values of a checkbox."""
        return {plain_text(v).lower() for v in self.known[:LOOKED_AT]} <= {"true", "false", "yes", "no"}

    @cached_property
    def longest(self) -> int:
        """Characters of its longest value."""
        return max((len(plain_text(v)) for v in self.known), default=0)


def _is_sentence(text: str) -> bool:
    unspaced = len(_UNSPACED.findall(text))
    is_unspaced = unspaced >= _SENTENCE or (unspaced >= _SHORT_SENTENCE and text.rstrip().endswith("。"))
    return len(text) > ID_CHARACTERS or text.count(" ") >= 3 or "\n" in text or is_unspaced


def looks_of(header: Sequence[str], rows: Rows) -> list[ColumnLook]:
    """The columns of a sample."""
    columns = list(zip(*rows, strict=True)) if rows else [() for _ in header]
    return [
        ColumnLook(k, name, [None if is_unknown(v) else v for v in values])
        for k, (name, values) in enumerate(zip(header, columns, strict=True))
    ]


def depends_on(column: ColumnLook, key: ColumnLook) -> float | None:
    """The share of the key's values, of those that occur in two rows or more, with one value of `column` only.

    None: no value of the key occurs twice.
    """
    values: dict[str, set[str]] = defaultdict(set)
    count: dict[str, int] = defaultdict(int)
    for value, by in zip(column.values, key.values, strict=True):
        if value is not None and by is not None:
            values[plain_text(by)].add(plain_text(value))
            count[plain_text(by)] += 1
    repeated = [k for k, n in count.items() if n > 1]
    return sum(len(values[k]) == 1 for k in repeated) / len(repeated) if repeated else None


def is_none(value: Any) -> bool:
    """Whether one of several columns that exclude each other is not the one: a number for nothing is 0."""
    return is_unknown(value) or plain_text(value).strip() in ("0", "0.0", "-1")


def same_people(first: ColumnLook, second: ColumnLook) -> bool:
    """Whether two columns name the same things: each value of one goes with one value of the other."""
    pairs = {
        (plain_text(a), plain_text(b))
        for a, b in zip(first.values, second.values, strict=True)
        if a is not None and b is not None
    }
    return bool(pairs) and len({a for a, _ in pairs}) == len(pairs) == len({b for _, b in pairs})


def exclude_each_other(columns: Sequence[ColumnLook]) -> bool:
    """Whether every row has a value in one of the columns at most, and each column in some row."""
    filled = [sum(not is_none(v) for v in row) for row in zip(*(c.values for c in columns), strict=True)]
    used = all(any(not is_none(v) for v in c.known) for c in columns)
    return used and bool(filled) and max(filled) == 1


def is_counter(column: ColumnLook) -> bool:
    """Whether numbers grow from row to row, as those of the rows themselves do."""
    texts = [plain_text(v).strip().removesuffix(".0") for v in column.known]
    if len(texts) < _MANY or len(texts) < len(column.values) or not all(t.isascii() and t.isdigit() for t in texts):
        return False
    numbers = [int(t[:_DIGITS]) for t in texts]
    return all(a < b for a, b in pairwise(numbers)) or all(a > b for a, b in pairwise(numbers))


def one_of_each_row(columns: Sequence[ColumnLook], at_least: Sequence[ColumnLook] = ()) -> list[ColumnLook]:
    """Those columns of which each row fills one, such as `post_id` and `comment_id`; none if there are no such.

    A column that says the same as another is left out, and so is one that is filled beside all of them.
    """
    found: list[ColumnLook] = []
    for column in columns:
        if any(is_none(v) for v in column.values) and not any(_says_the_same(column, other) for other in found):
            found.append(column)
    if len(found) < 2 or not {c.number for c in at_least} <= {c.number for c in found} or not exclude_each_other(found):
        return []
    filled = sum(any(not is_none(v) for v in row) for row in zip(*(c.values for c in found), strict=True))
    whole = [column for column in columns if not any(is_none(v) for v in column.values)]
    return found if filled >= _NEARLY_ALL * len(found[0].values) or not whole else []


def finer_first(columns: Sequence[ColumnLook]) -> list[ColumnLook]:
    """A column that some rows lack and one that all have and that is the same for each of its values, such as a record
    and its account; none if there are no such."""
    whole = [column for column in columns if len(column.known) == len(column.values)]
    partial = [column for column in columns if 0 < len(column.known) < len(column.values)]
    if len(whole) != 1 or not partial:
        return []
    finest = max(partial, key=lambda column: (column.distinct, "ur" in column.name.lower()))
    if any(not _says_the_same(column, finest) for column in partial if column is not finest):
        return []
    return [finest, whole[0]] if depends_on(whole[0], finest) == 1.0 else []


def nested(columns: Sequence[ColumnLook]) -> list[ColumnLook]:
    """Three columns and more of which each is filled wherever a finer one is, with one value for each of the finer, the
    finest first: a reply, its post, its author; none if they are not so, or if no row shows which of two is finer.
    """
    if len(columns) < 3:
        return []
    filled = [(frozenset(k for k, v in enumerate(c.values) if not is_none(v)), c) for c in columns]
    filled.sort(key=lambda one: len(one[0]))
    for (few, finer), (many, coarser) in pairwise(filled):
        if not few < many or depends_on(coarser, finer) != 1.0:
            return []
    return [column for _, column in filled]


def _says_the_same(first: ColumnLook, second: ColumnLook) -> bool:
    return same_people(first, second) and not exclude_each_other([first, second])
