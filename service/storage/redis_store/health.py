"""Whether Redis answers and takes writes, and what workers have found about the database: what readiness asks.

A Redis that is full, or whose append-only file cannot be written, still answers PING; so something is written, a key
that expires.
"""

from __future__ import annotations

from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from service.storage.redis_store import redis_keys
from service.storage.redis_store.client import AsyncRedis, as_text

TROUBLE_SECONDS = 60  # after a worker's write was refused; each further one begins the minute again
_PROBE_SECONDS = 60


def note_refused_write(client: Redis, text: str) -> None:
    """Remember that the database refused a worker's write: the API's processes do not write much themselves. Raises
    RedisError.
    """
    client.set(redis_keys.REFUSED_WRITE, text, ex=TROUBLE_SECONDS)


def look(client: Redis) -> tuple[str | None, str | None]:
    """(what is wrong with Redis, what a worker found wrong with the database); None: nothing. Raises RedisError when
    Redis does not answer.
    """
    pipe = client.pipeline(transaction=False)
    _ask(pipe)
    return _read(pipe.execute(raise_on_error=False))


async def look_async(client: AsyncRedis) -> tuple[str | None, str | None]:
    """As `look`."""
    pipe = client.pipeline(transaction=False)
    _ask(pipe)
    return _read(await pipe.execute(raise_on_error=False))


def _ask(pipe: Any) -> None:
    pipe.set(redis_keys.WRITE_PROBE, 1, ex=_PROBE_SECONDS)
    pipe.get(redis_keys.REFUSED_WRITE)
    pipe.pttl(redis_keys.REFUSED_WRITE)
    pipe.info("persistence")


def _read(answers: list[Any]) -> tuple[str | None, str | None]:
    written, refused, left_ms, persistence = answers
    for answer in (written, refused, left_ms):
        if isinstance(answer, RedisError):
            return f"Redis takes no writes: {answer}", None
    trouble = None
    if isinstance(persistence, dict) and persistence.get("aof_last_write_status", "ok") != "ok":
        trouble = "the last write to Redis' append-only file failed: is its disk full?"
    # one that lasts for longer than it may was made before the clock was set back
    believed = refused is not None and left_ms <= TROUBLE_SECONDS * 1_000
    return trouble, as_text(refused) if believed else None
