"""SQL access: one engine per process, one way to write, bulk inserts at the driver's speed.

SQLite by default (write-ahead log, synchronous FULL: a commit survives SIGKILL and power loss); PostgreSQL
(service/storage/sql/postgresql.py). Reads: `with engine.connect() as connection`; writes: `with write(engine)`.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from math import inf
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Connection, Engine, ExceptionContext, Table, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError

from service import wall_clock
from service.errors import Refused
from service.storage.sql import deadlines
from service.storage.sql.deadlines import Deadline, DeadlinePassed
from service.storage.sql.postgresql import WRITES, copy_rows, open_postgresql
from service.storage.sql.private_files import create_private
from service.storage.sql.write_turns import begin_writing

HEAD = "0018"  # the newest migration; a test compares it with the files in migrations/versions
BUSY_SECONDS = 30
_AT_THE_END = "brigadewatch: at the end"  # in Connection.info: what `before_commit` was given
MIGRATION_LOCK = 0x6272_6967  # key of PostgreSQL's advisory lock
KEYS_PER_SELECT = 400
LEAST_TO_COPY, LEAST_TO_COPY_BESIDE = 100, 1_000  # rows; with fewer, the surrounding statements cost more
# options of a writing connection
_WRITES: dict[str, dict[str, Any]] = {"sqlite": {"writes": True}, "postgresql": {"writes": True, **WRITES}}

_PRAGMAS = (
    f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA cache_size = -65536",
    "PRAGMA wal_autocheckpoint = 8000",
    "PRAGMA temp_store = MEMORY",
)


def open_database(url: str, answer_seconds: float | None = None) -> Engine:
    """An engine for the SQLAlchemy URL. Creates SQLite's folder, but no tables (see `migrate`); connects lazily.

    `answer_seconds` bounds the wait for the database in a process that answers people: for a statement of PostgreSQL,
    for SQLite's lock. None: as long as workers may. A caller's deadline (deadlines.py) holds beside it.

    Raises Refused for a database other than SQLite and PostgreSQL. Its error messages, which end up in logs, contain no
    values, since these are people's ids and texts.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return open_postgresql(parsed, answer_seconds)
    file = sqlite_file(url)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    engine = create_engine(
        parsed, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False}, hide_parameters=True
    )
    if file is not None:
        # Before SQLite makes it: another process that opened it in that moment could keep reading it.
        event.listen(engine, "do_connect", lambda *_: create_private(file))
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "handle_error", _leave_read_only)
    patience = BUSY_SECONDS if answer_seconds is None else min(BUSY_SECONDS, answer_seconds)
    event.listen(engine, "begin", lambda connection: _begin_sqlite(connection, patience))
    return engine


def sqlite_file(url: str | URL) -> Path | None:
    """The file of a SQLite database; None for any other, and for one in memory."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        return None
    return Path(parsed.database)


def _prepare_sqlite(dbapi_connection: Any, _record: Any) -> None:
    # the driver's own BEGIN comes too late for a consistent snapshot
    dbapi_connection.isolation_level = None
    for pragma in _PRAGMAS:
        dbapi_connection.execute(pragma)


def _leave_read_only(context: ExceptionContext) -> None:
    # SQLite opens a file that it may only read for reading, and for good: not the connections that the pool keeps.
    if "readonly database" in str(context.original_exception):
        context.is_disconnect = True


def _begin_sqlite(connection: Connection, patience_seconds: float) -> None:
    left = min(BUSY_SECONDS, deadlines.left(patience_seconds))
    if left <= 0:
        raise DeadlinePassed("BEGIN")
    writes = bool(connection.get_execution_options().get("writes"))
    if writes:  # takes its lock first: a transaction that read before it writes could not wait for the lock
        begin_writing(connection, left)
    connection.exec_driver_sql(f"PRAGMA busy_timeout = {max(1, round(left * 1000))}")
    if not writes:
        connection.exec_driver_sql("BEGIN")


@contextmanager
def write(engine: Engine) -> Iterator[Connection]:
    """One writing transaction: committed at the end of the block, rolled back when it raises.

    On SQLite there is one writer at a time; on PostgreSQL there are many, and each has to lock the rows that it decides
    by (`with_for_update`, `lock_tenant`). A wait of more than 30 s, or beyond the caller's deadline, raises
    OperationalError: OutcomeUnknown if the commit was sent and never confirmed; otherwise nothing was changed.
    """
    with engine.connect() as connection:
        connection = connection.execution_options(**_WRITES[engine.dialect.name])
        with connection.begin() as transaction:
            info = connection.info  # looked up once: a connection that was given up would be asked to reconnect
            actions: list[Callable[[Connection], None]] = []
            info[_AT_THE_END] = actions
            try:
                yield connection
                for action in actions:
                    action(connection)
            finally:
                info.pop(_AT_THE_END, None)
            with deadlines.commit_watched():
                transaction.commit()


def before_commit(connection: Connection, action: Callable[[Connection], None]) -> None:
    """Have `action` done at the end of the block of `write`, just before it is committed: for rows that many
    transactions write, so that each of them locks these last. Outside of `write` it is done at once.
    """
    actions = connection.info.get(_AT_THE_END)
    if actions is None:
        action(connection)
    else:
        actions.append(action)


def lock_tenant(connection: Connection, tenant_id: int) -> None:
    """Serialise people's changes to a tenant: nobody else passes this line until the transaction ends.

    Needed wherever a decision depends on what was read: a count, the last admin, the previous values. Call it first in
    the transaction, to avoid deadlocks. SQLite has a single writer anyway; on PostgreSQL it locks the tenant's row in a
    mode that blocks neither readers nor foreign keys.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT id FROM tenants WHERE id = :id FOR NO KEY UPDATE"), {"id": tenant_id})


