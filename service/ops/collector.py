"""Metrics read from Redis and SQL at each scrape, and their readiness, within a second even if one of them hangs.

Each store is read on its own thread, once a second at most. A store that does not answer in time is left out, reported
as brigadewatch_up 0, and not read again until that reading has ended. Whether it takes writes is checked beside it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import redis
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Engine

from service import wall_clock
from service.ops.clocks import Clocks
from service.ops.database_metrics import DatabaseReading, read_database
from service.ops.redis_metrics import RedisReading, read_redis
from service.storage.probe import EVERY_SECONDS, Failed, Probe, result_of
from service.storage.redis_store import health, job_failures
from service.storage.redis_store.redis_identity import trouble_of_pair
from service.storage.redis_store.server_check import all_warnings
from service.storage.sql.health import trouble_of_database

PATIENCE_SECONDS = 0.8  # for both stores together
_LEFT_SECONDS = 0.2  # for the checks, once both are read


@dataclass(frozen=True, slots=True)
class Readiness:
    """Each dependency's state, "ok" (it answers, takes writes and belongs to the other) or what is wrong; and what
    does not stop anything, but needs somebody.
    """

    states: dict[str, str]
    warnings: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Look:
    """What was found in time; nothing of an earlier reading."""

    database: DatabaseReading | None
    redis: RedisReading | None
    states: dict[str, str]

    @property
    def clocks(self) -> Clocks:
        """The clocks of those that answered."""
        now_us = wall_clock.now_us()
        times_us = {"host": now_us}
        for name, reading in (("database", self.database), ("redis", self.redis)):
            if reading is not None and reading.ahead_us is not None:
                times_us[name] = now_us + reading.ahead_us
        return Clocks(times_us)


class StoreCollector(Collector):
    """Metrics of the tenants' streams, archives, clusters and jobs."""

    def __init__(
        self,
        client: redis.Redis,
        engine: Engine,
        *,
        now_us: Callable[[], int] = wall_clock.now_us,
        every_seconds: float = EVERY_SECONDS,
    ) -> None:
        self._client, self._engine, self._now_us = client, engine, now_us
        self._labelled: list[str] = []  # tenants as of SQL's last answer; Redis is read for these
        self._database = Probe("database-metrics", self._read_database, every_seconds)
        self._redis = Probe("redis-metrics", self._read_redis, every_seconds)
        self._database_writes = Probe("database", lambda: trouble_of_database(engine), every_seconds)
        self._redis_writes = Probe("redis", lambda: health.look(client), every_seconds)
        self._pair = Probe("pair", lambda: trouble_of_pair(engine, client), every_seconds)

    def readiness(self, *, patience_seconds: float = PATIENCE_SECONDS) -> Readiness:
        """Whether the stores can be used, and what else was noticed."""
        look = self._look(patience_seconds)
        return Readiness(look.states, dict(_warnings(look)))

    def collect(self) -> Iterable[Metric]:
        """Everything that can be read now; registered with prometheus_client."""
        look = self._look(PATIENCE_SECONDS)
        up = GaugeMetricFamily(
            "brigadewatch_up",
            "Whether the dependency answered this scrape, and takes writes.",
            labels=["dependency"],
        )
        for name, reading in (("database", look.database), ("redis", look.redis)):
            up.add_metric([name], 1.0 if reading is not None and look.states[name] == "ok" else 0.0)
            if reading is not None:
                yield from reading.metrics
        yield up
        apart = GaugeMetricFamily(
            "brigadewatch_clock_difference_seconds",
            "How far the clock of Redis, or PostgreSQL, is ahead of this host's; below 0: behind.",
            labels=["clock"],
        )
        clocks = look.clocks
        for name in clocks.times_us.keys() - {"host"}:
            apart.add_metric([name], clocks.difference_seconds(name))
        yield apart

    def describe(self) -> Iterable[Metric]:
        """Nothing: registering must not need the stores."""
        return []

    def close(self) -> None:
        """End the threads, after any reading under way."""
        for probe in (self._database, self._redis, self._database_writes, self._redis_writes, self._pair):
            probe.close()

    def _look(self, patience_seconds: float) -> _Look:
        until = time.monotonic() + patience_seconds
        of_database, of_redis = self._database.start(), self._redis.start()
        checks = self._database_writes.start(), self._redis_writes.start(), self._pair.start()
        database = result_of(of_database, until - time.monotonic())
        redis = result_of(of_redis, until - time.monotonic())
        return _Look(
            database=None if isinstance(database, Failed) else database,
            redis=None if isinstance(redis, Failed) else redis,
            states=_states(*checks, [] if isinstance(redis, Failed) else redis.server.problems),
        )

    def _read_database(self) -> DatabaseReading:
        with self._engine.connect() as connection:
            found = read_database(connection, self._now_us())
        self._labelled = found.labelled
        return found

    def _read_redis(self) -> RedisReading:
        if not self._labelled:  # the first scrape of a process: the two readings are under way at the same time
            result_of(self._database.start(), PATIENCE_SECONDS / 2)
        return read_redis(self._client, self._labelled, self._now_us())


def _states(
    database_check: Future[str | None],
    redis_check: Future[tuple[str | None, str | None]],
    pair_check: Future[str | None],
    problems: Sequence[str],
) -> dict[str, str]:
    """By the checks, which have had the time of the readings, and the judgement about Redis' server."""
    until = time.monotonic() + _LEFT_SECONDS
    database = result_of(database_check, _LEFT_SECONDS)
    found = result_of(redis_check, until - time.monotonic())
    pair = result_of(pair_check, until - time.monotonic())
    # `refused`: what a worker found wrong with the database
    redis, refused = (found, None) if isinstance(found, Failed) else found
    if problems:
        redis = "; ".join(problems)
    if redis is None and database is None:
        redis, database = pair, refused
    return {"database": database or "ok", "redis": redis or "ok"}


def _warnings(look: _Look) -> Iterator[tuple[str, str]]:
    if look.database is not None:
        for name, text in look.database.waiting.items():
            yield f"retention of {name}", text
    clocks = look.clocks
    if not clocks.agree:
        text = f"the clocks of the host, Redis and the database differ by {clocks.apart_seconds:,.0f} s"
        yield "clocks", f"{text}: retention deletes nothing until they agree"
    if look.redis is not None:
        if texts := all_warnings(look.redis.server):
            yield "redis", "; ".join(texts)
        for (work, tenant), failures in sorted(look.redis.failing.items()):
            yield f"{work} of {tenant}", job_failures.sentence(work, tenant, failures)
