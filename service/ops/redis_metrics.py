"""Metrics from Redis: streams, queues, its memory and append-only file, live processes, and the workers' counters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import redis
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from service import wall_clock
from service.ops.processes import read_kinds
from service.ops.worker_metrics import metrics_of
from service.storage.redis_store import job_failures, redis_keys, stream
from service.storage.redis_store.client import time_us
from service.storage.redis_store.job_failures import JobFailures
from service.storage.redis_store.job_kinds import JOB_KINDS, QUEUES
from service.storage.redis_store.server_check import ServerReport, examine, judge

_A_TENANT = 5  # answers about each


@dataclass(frozen=True, slots=True)
class RedisReading:
    """What one reading of Redis has found."""

    metrics: list[Metric]
    ahead_us: int  # how far its clock is ahead of this host's
    server: ServerReport
    failing: Mapping[tuple[str, str], JobFailures]  # by (work, tenant)


def read_redis(client: redis.Redis, names: list[str], now_us: int) -> RedisReading:
    """Five round trips. Raises RedisError."""
    pipe = client.pipeline(transaction=False)
    for name in names:
        pipe.get(redis_keys.position(name))
        pipe.xlen(redis_keys.stream(name))
        stream.OLDEST.run(pipe, [redis_keys.stream(name)], [])
        pipe.hgetall(redis_keys.tallies(name))
        pipe.mget(job_failures.names(name))
    for queue in QUEUES:
        pipe.llen(f"rq:queue:{queue}")
    pipe.hgetall(redis_keys.tallies(""))
    pipe.hgetall(redis_keys.PROCESSES)
    pipe.time()
    answers = pipe.execute()
    host_us = wall_clock.now_us()
    by_tenant, (everybody, processes, time) = (
        answers[: _A_TENANT * len(names)],
        answers[_A_TENANT * len(names) + len(QUEUES) :],
    )
    facts = examine(client)
    report = judge(facts)
    failing = {
        (work, name): failures
        for index, name in enumerate(names)
        for work, failures in job_failures.read_all(by_tenant[_A_TENANT * index + 4]).items()
    }
    queued = GaugeMetricFamily("brigadewatch_queue_jobs", "Jobs that wait in the queue.", labels=["queue"])
    for queue, length in zip(QUEUES, answers[len(by_tenant) :], strict=False):
        queued.add_metric([queue], length)
    counted = {name: by_tenant[_A_TENANT * index + 3] for index, name in enumerate(names)}
    redis_us = time_us(time)
    metrics = [
        *_streams(names, by_tenant, now_us),
        queued,
        *metrics_of(counted, everybody),
        *_processes(processes, redis_us / 1e6),
        *_server(facts.info),
        *_judgement(report),
        _failing(names, failing),
    ]
    return RedisReading(metrics, redis_us - host_us, report, failing)


def _streams(names: list[str], answers: list[Any], now_us: int) -> Iterator[Metric]:
    accepted = GaugeMetricFamily(
        "brigadewatch_accepted_position",
        "Acknowledged items of the tenant; absent while Redis is being restored.",
        labels=["tenant"],
    )
    length = GaugeMetricFamily(
        "brigadewatch_stream_batches", "Batches in the stream that are not archived.", labels=["tenant"]
    )
    age = GaugeMetricFamily(
        "brigadewatch_stream_oldest_age_seconds",
        "Age of the oldest batch in the stream; 0: it is empty.",
        labels=["tenant"],
    )
    for index, name in enumerate(names):
        position, batches, at_us = answers[_A_TENANT * index : _A_TENANT * index + 3]
        if position is not None:
            accepted.add_metric([name], float(position))
        length.add_metric([name], batches)
        age.add_metric([name], 0.0 if at_us is None else max(0.0, (now_us - int(at_us)) / 1e6))
    yield from (accepted, length, age)


def _processes(fields: Mapping[Any, Any], now_seconds: float) -> Iterator[Metric]:
    alive = GaugeMetricFamily(
        "brigadewatch_processes",
        "Processes of the installation that reported within the last half minute.",
        labels=["process"],
    )
    resident = GaugeMetricFamily(
        "brigadewatch_process_resident_memory_bytes",
        "Resident memory of the largest process of its kind.",
        labels=["process"],
    )
    peak = GaugeMetricFamily(
        "brigadewatch_process_peak_memory_bytes",
        "The most resident memory that a living process of its kind has had.",
        labels=["process"],
    )
    for name, kind in read_kinds(fields, now_seconds).items():
        alive.add_metric([name], kind.count)
        for family, value in ((resident, kind.resident_bytes), (peak, kind.peak_bytes)):
            if value is not None:
                family.add_metric([name], value)
    yield from (alive, resident, peak)


def _failing(names: list[str], failing: Mapping[tuple[str, str], JobFailures]) -> Metric:
    family = GaugeMetricFamily(
        "brigadewatch_job_failures_in_a_row",
        "Failures of a job without a success in between; 0: the latest one succeeded.",
        labels=["work", "tenant"],
    )
    for name in names:
        for work in JOB_KINDS:
            failures = failing.get((work, name))
            family.add_metric([work, name], 0 if failures is None else failures.times)
    return family


def _judgement(report: ServerReport) -> Iterator[Metric]:
    """What `brigadewatch up` says at its start; here it also shows what was changed since."""
    for name, text, value in (
        ("problems", "Reasons for which the server cannot be used (0).", len(report.problems)),
        (
            "warnings",
            "Settings with which acknowledged complaints may be lost (0).",
            len(report.warnings),
        ),
        ("unknown_settings", "Settings that the server does not report.", len(report.unknown)),
    ):
        family = GaugeMetricFamily(f"brigadewatch_redis_{name}", text)
        family.add_metric([], value)
        yield family


def _server(info: Mapping[str, Any]) -> Iterator[Metric]:
    """The server's own state; values that it does not report are left out."""
    gauges = (
        ("memory_used_bytes", "Memory that Redis uses.", info.get("used_memory")),
        ("memory_max_bytes", "Memory that Redis may use (maxmemory); 0: no limit.", info.get("maxmemory")),
        (
            "evicts",
            "Whether Redis would evict keys when its memory is full (it must not: 0).",
            None if "maxmemory_policy" not in info else float(info["maxmemory_policy"] != "noeviction"),
        ),
        ("append_only", "Whether the append-only file is on (it has to be: 1).", info.get("aof_enabled")),
        (
            "append_only_write_ok",
            "Whether the latest write to the append-only file succeeded.",
            float(info.get("aof_last_write_status", "ok") == "ok"),
        ),
        (
            "append_only_rewrite_ok",
            "Whether the latest rewrite of the append-only file succeeded.",
            float(info.get("aof_last_bgrewrite_status", "ok") == "ok"),
        ),
        ("append_only_size_bytes", "Size of the append-only file.", info.get("aof_current_size")),
        ("connected_clients", "Connections to Redis.", info.get("connected_clients")),
    )
    for name, text, value in gauges:
        gauge = GaugeMetricFamily(f"brigadewatch_redis_{name}", text)
        if value is not None:
            gauge.add_metric([], float(value))
        yield gauge
    evicted = CounterMetricFamily(
        "brigadewatch_redis_evicted_keys",
        "Keys that Redis evicted since its start; each may be a lost complaint.",
    )
    evicted.add_metric([], float(info.get("evicted_keys", 0)))
    yield evicted
