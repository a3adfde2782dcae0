"""Run every process of an installation on one machine, for `up` and `demo`: start, watch, restart and stop them.

Redis (unless REDIS_URL names one), the API, one worker per queue and the clock are children of this process. A child
that dies is restarted after a pause that grows while it keeps dying. At the end all children get SIGTERM, Redis last,
and those still alive after ten seconds get SIGKILL. On Linux the kernel kills the children if this process is killed.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import redis

from service import data_folder
from service.embedded_redis import embedded_redis, last_lines
from service.errors import Refused
from service.settings import Settings
from service.storage.redis_store.job_kinds import QUEUES
from service.storage.sql.private_files import create_private
from service.store_start import agree_with, once_the_database_answers, wait_for_redis

END_SECONDS = 10.0  # from SIGTERM to SIGKILL
_PAUSE_FIRST, _PAUSE_LAST = 0.2, 5.0  # seconds between a death and the next start
_LONG_LIVED = 20.0  # seconds after which a death counts as the first in a row
_LOG_BYTES = 20_000_000  # a larger log is rotated at the next start
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass
class Child:
    """One process that must be running."""

    name: str
    command: Sequence[str]
    log: Path
    environment: dict[str, str]
    keep_descriptors: tuple[int, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    deaths: int = 0  # in a row, each soon after its start
    start_again_at: float = 0.0

    def start(self) -> None:
        """Start the process; its output goes to the log."""
        with _opened_log(self.log) as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment,
                pass_fds=self.keep_descriptors,
                # A session of its own: Ctrl-C reaches only the supervisor, which stops the children in order.
                start_new_session=True,
                umask=0o077,  # the embedded Redis' files too are for their owner alone
                preexec_fn=_die_with_parent if _LIBC else None,
            )
        self.started = time.monotonic()

    def alive(self) -> bool:
        """Whether the process is running."""
        return self.process is not None and self.process.poll() is None

    def signal(self, number: int) -> None:
        """Send a signal if the process is still running."""
        if self.process is not None and self.process.poll() is None:
            with suppress(ProcessLookupError):
                self.process.send_signal(number)


@dataclass(frozen=True, slots=True)
class Listener:
    """A port that a process listens on: its name in messages, its option, and its default."""

    name: str
    option: str
    default_port: int


API_LISTENER = Listener("the API listens", "--port", 8000)
OPS_LISTENER = Listener("metrics are", "--ops-port", 8001)


@dataclass
class Addresses:
    """The addresses of a running installation."""

    api: str
    ops: str
    redis_url: str


@dataclass
class Supervisor:
    """All processes of one installation on one machine. Use it through `running`."""

    settings: Settings
    addresses: Addresses
    children: list[Child]  # Redis first, if it is embedded
    say: Callable[[str], None]

    def watch(self, *, until: threading.Event) -> None:
        """Restart children that die until the event is set; then stop all of them.

        The thread that restarts must also stop them: the kernel ties a child to the thread that started it.
        """
        try:
            while not until.wait(0.1):
                for child in self.children:
                    self._restart_if_dead(child)
        finally:
            self.end()

    def _report(self, text: str) -> None:
        with suppress(OSError):  # what is said goes to a full disk: the children are looked after all the same
            self.say(text)

    def _restart_if_dead(self, child: Child) -> None:
        if child.alive():
            return
        now = time.monotonic()
        if child.process is not None:
            status = child.process.returncode
            child.process = None
            child.deaths = 1 if now - child.started > _LONG_LIVED else child.deaths + 1
            child.start_again_at = now + min(_PAUSE_FIRST * 2 ** (child.deaths - 1), _PAUSE_LAST)
            self._report(f"{child.name} exited ({_ending(status)}) and is being restarted; log: {child.log}")
        if now >= child.start_again_at:
            try:
                child.start()
            except OSError as error:  # no memory, no descriptors: the next round may have them
                child.start_again_at = now + _PAUSE_LAST
                self._report(f"cannot start {child.name}: {error}; trying again in {_PAUSE_LAST:.0f} s")

    def end(self) -> None:
        """Stop every child: SIGTERM, then SIGKILL after ten seconds; Redis after those that need it."""
        redis_last = [c for c in self.children if c.name == "redis"]
        for group in ([c for c in self.children if c.name != "redis"], redis_last):
            for child in group:
                child.signal(signal.SIGTERM)
            deadline = time.monotonic() + END_SECONDS
            for child in group:
                if child.process is None:
                    continue
                try:
                    child.process.wait(max(0.0, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    self._report(f"{child.name} did not stop within {END_SECONDS:.0f} s; killing it")
                    child.signal(signal.SIGKILL)
                    child.process.wait()


@contextmanager
def running(
    settings: Settings, *, host: str, port: int | None, ops_port: int | None, say: Callable[[str], None]
) -> Iterator[Supervisor]:
    """A started, ready installation; leaving the context stops all its processes.

    `port` None means 8000, or a free port if that is in use, which `say` then reports (`ops_port` likewise, 8001).
    Restarts happen on a separate thread. Raises Refused for a given port that is in use, for a folder that another
    `up` uses, and when the processes are not ready within a minute; UnfitServer for a Redis that cannot be used,
    ForeignRedis for one of another database.
    """
    with ExitStack() as stack:
        stack.enter_context(data_folder.running(settings))
        api_socket = stack.enter_context(listening(host, port, API_LISTENER, say))
        ops_socket = stack.enter_context(listening("127.0.0.1", ops_port, OPS_LISTENER, say))
        redis_child, url = (None, settings.redis_url) if settings.redis_url else _redis_child(settings, say)
        if redis_child:
            stack.enter_context(data_folder.published_redis_url(settings, url))
        children = [*([redis_child] if redis_child else []), *_own_children(settings, url, api_socket, ops_socket)]
        reachable = "127.0.0.1" if host in ("0.0.0.0", "::", "") else host  # noqa: S104  (compared, not bound)
        addresses = Addresses(
            f"http://{_bracketed(reachable)}:{api_socket.getsockname()[1]}",
            f"http://127.0.0.1:{ops_socket.getsockname()[1]}",
            url,
        )
        supervisor = Supervisor(settings, addresses, children, say)
        stack.callback(supervisor.end)
        if redis_child:
            redis_child.start()
            _wait(lambda: _redis_runs(redis_child, url), "Redis", redis_child.log)
        wait_for_redis(url, say)
        once_the_database_answers(lambda: agree_with(settings, url, say), say)
        for child in children:
            if child is not redis_child:
                child.start()
        stop = threading.Event()
        watcher = threading.Thread(target=supervisor.watch, kwargs={"until": stop}, name="supervisor", daemon=True)
        watcher.start()
        stack.callback(watcher.join)
        stack.callback(stop.set)
        _wait(lambda: _http_ready(f"{addresses.api}/readyz"), "the API", settings.data / "logs" / "api.log")
        stack.enter_context(data_folder.published_api_url(settings, addresses.api))
        yield supervisor


@contextmanager
def one_interrupt() -> Iterator[None]:
    """Inside, the first SIGINT, SIGTERM or SIGHUP raises KeyboardInterrupt; later ones are ignored, so that the
    shutdown can finish.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}

    def interrupt(*_: object) -> None:
        for number in before:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in before:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def listening(host: str, port: int | None, listener: Listener, say: Callable[[str], None]) -> Iterator[socket.socket]:
    """A listening socket on `port`; None: on the listener's default port, or if that is in use on a free one.

    `say` reports a free port that replaces the default. The supervisor keeps the socket, so that a restarted API gets
    the same port and callers wait in the queue meanwhile. Raises Refused when the given port cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    tried = [port] if port is not None else [listener.default_port, 0]
    for number in tried:
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, number))
            sock.listen(2048)
        except OSError as error:
            sock.close()
            if number == tried[-1]:
                raise Refused(_port_refusal(host, number, listener, error)) from error
            continue
        with sock:
            if number != tried[0]:
                say(
                    f"NOTE: port {tried[0]} on {host} is in use; {listener.name} on port {sock.getsockname()[1]}"
                    f" instead (choose one with {listener.option})"
                )
            yield sock
        return


def _port_refusal(host: str, port: int, listener: Listener, error: OSError) -> str:
    """Why the port cannot be used, and what to do about it."""
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} on {host} is already in use; stop the program that listens there (`lsof -i :{port}` finds"
            f" it), choose another port with {listener.option}, or leave {listener.option} out to get a free one"
        )
    return (
        f"cannot listen on port {port} of {host}: {error.strerror or error}; choose another with {listener.option}, or"
        " another address with --host"
    )


def _redis_child(settings: Settings, say: Callable[[str], None]) -> tuple[Child, str]:
    found = embedded_redis(settings, say)
    return Child("redis", found.command, settings.data / "logs" / "redis.log", dict(os.environ)), found.url


def _redis_runs(child: Child, url: str) -> bool:
    """Whether it answers. Raises Refused when it has ended: it will not start however long one waits."""
    if not child.alive():
        raise Refused(
            f"{child.command[0]} ended at its start; the end of its log {child.log}: {last_lines(child.log)} (a file"
            " that a newer server wrote can be read by that one alone: put it first on the PATH)"
        )
    return _redis_answers(url)


def _own_children(settings: Settings, url: str, api_socket: socket.socket, ops_socket: socket.socket) -> list[Child]:
    environment = {
        **os.environ,
        "REDIS_URL": url,
        "DATABASE_URL": settings.database_url,
        "BRIGADEWATCH_DATA": str(settings.data),
        "PYTHONUNBUFFERED": "1",
    }
    # empty means the key in the folder, whatever this process inherited
    environment["BRIGADEWATCH_SECRET_KEY"] = ",".join(settings.secret_keys)
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        # thread pools of linear algebra would only compete for the cores
        environment.setdefault(variable, "1")
    program = [sys.executable, "-m", "service.cli"]
    parent = ["--parent", str(os.getpid())]
    logs = settings.data / "logs"
    descriptors = (api_socket.fileno(), ops_socket.fileno())
    commands = {"api": ["api", "--socket", str(descriptors[0]), "--ops-socket", str(descriptors[1])]}
    commands |= {f"worker-{queue}": ["worker", queue] for queue in QUEUES}
    commands["clock"] = ["clock"]
    return [
        Child(
            name, [*program, *command, *parent], logs / f"{name}.log", environment, descriptors if name == "api" else ()
        )
        for name, command in commands.items()
    ]


@contextmanager
def _opened_log(path: Path) -> Iterator[IO[bytes]]:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path.exists() and path.stat().st_size > _LOG_BYTES:
        path.replace(path.with_suffix(".log.1"))
    create_private(path)
    with path.open("ab") as log:
        yield log


def _die_with_parent() -> None:
    # Runs in the child between fork and exec: system calls only.
    assert _LIBC is not None
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _wait(ready: Callable[[], bool], what: str, log: Path, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise Refused(f"{what} was not ready within {seconds:.0f} s; see the log {log}")
        time.sleep(0.05)


def _redis_answers(url: str) -> bool:
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=2, socket_timeout=2) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def _http_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310  (our own http address)
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _ending(status: int) -> str:
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"exit code {status}"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
