"""Measure memory, disk and CPU of an installation at several sizes, and extrapolate by complaints per day.

    .venv/bin/python bench/capacity.py [--sizes 30000 120000 700000] [--no-postgresql] [--table] [--quick]

A size is the number of complaints in a world of 28 days (a larger version of the demo's), so that a window of 14 days
contains half of them. For each size the archive is filled by the ingest worker's own commit, then `brigadewatch up`
analyses and sweeps everything; the detect worker is killed once, to measure its memory after a restart as well. Memory
is the kernel's peak value for the process (VmHWM). The same archive is written into PostgreSQL (a temporary server;
skipped with a message if it is not installed) and measured there.

    memory of a worker  = base + bytes per complaint in the window x 14 x complaints per day (least squares)
    Redis               = base + bytes per archived complaint x 365 x complaints per day
                          + bytes per waiting item x BRIGADEWATCH_MAX_STREAM_ITEMS
    database, one year  = bytes per complaint (the slope: an empty PostgreSQL has 8 MB) x 365 x complaints per day
    cores               = CPU per complaint x ten times the mean rate (a busy hour of a busy day)
                          + CPU of 24 sweeps a day
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from figures import parser_of, print_machine, show
from installation import Client, batches, installation
from recovery import ENTRY, TENANT, fill
from redis import Redis
from sqlalchemy import create_engine, select, text

from service.data_folder import prepare
from service.demo.world import draw_world
from service.settings import read_settings
from service.storage.accounts.tenants import create_tenant
from service.storage.complaints.archive_writer import commit
from service.storage.redis_store import redis_keys
from service.storage.redis_store.leases import take_epoch
from service.storage.redis_store.stream import StreamEntry
from service.storage.sql.engine import migrate, open_database, write
from service.storage.sql.schema import ingest_state, sweeps

KEPT_BACK = ENTRY  # of the world: posted when the detect worker is killed
WINDOW_DAYS, YEAR, PEAK, SWEEPS_A_DAY = 14, 365, 10, 24
PER_DAY = (1_000, 5_000, 10_000, 25_000, 70_000, 250_000)
COMMITTED = 8_000  # items a transaction, as the ingest worker groups them


@dataclass(frozen=True, slots=True)
class Size:
    """One size, measured."""

    complaints: int
    window: int
    detect_bytes: int
    restarted_bytes: int
    sweep_bytes: int
    redis_bytes: int
    item_bytes: float  # in the stream
    sqlite_bytes: int
    postgresql_bytes: int | None
    ingest_us: float  # CPU a complaint
    detect_us: float
    sweep_seconds: float


def lines_of(count: int) -> list[bytes]:
    """The complaints of a world, one line each."""
    return [json.dumps(complaint, separators=(",", ":")).encode() for complaint in draw_world(7, count).complaints]


def peak(process: psutil.Process) -> int:
    """The most memory that the process ever had, bytes."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("the kernel does not say VmHWM: this needs Linux")


