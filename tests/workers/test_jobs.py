"""The table of jobs, and a worker that runs by it: in its own process, against a real server."""

from __future__ import annotations

import inspect
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from archive_lines import complaint
from pipeline_world import Paper
from redis.exceptions import ConnectionError as RedisConnectionError
from redis_process import RedisProcess
from rq.job import Job
from rq.serializers import JSONSerializer
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from service.errors import LostLease, StaleVersion
from service.logs import Logfmt
from service.ops.worker_metrics import JOBS, counted
from service.settings import Settings
from service.storage.redis_store import redis_keys, stream
from service.storage.redis_store.client import connect
from service.storage.redis_store.job_kinds import JOB_KINDS
from service.storage.redis_store.job_queue import RefusedJob, enqueue, open_queue
from workers import jobs
from workers.__main__ import main
from workers.resources import Resources, open_resources

ROOT = Path(__file__).parents[2]


def start(what: str, settings: Settings, redis_url: str) -> subprocess.Popen[bytes]:
    """One process of the pipeline."""
    environment = {
        **os.environ,
        "REDIS_URL": redis_url,
        "DATABASE_URL": settings.database_url,
        "BRIGADEWATCH_DATA": str(settings.data),
        "BRIGADEWATCH_SECRET_KEY": "5e" * 32,
        "PYTHONPATH": str(ROOT),
    }
    return subprocess.Popen([sys.executable, "-m", "workers", what], env=environment, cwd=ROOT)