def database_now_us(connection: Connection) -> int:
    """The database's clock, microseconds since 1970, so that several hosts agree; on SQLite the host's."""
    server = server_now_us(connection)
    return wall_clock.now_us() if server is None else server


def server_now_us(connection: Connection) -> int | None:
    """The database server's wall clock, microseconds since 1970; None on SQLite, which has its host's."""
    if connection.dialect.name == "sqlite":
        return None
    return int(connection.scalar(text("SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::bigint")))


def migrate(engine: Engine) -> None:
    """Bring the schema to the newest version.

    Simultaneous calls wait for each other; with a current schema it costs one query. Raises Refused for a schema of a
    newer version: an old process that is started during an upgrade neither works on it nor takes it back.
    """
    with deadlines.applying(Deadline(inf, alone=True)):
        _migrate(engine)


def _migrate(engine: Engine) -> None:
    found = schema_version(engine)
    if found == HEAD:
        return
    if found is not None and found > HEAD:  # numbered: a test compares HEAD with the files
        raise Refused(
            f"the database has the schema {found} of a newer version; this version knows {HEAD} at most: start the"
            " newer version, or restore the backup that was taken before the upgrade"
        )
    if engine.dialect.name == "sqlite":
        path = sqlite_file(engine.url)
        if path is None:
            _upgrade(engine)
            return
        create_private(Path(f"{path}.migrating"))
        with open(f"{path}.migrating", "a") as lock:  # released with the file, also by SIGKILL
            fcntl.flock(lock, fcntl.LOCK_EX)
            _set_write_ahead_log(engine)
            _upgrade(engine)
    else:
        with engine.connect() as connection, connection.begin():
            connection.execute(
                text(
                    "SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0; SET LOCAL"
                    " idle_in_transaction_session_timeout = 0"
                )
            )
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
            _upgrade(engine)


def schema_version(engine: Engine) -> str | None:
    """The database's current migration; None for an empty database."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        version: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return version


def migration_config() -> Config:
    """Alembic's configuration, without a file: the migrations lie inside the distribution."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    return config


def run_migrations(engine: Engine, step: Callable[[Config], None]) -> None:
    """A command of Alembic's (`command.upgrade(config, ...)`) in one writing transaction.

    Raises IntegrityError if it leaves dangling references.
    """
    config = migration_config()
    with _without_references(engine) as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL statement_timeout = 0"))
        config.attributes["connection"] = connection
        step(config)
        if (
            engine.dialect.name == "sqlite"
            and connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None
        ):
            raise IntegrityError(
                "PRAGMA foreign_key_check",
                None,
                ValueError("a migration left dangling references; nothing was changed"),
            )