def measure(count: int, postgresql: Callable[[], str] | None) -> Size:
    """One size, in a temporary folder."""
    lines = lines_of(count)
    with tempfile.TemporaryDirectory(prefix="brigadewatch-capacity-") as scratch:
        folder = Path(scratch) / "data"
        cpu = time.process_time()
        fill(folder, lines[:-KEPT_BACK])
        ingest_us = (time.process_time() - cpu) / (len(lines) - KEPT_BACK) * 1e6
        with installation(folder) as up, Redis.from_url(up.redis_url) as redis:
            client, parts = Client(up.url, up.key(TENANT)), up.parts()
            position = client.wait_until(0, seconds=3_600, pause=0.5)["accepted"]
            client.wait_until(position, swept=True, seconds=3_600, pause=0.5)
            detect_us = sum(parts["worker-detect"].cpu_times()[:2]) / position * 1e6
            detect, sweep = peak(parts["worker-detect"]), peak(parts["worker-sweep"])
            os.kill(parts["worker-detect"].pid, signal.SIGKILL)
            position = client.post(batches(lines[-KEPT_BACK:], KEPT_BACK)[0])["position"]
            client.wait_until(position, swept=True, seconds=600, pause=0.2)
            restarted = peak(up.parts()["worker-detect"])
            used, item = int(redis.info("memory")["used_memory"]), stream_bytes(redis, lines)
            log = up.log("worker-detect")
        window = int(log.rpartition("window of ")[2].split()[0])
        engine = prepare(read_settings(folder, {}))
        with engine.connect() as connection:
            seconds = float(connection.scalar(select(sweeps.c.seconds).order_by(sweeps.c.id.desc()).limit(1)) or 0)
        engine.dispose()  # the last connection: what is in the write-ahead log goes into the file
        sqlite = sum(path.stat().st_size for path in folder.glob("brigadewatch.sqlite3*"))
    return Size(
        len(lines),
        window,
        detect,
        restarted,
        sweep,
        used,
        item,
        sqlite,
        None if postgresql is None else in_postgresql(postgresql(), lines),
        ingest_us,
        detect_us,
        seconds,
    )


def stream_bytes(redis: Redis, lines: list[bytes]) -> float:
    """What an item that waits takes in Redis: batches of 500, as platforms send them."""
    name = f"{redis_keys.PREFIX}:bench:capacity"
    for first in range(0, min(len(lines), 20_000), ENTRY):
        redis.xadd(
            name,
            {
                "first": first,
                "n": ENTRY,
                "at": 0,
                "lines": b"\n".join(b"c" + line for line in lines[first : first + ENTRY]),
            },
        )
    taken, items = int(redis.memory_usage(name, samples=0)), min(len(lines), 20_000)
    redis.delete(name)
    return taken / items


def in_postgresql(url: str, lines: list[bytes]) -> int:
    """Bytes of the database once the lines are archived in it, tables and indexes, vacuumed."""
    engine = open_database(url)
    migrate(engine)
    number = create_tenant(engine, "capacity", 0)
    epoch = take_epoch(engine, ingest_state, number)
    for first in range(0, len(lines), COMMITTED):
        group = lines[first : first + COMMITTED]
        at = time.time_ns() // 1000
        with write(engine) as connection:
            commit(
                connection,
                number,
                epoch,
                [
                    StreamEntry(
                        f"{at // 1000}-{first + start}",
                        first + start + 1,
                        at,
                        b"\n".join(b"c" + line for line in group[start : start + ENTRY]),
                    )
                    for start in range(0, len(group), ENTRY)
                ],
            )
    engine.dispose()
    plain = create_engine(engine.url.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with plain.connect() as connection:
        connection.execute(text("VACUUM ANALYZE"))
        size = int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())
    plain.dispose()
    return size


def databases(stack: contextlib.ExitStack) -> Callable[[], str] | None:
    """Makes an empty database of a server that ends with the stack, and gives its URL; None where no server is
    installed, which is printed.
    """
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
    from postgres_server import Databases, PostgresServer

    try:
        server = PostgresServer()
    except RuntimeError as error:
        print(f"    PostgreSQL is not measured: {error}")
        return None
    stack.callback(server.stop)
    made = Databases(server.address("postgres"))
    stack.callback(made.close)
    return lambda: made.url(made.create())


def print_size(size: Size) -> None:
    """Its figures."""
    print(f"  {size.complaints:,} complaints, {size.window:,} of them in the window")
    for what, value in (
        ("detect worker, after all of it was analysed", size.detect_bytes),
        ("detect worker, after a restart", size.restarted_bytes),
        ("sweep worker", size.sweep_bytes),
        ("Redis, nothing waiting", size.redis_bytes),
    ):
        show(f"    most memory of the {what}, MB" if "Redis" not in what else f"    {what}, MB", value / 1e6)
    show("    an item that waits in the stream, bytes", size.item_bytes, digits=0)
    show("    SQLite, bytes a complaint, all indexes", size.sqlite_bytes / size.complaints, digits=0)
    if size.postgresql_bytes is not None:
        show("    PostgreSQL, bytes a complaint, all indexes", size.postgresql_bytes / size.complaints, digits=0)
    show("    archiving, µs CPU a complaint", size.ingest_us)
    show("    detection, µs CPU a complaint", size.detect_us)
    show("    the latest sweep, s", size.sweep_seconds)


