"""The health check of a container: healthy while its process reports in time, and no longer."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from service.liveness import BELIEVED_SECONDS, say_alive, silence
from service.settings import Settings
from workers.clock import run_clock
from workers.jobs import QueueWorker
from workers.resources import Resources, connect_redis


def check(file: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "service.liveness", str(file)], capture_output=True, text=True, timeout=30
    )


def test_a_process_counts_as_alive_for_as_long_as_it_announced(tmp_path: Path) -> None:
    file = tmp_path / "alive"
    began = time.monotonic()
    say_alive(file, 5.0)
    assert silence(file, began + 4.9) is None
    assert "3 s late" in str(silence(file, file.stat().st_mtime + 3.0))


def test_a_file_of_before_the_host_was_started_is_no_sign_of_life(tmp_path: Path) -> None:
    file = tmp_path / "alive"
    say_alive(file, 90_000.0)
    assert "before the host was started" in str(silence(file, time.monotonic()))


def test_a_process_that_never_reported_does_not_count_as_alive(tmp_path: Path) -> None:
    assert "No such file" in str(silence(tmp_path / "alive", 0.0))


@pytest.mark.parametrize("command", [["api"], ["worker", "detect"], ["clock"]])
def test_what_the_process_before_it_announced_does_not_count_for_one_that_starts(
    tmp_path: Path, command: list[str]
) -> None:
    """Killed during a sweep, restarted in the same pod: the file promises an hour. Here the next one hangs, or
    as in this test ends, before it reports: it has no secret key.
    """
    file = tmp_path / "alive"
    say_alive(file, 3_660.0)
    environment = {"PATH": "/usr/bin", "BRIGADEWATCH_ALIVE_FILE": str(file), "REDIS_URL": "redis://127.0.0.1:1/0"}
    start = [sys.executable, "-c", "from service.cli import main; main()", *command, "--data", str(tmp_path / "data")]
    ended = subprocess.run(start, capture_output=True, text=True, timeout=60, env=environment)
    assert ended.returncode == 1 and "BRIGADEWATCH_SECRET_KEY" in ended.stderr
    assert not file.exists()


def test_a_command_beside_the_process_leaves_its_sign_of_life_alone(tmp_path: Path) -> None:
    file = tmp_path / "alive"
    say_alive(file, 900.0)
    environment = {"PATH": "/usr/bin", "BRIGADEWATCH_ALIVE_FILE": str(file), "REDIS_URL": "redis://127.0.0.1:1/0"}
    command = ["rebuild", "--data", str(tmp_path / "data")]
    start = [sys.executable, "-c", "from service.cli import main; main()", *command]
    subprocess.run(start, capture_output=True, text=True, timeout=60, env=environment)
    assert silence(file, time.monotonic()) is None


def test_without_a_file_nothing_is_written(tmp_path: Path) -> None:
    say_alive(None)
    assert list(tmp_path.iterdir()) == []


def test_the_check_exits_with_0_for_a_live_process_and_with_1_and_a_reason_for_a_silent_one(tmp_path: Path) -> None:
    file = tmp_path / "alive"
    say_alive(file)
    assert check(file).returncode == 0
    say_alive(file, -60.0)
    silent = check(file)
    assert silent.returncode == 1
    assert "late with its next sign of life" in silent.stdout


def test_the_clock_reports_even_while_redis_is_down(tmp_path: Path, settings: Settings, engine: Engine) -> None:
    file = tmp_path / "alive"
    settings = replace(settings, alive_file=file, redis_url="redis://127.0.0.1:1/0")  # nobody listens there
    stop = threading.Event()
    clock = threading.Thread(
        target=run_clock, args=(Resources(settings, engine, connect_redis(str(settings.redis_url), 0.1)), stop)
    )
    clock.start()
    try:
        deadline = time.monotonic() + 10
        while not file.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert silence(file, time.monotonic()) is None
    finally:
        stop.set()
        clock.join(10)


def test_a_worker_announces_how_long_its_job_may_take(
    tmp_path: Path, settings: Settings, engine: Engine, real_redis: Any
) -> None:
    file = tmp_path / "alive"
    resources = Resources(
        replace(settings, alive_file=file, redis_url=real_redis.url), engine, connect_redis(real_redis.url, 1.0)
    )
    worker = QueueWorker("detect", resources, threading.Event())
    now = time.monotonic()
    worker.heartbeat()
    assert file.stat().st_mtime - now == pytest.approx(BELIEVED_SECONDS, abs=5)
    worker.heartbeat(960)
    assert file.stat().st_mtime - now == pytest.approx(960, abs=5)
    resources.redis.close()