@contextmanager
def _without_references(engine: Engine) -> Iterator[Connection]:
    # SQLite alters a table by rewriting it, and rows that refer to it must not raise errors while it is dropped. This
    # can only be configured outside a transaction.
    with engine.connect() as connection:
        raw = connection.connection.driver_connection if engine.dialect.name == "sqlite" else None
        if raw is not None:
            raw.execute("PRAGMA foreign_keys = OFF")
        try:
            yield connection.execution_options(**_WRITES[engine.dialect.name])
        finally:
            if raw is not None:
                raw.execute("PRAGMA foreign_keys = ON")


def _upgrade(engine: Engine) -> None:
    run_migrations(engine, lambda config: command.upgrade(config, "head"))


def _set_write_ahead_log(engine: Engine) -> None:
    # Persistent in the file, and needs exclusive access: hence here, under the lock, and not at each connect.
    raw = engine.raw_connection()
    try:
        raw.cursor().execute("PRAGMA journal_mode = WAL")
    finally:
        raw.close()


@lru_cache(maxsize=64)
def _insert_statement(table: Table, columns: tuple[str, ...], on_conflict: str, parameter: str) -> str:
    names = ", ".join(f'"{name}"' for name in columns)
    return (
        f'INSERT INTO "{table.name}" ({names}) VALUES ({", ".join([parameter] * len(columns))}) {on_conflict}'.strip()
    )


def insert_rows(
    connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]], on_conflict: str = ""
) -> None:
    """Insert tuples in the order of `columns`: on SQLite with the driver's executemany (15-27 µs a row; through the ORM
    140), on PostgreSQL by COPY where they are many.

    `on_conflict` is SQL behind VALUES that both databases know, like "ON CONFLICT DO NOTHING"; with it, no two of the
    rows may conflict with each other.
    """
    if (
        len(rows) >= (LEAST_TO_COPY_BESIDE if on_conflict else LEAST_TO_COPY)
        and connection.dialect.name == "postgresql"
    ):
        copy_rows(connection, table.name, columns, rows, on_conflict)
    elif rows:
        connection.exec_driver_sql(
            _insert_statement(table, tuple(columns), on_conflict, placeholder(connection)), list(rows)
        )


def run_for_each(connection: Connection, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Execute an UPDATE or DELETE once for each tuple; `?` stands for the values, for every driver."""
    if rows:
        connection.exec_driver_sql(statement.replace("?", placeholder(connection)), list(rows))


def select_by_keys(
    connection: Connection, statement: str, before: tuple[Any, ...], keys: Sequence[tuple[Any, ...]]
) -> list[Any]:
    """Rows of a SELECT that joins a list of keys.

    `statement` begins behind the list's definition and names it `k`, with columns column1, column2, ...; `?` in it
    take the values of `before`. The rows of all slices come back in one list.
    """
    if not keys:
        return []
    width = len(keys[0])
    columns = ", ".join(f"column{number + 1}" for number in range(width))
    if connection.dialect.name == "postgresql":
        arrays = ", ".join(f"%s::{'bigint' if isinstance(value, int) else 'text'}[]" for value in keys[0])
        result = connection.exec_driver_sql(
            f"WITH k({columns}) AS (SELECT * FROM unnest({arrays})) {statement.replace('?', '%s')}",
            (*(list(column) for column in zip(*keys, strict=True)), *before),
        )
        rows = list(result.cursor.fetchall())
        result.close()
        return rows
    # In slices of one size, so that the driver prepares it once.
    one = placeholder(connection)
    row = f"({', '.join([one] * width)})"
    sql = f"WITH k({columns}) AS (VALUES {', '.join([row] * KEYS_PER_SELECT)}) {statement.replace('?', one)}"
    found: list[Any] = []
    for start in range(0, len(keys), KEYS_PER_SELECT):
        part = list(keys[start : start + KEYS_PER_SELECT])
        if len(part) < KEYS_PER_SELECT:
            part += [(None,) * width] * (KEYS_PER_SELECT - len(part))  # NULL never joins
        parameters = tuple(value for key in part for value in key) + before
        result = connection.exec_driver_sql(sql, parameters)
        found.extend(result.cursor.fetchall())  # the driver's own tuples: no wrapping of 10^5 rows
        result.close()
    return found


def placeholder(connection: Connection) -> str:
    """The driver's placeholder of a parameter by position."""
    return "?" if connection.dialect.paramstyle == "qmark" else "%s"
