"""Files imported into a tenant and out of it again, by the job: nothing lost, nothing twice, all of it taken back."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from conftest import RedisClients
from flow import Newspaper
from sqlalchemy import Engine
from worlds import document, draw_town

from service.errors import LostLease, Refused
from service.settings import Settings
from service.storage.accounts.secret_box import SecretBox
from service.storage.accounts.tenant_settings import change_settings
from service.storage.complaints import import_sending as sending
from service.storage.complaints import imports
from service.storage.complaints.import_content import ContentSeal, new_key, put_chunk
from service.storage.complaints.imports import ImportRecord
from service.storage.privacy import erasures
from service.storage.privacy.privacy_filters import open_privacy_filter
from service.storage.redis_store import redis_keys
from service.storage.sql import schema, timers
from service.storage.sql.engine import write
from service.storage.sql.schema import MACHINE, REPEAT, STANDING, WITHDRAWN
from service.tabular.reading_choice import ReadingChoice
from workers import erase, import_sending, import_undo, ingest
from workers import imports as job
from workers.import_lines import ResidentImport

TOWN = draw_town(2, brigades=2)
DOCUMENTS = [document(row) for row in TOWN.rows]
JUDGED = "id,reporter,post_id,created_at,verdict\n" + "".join(
    f"{k},user{k % 7},{k % 11},2026-10-{k % 13 + 1:02}T10:00:00Z,{('upheld', 'rejected', '')[k % 3]}\n"
    for k in range(60)
)


@pytest.fixture
def paper(fake_redis: RedisClients, engine: Engine, settings: Settings) -> Newspaper:
    return Newspaper(fake_redis, engine, settings)


def put(paper: Newspaper, content: str, name: str = "flags.csv", **choice: Any) -> str:
    """Upload a file, as the console does, and have it read; the import's id."""
    now_us, key = paper.resources.now_us(), new_key()
    with write(paper.engine) as connection:
        made = imports.begin_upload(
            connection, paper.id, name, SecretBox(paper.resources.settings).seal(key), by="ann", now_us=now_us
        )
        for number, start in enumerate(range(0, len(content), 50_000)):
            sealed = ContentSeal(key).sealed(content[start : start + 50_000].encode())
            put_chunk(connection, paper.id, made, number, sealed)
        digest = hashlib.sha256(content.encode()).hexdigest()
        imports.end_upload(connection, paper.id, made, len(content), digest, by="ann", now_us=now_us)
        if choice:
            imports.read_again(connection, paper.id, made, ReadingChoice(**choice).document(), now_us=now_us)
    works(paper)
    return made


def works(paper: Newspaper, most: int = 60) -> None:
    """The job and the archive, in turns, until no import has anything to do."""
    for _ in range(most):
        job.run(paper.name, paper.resources)
        while paper.waiting():
            ingest.run(paper.name, paper.resources)
        with paper.engine.connect() as connection:
            if imports.next_active(connection, paper.id) is None:
                return
    raise AssertionError("the job does not end")


def begin(paper: Newspaper, made: str) -> None:
    with write(paper.engine) as connection:
        sending.request_import(connection, paper.id, made, by="ann", now_us=paper.resources.now_us())


def imported(paper: Newspaper, content: str, **choice: Any) -> ImportRecord:
    made = put(paper, content, **choice)
    begin(paper, made)
    works(paper)
    found = record(paper, made)
    assert found.state == imports.IMPORTED, (found.state, found.error)
    return found


def undo(paper: Newspaper, made: str) -> None:
    with write(paper.engine) as connection:
        sending.request_undo(connection, paper.id, made, by="ann", now_us=paper.resources.now_us())
    works(paper)


def record(paper: Newspaper, made: str) -> ImportRecord:
    with paper.engine.connect() as connection:
        return imports.read(connection, paper.id, made)


def states(paper: Newspaper) -> Counter[int]:
    with paper.engine.connect() as connection:
        return Counter(connection.scalars(sa.select(schema.complaints.c.state)))


def lines(documents: list[dict[str, Any]]) -> str:
    return "\n".join(json.dumps(one) for one in documents) + "\n"


