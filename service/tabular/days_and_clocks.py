"""Dates without hours, and hours without dates. PURE.

Databases and spreadsheets write them as whole times, too: a date as midnight, an hour as one of the day on which their
calendar begins (Access and Excel: 30 December 1899, SQL Server: 1 January 1900).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, time, timedelta
from typing import Any

from service.tabular.local_times import in_plain_form
from service.tabular.times import UnreadableTime, form_of, looks_like_time, moment_of, plain
from service.tabular.values import is_unknown

_CLOCK = re.compile(
    r"(?:\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:\s?[AaPp]\.?[Mm]\.?)?"
    r"|\d{1,2}\s?[hH]\s?\d{2}(?:\s?(?:m|min)\s?\d{2}\s?s?)?)(?:\s?(?:Uhr|uhr|hrs?))?\Z"
)
_MIDNIGHT = re.compile(
    r"[T ](?:0?0:00(?::00(?:[.,]0+)?)?|12:00(?::00)? ?[Aa]\.?[Mm]\.?)(\s?(?:Z|UTC|GMT|[+-]\d{2}:?\d{2}))?\Z"
)
_FIRST_DAY = re.compile(
    r"(?:1899-12-3[01]|1900-01-01|1970-01-01|3[01]\.12\.1899|12/3[01]/1899|0?1[./]0?1[./]1900)[T ](?=\d)"
)
_LAST_YEAR = 1900  # of the days on which calendars begin
_COMPARED = 500  # rows
_NEARLY_ALL = 0.9  # of the rows
_MOST = 0.6  # of the rows, where the others are a day off: days of another time zone
_HOURS = timedelta(hours=1)
_EITHER_WAY = ("day-first", "month-first", "year-first")


def is_day(value: Any) -> bool:
    """Whether the value is a date without an hour, or at midnight."""
    if isinstance(value, datetime):
        return not (value.hour or value.minute or value.second)
    if not looks_like_time(value):
        return False
    text = in_plain_form(plain(value))
    return _MIDNIGHT.search(text) is not None or not re.search(r":|\A\d+\Z", text)


def is_clock(value: Any) -> bool:
    """Whether the value is an hour without a date, or of the day on which a calendar begins."""
    if isinstance(value, datetime):
        return value.year <= _LAST_YEAR
    if isinstance(value, time):
        return True
    text = plain(value)
    return _CLOCK.match(text) is not None or _FIRST_DAY.match(text) is not None


def day_and_clock(day: Any, clock: Any) -> str | None:
    """A time whose date and hour stand in two columns, as text; None if one of them is unknown."""
    if is_unknown(day) or is_unknown(clock):
        return None
    if isinstance(day, datetime):
        day = day.date()
    hour = clock.time() if isinstance(clock, datetime) else _FIRST_DAY.sub("", plain(clock))
    midnight = _MIDNIGHT.search(text := plain(day))
    offset = (midnight[1] or "").strip() if midnight else ""
    return f"{text[: midnight.start()] if midnight else text} {hour}{offset}"


def on_the_same_days(days: Sequence[Any], times: Sequence[Any]) -> bool:
    """Whether times are on the days of another column, row by row, as far as the time zones of both may differ."""
    apart = [[(b.date() - a.date()).days for a, b in ways] for ways in _ways_to_read(days, times)]
    same = sum(0 in each for each in apart)
    if not apart or same >= _NEARLY_ALL * len(apart):
        return bool(apart)
    return same >= _MOST * len(apart) and any(all({0, side} & set(each) for each in apart) for side in (-1, 1))


def is_well_before(earlier: Sequence[Any], later: Sequence[Any]) -> bool:
    """Whether nearly all times of a column are before those of another, row by row, and most of them by hours."""
    apart = [min(b - a for a, b in ways) for ways in _ways_to_read(earlier, later)]
    before, by_hours = (sum(each >= least for each in apart) for least in (timedelta(0), _HOURS))
    return bool(apart) and before >= _NEARLY_ALL * len(apart) and by_hours >= _MOST * len(apart)


def _ways_to_read(first: Sequence[Any], second: Sequence[Any]) -> Iterator[list[tuple[datetime, datetime]]]:
    """Of rows with both times, each way in which both can be read: days and months may be either way round."""
    for a, b in list(zip(first, second, strict=True))[:_COMPARED]:
        if ways := [(x, y) for x in _readings(a) for y in _readings(b)]:
            yield ways


def _readings(value: Any) -> Iterator[datetime]:
    if is_unknown(value) or not looks_like_time(value):
        return
    for style in dict.fromkeys((form_of(value) or "iso", *_EITHER_WAY)):
        with suppress(UnreadableTime):
            yield moment_of(value, style).replace(tzinfo=UTC)
