"""What workers count: kept in Redis, shown as Prometheus wants it."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from prometheus_client.core import Metric

from service.ops.worker_metrics import (
    ANALYSIS_LAG,
    FAMILIES,
    JOBS,
    POLLS,
    WINDOW_COMPLAINTS,
    WorkerMetrics,
    counted,
    metrics_of,
    record_job,
)
from service.storage.redis_store import redis_keys


def shown(client: Any, *tenants: str) -> dict[str, Metric]:
    return {
        metric.name: metric
        for metric in metrics_of(
            {name: client.hgetall(redis_keys.tallies(name)) for name in tenants}, client.hgetall(redis_keys.tallies(""))
        )
    }


def values(metric: Metric, suffix: str = "") -> dict[tuple[str, ...], float]:
    return {
        tuple(sample.labels.values()): sample.value
        for sample in metric.samples
        if sample.name.removeprefix(metric.name) == suffix
    }


def test_counters_add_up_and_gauges_are_replaced_for_each_tenant(clients: Any) -> None:
    for tenant, n in (("news", 2), ("news", 3), ("blog", 7)):
        with WorkerMetrics(clients.blocking, tenant) as tally:
            tally.count(POLLS, "coral", "ok", by=n)
            tally.put(WINDOW_COMPLAINTS, n)
    found = shown(clients.blocking, "news", "blog")
    assert values(found["brigadewatch_polls"], "_total") == {("coral", "ok", "news"): 5, ("coral", "ok", "blog"): 7}
    assert values(found["brigadewatch_detection_window_complaints"]) == {("news",): 3, ("blog",): 7}


def test_a_first_failure_is_a_rise_from_zero(clients: Any) -> None:
    record_job(clients.blocking, "sweep", "news", 0.2, "done")
    before = values(shown(clients.blocking, "news")["brigadewatch_jobs"], "_total")
    assert before == {
        ("sweep", "done", "news"): 1,
        ("sweep", "failed", "news"): 0,
        ("sweep", "interrupted", "news"): 0,
        ("sweep", "superseded", "news"): 0,
    }


def test_a_histogram_counts_every_item_at_or_below_each_bound(clients: Any) -> None:
    with WorkerMetrics(clients.blocking, "news") as tally:
        tally.observe(ANALYSIS_LAG, 0.5, times=10)
        tally.observe(ANALYSIS_LAG, 0.6, times=5)
        tally.observe(ANALYSIS_LAG, 86_400.0)
    buckets = values(shown(clients.blocking, "news")["brigadewatch_analysis_lag_seconds"], "_bucket")
    assert {bound: n for (_, bound), n in buckets.items() if bound in ("0.25", "0.5", "1", "3600", "+Inf")} == {
        "0.25": 0,
        "0.5": 10,
        "1": 15,
        "3600": 15,
        "+Inf": 16,
    }
    assert values(shown(clients.blocking, "news")["brigadewatch_analysis_lag_seconds"], "_sum") == {
        ("news",): pytest.approx(86_408)
    }


def test_what_another_version_counted_is_passed_over(clients: Any) -> None:
    clients.blocking.hset(redis_keys.tallies("news"), mapping={"hot_pairs": "3", "jobs|ingest|done": "4"})
    assert counted(clients.blocking.hgetall(redis_keys.tallies("news")), JOBS) == {("ingest", "done"): 4}
    assert set(shown(clients.blocking, "news")) == {f"brigadewatch_{family.name}" for family in FAMILIES}


def test_counting_never_stops_work() -> None:
    with redis.Redis.from_url("redis://127.0.0.1:1/0", retry=None) as client:
        record_job(client, "ingest", "news", 1.0, "done")
