"""Measure the time from posting a complaint until the answer that contains it.

    .venv/bin/python bench/answer_in_time.py [--asks 300] [--rate 500] [--size 50000] [--imports 6]
    [--waiters 1000] [--quick]

A `brigadewatch up` of its own holds a window of `--size` complaints (of bench/worlds, moved so that it ends now).
Single complaints are posted with `assess=true&wait=5000`: alone; beside `--rate` complaints a second of the same
tenant; with detection left out (a stand-in only notes that everything archived is analysed: what the way itself costs);
and beside an import of other worlds' complaints into the same tenant. At last `--waiters` requests wait in one
process, for a position that is not analysed while the workers stand still; meanwhile other questions are asked.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from urllib.parse import urlsplit

from figures import parser_of, print_machine, quantile, show
from installation import Client, Installation, batches, installation, print_cpu
from race import complaint, moved

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from bench.worlds.catalogue import draw
from bench.worlds.world import Wanted

GAP_SECONDS, WAIT_MS, BATCH = 0.05, 5_000, 20
# Run in a process of its own, with the settings of the installation: takes the place of the detect worker.
STAND_IN = """
import sys, time
from service.settings import read_settings
from service.storage.redis_store import redis_keys
from workers import jobs
from workers.resources import open_resources

def note_all(tenant, resources):
    progress = redis_keys.progress(tenant)
    resources.redis.hset(progress, "analysed", resources.redis.hget(progress, "archived") or 0)

