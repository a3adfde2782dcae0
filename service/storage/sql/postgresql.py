"""PostgreSQL: connections, and errors without the values of rows.

Readers (`engine.connect()`) get one view for the length of their transaction and may write nothing: REPEATABLE READ,
READ ONLY. Writers (`write(engine)`) are READ COMMITTED and lock what they decide by: docs/decisions/050-postgresql.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import URL, Connection, Engine, ExceptionContext, create_engine, event

from service.errors import Refused

POOL_SIZE, POOL_OVERFLOW = 5, 10  # connections of one process: kept, and opened beyond that while they are needed
LOCK_SECONDS = 30  # that a writer waits for another, as on SQLite
STATEMENT_SECONDS = 300  # none of ours comes near it; a migration is exempt
IDLE_SECONDS = 300  # inside a transaction: a process that is stopped there blocks others
GIVEN_UP_SECONDS = STATEMENT_SECONDS + 30  # without an answer, also where the server should have ended the statement
_COPY = "COPY"
READS = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
WRITES = {"isolation_level": "READ COMMITTED", "postgresql_readonly": False}

# A server or a network that is gone is noticed within 30 s, not after the hours that TCP allows.
_CONNECT: dict[str, str | int] = {
    "connect_timeout": 10,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    "application_name": "brigadewatch",
    "client_encoding": "utf8",  # also where the database was made without one: its text would come as bytes
}
_NAMES = ("postgresql", "postgres", "postgresql+psycopg")


def open_postgresql(url: URL, answer_seconds: float | None = None) -> Engine:
    """An engine for a URL as operators type it: postgresql://user:password@host:port/name?sslmode=verify-full; connects
    lazily.

    `answer_seconds` is how long a statement may take, for processes that answer people (None: as long as workers may).
    It holds in the server, which ends the statement, and here, should the server hang. What the URL says itself
    (?connect_timeout=, ?options=, ...) wins. Raises Refused when the driver is not installed, or for another one.
    """
    if url.drivername not in _NAMES:
        raise Refused(
            f"DATABASE_URL begins with {url.drivername}://; it must begin with postgresql:// (the driver is"
            " psycopg), or with sqlite:///"
        )
    try:
        from service.storage.sql import timed_connection

        engine = create_engine(
            url.set(drivername="postgresql+psycopg"),
            connect_args={
                name: value
                for name, value in {**_CONNECT, "options": _options(answer_seconds)}.items()
                if name not in url.query
            },
            pool_pre_ping=True,
            pool_timeout=LOCK_SECONDS if answer_seconds is None else answer_seconds / 2,
            pool_size=POOL_SIZE,
            max_overflow=POOL_OVERFLOW,
            hide_parameters=True,
            execution_options=READS,
        )
    except ModuleNotFoundError as missing:
        raise Refused(
            f"DATABASE_URL names PostgreSQL, but {missing.name} is not installed: pip install"
            " 'brigadewatch[postgresql]'"
        ) from missing
    longest = GIVEN_UP_SECONDS if answer_seconds is None else answer_seconds
    event.listen(
        engine,
        "do_connect",
        lambda _dialect, _record, arguments, parameters: timed_connection.connect(longest, arguments, parameters),
    )
    event.listen(engine, "do_executemany", _copy)
    event.listen(engine, "handle_error", _leave_values_out)
    event.listen(engine, "before_cursor_execute", _replace_nul, retval=True)
    return engine


def _options(answer_seconds: float | None) -> str:
    """The options of each session."""
    longest = STATEMENT_SECONDS if answer_seconds is None else answer_seconds
    settings = {
        "lock_timeout": round(min(LOCK_SECONDS, longest) * 1000),
        "statement_timeout": round(longest * 1000),
        "idle_in_transaction_session_timeout": IDLE_SECONDS * 1000,
        "jit": "off",  # compiling costs more than our statements run
        # A plan that is kept may be one for empty tables: the first import into a new database then reads all that it
        # has archived for every batch, until the tables are analysed.
        "plan_cache_mode": "force_custom_plan",
    }
    return " ".join(f"-c {name}={value}" for name, value in settings.items())


def copy_rows(
    connection: Connection, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]], on_conflict: str
) -> None:
    """Insert tuples by COPY: three times as fast as executemany, at an eighth of our own CPU (bench/bulk_insert.py).

    With `on_conflict` by way of a temporary table; no two of the rows may then be in conflict with each other.
    """
    names = ", ".join(f'"{name}"' for name in columns)
    if not on_conflict:
        connection.exec_driver_sql(f'{_COPY} "{table}" ({names}) FROM STDIN', list(rows))
        return
    beside = f'"beside_{table}"'
    connection.exec_driver_sql(
        f'CREATE TEMPORARY TABLE {beside} ON COMMIT DROP AS SELECT {names} FROM "{table}" WITH NO DATA'
    )
    connection.exec_driver_sql(f"{_COPY} {beside} ({names}) FROM STDIN", list(rows))
    connection.exec_driver_sql(f'INSERT INTO "{table}" ({names}) SELECT {names} FROM {beside} {on_conflict}')
    connection.exec_driver_sql(f"DROP TABLE {beside}")


def _copy(cursor: Any, statement: str, parameters: Any, _context: Any) -> bool:
    # Inside what SQLAlchemy takes for an executemany, so that its errors are those of every other statement.
    if not statement.startswith(_COPY):
        return False
    with cursor.copy(statement) as stream:
        for row in parameters:
            stream.write_row(row)
    return True


def _leave_values_out(context: ExceptionContext) -> None:
    # The server's DETAIL names the values that collided, and the message itself those that it could not read: people's
    # ids, and what they wrote.
    original: Any = context.original_exception
    diagnosis = getattr(original, "diag", None)
    if diagnosis is None or diagnosis.sqlstate is None:
        return
    message = (
        f"{diagnosis.sqlstate} {'' if diagnosis.sqlstate.startswith('22') else diagnosis.message_primary or ''}".strip()
    )
    original.args = (message,)
    if context.sqlalchemy_exception is not None:
        context.sqlalchemy_exception.args = (f"({type(original).__name__}) {message}",)


def _replace_nul(
    _connection: Connection, _cursor: Any, statement: str, parameters: Any, _context: Any, executemany: bool
) -> tuple[str, Any]:
    # PostgreSQL's text holds no NUL, and the driver refuses a question with one. Nothing that we store has any, so such
    # a question finds nothing.
    if executemany:
        return statement, parameters
    if isinstance(parameters, dict):
        if any(isinstance(value, str) and "\0" in value for value in parameters.values()):
            return statement, {name: _without_nul(value) for name, value in parameters.items()}
    elif any(isinstance(value, str) and "\0" in value for value in parameters):
        return statement, tuple(_without_nul(value) for value in parameters)
    return statement, parameters


def _without_nul(value: Any) -> Any:
    return value.replace("\0", "\N{REPLACEMENT CHARACTER}") if isinstance(value, str) else value
