"""Rewrite files that still hold deleted data: the database's free pages and its log, Redis' append-only file."""

from __future__ import annotations

import time
from typing import Any

from redis import Redis
from redis.exceptions import RedisError, ResponseError
from sqlalchemy import Engine

from service.errors import StoreUnavailable

REWRITE_SECONDS = 120.0  # how long Redis may take for its file
_LOOK_SECONDS = 0.05


def rewrite_database(engine: Engine) -> str:
    """Remove deleted data from the database's files; returns a short description of what was done.

    SQLite: VACUUM, then the write-ahead log is emptied. Writers wait meanwhile (about a second for each 200 MB). Raises
    StoreUnavailable while a reader keeps the log from being emptied. PostgreSQL: VACUUM of every table, which lets the
    space be used again but does not overwrite it: see docs/privacy.md.
    """
    if engine.dialect.name != "sqlite":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("SET statement_timeout = 0")  # of a large archive it takes as long as it takes
            try:
                connection.exec_driver_sql("VACUUM")
            finally:
                connection.exec_driver_sql("RESET statement_timeout")
        return "vacuumed"
    raw = engine.raw_connection()
    try:
        cursor = raw.cursor()
        cursor.execute("PRAGMA temp_store = FILE")  # the copy is as large as the database: not in memory
        cursor.execute("VACUUM")
        busy = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        cursor.execute("PRAGMA temp_store = MEMORY")
    finally:
        raw.close()
    if busy:
        raise StoreUnavailable("a reader kept the database's log from being emptied; trying again")
    return "vacuumed, log emptied"


def rewrite_redis(client: Redis) -> str:
    """Have Redis rewrite its files without what it no longer holds; returns in a few words what was done.

    Raises StoreUnavailable when that fails or takes too long. A server that does not let us (many that are rented do
    not) is not an error: the answer says so, and what its operator does with old files is beyond our reach.
    """
    try:
        info: Any = client.info("persistence")
        done = []
        if int(info.get("aof_enabled", 0)):
            _when_free(client, "aof_rewrite_in_progress")
            client.bgrewriteaof()
            info = _when_free(client, "aof_rewrite_in_progress", "aof_rewrite_scheduled")
            if info.get("aof_last_bgrewrite_status") != "ok":
                raise StoreUnavailable(
                    f"Redis could not rewrite its append-only file: {info.get('aof_last_bgrewrite_status')}"
                )
            done.append("append-only file rewritten")
        if _snapshots(client):
            _when_free(client, "rdb_bgsave_in_progress")
            client.bgsave()
            _when_free(client, "rdb_bgsave_in_progress")
            done.append("snapshot rewritten")
    except ResponseError as error:
        return f"not rewritten, the server refuses: {error}"
    except RedisError as error:
        raise StoreUnavailable(f"Redis does not answer: {error}") from error
    return ", ".join(done) or "keeps no files"


def _snapshots(client: Redis) -> bool:
    try:
        found: Any = client.config_get("save")
    except ResponseError:
        return False
    return bool(found.get("save", "").strip())


def _when_free(client: Redis, *names: str) -> Any:
    deadline = time.monotonic() + REWRITE_SECONDS
    while True:
        info: Any = client.info("persistence")
        if not any(int(info.get(name, 0)) for name in names):
            return info
        if time.monotonic() > deadline:
            raise StoreUnavailable(
                f"Redis has been rewriting its files for more than {REWRITE_SECONDS:.0f} s; trying again later"
            )
        time.sleep(_LOOK_SECONDS)
