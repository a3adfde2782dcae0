"""Times as tables write them: which way a column is written, and its values in RFC 3339. PURE.

Nothing is guessed that a value does not show: days and months that could be either way round, and times without an
offset, need a choice by the caller.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from email.utils import parsedate_to_datetime
from typing import Any

from service.tabular.local_times import in_plain_form

FORMATS = ("day-first", "month-first", "year-first", "seconds", "milliseconds", "microseconds", "excel")
_ISO = re.compile(
    r"(\d{4}-\d{2}-\d{2})(?:[Tt ,]\s?(\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?)(?:\s?([AaPp]\.?[Mm]\.?))?)?"
    r"(?:\s?(Z|z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)(?: (?:UTC|GMT))?)?\Z"
)
SLASHED = re.compile(
    r"(\d{1,4})([/.-])(\d{1,2})\2(\d{1,4})"
    r"(?:,?[T ]\s*(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d+))?)?\s*([AaPp]\.?[Mm]\.?)?)?"
    r"(?:\s?(Z|UTC|GMT|[+-]\d{2}:?\d{2}))?\Z"
)
_DIGITS = re.compile(r"\d{14}(?:Z|z)?\Z")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?\Z")
_DAY_NUMBER = re.compile(r"[3-7]\d{4},\d+\Z")  # as a spreadsheet writes it where the comma is decimal
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_NAMED = re.compile(
    r"(?:[A-Za-z]{3,9},? )?"
    r"(?:(\d{1,2})[ /-]([A-Za-z]{3,9})\.?,?[ /-]|([A-Za-z]{3,9})\.? (\d{1,2})(?:st|nd|rd|th)?,? )"
    r"(\d{4}|(?<=[A-Za-z][/-])\d{2})"
    r"(?:,? (?:at |@ )?(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?\s*([AaPp]\.?[Mm]\.?)?)?"
    r"(?: (Z|UTC|GMT|[+-]\d{2}:?\d{2}))?\Z"
)
_WEEKDAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_MAIL_ZONES = {"UT", "UTC", "GMT", "Z", "EST", "EDT", "CST", "CDT", "MST", "MDT", "PST", "PDT"}
UNITS = {"seconds": 1, "milliseconds": 1_000, "microseconds": 1_000_000, "nanoseconds": 1_000_000_000}
_SPREADSHEET_EPOCH = datetime(1899, 12, 30, tzinfo=UTC)
_LONGEST = 128  # characters of a time in words
_YEAR_2000 = 946_684_800  # seconds since 1970: smaller numbers are ids rather than times
_BUDDHIST = 543  # years that Thailand's calendar is ahead
_LAST_YEAR = 2100
EARLIEST_YEAR = 1971  # of a time that was meant: year 1, 1900 and 1970 stand for "none" in many databases


class UnreadableTime(ValueError):
    """A value that is not a time in the way its column is written; its text says why."""


@dataclass(frozen=True, slots=True)
class TimeStyle:
    """How a column writes times."""

    style: str  # iso, day-first, month-first, named, digits, one of UNITS, excel, mixed, or a strptime pattern
    has_offset: bool
    whole_days: bool = False
    zone: tzinfo | None = None  # of values without an offset
    note: str = ""

    def read(self, value: Any) -> datetime:
        """The time of a value. Raises UnreadableTime."""
        moment = moment_of(value, self.style)
        if moment.tzinfo is None:
            if self.zone is None:
                raise UnreadableTime(
                    f"{shown(value)} has no UTC offset: name the time zone, for instance --timezone Europe/Berlin"
                    " or --timezone UTC"
                )
            moment = moment.replace(tzinfo=self.zone)
        return moment


def is_zero(value: Any) -> bool:
    """Whether the value is a database's zero time: it says that there is none."""
    return plain(value)[:4] in ("0000", "0001") and plain(value)[4:5] in ("", "-", "/")


def plain(value: Any) -> str:
    """The value as text, without blanks around it."""
    return value.strip() if isinstance(value, str) else str(value)


def looks_like_time(value: Any) -> bool:
    """Whether a value could be a time, in whatever way it is written; numbers only where a magnitude fits."""
    try:
        return form_of(value) is not None
    except UnreadableTime:
        return False


