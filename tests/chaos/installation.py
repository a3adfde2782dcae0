"""The installation under test: `brigadewatch up` with its own stores, each part of which can be killed."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg
import redis
from clock_steps import Polled, stepped_clock
from listening import free_port
from postgres_server import PostgresServer
from redis_server import RedisServer
from up import environment, make_key
from volume import Volume

TENANT = "chaos"
PARTS = ("api", "worker-ingest", "worker-detect", "worker-sweep", "worker-deliver", "worker-chores", "clock")
START_SECONDS = 60.0


class Installation:
    """Redis, the database and `up`, all on this machine."""

    def __init__(self, folder: Path, database: str, tree: Path | None = None) -> None:
        """`database` is sqlite or postgresql; `tree` holds the version that `up` is started from (None: this one)."""
        self.tree = tree
        self.readiness: list[tuple[str, bool, float]] = []  # fault, whether both ports said so, seconds of the slower
        self.letters_sent_again = 0
        self.clock = stepped_clock(folder)
        with ExitStack() as undo:  # stops what was started if the rest fails
            self._begin(folder, database, undo)
            self._undo = undo.pop_all()

    def _begin(self, folder: Path, database: str, undo: ExitStack) -> None:
        if self.clock is not None:
            undo.callback(self.clock.close)
        self.polled = Polled()
        undo.callback(self.polled.close)
        self.redis = RedisServer(folder / "redis")
        undo.callback(self.redis.close)
        self.volume = Volume(folder / "volume")  # of the data folder, and of PostgreSQL's
        undo.callback(self.volume.close)
        self.data = self.volume.folder / "data"
        place = self.volume.folder / "postgresql"
        self.postgres = PostgresServer(settings=("max_wal_size=256MB",), at=place) if database == "postgresql" else None
        if self.postgres is not None:
            undo.callback(self.postgres.stop)
        self.variables = {"REDIS_URL": self.redis.url, **self.polled.variables}
        if self.postgres is not None:
            self.variables["DATABASE_URL"] = self.postgres.address("postgres")
        if self.clock is not None and (still := self.clock.moves(self._clocks())):
            raise RuntimeError(f"the clock of {' and '.join(still)} does not follow the run's steps")
        self.port, self.ops_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = folder / "up.log"
        self._probes = 0
        self.process = self._start()
        undo.callback(self._end)
        self.wait(self.ready, START_SECONDS, "`up` is ready")
        self.key = make_key(str(self.data), "ingest", "read", tenant=TENANT, **self.variables)

    def _clocks(self) -> dict[str, Callable[[], float]]:
        """The wall clocks of what runs, in seconds."""

        def of_python() -> float:
            code = "import time; print(time.time())"
            return float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout)

        def of_redis() -> float:
            with redis.Redis.from_url(self.redis.url) as client:
                seconds: int = client.time()[0]
                return float(seconds)

        def of_postgresql() -> float:
            with psycopg.connect(self.variables["DATABASE_URL"]) as connection:
                row = connection.execute("SELECT extract(epoch FROM clock_timestamp())").fetchone()
                assert row is not None
                return float(row[0])

        clocks = {"Python": of_python, "Redis": of_redis}
        return clocks if self.postgres is None else {**clocks, "PostgreSQL": of_postgresql}

    def _start(self) -> subprocess.Popen[bytes]:
        command = [
            sys.executable,
            "-m",
            "service.cli",
            "up",
            "--data",
            str(self.data),
            "--port",
            str(self.port),
            "--ops-port",
            str(self.ops_port),
        ]
        with self._log.open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, env=environment(**self.variables), cwd=self.tree)

    def restart(self) -> None:
        """Restart `up` after it was killed, once its children are gone too."""
        self.process.wait()
        self.process = self._start()

    def parts(self) -> dict[str, psutil.Process]:
        """The running processes of `up` by name."""
        found: dict[str, psutil.Process] = {}
        with suppress(psutil.Error):
            for child in psutil.Process(self.process.pid).children():
                with suppress(psutil.Error, ValueError):
                    words = child.cmdline()
                    words = words[words.index("service.cli") + 1 :]
                    if child.status() != psutil.STATUS_ZOMBIE:
                        found["-".join(words[: 2 if words[0] == "worker" else 1])] = child
        return found

    def ready(self) -> bool:
        """Whether /readyz reports that it is ready."""
        return self._call("GET", "/readyz") is not None

    def expect_unready(self, fault: str, seconds: float = 10.0) -> None:
        """Note whether both ports say that they are not ready within `seconds` (less than the fault need not last),
        and how long an answer takes.
        """
        longest, unready = 0.0, {self.port: False, self.ops_port: False}
        until = time.monotonic() + seconds
        while not all(unready.values()) and time.monotonic() < until:
            for port, known in unready.items():
                began = time.monotonic()
                unready[port] = known or self.status(port, "/readyz") == 503
                longest = max(longest, time.monotonic() - began)
        self.readiness.append((fault, all(unready.values()), longest))

    def status(self, port: int, path: str) -> int:
        """The status that a port of this machine answers to GET; 0: it does not answer."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()

    def pipeline(self) -> dict[str, Any] | None:
        """GET /v1/pipeline; None without an answer of 200."""
        return self._call("GET", "/v1/pipeline", self.key)

    def probe(self) -> int | None:
        """Withdraw a complaint that was never sent; returns the position of the item, None without a 202."""
        self._probes += 1
        answer = self._call("DELETE", f"/v1/complaints/probe-{self._probes}", self.key, 202)
        return None if answer is None else int(answer["position"])

    def set_tenant_up(self) -> None:
        """It keeps texts, for thirty days, and polls a platform, so that a plan that is put off is noticed."""
        settings = ("--keep-text", "on", "--retention", "30d", "--data", str(self.data))
        self.run("tenants", "set", TENANT, *settings)
        secret = self.data / "polled-secret"
        secret.write_text("token")
        url = f"http://127.0.0.1:{self.polled.port}"
        options = ("--tenant", TENANT, "--url", url, "--secret-file", str(secret), "--data", str(self.data))
        self.run("sources", "add", "--platform", "lemmy", *options)

    def log(self, name: str) -> str:
        """The log of a process."""
        return (self.data / "logs" / f"{name}.log").read_text(errors="replace")

    def run(self, *words: str) -> str:
        """Run a command on the same stores and return its output. Raises CalledProcessError when it fails."""
        command = [sys.executable, "-m", "service.cli", *words]
        return subprocess.run(
            command, check=True, capture_output=True, text=True, env=environment(**self.variables), timeout=600
        ).stdout

    def wait(self, holds: Any, seconds: float, what: str) -> float:
        """Wait until it holds; returns the seconds. Raises TimeoutError, naming `what`, after `seconds`."""
        began = time.monotonic()
        while not holds():
            if time.monotonic() - began > seconds:
                raise TimeoutError(
                    f"{what}: took more than {seconds:.0f} s; pipeline {self.pipeline()}, running"
                    f" {sorted(self.parts())}; logs in {self.data / 'logs'}"
                )
            time.sleep(0.05)
        return time.monotonic() - began

    def close(self) -> None:
        """Stop everything."""
        self._undo.close()

    def _end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(30)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def _call(self, method: str, path: str, key: str | None = None, expected: int = 200) -> dict[str, Any] | None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request(method, path, headers={"Authorization": f"Bearer {key}"} if key else {})
            answer = connection.getresponse()
            body = answer.read()
            return json.loads(body) if answer.status == expected else None
        except (OSError, http.client.HTTPException, ValueError):
            return None
        finally:
            connection.close()
