"""A database that is not there for a while."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Engine, create_engine


def take_away(engine: Engine) -> Callable[[], None]:
    """The database is gone; what is returned brings it back."""
    path = engine.url.database
    assert path is not None
    if engine.dialect.name == "postgresql":
        return _refuse_connections(engine)
    engine.dispose()
    file = Path(path)
    hidden = file.with_name("hidden")
    for suffix in ("", "-wal", "-shm"):
        if (there := file.with_name(file.name + suffix)).exists():
            there.rename(hidden.with_name(hidden.name + suffix))
    file.mkdir()  # cannot be opened as a database, whoever tries

    def back() -> None:
        engine.dispose()
        file.rmdir()
        for suffix in ("", "-wal", "-shm"):
            if (there := hidden.with_name(hidden.name + suffix)).exists():
                there.rename(file.with_name(file.name + suffix))

    return back


def _refuse_connections(engine: Engine) -> Callable[[], None]:
    name = engine.url.database
    server = create_engine(engine.url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.exec_driver_sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        connection.exec_driver_sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))

    def back() -> None:
        with server.connect() as connection:
            connection.exec_driver_sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        server.dispose()

    return back
