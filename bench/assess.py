"""Measure the p99 of GET /v1/targets/{id} while complaints come in, against a bare route in the same process.

    .venv/bin/python bench/assess.py [--seconds 60] [--rate 2000] [--singles 200] [--every 10] [--world w126]
    [--pseudonyms] [--quick]

`brigadewatch up` runs in a temporary folder with all its workers. Another API process uses the same stores: this
script's own app, which is the service's plus a bare Starlette route with one Redis GET. Complaints are posted to that
process, and both routes are called alternately, each every `--every` milliseconds, on a kept-alive connection. The
targets are 100 of flagged clusters, as far as there are any by then, and the 100 with the most complaints.
"""

from __future__ import annotations

import argparse
import gzip
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from urllib.parse import quote

import uvicorn
from figures import parser_of, print_machine, quantile, show
from installation import Client, batches, installation
from pydantic_core import from_json
from redis import Redis
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from worlds import DEMO, add_options, world

from service.app import create_app
from service.settings import read_settings
from service.storage.sql.engine import open_database

BATCH = 500
BARE_KEY = "bench:bare"
SINGLE_CONNECTIONS = 8
TARGETS_EACH = 100  # different targets of each sort


def serve(descriptor: int) -> None:
    """The service's app with the bare route, on a listening socket; REDIS_URL and DATABASE_URL say where its stores
    are.
    """
    settings = read_settings()
    app = create_app(settings, engine=open_database(settings.database_url))
    redis = app.state.redis

    async def bare(_: Request) -> PlainTextResponse:
        return PlainTextResponse(await redis.get(BARE_KEY) or b"")

    app.router.routes.insert(0, Route("/bare", bare))
    with socket.socket(fileno=descriptor) as listener:
        uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, server_header=False)).run(
            sockets=[listener]
        )


