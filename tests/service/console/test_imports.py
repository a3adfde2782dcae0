"""Settings, Import: upload, what is read, bad input."""

from __future__ import annotations

import io
import json
import re
import zipfile
from typing import Any

import pytest
import sqlalchemy as sa
from conftest import Api
from console_world import Visitor, sign_in
from tabular_files import csv_of, rows, workbook_of
from worlds import document, draw_town

from service.console import security_middleware
from service.console.settings import import_texts
from service.storage.accounts.tenant_settings import change_settings
from service.storage.accounts.tenants import tenant_id
from service.storage.complaints import imports
from service.storage.redis_store import stream
from service.storage.sql import schema
from service.storage.sql.engine import write
from service.tabular import opening, presets
from service.tabular.reading_choice import AUTOMATIC, IGNORED
from service.tabular.recognition import OPTIONAL
from service.tabular.times import FORMATS
from service.tabular.vocabulary import REQUIRED
from workers import erase, import_sending, ingest
from workers import imports as job
from workers.resources import Resources

HERE = "/console/settings/import"
TABLE = csv_of(rows(), ";")
BOMB_ROW = f"user,1,2026-10-01T00:00:00Z,{'a' * 4000}\n"


@pytest.fixture
def root(api: Api) -> Visitor:
    return sign_in(api, "root", role="admin")


def resources(api: Api) -> Resources:
    return Resources(api.settings, api.engine, api.redis.blocking)


def works(api: Api) -> None:
    """The job, until it has nothing more to do."""
    for _ in range(20):
        job.run("default", resources(api))
        with api.engine.connect() as connection:
            if imports.next_active(connection, tenant_id(api.engine, "default")) is None:
                return
    raise AssertionError("the job does not end")


def upload(visitor: Visitor, content: bytes | str, name: str = "flags.csv") -> Any:
    visitor.get(HERE)
    content = content.encode() if isinstance(content, str) else content
    return visitor.request("POST", f"{HERE}/upload", data={"csrf": visitor.csrf}, files={"file": (name, content)})


def read(api: Api, visitor: Visitor, content: bytes | str, name: str = "flags.csv") -> tuple[str, str]:
    """Where an uploaded file's page is, and the page once it was read."""
    answer = upload(visitor, content, name)
    assert answer.status_code == 303, answer.text
    works(api)
    there = answer.headers["location"]
    return there, visitor.get(there).text


