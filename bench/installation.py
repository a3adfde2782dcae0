"""A running `brigadewatch up` in a temporary folder, and the resources that its processes use."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

START_SECONDS = 90.0
END_SECONDS = 30.0


class Client:
    """One kept-alive connection to the API, with as little work a call as can be: it shares the machine with what it
    measures.
    """

    def __init__(self, url: str, key: str) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=60)
        self._headers = {"Authorization": f"Bearer {key}"}

    def post(self, body: bytes, *, encoding: str | None = None) -> dict[str, Any]:
        """POST NDJSON complaints; the 202's document. RuntimeError for any other answer."""
        headers = {
            **self._headers,
            "Content-Type": "application/x-ndjson",
            **({"Content-Encoding": encoding} if encoding else {}),
        }
        return self._call("POST", "/v1/complaints", body, headers, 202)

    def ask(self, complaint: bytes, threshold: int, wait_ms: int) -> dict[str, Any]:
        """POST one complaint and ask about its target; the assessment."""
        headers = {**self._headers, "Content-Type": "application/json"}
        path = f"/v1/complaints?assess=true&threshold={threshold}&wait={wait_ms}"
        (found,) = self._call("POST", path, complaint, headers, 202)["assessments"]
        assessment: dict[str, Any] = found
        return assessment

    def outcomes(self, body: bytes) -> dict[str, Any]:
        """POST NDJSON outcomes."""
        return self._call("POST", "/v1/outcomes", body, {**self._headers, "Content-Type": "application/x-ndjson"}, 202)

    def get(self, path: str) -> dict[str, Any]:
        """GET a document; RuntimeError for anything but 200."""
        return self._call("GET", path, None, self._headers, 200)

    def _call(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str], expected: int
    ) -> dict[str, Any]:
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status != expected:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:300]!r}, expected {expected}")
        found: dict[str, Any] = json.loads(text)
        return found

    def wait_until(
        self, position: int, *, swept: bool = False, seconds: float = 600.0, pause: float = 0.02
    ) -> dict[str, Any]:
        """Poll /v1/pipeline until nothing is pending and `position` is analysed (or swept).

        TimeoutError after `seconds` without.
        """
        deadline = time.monotonic() + seconds
        while True:
            state = self.get("/v1/pipeline")
            if state["pending"] == 0 and state["swept_position" if swept else "analysed_position"] >= position:
                return state
            if time.monotonic() > deadline:
                raise TimeoutError(f"position {position} was not reached within {seconds:.0f} s: {state}")
            time.sleep(pause)

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()


@dataclass
class Installation:
    """A running `up`."""

    url: str
    data: Path
    process: subprocess.Popen[str]
    environment: dict[str, str]  # of the processes that work on it

    def key(self, tenant: str = "default") -> str:
        """A new key of the tenant, which is made where it is missing."""
        command = [
            sys.executable,
            "-m",
            "service.cli",
            "keys",
            "create",
            "--tenant",
            tenant,
            "--create",
            "--scope",
            "ingest",
            "--scope",
            "read",
            "--data",
            str(self.data),
        ]
        return subprocess.run(command, check=True, capture_output=True, text=True, env=self.environment).stdout.strip()

    @property
    def redis_url(self) -> str:
        """Where the embedded Redis is."""
        return (self.data / "redis.url").read_text().strip()

    @property
    def database_url(self) -> str:
        """Where the archive is."""
        return f"sqlite:///{self.data / 'brigadewatch.sqlite3'}"

    def parts(self) -> dict[str, psutil.Process]:
        """The processes by name: redis, api, clock, worker-ingest, ..."""
        found: dict[str, psutil.Process] = {}
        for child in psutil.Process(self.process.pid).children():
            command = child.cmdline()
            if "service.cli" in command:
                words = command[command.index("service.cli") + 1 :]
                found["-".join(words[: 2 if words[0] == "worker" else 1])] = child
            else:
                found["redis"] = child
        return found

    def cpu(self) -> dict[str, float]:
        """Seconds of CPU that each process has used so far, this one and the whole machine as well, and the clock."""
        total = psutil.cpu_times()
        cpu_seconds = {name: sum(process.cpu_times()[:2]) for name, process in self.parts().items()}
        return cpu_seconds | {
            CLIENT: time.process_time(),
            MACHINE: total.user + total.nice + total.system,
            CLOCK: time.perf_counter(),
        }

    def log(self, name: str) -> str:
        """What a process wrote."""
        return (self.data / "logs" / f"{name}.log").read_text(errors="replace")


@contextmanager
def installation(data: Path | None = None, *, environment: dict[str, str] | None = None) -> Iterator[Installation]:
    """A ready `brigadewatch up` on free ports, in `data` or a temporary folder; ended at the end, with all it
    started.
    """
    with tempfile.TemporaryDirectory(prefix="brigadewatch-bench-", ignore_cleanup_errors=True) as scratch:
        folder = data or Path(scratch) / "data"
        complete = {
            name: value
            for name, value in os.environ.items()
            if name not in ("REDIS_URL", "DATABASE_URL") and not name.startswith("BRIGADEWATCH_")
        } | (environment or {})
        process = subprocess.Popen(
            [sys.executable, "-m", "service.cli", "up", "--port", "0", "--ops-port", "0", "--data", str(folder)],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=complete,
            start_new_session=True,
        )
        try:
            yield Installation(_address(process), folder, process, complete)
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _address(process: subprocess.Popen[str]) -> str:
    """The API's address, once `up` has reported that it is ready; its later output goes to stderr."""
    assert process.stderr is not None
    killer = threading.Timer(START_SECONDS, process.kill)
    killer.start()
    output: list[str] = []
    try:
        for line in process.stderr:
            output.append(line)
            if "Ctrl-C" in line:
                break
    finally:
        killer.cancel()
    found = re.search(r"API\s+(http://\S+)", "".join(output))
    if found is None:
        raise RuntimeError(f"`brigadewatch up` was not ready within {START_SECONDS:.0f} s, or ended: {''.join(output)}")
    stream = process.stderr
    threading.Thread(target=lambda: [sys.stderr.write(f"  up: {line}") for line in stream], daemon=True).start()
    return found.group(1)


def batches(lines: Sequence[bytes], size: int) -> list[bytes]:
    """NDJSON bodies of `size` lines each, in order."""
    return [b"\n".join(lines[start : start + size]) for start in range(0, len(lines), size)]


# what `Installation.cpu` tells beside the processes of `up`
CLIENT, MACHINE, CLOCK = "(client)", "(machine)", "(clock)"


def print_cpu(before: dict[str, float], after: dict[str, float], complaints: int) -> None:
    """µs of CPU a complaint, by process, the busiest first; and how much of the machine somebody else had meanwhile."""
    spent = {name: after[name] - before.get(name, 0.0) for name in after}
    machine, seconds = spent.pop(MACHINE), spent.pop(CLOCK)
    used = {name: value / complaints * 1e6 for name, value in spent.items()}
    parts = ", ".join(f"{name} {value:.1f}" for name, value in sorted(used.items(), key=lambda item: -item[1]))
    print(f"    µs CPU a complaint: {parts}; in all {sum(used.values()):.0f}")
    print(
        f"    of {psutil.cpu_count()} cores these had {sum(spent.values()) / seconds:.2f}, others"
        f" {max(0.0, machine - sum(spent.values())) / seconds:.2f}",
        flush=True,
    )
