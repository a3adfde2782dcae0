"""Living processes as they tell of themselves."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import redis

from service.ops import processes
from service.ops.processes import KINDS, SILENT_SECONDS, Kind, beating, read_kinds
from service.storage.redis_store import redis_keys


def living(client: Any) -> dict[str, Kind]:
    return {
        name: kind
        for name, kind in read_kinds(client.hgetall(redis_keys.PROCESSES), client.time()[0]).items()
        if kind.count
    }


def told(client: Any) -> threading.Event:
    """Set once an entry was written."""
    seen, hset = threading.Event(), client.hset

    def watched(*arguments: Any) -> Any:
        answer = hset(*arguments)
        seen.set()
        return answer

    client.hset = watched
    return seen


def test_a_process_is_known_with_its_memory_while_it_lives_and_leaves_nothing(clients: Any) -> None:
    seen = told(clients.blocking)
    with beating(clients.blocking, "clock"):
        assert seen.wait(10)
        (clock,) = living(clients.blocking).values()
        assert clock.count == 1
        assert clock.resident_bytes is not None and clock.peak_bytes is not None
        assert 10_000_000 < clock.resident_bytes <= clock.peak_bytes
    assert clients.blocking.hlen(redis_keys.PROCESSES) == 0


def test_every_kind_is_told_also_where_nobody_lives_and_the_largest_stands_for_its_kind() -> None:
    fields = {
        "worker-ingest|a": '{"at": 100.0, "resident": 5, "peak": 9}',
        b"worker-ingest|b": b'{"at": 90.0, "resident": 7, "peak": 8}',
        "clock|c": '{"at": 100.0}',
        "else|d": '{"at": 100.0}',
    }
    found = read_kinds(fields, 101.0)
    assert tuple(found) == KINDS
    assert found["worker-ingest"] == Kind(2, 7, 9)
    assert (found["clock"], found["api"]) == (Kind(1, None, None), Kind(0, None, None))


def test_who_was_killed_falls_silent_and_is_forgotten_in_the_end(clients: Any) -> None:
    now = clients.blocking.time()[0]
    clients.blocking.hset(
        redis_keys.PROCESSES,
        mapping={"api|killed": f'{{"at": {now - SILENT_SECONDS - 5}}}', "api|long ago": f'{{"at": {now - 4_000}}}'},
    )
    assert living(clients.blocking) == {}
    seen = told(clients.blocking)
    with beating(clients.blocking, "api"):
        assert seen.wait(10)
        assert living(clients.blocking)["api"].count == 1
        assert b"api|killed" in clients.blocking.hkeys(redis_keys.PROCESSES)
    assert clients.blocking.hkeys(redis_keys.PROCESSES) == [b"api|killed"]


def test_without_redis_a_process_lives_all_the_same() -> None:
    with redis.Redis.from_url("redis://127.0.0.1:1/0", retry=None) as client, beating(client, "api"):
        pass


def test_where_memory_cannot_be_read_the_process_is_counted_without_it(
    clients: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setattr(processes, "_STATUS", tmp_path / "nothing")
    seen = told(clients.blocking)
    with beating(clients.blocking, "clock"):
        assert seen.wait(10)
        assert living(clients.blocking)["clock"] == Kind(1, None, None)