def test_a_file_is_imported_and_its_groups_are_found(paper: Newspaper) -> None:
    mixed = DOCUMENTS[::2] + DOCUMENTS[1::2]  # exports have any order; the stream has that of the times
    found = imported(paper, lines(mixed))
    assert found.result is not None and found.result["late"] == found.result["missing"] == 0
    assert found.result["complaints"] == len(DOCUMENTS) == sum(states(paper).values())
    assert not found.has_file
    paper.works()
    paper.sweeps()
    assert len(paper.groups("flagged")) == 2
    with paper.engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(schema.import_chunks)) == 0
        assert not timers.planned(connection, paper.id, "import")


def test_everything_is_taken_back_and_the_same_file_comes_again(paper: Newspaper) -> None:
    first = imported(paper, JUDGED)
    assert first.result is not None
    assert (first.result["complaints"], first.result["outcomes"]) == (60, 40)
    assert states(paper)[STANDING] == first.result["standing"] > 0
    undo(paper, first.id)
    assert record(paper, first.id).state == imports.UNDONE
    assert set(states(paper)) == {WITHDRAWN}
    with paper.engine.connect() as connection:
        contents = [json.loads(text) for text in connection.scalars(sa.select(schema.outcomes.c.content))]
        totals = list(connection.scalars(sa.select(schema.targets.c.complaints)))
    taken_back = {one["retracts"] for one in contents if "retracts" in one}
    assert {one["id"] for one in contents if "retracts" not in one} == taken_back and len(taken_back) == 40
    assert sum(totals) == 0
    again = imported(paper, JUDGED)
    assert again.result == first.result and states(paper)[STANDING] == first.result["standing"]


def test_turns_that_are_too_short_to_look_at_it_all_take_everything_back(
    paper: Newspaper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_undo, "TURN_SECONDS", 0.0)
    monkeypatch.setattr(import_undo, "BATCH_ITEMS", 20)
    found = imported(paper, JUDGED)
    undo(paper, found.id)
    assert record(paper, found.id).state == imports.UNDONE and set(states(paper)) == {WITHDRAWN}


def test_a_long_history_that_was_undone_needs_a_fresh_tenant(paper: Newspaper) -> None:
    """Detection's window does not go back: what it has seen stays the newest time of the tenant."""
    long = JUDGED.replace("2026-10-01", "2026-08-01")
    undo(paper, imported(paper, long).id)
    made = put(paper, long)
    with pytest.raises(Refused, match=r"has had some up to 2026-10-13.*brigadewatch tenants create NAME"):
        begin(paper, made)


def test_one_file_is_not_imported_twice_at_a_time(paper: Newspaper) -> None:
    imported(paper, JUDGED)
    made = put(paper, JUDGED, "copy.csv")
    with pytest.raises(Refused, match="undo that import first"):
        begin(paper, made)
    longer = imported(paper, JUDGED + "99,user99,3,2026-10-12T10:00:00Z,\n")
    assert longer.result is not None and longer.result["repeats"] == 60
    assert longer.result["standing"] == 1, "an export that holds the earlier one's rows counts what is new"


def test_a_file_whose_import_begins_meanwhile_is_not_deleted(paper: Newspaper, monkeypatch: pytest.MonkeyPatch) -> None:
    made = put(paper, JUDGED)
    before = record(paper, made)
    begin(paper, made)
    with monkeypatch.context() as patched, write(paper.engine) as connection:
        patched.setattr(imports, "read", lambda *which: before)
        with pytest.raises(Refused, match="undo it instead"):
            imports.delete_import(connection, paper.id, made, by="ann", now_us=1)
    works(paper)
    assert record(paper, made).state == imports.IMPORTED


def test_history_that_nobody_would_analyse_is_refused_with_the_way_out(paper: Newspaper) -> None:
    imported(paper, JUDGED)
    made = put(paper, JUDGED.replace("2026-10", "2025-10"), "old.csv")
    with pytest.raises(Refused, match=r"brigadewatch tenants create NAME"):
        begin(paper, made)


