"""What Redis and SQL know, read when Prometheus asks; within a second, also when one of them hangs.

Each store is read on a thread of its own. One that does not answer in time is left out, reported as
brigadewatch_up 0, and not asked again before that reading has ended.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import redis
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection, Engine, func, select

from service.ops.job_metrics import BUCKETS_SECONDS
from service.platforms import POLLED
from service.storage import keys
from service.storage.schema import analysis_state, clusters, dead_letters, deliveries, feed, ingest_state, sources, subscriptions, sweeps, tenants

PATIENCE_SECONDS = 0.8  # for both stores together
MAX_TENANTS = 200  # in labels; how many are left out is a metric of its own
QUEUES = ("ingest", "detect", "sweep", "deliver", "chores")
Reading = list[Metric]


class StoreCollector(Collector):
    """Metrics of the tenants' streams, archives, clusters and jobs."""

    def __init__(self, client: redis.Redis, engine: Engine, *, now_us: Callable[[], int] = lambda: time.time_ns() // 1_000) -> None:
        self._client, self._engine, self._now_us = client, engine, now_us
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="metrics")
        self._asked: dict[str, Future[Reading]] = {}
        self._asking = threading.Lock()
        self._names: list[str] = []  # of the tenants when SQL last answered: what Redis is asked about

    def states(self, *, patience_seconds: float = PATIENCE_SECONDS) -> dict[str, str]:
        """Each dependency's state: "ok", or why not."""
        return {name: "ok" if isinstance(found, list) else found for name, found in self._read(patience_seconds).items()}

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
        """End the threads; a reading under way is waited for."""
        self._threads.shutdown(cancel_futures=True)

    def _read(self, patience_seconds: float) -> dict[str, Reading | str]:
        deadline = time.monotonic() + patience_seconds
        found: dict[str, Reading | str] = {}
        asked = {"database": self._ask("database", self._database), "redis": self._ask("redis", self._redis)}
        for name, future in asked.items():
            try:
                found[name] = future.result(max(0.0, deadline - time.monotonic()))
            except TimeoutError:
                found[name] = f"no answer within {patience_seconds} s"
            except Exception as error:  # whatever a driver raises means the same here
                found[name] = f"{type(error).__name__}: {error}"
        return found

    def _ask(self, name: str, read: Callable[[], Reading]) -> Future[Reading]:
        with self._asking:
            waiting = self._asked.get(name)
            if waiting is None or waiting.done():  # while one hangs, no second thread waits for the same store
                waiting = self._asked[name] = self._threads.submit(read)
            return waiting

    def _database(self) -> Reading:
        with self._engine.connect() as connection:
            return list(_read_database(connection, self._now_us(), self._remember))

    def _remember(self, names: list[str]) -> None:
        self._names = names

    def _redis(self) -> Reading:
        if not self._names:  # the first scrape of a process: the two readings are under way at the same time
            wait([self._asked["database"]], timeout=PATIENCE_SECONDS / 2)
        return list(_read_redis(self._client, self._names, self._now_us()))


def _read_database(connection: Connection, now_us: int, remember: Callable[[list[str]], None]) -> Iterator[Metric]:
    every: dict[int, str] = {number: name for number, name in connection.execute(select(tenants.c.id, tenants.c.name).order_by(tenants.c.id))}
    names = dict(list(every.items())[:MAX_TENANTS])
    remember(list(names.values()))
    left_out = GaugeMetricFamily("brigadewatch_tenants_left_out", "Tenants beyond the first that labels are kept for.")
    left_out.add_metric([], len(every) - len(names))
    yield left_out
    yield from _positions(connection, names)
    yield from _lag(connection, names, now_us)
    yield from _cases(connection, names)
    yield from _webhooks(connection, names)
    yield from _sources(connection, names)


def _sources(connection: Connection, names: dict[int, str]) -> Iterator[Metric]:
    polled = GaugeMetricFamily("brigadewatch_poll_success_timestamp_seconds", "Latest successful poll of the source that waits longest for one; its making counts as one.", labels=["tenant", "platform"])
    failing = GaugeMetricFamily("brigadewatch_sources_failing", "Polled sources whose latest poll failed.", labels=["tenant", "platform"])
    asked = (sources.c.tenant_id, sources.c.platform)
    oldest = func.min(func.coalesce(sources.c.polled_us, sources.c.created_us))
    found = select(*asked, oldest, func.count().filter(sources.c.failures > 0)).where(sources.c.platform.in_(POLLED), sources.c.url.is_not(None), sources.c.removed_us.is_(None)).group_by(*asked)
    for tenant, platform, at, failures in connection.execute(found):
        if tenant in names:
            polled.add_metric([names[tenant], platform], at / 1e6)
            failing.add_metric([names[tenant], platform], failures)
    yield from (polled, failing)


