"""What we use of RQ beyond what it promises to keep. pyproject.toml allows one minor version: raise it when these pass.

workers/jobs.py and service/storage/redis_store/job_queue.py override methods and set private attributes, so that
nothing found in Redis can be imported, unpickled or called. Each test names the part that moved.
"""

from __future__ import annotations

import inspect
import threading
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import fakeredis
import pytest
import rq.worker.base
from rq import Queue, SimpleWorker
from rq.defaults import DEFAULT_MAINTENANCE_TASK_INTERVAL, DEFAULT_WORKER_TTL
from rq.job import Job
from rq.serializers import JSONSerializer
from sqlalchemy import Engine

from service.settings import Settings
from service.storage.redis_store.job_kinds import JOB_KINDS
from workers.jobs import QueueWorker
from workers.resources import Resources
from workers.tenant_assignment import BEAT_SECONDS, SILENT_MS

TESTED = "3.0"

OVERRIDDEN = {
    (Job, "restore"): ["self", "raw_data"],
    (Job, "_execute"): ["self"],
    (SimpleWorker, "execute_job"): ["self", "job", "queue"],
    (SimpleWorker, "heartbeat"): ["self", "timeout", "pipeline"],
    (SimpleWorker, "subscribe"): ["self"],
    (SimpleWorker, "unsubscribe"): ["self"],
    (SimpleWorker, "clean_group_registries"): ["self"],
    (SimpleWorker, "request_stop"): ["self", "signum", "frame"],
    (SimpleWorker, "get_state"): ["self"],
}

# What a job may carry out of Redis. A name that is new here has to be looked at: can it name code, or an address?
ATTRIBUTES = {
    *("_args", "_kwargs", "_func_name", "_instance", "_data", "_id", "_status", "_result", "_cached_result"),
    *("_exc_info", "_unreadable_meta", "_dependency_ids", "allow_dependency_failures"),
    *("_success_callback", "_success_callback_name", "_success_callback_timeout"),
    *("_failure_callback", "_failure_callback_name", "_failure_callback_timeout"),
    *("_stopped_callback", "_stopped_callback_name", "_stopped_callback_timeout"),
    *("connection", "created_at", "ended_at", "enqueued_at", "started_at", "last_heartbeat", "description"),
    *("enqueue_at_front", "enqueue_at_front_on_retry", "failure_ttl", "result_ttl", "ttl", "timeout", "group_id"),
    *("log", "meta", "origin", "worker_name", "serializer", "redis_server_version", "webhooks"),
    *("number_of_retries", "retries_left", "retry_intervals", "repeats_left", "repeat_intervals"),
    *("rate_limit_concurrency", "rate_limit_key"),
}


def test_the_installed_rq_is_of_the_tested_minor_version() -> None:
    assert version("rq").startswith(f"{TESTED}."), "RQ moved: read what changed, then raise the cap and this test"


@pytest.mark.parametrize(("owner", "name"), OVERRIDDEN, ids=lambda one: getattr(one, "__name__", one))
def test_each_overridden_method_still_takes_the_same_arguments(owner: type, name: str) -> None:
    found = list(inspect.signature(getattr(owner, name)).parameters)
    assert found == OVERRIDDEN[owner, name], f"rq changed {owner.__name__}.{name}"


def test_a_job_carries_no_attribute_that_nobody_has_looked_at() -> None:
    job = Job.create("x", args=("t",), connection=fakeredis.FakeRedis(), serializer=JSONSerializer)
    assert vars(job).keys() == ATTRIBUTES


@pytest.mark.parametrize("name", ["_stop_requested", "log_result_lifespan", "max_connection_wait_time"])
def test_the_worker_still_reads_the_attributes_that_are_set(name: str) -> None:
    assert name in inspect.getsource(rq.worker.base), f"rq's worker does not read {name} any more"


def test_queues_still_lie_under_the_prefix_that_counts_their_jobs() -> None:
    assert Queue.redis_queue_namespace_prefix == "rq:queue:"


def test_rq_believes_in_a_dead_worker_for_as_long_as_decision_054_says(
    settings: Settings, engine: Engine, real_redis: Any
) -> None:
    """Why tenants are not placed by its registry (workers/tenant_assignment.py)."""
    connection = real_redis.blocking
    worker = QueueWorker(
        "detect", Resources(replace(settings, redis_url=real_redis.url), engine, connection), threading.Event()
    )
    worker.register_birth()
    assert connection.ttl(worker.key) == pytest.approx(80, abs=2)
    job = Job.create(
        "detect",
        args=("t",),
        timeout=JOB_KINDS["detect"].timeout_seconds,
        connection=connection,
        serializer=JSONSerializer,
    )
    worker.heartbeat(worker.get_heartbeat_ttl(job))  # as before each job
    assert connection.ttl(worker.key) == pytest.approx(960, abs=2)
    assert (DEFAULT_WORKER_TTL, DEFAULT_MAINTENANCE_TASK_INTERVAL) == (420, 600)
    assert BEAT_SECONDS * 1_000 < SILENT_MS < 80_000
