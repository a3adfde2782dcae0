"""Measure the time from SIGKILL of the detect worker until it has caught up, with a window of a million complaints.

    .venv/bin/python bench/recovery.py [--kills 3] [--data DIR] [--quick]

The world `million` (bench/worlds.py: a dense one with campaigns, 16 days, more than a million complaints in any 14 of
them) is archived by the ingest worker's own commit before anything runs. Then `brigadewatch up` analyses it, which
includes a sweep and takes several minutes. Then, `--kills` times, the detect worker gets SIGKILL, one more batch is
posted at once, and the time runs until nothing is pending. Every second time there are 5,000 complaints between the
last sweep and the kill, which the rebuild has to process in ticks. With --data the folder is kept and reused by the
next run.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from figures import parser_of, print_machine, show
from installation import Client, Installation, batches, installation
from sqlalchemy import select
from worlds import DEMO, add_options, world

from service.data_folder import prepare
from service.settings import read_settings
from service.storage.accounts.tenants import create_tenant
from service.storage.complaints.archive_writer import ArchiveBatch, commit
from service.storage.redis_store.leases import take_epoch
from service.storage.sql.engine import write
from service.storage.sql.schema import ingest_state, sweeps, tenants

TENANT, ENTRY, GROUP = "million", 500, 16
KEPT_BACK = 60_000  # of the world: posted around the kills


def fill(folder: Path, lines: list[bytes]) -> None:
    """Archive the lines as the ingest worker would, in transactions of 8,000."""
    engine = prepare(read_settings(folder, {}))
    with engine.connect() as connection:
        if connection.scalar(select(tenants.c.id).where(tenants.c.name == TENANT)) is not None:
            print(f"    {folder} already contains the world")
            return
    number = create_tenant(engine, TENANT, time.time_ns() // 1000)
    epoch = take_epoch(engine, ingest_state, number)
    started = time.perf_counter()
    entries = []
    for first in range(0, len(lines), ENTRY):
        at = time.time_ns() // 1000
        entries.append(
            ArchiveBatch(
                f"{at // 1000}-{first}", first + 1, at, b"\n".join(b"c" + line for line in lines[first : first + ENTRY])
            )
        )
        if len(entries) == GROUP or first + ENTRY >= len(lines):
            with write(engine) as connection:
                commit(connection, number, epoch, entries)
            entries = []
    engine.dispose()
    print(f"    {len(lines):,} complaints archived in {time.perf_counter() - started:.0f} s", flush=True)


def print_sweeps(up: Installation) -> None:
    """How long the latest sweep took, inside the sweep worker."""
    engine = prepare(read_settings(up.data, {}))
    with engine.connect() as connection:
        row = connection.execute(
            select(sweeps.c.seconds, sweeps.c.payload).order_by(sweeps.c.id.desc()).limit(1)
        ).first()
    engine.dispose()
    if row is not None:
        print(f"    the latest sweep took {row.seconds:.1f} s, {len(row.payload) / 1e6:.1f} MB", flush=True)


def kill_and_wait(up: Installation, client: Client, before: list[bytes], after: bytes) -> float:
    """Seconds from the kill until nothing is pending; `before` comes first and is analysed before the kill."""
    position = 0
    for body in before:
        position = client.post(body)["position"]
    if before:
        client.wait_until(position)
    os.kill(up.parts()["worker-detect"].pid, signal.SIGKILL)
    killed = time.perf_counter()
    position = client.post(after)["position"]
    client.wait_until(position, seconds=300)
    return time.perf_counter() - killed


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--kills", type=int, default=4, help="number of kills")
    parser.add_argument("--data", type=Path, metavar="DIR", help="data folder to keep; None: a temporary one")
    add_options(parser)
    chosen: argparse.Namespace = parser.parse_args()
    name, kept = ("million", KEPT_BACK)
    if chosen.quick:
        name, kept, chosen.kills = DEMO, 1_000, 1
    lines = world(name, chosen).lines()
    print_machine()
    with ExitStack() as stack:
        folder = (
            chosen.data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="brigadewatch-bench-"))) / "data"
        )
        fill(folder, lines[:-kept])
        up = stack.enter_context(installation(folder))
        client = Client(up.url, up.key(TENANT))
        started = time.perf_counter()
        position = client.wait_until(0, seconds=1_800, pause=0.5)["accepted"]
        client.wait_until(position, swept=True, seconds=1_800, pause=0.5)
        print(
            f"    all of it analysed and swept {time.perf_counter() - started:.0f} s after `up` was ready", flush=True
        )
        print_sweeps(up)
        rest, slowest = batches(lines[position:], ENTRY), 0.0
        for number in range(chosen.kills):
            more, rest = (rest[:10], rest[10:]) if number % 2 else ([], rest)
            seconds = kill_and_wait(up, client, more, rest.pop(0))
            slowest = max(slowest, seconds)
            built = re.findall(r"window of (\d+) complaints built in ([\d.]+) s", up.log("worker-detect"))[-1]
            memory = up.parts()["worker-detect"].memory_info().rss / 2**20
            print(
                f"    kill {number + 1}: caught up {seconds:.1f} s after it; window of {int(built[0]):,} complaints"
                f" built in {built[1]} s, {memory:.0f} MB" + (", 5,000 after the sweep" if more else ""),
                flush=True,
            )
            client.wait_until(client.get("/v1/pipeline")["accepted"], swept=True, seconds=600, pause=0.5)
        show("SIGKILL of the detect worker until caught up, slowest, s", slowest, at_most=30, quick=chosen.quick)


if __name__ == "__main__":
    main()
