"""Dates whose hours stand in another column, and times of which another one comes first."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from tabular_files import START, csv_of, read, rows, written

from service.errors import Refused
from service.tabular.reading import SourceFile

ROWS = rows()
MOMENTS = [START + k * timedelta(hours=7) for k in range(len(ROWS))]


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%d.%m.%Y", "%d %b %Y"])
def test_a_date_and_its_hour_in_two_columns_are_one_time(tmp_path: Path, form: str) -> None:
    moments = [START + k * timedelta(hours=7) for k in range(len(ROWS))]
    given = [
        {"reporter": r["reporter"], "post_id": r["post_id"], "date": t.strftime(form), "time": t.strftime("%H:%M")}
        for r, t in zip(ROWS, moments, strict=True)
    ]
    items, refused, source = read(written(tmp_path / "a.csv", csv_of(given)))
    assert refused == [] and [c.occurred_at for c in items] == moments
    assert any("with the hour of 'time'" in r.why for r in source.read_as)
    given[3]["time"] = ""
    assert [r.line for r in read(written(tmp_path / "a.csv", csv_of(given)))[1]] == [5]


def test_two_columns_of_hours_are_refused_unless_one_is_called_like_the_date(tmp_path: Path) -> None:
    def table(first: str, second: str) -> str:
        hours = {first: "09:30", second: "17:00"}
        return csv_of(
            [
                {"reporter": r["reporter"], "post_id": r["post_id"], "report_date": r["created_at"][:10]} | hours
                for r in ROWS
            ]
        )

    with pytest.raises(Refused, match="'start' and 'stop' could each be it"):
        read(written(tmp_path / "a.csv", table("start", "stop")))
    items, _, _ = read(written(tmp_path / "a.csv", table("close_time", "report_time")))
    assert {c.occurred_at.hour for c in items} == {17}


@pytest.mark.parametrize(
    ("date", "clock"),
    [
        ("%Y-%m-%d 00:00:00", "1900-01-01 %H:%M:%S"),  # SQL Server
        ("%Y-%m-%dT00:00:00", "1899-12-30T%H:%M:%S"),  # Excel
        ("%d.%m.%Y 00:00:00", "30.12.1899 %H:%M:%S"),  # Access
        ("%m/%d/%Y 12:00:00 AM", "12/30/1899 %I:%M:%S %p"),
        ("%Y-%m-%dT00:00:00Z", "%H:%M"),
        ("%Y-%m-%d 0:00", "%H:%M"),
    ],
)
def test_an_hour_of_the_calendar_s_first_day_goes_with_a_date_at_midnight(
    tmp_path: Path, date: str, clock: str
) -> None:
    given = [
        {"reporter": r["reporter"], "post_id": r["post_id"], "Date": t.strftime(date), "Time": t.strftime(clock)}
        for r, t in zip(ROWS, MOMENTS, strict=True)
    ]
    items, refused, _ = read(written(tmp_path / "a.csv", csv_of(given)))
    assert refused == [] and [c.occurred_at for c in items] == MOMENTS


def two_times(first: str, form: str, second: str, other: str, **apart: int) -> list[dict[str, str]]:
    """The known rows with two times, the second one apart from the first."""
    return [
        {
            "reporter": r["reporter"],
            first: t.strftime(form),
            second: (t + k % 5 * timedelta(**apart)).strftime(other),
            "post_id": r["post_id"],
        }
        for k, (r, t) in enumerate(zip(ROWS, MOMENTS, strict=True))
    ]


@pytest.mark.parametrize("day", ["report_date", "reported_on", "flagged_at"])
@pytest.mark.parametrize("form", ["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%Y-%m-%d 00:00:00"])
@pytest.mark.parametrize("hours", ["created_at", "timestamp"])
def test_the_hours_are_taken_where_another_time_of_the_same_days_has_them(
    tmp_path: Path, day: str, form: str, hours: str
) -> None:
    given = two_times(day, form, hours, "%Y-%m-%dT%H:%M:%SZ", minutes=0)
    items, _, source = read(written(tmp_path / "a.csv", csv_of(given)))
    assert [c.occurred_at for c in items] == MOMENTS
    assert [(u.column, u.why) for u in source.read_as if u.field == "occurred_at"] == [
        (hours, f"its name; it has the hours of {day!r}")
    ]


def test_the_hours_of_other_days_are_not_those_of_the_report(tmp_path: Path) -> None:
    given = two_times("created_at", "%Y-%m-%dT%H:%M:%SZ", "report_date", "%Y-%m-%d", days=2)
    _, _, source = read(written(tmp_path / "a.csv", csv_of(given)))
    assert taken(source) == ["report_date"] and any("days without hours" in note for note in source.notes)


def test_a_day_named_by_the_option_stays_a_day(tmp_path: Path) -> None:
    given = two_times("report_date", "%Y-%m-%d", "created_at", "%Y-%m-%dT%H:%M:%SZ", minutes=0)
    _, _, source = read(written(tmp_path / "a.csv", csv_of(given)), columns={"time": "report_date"})
    assert taken(source) == ["report_date"]


def taken(source: SourceFile) -> list[str]:
    """The columns that the time is read from."""
    return [used.column for used in source.read_as if used.field == "occurred_at"]


def doubts(source: SourceFile) -> list[str]:
    """What is said of another time that comes first."""
    return [note for note in source.notes if "if that is when people reported" in note]


@pytest.mark.parametrize("later", ["received_at", "opened_at", "ticket_time", "submitted_at", "filed_at"])
def test_a_time_hours_after_another_one_is_doubted_unless_it_says_reported(tmp_path: Path, later: str) -> None:
    form = "%Y-%m-%dT%H:%M:%SZ"
    given = two_times("created_at", form, later, form, hours=9)
    (doubt,) = doubts(read(written(tmp_path / "a.csv", csv_of(given)))[2])
    assert doubt.startswith(f"{later!r} is hours or days after 'created_at'") and "--column time=created_at" in doubt
    sure = [{("reported_at" if name == later else name): v for name, v in row.items()} for row in given]
    assert doubts(read(written(tmp_path / "b.csv", csv_of(sure)))[2]) == []
    soon = two_times("created_at", form, later, form, seconds=2)
    assert doubts(read(written(tmp_path / "c.csv", csv_of(soon)))[2]) == []
