"""The last deliveries of each source, for a day, for an administrator to see why nothing, or the wrong thing, arrives.

Never a body: ids as the tenant keeps them, counts, and which fields were refused. They are copies for people; if Redis
loses them, nothing depends on it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import from_json
from redis import Redis
from redis.exceptions import RedisError

from service.model import RejectedItem
from service.storage.redis_store import redis_keys
from service.storage.redis_store.client import AsyncRedis, unavailable_when_it_fails

MOST = 10  # deliveries of one source
KEPT_SECONDS = 86_400
MOST_NAMED = 10  # ids, refused fields and notes of one delivery
NOTE_CHARACTERS = 300
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Arrival:
    """One post of a platform, or the pages of one poll."""

    at_us: int
    result: str  # a webhook's result as the metrics name it, or the poll's
    stored: int = 0
    refused: int = 0
    ids: Sequence[str] = ()  # the first of what was stored: "complaint 5", "outcome 7"
    pointers: Sequence[str] = ()  # the first refused fields
    notes: Sequence[str] = ()  # what was left out, and why


_KINDS = {b"c": "complaint", b"o": "outcome", b"w": "withdrawal of"}
_ARRIVAL: TypeAdapter[Arrival] = TypeAdapter(Arrival)


def arrival(
    at_us: int,
    result: str,
    lines: Sequence[bytes] = (),
    refused: Sequence[RejectedItem] = (),
    notes: Sequence[str] = (),
) -> Arrival:
    """Of items (canonical lines), refusals and notes the first of each, and nothing of the items but their ids."""
    return Arrival(
        at_us,
        result,
        len(lines),
        len(refused),
        [f"{_KINDS[line[:1]]} {from_json(line[1:])['id']}" for line in lines[:MOST_NAMED]],
        [item.pointer or "/" for item in refused[:MOST_NAMED]],
        [note[:NOTE_CHARACTERS] for note in notes[:MOST_NAMED]],
    )


async def note(client: AsyncRedis, tenant: str, source_id: str, one: Arrival, *, proven: bool = True) -> None:
    """Put it in front of the others; what is not `proven` to come from the platform never pushes out what is. A failure
    of Redis is only logged.
    """
    try:
        async with client.pipeline(transaction=True) as pipeline:
            _add(pipeline, _key(tenant, source_id, proven), one)
            await pipeline.execute()
    except (RedisError, OSError, TimeoutError) as error:
        log.info("a delivery could not be noted: %s", error)


def note_blocking(client: Redis, tenant: str, source_id: str, one: Arrival) -> None:
    """The same for workers."""
    try:
        with client.pipeline(transaction=True) as pipeline:
            _add(pipeline, _key(tenant, source_id, True), one)
            pipeline.execute()
    except (RedisError, OSError, TimeoutError) as error:
        log.info("a poll could not be noted: %s", error)


async def recent(client: AsyncRedis, tenant: str, source_id: str, now_us: int) -> list[Arrival]:
    """Those of the last day, the newest first. Raises StoreUnavailable."""
    with unavailable_when_it_fails():
        async with client.pipeline(transaction=True) as pipeline:
            for proven in (True, False):
                pipeline.lrange(_key(tenant, source_id, proven), 0, MOST - 1)
            texts = [text for found in await pipeline.execute() for text in found]
    deliveries = [_ARRIVAL.validate_json(text) for text in texts]
    young = [one for one in deliveries if now_us - one.at_us < KEPT_SECONDS * 1_000_000]
    return sorted(young, key=lambda one: -one.at_us)[:MOST]


def forget(client: Redis, tenant: str) -> None:
    """Drop them all: a platform's ids of complaints may contain the reporter's. Raises RedisError."""
    for proven in (True, False):
        for key in client.scan_iter(match=redis_keys.recent_deliveries(tenant, "*", proven), count=1_000):
            client.delete(key)


def _add(commands: Any, key: str, one: Arrival) -> None:
    commands.lpush(key, _ARRIVAL.dump_json(one))
    commands.ltrim(key, 0, MOST - 1)
    commands.expire(key, KEPT_SECONDS)


def _key(tenant: str, source_id: str, proven: bool) -> str:
    return redis_keys.recent_deliveries(tenant, sha256(source_id.encode()).hexdigest()[:20], proven)
