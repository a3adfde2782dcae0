"""A job that fails rests, longer each time; a job that works again is forgotten as a failing one."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from pipeline_world import Paper
from redis.exceptions import ResponseError
from rq.job import Job
from rq.serializers import JSONSerializer

from service.storage.redis_store import job_failures, redis_keys
from service.storage.redis_store.job_kinds import JOB_KINDS
from service.storage.redis_store.job_queue import enqueue
from workers import jobs
from workers.clock import Clock


class Broken:
    """A job that fails as it is told, and counts."""

    def __init__(self) -> None:
        self.runs, self.error = 0, None  # type: int, Exception | None

    def __call__(self, tenant: str, resources: Any) -> None:
        self.runs += 1
        if self.error is not None:
            raise self.error


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Broken:
    made = Broken()
    monkeypatch.setattr(jobs, "function_of", lambda work: made)
    return made


@pytest.fixture
def paper(clients: Any, engine: Any, settings: Any) -> Paper:
    return Paper(clients, engine, settings)


def work(paper: Paper, kind: str) -> None:
    """What a worker does with one job."""
    job = jobs.RunnableJob.create(kind, args=(paper.name,), connection=paper.redis, serializer=JSONSerializer)
    job.resources = paper.resources
    try:
        job._execute()
    except Exception:
        return


def pause_seconds(paper: Paper, kind: str) -> float:
    return max(0, paper.redis.pttl(redis_keys.enqueued(kind, paper.name))) / 1_000


@pytest.fixture
def long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred times as long, so that a busy machine reads them before they pass."""
    for name in ("FIRST_PAUSE_SECONDS", "LONGEST_PAUSE_SECONDS", "LONGEST_OUTAGE_PAUSE_SECONDS"):
        monkeypatch.setattr(job_failures, name, getattr(job_failures, name) * 100)


@pytest.mark.usefixtures("long_pauses")
def test_the_pause_grows_up_to_half_a_minute_whoever_enqueues(paper: Paper, broken: Broken) -> None:
    broken.error = ValueError("the same again")
    seen = []
    for _ in range(9):
        work(paper, "restore")
        assert not enqueue(paper.redis, "restore", paper.name)
        seen.append(pause_seconds(paper, "restore"))
    assert seen == pytest.approx([50, 100, 200, 400, 800, 1_600, 3_000, 3_000, 3_000], abs=30)
    assert enqueue(paper.redis, "ingest", paper.name), "another kind of job does not wait for it"


@pytest.mark.usefixtures("long_pauses")
def test_an_outage_makes_a_shorter_pause(paper: Paper, broken: Broken) -> None:
    broken.error = ResponseError("syntax error")  # what a server that lacks an option answers, several times a second
    for _ in range(9):
        work(paper, "restore")
    assert pause_seconds(paper, "restore") == pytest.approx(500, abs=30)
    failures = job_failures.read_all(paper.redis.mget(job_failures.names(paper.name)))
    assert failures["restore"].times == 9
    assert failures["restore"].because == "ResponseError: syntax error"


@pytest.mark.usefixtures("long_pauses")
def test_one_success_forgets_all_of_it(paper: Paper, broken: Broken) -> None:
    broken.error = ValueError()
    for _ in range(5):
        work(paper, "detect")
    broken.error = None
    work(paper, "detect")
    assert paper.redis.mget(job_failures.names(paper.name)) == [None] * len(JOB_KINDS)
    assert enqueue(paper.redis, "detect", paper.name)
    broken.error = ValueError()
    work(paper, "detect")
    assert pause_seconds(paper, "detect") == pytest.approx(50, abs=30)


def test_the_log_has_a_line_when_it_begins_changes_and_ends(
    paper: Paper, broken: Broken, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="workers.jobs")
    for error in (ValueError(), ValueError(), ValueError(), KeyError(), KeyError(), None, None):
        broken.error = error
        work(paper, "ingest")
    lines = [record.getMessage() for record in caplog.records if record.name == "workers.jobs"]
    assert [("fails (ValueError)" in line, "fails (KeyError)" in line, "works again" in line) for line in lines] == [
        (True, False, False),
        (False, True, False),
        (False, False, True),
    ]


def test_what_a_job_says_of_an_item_is_not_kept(paper: Paper, broken: Broken) -> None:
    broken.error = ValueError("complaint of reporter anna@example.org")
    work(paper, "ingest")
    assert b"anna" not in paper.redis.get(redis_keys.failures("ingest", paper.name))


def test_a_work_that_nobody_wants_any_more_is_forgotten(paper: Paper, broken: Broken) -> None:
    broken.error = ValueError()
    work(paper, "dry_run")
    assert 0 < paper.redis.ttl(redis_keys.failures("dry_run", paper.name)) <= job_failures.REMEMBERED_SECONDS


def test_the_clock_does_not_enqueue_a_failing_restore_ten_times_a_second(paper: Paper, broken: Broken) -> None:
    """Driven as fast as it goes: every beat finds the position absent, and a worker takes what is enqueued."""
    broken.error = ResponseError("syntax error")
    paper.redis.delete(redis_keys.position(paper.name))
    clock = Clock(paper.resources)
    clock._round_at = float("-inf")
    for _ in range(20):
        clock._round_at = float("-inf")  # every beat looks at every tenant
        clock.beat()
        while (job_id := paper.redis.lpop("rq:queue:chores")) is not None:
            Job.fetch(job_id.decode(), connection=paper.redis, serializer=JSONSerializer)
            work(paper, "restore")
    assert broken.runs == 1
