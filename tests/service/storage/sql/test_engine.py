"""The database: migrations agree with the schema, writers wait for each other, and who comes first makes it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, insert, select, text
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

from service.storage.sql.engine import (
    HEAD,
    insert_rows,
    migrate,
    migration_config,
    open_database,
    run_for_each,
    schema_version,
    select_by_keys,
    write,
)
from service.storage.sql.schema import targets, tenants
from service.storage.sql.schema.declarations import metadata


def test_the_migrations_make_exactly_the_schema(engine: Engine) -> None:
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_the_newest_migration_is_the_one_that_the_code_expects(engine: Engine) -> None:
    assert ScriptDirectory.from_config(migration_config()).get_current_head() == HEAD
    assert schema_version(engine) == HEAD


def test_the_folder_is_made_and_an_empty_database_has_no_version(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'new' / 'folder' / 'b.sqlite3'}")
    assert schema_version(engine) is None
    migrate(engine)
    assert schema_version(engine) == HEAD
    engine.dispose()


def test_the_text_of_an_error_bears_no_values_since_it_ends_up_in_logs(engine: Engine) -> None:
    with (
        pytest.raises((OperationalError, ProgrammingError), match="no_such_thing") as missing,
        engine.connect() as connection,
    ):
        connection.execute(text("SELECT no_such_thing FROM tenants WHERE name = :name"), {"name": "r-77"})
    with pytest.raises(IntegrityError) as twice, write(engine) as connection:
        insert_rows(connection, tenants, ("id", "name", "created_us"), [(77, "r-77", 0), (77, "r-77", 0)])
    assert "r-77" not in f"{missing.value} {twice.value}"


def test_many_that_migrate_at_once_wait_for_each_other(make_database: Callable[..., str]) -> None:
    url = make_database()
    engines = [open_database(url) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(migrate, engines))
    assert {schema_version(engine) for engine in engines} == {HEAD}
    for engine in engines:
        engine.dispose()


@pytest.mark.only_on("sqlite", "how SQLite's file is set")
def test_commits_are_written_ahead_and_synced(engine: Engine) -> None:
    with engine.connect() as connection:
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
        assert connection.scalar(text("PRAGMA synchronous")) == 2
        assert connection.scalar(text("PRAGMA busy_timeout")) == 30_000


def test_writers_wait_and_readers_see_one_view(engine: Engine) -> None:
    def add(number: int) -> None:
        with write(engine) as connection:
            upsert = (
                "ON CONFLICT (tenant_id, target_key) DO UPDATE SET complaints = targets.complaints +"
                " excluded.complaints"
            )
            insert_rows(connection, targets, ("tenant_id", "target_key", "complaints"), [(1, 5, 1)], upsert)

    with engine.connect() as reader:
        assert reader.execute(select(targets)).all() == []
        with ThreadPoolExecutor(5) as pool:
            list(pool.map(add, range(25)))
        assert reader.execute(select(targets)).all() == []
    with engine.connect() as reader:
        assert reader.scalar(select(targets.c.complaints)) == 25


def test_a_block_that_raises_writes_nothing(engine: Engine) -> None:
    with pytest.raises(RuntimeError), write(engine) as connection:
        connection.execute(insert(tenants).values(name="a", created_us=0))
        raise RuntimeError
    with engine.connect() as connection:
        assert connection.execute(select(tenants)).all() == []


@pytest.mark.only_on("sqlite", "PostgreSQL has many writers; what each locks is tested in test_races.py")
def test_a_writer_holds_the_lock_from_its_first_moment(engine: Engine) -> None:
    inside, seen = threading.Event(), []

    def second() -> None:
        inside.wait(5)
        with write(engine) as connection:
            seen.append(connection.scalar(select(tenants.c.name)))

    thread = threading.Thread(target=second)
    thread.start()
    with write(engine) as connection:
        inside.set()
        assert connection.scalar(select(tenants.c.name)) is None
        connection.execute(insert(tenants).values(name="first", created_us=0))
    thread.join(10)
    assert seen == ["first"]


def test_rows_are_inserted_updated_and_found_by_lists_of_any_length(engine: Engine) -> None:
    rows = [(1, key, key) for key in range(-700, 701)]
    with write(engine) as connection:
        insert_rows(connection, targets, ("tenant_id", "target_key", "complaints"), rows)
        insert_rows(connection, targets, ("tenant_id", "target_key", "complaints"), [])
        run_for_each(connection, "UPDATE targets SET complaints = ? WHERE tenant_id = 1 AND target_key = ?", [(9, 700)])
        found = select_by_keys(
            connection,
            "SELECT t.target_key, t.complaints FROM k CROSS JOIN targets t WHERE t.tenant_id = ? AND t.target_key ="
            " k.column1",
            (1,),
            [(key,) for key in range(-1_000, 1_001)],
        )
        assert dict(found) == {**{key: key for key in range(-700, 700)}, 700: 9}
        assert select_by_keys(connection, "SELECT 1 FROM k", (), []) == []
    with pytest.raises(IntegrityError), write(engine) as connection:
        insert_rows(connection, targets, ("tenant_id", "target_key", "complaints"), [(1, 2, 3), (1, 1, 3)])