def test_complaints_that_come_meanwhile_do_not_make_the_rest_late_unseen(
    paper: Newspaper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_sending, "BATCH_ITEMS", 20)
    monkeypatch.setattr(import_sending, "TURN_SECONDS", 0.0)
    made = put(paper, JUDGED)
    begin(paper, made)
    job.run(paper.name, paper.resources)
    newer = {**DOCUMENTS[0], "id": "live", "occurred_at": "2026-11-28T00:00:00Z"}
    paper.posts([newer])
    works(paper)
    found = record(paper, made)
    assert found.state == imports.STOPPED and "too old now" in (found.error or "")
    with paper.engine.connect() as connection:
        assert sending.archived(connection, paper.id, made).late == 0
    undo(paper, made)
    assert states(paper)[STANDING] == 1 and found.sent < 100


def test_it_is_stopped_in_the_middle_goes_on_and_is_undone(paper: Newspaper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_sending, "BATCH_ITEMS", 100)
    monkeypatch.setattr(import_sending, "TURN_SECONDS", 0.0)
    made = put(paper, lines(DOCUMENTS))
    begin(paper, made)
    for _ in range(3):
        job.run(paper.name, paper.resources)
    with write(paper.engine) as connection:
        assert imports.stop(connection, paper.id, made, by="ann", now_us=1)
    found = record(paper, made)
    assert (found.state, found.sent) == (imports.STOPPED, 300)
    assert paper.resources.kept(ResidentImport).lines.lines
    works(paper)
    assert sum(states(paper).values()) == 300 and not paper.resources.kept(ResidentImport).lines.lines
    begin(paper, made)
    job.run(paper.name, paper.resources)
    with write(paper.engine) as connection:
        imports.stop(connection, paper.id, made, by="ann", now_us=2)
    undo(paper, made)  # while the last batch is still in the stream
    assert states(paper) == Counter({WITHDRAWN: 400})
    with paper.engine.connect() as connection:
        actions = list(connection.scalars(sa.select(schema.audit_trail.c.action).order_by(schema.audit_trail.c.id)))
    assert actions == ["import-uploaded", *["import-started", "import-stopped"] * 2, "import-undone"]


def test_a_worker_that_is_killed_in_the_middle_loses_nothing_and_doubles_nothing(
    paper: Newspaper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_sending, "BATCH_ITEMS", 100)
    made = put(paper, lines(DOCUMENTS))
    begin(paper, made)
    note, calls = sending.note_sent, 0

    def killed(*arguments: Any, **named: Any) -> bool:
        nonlocal calls
        calls += 1
        if calls % 4 == 0:  # the batch is in the stream, and nobody knows
            raise LostLease("killed")
        return note(*arguments, **named)

    monkeypatch.setattr(sending, "note_sent", killed)
    for _ in range(40):
        try:
            works(paper)
            break
        except LostLease:
            paper.resources.kept(ResidentImport).drop()  # another process goes on
    found = record(paper, made)
    assert calls > 8 and found.state == imports.IMPORTED and found.result is not None
    assert found.result["complaints"] == len(DOCUMENTS) and found.result["missing"] == 0
    with paper.engine.connect() as connection:
        ids = list(connection.scalars(sa.select(schema.complaints.c.id)))
    assert len(ids) == len(set(ids)) == len(DOCUMENTS)


def test_what_the_stream_lost_is_sent_again(paper: Newspaper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_sending, "BATCH_ITEMS", 20)
    monkeypatch.setattr(import_sending, "TURN_SECONDS", 0.0)
    made = put(paper, JUDGED)
    begin(paper, made)
    job.run(paper.name, paper.resources)
    while paper.waiting():
        ingest.run(paper.name, paper.resources)
    job.run(paper.name, paper.resources)
    paper.redis.delete(redis_keys.stream(paper.name))  # Redis fell back to an older state
    paper.redis.set(redis_keys.position(paper.name), 20)
    works(paper)
    found = record(paper, made)
    assert found.result is not None and (found.result["complaints"], found.result["missing"]) == (60, 0)


