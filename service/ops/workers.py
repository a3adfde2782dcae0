"""Which workers there are, how many jobs wait, and how jobs went: as Redis knows it, read through an asyncio client.

What is told is fit for an administrator of one tenant: no host, no process number, and no other tenant's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from service.storage import keys
from service.storage.queue import QUEUES
from service.storage.stream import AsyncRedis, unavailable_when_it_fails

_WORKERS = "rq:workers"
_FIELDS = ("queues", "state", "birth", "last_heartbeat", "successful_job_count", "failed_job_count", "total_working_time")
MAX_WORKERS = 500
SILENT_SECONDS = 90  # a worker says that it lives every minute or so


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker process."""

    queue: str
    state: str  # idle | busy | ...
    born: datetime | None
    heard: datetime | None
    done: int  # jobs
    failed: int
    busy_seconds: float

    def silent(self, now: datetime) -> bool:
        """Whether it has not been heard of for so long that it is probably gone."""
        return self.heard is None or (now - self.heard).total_seconds() > SILENT_SECONDS


@dataclass(frozen=True, slots=True)
class SelfCheck:
    """What the tenant's latest self-check found (workers/selfcheck.py)."""

    false_clusters: int  # that it would flag where nobody complains together
    complaints: int
    asked: datetime | None  # when; None: more than a day ago


@dataclass(frozen=True, slots=True)
class Machinery:
    """All of it, at one moment."""

    workers: list[Worker]  # by queue, then age
    waiting_by_queue: Mapping[str, int]
    position: int | None  # the tenant's acknowledged items; None: Redis is being rebuilt, or the tenant is new
    stream_batches: int
    stream_oldest: datetime | None
    failures_by_work: Mapping[str, int]  # the tenant's jobs that ended with an error, ever
    selfcheck: SelfCheck | None

    def missing(self, now: datetime) -> list[str]:
        """Queues that nobody works on."""
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
        pipe.get(keys.position(tenant))
        pipe.xlen(keys.stream(tenant))
        pipe.xrange(keys.stream(tenant), count=1)
        pipe.hgetall(keys.JOB_METRICS)
        pipe.hmget(keys.DETECTION_COUNTS, f"selfcheck_false_clusters|{tenant}", f"selfcheck_complaints|{tenant}")
        pipe.pttl(keys.checked(tenant))
        names, *rest = await pipe.execute()
        waiting, (position, batches, first, counts, checked, checked_ttl) = rest[: len(QUEUES)], rest[len(QUEUES) :]
        pipe = redis.pipeline(transaction=False)
        for name in sorted(map(_text, names))[:MAX_WORKERS]:
            pipe.hmget(name, *_FIELDS)
        workers = [_worker(values) for values in await pipe.execute() if values[0] is not None]
    return Machinery(
        workers=sorted(workers, key=lambda w: (w.queue, w.born or now)), waiting_by_queue=dict(zip(QUEUES, map(int, waiting), strict=True)), position=None if position is None else int(position),
        stream_batches=int(batches), stream_oldest=datetime.fromtimestamp(int(_text(first[0][0]).split("-")[0]) / 1_000, UTC) if first else None,
        failures_by_work=_failures(counts, tenant), selfcheck=_selfcheck(checked, int(checked_ttl), now),
    )


def _worker(values: list[Any]) -> Worker:
    queues, state, born, heard, done, failed, busy = ("" if value is None else _text(value) for value in values)
    return Worker(queues, state or "starting", _time(born), _time(heard), _whole(done), _whole(failed), _real(busy))


def _failures(counts: Mapping[Any, Any], tenant: str) -> dict[str, int]:
    found = {}
    for name, value in counts.items():
        work, _, rest = _text(name).partition("|")
        if rest == f"failed|{tenant}":
            found[work] = _whole(_text(value))
    return dict(sorted(found.items()))


def _selfcheck(values: list[Any], ttl_ms: int, now: datetime) -> SelfCheck | None:
    if values[0] is None:
        return None
    asked = now.timestamp() - (86_400 - ttl_ms / 1_000) if ttl_ms > 0 else None
    return SelfCheck(round(_real(_text(values[0]))), round(_real(_text(values[1] or b"0"))), None if asked is None else datetime.fromtimestamp(asked, UTC))


def _time(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _whole(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _real(text: str) -> float:
    try:
        return float(text or 0)
    except ValueError:
        return 0.0


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
