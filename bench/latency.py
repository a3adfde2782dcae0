"""Measure the time from a batch's 202 until `analysed_position` passes its `position`, at a steady rate.

    .venv/bin/python bench/latency.py [--seconds 300] [--rate 500] [--world dense] [--quick]

Batches of 100 are sent on schedule, whatever the answers; another connection polls GET /v1/pipeline every 20 ms, so a
figure is up to 20 ms and one call too high. The usual world has 67,000 complaints a day: at 500 per second its time
runs 640 times as fast as the clock, so that sweeps are always due (at most one every 30 s).
"""

from __future__ import annotations

import argparse
import bisect
import threading
import time

from figures import parser_of, print_machine, quantile, show
from installation import Client, batches, installation, print_cpu
from worlds import DEMO, add_options, world

BATCH = 100
POLL_SECONDS = 0.02


def post_steadily(client: Client, bodies: list[bytes], rate: float, acknowledged: list[tuple[int, float]]) -> float:
    """Post a batch every BATCH/rate seconds; fills (position, when the 202 came).

    The most it was behind, in seconds.
    """
    started, behind = time.perf_counter(), 0.0
    for number, body in enumerate(bodies):
        ahead = started + number * BATCH / rate - time.perf_counter()
        behind = max(behind, -ahead)
        time.sleep(max(0.0, ahead))
        position = client.post(body)["position"]
        acknowledged.append((position, time.perf_counter()))
    return behind


def poll(client: Client, seen: list[tuple[int, float]], stop: threading.Event) -> None:
    """Fill (analysed_position, when it was seen) whenever it moved."""
    while not stop.wait(POLL_SECONDS):
        position = client.get("/v1/pipeline")["analysed_position"]
        if not seen or position > seen[-1][0]:
            seen.append((position, time.perf_counter()))


def delays(acknowledged: list[tuple[int, float]], seen: list[tuple[int, float]]) -> list[float]:
    """Seconds from each 202 until a poll first showed its position analysed."""
    positions = [position for position, _ in seen]
    return [max(0.0, seen[bisect.bisect_left(positions, position)][1] - at) for position, at in acknowledged]


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--seconds", type=float, default=300.0, help="duration in seconds")
    parser.add_argument("--rate", type=float, default=500.0, help="complaints per second")
    parser.add_argument("--world", default="dense", help="name of the world (bench/worlds.py)")
    add_options(parser)
    chosen: argparse.Namespace = parser.parse_args()
    if chosen.quick:
        chosen.seconds, chosen.world = 8.0, DEMO
    files = world(chosen.world, chosen)
    bodies = batches(files.lines()[: int(chosen.seconds * chosen.rate)], BATCH)
    print_machine()
    with installation() as up:
        key = up.key()
        client, watcher = Client(up.url, key), Client(up.url, key)
        acknowledged: list[tuple[int, float]] = []
        seen: list[tuple[int, float]] = []
        stop = threading.Event()
        polling = threading.Thread(target=poll, args=(watcher, seen, stop))
        before = up.cpu()
        polling.start()
        try:
            behind = post_steadily(client, bodies, chosen.rate, acknowledged)
            client.wait_until(acknowledged[-1][0], seconds=120)
            print_cpu(before, up.cpu(), acknowledged[-1][0])
            time.sleep(5 * POLL_SECONDS)
        finally:
            stop.set()
            polling.join()
        found = delays(acknowledged, seen)
        seconds = acknowledged[-1][1] - acknowledged[0][1]
        print(
            f"    {len(bodies):,} batches of {BATCH} in {seconds:.0f} s, {(len(bodies) - 1) * BATCH / seconds:.0f}"
            f" complaints/s; the client was {behind * 1e3:.0f} ms late at most"
        )
        for share in (0.5, 0.95, 0.99, 1.0):
            show(
                f"202 until analysed, {files.name}, {'largest' if share == 1 else f'p{share * 100:.0f}'}, s",
                quantile(found, share),
                at_most=2.0 if share == 0.95 else None,
                digits=2,
                quick=chosen.quick,
            )


if __name__ == "__main__":
    main()
