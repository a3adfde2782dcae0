"""The RQ worker that runs jobs of the known kinds: one queue each, no fork, no pickle, no callbacks."""

from __future__ import annotations

import gc
import logging
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from importlib import import_module
from types import FrameType
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from rq import SimpleWorker
from rq.exceptions import StopRequested
from rq.serializers import JSONSerializer
from rq.worker import WorkerStatus
from sqlalchemy.exc import OperationalError

from service import logs
from service.errors import LostLease, StaleVersion, StoreUnavailable
from service.liveness import BELIEVED_SECONDS, say_alive
from service.ops.processes import beating
from service.ops.worker_metrics import JobResult, record_job
from service.storage.redis_store import job_failures
from service.storage.redis_store.health import note_refused_write
from service.storage.redis_store.job_failures import JobFailures
from service.storage.redis_store.job_kinds import JOB_KINDS
from service.storage.redis_store.job_queue import TenantJob, TenantQueue, begun, open_queue
from service.storage.redis_store.server_check import CheckOnce
from service.storage.sql.health import refused_write
from workers.resources import Resources, connect_redis
from workers.tenant_assignment import taking_part

log = logging.getLogger(__name__)
job_log = logging.getLogger("job")  # one line each
_LEVELS: dict[JobResult, int] = {
    "done": logging.INFO,
    "superseded": logging.INFO,
    "interrupted": logging.WARNING,
    "failed": logging.ERROR,
}

WORKER_TTL_SECONDS = 20  # of its entry in Redis; a blocking read is 15 s shorter
LONGEST_PAUSE_SECONDS = 2.0
# nobody waits for a sweep: where cores are few, other tenants' ticks and requests come first
SWEEP_NICENESS = 10
# jobs make 10^5 objects without a cycle among them: looking for one costs ingest a sixth of its time
COLLECTOR_THRESHOLDS = (50_000, 20, 50)


def pace(
    resources: Resources, work: str, tenant: str, earlier: JobFailures | None, result: JobResult, because: str
) -> None:
    """Have a job that failed rest before it is enqueued again; one line in the log when it begins to fail, fails for
    another reason, or works again. `because` is empty where it did not fail, or was ended. Raises RedisError.
    """
    if result == "done" and earlier is not None:
        job_failures.forget(resources.redis, work, tenant)
        log.warning("the job %s of tenant %s works again after %d failures", work, tenant, earlier.times)
    elif because:
        failures = job_failures.failed_again(earlier, because, resources.now_us(), outage=result == "interrupted")
        job_failures.note(resources.redis, work, tenant, failures)
        if earlier is None or earlier.because != failures.because:
            log.warning(
                "the job %s of tenant %s fails (%s) and is tried again, after pauses that grow",
                work,
                tenant,
                failures.because,
            )


def function_of(work: str) -> Callable[[str, Resources], None]:
    """The function that does the work, given a tenant's name and stores. Raises KeyError for an unknown kind of job."""
    function: Callable[[str, Resources], None] = import_module(JOB_KINDS[work].module).run
    return function


class RunnableJob(TenantJob):
    """A job that can run, once a worker has handed it the stores."""

    resources: Resources | None = None

    def _execute(self) -> Any:
        work, tenant = self.work_and_tenant()
        resources = self.resources
        if resources is None:
            raise RuntimeError("this job has no stores: jobs run in `brigadewatch worker`")
        earlier = begun(resources.redis, work, tenant)
        line = logs.begin(self.id)
        started = time.perf_counter()
        result: JobResult = "failed"
        because = ""
        try:
            function_of(work)(tenant, resources)
            result = "done"
        except (
            LostLease,
            StaleVersion,
        ) as error:  # another worker moved on, which is fine; the clock enqueues it again
            result = "superseded"
            logs.note(because=str(error))
        except (
            RedisError,
            OperationalError,
            StoreUnavailable,
        ) as error:  # an outage: one line each time, and the clock enqueues it again
            result = "interrupted"
            because = f"{type(error).__name__}: {getattr(error, 'orig', error)}"
            logs.note(because=f"{type(error).__name__}: {error}"[:300])
            _report_refused_write(resources.redis, error)
        except Exception as error:
            because = type(error).__name__
            logs.note(because=because)  # RQ logs the traceback, under the same id
            _report_refused_write(resources.redis, error)
            raise
        finally:
            seconds = time.perf_counter() - started
            facts = {"work": work, "tenant": tenant, "result": result, "seconds": round(seconds, 4), **line.pairs()}
            job_log.log(_LEVELS[result], "job", extra={"facts": facts})
            record_job(resources.redis, work, tenant, seconds, result)
            with suppress(RedisError):  # without it the job runs again at once, which an outage of Redis prevents
                pace(resources, work, tenant, earlier, result, because)