def test_an_import_passes_the_privacy_filter(paper: Newspaper) -> None:
    with write(paper.engine) as connection:
        change_settings(connection, paper.id, actor="t", now_us=1, pseudonyms=True)
    text = "".join(line.partition(",")[2] for line in JUDGED.splitlines(keepends=True))  # without ids
    box = SecretBox(paper.resources.settings)
    privacy_filter = open_privacy_filter(paper.engine, box, paper.id)
    with write(paper.engine) as connection:
        erasures.request_erasure(connection, paper.id, privacy_filter, box, "user3", actor="t", now_us=1)
    found = imported(paper, text)
    with paper.engine.connect() as connection:
        rows = connection.execute(sa.select(schema.complaints.c.id, schema.complaints.c.reporter_id)).all()
    assert found.result is not None and found.result["refused"] == 60 - len(rows) > 0
    assert all(row.reporter_id.startswith("p-") for row in rows)
    for row in rows:  # an id that the reader made of a name cannot be made again without the key
        assert ":row-" not in row.id and row.id.startswith(f"{found.id}:")
    undo(paper, found.id)
    assert set(states(paper)) == {WITHDRAWN}


def test_an_erasure_stops_an_import_and_deletes_its_file(paper: Newspaper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_sending, "BATCH_ITEMS", 20)
    monkeypatch.setattr(import_sending, "TURN_SECONDS", 0.0)
    made = put(paper, JUDGED)
    begin(paper, made)
    job.run(paper.name, paper.resources)
    box = SecretBox(paper.resources.settings)
    with write(paper.engine) as connection:
        privacy_filter = open_privacy_filter(paper.engine, box, paper.id)
    with write(paper.engine) as connection:
        erasures.request_erasure(connection, paper.id, privacy_filter, box, "user3", actor="t", now_us=1)
    erase.run(paper.name, paper.resources)
    works(paper)
    found = record(paper, made)
    assert found.state == imports.STOPPED and not found.has_file and "erased" in (found.error or "")
    undo(paper, made)
    assert record(paper, made).state == imports.UNDONE and STANDING not in states(paper)


def test_a_full_stream_makes_it_wait_and_is_no_failure(paper: Newspaper, monkeypatch: pytest.MonkeyPatch) -> None:
    made = put(paper, JUDGED)
    begin(paper, made)
    tight = replace(paper.resources, settings=replace(paper.resources.settings, max_stream_items=10))
    paper.accepts(*[b'w{"id":"nobodys"}'] * 9)
    for _ in range(4):
        job.run(paper.name, tight)
    assert record(paper, made).state == imports.IMPORTING and record(paper, made).sent == 0
    works(paper)
    assert record(paper, made).state == imports.IMPORTED


def test_the_same_account_and_target_twice_is_a_repeat_and_the_same_id_a_duplicate(paper: Newspaper) -> None:
    rows = ["id,reporter,post_id,created_at", *(f"{k},u{k},7,2026-10-01T10:0{k}:00Z" for k in range(6))]
    rows += ["3,u3,7,2026-10-01T10:03:00Z", "9,u4,7,2026-10-02T10:00:00Z"]
    found = imported(paper, "\n".join(rows) + "\n")
    assert found.result is not None
    expected = {"complaints": 7, "standing": 6, "repeats": 1, "duplicates": 1, "refused": 0, "outcomes": 0}
    assert {name: found.result[name] for name in expected} == expected
    assert states(paper) == Counter({STANDING: 6, REPEAT: 1}) and MACHINE not in states(paper)


def test_what_is_part_of_an_act_is_so_in_the_tenant_too(paper: Newspaper) -> None:
    acts = [{**DOCUMENTS[k], "id": f"n{k}"} for k in range(6)]
    parts = [{**act, "id": f"{act['id']}/account", "target": {"id": "account"}, "part_of": act["id"]} for act in acts]
    imported(paper, lines([*acts, *parts]), name="flags.ndjson")
    with paper.engine.connect() as connection:
        keys = list(connection.scalars(sa.select(schema.complaints.c.act_key).order_by(schema.complaints.c.id)))
    assert [key is not None for key in keys] == [False, True] * 6