def plain(page: str) -> str:
    """The words of a page."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def stored(api: Api) -> bytes:
    """All that the tables of imports hold."""
    with api.engine.connect() as connection:
        found = [*connection.execute(sa.select(schema.imports)), *connection.execute(sa.select(schema.import_chunks))]
    return b"\n".join(cell if isinstance(cell, bytes) else str(cell).encode() for row in found for cell in row)


def test_a_file_is_stored_encrypted_and_shown_as_it_would_be_read(api: Api, root: Visitor) -> None:
    there, page = read(api, root, TABLE)
    words = plain(page)
    assert "40 complaints" in words and "Every row could be read" in words and "CSV with semicolons, UTF-8" in words
    assert all(f">{name}<" in page for name in ("user0", "user6", "500", "509")), "ten rows"
    assert ">510<" not in page
    assert re.search(r'Column “reporter”</label>\s*<select[^>]*>.*?<option value="reporter_id" selected>', page, re.S)
    held = stored(api)
    assert b"user0" not in held and b"writer1" not in held and b"flags.csv" in held
    assert "flags.csv" in root.get(HERE).text
    assert 'hx-trigger="every 1s"' not in page
    with api.engine.connect() as connection:
        (entry,) = connection.execute(
            sa.select(schema.audit_trail).where(schema.audit_trail.c.action == "import-uploaded")
        )
        assert connection.scalar(sa.select(sa.func.count()).select_from(schema.complaints)) == 0
    assert entry.actor == "root" and entry.subject == f"import:{there.rsplit('/', 1)[1]}"


def test_before_it_was_read_the_page_asks_again(api: Api, root: Visitor) -> None:
    there = upload(root, TABLE).headers["location"]
    assert 'hx-trigger="every 1s"' in root.get(there).text
    assert root.get(there, htmx=True).text.lstrip().startswith('<div id="import"')


def test_while_the_file_is_read_again_an_import_says_so_and_how_far_it_is(
    api: Api, root: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, _ = read(api, root, TABLE)
    assert root.post(f"{there}/start").status_code == 303
    seen: list[str] = []

    def halfway(path: Any, progress: Any) -> Any:
        seen.append(plain(root.get(there).text))
        progress(0.5)
        seen.append(plain(root.get(there).text))
        root.post(f"{there}/stop")
        progress(0.6)  # ends the step
        raise AssertionError("the step went on")

    monkeypatch.setattr(import_sending, "reading_progress", halfway)
    works(api)
    assert "Reading the file again, before its complaints are sent" in seen[0] and "0 % of the file read" in seen[0]
    assert "50 % of the file read; 0 sent so far" in seen[1]
    monkeypatch.undo()
    assert "0 rows are in the tenant" in plain(root.get(there).text)
    root.post(f"{there}/start")
    assert "Reading the file again" not in plain(root.get(there).text)


def test_columns_are_chosen_in_menus(api: Api, root: Visitor) -> None:
    given = csv_of(
        [{"who": f"u{k % 3}", "thing": str(k % 5), "day": f"2026-10-0{k % 9 + 1}T10:00:00"} for k in range(20)]
    )
    there, page = read(api, root, given)
    assert "no column" in page.lower() or "reporter" in page.lower()
    assert "--" not in plain(page), "no options of the command line"
    root.post(f"{there}/read", {"column-0": "reporter_id", "column-1": "target_id", "column-2": "occurred_at"})
    works(api)
    page = root.get(there).text
    assert "has no UTC offset" in plain(page) and "Europe/Berlin" in page
    chosen = {
        "column-0": "reporter_id",
        "column-1": "target_id",
        "column-2": "occurred_at",
        "timezone": "Europe/Berlin",
    }
    root.post(f"{there}/read", chosen)
    works(api)
    page = root.get(there).text
    assert "20 complaints" in plain(page) and "2026-10-01T08:00:00Z" in page
    both = root.post(f"{there}/read", {**chosen, "column-1": "reporter_id"})
    assert both.status_code == 422 and "cannot both be the same" in both.text
    odd = root.post(f"{there}/read", {**chosen, "timezone": "Berlin"})
    assert odd.status_code == 422 and "not a known time zone" in odd.text


def test_a_column_that_is_not_to_be_read_is_left_out(api: Api, root: Visitor) -> None:
    there, page = read(api, root, TABLE)
    assert ">spam<" in page
    root.post(f"{there}/read", {"column-4": "ignored"})
    works(api)
    page = root.get(there).text
    assert "40 complaints" in plain(page) and ">spam<" not in page
    assert '<option value="ignored" selected>' in page


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("none.csv", b"", "the file is empty"),
        ("blank.csv", b"\n\n", "nothing is in it"),
        ("report.pdf", b"%PDF-1.7 ...", "is a PDF"),
        (
            "things.csv",
            csv_of([{"post_id": str(k), "created_at": "2026-10-01T00:00:00Z"} for k in range(9)]),
            "who reported",
        ),
    ],
)
def test_files_that_cannot_serve_are_refused_in_a_sentence(
    api: Api, root: Visitor, name: str, content: bytes | str, said: str
) -> None:
    answer = upload(root, content, name)
    if answer.status_code == 303:
        works(api)
        answer = root.get(answer.headers["location"])
        assert "not readable" in answer.text
    assert said.lower() in plain(answer.text).lower()


def test_what_inflates_beyond_all_measure_is_refused(api: Api, root: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "FREELY", 1 << 20)
    monkeypatch.setattr(opening, "MOST_FOR_ONE", 20)
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("flags.csv", "reporter,post_id,created_at,text\n" + BOMB_ROW * (8_000_000 // len(BOMB_ROW)))
    _, page = read(api, root, bomb.getvalue(), "flags.zip")
    assert "inflates to more than" in page and ">user<" not in page


def test_a_workbook_with_parts_outside_of_it_writes_nothing_there(api: Api, root: Visitor, tmp_path: Any) -> None:
    table = rows(12)
    book = workbook_of([list(table[0]), *(list(row.values()) for row in table)], tmp_path / "flags.xlsx")
    with zipfile.ZipFile(book, "a") as archive:
        archive.writestr(f"../../../..{tmp_path}/outside.txt", "outside")
        archive.writestr("xl/../../../outside.txt", "outside")
    _, page = read(api, root, book.read_bytes(), "flags.xlsx")
    assert "12 complaints" in plain(page)
    assert sorted(path.name for path in tmp_path.iterdir() if "outside" in path.name) == []


def test_rows_that_cannot_be_read_are_counted_with_their_lines(api: Api, root: Visitor) -> None:
    lines = TABLE.splitlines()
    lines[3], lines[7] = lines[3] + ";more", ";" + lines[7].split(";", 1)[1]
    _, page = read(api, root, "\n".join(lines) + "\n")
    assert "38 complaints" in plain(page) and "2 rows could not be read" in plain(page)
    assert re.search(r'class="n">4</th>', page) and re.search(r'class="n">8</th>', page)


def test_the_preview_passes_the_privacy_filter(api: Api, root: Visitor) -> None:
    with write(api.engine) as connection:
        change_settings(
            connection, tenant_id(api.engine, "default"), actor="t", now_us=1, pseudonyms=True, keep_text=False
        )
    given = rows()
    given[20]["created_at"] = "'yesterday, said user0'"
    given = [{**row, "message": f"user{k} wrote a long and angry message here"} for k, row in enumerate(given)]
    _, page = read(api, root, csv_of(given))
    assert "39 complaints" in plain(page)
    assert "user" not in re.sub(r"<select.*?</select>", "", page.split('id="import"')[1], flags=re.S).replace(
        "user-", ""
    )
    assert ">p-" in page and "angry" not in page


def test_a_name_cannot_lead_out_of_the_folder(api: Api, root: Visitor) -> None:
    for name in ("../../etc/cron.d/flags.csv", "..", "C:\\flags.csv", "a\x00b.csv", "é" * 300 + ".csv", "<script>.csv"):
        there, page = read(api, root, TABLE, name)
        assert "40 complaints" in plain(page), name
        assert "<script>." not in page
        root.post(f"{there}/delete")


def test_a_file_is_deleted_with_all_that_was_read_of_it(api: Api, root: Visitor) -> None:
    there, _ = read(api, root, TABLE)
    assert root.post(f"{there}/delete").status_code == 303
    assert root.get(there).status_code == 404 and stored(api) == b""


def test_large_bodies_are_refused_before_they_are_read(
    api: Api, root: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(security_middleware, "MAX_UPLOAD_BYTES", 100_000)
    answer = upload(root, b"x" * 300_000)
    assert answer.status_code == 413 and "compress it" in answer.text and stored(api) == b""
    assert upload(root, TABLE).status_code == 303
    form = root.post(f"{HERE}/1/read", {"sheet": "x" * (2 << 20)})
    assert form.status_code == 413


def test_only_administrators_send_files(api: Api) -> None:
    anna = sign_in(api, "anna", role="moderator")
    anna.get("/console/clusters")
    answer = upload(anna, b"x" * (2 << 20))
    assert answer.status_code == 403 and stored(api) == b""


def test_too_many_files_wait_for_one_to_go(api: Api, root: Visitor) -> None:
    for _ in range(imports.MOST_UPLOADS):
        there = upload(root, TABLE).headers["location"]
    assert upload(root, TABLE).status_code == 422
    root.post(f"{there}/delete")
    assert upload(root, TABLE).status_code == 303


def test_an_upload_whose_process_ended_makes_room(api: Api, root: Visitor) -> None:
    for _ in range(imports.MOST_UPLOADS):
        upload(root, TABLE)
    with write(api.engine) as connection:
        ended = {"state": imports.UPLOADING, "at_us": schema.imports.c.at_us - 3_600_000_000}
        connection.execute(sa.update(schema.imports).values(**ended))
    assert upload(root, TABLE).status_code == 303


def test_uploads_expire_after_a_day(api: Api, root: Visitor) -> None:
    there, _ = read(api, root, TABLE)
    with write(api.engine) as connection:
        connection.execute(sa.update(schema.imports).values(at_us=schema.imports.c.at_us - imports.KEPT_US - 1))
    job.run("default", resources(api))
    assert root.get(there).status_code == 404 and stored(api) == b""


def test_erasing_anybody_deletes_all_uploads(api: Api, root: Visitor) -> None:
    there, _ = read(api, root, TABLE)
    assert api.request("DELETE", "/v1/reporters/user0").status_code == 202
    erase.run("default", resources(api))
    assert root.get(there).status_code == 404 and stored(api) == b""


def test_another_tenants_import_is_not_found(api: Api, root: Visitor) -> None:
    there, _ = read(api, root, TABLE)
    eve = sign_in(api, "eve", role="admin", tenant="other")
    assert eve.get(there).status_code == 404
    for action in ("read", "delete", "try", "stop", "start", "undo"):
        assert eve.post(f"{there}/{action}").status_code == 404
    assert root.get(there).status_code == 200
    assert eve.get(f"{there}/report").status_code == 404


# --- trying it


def tried(api: Api, root: Visitor, documents: list[dict[str, Any]]) -> tuple[str, str, str]:
    """Where a file's page is, the page once it was tried, and the report."""
    there, _ = read(api, root, "\n".join(json.dumps(document) for document in documents))
    assert root.post(f"{there}/try").status_code == 303
    assert "Looking for groups" in root.get(there).text
    works(api)
    return there, root.get(there).text, root.get(f"{there}/report").text


