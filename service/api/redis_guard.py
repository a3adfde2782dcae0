"""Whether this API's Redis is the one of its database (service/storage/redis_store/redis_identity.py), and takes
writes: looked at every second. Unless it is known to be the one, nothing is accepted or answered.

While the database does not answer, what was known last holds: complaints are accepted into Redis meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from service.errors import Overloaded, StoreUnavailable
from service.storage.redis_store import health, redis_keys
from service.storage.redis_store.client import AsyncRedis, unavailable_when_it_fails
from service.storage.redis_store.redis_identity import SIGN_SECONDS, ForeignRedis, end_use, identity_in, sign

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
BELIEVED_SECONDS = 3.0  # what a look found: one that a store holds up says nothing
_UNKNOWN = "it is not known yet whether Redis belongs to this database: try again in a second"


class RedisGuard:
    """The identity that Redis must have, or why nothing may be accepted."""

    def __init__(self, engine: Engine, client: AsyncRedis, user: str) -> None:
        self._engine, self._client, self._user = engine, client, user
        self._identity: str | None = None
        self._refusal = _UNKNOWN
        self._signed_at = -SIGN_SECONDS
        self._trouble: str | None = _UNKNOWN  # as of the last look
        self._looked_at = time.monotonic()

    def identity(self) -> str:
        """The identity that Redis must have. Raises ForeignRedis."""
        if self._identity is None:
            raise ForeignRedis(self._refusal)
        return self._identity

    def state(self) -> str:
        """ "ok", or what is wrong: with the pair, with Redis, or with the database as a worker found it."""
        if self._identity is None:
            return self._refusal
        silent_seconds = time.monotonic() - self._looked_at
        if silent_seconds > BELIEVED_SECONDS:
            return f"no answer for {silent_seconds:.1f} s"
        return self._trouble or "ok"

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Look once, and go on looking until the end of the block."""
        await self.look()
        over = asyncio.Event()
        # Not cancelled: a cancellation may end a command to Redis, be taken for its failure, and be lost.
        task = asyncio.create_task(self._watch_until(over))
        try:
            yield
        finally:
            over.set()
            await task
            with suppress(SQLAlchemyError):
                await run_in_threadpool(end_use, self._engine, self._user)

    async def look(self) -> None:
        """Compare both stores once; says in SQL, every few seconds, that this Redis is in use."""
        try:
            with unavailable_when_it_fails():
                redis, database = await health.look_async(self._client)
                found = await self._client.get(redis_keys.IDENTITY)
        except (StoreUnavailable, Overloaded) as error:
            self._trouble = str(error)
            return  # whoever reads from it finds out
        self._trouble, self._looked_at = redis or database, time.monotonic()
        in_redis = identity_in(found)
        if in_redis == self._identity is not None and time.monotonic() - self._signed_at < SIGN_SECONDS:
            return
        if in_redis != self._identity:
            self._identity, self._refusal = None, _UNKNOWN
        try:
            await run_in_threadpool(sign, self._engine, in_redis, self._user)
        except ForeignRedis as error:
            if self._refusal != str(error):
                log.error("nothing is accepted: %s", error)
            self._identity, self._refusal = None, str(error)
        except SQLAlchemyError as error:
            log.warning("the database does not say which Redis belongs to it: %s", type(error).__name__)
        else:
            self._identity, self._signed_at = in_redis, time.monotonic()

    async def _watch_until(self, over: asyncio.Event) -> None:
        while not over.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), LOOK_SECONDS)
                return
            try:
                await self.look()
            except Exception:  # of the client's own, say: who stops looking notices nothing any more
                log.exception("looking which Redis this is failed; it is tried again")
