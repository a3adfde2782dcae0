"""Quiet hours and days in a time zone, also where its clocks change."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from service.errors import Refused
from service.model import microseconds
from service.notifications.quiet_hours import (
    QuietHours,
    checked_hours,
    checked_zone,
    day_start_us,
    next_time_us,
    zone_of,
)

BERLIN = "Europe/Berlin"


def us(text: str, zone: str = BERLIN) -> int:
    return microseconds(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)))


@pytest.mark.parametrize(
    ("at", "end"),
    [
        ("2026-11-29 21:59", None),
        ("2026-11-29 22:00", "2026-11-30 07:00"),
        ("2026-11-30 06:59", "2026-11-30 07:00"),
        ("2026-11-30 07:00", None),
        ("2026-03-28 23:30", "2026-03-29 07:00"),  # the night that has an hour less
        ("2026-10-24 23:30", "2026-10-25 07:00"),  # and the one that has an hour more
    ],
)
def test_the_night_ends_in_the_morning_of_the_zone(at: str, end: str | None) -> None:
    night = checked_hours("22:00", "07:00")
    assert night is not None
    assert night.end_us(us(at), BERLIN) == (None if end is None else us(end))


def test_hours_within_one_day() -> None:
    noon = QuietHours(12 * 60, 13 * 60)
    assert noon.end_us(us("2026-11-29 12:30"), BERLIN) == us("2026-11-29 13:00")
    assert noon.end_us(us("2026-11-29 13:30"), BERLIN) is None


def test_a_time_that_a_night_leaves_out_comes_later_and_one_that_comes_twice_counts_once() -> None:
    left_out = next_time_us(us("2026-03-29 00:00"), 2 * 60 + 30, BERLIN)
    assert left_out == us("2026-03-29 03:30")
    first = next_time_us(us("2026-10-25 00:00"), 2 * 60 + 30, BERLIN)
    assert next_time_us(first, 2 * 60 + 30, BERLIN) == us("2026-10-26 02:30")


def test_a_day_begins_at_midnight_of_the_zone() -> None:
    assert day_start_us(us("2026-11-30 00:30"), BERLIN) == us("2026-11-30 00:00")
    assert day_start_us(us("2026-11-30 00:30"), "UTC") == us("2026-11-29 00:00", "UTC")


def test_what_is_no_time_or_zone_is_refused_and_none_is_none() -> None:
    assert checked_hours("", "") is None and checked_zone(BERLIN) == BERLIN
    for start, until in (("22:00", ""), ("", "07:00"), ("24:00", "07:00"), ("7", "8"), ("07:00", "07:00")):
        with pytest.raises(Refused):
            checked_hours(start, until)
    for name in ("", "Berlin", "../../etc/passwd", "Europe/Berlin\x00"):
        with pytest.raises(Refused):
            checked_zone(name)
    assert zone_of("Europe/Nowhere") == ZoneInfo("UTC")
