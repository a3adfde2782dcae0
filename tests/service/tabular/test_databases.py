"""SQLite databases as programs leave them: open, with a log beside them, copied too early, damaged, in an archive."""

from __future__ import annotations

import gzip
import os
import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from tabular_files import NOW, expected, facts, read, rows

from service.errors import Refused
from service.intake.items import COMPLAINT
from service.tabular import databases
from service.tabular.reading import SourceFile

ROWS = [row | {"id": str(k + 1)} for k, row in enumerate(rows())]
NAMES = list(ROWS[0])
VOTES = [(k, f"user{k % 5}", k % 9) for k in range(50)]


def fill(database: sqlite3.Connection, name: str = "reports") -> None:
    columns = ", ".join(f'"{column}" TEXT' for column in NAMES)
    database.execute(f'CREATE TABLE "{name}" ({columns})')
    database.executemany(
        f'INSERT INTO "{name}" VALUES ({", ".join("?" * len(NAMES))})', [tuple(r.values()) for r in ROWS]
    )
    database.execute("CREATE TABLE votes (id INTEGER PRIMARY KEY, voter TEXT, post_id INTEGER)")
    database.executemany("INSERT INTO votes VALUES (?, ?, ?)", VOTES)
    database.execute("CREATE TABLE alembic_version (version_num TEXT)")
    database.execute("INSERT INTO alembic_version VALUES ('1')")
    database.commit()


def items_of(path: Path) -> list[Any]:
    items, refused, _ = read(path)
    assert not refused
    return items


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "forum.db"
    with closing(sqlite3.connect(found)) as database:
        fill(database)
    return found


@contextmanager
def in_use(path: Path) -> Iterator[sqlite3.Connection]:
    """A database with a write-ahead log that a program has open: all of its rows are in the log."""
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA journal_mode = wal").fetchone() == ("wal",)
        fill(database)
        yield database


def test_the_table_with_the_reports_is_read(path: Path) -> None:
    items, _, source = read(path)
    assert facts(items) == expected(ROWS)
    assert source.kind == "SQLite database, table 'reports'"
    assert any("only the table 'reports' is read, not 'votes'" in note for note in source.notes)
    assert sorted(p.name for p in path.parent.iterdir()) == [path.name]  # nothing is left beside it


@pytest.mark.parametrize("kind", ["gz", "zip"])
def test_in_an_archive(path: Path, kind: str) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute(
            "PRAGMA journal_mode = wal"
        )  # says so in its first page, and nothing is beside a copy in memory
    packed = path.with_suffix(f".{kind}")
    if kind == "gz":
        packed.write_bytes(gzip.compress(path.read_bytes()))
    else:
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(path, "backup/forum.db")
    assert facts(items_of(packed)) == expected(ROWS)


def test_too_large_to_be_held(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "MOST_COPIED", 4_096)
    packed = path.with_suffix(".gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(Refused, match="unpack it first"):
        read(packed)


def test_what_a_program_has_not_yet_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "live.db"
    with in_use(path):
        assert path.stat().st_size < path.with_name("live.db-wal").stat().st_size
        assert facts(items_of(path)) == expected(ROWS)


def test_copied_without_its_log(tmp_path: Path) -> None:
    path, copied = tmp_path / "live.db", tmp_path / "copied.db"
    with in_use(path) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.execute("DELETE FROM reports WHERE id > '3'")  # stays in the log, and is not copied
        database.commit()
        copied.write_bytes(path.read_bytes())
    items, _, source = read(copied)
    assert facts(items) == expected(ROWS)
    assert any("'copied.db-wal'" in note and "copy that one as well" in note for note in source.notes)


def test_all_of_it_in_a_log_that_was_not_copied(tmp_path: Path) -> None:
    path, copied = tmp_path / "live.db", tmp_path / "copied.db"
    with in_use(path):
        copied.write_bytes(path.read_bytes())
    with pytest.raises(Refused, match="without a table that has rows; its newest rows may stand in a file"):
        read(copied)


def test_one_whose_end_is_missing(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-4_096])
    with pytest.raises(Refused, match="whose end is missing"):
        read(path)


def test_a_damaged_one(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for at in range(4_096, len(content), 4_096):
        content[at : at + 100] = b"\xff" * 100
    path.write_bytes(content)
    with pytest.raises(Refused, match="cannot be read"):
        read(path)


def test_no_database_behind_its_first_words(tmp_path: Path) -> None:
    path = tmp_path / "forum.db"
    path.write_bytes(b"SQLite format 3\0" + os.urandom(2_000))
    with pytest.raises(Refused, match="cannot be read|whose end is missing"):
        read(path)


def test_views_and_virtual_tables_are_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        endless = "WITH RECURSIVE n(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n) SELECT k AS reporter_id FROM n"
        database.execute(f"CREATE VIEW flags AS {endless}")
        database.execute("CREATE VIRTUAL TABLE found USING fts5(reporter_id, post_id, created_at)")
        database.execute("INSERT INTO found VALUES ('a', 'b', 'c')")
        database.commit()
    assert facts(items_of(path)) == expected(ROWS)


def test_a_row_without_measure_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "LONGEST_VALUE", 100_000)
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE reports SET reason = ? WHERE id = '7'", ("x" * 200_000,))
        database.commit()
    with pytest.raises(Refused, match="too big"):
        read(path)


def test_work_without_end_is_ended(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "_STEPS", 10)
    monkeypatch.setattr(databases, "_MOST_CALLS", 20)
    with pytest.raises(Refused, match="interrupted"):
        read(path)


def test_names_with_quotes_and_ids_in_bytes(tmp_path: Path) -> None:
    path = tmp_path / "quoted.db"
    ids = [bytes([k, 255, 3, 128]) for k in range(11)]
    with closing(sqlite3.connect(path)) as database:
        database.execute(
            'CREATE TABLE "re""ports" (id INTEGER PRIMARY KEY, "reporter id" TEXT, post_id BLOB, created_at TEXT)'
        )
        for k, row in enumerate(ROWS):
            values = (k, row["reporter"], ids[k % 11], row["created_at"])
            database.execute('INSERT INTO "re""ports" VALUES (?, ?, ?, ?)', values)
        database.commit()
    items = items_of(path)
    assert {item.target.id for item in items} == {one.hex() for one in ids}
    assert len(items) == len(ROWS)


def test_progress_is_the_size_of_the_file(path: Path) -> None:
    counts: list[int] = []
    list(SourceFile(path, COMPLAINT, NOW, progress=counts.append).items())
    assert path.stat().st_size <= sum(counts) <= path.stat().st_size + 2**18  # its beginning was read ahead
