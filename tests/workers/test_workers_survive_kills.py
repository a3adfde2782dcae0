"""SIGKILL of the ingest worker, the clock and the server while complaints come in: nothing lost, nothing twice."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from archive_lines import complaint
from conftest import RedisClients
from pipeline_world import Paper
from redis.exceptions import RedisError
from redis_process import RedisProcess
from sqlalchemy import Engine, func, select

from service.errors import StoreUnavailable
from service.settings import Settings
from service.storage.redis_store import redis_keys
from service.storage.redis_store.client import connect
from service.storage.sql.hashing import key_of
from service.storage.sql.schema import complaints, feed, targets

ROOT = Path(__file__).parents[2]
BATCHES, SIZE = 200, 100
HEAL_SECONDS = 30


class Machines:
    """The server and the processes on it, each of which can be killed and is then started again."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.folder, self.settings = folder, settings
        self.server = RedisProcess(folder).start()
        self.url = self.server.url
        self.processes = {name: self._process(name) for name in ("ingest", "clock")}

    def _process(self, name: str) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ,
            "REDIS_URL": self.url,
            "DATABASE_URL": self.settings.database_url,
            "BRIGADEWATCH_SECRET_KEY": "5e" * 32,
            "BRIGADEWATCH_DATA": str(self.settings.data),
            "PYTHONPATH": str(ROOT),
            "BRIGADEWATCH_LOG_LEVEL": "ERROR",
        }
        return subprocess.Popen([sys.executable, "-m", "workers", name], env=environment, cwd=ROOT)

    def kill(self, name: str) -> None:
        if name == "valkey":
            self.server.kill()
            self.server.start()
        else:
            self.processes[name].kill()
            self.processes[name].wait(10)
            self.processes[name] = self._process(name)

    def end(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait(10)
        self.server.kill()


@pytest.fixture
def machines(tmp_path: Path, engine: Engine, settings: Settings) -> Iterator[Machines]:
    made = Machines(tmp_path / "valkey", settings)
    yield made
    made.end()


def test_nothing_is_lost_and_nothing_counts_twice(
    machines: Machines, engine: Engine, settings: Settings, loop: Any
) -> None:
    clients = RedisClients(redis.Redis.from_url(machines.url), connect(machines.url, 1.0), loop, url=machines.url)
    paper = Paper(clients, engine, settings)
    kills = {20: "ingest", 50: "valkey", 80: "ingest", 110: "clock", 140: "valkey", 170: "ingest"}
    repeated = 0
    for number in range(BATCHES):
        lines = [
            complaint(f"c-{number}-{k}", seconds=number, reporter=f"r{(number * SIZE + k) % 4_001}", target=f"t{k}")
            for k in range(SIZE)
        ]
        while True:
            try:
                paper.accepts(*lines)
                break
            except StoreUnavailable:
                repeated += 1
        if number in kills:
            machines.kill(kills[number])

    accepted = int(paper.redis.get(redis_keys.position("paper")))
    assert accepted >= BATCHES * SIZE
    deadline = time.monotonic() + HEAL_SECONDS
    while True:
        try:
            if paper.state().archived_position >= accepted and not paper.waiting():
                break
        except RedisError:
            pass
        assert time.monotonic() < deadline, f"{paper.state()} of {accepted} after {HEAL_SECONDS} s"
        time.sleep(0.1)

    state = paper.state()
    assert state.archived == state.archived_position == accepted
    assert state.archived - state.duplicates == paper.count(complaints) == BATCHES * SIZE
    assert state.duplicates % SIZE == 0 and state.duplicates <= repeated * SIZE, (
        "only batches that were sent again came twice"
    )
    pairs = {(f"t{k}", (number * SIZE + k) % 4_001) for number in range(BATCHES) for k in range(SIZE)}
    expected = Counter(key_of(target) for target, _ in pairs)
    with engine.connect() as connection:
        assert {row.target_key: row.complaints for row in connection.execute(select(targets))} == expected
        assert connection.execute(select(func.sum(feed.c["items"]), func.max(feed.c.last_position))).one() == (
            accepted,
            accepted,
        )
    assert paper.progress("archived") == accepted
    clients.blocking.close()
    clients.run(clients.asyncio.aclose())
    clients.run(clients.asyncio.connection_pool.disconnect())
