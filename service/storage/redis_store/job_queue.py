"""RQ jobs that carry only a kind of work and a tenant's name.

RQ imports any dotted name that it finds in Redis, unpickles data and posts to addresses given in a job. Here, a job is
JSON, runs only if its kind is known (job_kinds.py), and loses all callbacks, webhooks and repeats when it is read.
"""

from __future__ import annotations

from typing import Any

from redis import Redis
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer

from service.storage.redis_store import job_failures, redis_keys
from service.storage.redis_store.client import Script
from service.storage.redis_store.job_failures import JobFailures
from service.storage.redis_store.job_kinds import JOB_KINDS, QUEUES

# KEYS: the mark that such a job waits or rests. ARGV: for how many milliseconds it waits, and the most that it has. 1:
# the mark is new. One with more time left was set before Redis' clock was set back: it is cut to its usual time.
_MARK = Script("""
if redis.call('SET', KEYS[1], '1', 'NX', 'PX', ARGV[1]) then return 1 end
if redis.call('PTTL', KEYS[1]) > tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return 0
""")
STALE_SECONDS = 60  # a job that no worker took for this long is dropped: the clock enqueues newer ones
FAILED_SECONDS = 300


class RefusedJob(Exception):
    """A job that is not ours: of an unknown kind, or with anything but one tenant's name as its argument."""


class TenantJob(Job):
    """A job of a known kind; the service enqueues with it, the worker's subclass runs it."""

    def restore(self, raw_data: Any) -> Any:
        """Read the job without anything that could run or call other code."""
        restored = super().restore(raw_data)
        self._success_callback_name = self._failure_callback_name = self._stopped_callback_name = None
        self.webhooks = []
        self._dependency_ids = []
        self.repeats_left = self.repeat_intervals = self.retries_left = None
        self.group_id = None
        self.result_ttl, self.failure_ttl = 0, FAILED_SECONDS
        return restored

    def work_and_tenant(self) -> tuple[str, str]:
        """The kind of work and the tenant. Raises RefusedJob."""
        work, arguments = self.func_name, self.args
        if (
            work not in JOB_KINDS
            or self.instance is not None
            or self.kwargs
            or len(arguments) != 1
            or not isinstance(arguments[0], str)
        ):
            raise RefusedJob(
                f"job {self.id} asks for {str(work)[:80]!r} with {str(arguments)[:80]}: works are"
                f" {', '.join(JOB_KINDS)}, with one tenant's name"
            )
        return work, arguments[0]


class TenantQueue(Queue):
    """A queue of such jobs, in JSON."""

    job_class = TenantJob


def open_queue(redis: Redis, name: str) -> TenantQueue:
    """The queue of that name. Raises ValueError for an unknown one."""
    if name not in QUEUES:
        raise ValueError(f"unknown queue {name!r}: the queues are {', '.join(QUEUES)}")
    return TenantQueue(name, connection=redis, serializer=JSONSerializer)


def enqueue(redis: Redis, work: str, tenant: str) -> bool:
    """Enqueue the work for the tenant; False if such a job is waiting already, or rests after a failure."""
    kind = JOB_KINDS[work]
    queue = open_queue(redis, kind.queue)
    most_ms = max(kind.waiting_ms, int(job_failures.LONGEST_PAUSE_SECONDS * 1_000))
    if not _MARK.run(redis, [redis_keys.enqueued(work, tenant)], [kind.waiting_ms, most_ms]):
        return False
    queue.enqueue_call(
        work, args=(tenant,), timeout=kind.timeout_seconds, result_ttl=0, failure_ttl=FAILED_SECONDS, ttl=STALE_SECONDS
    )
    return True


def begun(redis: Redis, work: str, tenant: str) -> JobFailures | None:
    """Record that a job has started: work that comes up from now on needs another job. Returns its latest failures, if
    the one before has failed.
    """
    with redis.pipeline(transaction=False) as pipeline:
        pipeline.delete(redis_keys.enqueued(work, tenant))
        pipeline.get(redis_keys.failures(work, tenant))
        _, failures = pipeline.execute()
    return None if failures is None else job_failures.read(failures)


def others_wait(redis: Redis, work: str) -> bool:
    """Whether a job waits in the queue of this kind, most likely another tenant's, which should have its turn soon."""
    length: Any = redis.llen(f"{TenantQueue.redis_queue_namespace_prefix}{JOB_KINDS[work].queue}")
    return int(length) > 0


def waiting_jobs(redis: Redis) -> dict[str, int]:
    """Jobs that wait, by queue."""
    return {name: open_queue(redis, name).count for name in QUEUES}
