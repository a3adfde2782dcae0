"""Jobs that fail again and again: how often each has failed, why, and the pause until it may run again.

The pause doubles from failure to failure. While it lasts, the mark that a job of this kind waits
(service/storage/redis_store/job_queue.py) keeps the clock, timers and other jobs from enqueueing another. The first
success forgets all of it, and so do ten minutes without another try: then the work is no longer wanted.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from redis import Redis

from service.storage.redis_store import redis_keys
from service.storage.redis_store.job_kinds import JOB_KINDS

FIRST_PAUSE_SECONDS = 0.5
# after an internal error, which usually stays until somebody does something
LONGEST_PAUSE_SECONDS = 30.0
# after an outage of a store, which usually ends on its own: what waited for its end should not wait much longer
LONGEST_OUTAGE_PAUSE_SECONDS = 5.0
REMEMBERED_SECONDS = 600
_REASON_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class JobFailures:
    """The failures of one kind of work for one tenant, without a success in between."""

    times: int
    because: str  # the latest one's: a kind of error and, if it is a store's, its text; never an item's content
    since_us: int  # wall clock of the first
    pause_seconds: float  # from the latest one on


def pause_after(times: int, longest_seconds: float) -> float:
    """Seconds to wait after so many failures in a row."""
    return min(FIRST_PAUSE_SECONDS * 2.0 ** min(times - 1, 32), longest_seconds)


def failed_again(earlier: JobFailures | None, because: str, now_us: int, *, outage: bool) -> JobFailures:
    """What is known after one more failure."""
    times = 1 if earlier is None else earlier.times + 1
    return JobFailures(
        times,
        because.partition("\n")[0][:_REASON_CHARACTERS],
        now_us if earlier is None else earlier.since_us,
        pause_after(times, LONGEST_OUTAGE_PAUSE_SECONDS if outage else LONGEST_PAUSE_SECONDS),
    )


def note(client: Redis, work: str, tenant: str, failures: JobFailures) -> None:
    """Store it and begin the pause. Raises RedisError."""
    with client.pipeline(transaction=True) as pipeline:
        pipeline.set(redis_keys.failures(work, tenant), json.dumps(asdict(failures)), ex=REMEMBERED_SECONDS)
        pipeline.set(redis_keys.enqueued(work, tenant), 1, px=int(failures.pause_seconds * 1_000))
        pipeline.execute()


def forget(client: Redis, work: str, tenant: str) -> None:
    """The work has succeeded. Raises RedisError."""
    client.delete(redis_keys.failures(work, tenant))


def names(tenant: str) -> list[str]:
    """The keys that hold the tenant's failures; their values are for `read_all`."""
    return [redis_keys.failures(work, tenant) for work in JOB_KINDS]


def read_all(values: Sequence[bytes | str | None]) -> dict[str, JobFailures]:
    """Failures by work, from the values of `names`."""
    return {work: read(value) for work, value in zip(JOB_KINDS, values, strict=True) if value is not None}


def read(value: bytes | str) -> JobFailures:
    """What `note` stored."""
    return JobFailures(**json.loads(value))


def sentence(work: str, tenant: str, failures: JobFailures) -> str:
    """For an operator."""
    return (
        f"the job {work} of tenant {tenant} has failed {failures.times} times in a row ({failures.because}); the next"
        f" try is at most {failures.pause_seconds:g} s away"
    )
