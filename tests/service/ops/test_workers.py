"""Workers and queues as Redis knows them."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from service.errors import StoreUnavailable
from service.model import moment
from service.ops import worker_metrics
from service.ops.workers import read_machinery
from service.settings import Settings, read_settings
from service.storage.redis_store import redis_keys
from service.storage.redis_store.client import connect
from service.storage.redis_store.job_queue import enqueue
from workers.jobs import QueueWorker
from workers.resources import Resources

NOW = datetime.now(UTC)


def test_a_real_worker_is_found_by_its_queue_and_falls_silent(
    real_redis: Any, engine: Engine, settings: Settings
) -> None:
    used = read_settings(settings.data, {"REDIS_URL": real_redis.url})
    worker = QueueWorker("detect", Resources(used, engine, real_redis.blocking), threading.Event())
    worker.register_birth()
    found = real_redis.run(read_machinery(real_redis.asyncio, "paper", NOW))
    assert [(one.queue, one.done, one.failed) for one in found.workers] == [("detect", 0, 0)]
    assert not found.workers[0].silent(datetime.now(UTC))
    assert found.workers[0].silent(datetime.now(UTC) + timedelta(minutes=10))
    assert found.missing(datetime.now(UTC)) == ["ingest", "sweep", "deliver", "chores"]
    worker.register_death()
    worker.connection.close()
    assert real_redis.run(read_machinery(real_redis.asyncio, "paper", NOW)).workers == []


def test_what_waits_and_what_failed_is_the_tenants_own(clients: Any) -> None:
    redis = clients.blocking
    enqueue(redis, "ingest", "paper")
    enqueue(redis, "ingest", "other")
    worker_metrics.record_job(redis, "sweep", "paper", 1.0, "failed")
    worker_metrics.record_job(redis, "sweep", "other", 1.0, "failed")
    with worker_metrics.WorkerMetrics(redis, "paper") as tally:
        tally.put(worker_metrics.SELFCHECK_FALSE, 2)
        tally.put(worker_metrics.SELFCHECK_COMPLAINTS, 500)
        tally.put(worker_metrics.SELFCHECK_FINISHED, NOW.timestamp() - 3_600)
        tally.put(worker_metrics.WINDOW_COMPLAINTS, 480)
    redis.set(redis_keys.position("paper"), 41)
    redis.xadd(redis_keys.stream("paper"), {"first": 1, "at": 1_795_000_000_000_000})
    found = clients.run(read_machinery(clients.asyncio, "paper", NOW))
    assert found.waiting_by_queue == {"ingest": 2, "detect": 0, "sweep": 0, "deliver": 0, "chores": 0}
    assert (found.position, found.stream_batches, found.window_complaints) == (41, 1, 480)
    assert found.jobs_by_work == {"sweep": {"done": 0, "superseded": 0, "interrupted": 0, "failed": 1}}
    assert found.stream_oldest == moment(1_795_000_000_000_000)
    assert found.selfcheck is not None
    assert (found.selfcheck.false_clusters, found.selfcheck.complaints) == (2, 500)
    assert abs((NOW - timedelta(hours=1) - found.selfcheck.finished).total_seconds()) < 60
    nothing = clients.run(read_machinery(clients.asyncio, "new", NOW))
    assert (nothing.position, nothing.stream_batches, nothing.stream_oldest, nothing.selfcheck) == (None, 0, None, None)


def test_a_worker_whose_row_is_no_worker_does_not_break_the_page(fake_redis: Any) -> None:
    fake_redis.blocking.sadd("rq:workers", "rq:worker:gone", "rq:worker:odd")
    fake_redis.blocking.hset(
        "rq:worker:odd", mapping={"queues": "detect", "birth": "yesterday", "successful_job_count": "many"}
    )
    (odd,) = fake_redis.run(read_machinery(fake_redis.asyncio, "paper", NOW)).workers
    assert (odd.queue, odd.born, odd.done, odd.silent(NOW)) == ("detect", None, 0, True)


def test_a_redis_that_is_away_is_said_so() -> None:
    import asyncio

    async def ask() -> None:
        client = connect("redis://127.0.0.1:1/0", 0.2)
        try:
            with pytest.raises(StoreUnavailable):
                await read_machinery(client, "paper", NOW)
        finally:
            await client.aclose()

    asyncio.run(ask())
