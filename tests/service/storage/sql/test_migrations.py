"""Every migration, up and down, on a database that has rows in all of its tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from service.errors import Refused
from service.storage.accounts.tenants import create_tenant
from service.storage.sql.engine import (
    HEAD,
    migrate,
    migration_config,
    open_database,
    run_migrations,
    schema_version,
    write,
)
from service.storage.sql.schema.declarations import metadata

VERSIONS = [one.revision for one in ScriptDirectory.from_config(migration_config()).walk_revisions()][::-1]


@pytest.fixture
def empty(make_database: Callable[..., str]) -> Iterator[Engine]:
    engine = open_database(make_database())
    yield engine
    engine.dispose()


def up(engine: Engine, version: str) -> None:
    run_migrations(engine, lambda config: command.upgrade(config, version))


def down(engine: Engine, version: str) -> None:
    run_migrations(engine, lambda config: command.downgrade(config, version))


def tables(connection: Connection) -> list[sa.Table]:
    found = sa.MetaData()
    found.reflect(connection)
    return [table for table in found.sorted_tables if table.name != "alembic_version"]


def numbered(column: sa.Column[Any]) -> bool:
    """Whether the database numbers the rows by itself."""
    return column.name in ("id", "seq") and column is column.table.autoincrement_column


def value(column: sa.Column[Any]) -> Any:
    """Something that fits, at the edges of what is stored: a time of 2100, an id of two alphabets, bytes."""
    if isinstance(column.type, sa.LargeBinary):
        return b"\x00\xff"
    if isinstance(column.type, sa.Boolean):
        return True
    if isinstance(column.type, sa.Float):
        return 0.5
    if isinstance(column.type, sa.String):
        return "{}" if column.type.length is None else "é𝄞-1"[: column.type.length]
    return 4_102_444_800_000_000 if column.name.endswith(("_us", "_key", "position")) or column.name == "row_key" else 1


def fill(engine: Engine) -> None:
    """One row in each table that has none."""
    with write(engine) as connection:
        for table in tables(connection):
            if connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one() == 0:
                connection.execute(
                    sa.insert(table).values(
                        {column.name: value(column) for column in table.columns if not numbered(column)}
                    )
                )


def content(engine: Engine) -> dict[str, list[dict[str, Any]]]:
    with engine.connect() as connection:
        return {
            table.name: [dict(row) for row in connection.execute(sa.select(table)).mappings()]
            for table in tables(connection)
        }


@pytest.mark.parametrize("version", VERSIONS)
def test_a_database_of_every_age_is_brought_up_to_date_with_what_is_in_it(empty: Engine, version: str) -> None:
    up(empty, version)
    fill(empty)
    before = content(empty)
    migrate(empty)
    assert schema_version(empty) == VERSIONS[-1]
    after = content(empty)
    for table, rows in before.items():
        assert [{name: row[name] for name in rows[0]} for row in after[table]] == rows, table
    with empty.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    assert create_tenant(empty, "another", 0) != 1, "numbers go on"


def test_every_migration_goes_down_and_up_again_and_what_both_know_stays(empty: Engine) -> None:
    migrate(empty)
    fill(empty)
    for older, newer in reversed(list(pairwise(VERSIONS))):
        before = content(empty)
        down(empty, older)
        assert schema_version(empty) == older
        between = content(empty)
        assert between.keys() <= before.keys()
        for table, rows in between.items():
            assert [{name: row[name] for name in rows[0]} for row in before[table]] == rows, table
        up(empty, newer)
        fill(empty)
        again = content(empty)
        for table, rows in between.items():
            assert [{name: row[name] for name in rows[0]} for row in again[table]] == rows, table
        down(empty, older)
    down(empty, "base")
    with empty.connect() as connection:
        assert tables(connection) == []
    migrate(empty)
    assert schema_version(empty) == VERSIONS[-1]


def test_an_old_process_refuses_the_schema_of_a_newer_release_and_leaves_it_alone(engine: Engine) -> None:
    with write(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Refused, match=f"9999 of a newer version.*{HEAD} at most"):
        migrate(engine)
    assert schema_version(engine) == "9999"
