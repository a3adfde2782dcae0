"""The hands of the stream: RQ jobs that carry the name of a work and of a tenant, and nothing else.

RQ would import any dotted name that it finds in Redis, unpickle what lies there and post to addresses that a
job brings along. So a job here is JSON, runs by a fixed table of names (workers/jobs.py) or not at all, and
loses all of its callbacks, webhooks and repeats on being read.
"""

from __future__ import annotations

from typing import Any

from redis import Redis
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer

from service.storage.redis_store import redis_keys

# by work
QUEUE_OF = {
    "ingest": "ingest",
    "detect": "detect",
    "sweep": "sweep",
    "deliver": "deliver",
    "restore": "chores",
    "selfcheck": "chores",
    "poll": "chores",
    "retain": "chores",
    "erase": "chores",
    "dry_run": "chores",
}
QUEUES = tuple(dict.fromkeys(QUEUE_OF.values()))
TIMEOUT_SECONDS = {
    "ingest": 120,
    "detect": 900,
    "sweep": 3600,
    "deliver": 120,
    "restore": 3600,
    "selfcheck": 3600,
    "poll": 300,
    "retain": 3600,
    "erase": 3600,
    "dry_run": 3600,
}
WAITING_MS = {"sweep": 30_000}  # how long a waiting job keeps the next of its kind and tenant away; RQ may have lost it
USUAL_WAITING_MS = 5_000
STALE_SECONDS = 60  # a job that no worker took for so long is dropped: the clock has enqueued newer ones
FAILED_SECONDS = 300


class RefusedJob(Exception):
    """A job that is not one of ours: an unknown name, or anything but one tenant's name as its argument."""


class TenantJob(Job):
    """A job of the fixed table; the service enqueues with it, the worker's subclass knows the functions."""

    def restore(self, raw_data: Any) -> Any:
        """Read the job, without what could run or call anything else."""
        restored = super().restore(raw_data)
        self._success_callback_name = self._failure_callback_name = self._stopped_callback_name = None
        self.webhooks = []
        self._dependency_ids = []
        self.repeats_left = self.repeat_intervals = self.retries_left = None
        self.group_id = None
        self.result_ttl, self.failure_ttl = 0, FAILED_SECONDS
        return restored

    def work_and_tenant(self) -> tuple[str, str]:
        """What to do for whom. Raises RefusedJob."""
        work, arguments = self.func_name, self.args
        if (
            work not in QUEUE_OF
            or self.instance is not None
            or self.kwargs
            or len(arguments) != 1
            or not isinstance(arguments[0], str)
        ):
            raise RefusedJob(
                f"job {self.id} asks for {str(work)[:80]!r} with {str(arguments)[:80]}: works are"
                f" {', '.join(QUEUE_OF)}, with one tenant's name"
            )
        return work, arguments[0]


class TenantQueue(Queue):
    """A queue of such jobs, in JSON."""

    job_class = TenantJob


def open_queue(redis: Redis, name: str) -> TenantQueue:
    """The queue of that name; ValueError for one that there is not."""
    if name not in QUEUES:
        raise ValueError(f"{name!r} is no queue; queues are {', '.join(QUEUES)}")
    return TenantQueue(name, connection=redis, serializer=JSONSerializer)


def enqueue(redis: Redis, work: str, tenant: str) -> bool:
    """Have the work done for the tenant; False when a job for it waits already."""
    queue = open_queue(redis, QUEUE_OF[work])
    if not redis.set(redis_keys.enqueued(work, tenant), 1, nx=True, px=WAITING_MS.get(work, USUAL_WAITING_MS)):
        return False
    queue.enqueue_call(
        work, args=(tenant,), timeout=TIMEOUT_SECONDS[work], result_ttl=0, failure_ttl=FAILED_SECONDS, ttl=STALE_SECONDS
    )
    return True


def begun(redis: Redis, work: str, tenant: str) -> None:
    """Said by a job as it begins: what comes to be done from now on needs another job."""
    redis.delete(redis_keys.enqueued(work, tenant))


def others_wait(redis: Redis, work: str) -> bool:
    """Whether a job waits behind the one of this kind that asks: another tenant's, most likely, whose turn it should be
    soon.
    """
    length: Any = redis.llen(f"{TenantQueue.redis_queue_namespace_prefix}{QUEUE_OF[work]}")
    return int(length) > 0


def waiting_jobs(redis: Redis) -> dict[str, int]:
    """Jobs that wait, by queue."""
    return {name: open_queue(redis, name).count for name in QUEUES}
