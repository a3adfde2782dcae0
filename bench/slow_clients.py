"""Measure slow and silent clients: when each is disconnected, and how assessments fare meanwhile.

    .venv/bin/python bench/slow_clients.py [--seconds 60] [--idle 1000] [--bodies 100] [--every 20] [--quick]

`brigadewatch up` runs in a temporary folder. Of the `--idle` connections one third sends nothing, one third half a
request head, and one third nothing more after an answer; `--bodies` connections post one byte of a body per second,
half of them with a key. Each disconnected client reconnects at once, so that their number stays the same. Meanwhile a
target is requested every `--every` milliseconds and a complaint posted every half second, each on an ordinary
connection.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit

from figures import parser_of, print_machine, quantile, show
from installation import installation

LIMIT_SECONDS = 10.0  # service/api/bounded_protocol.py, Bounds.wait_seconds
LATE_SECONDS = 2.0  # one for the grain of its timer, one for a busy machine
KEPT_SECONDS = 5.0  # after an answer, uvicorn's


@dataclass
class Seen:
    """What happened."""

    # seconds until each connection was cut
    held_by_kind: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    asked_ms: list[float] = field(default_factory=list)
    posted_ms: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


class Flood:
    """The slow clients of one run."""

    def __init__(self, host: str, port: int, key: str, until: float, seen: Seen) -> None:
        self._host, self._port, self._key, self._until, self._seen = host, port, key, until, seen

    async def hold(self, kind: str, begin: bytes, drip: bytes, answers: int) -> None:
        """Open a connection, say `begin`, read `answers` answers, then say `drip` every second until it is cut; and
        again, until the run ends.
        """
        while time.monotonic() < self._until:
            try:
                reader, writer = await asyncio.open_connection(self._host, self._port)
            except OSError as error:
                self._seen.failures.append(f"{kind}: no connection: {error}")
                await asyncio.sleep(0.5)
                continue
            try:
                writer.write(begin)
                for _ in range(answers):
                    await read_answer(reader)
                held = await self._until_cut(reader, writer, drip)
                if held is not None:
                    self._seen.held_by_kind[kind].append(held)
            except (OSError, asyncio.IncompleteReadError) as error:
                self._seen.failures.append(f"{kind}: {type(error).__name__}: {error}")
            finally:
                writer.transport.abort()

    async def _until_cut(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, drip: bytes) -> float | None:
        """Seconds until the other side ended it; None when the run ended before."""
        began = time.monotonic()
        while time.monotonic() < self._until:
            try:
                async with asyncio.timeout(1.0):
                    if not await reader.read(65_536):
                        return time.monotonic() - began
            except TimeoutError:
                if drip:
                    writer.write(drip)
            except OSError:
                return time.monotonic() - began
        return None

    def run(self, idle: int, bodies: int) -> list[asyncio.Task[None]]:
        """All of them, begun within two seconds."""
        get = b"GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n"
        post = (
            b"POST /v1/complaints HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n"
        )
        kinds: list[tuple[str, bytes, bytes, int]] = [
            *(
                [
                    ("silent", b"", b"", 0),
                    ("half a head", b"GET /healthz HTTP/1.1\r\nHost: t\r\nX-A: ", b"a", 0),
                    ("idle after an answer", get, b"", 1),
                ]
                * (idle // 3 + 1)
            )[:idle],
            *(
                [
                    ("a body with a key", post + f"Authorization: Bearer {self._key}\r\n\r\n".encode(), b"[", 0),
                    ("a body without a key", post + b"\r\n", b"[", 1),
                ]
                * (bodies // 2 + 1)
            )[:bodies],
        ]
        return [asyncio.create_task(self.hold(*kind)) for kind in kinds]


async def read_answer(reader: asyncio.StreamReader) -> int:
    """The status of the next answer, which is read whole."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
    )
    await reader.readexactly(length)
    return int(head.split(b" ", 2)[1])


async def ask(
    host: str,
    port: int,
    request: bytes,
    expected: int,
    every_seconds: float,
    until: float,
    took_ms: list[float],
    failures: list[str],
) -> None:
    """Send the request at a steady pace on one kept-alive connection, and note how long each answer took."""
    reader, writer = await asyncio.open_connection(host, port)
    due = time.monotonic()
    while time.monotonic() < until:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        due = max(due + every_seconds, time.monotonic())
        began = time.perf_counter()
        writer.write(request)
        async with asyncio.timeout(30):
            status = await read_answer(reader)
        took_ms.append((time.perf_counter() - began) * 1_000)
        if status != expected:
            failures.append(f"{status} instead of {expected}")
    writer.transport.abort()


