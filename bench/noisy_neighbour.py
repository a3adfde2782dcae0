"""Measure what one tenant at its maximum rate does to another: latency of the analysis and of assessments.

    .venv/bin/python bench/noisy_neighbour.py [--seconds 60] [--rate N] [--world dense] [--quick]

`brigadewatch up` runs with all its workers. A quiet tenant posts five complaints every half second and asks about its
targets every 20 ms, first alone, then beside a noisy tenant: a separate process with two connections that posts batches
of 500 as fast as they are accepted (with `--rate`, as fast as its limit allows, set with `tenants set`) and waits when
it gets 429. Another connection polls the quiet tenant's GET /v1/pipeline every 20 ms, so a figure is up to 20 ms and
one call too high.
"""

from __future__ import annotations

import argparse
import gzip
import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count, islice
from pathlib import Path
from urllib.parse import quote, urlsplit

from figures import parser_of, print_machine, quantile, show
from installation import Client, Installation, batches, installation, print_cpu
from latency import delays, poll
from worlds import DEMO, WorldFiles, add_options, world

QUIET_BATCH, QUIET_EVERY = 5, 0.5
ASK_EVERY = 0.02
FLOOD_BATCH, FLOOD_CONNECTIONS = 500, 2


@dataclass
class Measured:
    """What the quiet tenant saw in one phase."""

    acknowledged: list[tuple[int, float]] = field(default_factory=list)  # (position, when the 202 came)
    posts: list[float] = field(default_factory=list)  # seconds a post took
    answers: list[float] = field(default_factory=list)  # milliseconds an assessment took


def read_batches(folder: Path, share: int) -> Iterator[bytes]:
    """This process's batches, read as they are needed: a million lines read at once would cost the machine seconds of
    what is measured.
    """
    with gzip.open(WorldFiles(folder.name, folder).complaints, "rb") as file:
        for number in count():
            lines = list(islice(file, FLOOD_BATCH))
            if not lines:
                return
            if number % FLOOD_CONNECTIONS == share:
                yield b"".join(lines)


def flood(url: str, key: str, folder: Path, share: int) -> None:
    """Post the world's complaints until a signal or the end of the world; wait after a 429."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=60)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/x-ndjson"}
    for body in read_batches(folder, share):
        while True:
            connection.request("POST", "/v1/complaints", body, headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status == 202:
                break
            if answer.status != 429:
                raise RuntimeError(f"the flood got {answer.status}")
            time.sleep(float(answer.headers["Retry-After"]))


def ask(client: Client, targets: list[str], answers: list[float], stop: threading.Event) -> None:
    """Ask about a target every 20 ms, at its own times."""
    number, started = 0, time.perf_counter()
    while not stop.is_set():
        time.sleep(max(0.0, started + number * ASK_EVERY - time.perf_counter()))
        began = time.perf_counter()
        client.get(f"/v1/targets/{quote(targets[number % len(targets)], safe='')}")
        answers.append((time.perf_counter() - began) * 1e3)
        # what was missed meanwhile is not made up for
        number = max(number + 1, int((time.perf_counter() - started) / ASK_EVERY))


def phase(up: Installation, key: str, bodies: list[bytes], targets: list[str], seconds: float) -> Measured:
    """Post and ask for so many seconds, beside whatever else goes on."""
    measured, stop = Measured(), threading.Event()
    client, asker = Client(up.url, key), Client(up.url, key)
    asking = threading.Thread(target=ask, args=(asker, targets, measured.answers, stop))
    asking.start()
    started, number = time.perf_counter(), 0
    try:
        while number * QUIET_EVERY < seconds and bodies:
            time.sleep(max(0.0, started + number * QUIET_EVERY - time.perf_counter()))
            began = time.perf_counter()
            position = client.post(bodies.pop(0))["position"]
            measured.acknowledged.append((position, time.perf_counter()))
            measured.posts.append(time.perf_counter() - began)
            number += 1
    finally:
        stop.set()
        asking.join()
    return measured


def report(measured: Measured, seen: list[tuple[int, float]], what: str, quick: bool, bar: float | None) -> float:
    """Print the phase's figures; the p99 of the answers."""
    found = delays(measured.acknowledged, seen)
    for share in (0.5, 0.95, 1.0):
        show(
            f"quiet tenant, 202 until analysed, {what}, {'largest' if share == 1 else f'p{share * 100:.0f}'}, s",
            quantile(found, share),
            at_most=bar if share == 0.95 else None,
            digits=2,
            quick=quick,
        )
    show(f"quiet tenant, POST, {what}, p95, ms", quantile(measured.posts, 0.95) * 1e3, digits=1, quick=quick)
    for share in (0.5, 0.99):
        show(
            f"quiet tenant, GET /v1/targets, {what}, p{share * 100:.0f}, ms",
            quantile(measured.answers, share),
            digits=1,
            quick=quick,
        )
    return quantile(measured.answers, 0.99)


