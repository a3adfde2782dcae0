"""A running `brigadewatch up`, as an operator would start it."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
_PR_SET_PDEATHSIG = 1
START_SECONDS = 90.0  # on a busy machine; `up` itself gives up after a minute without an answer


def end_with_the_tests() -> None:
    """Between fork and exec of a child: have it stopped when the test run is killed (Linux only)."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def environment(**variables: str) -> dict[str, str]:
    ours = ("REDIS_URL", "DATABASE_URL", "BRIGADEWATCH_")
    return {k: v for k, v in os.environ.items() if not k.startswith(ours)} | {"COLUMNS": "200"} | variables


class Up:
    """A running `brigadewatch up`."""

    def __init__(self, data: str, log: Path, **variables: str) -> None:
        self.data = data
        self.log = log
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "service.cli", "up", "--data", data, "--port", "0", "--ops-port", "0"],
                stderr=file,
                env=environment(**variables),
                preexec_fn=end_with_the_tests,
            )
        try:
            self.wait(lambda: "Ctrl-C" in log.read_text(), START_SECONDS)
        except AssertionError:
            self.process.kill()
            self.process.wait()
            raise
        self.api, ops = re.findall(r"http://127\.0\.0\.1:\d+(?=  |/metrics)", log.read_text())
        self.ops = ops

    def wait(self, holds: Callable[[], Any], seconds: float = 30.0) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def child(self, *words: str) -> psutil.Process:
        def command(process: psutil.Process) -> str:
            try:
                return " ".join(process.cmdline())
            except psutil.Error:  # it has just exited
                return ""

        return next(c for c in self.children() if all(word in command(c) for word in words))


def make_person(data: str, name: str, password: str, *, tenant: str, role: str = "moderator") -> None:
    """An account of the console, made by the command."""
    words = ["users", "create", name, "--tenant", tenant, "--role", role, "--password-file", "-", "--data", data]
    subprocess.run(
        [sys.executable, "-m", "service.cli", *words],
        input=password,
        capture_output=True,
        text=True,
        timeout=60,
        env=environment(),
        check=True,
    )


def make_key(data: str, *scopes: str, tenant: str = "default", **variables: str) -> str:
    """A key created by the command, with `ingest` and `read` unless other scopes are given."""
    options = [word for scope in scopes or ("ingest", "read") for word in ("--scope", scope)]
    command = [
        sys.executable,
        "-m",
        "service.cli",
        "keys",
        "create",
        "--tenant",
        tenant,
        "--create",
        *options,
        "--data",
        data,
    ]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, env=environment(**variables), check=True
    ).stdout.strip()
