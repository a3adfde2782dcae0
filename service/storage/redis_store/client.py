"""The API's Redis client, what its failures mean to a caller, and scripts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import redis.asyncio
from redis.asyncio.connection import BlockingConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, OutOfMemoryError, RedisError, ResponseError
from redis.maint_notifications import MaintNotificationsConfig

from service.errors import Overloaded, StoreUnavailable
from service.storage.redis_store.room import BACKLOG_RETRY_SECONDS

AsyncRedis = redis.asyncio.Redis


class Script:
    """A Lua script, sent in full only if Redis does not know it yet (Redis says so before running anything)."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._sha: str | None = None

    async def ask(self, client: Any, names: Sequence[str], arguments: Sequence[Any]) -> Any:
        """Run it through an asyncio client."""
        if self._sha is None:
            self._sha = as_text(await client.execute_command("SCRIPT LOAD", self.source))
        try:
            return await client.execute_command("EVALSHA", self._sha, len(names), *names, *arguments)
        except NoScriptError:
            return await client.execute_command("EVAL", self.source, len(names), *names, *arguments)

    def run(self, client: Any, names: Sequence[str], arguments: Sequence[Any]) -> Any:
        """Run it through a blocking client."""
        return client.execute_command("EVAL", self.source, len(names), *names, *arguments)


def connect(url: str, timeout_seconds: float, *, connections: int = 64) -> AsyncRedis:
    """An asyncio client for the API: a bounded pool, every wait bounded, and no command ever sent twice.

    A connection closed by the server is noticed and replaced before use.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=connections,
        timeout=timeout_seconds,
        socket_timeout=timeout_seconds,
        socket_connect_timeout=timeout_seconds,
        retry=Retry(NoBackoff(), 0),
        # With these (of Redis Enterprise) on, the client does not look whether a pooled connection is still alive.
        maint_notifications_config=MaintNotificationsConfig(enabled=False),
    )
    return redis.asyncio.Redis.from_pool(pool)


@contextmanager
def unavailable_when_it_fails() -> Iterator[None]:
    """Turn Redis' failures into Overloaded (out of memory) and StoreUnavailable (no answer)."""
    try:
        yield
    except OutOfMemoryError:
        raise Overloaded(
            "Redis is out of memory: nothing was accepted",
            retry_after_seconds=BACKLOG_RETRY_SECONDS,
            cause="redis-memory",
        ) from None
    except ResponseError as error:
        # LOADING, READONLY, MISCONF, BUSY, MASTERDOWN: states of the server, none of them caused by the caller.
        if "OOM" in str(error)[:40] or "-OOM " in str(error):  # of a script Redis 6.2 tells it at the end
            raise Overloaded(
                "Redis is out of memory: nothing was accepted",
                retry_after_seconds=BACKLOG_RETRY_SECONDS,
                cause="redis-memory",
            ) from None
        raise StoreUnavailable(f"Redis cannot answer now: {error}") from error
    except (RedisError, OSError, TimeoutError) as error:
        # the error's text contains its address
        raise StoreUnavailable(f"Redis does not answer ({type(error).__name__}): try again") from error


def time_us(answer: Any) -> int:
    """The answer to TIME in microseconds since 1970."""
    seconds, micro = answer
    return int(seconds) * 1_000_000 + int(micro)


def as_text(value: Any) -> str:
    """What Redis answers, bytes or text, as text."""
    return value.decode() if isinstance(value, bytes) else str(value)
