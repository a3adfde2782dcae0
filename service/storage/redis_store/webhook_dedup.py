"""Marks in Redis for webhook deliveries already accepted, kept for longer than any platform retries. A mark is set only
after the items are in the stream, so that a delivery whose answer was lost is accepted again rather than lost. If Redis
loses the marks, the ids of complaints and outcomes still make a repeated delivery harmless.
"""

from __future__ import annotations

import logging
from hashlib import sha256

from redis.exceptions import RedisError

from service.storage.redis_store import redis_keys
from service.storage.redis_store.client import AsyncRedis, unavailable_when_it_fails

REMEMBERED_SECONDS = 7 * 86_400  # Mastodon, the most patient, tries for about two days
log = logging.getLogger(__name__)


def digest(source_id: str, event: bytes) -> str:
    """The mark's name, from the source and the event's own id or the whole body."""
    return sha256(source_id.encode() + b"\0" + event).hexdigest()[:40]


async def is_known(client: AsyncRedis, tenant: str, entry: str) -> bool:
    """Whether the delivery was accepted within the last week. Raises StoreUnavailable."""
    with unavailable_when_it_fails():
        return bool(await client.exists(redis_keys.delivered(tenant, entry)))


async def remember(client: AsyncRedis, tenant: str, entry: str) -> None:
    """Record that its items are in the stream. A failure of Redis here is only logged: the items are safe."""
    try:
        await client.set(redis_keys.delivered(tenant, entry), 1, ex=REMEMBERED_SECONDS)
    except (RedisError, OSError, TimeoutError) as error:
        log.info("a delivery could not be marked as accepted: %s", error)
