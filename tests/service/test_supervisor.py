"""The supervisor with real child processes: restarts, endings in order, and nothing that outlives it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import redis

from service import supervisor as module
from service.data_folder import prepare
from service.errors import Refused
from service.settings import Settings
from service.supervisor import Addresses, Child, Supervisor, listening, one_interrupt

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
SLEEPING = "import time; print('up', flush=True); time.sleep(60)"


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def made(tmp_path: Path, settings: Settings, said: list[str]) -> Iterator[Callable[..., Supervisor]]:
    """Makes a supervisor of children given as Python programs, started."""
    supervisors = []

    def make(**programs: str) -> Supervisor:
        children = [
            Child(name, [sys.executable, "-c", program], tmp_path / f"{name}.log", dict(os.environ))
            for name, program in programs.items()
        ]
        supervisor = Supervisor(settings, Addresses("", "", ""), children, said.append)
        supervisors.append(supervisor)
        for child in children:
            child.start()
        return supervisor

    yield make
    for supervisor in supervisors:
        supervisor.end()


def eventually(holds: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "did not become true in time"
        time.sleep(0.02)


def test_a_child_that_is_killed_is_started_again_and_all_end_together(
    made: Callable[..., Supervisor], said: list[str]
) -> None:
    supervisor = made(one=SLEEPING, other=SLEEPING)
    until = threading.Event()
    watcher = threading.Thread(target=supervisor.watch, kwargs={"until": until})
    watcher.start()
    one = supervisor.children[0]
    assert one.process is not None
    first = one.process.pid
    os.kill(first, signal.SIGKILL)
    eventually(lambda: one.process is not None and one.process.pid != first and one.alive())
    pids = [child.process.pid for child in supervisor.children if child.process]
    until.set()
    watcher.join(15)
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert any("one ended (signal SIGKILL)" in line for line in said)


def test_pauses_grow_while_a_child_keeps_dying(made: Callable[..., Supervisor]) -> None:
    supervisor = made(one="raise SystemExit(3)")
    child = supervisor.children[0]
    pauses = []
    for _ in range(3):
        assert child.process is not None
        child.process.wait()
        before = time.monotonic()
        supervisor._restart_if_dead(child)
        pauses.append(child.start_again_at - before)
        child.start_again_at = 0.0
        supervisor._restart_if_dead(child)
    assert pauses == pytest.approx([0.2, 0.4, 0.8], abs=0.05)


def test_a_hanging_child_is_killed_after_the_grace(
    made: Callable[..., Supervisor], said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "END_SECONDS", 0.3)
    supervisor = made(deaf=DEAF)
    eventually(lambda: "deaf" in (tmp_path / "deaf.log").read_text())
    process = supervisor.children[0].process
    assert process is not None
    supervisor.end()
    assert process.returncode == -signal.SIGKILL
    assert any("did not end" in line for line in said)


def test_redis_ends_after_those_who_need_it(made: Callable[..., Supervisor], tmp_path: Path) -> None:
    note = (
        "import signal, sys, time, pathlib\ndef end(*_):\n   "
        " pathlib.Path({path!r}).write_text(repr(time.monotonic()))\n    sys.exit(0)\nsignal.signal(signal.SIGTERM,"
        " end)\nprint('up', flush=True)\ntime.sleep(60)"
    )
    supervisor = made(
        redis=note.format(path=str(tmp_path / "redis.end")), api=note.format(path=str(tmp_path / "api.end"))
    )
    for name in ("redis", "api"):
        eventually(lambda name=name: "up" in (tmp_path / f"{name}.log").read_text())  # type: ignore[misc]
    supervisor.end()
    assert float((tmp_path / "api.end").read_text()) < float((tmp_path / "redis.end").read_text())


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ends orphans on Linux alone")
def test_children_end_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    script = (
        "import os, sys, time; from pathlib import Path; from service.supervisor import Child\nchild = Child('c',"
        f" [sys.executable, '-c', {SLEEPING!r}], Path({str(tmp_path / 'c.log')!r}), dict(os.environ)); child.start();"
        " print(child.process.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        orphan = psutil.Process(int(process.stdout.readline()))
        process.kill()
        process.wait()
    eventually(lambda: not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE)


def test_a_taken_port_is_replaced_by_a_free_one_unless_it_was_asked_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with listening("127.0.0.1", None, default=port) as free:
            assert free.getsockname()[1] not in (0, port)
        with pytest.raises(Refused, match=f"port {port} on 127.0.0.1"), listening("127.0.0.1", port, default=8000):
            pass


def test_the_port_asked_for_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with listening("127.0.0.1", port, default=8000) as sock:
        assert sock.getsockname()[1] == port


def test_the_embedded_redis_keeps_its_data_and_lets_nobody_in_without_its_password(settings: Settings) -> None:
    prepare(settings).dispose()
    for expected in (None, b"kept"):
        child, url = module._embedded_redis(settings)
        child.start()
        try:
            eventually(lambda url=url: module._redis_answers(url))  # type: ignore[misc]
            with redis.Redis.from_url(url) as client:
                assert client.get("k") == expected
                client.set("k", "kept")
                policy = client.config_get()
                assert (policy["appendfsync"], policy["appendonly"], policy["maxmemory-policy"], policy["bind"]) == (
                    "always",
                    "yes",
                    "noeviction",
                    "127.0.0.1",
                )
            anonymous = url.replace(url.split("@")[0], "redis://").replace("redis://@", "redis://")
            with redis.Redis.from_url(anonymous) as client, pytest.raises(redis.AuthenticationError):
                client.get("k")
        finally:
            child.signal(signal.SIGKILL)
            assert child.process is not None
            child.process.wait()


def test_the_first_interrupt_is_heard_and_a_second_does_not_disturb_the_ending() -> None:
    before = signal.getsignal(signal.SIGTERM)

    def interrupted_twice() -> None:
        with one_interrupt():
            try:
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(5)
            finally:
                os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt):
        interrupted_twice()
    assert signal.getsignal(signal.SIGTERM) == before