def line(xs: list[float], ys: list[float]) -> tuple[float, float]:
    """(at zero, a unit) of the straight line through the sizes; through one of them, its own share."""
    if len(xs) == 1:
        return 0.0, ys[0] / xs[0]
    slope, base = np.polyfit(xs, ys, 1)
    return float(base), float(slope)


def print_table(found: list[Size]) -> None:
    """What it comes to, by complaints a day."""
    windows = [float(size.window) for size in found]
    detect = line(windows, [float(max(size.detect_bytes, size.restarted_bytes)) for size in found])
    sweep = line(windows, [float(size.sweep_bytes) for size in found])
    seconds = line(windows, [size.sweep_seconds for size in found])
    everything, last = [float(size.complaints) for size in found], found[-1]
    redis = line(everything, [float(size.redis_bytes) for size in found])
    sqlite = line(everything, [float(size.sqlite_bytes) for size in found])[1]
    postgresql = (
        None
        if last.postgresql_bytes is None
        else line(everything, [float(size.postgresql_bytes or 0) for size in found])[1]
    )
    micro = last.ingest_us + last.detect_us
    print(
        f"\nmemory: detect {detect[0] / 1e6:.0f} MB + {detect[1]:.0f} bytes, sweep {sweep[0] / 1e6:.0f} MB +"
        f" {sweep[1]:.0f} bytes a complaint of the window; sweep {seconds[0]:.1f} s + {seconds[1] * 1e6:.1f} s a"
        f" million; Redis {redis[0] / 1e6:.0f} MB + {redis[1]:.0f} bytes an archived complaint; {last.item_bytes:.0f}"
        f" bytes an item that waits; SQLite {sqlite:.0f}, PostgreSQL {0 if postgresql is None else postgresql:.0f}"
        f" bytes a complaint; archiving and detection {micro:.0f} µs a complaint\n"
    )
    print(
        "| complaints a day | window | detect worker | a sweep | Redis after a year | SQLite, a year | PostgreSQL, a"
        " year | cores at ten times the mean |"
    )
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    largest = max(windows)
    for day in PER_DAY:
        window, year = day * WINDOW_DAYS, day * YEAR
        cores = micro / 1e6 * day / 86_400 * PEAK + max(0.0, seconds[0] + seconds[1] * window) * SWEEPS_A_DAY / 86_400
        print(
            f"| {day:,}{' *' if window > largest * 1.2 else ''} | {window:,} |"
            f" {(detect[0] + detect[1] * window) / 1e6:,.0f} MB | {(sweep[0] + sweep[1] * window) / 1e6:,.0f} MB |"
            f" {(redis[0] + redis[1] * year) / 1e6:,.0f} MB | {sqlite * year / 1e9:,.1f} GB |"
            f" {'–' if postgresql is None else f'{postgresql * year / 1e9:,.1f} GB'} | {max(0.01, cores):.2f} |"
        )
    print("\n* beyond what was measured")


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument(
        "--sizes",
        type=int,
        nargs="+",
        default=[30_000, 120_000, 700_000],
        help="complaints in a world of 28 days, one or more",
    )
    parser.add_argument("--no-postgresql", action="store_true", help="do not measure PostgreSQL")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.sizes = [9_000, 14_000]
    print_machine()
    with contextlib.ExitStack() as stack:
        new_database = None if chosen.no_postgresql else databases(stack)
        found = []
        for count in sorted(chosen.sizes):
            found.append(measure(count, new_database))
            print_size(found[-1])
        print_table(found)


if __name__ == "__main__":
    main()
