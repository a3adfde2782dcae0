"""Measure how far the rate of archiving grows with ingest workers, and what the database and Redis can take.

    .venv/bin/python bench/ingest_workers.py [--rows 100000] [--workers 1 2] [--quick]

One tenant has one ingest worker, since ids, positions and `after` rest on one order. This is the prototype of more: the
tenant's complaints divided by target into one part a worker, each with a position, an archive and totals of its own (as
if it were a tenant), written into one database at the same time. What a real division would still need is in
docs/capacity.md. Redis: batches of 500 lines appended by the service's own script, over one connection.

PostgreSQL is a temporary server that syncs each commit (DATABASE_URL names another). Rates depend on how many cores
there are for workers and database together, so CPU is printed beside them.
"""

from __future__ import annotations

import json
import multiprocessing
import random
import sys
import tempfile
import time
from contextlib import ExitStack
from multiprocessing.synchronize import Barrier
from pathlib import Path

import psutil
import redis
from figures import parser_of, print_machine, show
from ingest import GROUP, lines
from postgresql import new_database

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from redis_process import RedisProcess

from service.storage.accounts.tenants import create_tenant
from service.storage.complaints.archive_writer import commit
from service.storage.redis_store import redis_keys, stream
from service.storage.redis_store.leases import take_epoch
from service.storage.redis_store.stream import StreamBatch, StreamEntry
from service.storage.redis_store.unseen import marker
from service.storage.sql.engine import migrate, open_database, write
from service.storage.sql.schema import ingest_state

BATCH = 500


def part_of(rows: int, part: int, parts: int) -> list[bytes]:
    """The complaints about one part of the targets, each a canonical line."""
    rng = random.Random(1)
    every = [lines(number, rows, rng) for number in range(rows)]
    return [line for number, line in enumerate(every) if number % parts == part]


def archive(url: str, tenant: int, rows: int, part: int, parts: int, start: Barrier, cpu: list[float]) -> None:
    """One worker: its part into the archive, in transactions as ingest's with a full stream."""
    mine = part_of(rows, part, parts)
    entries = [
        StreamEntry(f"{at + 1}-0", at + 1, at + 1, b"\n".join(mine[at : at + BATCH]))
        for at in range(0, len(mine), BATCH)
    ]
    engine = open_database(url)
    epoch = take_epoch(engine, ingest_state, tenant)
    start.wait()
    began = time.process_time()
    for at in range(0, len(entries), GROUP // BATCH):
        with write(engine) as connection:
            commit(connection, tenant, epoch, entries[at : at + GROUP // BATCH])
    cpu[part] = time.process_time() - began
    start.wait()
    engine.dispose()


def rate(url: str, rows: int, workers: int, name: str) -> float:
    """Complaints a second of so many workers together; prints it with the CPU of a complaint, the database's too."""
    engine = open_database(url)
    tenants = [create_tenant(engine, f"of-{workers}-{part}", 0) for part in range(workers)]
    engine.dispose()
    context = multiprocessing.get_context("spawn")
    start, cpu = context.Barrier(workers + 1), context.Array("d", workers)
    processes = [
        context.Process(target=archive, args=(url, tenant, rows, part, workers, start, cpu))
        for part, tenant in enumerate(tenants)
    ]
    for process in processes:
        process.start()
    start.wait()
    began, database = time.perf_counter(), database_cpu()
    start.wait()
    seconds, database = time.perf_counter() - began, database_cpu() - database
    for process in processes:
        process.join()
        if process.exitcode:
            raise SystemExit(f"a worker ended with {process.exitcode}")
    show(f"{name}, {workers} ingest worker{'s' * (workers > 1)}, complaints/s", rows / seconds, digits=0)
    show("    CPU a complaint: the workers, us", sum(cpu) / rows * 1e6)
    if database:
        show("    the database's processes, us", database / rows * 1e6)
    return rows / seconds


def database_cpu() -> float:
    """Seconds that PostgreSQL's processes on this machine have used."""
    found = 0.0
    for process in psutil.process_iter(["name", "cpu_times"]):
        if (process.info["name"] or "").startswith("postgres") and process.info["cpu_times"]:
            found += sum(process.info["cpu_times"][:2])
    return found


def redis_rate(rows: int) -> None:
    """Appends alone: how many complaints a second one Redis could take, by its own CPU."""
    rng, mark = random.Random(1), marker(bytes(32))
    made = [lines(number, rows, rng) for number in range(rows // BATCH * BATCH)]
    people = [
        (complaint["target"]["id"], complaint["reporter"]["id"]) for complaint in (json.loads(x[1:]) for x in made)
    ]
    batches = [
        StreamBatch(
            BATCH, b"\n".join(made[at : at + BATCH]), marks=b"".join(mark(*pair) for pair in people[at : at + BATCH])
        )
        for at in range(0, len(made), BATCH)
    ]
    with tempfile.TemporaryDirectory() as folder:
        server = RedisProcess(Path(folder) / "redis").start()
        try:
            _append(redis.Redis.from_url(server.url), batches)
        finally:
            server.stop()


def _append(client: redis.Redis, batches: list[StreamBatch]) -> None:
    client.set(redis_keys.position("bench"), 0)
    before, began = client.info("cpu"), time.perf_counter()
    for batch in batches:
        stream.append_blocking(client, "bench", batch, 10**9)
    seconds, after = time.perf_counter() - began, client.info("cpu")
    count = len(batches) * BATCH
    used = sum(after[kind] - before[kind] for kind in ("used_cpu_user", "used_cpu_sys"))
    show("Redis, appends over one connection, complaints/s", count / seconds, digits=0)
    show("    its CPU a complaint, us", used / count * 1e6, digits=2)
    show("    complaints/s with all of a core, appends alone", count / used, digits=0)


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="complaints in all")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="how many at once")
    chosen = parser.parse_args()
    rows = 16_000 if chosen.quick else chosen.rows
    print_machine()
    redis_rate(rows)
    with ExitStack() as stack:
        lite = f"sqlite:///{Path(stack.enter_context(tempfile.TemporaryDirectory())) / 'bench.sqlite3'}"
        for name, url in (("SQLite", lite), ("PostgreSQL", new_database(stack))):
            engine = open_database(url)
            migrate(engine)
            engine.dispose()
            rates = [rate(url, rows, workers, name) for workers in chosen.workers]
            if len(rates) > 1:
                show(f"    {chosen.workers[-1]} workers against {chosen.workers[0]}", rates[-1] / rates[0], digits=2)


if __name__ == "__main__":
    main()
