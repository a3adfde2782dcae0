"""Columns are recognised as people name them, or the refusal names them; times are read where they are unambiguous."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from tabular_files import START, csv_of, read, rows, written

from service.errors import Refused
from service.tabular.plain_names import normalised
from service.tabular.time_styles import style_of
from service.tabular.times import UnreadableTime
from service.tabular.vocabulary import ranks_of

ROWS = rows()
# (who, what, when, author or none): headers as forums, help desks and spreadsheets have them
HEADERS = [
    ("reporter_id", "target_id", "occurred_at", "author_id"),
    ("Reporter ID", "Post ID", "Date", "Author"),
    ("reporterId", "commentId", "createdAt", "authorId"),
    ("reporter.username", "post.id", "created_at", "post.user.id"),
    ("account.acct", "status_id", "created_at", "target_account.id"),
    ("flagged_by", "post_id", "flagged_at", "post_author_id"),
    ("Flagger", "Post", "Flag date", "Poster"),
    ("user_id", "post_id", "created_timestamp", "reported_user_id"),
    ("userId", "postId", "createdAt", None),
    ("reporter_username", "post_id", "created_at", None),
    ("user", "comment", "timestamp", "author"),
    ("username", "item_id", "report_time", None),
    ("complainant", "content_id", "complaint_date", "content_author"),
    ("submitted_by", "message_id", "submitted_at", "accused_user"),
    ("reported_by_user_id", "reported_post_id", "date_reported", "reported_user_id"),
    ("reporterid", "postid", "reporttime", "authorid"),
    ("Melder", "Beitrag", "Gemeldet am", "Verfasser"),
    ("denunciante", "publicacion_id", "fecha", "autor"),
    ("signaleur", "commentaire_id", "date_signalement", "auteur"),
    ("segnalante", "messaggio", "data", "autore"),
    ("Signalé par", "Commentaire n°", "Date du signalement", "Auteur du commentaire"),
    ("Auteur du signalement", "ID du message", "Signalé le", "Auteur du message"),
    ("Nom de l'utilisateur", "Contenu signalé", "Date et heure", None),
    ("Usuario denunciante", "Comentario n.º", "Fecha de la denuncia", "Autor del comentario"),
    ("Denunciado por", "ID do comentário", "Data da denúncia", "Autor do comentário"),
    ("Segnalato da", "Numero del commento", "Data della segnalazione", "Autore del commento"),
    ("Gemeldet von", "Nummer des Kommentars", "Datum der Meldung", "Verfasser des Kommentars"),
    ("Melder", "Beitragsnummer", "Meldedatum", "Beitragsautor"),
    ("Gemeld door", "Nummer van de reactie", "Meldingsdatum", "Auteur van de reactie"),
]
NOT_REPORTS = [  # counts, and times and people of something else
    "Nombre de signalements",
    "Número de denuncias",
    "Date de publication",
    "Datum des Beitrags",
    "Data del commento",
    "Date d'inscription",
    "Fecha del mensaje",
    "Auteur de l'article",
    "Nom du modérateur",
    "Statut du commentaire",
]


@pytest.mark.parametrize("names", HEADERS)
def test_columns_are_recognised_by_the_names_that_people_give_them(tmp_path: Path, names: tuple[str, ...]) -> None:
    who, what, when, author = names
    wanted = {what: "post_id", when: "created_at", who: "reporter"} | ({author: "author"} if author else {})
    given = [{name: r[own] for name, own in wanted.items()} | {"flag_note": "x"} for r in ROWS]
    items, refused, _ = read(written(tmp_path / "a.csv", csv_of(given)))
    assert refused == []
    assert [(c.reporter.id, c.target.id) for c in items] == [(r["reporter"], r["post_id"]) for r in ROWS]
    assert items[0].target.author_id == (ROWS[0]["author"] if author else None)


@pytest.mark.parametrize("name", NOT_REPORTS)
def test_headings_that_only_sound_like_a_report_s_are_not_taken_for_it(name: str) -> None:
    assert not {"reporter_id", "target_id", "occurred_at", "id"} & set(ranks_of(name))


def test_a_contradiction_or_an_unknown_zone_is_not_a_time() -> None:
    for text in ("Jan 5, 2024, 13:05 PM", "5 Jan 2024 0:30 am", "13/1/2024 13:05 p.m."):
        with pytest.raises(UnreadableTime, match="has an hour that does not go with"):
            style_of([text], zone=UTC).read(text)
    for text in (
        "Fri, 05 Jan 2024 01:05:00 PM CST",
        "Jan 5, 2024 1:05 pm IST",
        "Jan 5, 2024 1:05 pm XET",
        "Fri Jan  5 13:05:00 CET 2024",
    ):
        with pytest.raises(UnreadableTime):
            style_of([text], zone=UTC)
    for text in ("Fri 5 Jan 2024 1:05 p.m.", "Fri Jan  5 13:05:00 2024", "Fri, 05 Jan 2024 13:05:00 GMT (a comment)"):
        assert style_of([text], zone=UTC).read(text) == datetime(2024, 1, 5, 13, 5, tzinfo=UTC)
    text = "Fri, 05 Jan 2024 01:05:00 PM EST"
    assert style_of([text], zone=UTC).read(text) == datetime(2024, 1, 5, 18, 5, tzinfo=UTC)


def test_a_column_of_people_that_goes_with_the_target_is_not_who_reported(tmp_path: Path) -> None:
    given = [{"post_id": r["post_id"], "user": r["author"], "created_at": r["created_at"]} for r in ROWS]
    with pytest.raises(Refused, match="'user' is the same for all rows about one target.*columns post_id, user"):
        read(written(tmp_path / "a.csv", csv_of(given)))


def test_two_columns_that_could_each_be_it_are_refused_with_the_option(tmp_path: Path) -> None:
    given = [r | {"flagged_by": f"other{k % 5}"} for k, r in enumerate(ROWS)]
    with pytest.raises(Refused, match=r"'reporter' and 'flagged_by' could each be who reported.*--column reporter="):
        read(written(tmp_path / "a.csv", csv_of(given)))
    items, _, _ = read(written(tmp_path / "a.csv", csv_of(given)), columns={"reporter": "flagged_by"})
    assert items[0].reporter.id == "other0"


def test_a_name_and_a_number_of_one_person_are_one_reporter(tmp_path: Path) -> None:
    given = [r | {"reporter_id": r["reporter"][-1]} for r in ROWS]
    items, _, source = read(written(tmp_path / "a.csv", csv_of(given)))
    assert items[0].reporter.id == "0" and any("reporter" in n for n in source.notes)


def test_a_column_is_named_by_the_option_whatever_it_is_called(tmp_path: Path) -> None:
    given = [{"a": r["reporter"], "b": r["post_id"], "c": r["created_at"]} for r in ROWS]
    path = written(tmp_path / "a.csv", csv_of(given))
    with pytest.raises(Refused, match=r"who reported \(reporter\).*has the columns a, b, c"):
        read(path)
    items, refused, source = read(path, columns={"reporter": "A", "target": "b", "time": "c"})
    assert len(items) == 40 and refused == [] and {r.why for r in source.read_as} == {"named by an option"}
    for wrong in ({"reporter": "z"}, {"who": "a"}):
        with pytest.raises(Refused, match="--column"):
            read(path, columns=wrong)


def test_a_table_of_one_reporter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="'reporter' is 'mod' in every row"):
        read(written(tmp_path / "a.csv", csv_of([r | {"reporter": "mod"} for r in ROWS])))


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ("uuid,decision_visibility,decision_ground,category,platform_name,application_date,created_at", "notified it"),
        ("mod,action,target_author,target_fullname,created_utc", "moderation log of Reddit"),
    ],
)
def test_public_tables_without_reporters_are_refused_with_the_reason(tmp_path: Path, header: str, why: str) -> None:
    row = ",".join("x" for _ in header.split(","))
    with pytest.raises(Refused, match=why):
        read(written(tmp_path / "a.csv", f"{header}\n{row}\n"))


def test_accounts_are_targets_where_nothing_else_is_reported(tmp_path: Path) -> None:
    given = [{"reporter": r["reporter"], "reported_user": r["author"], "date": r["created_at"]} for r in ROWS]
    items, _, source = read(written(tmp_path / "a.csv", csv_of(given)))
    assert items[0].target.id == "writer0" and any("whole accounts" in n for n in source.notes)


def timed(form: str, *, step: timedelta = timedelta(hours=7)) -> list[dict[str, str]]:
    return [r | {"created_at": (START + k * step).strftime(form)} for k, r in enumerate(ROWS)]


FORMS = {
    "SQL": "%Y-%m-%d %H:%M:%S",
    "SQL with UTC": "%Y-%m-%d %H:%M:%S UTC",
    "SQL with offset": "%Y-%m-%d %H:%M:%S+00",
    "ISO without seconds": "%Y-%m-%dT%H:%MZ",
    "German": "%d.%m.%Y %H:%M",
    "day first": "%d/%m/%Y %H:%M:%S",
    "month first": "%m/%d/%Y %I:%M %p",
    "year first": "%Y/%m/%d %H:%M",
    "named month": "%d %b %Y %H:%M",
    "American": "%b %d, %Y, %I:%M %p",
    "mail": "%a, %d %b %Y %H:%M:%S +0000",
    "digits": "%Y%m%d%H%M%S",
}


@pytest.mark.parametrize("form", FORMS)
def test_times_are_read_as_they_are_usually_written(tmp_path: Path, form: str) -> None:
    items, refused, _ = read(written(tmp_path / "a.csv", csv_of(timed(FORMS[form], step=timedelta(hours=9)))))
    assert refused == []
    assert [c.occurred_at for c in items] == [START + timedelta(hours=9 * k) for k in range(40)]


@pytest.mark.parametrize("unit", [1, 1_000, 1_000_000])
def test_numbers_are_seconds_milliseconds_or_microseconds_by_their_magnitude(tmp_path: Path, unit: int) -> None:
    given = [r | {"created_at": int((START + k * timedelta(hours=7)).timestamp() * unit)} for k, r in enumerate(ROWS)]
    items, _, source = read(written(tmp_path / "a.csv", csv_of(given)))
    assert items[1].occurred_at == START + timedelta(hours=7)
    assert any("seconds since 1970" in r.why for r in source.read_as)


def test_days_that_could_be_months_need_a_choice(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", csv_of(timed("%d/%m/%Y %H:%M", step=timedelta(hours=1))))
    with pytest.raises(Refused, match=r"'01/10/2026 08:30' could be day or month first: choose with --time-format"):
        read(path)
    assert read(path, time_format="day-first")[0][0].occurred_at == START
    assert read(path, time_format="month-first")[0][0].occurred_at == datetime(2026, 1, 10, 8, 30, tzinfo=UTC)


def test_a_thirteenth_in_a_later_row_settles_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.tabular.reading.SAMPLE", 5)
    monkeypatch.setattr("service.tabular.text.BLOCK", 400)
    items, refused, _ = read(written(tmp_path / "a.csv", csv_of(timed("%d/%m/%Y %H:%M", step=timedelta(hours=9)))))
    assert refused == [] and items[0].occurred_at == START and len(items) == 40


def test_a_pattern_may_be_named(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", csv_of(timed("%Hh%M on %y-%d-%m")))
    with pytest.raises(Refused, match="no column was recognised for when"):
        read(path)
    items, refused, _ = read(path, time_format="%Hh%M on %y-%d-%m", columns={"time": "created_at"})
    assert refused == [] and items[0].occurred_at == START


def test_times_without_an_offset_are_utc_or_in_the_zone_that_is_named_or_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", csv_of(timed("%Y-%m-%d %H:%M:%S")))
    items, _, source = read(path)
    assert items[0].occurred_at == START and source.naive and any("no offset" in r.why for r in source.read_as)
    items, _, source = read(path, zone=ZoneInfo("Europe/Berlin"))
    assert items[0].occurred_at == START - timedelta(hours=2) and not source.naive
    with pytest.raises(Refused, match=r"'2026-10-01 08:30:00' has no UTC offset: name the time zone"):
        read(path, assume_utc=False)


def test_an_offset_in_some_rows_does_not_stand_for_the_others(tmp_path: Path) -> None:
    given = timed("%Y-%m-%d %H:%M:%S")
    given[0] |= {"created_at": START.isoformat()}
    items, refused, _ = read(written(tmp_path / "a.csv", csv_of(given)))
    assert len(items) == 1 and len(refused) == 39 and "--timezone" in refused[0].detail


def test_names_are_compared_without_case_accents_and_signs() -> None:
    assert {normalised(n) for n in ("Reporter ID", "reporterId", "REPORTER-ID", " reporter.id ")} == {"reporter_id"}
    assert normalised("Begründung") == "begruendung" and normalised("Año") == "ano"


def test_likes_of_discourse_are_not_read_as_flags(tmp_path: Path) -> None:
    flags = [{"post_id": r["post_id"], "user_id": r["reporter"], "created_at": r["created_at"]} for r in ROWS]
    path = written(tmp_path / "a.csv", csv_of([f | {"post_action_type_id": 3 + k % 2} for k, f in enumerate(flags)]))
    assert read(path)[0][0].reporter.id == "user0"
    path = written(tmp_path / "b.csv", csv_of([f | {"post_action_type_id": 2 + k % 2} for k, f in enumerate(flags)]))
    with pytest.raises(Refused, match="likes and bookmarks too.*--preset discourse-flags"):
        read(path)


def titled(**more: str) -> list[dict[str, str]]:
    """Rows with a topic of each post, and columns made of the topic's number and the row's."""
    made = []
    for k, row in enumerate(ROWS):
        topic = int(row["post_id"]) % 3
        filled = {name: text.format(topic=topic, row=k) for name, text in more.items()}
        made.append({**row, **filled})
    return made


def test_the_title_and_the_address_of_a_context_are_read_beside_it(tmp_path: Path) -> None:
    given = titled(
        topic_id="{topic}", topic_title="Title {topic} as of row {row}", topic_url="https://f.example/t/{topic}"
    )
    items, _, _ = read(written(tmp_path / "reports.csv", csv_of(given)))
    first = items[0].target
    topic = int(first.id) % 3
    assert (first.context_id, first.context_title, first.context_url) == (
        str(topic),
        f"Title {topic} as of row 0",
        f"https://f.example/t/{topic}",
    )
    assert first.attributes is None


@pytest.mark.parametrize(
    ("columns", "context", "left"),
    [
        ({"topic_title": "About {topic}"}, "About 1", None),  # alone it is the topic itself, as ever
        ({"topic_id": "{topic}", "forum_name": "News"}, "1", {"forum_name": "News"}),  # the forum's, not the topic's
        ({"thread": "{topic}", "category_name": "News"}, "1", {"category_name": "News"}),
    ],
)
def test_a_name_of_something_else_is_no_title(
    tmp_path: Path, columns: dict[str, str], context: str, left: dict[str, str] | None
) -> None:
    items, _, _ = read(written(tmp_path / "reports.csv", csv_of(titled(**columns))))
    target = next(item.target for item in items if int(item.target.id) % 3 == 1)
    assert (target.context_id, target.context_title, target.attributes) == (context, None, left)


def test_a_title_beyond_its_length_is_cut_and_said(tmp_path: Path) -> None:
    items, _, source = read(
        written(tmp_path / "reports.csv", csv_of(titled(context_id="{topic}", context_title="x" * 10_000)))
    )
    assert items[0].target.context_title == "x" * 300
    assert any("context_title" in note and "cut to 300" in note for note in source.notes)
