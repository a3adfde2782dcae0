"""Daily files are as the archive is, whatever happens to it; nothing else is written; an erasure waits for them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from aged_archive import Archive, told
from archive_lines import complaint, outcome, withdrawal
from conftest import RedisClients
from flow import told as documents_of
from pyarrow import fs
from s3_server import s3_server
from sqlalchemy import Engine

from service.demo.world import draw_world
from service.model import Complaint, Outcome
from service.settings import Settings, read_settings
from service.storage.accounts.secret_box import SecretBox
from service.storage.complaints import daily_files as days
from service.storage.privacy import erasures
from service.storage.privacy.privacy_filters import open_privacy_filter
from service.storage.sql import schema
from service.storage.sql.engine import write
from service.storage.sql.timers import due
from workers import daily_files, erase
from workers.audit import audit
from workers.daily_file_store import DailyFileStore
from workers.parquet_days import PATHS, schema_of, tables_of

DAY = 86_400


class Filed(Archive):
    """A newspaper with daily files in a folder."""

    place: Path

    def turns_on(self) -> None:
        with write(self.engine) as connection:
            days.turn_on(connection, self.id, 1)

    def writes(self) -> None:
        daily_files.run(self.name, self.resources)

    def files(self) -> dict[str, list[dict[str, Any]]]:
        """Rows by the file's place below the tenant's folder."""
        root = self.place / self.name
        found = sorted(path for path in root.rglob("*") if path.is_file())
        return {str(path.relative_to(root)): pq.ParquetFile(path).read().to_pylist() for path in found}

    def ids(self) -> dict[str, set[str]]:
        return {name: {row["id"] for row in rows} for name, rows in self.files().items()}

    def state(self) -> days.DailyFilesState:
        with self.engine.connect() as connection:
            found = days.state_of(connection, self.id)
        assert found is not None
        return found


@pytest.fixture
def paper(fake_redis: RedisClients, engine: Engine, settings: Settings, tmp_path: Path) -> Iterator[Filed]:
    made = Filed(fake_redis, engine, replace(settings, daily_files=str(tmp_path / "files")))
    made.place = tmp_path / "files"
    yield made
    made.forgets()


def of(noun: str, day: str) -> str:
    return f"{noun}/day={day}/part.parquet"


def test_files_are_by_the_day_of_the_complaint_and_only_changed_days_are_written_again(paper: Filed) -> None:
    told(paper, complaint("a", 5), complaint("b", DAY, reporter="s"), outcome("o", seconds=DAY + 9))
    paper.turns_on()
    paper.writes()
    march = {of("complaints", "2026-03-01"): {"a"}, of("complaints", "2026-03-02"): {"b"}}
    assert paper.ids() == march | {of("outcomes", "2026-03-02"): {"o"}}
    before = {path: path.stat().st_mtime_ns for path in paper.place.rglob("*.parquet")}
    paper.writes()
    assert {path: path.stat().st_mtime_ns for path in paper.place.rglob("*.parquet")} == before
    told(paper, complaint("c", 7, reporter="late"))
    paper.writes()
    assert paper.ids()[of("complaints", "2026-03-01")] == {"a", "c"}
    changed = {path for path in paper.place.rglob("*.parquet") if path.stat().st_mtime_ns != before.get(path)}
    assert {str(path.relative_to(paper.place / "paper")) for path in changed} == {of("complaints", "2026-03-01")}
    assert paper.state().waiting == 0 and paper.state().days == 3


def test_nothing_is_noted_or_written_for_a_tenant_that_did_not_ask_for_it(paper: Filed) -> None:
    told(paper, complaint("a"))
    paper.writes()
    assert not paper.place.exists()
    with paper.engine.connect() as connection:
        assert connection.execute(sa.select(schema.daily_file_days)).all() == []
        assert (days.WORK, "paper") not in due(connection, 10**18)


@pytest.mark.parametrize("late", [False, True])
def test_what_is_withdrawn_or_replaced_leaves_its_day_and_what_counts_instead_comes(paper: Filed, late: bool) -> None:
    newest = 60 * DAY if late else 3 * DAY  # beyond the window nothing is fed to detection
    told(paper, complaint("new", newest, reporter="x"), complaint("second", DAY))
    paper.turns_on()
    paper.writes()
    assert paper.ids()[of("complaints", "2026-03-02")] == {"second"}
    told(paper, complaint("first", 9))  # the earlier one counts
    paper.writes()
    assert paper.ids()[of("complaints", "2026-03-01")] == {"first"}
    assert of("complaints", "2026-03-02") not in paper.ids()
    told(paper, withdrawal("first"))
    paper.writes()
    assert paper.ids()[of("complaints", "2026-03-02")] == {"second"}
    assert of("complaints", "2026-03-01") not in paper.ids()
    assert not list(paper.place.rglob("day=2026-03-01"))


def test_retention_takes_its_rows_out_of_the_files_and_promotes_there_too(paper: Filed) -> None:
    told(paper, complaint("old", 5), outcome("o", seconds=DAY))
    paper.turns_on()
    paper.writes()
    paper.keeps(100)
    paper.ages(98)
    told(paper, complaint("again", 2 * DAY))
    paper.writes()
    assert of("complaints", "2026-03-03") not in paper.ids()  # a repeat
    paper.ages(3)
    paper.consents(10)
    paper.retains()
    paper.writes()
    assert paper.ids() == {of("complaints", "2026-03-03"): {"again"}}


def test_an_erasure_is_done_only_after_the_files_no_longer_name_the_person(paper: Filed) -> None:
    told(paper, complaint("a", reporter="vera"), complaint("b", reporter="w", target_more={"author_id": "vera"}))
    paper.turns_on()
    paper.writes()
    assert {row["reporter_id"] for row in paper.files()[of("complaints", "2026-03-01")]} == {"vera", "w"}
    box = SecretBox(paper.resources.settings)
    privacy_filter = open_privacy_filter(paper.engine, box, paper.id)
    long_ago_us = paper.resources.now_us() - 2 * erase.SETTLING_US
    with write(paper.engine) as connection:
        erasures.request_erasure(connection, paper.id, privacy_filter, box, "vera", actor="test", now_us=long_ago_us)
    erase.run(paper.name, paper.resources)

    def left() -> int:
        with paper.engine.connect() as connection:
            return len(erasures.unfinished(connection, paper.id))

    assert left() == 1
    with paper.engine.connect() as connection:
        assert (days.WORK, "paper") in due(connection, paper.resources.now_us())
    paper.writes()
    rows = paper.files()[of("complaints", "2026-03-01")]
    assert "vera" not in json.dumps(rows, default=str) and len(rows) == 2
    erase.run(paper.name, paper.resources)
    assert left() == 0


def test_what_changes_while_a_file_is_written_is_written_again(paper: Filed, monkeypatch: pytest.MonkeyPatch) -> None:
    told(paper, complaint("a"))
    paper.turns_on()
    own = DailyFileStore.write

    def meanwhile(self: DailyFileStore, noun: str, day: str, *rest: Any) -> int:
        monkeypatch.setattr(DailyFileStore, "write", own)
        rows = own(self, noun, day, *rest)
        told(paper, complaint("b", 1, reporter="s"))
        with write(paper.engine) as connection:
            days.require(connection, paper.id, paper.resources.now_us())
        return rows

    monkeypatch.setattr(DailyFileStore, "write", meanwhile)
    paper.writes()
    assert paper.ids() == {of("complaints", "2026-03-01"): {"a"}} and paper.state().waiting == 1
    assert paper.state().required_us is not None  # by what came after the run began
    paper.writes()
    assert paper.ids() == {of("complaints", "2026-03-01"): {"a", "b"}} and paper.state().waiting == 0
    assert paper.state().required_us is None


def test_a_file_that_another_worker_wrote_meanwhile_is_written_again(paper: Filed) -> None:
    told(paper, complaint("a"))
    paper.turns_on()
    with paper.engine.connect() as connection:
        (read,) = days.changed_days(connection, paper.id)
    paper.writes()  # the other one
    with write(paper.engine) as connection:
        days.written(connection, paper.id, read, empty=False)
    assert paper.state().waiting == 1


def test_a_store_that_fails_is_said_and_tried_again_and_old_files_stay(paper: Filed) -> None:
    told(paper, complaint("a"))
    paper.turns_on()
    paper.writes()
    told(paper, complaint("b", 1, reporter="s"))
    folder = paper.place / "paper" / "complaints"
    hidden = folder.rename(folder.with_name("elsewhere"))
    folder.write_text("no folder")
    paper.writes()
    assert "complaints" in str(paper.state().last_error) and paper.state().waiting == 1
    folder.unlink()
    hidden.rename(folder)
    assert paper.ids() == {of("complaints", "2026-03-01"): {"a"}}
    paper.writes()
    assert paper.state().last_error is None and paper.ids() == {of("complaints", "2026-03-01"): {"a", "b"}}
    assert not list(paper.place.rglob(".writing-*"))


def test_an_audit_of_the_files_is_the_audit_of_what_was_posted(paper: Filed, tmp_path: Path) -> None:
    world = draw_world(5, 3_000)
    paper.posts(documents_of(world), batch=2_000, at_once=10)
    paper.turns_on()
    paper.writes()
    posted = []
    for name, found in (("complaints", world.complaints), ("outcomes", world.outcomes)):
        posted.append(tmp_path / f"{name}.ndjson")
        posted[-1].write_text("".join(json.dumps(document) + "\n" for document in found))
    complaints, outcomes = (sorted((paper.place / "paper" / noun).rglob("*.parquet")) for noun in PATHS)
    assert len(complaints) >= 28
    one = audit(posted[0], outcomes=posted[1], step_days=7)
    files = audit(complaints, outcomes=outcomes, step_days=7)
    folder = paper.place / "paper"
    folders = audit(folder / "complaints", outcomes=folder / "outcomes", step_days=7)
    assert one.clusters.num_rows > 0
    for table in ("clusters", "members", "targets"):
        assert getattr(one, table).equals(getattr(files, table)), table
        assert getattr(one, table).equals(getattr(folders, table)), table


def test_every_field_of_a_complaint_and_an_outcome_has_a_column() -> None:
    """A field that is added to the model must not be missing in the files."""

    def leaves(model: Any, before: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
        found: set[tuple[str, ...]] = set()
        for name, field in model.model_fields.items():
            nested = field.annotation if hasattr(field.annotation, "model_fields") else None
            found |= leaves(nested, (*before, name)) if nested else {(*before, name)}
        return found

    assert {path for path, _ in PATHS["complaints"].values()} | {("target", "attributes")} == leaves(Complaint)
    assert {path for path, _ in PATHS["outcomes"].values()} == leaves(Outcome)


def test_attributes_are_columns_of_the_kind_that_all_their_values_have() -> None:
    rows = [
        {"id": str(k), "occurred_at": "2026-03-01T00:00:00Z", "reporter": {"id": "r"},
         "target": {"id": "t", "attributes": attributes}}
        for k, attributes in enumerate(
            [{"reply": True, "score": 1, "odd": "x", "large": 2**70}, {"score": 1.5, "odd": 3}, {"n": 4}, None]
        )
    ]  # fmt: skip
    schema_ = schema_of("complaints", rows)
    (table,) = tables_of("complaints", rows, schema_)
    kinds = {name: schema_.field(name).type for name in schema_.names if name.startswith("attributes_")}
    assert kinds == {
        "attributes_large": pa.string(),
        "attributes_n": pa.int64(),
        "attributes_odd": pa.string(),
        "attributes_reply": pa.bool_(),
        "attributes_score": pa.float64(),
    }
    assert table["attributes_odd"].to_pylist() == ["x", "3", None, None]
    assert table["attributes_score"].to_pylist() == [1.0, 1.5, None, None]


def test_the_same_in_a_bucket_with_credentials_from_a_file(
    paper: Filed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "credentials").write_text("[default]\naws_access_key_id = a\naws_secret_access_key = b\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    with s3_server() as address:
        place = f"s3://news/below?endpoint_override={address}&scheme=http&region=eu-central-1"
        paper.resources = replace(paper.resources, settings=replace(paper.resources.settings, daily_files=place))
        told(paper, complaint("a"), complaint("b", DAY, reporter="s"))
        paper.turns_on()
        paper.writes()
        assert "news" in str(paper.state().last_error)  # there is no such bucket
        files, _ = fs.FileSystem.from_uri(f"{place}&allow_bucket_creation=true")
        files.create_dir("news")
        paper.writes()

        def found() -> dict[str, list[str]]:
            below = files.get_file_info(fs.FileSelector("news/below/paper", recursive=True, allow_not_found=True))
            return {
                one.path: pq.read_table(files.open_input_file(one.path))["id"].to_pylist()
                for one in below
                if one.type == fs.FileType.File
            }

        first, second = (f"news/below/paper/{of('complaints', day)}" for day in ("2026-03-01", "2026-03-02"))
        assert found() == {first: ["a"], second: ["b"]} and paper.state().last_error is None
        told(paper, withdrawal("a"))
        paper.writes()
        assert found() == {second: ["b"]}
        DailyFileStore(place, "paper", tmp_path).remove_all()
        assert found() == {}


@pytest.mark.parametrize("text", ["files", "./files", "http://h/x", "gs://b"])
def test_a_place_that_is_no_folder_and_no_bucket_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="BRIGADEWATCH_DAILY_FILES is .*s3://BUCKET"):
        read_settings(tmp_path, {"BRIGADEWATCH_DAILY_FILES": text})
