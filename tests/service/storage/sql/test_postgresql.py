"""PostgreSQL alone: its address, a server that is killed, what readers and writers may do, and what its errors keep to
themselves.
"""

from __future__ import annotations

import pytest
from postgres_server import PostgresServer
from sqlalchemy import Engine, insert, select, text
from sqlalchemy.exc import DataError, IntegrityError, InternalError, OperationalError

from service.errors import Refused
from service.storage.sql.engine import insert_rows, migrate, open_database, write
from service.storage.sql.schema import complaints, targets, tenants
from service.storage.sql.schema.declarations import metadata

here = pytest.mark.only_on("postgresql", "needs a server")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p%40ss@db.example:5433/b?sslmode=require",
        "postgres://u:p%40ss@db.example:5433/b?sslmode=require",
    ],
)
def test_an_address_is_taken_as_operators_type_it(url: str) -> None:
    engine = open_database(url)
    [], given = engine.dialect.create_connect_args(engine.url)
    assert (
        given.items()
        >= {
            "user": "u",
            "password": "p@ss",
            "host": "db.example",
            "port": 5433,
            "dbname": "b",
            "sslmode": "require",
        }.items()
    )
    assert "p%40ss" not in repr(engine.url)
    engine.dispose()


@pytest.mark.parametrize("url", ["postgresql+asyncpg://u@h/b", "mysql://u@h/b"])
def test_another_database_or_driver_is_refused_by_name(url: str) -> None:
    with pytest.raises(Refused, match=url.split(":", 1)[0].replace("+", r"\+")):
        open_database(url)


@here
def test_what_the_address_says_itself_wins(settings: object, engine: Engine) -> None:
    with engine.connect() as connection:
        assert connection.scalar(text("SHOW lock_timeout")) == "30s"
        assert connection.scalar(text("SHOW plan_cache_mode")) == "force_custom_plan"
    told = open_database(
        f"{engine.url.render_as_string(hide_password=False)}?options=-c%20lock_timeout%3D5s&application_name=mine"
    )
    with told.connect() as connection:
        assert connection.scalar(text("SHOW lock_timeout")) == "5s"
        assert connection.scalar(text("SHOW application_name")) == "mine"
    told.dispose()


@here
def test_a_database_that_was_made_without_an_encoding_holds_text_all_the_same(engine: Engine) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT", postgresql_readonly=False) as connection:
        connection.exec_driver_sql(
            "CREATE DATABASE brigadewatch_without_encoding TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'"
        )
        try:
            plain = open_database(
                engine.url.set(database="brigadewatch_without_encoding").render_as_string(hide_password=False)
            )
            migrate(plain)
            with write(plain) as writer:
                writer.execute(insert(tenants).values(name="größe", created_us=0))
            with plain.connect() as reader:
                assert reader.scalar(select(tenants.c.name)) == "größe"
            plain.dispose()
        finally:
            connection.exec_driver_sql("DROP DATABASE brigadewatch_without_encoding WITH (FORCE)")


@here
def test_readers_have_one_view_and_write_nothing(engine: Engine) -> None:
    with engine.connect() as reader:
        assert reader.scalar(select(tenants.c.id)) is None
        with write(engine) as connection:
            connection.execute(insert(tenants).values(name="a", created_us=0))
        assert reader.scalar(select(tenants.c.id)) is None
        with pytest.raises(InternalError, match="read-only"):
            reader.execute(insert(tenants).values(name="b", created_us=0))
    with write(engine) as connection:
        assert connection.scalar(text("SHOW transaction_isolation")) == "read committed"


@here
def test_a_question_with_a_nul_finds_nothing_and_a_value_that_does_not_fit_is_not_shown(engine: Engine) -> None:
    with engine.connect() as connection:
        assert connection.execute(select(tenants).where(tenants.c.name == "a\0b")).all() == []
        assert connection.exec_driver_sql("SELECT id FROM tenants WHERE name = %s", ("a\0b",)).all() == []
    with pytest.raises(DataError) as wrong, engine.connect() as connection:
        connection.exec_driver_sql("SELECT %s::text::integer", ("r-77",))
    assert "22P02" in str(wrong.value) and "r-77" not in f"{wrong.value} {wrong.value.orig}"


@here
def test_ids_are_ordered_by_their_bytes_whatever_the_server_s_language(engine: Engine) -> None:
    with engine.connect() as connection:
        others = connection.execute(
            text(
                "SELECT table_name, column_name, collation_name FROM information_schema.columns WHERE table_schema ="
                " 'public' AND data_type IN ('text', 'character varying') AND table_name <> 'alembic_version' AND"
                " collation_name IS DISTINCT FROM 'C'"
            )
        ).all()
    assert others == [] and len(metadata.tables) > 30


@here
def test_many_rows_are_copied_with_conflicts_settled_and_errors_like_any_other(engine: Engine) -> None:
    columns = ("tenant_id", "target_key", "complaints")
    with write(engine) as connection:
        insert_rows(connection, targets, columns, [(1, key, 1) for key in range(500)])
        insert_rows(
            connection,
            targets,
            columns,
            [(1, key, 2) for key in range(400, 1_700)],
            "ON CONFLICT (tenant_id, target_key) DO UPDATE SET complaints = targets.complaints + excluded.complaints",
        )
        insert_rows(connection, targets, columns, [(1, key, 9) for key in range(1_800)], "ON CONFLICT DO NOTHING")
        found = [
            row.complaints for row in connection.execute(select(targets.c.complaints).order_by(targets.c.target_key))
        ]
    assert found == [1] * 400 + [3] * 100 + [2] * 1_200 + [9] * 100
    texts = [
        (number, 1, f"c{number}", 1, 1, 1, 1, 0, number % 2 == 0, "tab\t \\N é𝄞 \r\n", "t", "{}", None)
        for number in range(200)
    ]
    with write(engine) as connection:
        insert_rows(connection, complaints, tuple(column.name for column in complaints.columns), texts)
        assert {tuple(row) for row in connection.execute(select(complaints.c.reporter_id, complaints.c.late))} == {
            ("tab\t \\N é𝄞 \r\n", True),
            ("tab\t \\N é𝄞 \r\n", False),
        }
    with pytest.raises(IntegrityError) as twice, write(engine) as connection:
        insert_rows(connection, targets, columns, [(1, 7_000 + key % 199, 1) for key in range(200)])
    assert "23505" in str(twice.value) and "7000" not in f"{twice.value}"


@here
def test_a_server_that_was_killed_is_asked_again_as_soon_as_it_is_back() -> None:
    server = PostgresServer(settings=())  # it syncs, as an operator's does
    try:
        engine = open_database(server.address("postgres"))
        migrate(engine)
        with write(engine) as connection:
            connection.execute(insert(tenants).values(name="kept", created_us=0))
        with pytest.raises(OperationalError), write(engine) as connection:
            connection.execute(insert(tenants).values(name="lost", created_us=0))
            server.kill()
        with pytest.raises(OperationalError), engine.connect() as connection:
            connection.execute(select(tenants))
        server.restart()
        with engine.connect() as connection:
            assert connection.scalars(select(tenants.c.name)).all() == ["kept"]
        engine.dispose()
    finally:
        server.stop()