class Raw:
    """One kept-alive connection that measures a GET with as little of its own as can be: http.client's parsing takes as
    long as the answer.
    """

    def __init__(self, port: int, key: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = f" HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key}\r\n\r\n".encode()

    def get(self, path: bytes) -> float:
        """Milliseconds from sending to the last byte; RuntimeError for anything but 200."""
        started = time.perf_counter()
        self._socket.sendall(b"GET " + path + self._rest)
        data = self._socket.recv(65536)
        while b"\r\n\r\n" not in data:
            data += self._socket.recv(65536)
        head, _, body = data.partition(b"\r\n\r\n")
        length = int(
            next(line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        )
        while len(body) < length:
            body += self._socket.recv(65536)
        ended = time.perf_counter()
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"GET {path.decode()}: {head.splitlines()[0].decode()} {body[:200]!r}")
        return (ended - started) * 1e3


def ask(
    port: int, key: str, paths: Sequence[bytes], seconds: float, every_ms: float
) -> tuple[list[float], list[float]]:
    """Milliseconds of the bare route and of the targets, in turn, at a steady rate."""
    connection, bare, assessed = Raw(port, key), list[float](), list[float]()
    started = time.perf_counter()
    for number in range(int(seconds * 1e3 / every_ms)):
        time.sleep(max(0.0, started + number * every_ms / 1e3 - time.perf_counter()))
        # Who goes first changes, so that neither always meets what the pause left behind.
        for which in ((0, 1), (1, 0))[number % 2]:
            (assessed if which else bare).append(connection.get(paths[number % len(paths)] if which else b"/bare"))
    return bare, assessed


def load(port: int, key: str, path: Path, first: int, count: int, rate: float, singles: float) -> None:
    """Post the world's complaints from `first` at a steady rate, once a line comes in on stdin: `singles` a second of
    them alone, the others in batches.

    Prints how many a second it were.
    """
    with gzip.open(path) as file:
        lines = [line.strip() for line in islice(file, first, first + count)]
    alone = int(len(lines) * singles / rate)
    url = f"http://127.0.0.1:{port}"
    ways = [(batches(lines[alone:], BATCH), (rate - singles) / BATCH)]
    # One connection answers some hundred single posts a second, since each waits for the disk: several share them.
    ways += [
        (batches(lines[number:alone:SINGLE_CONNECTIONS], 1), singles / SINGLE_CONNECTIONS)
        for number in range(SINGLE_CONNECTIONS)
    ]
    threads = [
        threading.Thread(target=_post, args=(Client(url, key), bodies, per_second))
        for bodies, per_second in ways
        if bodies
    ]
    print("ready", flush=True)
    sys.stdin.readline()
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(len(lines) / max(time.perf_counter() - started, len(lines) / rate), flush=True)


def _post(client: Client, bodies: list[bytes], per_second: float) -> None:
    started = time.perf_counter()
    for number, body in enumerate(bodies):
        time.sleep(max(0.0, started + number / per_second - time.perf_counter()))
        client.post(body)


@contextmanager
def child(
    *arguments: object, pass_fds: tuple[int, ...] = (), environment: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """This script in another process (asking must not wait for posting, nor either for serving), ended at the end."""
    process = subprocess.Popen(
        [sys.executable, __file__, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        pass_fds=pass_fds,
        env=os.environ | (environment or {}),
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def wait_for(url: str) -> None:
    """Until it answers; TimeoutError after half a minute."""
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{url} does not answer") from None
            time.sleep(0.1)


def paths_of(client: Client, lines: list[bytes]) -> tuple[list[bytes], int]:
    """Paths of targets of flagged clusters (and how many those are), and of the targets that are complained
    about most.
    """
    clustered: list[str] = []
    for cluster in client.get("/v1/clusters?status=any&limit=100")["items"]:
        clustered += client.get(f"/v1/clusters/{cluster['id']}")["targets"]
    clustered = list(dict.fromkeys(clustered))[:TARGETS_EACH]
    counted = Counter(from_json(line)["target"]["id"] for line in lines)
    targets = [*clustered, *(target for target, _ in counted.most_common(TARGETS_EACH))]
    return [f"/v1/targets/{quote(target, safe='')}".encode() for target in targets], len(clustered)


def measure(
    name: str, port: int, key: str, paths: Sequence[bytes], chosen: argparse.Namespace, bar: float | None
) -> None:
    """Ask for a while and print."""
    bare, assessed = ask(port, key, paths, chosen.seconds, chosen.every)
    for share in (0.5, 0.99):
        show(f"{name}, p{share * 100:.0f} of the bare route, ms", quantile(bare, share), digits=2)
        show(f"{name}, p{share * 100:.0f} of GET /v1/targets/{{id}}, ms", quantile(assessed, share), digits=2)
    show(
        f"{name}, ratio of the p99, {len(assessed):,} calls of each",
        quantile(assessed, 0.99) / quantile(bare, 0.99),
        at_most=bar,
        digits=2,
        quick=chosen.quick,
    )


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="seconds of calls, once idle and once under load")
    parser.add_argument("--rate", type=float, default=2_000.0, help="complaints per second")
    parser.add_argument(
        "--singles",
        type=float,
        default=200.0,
        help="complaints per second, of --rate, in requests of one; the others come in batches of 500",
    )
    parser.add_argument("--every", type=float, default=10.0, help="milliseconds between two calls")
    parser.add_argument("--pseudonyms", action="store_true", help="for a tenant whose reporters are pseudonymised")
    parser.add_argument("--world", default="w126", help="name of the world (bench/worlds.py)")
    add_options(parser)
    chosen: argparse.Namespace = parser.parse_args()
    before = 100_000
    if chosen.quick:
        chosen.seconds, chosen.world, before = 4.0, DEMO, 5_000
    files = world(chosen.world, chosen)
    lines = files.lines()
    count = int(min((chosen.seconds + 2) * chosen.rate, len(lines) - before))
    print_machine()
    with installation() as up, socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
        port, key = listener.getsockname()[1], up.key()
        if chosen.pseudonyms:
            subprocess.run(
                [
                    sys.executable,
                    "-m",
                    "service.cli",
                    "tenants",
                    "set",
                    "default",
                    "--pseudonyms",
                    "on",
                    "--data",
                    str(up.data),
                ],
                check=True,
                capture_output=True,
            )
        with Redis.from_url(up.redis_url) as redis:
            redis.set(BARE_KEY, "x" * 40)
        stores = {"REDIS_URL": up.redis_url, "DATABASE_URL": up.database_url, "BRIGADEWATCH_DATA": str(up.data)}
        with child("serve", listener.fileno(), pass_fds=(listener.fileno(),), environment=stores):
            wait_for(f"http://127.0.0.1:{port}/healthz")
            client = Client(f"http://127.0.0.1:{port}", key)
            position = 0
            for body in batches(lines[:before], BATCH):
                position = client.post(body)["position"]
            client.wait_until(position, swept=True)
            paths, clustered = paths_of(client, lines[: before + count])
            print(
                f"    {before:,} complaints are there; of the {len(paths)} assessed targets {clustered} are in flagged"
                " clusters",
                flush=True,
            )
            measure("idle", port, key, paths, chosen, None)
            with child("load", port, key, files.complaints, before, count, chosen.rate, chosen.singles) as loader:
                assert loader.stdin is not None and loader.stdout is not None
                loader.stdout.readline()
                loader.stdin.write("go\n")
                loader.stdin.flush()
                time.sleep(1.0)
                measure(f"{chosen.rate:,.0f} complaints/s", port, key, paths, chosen, 3.0)
                show("    complaints a second that came in meanwhile", float(loader.stdout.readline()), digits=0)


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(int(sys.argv[2]))
    elif sys.argv[1:2] == ["load"]:
        load(
            int(sys.argv[2]),
            sys.argv[3],
            Path(sys.argv[4]),
            int(sys.argv[5]),
            int(sys.argv[6]),
            float(sys.argv[7]),
            float(sys.argv[8]),
        )
    else:
        main()
