"""Measure complaints per second from the first request until nothing is pending, against a naive implementation.

    .venv/bin/python bench/end_to_end.py [--world w126] [--runs 1] [--gzip] [--outcomes] [--naive 3000] [--quick]

`brigadewatch up` runs in a temporary folder (API, Redis with appendfsync always, SQLite, workers, clock). One client
posts the world in batches of 500 over one kept-alive connection, each after the 202 of the previous one, since the
order of concurrent requests would be random. With --outcomes the moderators' outcomes are sent in between, by time.

The naive implementation, in the same installation: one RQ job per complaint, on one SimpleWorker, each calling the
ingest worker's own commit with a batch of one. It gets every advantage: no HTTP, no validation, jobs enqueued in
pipelines of 500, and the time stops when the last job is archived, not analysed.
"""

from __future__ import annotations

import argparse
import gzip
import statistics
import subprocess
import sys
import threading
import time

import naive
from figures import parser_of, print_machine, quantile, show
from installation import Client, Installation, batches, installation, print_cpu
from worlds import DEMO, WorldFiles, add_options, world

from service.replay import cut, merged, survey_files

BATCH = 500


def requests_of(files: WorldFiles, with_outcomes: bool, most: int | None) -> tuple[list[tuple[bytes, bytes]], int]:
    """(complaints, outcomes) as NDJSON, a pair a stretch of 500 complaints, and how many complaints there are."""
    if not with_outcomes:
        lines = files.lines()[:most]
        return [(body, b"") for body in batches(lines, BATCH)], len(lines)
    order = merged([files.complaints], [files.outcomes], survey_files([files.complaints], [files.outcomes]))
    pairs = [(b"\n".join(batch.complaints), b"\n".join(batch.outcomes)) for batch in cut(order, BATCH)]
    return pairs, sum(complaints.count(b"\n") + 1 for complaints, _ in pairs if complaints)


def run(
    up: Installation, tenant: str, requests: list[tuple[bytes, bytes]], complaints: int, encoding: str | None
) -> float:
    """Post all; complaints a second from the first request until nothing is pending."""
    client = Client(up.url, up.key(tenant))
    before = up.cpu()
    answered: list[float] = []
    position = 0
    started = time.perf_counter()
    for body, outcomes in requests:
        began_request = time.perf_counter()
        if body:
            position = client.post(body, encoding=encoding)["position"]
        if outcomes:
            position = client.outcomes(outcomes)["position"]
        answered.append((time.perf_counter() - began_request) * 1e3)
    sent = time.perf_counter() - started
    client.wait_until(position, pause=0.05)
    seconds = time.perf_counter() - started
    print_cpu(before, up.cpu(), complaints)
    print(
        f"    {complaints:,} complaints, {position:,} items: sent in {sent:.1f} s (a request p50"
        f" {quantile(answered, 0.5):.1f}, p99 {quantile(answered, 0.99):.1f} ms), pending 0 after {seconds:.1f} s"
    )
    client.wait_until(position, swept=True, pause=0.2)
    print(
        f"    swept after {time.perf_counter() - started:.1f} s; clusters"
        f" {len(client.get('/v1/clusters?status=any&limit=100')['items'])} on the first page",
        flush=True,
    )
    client.close()
    return complaints / seconds


def run_naive(up: Installation, lines: list[bytes]) -> float:
    """One job a complaint, one SimpleWorker: complaints archived a second."""
    up.key("naive")
    worker = subprocess.Popen(
        [sys.executable, naive.__file__, "work", up.redis_url, up.database_url, str(len(lines))],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert worker.stdout is not None
    try:
        if worker.stdout.readline().strip() != "ready":
            raise RuntimeError("the naive worker did not start; its error is above")
        started = time.perf_counter()
        producer = threading.Thread(target=naive.produce, args=(up.redis_url, lines))
        producer.start()
        printed = worker.stdout.readline().split()
        seconds = time.perf_counter() - started
        producer.join()
        if printed != ["done", str(len(lines))]:
            raise RuntimeError(f"the naive worker printed {printed}, expected: done {len(lines)}")
        return len(lines) / seconds
    finally:
        worker.terminate()
        worker.wait()


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--world", default="w126", help="name of the world (bench/worlds.py)")
    parser.add_argument("--runs", type=int, default=1, help="number of runs, each with a new tenant")
    parser.add_argument("--most", type=int, metavar="N", help="use only the first N complaints")
    parser.add_argument("--gzip", action="store_true", help="compress request bodies")
    parser.add_argument("--outcomes", action="store_true", help="send the outcomes as well")
    parser.add_argument(
        "--naive", type=int, default=3_000, metavar="N", help="complaints for the naive implementation; 0: skip it"
    )
    add_options(parser)
    chosen: argparse.Namespace = parser.parse_args()
    if chosen.quick:
        chosen.world, chosen.naive, chosen.most = DEMO, 500, 20_000
    files = world(chosen.world, chosen)
    requests, complaints = requests_of(files, chosen.outcomes, chosen.most)
    encoding = "gzip" if chosen.gzip else None
    if encoding:
        requests = [(gzip.compress(body, 1) if body else body, outcomes) for body, outcomes in requests]
    print_machine()
    with installation() as up:
        rates = []
        for number in range(chosen.runs):
            rates.append(run(up, f"bench-{number}", requests, complaints, encoding))
            show(f"end to end, {files.name}, complaints/s", rates[-1], at_least=8_000, digits=0, quick=chosen.quick)
        if chosen.naive:
            slow = run_naive(up, files.lines()[: chosen.naive])
            show(f"naive form, {chosen.naive:,} complaints, complaints/s", slow, digits=0)
            show("ratio", statistics.median(rates) / slow, at_least=50, digits=0, quick=chosen.quick)


if __name__ == "__main__":
    main()
