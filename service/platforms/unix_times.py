"""Times that a platform sends as numbers since 1970, in a unit that the field map names. PURE.

A number in another unit than the named one is a date as well, tens or thousands of years away: what lies before 2000,
or after the calendar, is refused with the unit that it seems to have.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import isfinite

from service.fields import EARLIEST, LATEST

UNITS = {"unix": ("seconds", 1_000_000), "unix_ms": ("milliseconds", 1_000), "unix_us": ("microseconds", 1)}
FIRST_YEAR = 2000  # the default of `earliest`
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"\s*[+-]?[0-9]{1,30}(?:\.[0-9]{1,30})?\s*\Z")
_LARGEST_SHOWN = 10**30
_LIKELY_YEARS = range(2000, 2100)


class BadTime(ValueError):
    """A number is not a time in the unit of the field map. The text names the value, the unit and the likely one."""


@dataclass(frozen=True, slots=True)
class TimeReader:
    """How one field's times are read."""

    unit: str | None = None  # of UNITS; None: they are text
    earliest: int = FIRST_YEAR  # the first permitted year of a number

    def read(self, value: object) -> object:
        """The time of a number, or of a text that is one; None for an empty text, anything else as it is.

        Raises BadTime.
        """
        if value == "":
            return None
        number = _number(value)
        if number is None:
            return value
        shown = repr(value) if isinstance(value, str) or abs(number) < _LARGEST_SHOWN else "a number of over 30 digits"
        if self.unit is None:
            raise BadTime(f"{shown} is a number without a unit: {_advice(number) or _all_units()}")
        moment = _moment(number, self.unit)
        if moment is not None and moment.year >= self.earliest:
            return moment
        what = f"{shown} as {self.unit} ({UNITS[self.unit][0]} since 1970)"
        if moment is None:
            what += " is not a date in the years 1 to 9999"
        else:
            what += f" is {_text(moment)}, before {self.earliest}"
        advice = _advice(number, self.unit)
        if not advice and moment is not None:
            advice = "to accept such old times, add 'earliest' with the first year to this field of the field map"
        raise BadTime(f"{what}: {advice or _all_units()}")


def _number(value: object) -> Decimal | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return Decimal(value)
    if isinstance(value, float):
        return Decimal(repr(value)) if isfinite(value) else None
    return Decimal(value.strip()) if isinstance(value, str) and _NUMBER.match(value) else None


def _moment(number: Decimal, unit: str) -> datetime | None:
    micros = number * UNITS[unit][1]
    if abs(micros) > 10**18:  # beyond the calendar, and slow to convert
        return None
    try:
        moment = _EPOCH + timedelta(microseconds=round(micros))
    except OverflowError:
        return None
    return moment if EARLIEST <= moment <= LATEST else None


def _advice(number: Decimal, but: str | None = None) -> str:
    """The unit in which the number is a time of these decades; empty if there is none."""
    for unit, (words, _) in UNITS.items():
        moment = None if unit == but else _moment(number, unit)
        if moment is not None and moment.year in _LIKELY_YEARS:
            return f"in {words} it is {_text(moment)}; set 'as' to {unit!r} in the field map"
    return ""


def _all_units() -> str:
    return f"set 'as' in the field map to the unit of the platform's times: one of {', '.join(UNITS)}"


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
