"""Values that need no second look: what most cells of a table are, read by the column. PURE.

Each function gives a value's meaning, None where it is unknown, or ODD: then the row is read as every row can be
(assembly.py), which says what is wrong with it, counts what is cut, and knows the rarer ways of writing things.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any, Final, get_args

from service.fields import ATTRIBUTE_CHARACTERS, EARLIEST_ACCOUNT, ID_CHARACTERS, is_id, is_storable
from service.model import NoticeType, microseconds
from service.tabular.times import EARLIEST_YEAR, TimeStyle, UnreadableTime, is_zero
from service.tabular.values import UNKNOWN_WORDS, Spoilt, flag, id_text, is_nobody, is_unknown

ODD: Final = object()
MOST_KEPT = 1 << 18  # meanings of a column's values that are remembered at once
_LONGEST_KEPT = 256  # characters: longer ones hardly come again, and would fill the memory
_PLAIN_ID = re.compile(r"(?:[A-Za-z][\w:-]*|[0-9]+|[\w:-]{10,})\Z", re.ASCII)  # without the signs of numbers
_PLAIN_TIME = re.compile(
    r"[12][0-9]{3}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|\+00:00)\Z"
)
_LONGEST_WORD = max(map(len, UNKNOWN_WORDS))
_EARLIEST_ACCOUNT_US = microseconds(EARLIEST_ACCOUNT)


class Remembered(dict[Any, Any]):
    """The meanings of a column's values, each found once: most values stand in many rows."""

    def __init__(self, meaning: Callable[[Any], Any]) -> None:
        super().__init__()
        self._meaning = meaning

    def __missing__(self, value: Any) -> Any:
        found = self._meaning(value)
        if not isinstance(value, str) or len(value) <= _LONGEST_KEPT:
            if len(self) >= MOST_KEPT:
                self.clear()
            self[value] = found
        return found


def plain_id(value: str | None) -> Any:
    """An id."""
    if value is None:
        return None
    if _PLAIN_ID.match(value) and len(value) <= ID_CHARACTERS:
        return None if len(value) <= _LONGEST_WORD and value.casefold() in UNKNOWN_WORDS else value
    if is_unknown(value):
        return None
    try:
        found = id_text(value)
    except Spoilt:
        return ODD
    return found if is_id(found) else ODD


def plain_moment(value: str | None, style: TimeStyle) -> Any:
    """A time, as an aware datetime; one that is unknown is ODD."""
    if value is None:
        return ODD
    try:
        if style.style == "iso" and _PLAIN_TIME.match(value):
            found = datetime.fromisoformat(value)
            return found if found.year >= EARLIEST_YEAR else ODD
        return ODD if is_unknown(value) or is_zero(value) else style.read(value)
    except (UnreadableTime, ValueError):
        return ODD


def plain_account_time(value: str | None, style: TimeStyle) -> Any:
    """Microseconds since 1970 of the time at which an account was made."""
    if is_unknown(value):
        return None
    found = plain_moment(value, style)
    if found is ODD or (us := microseconds(found)) < _EARLIEST_ACCOUNT_US:
        return ODD
    return us


def plain_words(value: str | None, longest: int) -> Any:
    """A text."""
    if not value or is_unknown(value):
        return None
    return value if len(value) <= longest and is_storable(value) else ODD


def plain_name(value: str | None, guests: Collection[str]) -> Any:
    """An id that has to be given: of nobody, it is odd."""
    found = plain_id(value)
    return ODD if found is None or found is ODD or is_nobody(found) or found in guests else found


def with_kind(kind_and_id: tuple[Any, Any]) -> Any:
    """The id of a target whose kind is part of it."""
    kind, found = kind_and_id
    if ODD in kind_and_id:
        return ODD
    whole = f"{kind}/{found}" if kind else found
    return whole if is_id(whole) else ODD


def plain_flag(value: str | None) -> Any:
    """A yes or no."""
    if is_unknown(value):
        return None
    found = flag(value)
    return found if isinstance(found, bool) else ODD


def plain_notice(value: str | None) -> Any:
    """A type of notice."""
    if is_unknown(value):
        return None
    return value if value in get_args(NoticeType) else ODD


def plain_attributes(names: Sequence[str], values: Sequence[str | None]) -> Any:
    """The attributes of a target by their names; None without one that is known."""
    found = {name: plain_words(value, ATTRIBUTE_CHARACTERS) for name, value in zip(names, values, strict=True)}
    found = {name: value for name, value in found.items() if value is not None}
    return ODD if ODD in found.values() else found or None


def unknown(_value: Any) -> None:
    """Of a column that cannot be read: nothing is known."""
    return