def until(true: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for something that another process does."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture
def worker(real_redis: Any, settings: Settings, engine: Engine) -> Iterator[subprocess.Popen[bytes]]:
    process = start("ingest", settings, real_redis.url)
    yield process
    process.kill()
    process.wait(10)


def test_every_module_with_a_job_is_listed_and_no_other() -> None:
    modules = {file.stem for file in (ROOT / "workers").glob("*.py") if "\ndef run(tenant: str" in file.read_text()}
    assert {kind.module for kind in JOB_KINDS.values()} == {f"workers.{name}" for name in modules}


@pytest.mark.parametrize("work", sorted(JOB_KINDS))
def test_each_job_resolves_to_a_function_of_tenant_and_resources(work: str) -> None:
    function = jobs.function_of(work)
    assert list(inspect.signature(function).parameters) == ["tenant", "resources"]
    assert function.__module__ == JOB_KINDS[work].module


@pytest.mark.parametrize("name", ["os", "workers.ingest", "", "run"])
def test_nothing_beside_the_table_is_imported(name: str) -> None:
    with pytest.raises(KeyError):
        jobs.function_of(name)


def test_a_worker_archives_and_ends_warm_when_asked(
    worker: subprocess.Popen[bytes], real_redis: Any, engine: Engine, settings: Settings
) -> None:
    paper = Paper(real_redis, engine, settings)
    paper.accepts(complaint("a"))
    enqueue(real_redis.blocking, "ingest", "paper")
    until(lambda: paper.archived_ids() == ["a"])
    until(lambda: not [key for key in real_redis.blocking.keys("rq:job:*")])
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(10) == 0


def test_a_worker_refuses_what_is_not_in_the_table_and_goes_on(
    worker: subprocess.Popen[bytes], real_redis: Any, engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    paper = Paper(real_redis, engine, settings)
    paper.accepts(complaint("a"))
    queue, mark = open_queue(real_redis.blocking, "ingest"), tmp_path / "touched"
    evil = [queue.enqueue_call("os.mkdir", args=(str(mark),)), queue.enqueue_call("ingest", args=("paper", "and more"))]
    pickled = queue.enqueue_call("ingest", args=("paper",))
    real_redis.blocking.hset(pickled.key, "data", b"cos\nmkdir\n(V" + str(mark).encode() + b"\ntR.")
    enqueue(real_redis.blocking, "ingest", "paper")
    until(lambda: paper.archived_ids() == ["a"])
    assert not mark.exists()
    until(lambda: all(job.get_status() == "failed" for job in evil))
    failed: Job = queue.job_class.fetch(evil[0].id, connection=real_redis.blocking, serializer=JSONSerializer)
    result = failed.latest_result()
    assert result is not None and RefusedJob.__name__ in str(result.exc_string)
    assert 0 < real_redis.blocking.ttl(failed.key) <= 300, "a year, if RQ had its way"
    assert worker.poll() is None


def test_a_worker_starts_without_redis_and_works_when_it_is_there(
    tmp_path: Path, settings: Settings, engine: Engine, loop: Any
) -> None:
    import redis
    from conftest import RedisClients

    late = RedisProcess(tmp_path / "late")
    url = late.url
    process = start("ingest", settings, url)
    clients = None
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(2.5)
        late.start()
        clients = RedisClients(redis.Redis.from_url(url), connect(url, 2.0), loop, url=url)
        paper = Paper(clients, engine, settings)
        paper.accepts(complaint("a"))
        enqueue(clients.blocking, "ingest", "paper")
        until(lambda: paper.archived_ids() == ["a"])
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait(10)
        if clients is not None:
            clients.blocking.close()
            loop.run_until_complete(clients.asyncio.aclose())
            loop.run_until_complete(clients.asyncio.connection_pool.disconnect())
        late.stop()


def test_a_process_with_a_wrong_name_or_without_redis_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.delenv("REDIS_URL", raising=False)
    assert main([]) == 2
    assert main(["default"]) == 2
    assert main(["ingest"]) == 2
    said = capsys.readouterr().err
    assert (
        "usage" in said and "ingest, detect, sweep, deliver, chores, clock" in said and "REDIS_URL is not set" in said
    )
    with pytest.raises(ValueError, match="REDIS_URL"):
        open_resources(settings)


@pytest.mark.parametrize(
    ("ending", "result"),
    [
        (None, "done"),
        (LostLease("another worker goes on"), "superseded"),
        (StaleVersion("somebody was first", current_version=2, changed_by="x"), "superseded"),
        (RedisConnectionError("refused"), "interrupted"),
        (OperationalError("select", {}, Exception("locked")), "interrupted"),
        (RuntimeError("a fault of ours"), "failed"),
    ],
)
def test_how_a_job_ended_is_counted_and_only_a_fault_of_ours_is_a_failure(
    clients: Any,
    engine: Engine,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    ending: Exception | None,
    result: str,
) -> None:
    def work(tenant: str, resources: Resources) -> None:
        if ending is not None:
            raise ending

    monkeypatch.setattr(jobs, "function_of", lambda name: work)
    job = jobs.RunnableJob.create("sweep", args=["paper"], connection=clients.blocking, serializer=JSONSerializer)
    job.resources = Resources(settings, engine, clients.blocking)
    if result == "failed":
        with pytest.raises(RuntimeError, match="ours"):
            job.perform()
    else:
        job.perform()
    assert counted(clients.blocking.hgetall(redis_keys.tallies("paper")), JOBS) == {("sweep", result): 1}


def test_the_line_of_a_job_names_whose_posts_it_archived(
    clients: Any, engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    paper = Paper(clients, engine, settings)
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(jobs.RunnableJob, "resources", paper.resources)
    stream.append_blocking(
        paper.redis,
        "paper",
        stream.StreamBatch(2, b"\n".join([complaint("a"), complaint("b", reporter="person-2")]), "edge-1,edge-2"),
        1_000,
    )
    paper.accepts(complaint("c", reporter="person-3"))
    jobs.RunnableJob.create(
        "ingest", args=["paper"], id="job-7", connection=paper.redis, serializer=JSONSerializer
    ).perform()
    jobs.RunnableJob.create("detect", args=["paper"], connection=paper.redis, serializer=JSONSerializer).perform()
    archived, analysed = [record.facts for record in caplog.records if record.name == "job"]  # type: ignore[attr-defined]
    assert archived.pop("seconds") > 0
    assert archived == {
        "work": "ingest",
        "tenant": "paper",
        "result": "done",
        "entries": 2,
        "items": 3,
        "position": 3,
        "requests": "edge-1,edge-2",
    }
    assert (analysed["work"], analysed["items"], analysed["position"]) == ("detect", 3, 3)
    assert "person" not in "".join(map(Logfmt("worker-ingest").format, caplog.records))


def test_an_item_that_dies_is_told_with_the_request_that_posted_it_and_without_its_words(
    clients: Any, engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    paper = Paper(clients, engine, settings)
    monkeypatch.setattr(jobs.RunnableJob, "resources", paper.resources)
    stream.append_blocking(paper.redis, "paper", stream.StreamBatch(1, b'c{"id": "secret words"}', "edge-9"), 1_000)
    for _ in range(5):
        with suppress(Exception):
            jobs.RunnableJob.create(
                "ingest", args=["paper"], connection=paper.redis, serializer=JSONSerializer
            ).perform()
    said = "\n".join(map(Logfmt("worker-ingest").format, caplog.records))
    assert "the item at position 1, posted by edge-9, goes to the dead letters" in said
    assert "secret words" not in said


def test_a_job_outside_a_worker_says_what_is_missing(clients: Any) -> None:
    job = jobs.RunnableJob.create("ingest", args=["paper"], connection=clients.blocking, serializer=JSONSerializer)
    with pytest.raises(RuntimeError, match="brigadewatch worker"):
        job.perform()
    assert not clients.blocking.exists(redis_keys.enqueued("ingest", "paper"))
