"""Hours of the day in a time zone: when messages wait, and when a day begins. PURE: `now_us` is an argument."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from service.errors import Refused
from service.model import microseconds, moment
from service.time_zones import time_zones

UTC_NAME = "UTC"
DAY_MINUTES = 24 * 60
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From one time of the day to another, in minutes since midnight; over midnight if `until` is the earlier one."""

    start: int
    until: int

    def end_us(self, now_us: int, zone: str) -> int | None:
        """When the quiet hours end that `now_us` lies in; None: it lies in none."""
        local = moment(now_us).astimezone(zone_of(zone))
        minute = local.hour * 60 + local.minute
        length = (self.until - self.start) % DAY_MINUTES
        if length == 0 or (minute - self.start) % DAY_MINUTES >= length:
            return None
        return next_time_us(now_us, self.until, zone)

    @property
    def text(self) -> tuple[str, str]:
        """Both times, as people write them."""
        return clock_text(self.start), clock_text(self.until)


def next_time_us(now_us: int, minute: int, zone: str) -> int:
    """The next time after `now_us` at which clocks of the zone show this minute of the day.

    A time that a change of clocks leaves out comes as much later; one that comes twice counts the first time.
    """
    here = zone_of(zone)
    local = moment(now_us).astimezone(here)
    for days in range(3):
        day = local.date() + timedelta(days=days)
        at = microseconds(datetime(day.year, day.month, day.day, minute // 60, minute % 60, tzinfo=here))
        if at > now_us:
            return at
    raise AssertionError("a day has no more than 48 hours")


def day_start_us(now_us: int, zone: str) -> int:
    """The beginning of the day that `now_us` lies in, in the zone."""
    local = moment(now_us).astimezone(zone_of(zone))
    return microseconds(local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0))


def checked_zone(name: str) -> str:
    """The name of a known time zone. Raises Refused."""
    if name not in time_zones():
        raise Refused(f"unknown time zone {name[:60]!r}: use a name like Europe/Berlin, or UTC")
    return name


def checked_hours(start: str, until: str) -> QuietHours | None:
    """Quiet hours from two times like 22:00; None for two empty ones. Raises Refused."""
    if not start and not until:
        return None
    found = QuietHours(clock_minute(start), clock_minute(until))
    if found.start == found.until:
        raise Refused("quiet hours that begin and end at the same time would never end: leave both empty for none")
    return found


def clock_minute(text: str) -> int:
    """Minutes since midnight of a time like 22:00. Raises Refused."""
    found = _CLOCK.fullmatch(text.strip())
    if found is None:
        raise Refused(f"{text[:20]!r} is not a time of the day: write it like 22:00; quiet hours need both times")
    return int(found[1]) * 60 + int(found[2])


def clock_text(minute: int) -> str:
    """A minute of the day, as people write it."""
    return f"{minute // 60:02}:{minute % 60:02}"


def zone_of(name: str) -> ZoneInfo:
    """The zone; UTC where this machine no longer knows the name."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return ZoneInfo(UTC_NAME)
