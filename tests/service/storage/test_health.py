"""Readiness sees a store that answers and takes no writes, and changes nothing that is stored."""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
from conftest import RedisClients
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import OperationalError

from service.ops.collector import StoreCollector
from service.storage.probe import Probe, result_of
from service.storage.redis_store import health as redis_health
from service.storage.redis_store import redis_keys
from service.storage.sql import health
from service.storage.sql.engine import open_database, write
from service.storage.sql.health import trouble_of_database, trouble_of_folder

on_a_file = pytest.mark.only_on("sqlite", "a disk of our own")


def test_a_database_that_works_is_in_no_trouble_and_unchanged(engine: Engine, tmp_path: Path) -> None:
    before = sorted(path.name for path in tmp_path.rglob("*"))
    for _ in range(3):
        assert trouble_of_database(engine) is None
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


@on_a_file
def test_somebody_who_writes_for_long_is_no_trouble(engine: Engine) -> None:
    with write(engine):
        assert trouble_of_database(engine) is None


@on_a_file
def test_a_disk_that_is_nearly_full_or_takes_no_file_is_trouble(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "SHORT_OF_BYTES", 1 << 60)
    assert "MB are left" in (trouble_of_database(engine) or "")
    monkeypatch.setattr(health, "SHORT_OF_BYTES", 0)
    assert trouble_of_folder(tmp_path) is None
    assert "No such file" in (trouble_of_folder(tmp_path / "gone") or "")
    opened = os.open

    def full(path: Any, flags: int, mode: int = 0o777) -> int:
        if health._PROBE_NAME in str(path):
            return opened("/dev/full", os.O_WRONLY)
        return opened(path, flags, mode)

    monkeypatch.setattr(health.os, "open", full)
    assert os.strerror(errno.ENOSPC) in (trouble_of_database(engine) or "")


@on_a_file
def test_a_database_that_was_opened_read_only_is_trouble(engine: Engine) -> None:
    file = engine.url.database
    opened = create_engine(engine.url, creator=lambda: sqlite3.connect(f"file:{file}?mode=ro", uri=True))
    assert "readonly" in (trouble_of_database(opened) or "")
    opened.dispose()


@on_a_file
def test_a_connection_that_was_opened_read_only_is_not_kept(engine: Engine) -> None:
    with engine.connect() as connection:
        raw: Any = connection.connection.driver_connection
        raw.execute("PRAGMA query_only = ON")  # as a file that was opened on a read-only disk
    with pytest.raises(OperationalError, match="readonly"), write(engine) as connection:
        connection.execute(text("DELETE FROM tenants"))
    with write(engine) as connection:  # a new one
        connection.execute(text("DELETE FROM tenants"))


@pytest.mark.only_on("postgresql", "needs a server")
def test_the_query_that_needs_room_writes_a_temporary_file_and_no_log(engine: Engine) -> None:
    """What makes it notice a full disk, and harmless."""
    with engine.connect() as connection:
        connection.exec_driver_sql("SET LOCAL work_mem = '64kB'")
        plan = str(connection.exec_driver_sql(f"EXPLAIN (ANALYZE, BUFFERS) {health._SPILL}").all())
        assert "temp read=" in plan and "written=" in plan
        assert connection.exec_driver_sql("SELECT pg_current_xact_id_if_assigned()").scalar() is None


def test_a_redis_that_refuses_writes_is_trouble(real_redis: RedisClients) -> None:
    client = real_redis.blocking
    assert redis_health.look(client) == (None, None)
    assert real_redis.run(redis_health.look_async(real_redis.asyncio)) == (None, None)
    client.config_set("maxmemory", 1)
    try:
        assert "maxmemory" in (redis_health.look(client)[0] or "")
        assert "maxmemory" in (real_redis.run(redis_health.look_async(real_redis.asyncio))[0] or "")
    finally:
        client.config_set("maxmemory", 0)


def test_what_a_worker_found_about_the_database_makes_every_api_process_unready(
    real_redis: RedisClients, engine: Engine
) -> None:
    stores = StoreCollector(real_redis.blocking, engine, every_seconds=0)
    CollectorRegistry().register(stores)
    assert stores.readiness(patience_seconds=10).states == {"database": "ok", "redis": "ok"}
    found = health.refused_write(OperationalError("INSERT", None, Exception("database or disk is full")))
    assert found is not None and health.refused_write(ValueError("disk is full")) is None
    assert health.refused_write(OperationalError("INSERT", None, Exception("database is locked"))) is None
    redis_health.note_refused_write(real_redis.blocking, found)
    assert stores.readiness(patience_seconds=10).states == {"database": found, "redis": "ok"}
    assert 0 < real_redis.blocking.ttl(redis_keys.REFUSED_WRITE) <= 60
    stores.close()


def test_a_check_that_hangs_is_waited_for_a_little_and_asked_once() -> None:
    over, asked = threading.Event(), list[int]()

    def hanging() -> str | None:
        asked.append(1)
        over.wait()
        return "late"

    probe = Probe("test", hanging, every_seconds=0.0)
    try:
        assert [result_of(probe.start(), 0.05) for _ in range(5)] == ["no answer within 0.1 s"] * 5
        assert asked == [1]
        over.set()
        assert result_of(probe.start(), 10) == "late"
    finally:
        over.set()
        probe.close()


def test_a_probe_takes_no_lock_that_others_wait_for(engine: Engine) -> None:
    other = open_database(engine.url.render_as_string(hide_password=False))
    assert trouble_of_database(engine) is None
    with write(other) as connection:
        connection.execute(text("DELETE FROM tenants"))
    other.dispose()
