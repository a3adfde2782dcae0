"""What would be read wrongly without a word: each is right, refused with the reason, or doubted beside the reading."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tabular_files import START, csv_of, expected, facts, read, rows, written

from service.errors import Refused
from service.tabular.reading import SourceFile

ROWS = rows()
Of = Callable[[int], Any]


def reports(**columns: Of) -> list[dict[str, Any]]:
    """The known rows, and further columns."""
    return [row | {name: of(k) for name, of in columns.items()} for k, row in enumerate(ROWS)]


def hour(k: int) -> str:
    return (START + timedelta(hours=7 * k)).isoformat()


def taken(source: SourceFile, field: str) -> list[str]:
    """The columns that were read as a field."""
    return [used.column for used in source.read_as if used.field == field]


@pytest.mark.parametrize(
    "technical", ["ingest_ts", "loaded_at", "_synced", "Exported At", "updated_at", "dwh_timestamp", "processed_time"]
)
@pytest.mark.parametrize("own", ["event_ts", "timestamp", "date"])
def test_when_a_program_took_the_row_is_not_when_it_was_reported(tmp_path: Path, technical: str, own: str) -> None:
    given = [
        {technical: hour(k + 100), "reporter": row["reporter"], "post_id": row["post_id"], own: row["created_at"]}
        for k, row in enumerate(ROWS)
    ]
    items, refused, source = read(written(tmp_path / "a.csv", csv_of(given)))
    assert (facts(items), refused, taken(source, "occurred_at")) == (expected(ROWS), [], [own])


def test_the_only_time_is_taken_although_a_program_wrote_it(tmp_path: Path) -> None:
    given = [{("ingested_at" if name == "created_at" else name): v for name, v in row.items()} for row in ROWS]
    assert taken(read(written(tmp_path / "a.csv", csv_of(given)))[2], "occurred_at") == ["ingested_at"]


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("event", ("report.created", "report.resolved")),
        ("action", ("flag_created", "flag_assigned")),
        ("event_type", ("ReportCreated", "ReportClosed")),
        ("type", ("report", "like")),
        ("activity_type", ("flag", "upvote")),
        ("kind", ("report", "appeal")),
    ],
)
def test_what_happened_to_reports_later_is_left_out_and_counted(
    tmp_path: Path, column: str, words: tuple[str, ...]
) -> None:
    path = written(tmp_path / "a.csv", csv_of(reports(**{column: lambda k: words[k % 2]})))
    items, refused, source = read(path)
    assert (facts(items), refused) == (expected(ROWS[::2]), [])
    left = f"rows left out, whose {column!r} is {words[1]!r} or the like: they report nothing: 20"
    assert left in source.notes


@pytest.mark.parametrize(
    ("column", "back"), [("event", "report.withdrawn"), ("action", "unflag"), ("type", "undo_flag")]
)
def test_reports_that_were_taken_back_later_are_not_read_as_if_they_stood(
    tmp_path: Path, column: str, back: str
) -> None:
    with pytest.raises(Refused, match=f"'{column}' is 'flag' in some rows and '{back}' in others"):
        read(written(tmp_path / "a.csv", csv_of(reports(**{column: lambda k: (back, "flag")[k % 5 > 0]}))))


@pytest.mark.parametrize("words", [("spam", "abuse"), ("user report", "message report"), ("flag", "spam")])
def test_kinds_of_reports_are_all_reports(tmp_path: Path, words: tuple[str, ...]) -> None:
    items, refused, _ = read(written(tmp_path / "a.csv", csv_of(reports(type=lambda k: words[k % 2]))))
    assert (facts(items), refused) == (expected(ROWS), [])


def anonymous(**columns: Of) -> str:
    """Rows whose headings do not speak of reports."""
    known = [{"user": r["reporter"], "post_id": r["post_id"], "created_at": r["created_at"]} for r in ROWS]
    return csv_of([row | {name: of(k) for name, of in columns.items()} for k, row in enumerate(known)])


@pytest.mark.parametrize(
    ("column", "of"),
    [
        ("vote", lambda k: (-1) ** k),
        ("filter_id", lambda k: k % 3),
        ("action", lambda k: ("ban", "lock")[k % 2]),
        ("reaction", lambda k: "heart"),
        ("stars", lambda k: 1 + k % 5),
    ],
)
def test_votes_hits_of_filters_and_acts_of_moderators_are_refused(tmp_path: Path, column: str, of: Of) -> None:
    path = written(tmp_path / "a.csv", anonymous(**{column: of}))
    for options in ({}, {"columns": {"target": "post_id"}}):
        with pytest.raises(Refused, match=f"'{column}' .* is of something else.*--column reporter=user"):
            read(path, **options)
    assert len(read(path, columns={"reporter": "user"})[0]) == len(ROWS)
    assert len(read(written(tmp_path / "b.csv", csv_of(reports(**{column: of}))))[0]) == len(ROWS)


def test_it_is_doubted_that_people_reported_where_no_name_says_so(tmp_path: Path) -> None:
    doubts = [n for n in read(written(tmp_path / "a.csv", anonymous()))[2].notes if "make sure that 'user'" in n]
    assert len(doubts) == 1
    named = read(written(tmp_path / "b.csv", anonymous(report_reason=lambda k: "spam")))[2]
    assert not [n for n in named.notes if "make sure" in n]
    reasons = anonymous(reason=lambda k: "spam")  # of returned goods and absences, too
    assert [n for n in read(written(tmp_path / "c.csv", reasons))[2].notes if "make sure" in n]
    assert not [n for n in read(written(tmp_path / "reports.csv", reasons))[2].notes if "make sure" in n]


def test_one_account_that_passes_reports_on_and_names_in_two_cases_are_doubted(tmp_path: Path) -> None:
    given = [row | {"reporter": "portal-bot" if k % 3 else row["reporter"]} for k, row in enumerate(ROWS)]
    notes = read(written(tmp_path / "a.csv", csv_of(given)))[2].notes
    assert any("'reporter' is 'portal-bot' in 26 of 40 rows" in note for note in notes)
    given = [row | {"reporter": row["reporter"].title() if k % 2 else row["reporter"]} for k, row in enumerate(ROWS)]
    notes = read(written(tmp_path / "a.csv", csv_of(given)))[2].notes
    assert any("7 names that differ from others in upper case only" in note for note in notes)


@pytest.mark.parametrize("other", ["Creator", "Owner", "created_by", "Creator Id"])
def test_the_program_that_made_the_ticket_is_not_the_author(tmp_path: Path, other: str) -> None:
    given = [{other: "portal-bot", **{n: v for n, v in row.items() if n != "author"}} for row in ROWS]
    assert taken(read(written(tmp_path / "a.csv", csv_of(given)))[2], "author_id") == []
    with_author = [row | {"Custom field (Content author)": "w" + row["post_id"]} for row in given]
    source = read(written(tmp_path / "b.csv", csv_of(with_author)))[2]
    assert taken(source, "author_id") == ["Custom field (Content author)"]


def test_a_file_in_which_nobody_reported_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    given = [
        {"author": f"a{k}", "link_id": f"t{k % 9}", "permalink": f"/r/{k % 9}", "created_utc": 1790000000 + k * 999}
        | {"num_reports": k % 5, "approved_by": "mod1"}
        for k in range(40)
    ]
    with pytest.raises(Refused, match=r"no column was recognised for who reported \(reporter\)\."):
        read(written(tmp_path / "a.csv", csv_of(given)))


@pytest.mark.parametrize("name", ["handled_by", "Assignee", "moderator", "Модератор", "対応者", "mod", "Resolved by"])
def test_who_handled_the_complaints_is_nothing_that_targets_have_in_common(tmp_path: Path, name: str) -> None:
    given = [row | {name: f"mod{int(row['post_id']) % 2}", "topic": int(row["post_id"]) % 3} for row in ROWS]
    items, _, source = read(written(tmp_path / "a.csv", csv_of(given)))
    assert any(name in note for note in source.notes if note.startswith("not used"))
    assert not items[0].target.attributes


@pytest.mark.parametrize(
    ("column", "report", "other"),
    [
        ("action", "tools.ozone.moderation.defs#modEventReport", "tools.ozone.moderation.defs#modEventTakedown"),
        ("event_type", "https://example.org/events/report", "https://example.org/events/ban"),
    ],
)
@pytest.mark.parametrize("chosen", [{}, {"reporter_id": "reporter", "target_id": "post_id"}])
def test_events_that_are_no_reports_are_left_out_whatever_is_chosen(
    tmp_path: Path, column: str, report: str, other: str, chosen: dict[str, str]
) -> None:
    given = reports(**{column: lambda k: other if k % 5 == 0 else report})
    items, _, source = read(written(tmp_path / "a.csv", csv_of(given)), columns=chosen)
    assert facts(items) == expected([row for k, row in enumerate(ROWS) if k % 5])
    assert any("they report nothing: 8" in note for note in source.notes)


@pytest.mark.parametrize("fine", ["CMT_ID", "COMMENT_NO"])
def test_comments_are_what_was_reported_beside_their_article(tmp_path: Path, fine: str) -> None:
    given = [
        {(fine if name == "post_id" else name): v for name, v in row.items()}
        | {"ARTICLE_ID": f"a{sum(map(ord, str(row['post_id']))) % 5}"}
        for row in ROWS
    ]
    items, refused, source = read(written(tmp_path / "a.csv", csv_of(given)))
    assert (facts(items), refused, taken(source, "target_id")) == (expected(ROWS), [], [fine])


def test_ids_that_are_finer_than_the_target_are_doubted(tmp_path: Path) -> None:
    given = [
        {("xyz_id" if name == "post_id" else name): v for name, v in row.items()}
        | {"article_id": f"a{sum(map(ord, str(row['post_id']))) % 5}", "abc_id": f"b{k % 6}"}
        for k, row in enumerate(ROWS)
    ]
    _, _, source = read(written(tmp_path / "a.csv", csv_of(given)))
    assert taken(source, "target_id") == ["article_id"]
    said = "each 'article_id' has several 'xyz_id': if those are what was reported, say so: --column target=xyz_id"
    assert said in source.notes
    _, _, source = read(written(tmp_path / "a.csv", csv_of(given)), columns={"target_id": "article_id"})
    assert said not in source.notes


@pytest.mark.parametrize("address", [{}, {"reporter_ip": lambda k: f"192.0.2.{k % 9}"}])
def test_several_accounts_in_a_cell_are_refused_and_not_replaced_by_an_address(
    tmp_path: Path, address: dict[str, Of]
) -> None:
    given = reports(**address)
    given = [row | {"reporter": f"{row['reporter']},{given[k - 1]['reporter']}"} for k, row in enumerate(given)]
    with pytest.raises(Refused, match="'reporter' has several accounts in one cell: write a row for each of them"):
        read(written(tmp_path / "a.csv", csv_of(given)))


@pytest.mark.parametrize(
    ("began", "ended"),
    [
        ("Hora de início", "Hora de conclusão"),
        ("Startzeit", "Fertigstellungszeit"),
        ("Heure de début", "Heure de fin"),
        ("Hora de inicio", "Hora de finalización"),
        ("開始時刻", "完了時刻"),
    ],
)
def test_a_form_was_sent_when_it_was_completed(tmp_path: Path, began: str, ended: str) -> None:
    given = [
        {(ended if name == "created_at" else name): v for name, v in row.items()}
        | {began: hour(k)[:-11] + "29:00+00:00"}
        for k, row in enumerate(ROWS)
    ]
    items, refused, source = read(written(tmp_path / "a.csv", csv_of(given)))
    assert (facts(items), refused, taken(source, "occurred_at")) == (expected(ROWS), [], [ended])


def test_what_reporters_say_of_themselves_is_not_the_text_of_the_complaint(tmp_path: Path) -> None:
    given = reports(**{"reporter.description": lambda k: f"I am a person who reads newspapers number {k} " * 3})
    assert taken(read(written(tmp_path / "a.csv", csv_of(given)))[2], "text") == []
