"""The latest steps of the wall clock, kept in Redis for Operations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from redis import Redis

from service.model import moment
from service.storage.redis_store import redis_keys
from service.storage.redis_store.client import as_text

KEPT = 5


@dataclass(frozen=True, slots=True)
class ClockStep:
    """One step."""

    after: datetime  # what the clock said afterwards, which may be wrong
    seconds: float  # below 0: back


def remember(redis: Redis, after_us: int, seconds: float) -> None:
    """Keep a step. Raises RedisError."""
    pipe = redis.pipeline(transaction=True)
    pipe.lpush(redis_keys.CLOCK_STEPS, f"{after_us} {seconds:.1f}")
    pipe.ltrim(redis_keys.CLOCK_STEPS, 0, KEPT - 1)
    pipe.execute()


def read_steps(answer: Sequence[Any]) -> list[ClockStep]:
    """The steps in the answer to LRANGE, the latest first."""
    texts = [as_text(value) for value in answer]
    return [ClockStep(moment(int(after)), float(seconds)) for after, seconds in (text.split() for text in texts)]
