"""The metrics port: what it exports, that it answers without Redis, and that the dashboard asks for nothing else."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.parser import text_string_to_metric_families
from redis_process import RedisProcess
from sqlalchemy import Engine, insert, update
from sqlalchemy.event import listen

from service.ops.collector import StoreCollector
from service.ops.observations import Observations
from service.ops.routes import create_ops_app
from service.ops.worker_metrics import CUT_PAIRS, DELIVERY_ATTEMPTS, POLLS, WINDOW_COMPLAINTS, WorkerMetrics, record_job
from service.storage.accounts.tenants import create_tenant
from service.storage.redis_store import job_failures, redis_keys
from service.storage.sql.engine import write
from service.storage.sql.schema import (
    analysis_state,
    clusters,
    dead_letters,
    deliveries,
    feed,
    ingest_state,
    sources,
    subscriptions,
    sweeps,
)

NOW_US = 1_795_000_000_000_000
DASHBOARD = Path(__file__).parents[3] / "deploy" / "grafana" / "brigadewatch.json"


class Web:
    """Calls the second port's routes in this process."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def get(self, path: str) -> httpx.Response:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(self._app), base_url="http://ops") as client:
                return await client.get(path)

        return asyncio.run(ask())


@pytest.fixture
def server(valkey_url: str) -> Iterator[Any]:
    with redis.Redis.from_url(valkey_url) as client:
        yield client


@pytest.fixture
def seeded(engine: Engine, server: Any) -> Engine:
    """A tenant with something of everything."""
    number = create_tenant(engine, "news", NOW_US)
    create_tenant(engine, "quiet", NOW_US)
    with write(engine) as connection:
        connection.execute(
            update(ingest_state)
            .where(ingest_state.c.tenant_id == number)
            .values(archived_position=90, archived=90, duplicates=3, late=1, watermark_us=NOW_US)
        )
        connection.execute(
            update(analysis_state)
            .where(analysis_state.c.tenant_id == number)
            .values(analysed_position=80, swept_position=70, cursor_seq=80)
        )
        connection.execute(
            insert(feed).values(
                tenant_id=number,
                last_seq=90,
                first_seq=81,
                last_position=90,
                items=10,
                received_us=NOW_US - 1_000_000,
                oldest_received_us=NOW_US - 4_000_000,
                payload=b"",
            )
        )
        connection.execute(
            insert(dead_letters).values(tenant_id=number, position=5, received_us=1, dead_us=2, error="e", line="c{}")
        )
        connection.execute(
            insert(dead_letters).values(
                tenant_id=number, position=6, received_us=1, dead_us=2, error="e", line="c{}", resent_us=3
            )
        )
        for k, (disposition, status) in enumerate([("flagged", "open"), ("flagged", "open"), ("held_back", "open")]):
            connection.execute(
                insert(clusters).values(
                    id=f"k{k}",
                    tenant_id=number,
                    kind="repeat",
                    disposition=disposition,
                    status=status,
                    score=1,
                    probability=1,
                    unfounded_probability=0.5,
                    first_us=1,
                    last_us=2,
                    reporter_count=3,
                    target_count=3,
                    summary="",
                    evidence="[]",
                    policy_version="v",
                    version=1,
                    found_us=1,
                )
            )
        for seconds in (9.0, 2.5):
            connection.execute(
                insert(sweeps).values(
                    tenant_id=number, seq=1, position=1, finished_us=NOW_US, seconds=seconds, payload=b""
                )
            )
        for k, (polled_us, failures, url) in enumerate(
            [(NOW_US - 5_000_000, 0, "https://a"), (None, 3, "https://b"), (NOW_US, 9, None)]
        ):
            connection.execute(
                insert(sources).values(
                    id=f"s{k}",
                    tenant_id=number,
                    platform="coral",
                    url=url,
                    created_us=NOW_US - 9_000_000,
                    polled_us=polled_us,
                    failures=failures,
                )
            )
        for k, (state, next_us, off_us) in enumerate(
            [("pending", 5, None), ("pending", None, 4), ("delivered", None, None)]
        ):
            connection.execute(
                insert(deliveries).values(
                    id=f"d{k}",
                    tenant_id=number,
                    subscription_id=f"w{k}",
                    event_id="e",
                    state=state,
                    next_us=next_us,
                    created_us=1,
                )
            )
            connection.execute(
                insert(subscriptions).values(
                    id=f"w{k}",
                    tenant_id=number,
                    url="https://a",
                    events="[]",
                    secret="s",
                    created_us=1,
                    disabled_us=off_us,
                )
            )
    server.set(redis_keys.position("news"), 100)
    server.xadd(redis_keys.stream("news"), {"at": NOW_US - 1_500_000, "lines": "x"})
    server.rpush("rq:queue:ingest", "a", "b")
    with WorkerMetrics(server, "news") as tally:
        for result in ("ok", "ok", "limited"):
            tally.count(POLLS, "coral", result)
        for result in ("delivered", "delivered", "retried"):
            tally.count(DELIVERY_ATTEMPTS, result)
    record_job(server, "ingest", "news", 0.02, "done")
    record_job(server, "ingest", "news", 700.0, "failed")
    for cut, live in ((2, 10), (3, 12)):
        with WorkerMetrics(server, "news") as tally:
            tally.count(CUT_PAIRS, by=cut)
            tally.put(WINDOW_COMPLAINTS, live)
    return engine