def form_of(value: Any) -> str | None:
    """How a value is written; slashed and short leave open what comes first. None if it is not a time."""
    if isinstance(value, datetime | date):
        return "iso"
    if isinstance(value, bool):
        return None
    text = plain(value)
    if (style := _style_of_text(text)) is not None or (other := in_plain_form(text)) == text:
        return style
    return _style_of_text(other)


def _style_of_text(text: str) -> str | None:
    if _ISO.match(text):
        return "iso"
    if _DIGITS.match(text):
        return "digits"
    if _NUMBER.match(text):
        return _unit_of(float(text))
    if _DAY_NUMBER.match(text):
        return "excel"
    if slashed := SLASHED.match(text):
        first, sign, second, last = slashed[1], slashed[2], slashed[3], slashed[4]
        if len(first) == 4:
            return "iso" if sign != "-" and int(second) <= 12 else None
        if len(first) > 2 or len(last) in (1, 3):
            return None
        if len(last) == 2:
            return "short"
        if sign == "." or int(first) > 12:
            return "day-first" if int(second) <= 12 else None
        return "month-first" if int(second) > 12 else "slashed"
    if (named := _NAMED.match(text)) and (named[2] or named[3])[:3].lower() in _MONTHS:
        return "named"
    return "mail" if text[:3].isalpha() and _mail_date(text) is not None else None


def _unit_of(number: float) -> str | None:
    if 25_000 <= number < 80_000:
        return "excel"
    for unit, factor in UNITS.items():
        if _YEAR_2000 * factor <= number < 10**10 * factor:
            return unit
    return None


def moment_of(value: Any, style: str) -> datetime:
    """The time of a value that is written in `style`; without an offset if the value has none."""
    try:
        if isinstance(value, datetime):
            found = value
        elif isinstance(value, date):
            found = datetime(value.year, value.month, value.day)  # noqa: DTZ001  the caller knows the zone
        else:
            found = _read_text(plain(value), style)
    except (ValueError, OverflowError) as error:
        if isinstance(error, UnreadableTime):
            raise
        raise UnreadableTime(f"{shown(value)} is not a valid time: {error}") from None
    if found.year < EARLIEST_YEAR:
        raise UnreadableTime(f"{shown(value)} is a time in the year {found.year}: it stands for an unknown one")
    return found


def _read_text(text: str, style: str) -> datetime:
    reader = _READERS.get(style)
    if reader is None:
        return _by_pattern(text, style)
    try:
        return reader(text)
    except ValueError:
        if (other := in_plain_form(text)) == text or form_of(other) is None:
            raise
        return reader(other)


def _iso(text: str) -> datetime:
    found = _ISO.match(text)
    if found is None:
        if (slashed := SLASHED.match(text)) and len(slashed[1]) == 4:
            return _from_parts(slashed, *(int(slashed[k]) for k in (1, 3, 4)))
        raise UnreadableTime(f"{shown(text)} is not written like the other times of its column")
    offset = (found[4] or "").upper()
    offset = "+00:00" if offset in ("Z", "UTC", "GMT") else offset
    if len(offset) == 3:
        offset += ":00"
    clock = (found[2] or "00:00").replace(",", ".")
    hour, _, rest = clock.partition(":")
    return datetime.fromisoformat(f"{found[1]}T{_hour_of_day(text, int(hour), found[3]):02}:{rest}{offset}")


def _slashed(day_first: bool) -> Callable[[str], datetime]:
    def read(text: str) -> datetime:
        found = SLASHED.match(text)
        if found is None or len(found[1]) > 2:
            return _iso(text)
        first, second, year = int(found[1]), int(found[3]), int(found[4])
        month, day = (second, first) if day_first else (first, second)
        return _from_parts(found, year + 2000 if year < 100 else year, month, day)

    return read


def _year_first(text: str) -> datetime:
    found = SLASHED.match(text)
    if found is None or len(found[1]) > 2:
        return _iso(text)
    return _from_parts(found, int(found[1]) + 2000, int(found[3]), int(found[4]))


def _from_parts(found: re.Match[str], year: int, month: int, day: int) -> datetime:
    year -= _BUDDHIST if EARLIEST_YEAR + _BUDDHIST <= year < _LAST_YEAR + _BUDDHIST else 0
    hour = _hour_of_day(found[0], int(found[5] or 0), found[9])
    micros = int((found[8] or "0")[:6].ljust(6, "0"))
    return datetime(year, month, day, hour, int(found[6] or 0), int(found[7] or 0), micros, _zone(found[10]))


