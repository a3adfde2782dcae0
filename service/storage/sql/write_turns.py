"""SQLite's one writer at a time: take the lock soon after it is free.

SQLite itself looks again after up to 100 ms. A process that writes one transaction after the other, as ingest does with
a full stream, leaves the lock free for a few milliseconds in between, and the others would hardly ever find it so.
"""

from __future__ import annotations

import sqlite3
import time
from typing import Any

from sqlalchemy import Connection

LOOK_SECONDS = 0.001  # a look costs some 10 µs
_CODE_BITS = 0xFF  # of an extended error code


def begin_writing(connection: Connection, seconds: float) -> None:
    """BEGIN IMMEDIATE within so many seconds. Raises OperationalError."""
    sqlite: Any = connection.connection.dbapi_connection
    sqlite.execute("PRAGMA busy_timeout = 0")
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            sqlite.execute("BEGIN IMMEDIATE")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & _CODE_BITS != sqlite3.SQLITE_BUSY:
                break
        time.sleep(LOOK_SECONDS)
    connection.exec_driver_sql("BEGIN IMMEDIATE")  # fails, in SQLAlchemy's words
