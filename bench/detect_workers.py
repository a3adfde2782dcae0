"""Measure how far detection grows with detect workers: many tenants over a prepared feed, one worker against two.

    .venv/bin/python bench/detect_workers.py [--tenants 40] [--complaints 3000] [--quick]

Everything is archived first, by the ingest worker's own code; then the clock and one or two detect workers, each on a
core of its own, analyse it. The complaints of a tenant lie within six days, so that no tick waits for a sweep. At last
one of two workers is killed, and the time is taken until a tenant of its is analysed further.

PostgreSQL is the server at DATABASE_URL, or else a temporary one that syncs each commit; SQLite has one writer at a
time.
"""

from __future__ import annotations

import os
import random
import secrets
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import redis
from figures import parser_of, print_machine, show
from postgresql import databases

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from redis_process import RedisProcess
from sqlalchemy import Engine, select

from service.intake.items import COMPLAINT, canonical, read_value
from service.model import Complaint
from service.settings import read_settings
from service.storage.accounts.tenants import create_tenant
from service.storage.redis_store import redis_keys, stream
from service.storage.redis_store.redis_identity import agree, user_of
from service.storage.sql.engine import migrate, open_database
from service.storage.sql.schema import analysis_state, ingest_state
from workers import ingest
from workers.resources import Resources

START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS, READERS, BATCH = 6, 1_500, 500
MOST_SECONDS = 300.0
SECRET = secrets.token_hex(32)


def lines(seed: int, count: int, after_days: float = 0.0) -> list[bytes]:
    """Canonical complaints of a comment section over six days, or of an hour from `after_days` on."""
    rng, found = random.Random(seed), []
    span = timedelta(hours=1) if after_days else timedelta(days=DAYS)
    for number in range(count):
        target = int(number / count * count / 4 + rng.expovariate(1 / 20))
        item = read_value(
            {
                "id": f"c-{after_days}-{number}",
                "occurred_at": (START + timedelta(days=after_days) + span * (number / count)).isoformat(),
                "reporter": {"id": f"reader-{int(rng.paretovariate(0.9)) % READERS}"},
                "target": {"id": f"comment-{target}", "context_id": f"article-{target // 20}"},
            },
            COMPLAINT,
            START + timedelta(days=365),
        )
        assert isinstance(item, Complaint)
        found.append(canonical(item, COMPLAINT))
    return found


def archive(resources: Resources, tenants: list[str], seed: int, count: int, after_days: float = 0.0) -> None:
    """The complaints of every tenant, into the archive and the feed."""
    for number, tenant in enumerate(tenants):
        made = lines(seed + number, count, after_days)
        for at in range(0, len(made), BATCH):
            batch = stream.StreamBatch(len(made[at : at + BATCH]), b"\n".join(made[at : at + BATCH]))
            stream.append_blocking(resources.redis, tenant, batch, 10**9)
        while stream.waiting(resources.redis, tenant):
            ingest.run(tenant, resources)


class Hosts:
    """A clock and detect workers on one Redis and one database."""

    def __init__(self, folder: Path, redis_url: str, database_url: str, detectors: int) -> None:
        environment = (
            os.environ
            | {"BRIGADEWATCH_SECRET_KEY": SECRET}
            | {
                "REDIS_URL": redis_url,
                "DATABASE_URL": database_url,
                "BRIGADEWATCH_DATA": str(folder),
            }
        )
        self.log = folder / "workers.log"
        self.processes = []
        with self.log.open("ab") as log:
            for words in (["clock"], *[["worker", "detect"]] * detectors):
                command = [sys.executable, "-m", "service.cli", *words]
                self.processes.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
        cores = sorted(psutil.Process().cpu_affinity())
        for number, process in enumerate(self.processes[1:]):
            psutil.Process(process.pid).cpu_affinity([cores[number % len(cores)]])

    def end(self) -> None:
        """All of them."""
        for process in self.processes:
            with suppress(ProcessLookupError):
                process.kill()
            process.wait()


def behind(engine: Engine) -> dict[int, int]:
    """Archived and not analysed, by tenant."""
    query = select(ingest_state.c.tenant_id, ingest_state.c.last_seq - analysis_state.c.cursor_seq).join(
        analysis_state, analysis_state.c.tenant_id == ingest_state.c.tenant_id
    )
    with engine.connect() as connection:
        return {tenant: left for tenant, left in connection.execute(query) if left}


def until_analysed(engine: Engine, hosts: Hosts, left_at_most: int = 0) -> float:
    """Seconds until so little is left."""
    began = time.perf_counter()
    while sum(behind(engine).values()) > left_at_most:
        if time.perf_counter() - began > MOST_SECONDS:
            raise TimeoutError(f"still waiting: {behind(engine)}\n{hosts.log.read_text()[-3_000:]}")
        time.sleep(0.02)
    return time.perf_counter() - began


def run(folder: Path, server: RedisProcess, database_url: str, tenants: int, count: int, detectors: int) -> float:
    """Complaints a second of all tenants together, from when every worker is at work."""
    folder.mkdir()
    settings = read_settings(
        folder, {"REDIS_URL": server.url, "DATABASE_URL": database_url, "BRIGADEWATCH_SECRET_KEY": SECRET}
    )
    engine, client = open_database(database_url), redis.Redis.from_url(server.url)
    client.flushall()
    migrate(engine)
    agree(engine, client, user_of(settings))
    names = [f"tenant-{detectors}-{number}" for number in range(tenants)]
    for name in names:
        create_tenant(engine, name, 0)
        client.set(redis_keys.position(name), 0)
    resources = Resources(settings, engine, client)
    archive(resources, names, 1, count)
    hosts = Hosts(folder, server.url, database_url, detectors)
    try:
        total = tenants * count
        until_analysed(engine, hosts, total - 1)  # the processes have started
        left = sum(behind(engine).values())
        rate = left / until_analysed(engine, hosts)
        if detectors > 1:
            show("    until a lost worker's tenants go on, s", lost(hosts, resources, names), at_most=10)
        return rate
    finally:
        hosts.end()
        engine.dispose()


def lost(hosts: Hosts, resources: Resources, names: list[str]) -> float:
    """Kill one of the workers; seconds until what came for every tenant meanwhile is analysed."""
    hosts.processes[-1].kill()
    began = time.perf_counter()
    archive(resources, names, 9, 20, DAYS + 0.1)
    until_analysed(resources.engine, hosts)
    return time.perf_counter() - began


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--tenants", type=int, default=40, help="tenants")
    parser.add_argument("--complaints", type=int, default=3_000, help="of each")
    chosen = parser.parse_args()
    tenants, count = (6, 500) if chosen.quick else (chosen.tenants, chosen.complaints)
    print_machine()
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        made = databases(stack)
        store = RedisProcess(scratch / "redis").start()
        stack.callback(store.stop)
        for kind in ("PostgreSQL", "SQLite"):
            rates = []
            for detectors in (1, 2):
                folder = scratch / f"{kind}-{detectors}"
                name = made.create() if kind == "PostgreSQL" else None
                url = made.url(name) if name else f"sqlite:///{scratch / f'{detectors}.sqlite3'}"
                rates.append(run(folder, store, url, tenants, count, detectors))
                show(f"{kind}, {detectors} detect worker{'s' * (detectors > 1)}, complaints/s", rates[-1], digits=0)
                if name:
                    made.drop(name)
            bar = 1.6 if kind == "PostgreSQL" else None
            show("    two against one", rates[1] / rates[0], at_least=bar, digits=2, quick=chosen.quick)


if __name__ == "__main__":
    main()
