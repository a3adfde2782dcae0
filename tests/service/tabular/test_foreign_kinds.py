"""Exports of known software and of pages that moderators download, each with its truth.

The columns are those that the programs write (found in public code); the rows are ours.
"""

from __future__ import annotations

import csv
import io
import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tabular_files import read, written

from service.errors import Refused

BEGAN = datetime(2026, 10, 3, 7, 12, 5, tzinfo=UTC)
COUNT = 60


@dataclass(frozen=True)
class Report:
    """One of the known reports: numbers of who, what, whose, where; and when."""

    number: int

    @property
    def who(self) -> int:
        return self.number * 7 % 13

    @property
    def what(self) -> int:
        return (self.number * 5 + self.number // 13) % 11

    @property
    def whose(self) -> int:
        return self.what % 4

    @property
    def at(self) -> datetime:
        return BEGAN + timedelta(minutes=173 * self.number)


Column = Callable[[Report], Any]
KNOWN = [Report(number) for number in range(COUNT)]


@dataclass(frozen=True)
class Kind:
    """The columns of an export; who, what and when are the columns that say it."""

    columns: dict[str, Column]
    who: str
    what: str
    delimiter: str = ","
    left_out: Callable[[Report], bool] = field(default=lambda report: False)
    what_is: Column | None = None  # where it is not what the column says

    def text(self) -> str:
        out = io.StringIO()
        writer = csv.writer(out, delimiter=self.delimiter)
        writer.writerow(self.columns)
        writer.writerows([column(report) for column in self.columns.values()] for report in KNOWN)
        return out.getvalue()

    def facts(self) -> set[tuple[str, str, datetime]]:
        what = self.what_is or self.columns[self.what]
        return {
            (str(self.columns[self.who](r)), str(what(r)), r.at.replace(second=0))
            for r in KNOWN
            if not self.left_out(r)
        }


def sql(report: Report) -> str:
    return report.at.strftime("%Y-%m-%d %H:%M:%S")


def american(report: Report) -> str:
    at = report.at
    return f"{at.month}/{at.day}/{at.year}, {at.hour % 12 or 12}:{at:%M:%S} {'AM' if at.hour < 12 else 'PM'}"


def person(report: Report) -> str:
    return f"user{report.who}"


def number(report: Report) -> int:
    return report.number + 1


def constant(value: Any) -> Column:
    return lambda report: value


READ = {
    "account pages, with what kind of report it is": Kind(
        {
            "Type": lambda r: ("user report", "message report")[r.number % 2],
            "Reporter": person,
            "Reported User": lambda r: f"troll{r.whose}",
            "Reason": constant("spam"),
            "Created At": american,
        },
        "Reporter",
        "Reported User",
    ),
    "targets called targets": Kind(
        {"Report ID": number, "Reporter": person, "Reported Target": lambda r: f"t{r.whose}", "Date": american},
        "Reporter",
        "Reported Target",
    ),
    "Matrix, Synapse's event_reports": Kind(
        {
            "id": number,
            "received_ts": lambda r: int(r.at.timestamp() * 1000),
            "room_id": lambda r: f"!room{r.whose}:hs.example",
            "event_id": lambda r: f"$event{r.what}",
            "user_id": lambda r: f"@{person(r)}:hs.example",
            "content": constant('{"reason": "spam"}'),
        },
        "user_id",
        "event_id",
    ),
    "Japanese, as a browser writes times": Kind(
        {
            "通報者": person,
            "対象種別": lambda r: ("募集", "コメント")[r.what % 2],
            "対象ID": lambda r: f"rec{r.what}",
            "通報日時": lambda r: f"{r.at.year}/{r.at.month}/{r.at.day} {r.at.hour}:{r.at:%M:%S}",
        },
        "通報者",
        "対象ID",
    ),
    "Korean, years of two digits": Kind(
        {
            "No.": number,
            "신고자": person,
            "대상": constant("게시글"),
            "대상 ID": lambda r: 500 + r.what,
            "접수일": lambda r: r.at.strftime("%y.%m.%d %H:%M"),
        },
        "신고자",
        "대상 ID",
    ),
    "Turkish": Kind(
        {"Tarih": sql, "Şikayet Eden": person, "Hakkında": lambda r: f"firma{r.whose}", "Konu": constant("Diğer")},
        "Şikayet Eden",
        "Hakkında",
    ),
    "Chinese, of accounts": Kind(
        {"ID": number, "举报人": lambda r: 5000 + r.who, "被举报人": lambda r: 6000 + r.whose, "时间": sql},
        "举报人",
        "被举报人",
    ),
    "advertisements, in Spanish": Kind(
        {
            "Anuncio": lambda r: f"Bicicleta {r.what}",
            "Comentario": constant("mira esto"),
            "Reportado por": person,
            "Fecha": lambda r: f"{r.at.day}/{r.at.month}/{r.at.year}, {r.at:%H:%M:%S}",
        },
        "Reportado por",
        "Anuncio",
        ";",
    ),
    "players with their Steam numbers": Kind(
        {
            "timestamp": sql,
            "reporter_name": person,
            "reporter_steamid": lambda r: f"STEAM_1:0:{7000 + r.who}",
            "reported_name": lambda r: f"troll{r.whose}",
            "reported_steamid": lambda r: f"STEAM_1:1:{8000 + r.whose}",
        },
        "reporter_steamid",
        "reported_steamid",
        "\t",
    ),
    "names that are nobody's": Kind(
        {
            "Reporter": lambda r: (
                ("Anonymous", "Unknown user", "[deleted]")[r.number % 3] if r.number % 5 == 0 else person(r)
            ),
            "Reported Item": lambda r: "Listing unavailable" if r.number % 7 == 3 else f"Sofa {r.what}",
            "Created At": sql,
        },
        "Reporter",
        "Reported Item",
        left_out=lambda r: r.number % 5 == 0 or r.number % 7 == 3,
    ),
    "a post, a comment or an account": Kind(
        {
            "reporter_id": lambda r: 20 + r.who,
            "reported_user_id": lambda r: 300 + r.whose if r.number % 3 == 2 else "NULL",
            "reported_post_id": lambda r: 300 + r.what if r.number % 3 == 0 else "NULL",
            "reported_comment_id": lambda r: 300 + r.what if r.number % 3 == 1 else "NULL",
            "created_at": sql,
        },
        "reporter_id",
        "",
        what_is=lambda r: (
            f"{('reported_post', 'reported_comment', 'reported_user')[r.number % 3]}"
            f"/{300 + (r.whose if r.number % 3 == 2 else r.what)}"
        ),
    ),
}


@pytest.mark.parametrize("name", READ)
def test_kinds_of_exports_are_read_without_options(tmp_path: Path, name: str) -> None:
    items, refused, _ = read(written(tmp_path / "a.csv", READ[name].text()))
    assert refused == []
    facts = {(c.reporter.id, c.target.id, c.occurred_at.replace(second=0, microsecond=0)) for c in items}
    assert facts == READ[name].facts()


def test_rows_of_nobody_are_counted(tmp_path: Path) -> None:
    _, _, source = read(written(tmp_path / "a.csv", READ["names that are nobody's"].text()))
    assert "reports by 'Anonymous', who is not one account, left out: 4" in source.notes
    assert any(note.startswith("reports about 'Listing unavailable', which is not one target") for note in source.notes)


UNSUITABLE: dict[str, tuple[dict[str, Column], str]] = {
    "votes, few of which name who voted": (
        {
            "Id": number,
            "PostId": lambda r: r.what,
            "VoteTypeId": lambda r: r.number % 6,
            "UserId": lambda r: r.who if r.number % 6 == 5 else "",
            "CreationDate": sql,
        },
        "'UserId' is empty in 50 of 60 rows",
    ),
    "contents with who wrote them": (
        {"Content ID": lambda r: r.number, "Author": person, "Flag Reason": constant("spam"), "Flagged At": sql},
        "no column was recognised for who reported.*--column reporter=COLUMN",
    ),
    "Misskey, whose reports have no time": (
        {"id": number, "targetUserId": lambda r: r.whose, "reporterId": lambda r: r.who, "resolved": constant("f")},
        "no column was recognised for when it was reported",
    ),
    "a severity is not what was reported": (
        {"id": number, "severity": lambda r: ("low", "high")[r.number % 2], "reporter": person, "created_at": sql},
        "what was reported.*--column target=COLUMN",
    ),
}


@pytest.mark.parametrize("name", UNSUITABLE)
def test_what_cannot_serve_is_refused_with_the_reason(tmp_path: Path, name: str) -> None:
    columns, why = UNSUITABLE[name]
    with pytest.raises(Refused, match=why):
        read(written(tmp_path / "a.csv", Kind(columns, "", "").text()))


@pytest.mark.parametrize("place", ["Beach", "Raum", "Sala (nº)", "举报的东西"])
def test_the_option_that_a_refusal_names_works(tmp_path: Path, place: str) -> None:
    kind = Kind({"ID": number, place: lambda r: f"p{r.what}", "Reporter": person, "Created": sql}, "Reporter", place)
    path = written(tmp_path / "a.csv", kind.text())
    with pytest.raises(Refused) as caught:
        read(path)
    told = shlex.split(str(caught.value).split("for instance ")[1].split(";")[0])
    assert told[0] == "--column"
    items, refused, _ = read(path, columns=dict([told[1].split("=", 1)]))
    assert refused == [] and {c.target.id for c in items} == {what for _, what, _ in kind.facts()}


def test_what_kind_of_report_it_is_does_not_divide_targets_with_numbers(tmp_path: Path) -> None:
    given = [
        {"post_id": r.what, "type": ("abuse", "spam")[r.number % 2], "reporter": person(r), "created_at": sql(r)}
        for r in KNOWN
    ]
    items, _, _ = read(written(tmp_path / "a.json", json.dumps(given)))
    assert {c.target.id for c in items} == {str(r.what) for r in KNOWN}
    of_things = [row | {"type": ("Post", "forumTopics")[k % 2]} for k, row in enumerate(given)]
    items, _, _ = read(written(tmp_path / "a.json", json.dumps(of_things)))
    assert {c.target.id for c in items} == {f"{('Post', 'forumTopics')[r.number % 2]}/{r.what}" for r in KNOWN}


def test_an_id_with_an_e_in_it_is_not_a_spoilt_number(tmp_path: Path) -> None:
    kind = Kind(
        {"reporter": lambda r: f"9e{r.who % 10}", "post_id": lambda r: f"1E{r.what % 10}", "at": sql},
        "reporter",
        "post_id",
    )
    items, refused, _ = read(written(tmp_path / "a.csv", kind.text()))
    assert refused == [] and {c.reporter.id for c in items} == {who for who, _, _ in kind.facts()}