def _positions(connection: Connection, names: dict[int, str]) -> Iterator[Metric]:
    position = GaugeMetricFamily("brigadewatch_position", "How far each stage is, in acknowledged items of the tenant.", labels=["tenant", "stage"])
    archived = CounterMetricFamily("brigadewatch_archived_items", "Items archived, by what they turned out to be.", labels=["tenant", "result"])
    watermark = GaugeMetricFamily("brigadewatch_watermark_timestamp_seconds", "Latest occurred_at of the tenant's complaints.", labels=["tenant"])
    for row in connection.execute(select(ingest_state)).mappings():
        if (name := names.get(row["tenant_id"])) is None:
            continue
        position.add_metric([name, "archived"], row["archived_position"])
        archived.add_metric([name, "all"], row["archived"])
        for result in ("duplicates", "conflicting", "late"):
            archived.add_metric([name, result], row[result])
        if row["watermark_us"] is not None:
            watermark.add_metric([name], row["watermark_us"] / 1e6)
    for row in connection.execute(select(analysis_state)).mappings():
        if (name := names.get(row["tenant_id"])) is not None:
            position.add_metric([name, "analysed"], row["analysed_position"])
            position.add_metric([name, "swept"], row["swept_position"])
    yield from (position, archived, watermark)


def _lag(connection: Connection, names: dict[int, str], now_us: int) -> Iterator[Metric]:
    waiting = select(feed.c.tenant_id, func.min(feed.c.oldest_received_us), func.sum(feed.c["items"])).join(
        analysis_state, (analysis_state.c.tenant_id == feed.c.tenant_id) & (feed.c.last_seq > analysis_state.c.cursor_seq),
    ).group_by(feed.c.tenant_id)
    age = GaugeMetricFamily("brigadewatch_feed_oldest_age_seconds", "Age of the oldest archived item that waits for analysis; 0: none waits.", labels=["tenant"])
    items = GaugeMetricFamily("brigadewatch_feed_items", "Archived items that wait for analysis.", labels=["tenant"])
    found = {tenant: (oldest, n) for tenant, oldest, n in connection.execute(waiting)}
    for tenant, name in names.items():
        oldest, n = found.get(tenant, (None, 0))
        age.add_metric([name], 0.0 if oldest is None else max(0.0, (now_us - oldest) / 1e6))
        items.add_metric([name], n or 0)
    yield from (age, items)


def _cases(connection: Connection, names: dict[int, str]) -> Iterator[Metric]:
    dead = GaugeMetricFamily("brigadewatch_dead_letters", "Items that failed five times over.", labels=["tenant"])
    counts: dict[int, int] = {tenant: n for tenant, n in connection.execute(select(dead_letters.c.tenant_id, func.count()).where(dead_letters.c.resent_us.is_(None)).group_by(dead_letters.c.tenant_id))}
    for tenant, name in names.items():
        dead.add_metric([name], counts.get(tenant, 0))
    kept = GaugeMetricFamily("brigadewatch_clusters", "Clusters, by what they are and how far a person is with them.", labels=["tenant", "kind", "disposition", "status"])
    by = (clusters.c.tenant_id, clusters.c.kind, clusters.c.disposition, clusters.c.status)
    for tenant, kind, disposition, status, n in connection.execute(select(*by, func.count()).group_by(*by)):
        if tenant in names:
            kept.add_metric([names[tenant], kind, disposition, status], n)
    seconds = GaugeMetricFamily("brigadewatch_sweep_duration_seconds", "How long the tenant's latest sweep took.", labels=["tenant"])
    finished = GaugeMetricFamily("brigadewatch_sweep_finished_timestamp_seconds", "When the tenant's latest sweep ended.", labels=["tenant"])
    latest = select(func.max(sweeps.c.id)).group_by(sweeps.c.tenant_id)
    for tenant, took, at in connection.execute(select(sweeps.c.tenant_id, sweeps.c.seconds, sweeps.c.finished_us).where(sweeps.c.id.in_(latest))):
        if tenant in names:
            seconds.add_metric([names[tenant]], took)
            finished.add_metric([names[tenant]], at / 1e6)
    yield from (dead, kept, seconds, finished)


def _webhooks(connection: Connection, names: dict[int, str]) -> Iterator[Metric]:
    waiting = GaugeMetricFamily("brigadewatch_deliveries_waiting", "Webhook deliveries that are to be sent, or sent again.", labels=["tenant"])
    by = select(deliveries.c.tenant_id, func.count()).where(deliveries.c.state == "pending", deliveries.c.next_us.is_not(None)).group_by(deliveries.c.tenant_id)
    disabled = GaugeMetricFamily("brigadewatch_subscriptions_disabled", "Webhook subscriptions that nothing is sent to.", labels=["tenant"])
    off = select(subscriptions.c.tenant_id, func.count()).where(subscriptions.c.disabled_us.is_not(None)).group_by(subscriptions.c.tenant_id)
    for family, statement in ((waiting, by), (disabled, off)):
        counts: dict[int, int] = {tenant: n for tenant, n in connection.execute(statement)}
        for tenant, name in names.items():
            family.add_metric([name], counts.get(tenant, 0))
        yield family


