"""Whether the database answers and takes writes: what readiness asks, without changing anything that is stored.

A full or read-only disk lets reads pass, so a look is not enough. SQLite: its lock for writing is taken, a change is
made and taken back, and a small file is written beside it and removed. PostgreSQL: a query is made to spill to a
temporary file, which needs room on the volume of the data but writes neither a row nor the log.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from service.storage.sql.deadlines import Deadline, applying
from service.storage.sql.engine import sqlite_file

SHORT_OF_BYTES = 32 * 1024 * 1024  # about the size of SQLite's log between two checkpoints
PROBE_BYTES = 64 * 1024
CHECK_SECONDS = 5.0  # then the check itself gives up, so that its thread comes back
_LOCK_SECONDS = 0.2
_PROBE_NAME = ".write-probe"
# 20,000 numbers are some 400 KB, more than 64 KB of memory: the rest goes to a file
_SPILL = "SELECT count(*) FROM generate_series(1, 20000)"
_FULL_STATES = ("53100", "53000", "58030", "25006")  # disk full, out of resources, I/O error, read-only transaction
_FULL_WORDS = ("disk is full", "readonly database", "disk I/O error")


def trouble_of_database(engine: Engine) -> str | None:
    """What is wrong with it, for operators; None: it answers and takes writes. Hangs no longer than CHECK_SECONDS,
    unless the operating system does.
    """
    with applying(Deadline(CHECK_SECONDS)):
        try:
            return _sqlite_trouble(engine) if engine.dialect.name == "sqlite" else _postgresql_trouble(engine)
        except SQLAlchemyError as error:
            return refused_write(error) or f"{type(error).__name__}: {error}"


def refused_write(error: BaseException) -> str | None:
    """The reason, if the database refused a write because it is full or read-only; None for any other error."""
    if not isinstance(error, DBAPIError):
        return None
    text = str(error.orig)
    state = getattr(getattr(error.orig, "diag", None), "sqlstate", None)
    if state in _FULL_STATES or (state is None and any(words in text for words in _FULL_WORDS)):
        return f"the database takes no writes: {text[:200]}"
    return None


def _postgresql_trouble(engine: Engine) -> str | None:
    with engine.connect() as connection:
        if connection.exec_driver_sql("SELECT pg_is_in_recovery()").scalar():
            return "the database takes no writes: the server is a standby"
        connection.exec_driver_sql("SET LOCAL work_mem = '64kB'")
        connection.exec_driver_sql(_SPILL)
    return None


def _sqlite_trouble(engine: Engine) -> str | None:
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1 FROM sqlite_master LIMIT 1")
        raw = connection.connection.driver_connection
        assert raw is not None
        connection.rollback()
        raw.execute(f"PRAGMA busy_timeout = {_LOCK_SECONDS * 1000:.0f}")  # the next transaction sets its own
        try:
            raw.execute("BEGIN IMMEDIATE")
            raw.execute("PRAGMA user_version = 0")  # on a file that was opened read-only only this is refused
            raw.execute("ROLLBACK")
        except raw.OperationalError as error:
            if "locked" not in str(error):  # somebody writes: so it can be written to
                return f"the database takes no writes: {error}"
    file = sqlite_file(engine.url)
    return None if file is None else trouble_of_folder(file.parent)


def trouble_of_folder(folder: Path) -> str | None:
    """Why little or nothing can be written there; None: there is room."""
    try:
        there = os.statvfs(folder)
        left = there.f_bavail * there.f_frsize
        if left < SHORT_OF_BYTES:
            return (
                f"only {left / 1e6:.1f} MB are left on the disk of the database, less than {SHORT_OF_BYTES / 1e6:.0f}"
                " MB: make room"
            )
        _write_probe(folder / f"{_PROBE_NAME}-{os.getpid()}")
    except OSError as error:
        return f"nothing can be written where the database lies: {error.strerror or error}"
    return None


def _write_probe(file: Path) -> None:
    try:
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb", buffering=0) as probe:
            probe.write(bytes(PROBE_BYTES))
    finally:
        with suppress(OSError):
            file.unlink()
