"""Jobs are names of the fixed table and one tenant's name, whoever wrote them."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from rq.job import Job
from rq.serializers import JSONSerializer

from service.storage.redis_store import redis_keys
from service.storage.redis_store.job_kinds import QUEUES
from service.storage.redis_store.job_queue import (
    RefusedJob,
    TenantJob,
    begun,
    enqueue,
    open_queue,
    others_wait,
    waiting_jobs,
)


def test_one_job_of_a_kind_waits_for_a_tenant(clients: Any) -> None:
    redis = clients.blocking
    assert enqueue(redis, "ingest", "paper")
    assert not enqueue(redis, "ingest", "paper")
    assert enqueue(redis, "ingest", "other") and enqueue(redis, "detect", "paper")
    assert waiting_jobs(redis) == {**dict.fromkeys(QUEUES, 0), "ingest": 2, "detect": 1}
    begun(redis, "ingest", "paper")
    assert enqueue(redis, "ingest", "paper"), "what comes while a job runs needs another"


def test_whoever_works_sees_that_another_waits_in_the_same_queue(clients: Any) -> None:
    redis = clients.blocking
    enqueue(redis, "detect", "other")
    assert others_wait(redis, "detect") and not others_wait(redis, "ingest")


def test_a_job_that_was_lost_keeps_the_next_away_for_seconds_only(clients: Any) -> None:
    enqueue(clients.blocking, "ingest", "paper")
    assert 0 < clients.blocking.pttl(redis_keys.enqueued("ingest", "paper")) <= 5_000


def test_a_job_carries_two_names_in_json_and_is_kept_for_no_time(clients: Any) -> None:
    redis = clients.blocking
    enqueue(redis, "sweep", "paper")
    (job,) = open_queue(redis, "sweep").jobs
    assert isinstance(job, TenantJob)
    assert job.work_and_tenant() == ("sweep", "paper")
    assert JSONSerializer.loads(job.data) == ["sweep", None, ["paper"], {}]
    assert (job.result_ttl, job.failure_ttl) == (0, 300)
    assert 0 < redis.ttl(job.key) <= 60


@pytest.mark.parametrize(
    "data",
    [
        ["os.system", None, ["true"], {}],
        ["ingest", None, [], {}],
        ["ingest", None, ["paper", "more"], {}],
        ["ingest", None, [["paper"]], {}],
        ["ingest", None, ["paper"], {"x": 1}],
        ["ingest", "an instance", ["paper"], {}],
        ["workers.ingest.run", None, ["paper"], {}],
        ["__class__", None, ["paper"], {}],
        [None, None, ["paper"], {}],
    ],
)
def test_any_other_name_and_any_other_argument_is_refused(clients: Any, data: list[Any]) -> None:
    job = TenantJob(connection=clients.blocking, serializer=JSONSerializer)
    job.data = JSONSerializer.dumps(data)
    with pytest.raises(RefusedJob, match="works are ingest, detect"):
        job.work_and_tenant()


def test_a_job_read_from_redis_has_lost_its_callbacks_webhooks_and_repeats(clients: Any) -> None:
    redis = clients.blocking
    redis.hset(
        "rq:job:evil",
        mapping={
            "data": JSONSerializer.dumps(["ingest", None, ["paper"], {}]),
            "created_at": "2026-01-01T00:00:00.000000Z",
            "success_callback_name": "os.getpid",
            "failure_callback_name": "os.getpid",
            "stopped_callback_name": "os.getpid",
            "webhooks": '[{"url": "http://127.0.0.1:9/", "job_status": "finished"}]',
            "repeats_left": 5,
            "repeat_intervals": "[1]",
            "retries_left": 3,
            "meta": pickle.dumps({"x": 1}),
            "dependency_ids": '["other"]',
            "group_id": "g",
        },
    )
    job: Job = TenantJob.fetch("evil", connection=redis, serializer=JSONSerializer)
    assert job.success_callback is None and job.failure_callback is None and job.stopped_callback is None
    assert (job.webhooks, job.repeats_left, job.should_retry, job.group_id) == ([], None, False, None)
    assert job.meta.get("x") is None, "JSON, never pickle"


def test_a_queue_that_there_is_not_is_named_with_those_that_there_are(clients: Any) -> None:
    with pytest.raises(ValueError, match="ingest, detect, sweep, deliver, chores"):
        open_queue(clients.blocking, "default")
    assert [open_queue(clients.blocking, name).name for name in QUEUES] == list(QUEUES)