jobs.function_of = lambda work: note_all
jobs.run_worker("detect", open_resources(read_settings()))
"""


def window(seed: int, size: int) -> list[bytes]:
    """Complaints of a city in fourteen days that end now."""
    world = draw("newspaper", Wanted(seed, size, outcomes=False))
    return moved(world.complaints, "occurred_at", datetime.now(UTC), shrink=0.5)


def ask(client: Client, name: str, asks: int) -> tuple[list[float], int]:
    """Milliseconds of each round trip, and how many answers did not contain the complaint in time."""
    taken, late = [], 0
    for number in range(asks):
        began = time.perf_counter()
        answer = client.ask(complaint(f"{name}-{number // 5}", f"{name}-{number}"), 8, WAIT_MS)
        taken.append((time.perf_counter() - began) * 1_000)
        late += answer["pending"]
        time.sleep(random.uniform(0, 2 * GAP_SECONDS))
    return taken, late


@contextmanager
def posting(up: Installation, key: str, lines: list[bytes], rate: float) -> Iterator[None]:
    """Meanwhile, complaints under new ids are posted at a steady rate; 0: as fast as they are taken, each once."""
    stop = threading.Event()

    def post() -> None:
        client, started = Client(up.url, key), time.perf_counter()
        bodies = batches(lines, BATCH if rate else 500)
        for number, body in enumerate(cycle(bodies) if rate else bodies):
            if rate:
                stop.wait(max(0.0, started + number * BATCH / rate - time.perf_counter()))
                body = body.replace(b'{"id":"', b'{"id":"again-%d-' % number)
            if stop.is_set():
                return
            client.post(body)

    thread = threading.Thread(target=post)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def detection_left_out(up: Installation) -> Iterator[None]:
    """The detect worker stands still, and a stand-in takes its jobs."""
    worker = up.parts()["worker-detect"]
    environment = worker.environ()
    worker.suspend()
    stand_in = subprocess.Popen([sys.executable, "-c", STAND_IN], env=environment)
    try:
        time.sleep(3)
        yield
    finally:
        stand_in.terminate()
        stand_in.wait(30)
        worker.resume()


async def wait_for_nothing(up: Installation, key: str, waiters: int, client: Client) -> tuple[list[float], float]:
    """Milliseconds of other questions while so many wait, and the megabytes that the API grew by."""
    parts, api = urlsplit(up.url), up.parts()["api"]
    workers = [up.parts()[name] for name in ("worker-ingest", "worker-detect")]
    for worker in workers:
        worker.suspend()
    try:
        position = client.post(complaint("waited for", "somebody"))["position"]
        before = api.memory_info().rss
        path = f"/v1/targets/t?after={position}&wait=5000"
        request = f"GET {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n\r\n"

        async def wait() -> bytes:
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            writer.write(request.encode())
            answer = await reader.read()
            writer.close()
            return answer.partition(b"\r\n")[0]

        waiting = [asyncio.create_task(wait()) for _ in range(waiters)]
        await asyncio.sleep(2.0)
        taken, grown = [], api.memory_info().rss - before
        for number in range(100):
            began = time.perf_counter()
            await asyncio.to_thread(client.get, f"/v1/targets/other-{number}")
            taken.append((time.perf_counter() - began) * 1_000)
        answers = set(await asyncio.gather(*waiting))
        if answers != {b"HTTP/1.1 200 OK"}:
            sys.exit(f"waiting requests were answered with {answers}")
    finally:
        for worker in workers:
            worker.resume()
    return taken, grown / 1e6


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--asks", type=int, default=300, help="complaints posted and asked about in each phase")
    parser.add_argument("--rate", type=float, default=500.0, help="complaints a second beside them")
    parser.add_argument("--size", type=int, default=50_000, help="complaints in the window (50,000 at most)")
    parser.add_argument("--imports", type=int, default=6, help="worlds of that size that are imported beside them")
    parser.add_argument("--waiters", type=int, default=1_000, help="requests that wait at once")
    chosen: argparse.Namespace = parser.parse_args()
    if chosen.quick:
        chosen.asks, chosen.size, chosen.imports, chosen.waiters = 20, 2_000, 1, 50
    print_machine()
    with installation() as up:
        key = up.key()
        client = Client(up.url, key)
        lines = window(62, chosen.size)
        for body in batches(lines, 500):
            position = client.post(body)["position"]
        client.wait_until(position, swept=True)
        met = [measure(up, key, client, lines, chosen)]
    sys.exit(0 if all(met) or chosen.quick else 1)


def measure(up: Installation, key: str, client: Client, lines: list[bytes], chosen: argparse.Namespace) -> bool:
    """All phases; whether every bar is met."""
    met, medians = [], {}
    ask(client, "warm", 5)

    def phase(name: str, shown: str, **bars: float) -> None:
        before = up.cpu()
        taken, late = ask(Client(up.url, key), name, chosen.asks)  # an idle connection would have been closed meanwhile
        print(f"{shown} (load below)")
        print_machine()
        print_cpu(before, up.cpu(), chosen.asks)
        medians[name] = quantile(taken, 0.5)
        for share, label in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99")):
            bar = bars.get(label)
            met.append(show(f"  {label}", quantile(taken, share), at_most=bar, unit=" ms", quick=chosen.quick))
        show(f"  answers after {WAIT_MS} ms without the complaint", late, digits=0)

    phase("idle", "nothing beside it", p95=120.0)
    with posting(up, key, lines, chosen.rate):
        time.sleep(2)
        phase("busy", f"beside {chosen.rate:,.0f} complaints/s", p50=100.0, p95=300.0)
    time.sleep(5)
    with detection_left_out(up):
        phase("bare", "detection left out")
    show("  p50 with detection, by p50 without", medians["idle"] / medians["bare"], digits=2)
    imported = [
        line.replace(b'{"id":"', b'{"id":"import-%d-' % seed)
        for seed in range(63, 63 + chosen.imports)
        for line in window(seed, chosen.size)
    ]
    with posting(up, key, imported, 0):
        time.sleep(1)
        phase("import", f"beside an import of {len(imported):,} complaints into the same tenant")
    client = Client(up.url, key)
    client.wait_until(client.post(complaint("again", "after the import"))["position"], seconds=900)
    taken, grown = asyncio.run(wait_for_nothing(up, key, chosen.waiters, client))
    print(f"{chosen.waiters:,} requests wait in one process")
    show("  other questions, p50", quantile(taken, 0.5), unit=" ms")
    show("  other questions, p99", quantile(taken, 0.99), unit=" ms")
    show("  memory that the process grew by", grown, unit=" MB")
    return all(met)


if __name__ == "__main__":
    main()
