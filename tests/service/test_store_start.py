"""Before a process begins: stores that are held up are waited for, those that stay away are named."""

from __future__ import annotations

import signal
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from listening import free_port
from redis_process import RedisProcess
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from service import store_start
from service.errors import StoreUnavailable
from service.settings import Settings
from service.storage.redis_store.redis_identity import end_use, user_of
from service.storage.redis_store.server_check import UnfitServer
from service.store_start import agree_before_start, once_the_database_answers, wait_for_redis


def test_a_redis_that_is_held_up_is_waited_for_and_said_once(tmp_path: Path) -> None:
    server = RedisProcess(tmp_path / "redis").start()
    process, said = server.process, list[str]()
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    waking = threading.Timer(3.0, lambda: process.send_signal(signal.SIGCONT))
    waking.start()
    try:
        wait_for_redis(server.url, said.append)
    finally:
        waking.join()
        server.kill()
    assert len([text for text in said if "waiting up to 10 s" in text]) == 1


def test_a_redis_that_is_not_there_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_start, "REDIS_SECONDS", 0.6)
    port, said = free_port(), list[str]()
    with pytest.raises(StoreUnavailable, match=f"127.0.0.1:{port}/0.*is it running") as failed:
        wait_for_redis(f"redis://:secret@127.0.0.1:{port}/0", said.append)
    assert "secret" not in str(failed.value) + "".join(said)


def refused(why: str) -> OperationalError:
    return OperationalError("SELECT 1", {}, Exception(why))


def test_a_database_is_tried_again_and_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_start, "_AGAIN_SECONDS", 0.0)
    left, said = [refused("starting"), refused("starting")], list[str]()

    def attempt() -> str:
        if left:
            raise left.pop()
        return "open"

    assert once_the_database_answers(attempt, said.append) == "open"
    assert said == ["the database does not answer (starting); waiting up to 15 s"]


def test_a_database_that_stays_away_is_reported_as_it_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_start, "DATABASE_SECONDS", 0.2)
    monkeypatch.setattr(store_start, "_AGAIN_SECONDS", 0.05)

    def attempt() -> None:
        raise refused("nobody listens")

    with pytest.raises(OperationalError, match="nobody listens"):
        once_the_database_answers(attempt, lambda _: None)


def test_an_unfit_server_does_not_become_the_one_of_the_database(
    engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    """As an empty replica that REDIS_URL names by mistake."""
    own, other = RedisProcess(tmp_path / "own").start(), RedisProcess(tmp_path / "other", "--cluster-enabled", "yes")
    other.start()
    try:
        mine = replace(settings, redis_url=own.url)
        agree_before_start(mine, engine, print)
        end_use(engine, user_of(mine))
        with pytest.raises(UnfitServer, match="cluster mode"):
            agree_before_start(replace(settings, redis_url=other.url), engine, print)
        agree_before_start(mine, engine, print)
    finally:
        own.kill()
        other.kill()
