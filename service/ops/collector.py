"""Metrics read from Redis and SQL at each scrape, within a second even if one of them hangs.

Each store is read on its own thread. A store that does not answer in time is left out, reported as brigadewatch_up 0,
and not read again until that reading has ended.
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

from service.ops.database_metrics import read_database
from service.ops.redis_metrics import read_redis
from service.storage.redis_store import job_failures
from service.storage.redis_store.job_failures import JobFailures
from service.storage.redis_store.server_check import ServerReport, all_warnings

PATIENCE_SECONDS = 0.8  # for both stores together
Reading = list[Metric]


class StoreCollector(Collector):
    """Metrics of the tenants' streams, archives, clusters and jobs."""

    def __init__(
        self, client: redis.Redis, engine: Engine, *, now_us: Callable[[], int] = lambda: time.time_ns() // 1_000
    ) -> None:
        self._client, self._engine, self._now_us = client, engine, now_us
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="metrics")
        self._readings: dict[str, Future[Reading]] = {}
        self._starting = threading.Lock()
        self._names: list[str] = []  # tenants as of SQL's last answer; Redis is read for these
        self._server: ServerReport | None = None  # as of Redis' last answer, and so are the jobs
        self._failing: dict[tuple[str, str], JobFailures] = {}

    def states(self, *, patience_seconds: float = PATIENCE_SECONDS) -> dict[str, str]:
        """Each dependency's state: "ok", or what is wrong. A Redis that answers and cannot be used is not ok."""
        states = {
            name: "ok" if isinstance(found, list) else found for name, found in self._read(patience_seconds).items()
        }
        if states["redis"] == "ok" and self._server is not None and self._server.problems:
            states["redis"] = "; ".join(self._server.problems)
        return states

    def warnings(self) -> list[str]:
        """What may lose complaints or has stopped for a tenant, though the installation works; as of the last reading,
        of which `states` makes one.
        """
        server = [] if self._server is None else all_warnings(self._server)
        return server + [job_failures.sentence(*of, failures) for of, failures in sorted(self._failing.items())]

    def collect(self) -> Iterable[Metric]:
        """Everything that can be read now; registered with prometheus_client."""
        up = GaugeMetricFamily("brigadewatch_up", "Whether the dependency answered this scrape.", labels=["dependency"])
        for name, found in self._read(PATIENCE_SECONDS).items():
            up.add_metric([name], 1.0 if isinstance(found, list) else 0.0)
            if isinstance(found, list):
                yield from found
        yield up

    def describe(self) -> Iterable[Metric]:
        """Nothing: registering must not need the stores."""
        return []

    def close(self) -> None:
        """End the threads, after any reading under way."""
        self._threads.shutdown(cancel_futures=True)

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
            return list(read_database(connection, self._now_us(), self._remember))

    def _remember(self, names: list[str]) -> None:
        self._names = names

    def _redis(self) -> Reading:
        if not self._names:  # the first scrape of a process: the two readings are under way at the same time
            wait([self._readings["database"]], timeout=PATIENCE_SECONDS / 2)
        return list(read_redis(self._client, self._names, self._now_us(), self._notice))

    def _notice(self, server: ServerReport, failing: dict[tuple[str, str], JobFailures]) -> None:
        self._server, self._failing = server, failing
