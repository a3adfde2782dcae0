"""Hurry: somebody waits for the analysis of a tenant's complaints, so it does not wait for the clock's usual beat.

`request` marks the tenant for a moment and wakes the clock, which enqueues `ingest` at once; a turn of ingest enqueues
`detect` at once while the mark stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis import Redis

from service.storage.redis_store import redis_keys
from service.storage.redis_store.client import AsyncRedis, as_text

MARK_MS = 1_000
_MOST_NAMES = 1_000  # kept for a clock that does not run


async def request(client: AsyncRedis, tenants: Sequence[str]) -> None:
    """Make the pipeline hurry with these tenants. Raises RedisError."""
    async with client.pipeline(transaction=False) as pipeline:
        for tenant in tenants:
            pipeline.set(redis_keys.hurry(tenant), 1, px=MARK_MS)
        pipeline.rpush(redis_keys.HURRIED, *tenants)
        pipeline.ltrim(redis_keys.HURRIED, -_MOST_NAMES, -1)
        await pipeline.execute()


def next_hurried(client: Redis, seconds: float) -> set[str]:
    """The tenants that were hurried since the last call; waits up to `seconds` for the first. Raises RedisError."""
    answer: Any = client.blpop([redis_keys.HURRIED], timeout=seconds)
    if answer is None:
        return set()
    rest: Any = client.lpop(redis_keys.HURRIED, _MOST_NAMES)
    return {as_text(name) for name in (answer[1], *(rest or ()))}


def is_hurried(client: Redis, tenant: str) -> bool:
    """Whether somebody waits, or did within the last second. Raises RedisError."""
    return bool(client.exists(redis_keys.hurry(tenant)))
