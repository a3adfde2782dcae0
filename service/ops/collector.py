"""Metrics read from Redis and SQL at each scrape, and their readiness, within a second even if one of them hangs.

Each store is read on its own thread. A store that does not answer in time is left out, reported as brigadewatch_up 0,
and not read again until that reading has ended. Whether it takes writes is checked beside it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait

import redis
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Engine

from service import wall_clock
from service.ops.clocks import Clocks, redis_now_us
from service.ops.database_metrics import read_database
from service.ops.redis_metrics import read_redis
from service.storage.detection import metrics_reads
from service.storage.privacy import retention_guard
from service.storage.probe import Probe
from service.storage.redis_store import health, job_failures
from service.storage.redis_store.job_failures import JobFailures
from service.storage.redis_store.redis_identity import trouble_of_pair
from service.storage.redis_store.server_check import ServerReport, all_warnings
from service.storage.sql.engine import server_now_us
from service.storage.sql.health import trouble_of_database

PATIENCE_SECONDS = 0.8  # for both stores together
_LEFT_SECONDS = 0.2  # for the probes, once both are read
_PAIR = "pair"  # whether the two belong together
Reading = list[Metric]


class StoreCollector(Collector):
    """Metrics of the tenants' streams, archives, clusters and jobs."""

    def __init__(self, client: redis.Redis, engine: Engine, *, now_us: Callable[[], int] = wall_clock.now_us) -> None:
        self._client, self._engine, self._now_us = client, engine, now_us
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="metrics")
        self._readings: dict[str, Future[Reading]] = {}
        self._starting = threading.Lock()
        self._waiting: dict[str, str] = {}  # tenants whose retention waits, and why
        self._ahead_us: dict[str, int] = {}  # how far a store's clock is ahead of this host's
        self._names: list[str] = []  # tenants as of SQL's last answer; Redis is read for these
        self._server: ServerReport | None = None  # as of Redis' last answer, and so are the jobs
        self._failing: dict[tuple[str, str], JobFailures] = {}
        self._refused: str | None = None  # what a worker found wrong with the database, as of Redis' last answer
        self._probes = {
            "database": Probe("database", lambda: trouble_of_database(engine)),
            "redis": Probe("redis", self._look_at_redis),
            _PAIR: Probe(_PAIR, lambda: trouble_of_pair(engine, client)),
        }

    def states(self, *, patience_seconds: float = PATIENCE_SECONDS) -> dict[str, str]:
        """Each dependency's state: "ok" (it answers, takes writes and belongs to the other), or what is wrong."""
        self._start_probes()
        self._read(patience_seconds)
        return self._states()

    def warnings(self) -> dict[str, str]:
        """What does not stop anything, but needs somebody, as of the latest readings (`states`, a scrape)."""
        found = {f"retention of {name}": text for name, text in self._waiting.items()}
        clocks = self._clocks()
        if not clocks.agree:
            found["clocks"] = (
                f"the clocks of the host, Redis and the database differ by {clocks.apart_seconds:,.0f} s: retention"
                " deletes nothing until they agree"
            )
        if self._server is not None and (texts := all_warnings(self._server)):
            found["redis"] = "; ".join(texts)
        for (work, tenant), failures in sorted(self._failing.items()):
            found[f"{work} of {tenant}"] = job_failures.sentence(work, tenant, failures)
        return found

    def collect(self) -> Iterable[Metric]:
        """Everything that can be read now; registered with prometheus_client."""
        up = GaugeMetricFamily(
            "brigadewatch_up",
            "Whether the dependency answered this scrape, and takes writes.",
            labels=["dependency"],
        )
        self._start_probes()
        readings = self._read(PATIENCE_SECONDS)
        states = self._states()
        for name, found in readings.items():
            up.add_metric([name], 1.0 if isinstance(found, list) and states[name] == "ok" else 0.0)
            if isinstance(found, list):
                yield from found
        yield up
        clocks = self._clocks()
        apart = GaugeMetricFamily(
            "brigadewatch_clock_difference_seconds",
            "How far the clock of Redis, or PostgreSQL, is ahead of this host's; below 0: behind.",
            labels=["clock"],
        )
        for name in clocks.times_us.keys() - {"host"}:
            apart.add_metric([name], clocks.difference_seconds(name))
        yield apart

    def _start_probes(self) -> None:
        for probe in self._probes.values():
            probe.start()

    def _states(self) -> dict[str, str]:
        """By the probes, which have had the time of the readings, and the latest judgement about the server."""
        until = time.monotonic() + _LEFT_SECONDS
        states = {name: probe.state(max(0.0, until - time.monotonic())) for name, probe in self._probes.items()}
        pair = states.pop(_PAIR)
        if self._server is not None and self._server.problems:
            states["redis"] = "; ".join(self._server.problems)
        if states["redis"] == "ok" == states["database"]:
            states["redis"] = pair
            states["database"] = self._refused or "ok"
        return states

    def describe(self) -> Iterable[Metric]:
        """Nothing: registering must not need the stores."""
        return []

    def close(self) -> None:
        """End the threads, after any reading under way."""
        self._threads.shutdown(cancel_futures=True)
        for probe in self._probes.values():
            probe.close()

    def _read(self, patience_seconds: float) -> dict[str, Reading | str]:
        deadline = time.monotonic() + patience_seconds
        found: dict[str, Reading | str] = {}
        readings = {"database": self._start("database", self._database), "redis": self._start("redis", self._redis)}
        for name, future in readings.items():
            try:
                found[name] = future.result(max(0.0, deadline - time.monotonic()))
            except TimeoutError:
                found[name] = f"no answer within {patience_seconds} s"
            except Exception as error:  # any error of a driver means: not available
                found[name] = f"{type(error).__name__}: {error}"
        return found

    def _start(self, name: str, read: Callable[[], Reading]) -> Future[Reading]:
        with self._starting:
            waiting = self._readings.get(name)
            if waiting is None or waiting.done():  # while a reading hangs, no second thread is started for that store
                waiting = self._readings[name] = self._threads.submit(read)
            return waiting

    def _database(self) -> Reading:
        with self._engine.connect() as connection:
            self._compare("database", server_now_us(connection))
            found = list(read_database(connection, self._now_us(), self._remember))
            names = metrics_reads.tenant_names(connection)
            self._waiting = {
                names[tenant]: retention_guard.words(refusal)
                for tenant, refusal in retention_guard.refusals(connection).items()
                if tenant in names
            }
            return found

    def _look_at_redis(self) -> str | None:
        trouble, self._refused = health.look(self._client)
        return trouble

    def _remember(self, names: list[str]) -> None:
        self._names = names

    def _redis(self) -> Reading:
        self._server = None  # until it answers
        if not self._names:  # the first scrape of a process: the two readings are under way at the same time
            wait([self._readings["database"]], timeout=PATIENCE_SECONDS / 2)
        self._compare("redis", redis_now_us(self._client.time()))
        return list(read_redis(self._client, self._names, self._now_us(), self._notice))

    def _notice(self, server: ServerReport, failing: dict[tuple[str, str], JobFailures]) -> None:
        self._server, self._failing = server, failing

    def _compare(self, name: str, time_us: int | None) -> None:
        if time_us is not None:
            self._ahead_us[name] = time_us - wall_clock.now_us()

    def _clocks(self) -> Clocks:
        """As of the latest readings; a store that does not answer keeps its last difference."""
        now_us = wall_clock.now_us()
        return Clocks({"host": now_us, **{name: now_us + ahead for name, ahead in dict(self._ahead_us).items()}})
