"""The engines that are installed for the tests (make engines), and the worlds that they are compared on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path

from worlds import HOUR, Row, columns

from bench.worlds.catalogue import draw
from bench.worlds.detection import read
from bench.worlds.world import Wanted
from service.policy import DEFAULT_POLICY
from workers.audit.history import ComplaintHistory
from workers.detection.window import Complaints
from workers.large.clickhouse_server import ClickHouseServer, server_of

ROOT = Path(__file__).parents[2]
INSTALLED = ROOT / "build" / "engines"
SERVER = Path(__file__).with_name("clickhouse_http.py")
QUICKLY = (
    "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"  # Java on little data: compiling at length costs more than it saves
)
USER, PASSWORD = "reader", "geheim:ß"
WORLDS = ("newspaper", "network", "town")
MONTH = replace(DEFAULT_POLICY, window_seconds=28 * 86_400)
# So few neighbours and so small a sample that the cap cuts and the sample is drawn; every pair that met twice counts.
NARROW = replace(MONTH, neighbours=4, fit_sample=300, weak_p=0.1)
LITTLE_WINDOWS = {
    "one complaint": columns([Row(1, 1, 1, 0.0)]),
    "one target at one time": columns(
        [Row(k, who, 5, 0.0, -9) for k, who in enumerate((-(2**63), -1, 1, 2**63 - 1), 1)]
    ),
    "two targets": columns(
        [Row(2 * (k - 1) + target, k - 3, target, target * HOUR) for k in range(1, 6) for target in (1, 2)]
    ),
}


def environment(**more: str) -> dict[str, str]:
    """That of a process which has the engines, our own code and the tests."""
    assert (INSTALLED / ".installed").exists(), "the engines are missing: run `make engines`, which installs them"
    # Our own packages come first: what engines bring of them is of no other version.
    path = os.pathsep.join(map(str, (ROOT, ROOT / "tests", INSTALLED)))
    return {**os.environ, "PYTHONPATH": path, "PYSPARK_PYTHON": sys.executable, **more}


@contextmanager
def clickhouse(**profile: object) -> Iterator[ClickHouseServer]:
    """chdb behind ClickHouse's interface; `profile` are settings of the user's profile."""
    settings = [f"{name}={value}" for name, value in profile.items()]
    process = subprocess.Popen(
        [sys.executable, SERVER, USER, PASSWORD, *settings], env=environment(), stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        port = int(process.stdout.readline())
        yield server_of(f"clickhouse://{USER}@127.0.0.1:{port}", {"CLICKHOUSE_PASSWORD": PASSWORD})
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@cache
def history_of(world: str) -> ComplaintHistory:
    """A world of 28 days with campaigns and honest crowds."""
    return read(draw(world, Wanted(7, 1_500)))[0]


@cache
def window_of(world: str) -> Complaints:
    """The world in one window, with times in whole minutes: many complaints about one target at the same time."""
    complaints = history_of(world).complaints
    tied = replace(complaints, time_ms=complaints.time_ms // 60_000 * 60_000)
    assert (tied.reporter < 0).any() and (tied.reporter > 0).any(), "keys are 64 bits with a sign"
    return tied