def set_rate(up: Installation, tenant: str, rate: float) -> None:
    """Let the tenant send so many items a second."""
    subprocess.run(
        [sys.executable, "-m", "service.cli", "tenants", "set", tenant, "--rate", str(rate), "--data", str(up.data)],
        check=True,
        stdout=subprocess.DEVNULL,
    )


def measure(chosen: argparse.Namespace) -> None:
    """Both phases on one installation."""
    quiet, noisy = world(DEMO, chosen), world(chosen.world, chosen)
    lines = quiet.lines()
    bodies = batches(lines, QUIET_BATCH)
    targets = sorted({json.loads(line)["target"]["id"] for line in lines[:500]})
    with installation() as up:
        quiet_key, noisy_key = up.key("quiet"), up.key("noisy")
        if chosen.rate:
            set_rate(up, "noisy", chosen.rate)
        seen: list[tuple[int, float]] = []
        stop = threading.Event()
        watcher = threading.Thread(target=poll, args=(Client(up.url, quiet_key), seen, stop))
        watcher.start()
        floods: list[subprocess.Popen[bytes]] = []
        try:
            alone = phase(up, quiet_key, bodies, targets, chosen.seconds)
            before = up.cpu()
            floods = [
                subprocess.Popen(
                    [sys.executable, __file__, "--flood", up.url, noisy_key, str(noisy.folder), str(share)]
                )
                for share in range(FLOOD_CONNECTIONS)
            ]
            beside = phase(up, quiet_key, bodies, targets, chosen.seconds)
            ended = [process.poll() for process in floods]
            state = Client(up.url, noisy_key).get("/v1/pipeline")
            print_cpu(before, up.cpu(), max(1, state["archived"]))
            for process in floods:
                process.terminate()
                process.wait()
            Client(up.url, quiet_key).wait_until(beside.acknowledged[-1][0], seconds=120)
            time.sleep(0.2)
        finally:
            stop.set()
            watcher.join()
            for process in floods:
                process.kill()
        print(
            f"    the noisy tenant: {state['accepted']:,} accepted, {state['archived']:,} archived,"
            f" {state['analysed']:,} analysed, behind by {state['lag_seconds']:.0f}"
            f" s{'; it had no more to send' if any(code == 0 for code in ended) else ''}",
            flush=True,
        )
        if any(code not in (None, 0) for code in ended):
            raise RuntimeError("the flood ended with an error")
        calm = report(alone, seen, "alone", chosen.quick, None)
        noise = report(beside, seen, "beside it", chosen.quick, 5.0)
        show(
            "GET /v1/targets, p99 beside the noisy tenant against alone, ratio",
            noise / calm,
            digits=2,
            quick=chosen.quick,
        )


def main() -> None:
    if sys.argv[1:2] == ["--flood"]:
        flood(sys.argv[2], sys.argv[3], Path(sys.argv[4]), int(sys.argv[5]))
        return
    parser = parser_of(__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="duration of each phase in seconds")
    parser.add_argument(
        "--rate", type=float, default=None, help="rate limit of the noisy tenant, in items per second; None: unlimited"
    )
    parser.add_argument("--world", default="dense", help="world that the noisy tenant sends (bench/worlds.py)")
    add_options(parser)
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.seconds, chosen.world = 6.0, DEMO
    print_machine()
    measure(chosen)


if __name__ == "__main__":
    main()