def _report_refused_write(client: Redis, error: Exception) -> None:
    """Say so where readiness looks, if the database is full or read-only."""
    if (found := refused_write(error)) is not None:
        with suppress(RedisError, OSError):
            note_refused_write(client, found)


class RunnableQueue(TenantQueue):
    """A queue as the worker reads it."""

    job_class = RunnableJob


class QueueWorker(SimpleWorker):
    """One queue, one process. Takes no commands through Redis, ends warm on SIGTERM and SIGINT."""

    job_class = RunnableJob
    queue_class = RunnableQueue
    max_connection_wait_time = LONGEST_PAUSE_SECONDS

    def __init__(self, queue_name: str, resources: Resources, stop: threading.Event) -> None:
        if resources.settings.redis_url is None:
            raise ValueError("REDIS_URL is not set: set it to the address of the Redis that holds the queues")
        self.stop, self.resources = stop, resources
        # its own: it waits with a longer time-out
        connection = connect_redis(resources.settings.redis_url, resources.settings.redis_timeout_seconds)
        super().__init__(
            [RunnableQueue(queue_name, connection=connection, job_class=RunnableJob, serializer=JSONSerializer)],
            connection=connection,
            job_class=RunnableJob,
            queue_class=RunnableQueue,
            serializer=JSONSerializer,
            worker_ttl=WORKER_TTL_SECONDS,
            log_job_description=False,
            default_result_ttl=0,
        )
        self.log_result_lifespan = False
        self._alive_file = resources.settings.alive_file

    def execute_job(self, job: Any, queue: Any) -> None:
        """Run the job in this process, on this worker's stores."""
        job.resources = self.resources
        super().execute_job(job, queue)

    def subscribe(self) -> None:
        """Do nothing: write access to Redis must not be enough to stop workers."""

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Report before each wait for a job and, with the time it may take, before each job: first to this container,
        since Redis may be away.
        """
        say_alive(self._alive_file, timeout or BELIEVED_SECONDS)
        super().heartbeat(timeout, pipeline)

    def unsubscribe(self) -> None:
        """Nothing to leave."""

    def clean_group_registries(self) -> None:
        """Groups are never made here, and reading one would unpickle it."""

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """End after the job that runs; at once when none does. Does without Redis, which may be gone."""
        self.stop.set()
        if self.get_state() == WorkerStatus.BUSY:
            self._stop_requested = True
        else:
            raise StopRequested()


def run_worker(queue_name: str, resources: Resources, stop: threading.Event | None = None) -> None:
    """Work on one queue until SIGTERM, SIGINT or `stop`, however often Redis goes away meanwhile.

    Call it in the main thread. Raises ValueError for an unknown queue, UnfitServer when Redis is one that cannot be
    used.
    """
    open_queue(resources.redis, queue_name)
    stop = stop or threading.Event()
    if queue_name == "sweep":
        os.nice(SWEEP_NICENESS)
    logging.getLogger("rq.worker").setLevel(logging.WARNING)
    logging.getLogger("rq.job").setLevel(logging.WARNING)
    gc.set_threshold(*COLLECTOR_THRESHOLDS)
    with (
        beating(resources.redis, f"worker-{queue_name}"),
        _holding_windows(resources) if queue_name == "detect" else nullcontext(),
    ):
        _work(queue_name, resources, stop)
    log.info("worker %s ended", queue_name)


@contextmanager
def _holding_windows(resources: Resources) -> Iterator[None]:
    """Inside, this process is one of the detect workers; SIGUSR1 has it log what it holds."""
    from workers.resident_windows import ResidentWindows  # no other queue's worker needs the detection libraries

    windows = resources.kept(ResidentWindows)
    signal.signal(signal.SIGUSR1, lambda signum, frame: windows.report())
    with taking_part(resources.redis) as windows.assignment:
        yield
    windows.assignment = None


def _work(queue_name: str, resources: Resources, stop: threading.Event) -> None:
    pause, check = 0.1, CheckOnce(resources.redis)
    while not stop.is_set():
        _stop_on_signals(stop)
        say_alive(resources.settings.alive_file)
        began = time.monotonic()
        try:
            check()
            QueueWorker(queue_name, resources, stop).work(logging_level="WARNING")
        except StopRequested:
            break
        except (RedisError, OSError) as error:
            log.warning("worker %s: Redis does not answer, trying again: %s", queue_name, error)
        # RQ's loop also returns when it has lost Redis in the middle of its book-keeping.
        pause = 0.1 if time.monotonic() - began > 10 else min(pause * 2, LONGEST_PAUSE_SECONDS)
        stop.wait(pause * (0.5 + random.random() / 2))


def _stop_on_signals(stop: threading.Event) -> None:
    def end(signum: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