def _hour_of_day(text: str, hour: int, half: str | None) -> int:
    """The hour on a 24-hour clock; `half` is am, pm, a.m., p.m. or nothing. Raises UnreadableTime for 13 pm."""
    if not half:
        return hour
    if not 1 <= hour <= 12:
        raise UnreadableTime(f"{shown(text)} has an hour that does not go with {half}")
    return hour % 12 + (12 if half[0] in "pP" else 0)


def _zone(text: str | None) -> tzinfo | None:
    if not text:
        return None
    if text.upper() in ("Z", "UTC", "GMT"):
        return UTC
    return datetime.fromisoformat(f"2000-01-01T00:00{text}").tzinfo


def _named(text: str) -> datetime:
    found = _NAMED.match(text)
    word = (found[2] or found[3])[:3].lower() if found else ""
    if found is None or word not in _MONTHS:
        return _iso(text)
    day, hour = int(found[1] or found[4]), _hour_of_day(text, int(found[6] or 0), found[9])
    month = _MONTHS.index(word) + 1
    year = int(found[5]) + (2000 if len(found[5]) == 2 else 0)
    return datetime(year, month, day, hour, int(found[7] or 0), int(found[8] or 0), 0, _zone(found[10]))


def _mail(text: str) -> datetime:
    found = _mail_date(text)
    if found is None:
        raise UnreadableTime(f"{shown(text)} is not written like the other times of its column")
    return found


def _mail_date(text: str) -> datetime | None:
    """The time of a date as in mail; None if it has a word that Python's reader passes over, as PM or a zone's name."""
    if len(text) > _LONGEST:
        return None
    words = re.findall(r"[^\W\d_]+", re.sub(r"\([^)]*\)", "", text))
    if any(word[:3].lower() not in (*_MONTHS, *_WEEKDAYS) and word.upper() not in _MAIL_ZONES for word in words):
        return None
    try:
        return parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None


def _digits(text: str) -> datetime:
    if not _DIGITS.match(text):
        return _iso(text)
    moment = datetime.strptime(text[:14], "%Y%m%d%H%M%S")  # noqa: DTZ007  the caller knows the zone
    return moment.replace(tzinfo=UTC) if len(text) > 14 else moment


def _check_number(text: str) -> None:
    if not _NUMBER.match(text):
        raise UnreadableTime(f"{shown(text)} is not a number, as the other times of its column are")


def _epoch(unit: str) -> Callable[[str], datetime]:
    def read(text: str) -> datetime:
        _check_number(text)
        whole, _, part = text.partition(".")
        micros = int(whole) * 1_000_000 // UNITS[unit]
        micros += int(float(f"0.{part or 0}") * 1_000_000 / UNITS[unit])
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)

    return read


def _excel(text: str) -> datetime:
    text = text.replace(",", ".")
    _check_number(text)
    moment = _SPREADSHEET_EPOCH + timedelta(milliseconds=round(float(text) * 86_400_000))
    return moment.replace(tzinfo=None)


def _mixed(text: str) -> datetime:
    style = form_of(text)
    if style is None or style in ("slashed", "short", "mixed"):
        raise UnreadableTime(f"{shown(text)} is not a time")
    return _READERS[style](text)


def _by_pattern(text: str, pattern: str) -> datetime:
    try:
        return datetime.strptime(text, pattern)  # noqa: DTZ007  the caller knows the zone
    except (ValueError, re.error):  # the latter for a pattern that names a part twice
        raise UnreadableTime(f"{shown(text)} does not match --time-format {pattern}") from None


def shown(value: Any) -> str:
    """A value, for a sentence."""
    return repr(plain(value)[:40])


_READERS: dict[str, Callable[[str], datetime]] = {
    "iso": _iso,
    "day-first": _slashed(True),
    "month-first": _slashed(False),
    "year-first": _year_first,
    "named": _named,
    "mail": _mail,
    "digits": _digits,
    "excel": _excel,
    "mixed": _mixed,
} | {unit: _epoch(unit) for unit in UNITS}