@pytest.fixture
def web(seeded: Engine, server: Any) -> Iterator[Web]:
    yield from _web(seeded, server)


def _web(engine: Engine, client: Any, *, every_seconds: float = 0) -> Iterator[Web]:
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    stores = StoreCollector(client, engine, now_us=lambda: NOW_US, every_seconds=every_seconds)
    registry.register(stores)
    observed = Observations(registry)
    observed.accepted("news", 7)
    observed.rejected("news", 2)
    observed.assessed(0.003)
    observed.waited(0.15, analysed=True)
    yield Web(create_ops_app(registry, stores))
    stores.close()


def samples(web: Web) -> dict[str, dict[tuple[str, ...], float]]:
    """Values by sample name and label values, labels in the order of their names."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(web.get("/metrics").text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels[label] for label in sorted(sample.labels))] = (
                sample.value
            )
    return found


def test_what_the_stores_know_is_exported(web: Web) -> None:
    found = samples(web)
    assert found["brigadewatch_position"][("analysed", "news")] == 80
    assert found["brigadewatch_position"][("swept", "news")] == 70
    assert found["brigadewatch_accepted_position"][("news",)] == 100
    assert ("quiet",) not in found["brigadewatch_accepted_position"]
    assert found["brigadewatch_stream_batches"][("news",)] == 1
    assert found["brigadewatch_stream_oldest_age_seconds"] == {("news",): pytest.approx(1.5), ("quiet",): 0}
    assert found["brigadewatch_feed_oldest_age_seconds"] == {("news",): pytest.approx(4.0), ("quiet",): 0}
    assert found["brigadewatch_feed_items"][("news",)] == 10
    assert found["brigadewatch_archived_items_total"][("duplicates", "news")] == 3
    assert found["brigadewatch_dead_letters"] == {("news",): 1, ("quiet",): 0}
    assert found["brigadewatch_clusters"][("flagged", "repeat", "open", "news")] == 2
    assert found["brigadewatch_sweep_duration_seconds"][("news",)] == 2.5
    assert found["brigadewatch_queue_jobs"][("ingest",)] == 2
    assert found["brigadewatch_up"] == {("database",): 1, ("redis",): 1}


def test_polls_are_counted_by_result_and_the_oldest_success_of_a_source_is_shown(web: Web) -> None:
    found = samples(web)
    assert found["brigadewatch_polls_total"] == {("coral", "ok", "news"): 2, ("coral", "limited", "news"): 1}
    # never polled: since it was made
    assert found["brigadewatch_poll_success_timestamp_seconds"] == {("coral", "news"): (NOW_US - 9_000_000) / 1e6}
    assert found["brigadewatch_sources_failing"] == {("coral", "news"): 1}


def test_deliveries_are_counted_by_result_and_what_waits_or_is_disabled_is_shown(web: Web) -> None:
    found = samples(web)
    assert found["brigadewatch_delivery_attempts_total"] == {
        ("delivered", "news"): 2,
        ("retried", "news"): 1,
        ("given_up", "news"): 0,
        ("disabled", "news"): 0,
    }
    assert found["brigadewatch_deliveries_waiting"] == {("news",): 1, ("quiet",): 0}
    assert found["brigadewatch_subscriptions_disabled"] == {("news",): 1, ("quiet",): 0}


def test_jobs_and_counts_of_other_processes_are_exported(web: Web) -> None:
    found = samples(web)
    assert found["brigadewatch_job_duration_seconds_bucket"][("0.05", "ingest")] == 1
    assert found["brigadewatch_job_duration_seconds_bucket"][("300", "ingest")] == 1
    assert found["brigadewatch_job_duration_seconds_bucket"][("+Inf", "ingest")] == 2
    assert found["brigadewatch_job_duration_seconds_sum"][("ingest",)] == pytest.approx(700.02)
    assert found["brigadewatch_jobs_total"] == {
        ("done", "news", "ingest"): 1,
        ("failed", "news", "ingest"): 1,
        ("interrupted", "news", "ingest"): 0,
        ("superseded", "news", "ingest"): 0,
    }
    assert found["brigadewatch_job_busy_seconds_total"] == {("news", "ingest"): pytest.approx(700.02)}
    assert found["brigadewatch_detection_cut_pairs_total"][("news",)] == 5
    assert found["brigadewatch_detection_window_complaints"][("news",)] == 12


def test_what_the_process_counts_is_exported(web: Web) -> None:
    found = samples(web)
    assert found["brigadewatch_accepted_items_total"][("news",)] == 7
    assert found["brigadewatch_rejected_items_total"][("news",)] == 2
    assert found["brigadewatch_assessment_duration_seconds_bucket"][("0.005",)] == 1
    assert found["brigadewatch_assessment_wait_seconds_count"] == {("analysed",): 1, ("late",): 0}


def test_every_metric_has_our_prefix_and_a_help_text(web: Web) -> None:
    for family in text_string_to_metric_families(web.get("/metrics").text):
        assert family.name.startswith(("brigadewatch_", "process_", "python_"))
        assert family.documentation


def test_a_dead_redis_leaves_the_rest_within_a_second(seeded: Engine) -> None:
    client = redis.Redis.from_url("redis://127.0.0.1:1/0", socket_timeout=0.5, socket_connect_timeout=0.5)
    for web in _web(seeded, client):
        found = samples(web)
        assert found["brigadewatch_up"] == {("database",): 1, ("redis",): 0}
        assert found["brigadewatch_position"][("analysed", "news")] == 80
        ready = web.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["dependencies"]["database"] == "ok"
        assert "Connection" in ready.json()["dependencies"]["redis"]
    client.close()


def test_a_redis_that_hangs_leaves_the_rest_within_a_second(seeded: Engine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = redis.Redis(port=silent.getsockname()[1], socket_timeout=1.5, socket_connect_timeout=1.5, retry=None)
        for web in _web(seeded, client):
            began = time.perf_counter()
            found = samples(web)
            assert time.perf_counter() - began < 5  # 0.8 s of patience; the rest is what a crowded machine may take
            assert found["brigadewatch_up"] == {("database",): 1, ("redis",): 0}
        client.close()


def test_however_often_somebody_scrapes_each_store_is_read_once_a_second(seeded: Engine, server: Any) -> None:
    began, asked = list[str](), list[str]()
    listen(seeded, "before_cursor_execute", lambda *given: asked.append(given[2]))
    for web in _web(seeded, server, every_seconds=3600):
        samples(web)
        began, before = list(asked), server.info("commandstats")["cmdstat_hgetall"]["calls"]
        for _ in range(10):
            assert samples(web)["brigadewatch_up"] == {("database",): 1, ("redis",): 1}
            assert web.get("/readyz").status_code == 200
        assert asked == began and began
        assert server.info("commandstats")["cmdstat_hgetall"]["calls"] == before


def test_of_a_store_that_no_longer_answers_nothing_is_shown(seeded: Engine, tmp_path: Path) -> None:
    process = RedisProcess(tmp_path / "gone").start()
    with redis.Redis.from_url(process.url, socket_timeout=0.5) as client:
        client.set(redis_keys.position("news"), 100)
        client.config_set("maxmemory-policy", "allkeys-lru")
        for web in _web(seeded, client):
            shown, ready = samples(web), web.get("/readyz").json()
            assert shown["brigadewatch_accepted_position"] == {("news",): 100}
            assert ("redis",) in shown["brigadewatch_clock_difference_seconds"] and "redis" in ready["warnings"]
            process.kill()
            shown, ready = samples(web), web.get("/readyz").json()
            assert shown["brigadewatch_up"] == {("database",): 1, ("redis",): 0}
            assert "brigadewatch_accepted_position" not in shown
            assert ("redis",) not in shown.get("brigadewatch_clock_difference_seconds", {})
            assert ready["dependencies"]["redis"] != "ok" and "redis" not in ready["warnings"]


def test_readiness_names_each_dependency(web: Web) -> None:
    answer = web.get("/readyz")
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"ready": True, "dependencies": {"database": "ok", "redis": "ok"}, "warnings": {}}
    assert web.get("/healthz").status_code == 200


def test_settings_that_lose_complaints_and_jobs_that_fail_are_warnings_of_a_service_that_is_ready(
    web: Web, server: Any
) -> None:
    failures = job_failures.failed_again(None, "ValueError", NOW_US, outage=False)
    for _ in range(3):
        failures = job_failures.failed_again(failures, "ValueError", NOW_US, outage=False)
    job_failures.note(server, "restore", "news", failures)
    before = server.config_get("maxmemory-policy")["maxmemory-policy"]
    server.config_set("maxmemory-policy", "allkeys-lru")
    try:
        answer, found = web.get("/readyz"), samples(web)
    finally:
        server.config_set("maxmemory-policy", before)
    assert (answer.status_code, answer.json()["ready"]) == (200, True)
    warnings = answer.json()["warnings"]
    assert "maxmemory-policy is allkeys-lru" in warnings["redis"]
    assert warnings["restore of news"].startswith(
        "the job restore of tenant news has failed 4 times in a row (ValueError)"
    )
    assert found["brigadewatch_redis_warnings"][()] == 1
    assert found["brigadewatch_redis_problems"][()] == 0
    assert found["brigadewatch_redis_evicts"][()] == 1
    failing = {labels: times for labels, times in found["brigadewatch_job_failures_in_a_row"].items() if times}
    assert failing == {("news", "restore"): 4}
    job_failures.forget(server, "restore", "news")
    assert web.get("/readyz").json()["warnings"] == {}


def test_a_server_that_answers_and_cannot_be_used_is_not_ready(seeded: Engine, tmp_path: Path, server: Any) -> None:
    """As after a failover: what was the primary is a replica now."""
    primary = server.connection_pool.connection_kwargs["port"]
    replica = RedisProcess(tmp_path / "replica", "--replicaof", "127.0.0.1", str(primary)).start()
    with redis.Redis.from_url(replica.url) as client:
        for web in _web(seeded, client):
            answer = web.get("/readyz")
            assert answer.status_code == 503
            assert "is a replica of 127.0.0.1" in answer.json()["dependencies"]["redis"]
    replica.kill()