async def measure(
    url: str, key: str, *, seconds: float, idle: int, bodies: int, every_seconds: float
) -> tuple[list[float], Seen]:
    """How long the question takes alone (milliseconds each), and what was seen under the flood."""
    parts = urlsplit(url)
    host, port = str(parts.hostname), int(parts.port or 80)
    authorized = f"Host: t\r\nAuthorization: Bearer {key}\r\n"
    question = f"GET /v1/targets/t-1 HTTP/1.1\r\n{authorized}\r\n".encode()
    complaint = json.dumps(
        {"id": "c-1", "occurred_at": datetime.now(UTC).isoformat(), "reporter": {"id": "r"}, "target": {"id": "t-1"}}
    )
    post = (
        f"POST /v1/complaints HTTP/1.1\r\n{authorized}Content-Type: application/json\r\nContent-Length:"
        f" {len(complaint)}\r\n\r\n{complaint}".encode()
    )
    seen = Seen()
    first: list[float] = []
    await ask(host, port, post, 202, 0.0, time.monotonic() + 0.1, first, seen.failures)
    alone: list[float] = []
    await ask(host, port, question, 200, every_seconds, time.monotonic() + min(10.0, seconds), alone, seen.failures)
    until = time.monotonic() + seconds
    flood = Flood(host, port, key, until, seen).run(idle, bodies)
    await asyncio.gather(
        ask(host, port, question, 200, every_seconds, until, seen.asked_ms, seen.failures),
        ask(host, port, post, 202, 0.5, until, seen.posted_ms, seen.failures),
        *flood,
    )
    return alone, seen


def print_results(alone: Sequence[float], seen: Seen, quick: bool) -> bool:
    """Print all figures; whether every bar is met."""
    met = True
    for kind, held in sorted(seen.held_by_kind.items()):
        limit = KEPT_SECONDS if kind == "idle after an answer" else LIMIT_SECONDS
        print(f"{kind}: {len(held)} connections cut")
        met &= show("  the first after", min(held), unit=" s", digits=2)
        met &= show("  the last after", max(held), at_most=limit + LATE_SECONDS, unit=" s", digits=2, quick=quick)
    met &= show("kinds of slow clients that were cut", len(seen.held_by_kind), at_least=5, digits=0)
    met &= show("answers that were none, or wrong", len(seen.failures), at_most=0, digits=0)
    for text in seen.failures[:5]:
        print(f"    {text}")
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        show(f"GET /v1/targets/(id) {name}, alone", quantile(alone, share), unit=" ms", digits=2)
        show(
            f"GET /v1/targets/(id) {name}, beside them ({len(seen.asked_ms)} calls)",
            quantile(seen.asked_ms, share),
            unit=" ms",
            digits=2,
        )
    show("the slowest", max(seen.asked_ms), unit=" ms", digits=2)
    show(
        f"POST /v1/complaints p50 beside them ({len(seen.posted_ms)} calls)",
        quantile(seen.posted_ms, 0.5),
        unit=" ms",
        digits=2,
    )
    return met


def main() -> int:
    """0: every bar is met, or this was the quick form and it ran."""
    parser = parser_of(__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="duration")
    parser.add_argument("--idle", type=int, default=1_000, help="connections that send nothing more")
    parser.add_argument("--bodies", type=int, default=100, help="connections that send a body slowly")
    parser.add_argument("--every", type=float, default=20.0, metavar="MS", help="milliseconds between two assessments")
    options = parser.parse_args()
    if options.quick:
        options.seconds, options.idle, options.bodies = 14.0, 60, 10
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(
        resource.RLIMIT_NOFILE,
        (max(soft, min(hard, options.idle + options.bodies + 200)) if hard != resource.RLIM_INFINITY else soft, hard),
    )
    print_machine()
    with installation() as up:
        alone, seen = asyncio.run(
            measure(
                up.url,
                up.key(),
                seconds=options.seconds,
                idle=options.idle,
                bodies=options.bodies,
                every_seconds=options.every / 1_000,
            )
        )
    met = print_results(alone, seen, options.quick)
    return 0 if met or options.quick else 1


if __name__ == "__main__":
    sys.exit(main())