def counts(api: Api) -> list[int]:
    """Rows of what belongs to the tenant."""
    tables = (schema.complaints, schema.outcomes, schema.clusters, schema.feed, schema.events, schema.targets)
    with api.engine.connect() as connection:
        return [connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0 for table in tables]


def test_a_try_shows_the_report_and_stores_nothing(api: Api, root: Visitor) -> None:
    town = draw_town(2, brigades=2)
    there, page, report = tried(api, root, [document(row) for row in town.rows])
    assert "2 groups of accounts" in plain(page) and "Nothing was stored" in page
    assert report.startswith("<!DOCTYPE html>") and "Complaints audit" in report and "<script" not in report
    answer = root.get(f"{there}/report")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src 'unsafe-inline'")
    assert any(f"r{member}" in report for member in town.brigades[0])
    assert counts(api) == [0] * 6 and b"Complaints audit" not in stored(api)
    root.post(f"{there}/read", {})
    assert root.get(f"{there}/report").status_code == 404, "it is read in another way now"


def test_the_report_passes_the_privacy_filter(api: Api, root: Visitor) -> None:
    town = draw_town(2, brigades=2)
    with write(api.engine) as connection:
        number = tenant_id(api.engine, "default")
        change_settings(connection, number, actor="t", now_us=1, pseudonyms=True, keep_text=False)
    broken = {**document(town.rows[0]), "id": "broken", "occurred_at": "'r1 said so'"}
    _, page, report = tried(api, root, [*(document(row) for row in town.rows), broken])
    assert "2 groups of accounts" in plain(page) and "p-" in report
    assert not re.search(r"\br\d+\b", report)


