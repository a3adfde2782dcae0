"""Steps of the wall clock, as every process of the run reads it: Python, Redis and PostgreSQL alike.

stepped_clock.c is preloaded into all of them and moves what they read by the offset in a file, which the run changes
while they run. Monotonic clocks and waits stay as they are, as on a host whose clock is set. Without a C compiler, or
on other systems than Linux, these faults are not to be had. Beside them the run polls a platform of its own: its polls
must go on after each step.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine, select

from service.storage.accounts.tenants import tenant_id
from service.storage.privacy import retention_guard
from service.storage.redis_store.job_kinds import LONGEST_US
from service.storage.sql import schema

if TYPE_CHECKING:
    from installation import Installation

HOUR, DAY = 3_600, 86_400
POLL_SECONDS = 2
_SOURCE = Path(__file__).with_name("stepped_clock.c")


class SteppedClock:
    """The wall clock of every process that is started from now on."""

    def __init__(self, folder: Path) -> None:
        """Raises OSError, CalledProcessError where the library cannot be built."""
        if sys.platform != "linux":
            raise OSError("stepped clocks need Linux")
        library = folder / "stepped_clock.so"
        compiler = shutil.which("cc") or "cc"
        subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", library, _SOURCE, "-ldl"], check=True)
        self.seconds, self.struck = 0, False  # `struck`: by a fault of the run
        self._file = folder / "clock-offset"
        self._file.write_bytes(struct.pack("=q", 0))
        self._file.chmod(0o644)
        os.environ |= {"LD_PRELOAD": str(library), "STEPPED_CLOCK": str(self._file)}

    def step(self, seconds: int) -> None:
        """Move it, relative to where it stands: all processes see it at once."""
        self.seconds += seconds
        with self._file.open("r+b") as file:
            file.write(struct.pack("=q", self.seconds * 1_000_000_000))

    def now_us(self) -> int:
        """What the processes read now."""
        return time.time_ns() // 1_000 + self.seconds * 1_000_000

    def moves(self, readings: Mapping[str, Callable[[], float]]) -> list[str]:
        """Whose clock does not follow a step, of these that tell their seconds."""
        self.step(DAY)
        try:
            return [name for name, read in readings.items() if abs(read() - self.now_us() / 1e6) > HOUR]
        finally:
            self.step(-DAY)

    def close(self) -> None:
        """For processes that are started later."""
        for name in ("LD_PRELOAD", "STEPPED_CLOCK"):
            os.environ.pop(name, None)


def stepped_clock(folder: Path) -> SteppedClock | None:
    """The clock; None where there can be none."""
    try:
        return SteppedClock(folder)
    except (OSError, subprocess.CalledProcessError):
        return None


class Polled:
    """A platform (Lemmy) without reports, which notes when it was polled."""

    def __init__(self) -> None:
        self.polls = 0
        outer = self

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.polls += 1
                body = json.dumps({"reports": [], "post_reports": [], "comment_reports": []}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, name="polled", daemon=True).start()

    @property
    def variables(self) -> dict[str, str]:
        """Settings of an installation that polls it."""
        return {
            "BRIGADEWATCH_OUTBOUND_ALLOW": f"127.0.0.1/32:{self.port}",
            "BRIGADEWATCH_POLL_SECONDS": str(POLL_SECONDS),
        }

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()


def hour_back(installation: Installation, rng: random.Random) -> None:
    """It stays so: everything has to go on while the clock is back."""
    assert installation.clock is not None
    installation.clock.struck = True
    installation.clock.step(-HOUR)


def forty_days_forward(installation: Installation, rng: random.Random) -> None:
    """Longer than the retention, for some seconds. It ends every mark in Redis: what lasts too long shows before."""
    assert installation.clock is not None
    installation.wait(installation.ready, 90, "the API is ready, whatever was refused a minute ago")
    installation.clock.struck = True
    installation.clock.step(40 * DAY)
    time.sleep(rng.uniform(3, 10))
    installation.clock.step(-40 * DAY)


def time_goes_on(installation: Installation, engine: Engine, tenant: str) -> tuple[bool | None, str]:
    """Retention waits for nobody, polls go on, and no plan lies further ahead than the longest interval of its kind."""
    number, before = tenant_id(engine, tenant), installation.polled.polls
    for _ in range(150):
        with engine.connect() as connection:
            refusal = retention_guard.read_state(connection, number).refusal
            planned = connection.execute(
                select(schema.timers.c.work, schema.timers.c.due_us).where(schema.timers.c.tenant_id == number)
            ).all()
        now_us = installation.clock.now_us() if installation.clock is not None else time.time_ns() // 1_000
        far = sorted(row.work for row in planned if row.due_us > now_us + LONGEST_US[row.work])
        polls = installation.polled.polls - before
        if refusal is None and not far and polls > 2:
            break
        time.sleep(0.2)
    waits = "nobody" if refusal is None else retention_guard.words(refusal)
    held = refusal is None and not far and polls > 2 and bool(planned)
    return (
        None if held and (installation.clock is None or not installation.clock.struck) else held,
        (
            f"retention waits for: {waits}; {len(planned)} timers, beyond their longest interval: {far or 'none'};"
            f" {polls} polls at the end, {before:,} before"
        ),
    )
