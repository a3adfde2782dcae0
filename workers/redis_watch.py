"""Whether the Redis that the clock drives is the one of its database; looked at before each beat.

Where Redis has lost its data, this gives it a new identity, so that it can be filled
(service/storage/redis_store/redis_identity.py).
"""

from __future__ import annotations

import time
from typing import Any

from service.errors import StoreUnavailable
from service.storage.redis_store import redis_keys
from service.storage.redis_store.redis_identity import SIGN_SECONDS, agree, end_use, sign, user_of
from workers.resources import Resources

AGAIN_SECONDS = 1.0  # after a refusal


class RedisWatch:
    """What was found, and when a sign of life was last written."""

    def __init__(self, resources: Resources) -> None:
        self._resources, self._user = resources, user_of(resources.settings)
        self._identity: bytes | None = None
        self._signed_at = -SIGN_SECONDS
        self._refusal: StoreUnavailable | None = None
        self._refused_at = -AGAIN_SECONDS

    def look(self) -> None:
        """Raise ForeignRedis unless Redis and the database are one pair, StoreUnavailable if that cannot be known."""
        redis: Any = self._resources.redis
        found = redis.get(redis_keys.IDENTITY)
        now = time.monotonic()
        if found is not None and found == self._identity and now - self._signed_at < SIGN_SECONDS:
            return
        if self._refusal is not None and now - self._refused_at < AGAIN_SECONDS:
            raise self._refusal
        self._identity = None
        try:
            if found is None:
                found = agree(self._resources.engine, self._resources.redis, self._user).encode()
            else:
                sign(self._resources.engine, found.decode(), self._user)
        except StoreUnavailable as error:
            self._refusal, self._refused_at = error, time.monotonic()
            raise
        self._identity, self._signed_at, self._refusal = found, time.monotonic(), None

    def end(self) -> None:
        """The clock ends: nobody has to wait for its next sign of life."""
        end_use(self._resources.engine, self._user)