def test_a_try_is_stopped(api: Api, root: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    there, _ = read(api, root, TABLE)
    root.post(f"{there}/try")
    with api.engine.connect() as connection:
        one = imports.read(connection, tenant_id(api.engine, "default"), there.rsplit("/", 1)[1])
    assert "Stopped." in root.get(root.post(f"{there}/stop").headers["location"]).text
    with write(api.engine) as connection:
        assert not imports.note_progress(connection, tenant_id(api.engine, "default"), one, 0.5)
    works(api)
    assert root.get(f"{there}/report").status_code == 404
    assert root.post(f"{there}/stop").status_code == 303


def test_a_step_that_its_worker_does_not_survive_is_given_up(api: Api, root: Visitor) -> None:
    there = upload(root, TABLE).headers["location"]
    with write(api.engine) as connection:
        connection.execute(sa.update(schema.imports).values(attempts=2))
    works(api)
    assert "stopped twice in the middle" in root.get(there).text


def test_no_plain_file_is_left(api: Api, root: Visitor, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    read(api, root, TABLE)
    assert [path for path in tmp_path.iterdir() if path.name.startswith("brigadewatch-import")] == []


# --- importing it


def archive(api: Api) -> None:
    """The job and the archive, in turns, until no import has anything to do."""
    for _ in range(20):
        job.run("default", resources(api))
        while stream.waiting(api.redis.blocking, "default"):
            ingest.run("default", resources(api))
        with api.engine.connect() as connection:
            if imports.next_active(connection, tenant_id(api.engine, "default")) is None:
                return
    raise AssertionError("the job does not end")


def standing(api: Api) -> int:
    with api.engine.connect() as connection:
        stands = schema.complaints.c.state == schema.STANDING
        return connection.scalar(sa.select(sa.func.count()).select_from(schema.complaints).where(stands)) or 0


def test_a_file_is_imported_and_undone_in_the_pages(api: Api, root: Visitor) -> None:
    there, page = read(api, root, TABLE)
    assert "Import 40 complaints" in page
    assert root.post(f"{there}/start").status_code == 303
    page = root.get(there).text
    assert "being imported" in page and 'id="import-stop"' in page
    assert root.post(f"{there}/delete").status_code == 422, "undo it instead"
    archive(api)
    page = root.get(there).text
    assert "What was stored" in page and "Import 40" not in page and standing(api) == 40
    assert root.post(f"{there}/start").status_code == 422
    again, _ = read(api, root, TABLE)
    refused = root.post(f"{again}/start")
    assert refused.status_code == 422 and "undo that import first" in plain(refused.text)
    confirm = root.get(f"{there}/undo").text
    assert "Undo this import?" in confirm and standing(api) == 40
    assert root.post(f"{there}/undo").status_code == 303
    assert "being undone" in root.get(there).text
    archive(api)
    assert "Nothing of this file counts any more" in root.get(there).text and standing(api) == 0
    root.post(f"{again}/start")
    archive(api)
    assert standing(api) == 40
    trail = root.get("/console/settings/audit").text
    assert all(f"import-{action}" in trail for action in ("uploaded", "started", "undone"))


def test_it_is_stopped_in_the_page_and_goes_on(api: Api, root: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_sending, "BATCH_ITEMS", 10)
    monkeypatch.setattr(import_sending, "TURN_SECONDS", 0.0)
    there, _ = read(api, root, TABLE)
    root.post(f"{there}/start")
    job.run("default", resources(api))
    assert "25 %" in root.get(there).text
    root.post(f"{there}/stop")
    page = plain(root.get(there).text)
    assert "10 rows are in the tenant, of 40" in page and "Go on" in page and "Undo this import" in page
    root.post(f"{there}/start")
    archive(api)
    assert standing(api) == 40 and "What was stored" in root.get(there).text


def test_history_that_is_too_old_is_refused_in_the_page(api: Api, root: Visitor) -> None:
    there, _ = read(api, root, TABLE)
    root.post(f"{there}/start")
    archive(api)
    there, page = read(api, root, TABLE.replace("2026-10", "2025-10"))
    assert "cannot be imported here" in page and "brigadewatch tenants create NAME" in page
    assert "Import 40 complaints" not in page
    assert root.post(f"{there}/start").status_code == 422


def test_the_menus_have_all_that_the_reader_knows() -> None:
    assert {value for value, _ in import_texts.PRESETS} == {"", *presets.PRESETS}
    assert {value for value, _ in import_texts.TIME_FORMATS} == {"", *FORMATS}
    assert {value for value, _ in import_texts.FIELDS} == {AUTOMATIC, IGNORED, "id", *REQUIRED, *OPTIONAL}
