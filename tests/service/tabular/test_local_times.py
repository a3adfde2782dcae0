"""Times as programs write them for the people of one country; what they leave open is refused, not guessed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from tabular_files import csv_of, read, written

from service.tabular.time_styles import style_of
from service.tabular.times import UnreadableTime

ON_THE_13TH = datetime(2026, 10, 13, 9, 18, tzinfo=UTC)
WRITTEN = [
    "13OCT2026:09:18:00",  # SAS
    "2026/10/13-09:18:00",
    "09:18, 13 October 2026 (UTC)",  # signatures of MediaWiki
    "2026/10/13 9:18:00",  # ja-JP, zh-CN
    "2026. 10. 13. 오전 9:18:00",
    "2026-10-13 오전 9:18:00",
    "2026-10-13 9:18:00 AM",
    "2026-10-13 9:18",
    "13/10/2026 9:18:00 πμ",  # el
    "13/10/2026 9:18 SA",  # vi
    "13/10/2569 09:18:00",  # th
    "2026. 10. 13. 9:18:00",  # hu
    "2026년 10월 13일 오전 9:18",
    "2026年10月13日 09时18分",
    "2026年10月13日(火) 9:18",
    "13.10.2026 klo 9.18.00",
    "13.10.2026 9.18",
    "13. 10. 2026 9:18",  # cs
    "13/10/2026 à 9h18",
    "13/10/2026, 9:18:00 a. m.",
    "١٣/١٠/٢٠٢٦ ٩:١٨",
    "13/10/2026 ٩:١٨",
    "10/13/2026, 9:18:00\u202fAM",
    "\u200e13\u200e/\u200e10\u200e/\u200e2026 9:18",
    "13 oct. 2026 9:18",
    "mar., 13 oct. 2026 9:18",
    "13. Oktober 2026 um 09:18 Uhr",
    "3 de outubro de 2026 às 9h18",
    "13 октября 2026 г., 9:18",
    "13 Ekim 2026 09:18",
    "13 paź 2026 09:18",
]


@pytest.mark.parametrize(
    "text",
    [
        "2026/10/13 11:18:00 AM MESZ",  # forms of Google in German
        "2026/10/13 10:18:00 AM MEZ",
        "13/10/2026 11:18:00 GMT+2",
        "13.10.2026 09:18 WEZ",
        "13.10.2026 06:18:00 UTC-03:00",
        "13 oct. 2026 11:18 UTC+2",
        "2026-10-13 05:18:00 EDT",
    ],
)
def test_abbreviations_of_one_offset_are_read(text: str) -> None:
    style = style_of([text], None, None)
    assert style.has_offset and style.read(text) == ON_THE_13TH


@pytest.mark.parametrize("text", WRITTEN)
def test_what_programs_write_for_a_country_is_read(text: str) -> None:
    at = ON_THE_13TH if "13" in text or "١٣" in text else ON_THE_13TH.replace(day=3)
    assert style_of([text], zone=UTC).read(text) == at


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("13/Oct/2026:09:18:00 +0200", 2),  # a web server's log
        ("2026/10/13 9:18:00 AM MESZ", 2),
        ("2026/10/13 9:18:00 AM MEZ", 1),
        ("13.10.2026 09:18 CET", 1),
        ("2026-10-13 09:18:00 CEST", 2),
        ("Oct 13, 2026, 9:18 AM EST", -5),
        ("13/10/2026 09:18 (UTC+2)", 2),
        ("2026-10-13 09:18 GMT-3", -3),
        ("13 Oct 2026 09:18:00 MSK", 3),
        ("2026/10/13 午前9:18:00 JST", 9),
        ("10/13/2026 9:18 AM PDT", -7),
    ],
)
def test_zones_by_name_are_their_offset(text: str, hours: int) -> None:
    style = style_of([text])
    assert (style.has_offset, style.read(text)) == (True, ON_THE_13TH.replace(tzinfo=timezone(timedelta(hours=hours))))


@pytest.mark.parametrize("text", ["2026-10-13 09:18 IST", "2026-10-13 09:18 BST", "2026-10-13 09:18 XYZ"])
def test_a_zone_of_two_meanings_is_not_guessed(text: str) -> None:
    with pytest.raises(UnreadableTime):
        style_of([text])


@pytest.mark.parametrize("text", ["13. listopada 2026", "13 Foo 2026", "3 hours ago", "vor 2 Tagen", "13h10"])
def test_what_has_two_meanings_or_none_is_not_a_time(text: str) -> None:
    with pytest.raises(UnreadableTime):
        style_of([text], zone=UTC)


def clocked(pattern: str, days: range) -> list[str]:
    """A time on each day, at different hours."""
    return [f"{pattern.format(day)} {day % 12:02}:{7 * day % 60:02}" for day in days]


def test_days_of_one_month_are_not_one_day_of_many_months() -> None:
    for pattern, style in (("10/{}/2026", "month-first"), ("{}/10/2026", "day-first"), ("{}/10/26", "day-first")):
        found = style_of(clocked(pattern, range(3, 9)), zone=UTC)
        assert found.style == style
    assert "one day in each of many months" in style_of(clocked("10/{}/2026", range(3, 9)), zone=UTC).note


@pytest.mark.parametrize(
    "values",
    [
        clocked("10/{}/2026", range(3, 6)),  # too few days
        [f"{day}/10/2026" for day in range(3, 9)],  # no hours: a list of each month
        [f"01/{month:02}/2026 00:00" for month in range(3, 9)],  # a job of each month
        clocked("10/{}/2026", range(3, 9)) + clocked("11/{}/2026", range(3, 9)),
    ],
)
def test_where_the_spread_does_not_tell_a_choice_is_needed(values: list[str]) -> None:
    with pytest.raises(UnreadableTime, match="choose with --time-format day-first or"):
        style_of(values, zone=UTC)
    assert style_of(values, "day-first", UTC).read("03/10/2026 09:00") == datetime(2026, 10, 3, 9, tzinfo=UTC)


def test_a_year_of_two_digits_is_a_recent_one_that_hardly_differs() -> None:
    for values, style in (
        (["26.10.06 05:46", "26.10.07 05:46"], "year-first"),
        (["05.10.26 05:46"], "day-first"),
        (clocked("26.10.{}", range(10, 25)), "year-first"),
        (clocked("{}.10.26", range(10, 25)), "day-first"),
        (clocked("10/{}/26", range(10, 25)), "month-first"),
    ):
        found = style_of(values, zone=UTC)
        assert (found.style, found.read(values[0]).year) == (style, 2026)
    with pytest.raises(UnreadableTime, match="--time-format year-first"):
        style_of(["26.10.13 05:46", "26.10.14 05:46"], zone=UTC)
    assert style_of(["26.10.13"], "year-first", UTC).read("26.10.13") == datetime(2026, 10, 13, tzinfo=UTC)


@pytest.mark.parametrize("clock", ["19h{:02}", "19 h {:02}", "19:{:02} Uhr", "7:{:02} PM", "19:{:02}"])
def test_a_date_and_its_hour_in_two_columns_are_one_time(tmp_path: Path, clock: str) -> None:
    given = [
        {"Date du signalement": "20/02/2026", "Heure": clock.format(k), "Signalé par": f"u{k % 5}", "Message n°": k % 7}
        for k in range(20)
    ]
    items, refused, _ = read(written(tmp_path / "a.csv", csv_of(given)))
    assert [item.occurred_at for item in items] == [datetime(2026, 2, 20, 19, k, tzinfo=UTC) for k in range(20)]
    assert refused == []