def _read_redis(client: redis.Redis, names: list[str], now_us: int) -> Iterator[Metric]:
    pipe = client.pipeline(transaction=False)
    for name in names:
        pipe.get(keys.position(name))
        pipe.xlen(keys.stream(name))
        pipe.xrange(keys.stream(name), count=1)
    for queue in QUEUES:
        pipe.llen(f"rq:queue:{queue}")
    pipe.hgetall(keys.DELIVERY_COUNTS)
    pipe.hgetall(keys.POLL_COUNTS)
    pipe.hgetall(keys.JOB_METRICS)
    pipe.hgetall(keys.DETECTION_COUNTS)
    pipe.info("memory")
    answers = pipe.execute()
    yield from _streams(names, answers, now_us)
    queued = GaugeMetricFamily("brigadewatch_queue_jobs", "Jobs that wait in the queue.", labels=["queue"])
    at = 3 * len(names)
    for queue, length in zip(QUEUES, answers[at:], strict=False):
        queued.add_metric([queue], length)
    memory = GaugeMetricFamily("brigadewatch_redis_memory_bytes", "Memory that Redis uses.")
    memory.add_metric([], answers[-1]["used_memory"])
    yield from (queued, memory)
    yield from _attempts(_text_fields(answers[-5]))
    yield from _polls(_text_fields(answers[-4]))
    yield from _jobs(_text_fields(answers[-3]))
    yield from _detection(_text_fields(answers[-2]))


def _streams(names: list[str], answers: list[Any], now_us: int) -> Iterator[Metric]:
    accepted = GaugeMetricFamily("brigadewatch_accepted_position", "Acknowledged items of the tenant; absent while Redis is being restored.", labels=["tenant"])
    length = GaugeMetricFamily("brigadewatch_stream_batches", "Batches in the stream that are not archived.", labels=["tenant"])
    age = GaugeMetricFamily("brigadewatch_stream_oldest_age_seconds", "Age of the oldest batch in the stream; 0: it is empty.", labels=["tenant"])
    for index, name in enumerate(names):
        position, batches, first = answers[3 * index : 3 * index + 3]
        if position is not None:
            accepted.add_metric([name], float(position))
        length.add_metric([name], batches)
        at_us = int(_text(first[0][0]).split("-")[0]) * 1_000 if first else now_us  # an entry's id begins with its milliseconds
        age.add_metric([name], max(0.0, (now_us - at_us) / 1e6))
    yield from (accepted, length, age)


def _jobs(fields: dict[str, str]) -> Iterator[Metric]:
    duration = HistogramMetricFamily("brigadewatch_job_duration_seconds", "How long jobs took.", labels=["work"])
    busy = CounterMetricFamily("brigadewatch_job_busy_seconds", "Time spent in jobs.", labels=["work", "tenant"])
    failed = CounterMetricFamily("brigadewatch_job_failures", "Jobs that ended with an error.", labels=["work", "tenant"])
    for work in sorted({field.split("|")[0] for field in fields}):
        total, buckets = 0.0, []
        for limit in [*map(str, BUCKETS_SECONDS), "+Inf"]:
            total += float(fields.get(f"{work}|bucket|{limit}", 0))
            buckets.append((limit, total))
        duration.add_metric([work], buckets, float(fields.get(f"{work}|sum|", 0)))
    for field, value in sorted(fields.items()):
        work, what, tenant = field.split("|")
        if what in ("busy", "failed"):
            (busy if what == "busy" else failed).add_metric([work, tenant], float(value))
    yield from (duration, busy, failed)


def _attempts(fields: dict[str, str]) -> Iterator[Metric]:
    attempts = CounterMetricFamily("brigadewatch_delivery_attempts", "Attempts to deliver webhooks, by what came of them.", labels=["result", "tenant"])
    for field, value in sorted(fields.items()):
        attempts.add_metric(field.split("|"), float(value))
    yield attempts


def _polls(fields: dict[str, str]) -> Iterator[Metric]:
    polls = CounterMetricFamily("brigadewatch_polls", "Polls of platforms that do not post, by how they ended.", labels=["platform", "result", "tenant"])
    for field, value in sorted(fields.items()):
        polls.add_metric(field.split("|"), float(value))
    yield polls


def _detection(fields: dict[str, str]) -> Iterator[Metric]:
    families: dict[str, GaugeMetricFamily | CounterMetricFamily] = {}
    for field, value in sorted(fields.items()):
        name, _, tenant = field.partition("|")
        kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
        family = families.setdefault(name, kind(f"brigadewatch_detection_{re.sub('_total$', '', name)}", f"Detection: {name.replace('_', ' ')}.", labels=["tenant"]))
        family.add_metric([tenant], float(value))
    yield from families.values()


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _text_fields(mapping: dict[Any, Any]) -> dict[str, str]:
    return {_text(field): _text(value) for field, value in mapping.items()}
