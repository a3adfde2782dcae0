"""The supervisor with real child processes: restarts, an orderly shutdown, and nothing that outlives it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import redis

from service import supervisor as module
from service.data_folder import prepare
from service.errors import Refused
from service.settings import Settings
from service.supervisor import API_LISTENER, Addresses, Child, Supervisor, listening, one_interrupt

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
SLEEPING = "import time; print('up', flush=True); time.sleep(60)"


@pytest.fixture
def messages() -> list[str]:
    return []


@pytest.fixture
def made(tmp_path: Path, settings: Settings, messages: list[str]) -> Iterator[Callable[..., Supervisor]]:
    """Starts a supervisor whose children are the given Python programs."""
    supervisors = []

    def make(**programs: str) -> Supervisor:
        children = [
            Child(name, [sys.executable, "-c", program], tmp_path / f"{name}.log", dict(os.environ))
            for name, program in programs.items()
        ]
        supervisor = Supervisor(settings, Addresses("", "", ""), children, messages.append)
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


def test_a_killed_child_is_restarted_and_all_children_stop_together(
    made: Callable[..., Supervisor], messages: list[str]
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
    assert any("one exited (signal SIGKILL)" in line for line in messages)


def test_the_pause_before_a_restart_grows_while_a_child_keeps_dying(made: Callable[..., Supervisor]) -> None:
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


def test_a_hanging_child_is_killed_after_the_grace_period(
    made: Callable[..., Supervisor], messages: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "END_SECONDS", 0.3)
    supervisor = made(deaf=DEAF)
    eventually(lambda: "deaf" in (tmp_path / "deaf.log").read_text())
    process = supervisor.children[0].process
    assert process is not None
    supervisor.end()
    assert process.returncode == -signal.SIGKILL
    assert any("did not stop" in line for line in messages)


def test_redis_stops_after_the_processes_that_need_it(made: Callable[..., Supervisor], tmp_path: Path) -> None:
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
def test_children_die_when_the_supervisor_is_killed(tmp_path: Path) -> None:
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


def test_a_default_port_in_use_is_replaced_by_a_free_one_and_reported(messages: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with listening("127.0.0.1", None, replace(API_LISTENER, default_port=port), messages.append) as free:
            other = free.getsockname()[1]
            assert other not in (0, port)
    assert messages == [
        f"NOTE: port {port} on 127.0.0.1 is in use; the API listens on port {other} instead (choose one with --port)"
    ]


def test_a_given_port_in_use_is_refused_with_a_way_out(messages: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        expected = rf"port {port} on 127.0.0.1 is already in use; .*lsof -i :{port}.* --port"
        with pytest.raises(Refused, match=expected), listening("127.0.0.1", port, API_LISTENER, messages.append):
            pass
    assert messages == []


def test_a_given_free_port_is_used(messages: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with listening("127.0.0.1", port, API_LISTENER, messages.append) as sock:
        assert sock.getsockname()[1] == port


def test_the_embedded_redis_keeps_its_data_and_requires_its_password(settings: Settings) -> None:
    prepare(settings).dispose()
    for expected in (None, b"kept"):
        child, url = module._redis_child(settings, print)
        child.start()
        try:
            eventually(lambda url=url: module._redis_answers(url))  # type: ignore[misc]
            with redis.Redis.from_url(url) as client:
                assert client.get("k") == expected
                client.set("k", "kept")
                open_to_others = [path for path in settings.data.rglob("*") if path.stat().st_mode & 0o077]
                assert (settings.data / "redis" / "appendonlydir").is_dir() and open_to_others == []
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


def test_the_first_interrupt_stops_the_program_and_later_ones_are_ignored() -> None:
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


def test_a_supervisor_whose_own_output_is_on_a_full_disk_looks_after_its_children(
    made: Callable[..., Supervisor],
) -> None:
    supervisor = made(one=SLEEPING)

    def full(_text: str) -> None:
        raise OSError(28, "No space left on device")

    supervisor.say = full
    until = threading.Event()
    watcher = threading.Thread(target=supervisor.watch, kwargs={"until": until})
    watcher.start()
    one = supervisor.children[0]
    assert one.process is not None
    first = one.process.pid
    os.kill(first, signal.SIGKILL)
    eventually(lambda: one.process is not None and one.process.pid != first and one.alive())
    until.set()
    watcher.join(15)
    assert not watcher.is_alive()
