"""Workers, waiting jobs and job results, read from Redis through an asyncio client.

Safe to show to an administrator of one tenant: no host, no process number, and no other tenant's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from redis.exceptions import RedisError

from service.model import moment
from service.ops import worker_metrics
from service.ops.clock_steps import ClockStep, read_steps
from service.ops.processes import Kind, read_kinds
from service.storage.redis_store import redis_keys, stream
from service.storage.redis_store.client import AsyncRedis, as_text, time_us, unavailable_when_it_fails
from service.storage.redis_store.job_kinds import QUEUES

_WORKERS = "rq:workers"
_FIELDS = ("queues", "state", "birth", "last_heartbeat", "successful_job_count", "failed_job_count")
MAX_WORKERS = 500
SILENT_SECONDS = 90  # workers report about once a minute


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker process."""

    queue: str
    state: str  # idle | busy | ...
    born: datetime | None
    heard: datetime | None
    done: int  # jobs
    failed: int

    def silent(self, now: datetime) -> bool:
        """Whether it has been silent for so long that it is probably gone."""
        return self.heard is None or abs((now - self.heard).total_seconds()) > SILENT_SECONDS


@dataclass(frozen=True, slots=True)
class SelfCheck:
    """The result of the tenant's latest self-check (workers/selfcheck.py)."""

    false_clusters: int  # clusters that it would flag although nobody complains together
    complaints: int
    finished: datetime


@dataclass(frozen=True, slots=True)
class RedisState:
    """The state of Redis itself."""

    used_bytes: int
    limit_bytes: int  # 0: as much as there is
    append_only: bool  # the file is on
    writes: bool  # and the latest write to it succeeded

    @property
    def full(self) -> float:
        """The share of its limit that is used; 0 without one."""
        return self.used_bytes / self.limit_bytes if self.limit_bytes else 0.0


@dataclass(frozen=True, slots=True)
class Machinery:
    """A snapshot of workers, queues and jobs."""

    workers: list[Worker]  # by queue, then age
    kinds: Mapping[str, Kind]  # of processes
    redis: RedisState | None  # None: a hosted server that does not report it
    waiting_by_queue: Mapping[str, int]
    position: int | None  # the tenant's acknowledged items; None: Redis is being rebuilt, or the tenant is new
    stream_batches: int
    stream_oldest: datetime | None
    jobs_by_work: Mapping[str, Mapping[str, int]]  # the tenant's jobs, ever, by how they ended
    window_complaints: int | None  # None: nothing was analysed yet
    selfcheck: SelfCheck | None
    redis_us: int  # what the clock of Redis says, microseconds since 1970
    clock_steps: list[ClockStep]  # of the host of the clock process, the latest first

    def missing(self, now: datetime) -> list[str]:
        """Queues without a worker."""
        alive = {worker.queue for worker in self.workers if not worker.silent(now)}
        return [queue for queue in QUEUES if queue not in alive]


async def read_machinery(client: AsyncRedis, tenant: str, now: datetime) -> Machinery:
    """Two round trips. Raises StoreUnavailable when Redis does not answer."""
    with unavailable_when_it_fails():
        redis: Any = client
        pipe = redis.pipeline(transaction=False)
        pipe.smembers(_WORKERS)
        for queue in QUEUES:
            pipe.llen(f"rq:queue:{queue}")
        pipe.get(redis_keys.position(tenant))
        pipe.xlen(redis_keys.stream(tenant))
        stream.OLDEST.run(pipe, [redis_keys.stream(tenant)], [])
        pipe.hgetall(redis_keys.tallies(tenant))
        pipe.hgetall(redis_keys.PROCESSES)
        pipe.time()
        pipe.lrange(redis_keys.CLOCK_STEPS, 0, -1)
        names, *rest = await pipe.execute()
        waiting, (position, batches, oldest_us, counted, processes, time, steps) = (
            rest[: len(QUEUES)],
            rest[len(QUEUES) :],
        )
        pipe = redis.pipeline(transaction=False)
        for name in sorted(map(as_text, names))[:MAX_WORKERS]:
            pipe.hmget(name, *_FIELDS)
        pipe.info("memory")
        pipe.info("persistence")
        *found, memory, persistence = await pipe.execute(raise_on_error=False)
        workers = [_worker(values) for values in found if not isinstance(values, RedisError) and values[0] is not None]
    now_us = time_us(time)
    window = worker_metrics.counted(counted, worker_metrics.WINDOW_COMPLAINTS).get(())
    return Machinery(
        workers=sorted(workers, key=lambda w: (w.queue, w.born or now)),
        kinds=read_kinds(processes, now_us / 1e6),
        redis=_redis_state(memory, persistence),
        waiting_by_queue=dict(zip(QUEUES, map(int, waiting), strict=True)),
        position=None if position is None else int(position),
        stream_batches=int(batches),
        stream_oldest=None if oldest_us is None else moment(int(oldest_us)),
        jobs_by_work=_jobs(counted),
        window_complaints=None if window is None else round(window),
        selfcheck=_selfcheck(counted),
        redis_us=now_us,
        clock_steps=read_steps(steps),
    )


def _worker(values: list[Any]) -> Worker:
    queues, state, born, heard, done, failed = ("" if value is None else as_text(value) for value in values)
    return Worker(queues, state or "starting", _time(born), _time(heard), _whole(done), _whole(failed))


def _redis_state(memory: Any, persistence: Any) -> RedisState | None:
    if isinstance(memory, RedisError) or isinstance(persistence, RedisError):
        return None
    info = {**memory, **persistence}
    return RedisState(
        int(info.get("used_memory", 0)),
        int(info.get("maxmemory", 0)),
        bool(int(info.get("aof_enabled", 0))),
        info.get("aof_last_write_status", "ok") == "ok",
    )


def _jobs(counted: Mapping[Any, Any]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for (work, result), count in sorted(worker_metrics.counted(counted, worker_metrics.JOBS).items()):
        found.setdefault(work, dict.fromkeys(worker_metrics.JOB_RESULTS, 0))[result] = round(count)
    return found


def _selfcheck(counted: Mapping[Any, Any]) -> SelfCheck | None:
    false, complaints, finished = (
        worker_metrics.counted(counted, family).get(())
        for family in (
            worker_metrics.SELFCHECK_FALSE,
            worker_metrics.SELFCHECK_COMPLAINTS,
            worker_metrics.SELFCHECK_FINISHED,
        )
    )
    if false is None or complaints is None or finished is None:
        return None
    return SelfCheck(round(false), round(complaints), datetime.fromtimestamp(finished, UTC))


def _time(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _whole(text: str) -> int:
    return int(text) if text.isdecimal() else 0
