"""Forms that people of the console were about to submit when their session had ended: sealed, a few a person, for an
hour. Copies for people; if Redis loses them, nothing depends on it.
"""

from __future__ import annotations

from service.storage.redis_store import redis_keys
from service.storage.redis_store.client import AsyncRedis

KEPT_SECONDS = 3_600
MOST = 3  # of one person: several windows


async def keep(client: AsyncRedis, tenant: str, user_id: int, name: str, sealed: str) -> None:
    """Keep it under `name`; the oldest above MOST goes. Raises RedisError."""
    key = redis_keys.kept_forms(tenant, user_id)
    async with client.pipeline(transaction=True) as pipeline:
        pipeline.lpush(key, f"{name}:{sealed}")
        pipeline.ltrim(key, 0, MOST - 1)
        pipeline.expire(key, KEPT_SECONDS)
        await pipeline.execute()


async def find(client: AsyncRedis, tenant: str, user_id: int, name: str) -> str | None:
    """What was kept for this person under that name, sealed. Raises RedisError."""
    async with client.pipeline(transaction=True) as pipeline:
        pipeline.lrange(redis_keys.kept_forms(tenant, user_id), 0, MOST - 1)
        (found,) = await pipeline.execute()
    for entry in found:
        kept_name, _, sealed = entry.decode().partition(":")
        if kept_name == name:
            return str(sealed)
    return None
