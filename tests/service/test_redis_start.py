"""Before a process begins: a Redis that is held up is waited for, one that is not there is named."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import pytest
from listening import free_port
from redis_process import RedisProcess

from service import redis_start
from service.errors import StoreUnavailable
from service.redis_start import wait_for_redis


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
    monkeypatch.setattr(redis_start, "REDIS_SECONDS", 0.6)
    port, said = free_port(), list[str]()
    with pytest.raises(StoreUnavailable, match=f"127.0.0.1:{port}/0.*is it running") as failed:
        wait_for_redis(f"redis://:secret@127.0.0.1:{port}/0", said.append)
    assert "secret" not in str(failed.value) + "".join(said)
