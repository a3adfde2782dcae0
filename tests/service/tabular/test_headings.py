"""Headings of forms, help desks, databases and other languages; and what is not guessed from them."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from tabular_files import START, csv_of, expected, facts, read, rows, written

from service.errors import Refused
from service.tabular.heading_meanings import folded
from service.tabular.plain_names import normalised
from service.tabular.vocabulary import ranks_of

ROWS = rows()
# (who, what, when, and others with a value of theirs): headers as they stand in people's files
HEADERS: list[tuple[str, str, str, tuple[str, ...]]] = [
    ("What is your username?", "Link to the post you want to report", "Timestamp", ("Why are you reporting it?",)),
    ("E-Mail-Adresse", "Link zum Beitrag, den du melden möchtest", "Zeitstempel", ("Warum meldest du ihn?",)),
    ("Melder-ID", "Beitrags-ID", "Datum und Uhrzeit", ("Grund",)),
    ("Melder", "Gemeldeter Beitrag", "Gemeldet am", ("Meldung",)),
    ("Nutzer-ID", "gemeldeter Kommentar", "Zeitpunkt", ()),
    ("Denunciante", "Publicación denunciada", "Fecha de la denuncia", ("Motivo",)),
    ("Segnalatore", "Contenuto segnalato", "Data della segnalazione", ()),
    ("Melder", "Gemeld bericht", "Datum melding", ("Reden",)),
    ("Seu nome de usuário", "Link da publicação", "Carimbo de data/hora", ("Motivo da denúncia",)),
    ("Q2. Your e-mail", "Q1. Which comment are you reporting? (paste the link)", "Submitted", ("Q3. Reason",)),
    ("Кто пожаловался", "На сообщение", "Дата жалобы", ("Причина",)),
    ("通報者", "対象投稿", "通報日時", ("理由",)),
    ("신고자", "게시글 번호", "신고일시", ()),
    ("المبلّغ", "المنشور", "تاريخ البلاغ", ()),
    ("举报人", "被举报内容", "举报时间", ()),
    ("Contact Name", "Reported Content ID", "Date/Time Opened", ("Subject",)),
    ("Email", "Reported content URL", "Created time", ("Ticket ID", "Agent")),
    ("Reporter", "Custom field (Reported URL)", "Created", ("Summary", "Assignee")),
    ("Reporter ID", "Comment ID", "Reported At (UTC)", ()),
    ("Скаржник", "Допис", "Дата скарги", ("Автор допису", "Причина")),
    ("Twój nick", "Link do zgłaszanego wpisu", "Sygnatura czasowa", ("Powód zgłoszenia",)),
    ("Zgłaszający", "Zgłoszony komentarz", "Data zgłoszenia", ("Autor komentarza",)),
    ("Nahlásil", "Nahlášený příspěvek", "Datum nahlášení", ("Důvod",)),
    ("Anmälare", "Anmält inlägg", "Anmälningsdatum", ("Orsak",)),
    ("Anmelder", "Indlæg ID", "Tidspunkt", ()),
    ("Ilmoittaja", "Ilmoitettu viesti", "Aikaleima", ("Syy",)),
    ("Şikayet eden", "Şikayet edilen gönderi", "Şikayet tarihi", ("Sebep",)),
    ("Kullanıcı adı", "Yorum ID", "Tarih", ()),
    ("通報者ID", "コメントID", "通報日時", ("通報理由", "被通報者ID")),
    ("ユーザー名", "通報された投稿", "タイムスタンプ", ()),
    ("Quem denunciou", "Postagem denunciada", "Data e hora da denúncia", ()),
    ("Chi ha segnalato", "Commento segnalato", "Ora della segnalazione", ()),
    ("Buyer ID", "Listing ID", "Complaint date", ("Seller ID",)),
    ("Associated Contact IDs", "Reported content URL", "Create date", ("Ticket owner",)),
    ("Notifier e-mail", "Exact URL(s)", "Received (UTC)", ()),
    ("reporter", "id_msg", "time_sent", ("id_report", "id_topic", "id_board", "num_reports")),
    ("userid", "postid", "dateline", ()),
    ("by.name", "post_id", "at", ()),
    ("creator_id", "comment_id", "published", ("resolver_id",)),
    ("reporter_name", "reported_rev_id", "rep_timestamp", ()),
    ("reporterUser", "PostIdx", "reg_date", ()),
    ("Twój nick", "Link do zgłaszanego wpisu", "Sygnatura czasowa", ("Powód zgłoszenia", "Autor wpisu")),
    ("Скаржник", "Допис", "Дата скарги", ("Причина", "Автор допису")),
    ("通報者ID", "コメントID", "通報日時", ("被通報者ID", "対応者")),
    ("Complainant", "Item complained about", "Date received", ("Seller", "Handler")),
    ("Associated Contact", "Reported content URL", "Create date", ("Ticket ID", "Ticket owner")),
    ("flagger_uid", "flagged_item_id", "event_ts", ("event_id",)),
    ("Αναφέρθηκε από", "Κωδικός σχολίου", "Ημερομηνία αναφοράς", ("Συντάκτης σχολίου", "Άρθρο", "Λόγος")),
    ("Adresă de e-mail", "Linkul comentariului pe care îl raportezi", "Marcaj de timp", ("De ce îl raportezi?",)),
    ("Reclamant", "Postarea raportată", "Data raportării", ("Motiv",)),
    ("ผู้รายงาน", "กระทู้ที่ถูกรายงาน", "วันที่รายงาน", ("ลำดับ", "เหตุผล", "เจ้าของกระทู้")),
    ("id_pelapor", "id_produk", "waktu_lapor", ("id_laporan", "id_penjual", "alasan")),
    ("Người báo cáo", "Bài viết bị báo cáo", "Thời gian báo cáo", ("Lý do",)),
    ("Prijavio", "Prijavljeni komentar", "Datum prijave", ("Razlog", "Autor komentara")),
    ("Пријавио", "Пријављени коментар", "Време пријаве", ()),
    ("Подател", "Коментар", "Дата на сигнала", ("Причина",)),
    ("המדווח", "הפוסט שדווח", "תאריך הדיווח", ("סיבה",)),
    ("گزارش دهنده", "نظر", "تاریخ گزارش", ("دلیل",)),
    ("Pranešėjas", "Komentaras", "Pranešimo data", ("Priežastis",)),
    ("Teavitaja", "Postitus", "Teavituse aeg", ("Põhjus",)),
    ("Ziņotājs", "Komentārs", "Ziņojuma datums", ("Iemesls",)),
    ("Denunciant", "Comentari denunciat", "Data de la denúncia", ("Motiu",)),
    ("Bejelentő", "Bejelentett hozzászólás", "Bejelentés ideje", ("Ok",)),
    ("신고자 아이디", "신고대상 댓글번호", "신고일시", ("신고번호", "작성자 아이디", "신고사유")),
    ("Gemeld door", "Gemelde advertentie", "Ingediend op", ("Aanbieder", "Reden")),
    ("Decidim User ID", "Decidim Moderations → Decidim Reportable ID", "Created At", ("Reason",)),
    ("report_user", "report_revid", "report_timestamp", ("report_id", "report_reason")),
    ("denuncianteUid", "anuncioRef", "criadoEm", ("motivo",)),
    ("Χρήστης που ανέφερε", "Σχόλιο που αναφέρθηκε", "Ημερομηνία", ("Λόγος",)),
    ("이메일 주소", "신고할 댓글의 링크(URL)을 붙여 넣어 주세요", "타임스탬프", ("신고 사유",)),
    ("user.id", "labels.comment_id", "@timestamp", ("event.action",)),
]


@pytest.mark.parametrize("names", HEADERS, ids=[names[0] for names in HEADERS])
def test_headings_of_peoples_files_are_recognised(tmp_path: Path, names: tuple[str, str, str, tuple[str, ...]]) -> None:
    who, what, when, others = names
    given = [{who: r["reporter"], what: r["post_id"], when: r["created_at"]} | dict.fromkeys(others, "x") for r in ROWS]
    items, refused, _ = read(written(tmp_path / "a.csv", csv_of(given)))
    assert (facts(items), refused) == (expected(ROWS), [])


def test_each_word_of_a_heading_has_one_meaning() -> None:
    data = tomllib.loads(files("service.tabular").joinpath("heading_words.toml").read_text(encoding="utf-8"))
    meant: dict[str, set[str]] = {}
    for meaning, languages in data.items():
        for word in " ".join(languages.values()).split():
            meant.setdefault(folded(normalised(word)), set()).add(meaning)
    assert {word: meanings for word, meanings in meant.items() if len(meanings) > 1} == {}


@pytest.mark.parametrize("heading", ["issue", "maso", "ontime", "reportcommentid"])
def test_short_words_are_not_found_inside_of_others(heading: str) -> None:
    assert not {"reporter_id", "target_id"} & set(ranks_of(heading))


@pytest.mark.parametrize(
    "heading", ["Nombre de signalements", "Anzahl der Meldungen", "Номер модератора", "Datum der letzten Änderung"]
)
def test_a_heading_with_a_word_that_is_not_known_is_not_guessed(heading: str) -> None:
    assert not {"reporter_id", "target_id", "occurred_at"} & set(ranks_of(heading))


def table(**columns: Any) -> str:
    """The known rows without their time, and further columns."""
    known = [{"reporter": r["reporter"], "post_id": r["post_id"]} for r in ROWS]
    return csv_of([row | {name: of(k) for name, of in columns.items()} for k, row in enumerate(known)])


def hour(k: int) -> str:
    return (START + timedelta(hours=7 * k)).isoformat()


def test_the_only_column_of_times_is_when_it_was_reported(tmp_path: Path) -> None:
    items, _, source = read(written(tmp_path / "a.csv", table(stamped=hour)))
    assert items[1].occurred_at == START + timedelta(hours=7)
    assert [r.why for r in source.read_as if r.field == "occurred_at"] == ["the only column of times"]


@pytest.mark.parametrize(
    "name", ["updated", "resolved_on", "user_joined", "last_seen", "expires", "closed_time", "email_sent_at"]
)
def test_a_time_of_something_else_is_not_when_it_was_reported(tmp_path: Path, name: str) -> None:
    with pytest.raises(Refused, match=r"when it was reported \(time\)"):
        read(written(tmp_path / "a.csv", table(**{name: hour})))


def test_two_times_of_equal_right_are_refused_with_the_option(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", table(began=hour, stamped=lambda k: hour(k + 1)))
    with pytest.raises(Refused, match="'began' and 'stamped' could each be when it was reported.*--column time=began"):
        read(path)
    assert read(path, columns={"time": "stamped"})[0][0].occurred_at == START + timedelta(hours=7)


def test_when_a_row_was_loaded_is_not_when_it_was_reported(tmp_path: Path) -> None:
    given = [r | {"ingest_ts": r["created_at"].replace("2026-10", "2026-11")} for r in ROWS]
    items, refused, _ = read(written(tmp_path / "a.csv", csv_of(given).replace("created_at", "event_ts")))
    assert (facts(items), refused) == (expected(ROWS), [])


def test_who_made_a_ticket_is_not_the_author_where_a_column_names_that(tmp_path: Path) -> None:
    given = [{"Creator": "portal"} | r for r in ROWS]
    items, _, _ = read(written(tmp_path / "a.csv", csv_of(given).replace("author", "Custom field (Content author)")))
    assert {c.target.author_id for c in items} == {r["author"] for r in ROWS}


def test_an_hour_with_a_letter_in_a_column_of_its_own_belongs_to_the_day(tmp_path: Path) -> None:
    text = table(Date=lambda k: hour(k)[:10], Heure=lambda k: hour(k)[11:16].replace(":", "h"))
    items, refused, _ = read(written(tmp_path / "a.csv", text))
    assert (facts(items), refused) == (expected(ROWS), [])


def test_numbers_are_not_times_unless_their_name_says_so(tmp_path: Path) -> None:
    seconds = int(START.timestamp())
    with pytest.raises(Refused, match="when it was reported"):
        read(written(tmp_path / "a.csv", table(ticket=lambda k: seconds + 25_200 * k)))
    items, _, _ = read(written(tmp_path / "b.csv", table(comment_date=lambda k: seconds + 25_200 * k)))
    assert items[1].occurred_at == START + timedelta(hours=7)


def test_an_id_and_a_name_of_different_people_are_not_one_reporter(tmp_path: Path) -> None:
    given = [r | {"complainant_id": k % 3} for k, r in enumerate(ROWS)]
    with pytest.raises(Refused, match="could each be who reported"):
        read(written(tmp_path / "a.csv", csv_of(given)))
    given = [r | {"reporter_id": r["reporter"][-1], "reporter": "Ann"} for r in ROWS]  # a frequent name
    assert read(written(tmp_path / "a.csv", csv_of(given)))[0][0].reporter.id == "0"


@pytest.mark.parametrize(
    "form", ["%d/%b/%y %I:%M %p", "%b %d, %Y @ %H:%M:%S.000", "%Y年%m月%d日 %H:%M", "%Y년 %m월 %d일 %H:%M"]
)
def test_further_ways_to_write_times(tmp_path: Path, form: str) -> None:
    moments = [START + k * timedelta(hours=7) for k in range(len(ROWS))]
    given = [r | {"created_at": t.strftime(form)} for r, t in zip(ROWS, moments, strict=True)]
    items, refused, _ = read(written(tmp_path / "a.csv", csv_of(given)))
    assert refused == [] and [c.occurred_at for c in items] == moments


def test_day_numbers_of_a_spreadsheet_may_have_a_decimal_comma(tmp_path: Path) -> None:
    given = [r | {"created_at": f"{46296 + k},25"} for k, r in enumerate(ROWS)]
    items, refused, _ = read(written(tmp_path / "a.csv", csv_of(given, ";")))
    assert refused == [] and items[0].occurred_at == datetime(2026, 10, 1, 6, tzinfo=UTC)


def test_what_is_called_like_a_time_and_is_none_is_named_with_the_mend(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", table(reported=lambda k: f"{k + 1} hours ago"))
    with pytest.raises(Refused, match="'reported' is called like it, but '1 hours ago' is not a time that is known"):
        read(path)
    path = written(
        tmp_path / "a.csv", table(reported=lambda k: (START + timedelta(days=k)).strftime("%Hh%M am %d.%m.%y"))
    )
    with pytest.raises(Refused, match="--column time=reported --time-format"):
        read(path)
    items, _, _ = read(path, columns={"time": "reported"}, time_format="%Hh%M am %d.%m.%y")
    assert items[1].occurred_at == START + timedelta(days=1)


OTHERS: list[tuple[str, str, str, tuple[str, ...]]] = [
    ("Adresse e-mail", "Lien du contenu signalé", "Horodateur", ("Motif du signalement",)),
    ("Dirección de correo electrónico", "Enlace del contenido que denuncia", "Marca temporal", ("Comentarios",)),
    ("Adres e-mail", "Link do zgłaszanej treści", "Sygnatura czasowa", ("Powód zgłoszenia",)),
    ("メールアドレス", "通報する投稿のURL", "タイムスタンプ", ("通報理由",)),
    ("Endereço de e-mail", "Link do conteúdo denunciado", "Carimbo de data/hora", ()),
    ("Indirizzo email", "Link al commento che vuoi segnalare", "Informazioni cronologiche", ("Motivo",)),
    ("이메일 주소", "신고할 게시글 링크", "타임스탬프", ("신고 사유",)),
    ("Адрес электронной почты", "Ссылка на сообщение, на которое вы жалуетесь", "Отметка времени", ()),
    ("Pseudo du signalant", "URL signalée", "Date et heure", ("Modérateur",)),
    ("Meldende Person", "Gemeldeter Inhalt (URL)", "Eingang am", ("Sachbearbeiter/in",)),
    ("Reports[ReporterId]", "Content[ContentId]", "Reports[CreatedAt]", ("[CountRows]",)),
    ("ContactId", "Content_ID__c", "CreatedDate", ("OwnerId",)),
    ("reporter_ip", "domain_id", "created_at", ("evidence_url",)),
    ("log.reporter_id", "report.target_id", "@timestamp", ("host.name",)),
]


@pytest.mark.parametrize("names", OTHERS, ids=[names[0] for names in OTHERS])
def test_headings_of_forms_databases_and_other_languages(
    tmp_path: Path, names: tuple[str, str, str, tuple[str, ...]]
) -> None:
    test_headings_of_peoples_files_are_recognised(tmp_path, names)


@pytest.mark.parametrize("name", ["link_to_it", "links_to_spam", "link_to_the_report", "num_reports", "id_report"])
def test_a_link_to_something_else_is_not_what_was_reported(tmp_path: Path, name: str) -> None:
    given = [{"reporter": r["reporter"], name: r["post_id"], "created_at": r["created_at"]} for r in ROWS]
    with pytest.raises(Refused, match=rf"what was reported \(target\).*--column target={name}"):
        read(written(tmp_path / "a.csv", csv_of(given)))


@pytest.mark.parametrize("pair", [("Start Date (UTC)", "Submit Date (UTC)"), ("post.published", "report.published")])
def test_the_end_of_a_form_and_the_time_of_the_report_are_taken_of_several(
    tmp_path: Path, pair: tuple[str, str]
) -> None:
    items, _, _ = read(written(tmp_path / "a.csv", table(**{pair[0]: lambda k: hour(k + 9), pair[1]: hour})))
    assert items[1].occurred_at == START + timedelta(hours=7)


def test_times_of_oracle_are_read(tmp_path: Path) -> None:
    items, _, _ = read(
        written(
            tmp_path / "a.csv", table(DATE_CREATED=lambda k: f"{3 + k % 20:02}-MAY-24 11.43.{k % 60:02}.000000000 PM")
        )
    )
    assert items[1].occurred_at == datetime(2024, 5, 4, 23, 43, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "name", ["被举报人", "Denunciado", "spammerId", "Recipe Author", "The offender's name", "피신고자"]
)
def test_who_was_reported_wrote_what_was_reported(tmp_path: Path, name: str) -> None:
    given = [{(name if key == "author" else key): value for key, value in row.items()} for row in ROWS]
    items, refused, _ = read(written(tmp_path / "a.csv", csv_of(given)))
    assert (facts(items), refused) == (expected(ROWS), [])
    assert {item.target.author_id for item in items} == {row["author"] for row in ROWS}
