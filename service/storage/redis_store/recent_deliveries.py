"""The last deliveries of each source, for a day, for an administrator to see why nothing, or the wrong thing, arrives.

Never a body: ids as the tenant keeps them, counts, and which fields were refused. They are copies for people; if Redis
loses them, nothing depends on it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, cast

from pydantic import TypeAdapter
from pydantic_core import from_json
from redis import Redis
from redis.exceptions import RedisError

from service.intake.documents import Submission
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
    *,
    stored: int = 0,
    refused: int = 0,
    lines: Sequence[bytes] = (),
    rejected: Sequence[RejectedItem] = (),
    notes: Sequence[str] = (),
) -> Arrival:
    """How many items were stored and refused, and the first of each: of `lines` (canonical) the ids alone, of
    `rejected` where the fault is.
    """
    return Arrival(
        at_us,
        result,
        stored,
        refused,
        [f"{_KINDS[line[:1]]} {from_json(line[1:])['id']}" for line in lines[:MOST_NAMED]],
        [item.pointer or "/" for item in rejected[:MOST_NAMED]],
        [note[:NOTE_CHARACTERS] for note in notes[:MOST_NAMED]],
    )


def arrival_of(at_us: int, result: str, batch: Submission, notes: Sequence[str]) -> Arrival:
    """The same of a batch."""
    return arrival(
        at_us,
        result,
        stored=len(batch.lines),
        refused=batch.rejected_count,
        lines=batch.lines,
        rejected=batch.rejected,
        notes=notes,
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


def note_poll(client: Redis, tenant: str, source_id: str, one: Arrival) -> None:
    """The same for a poll. One that says what the latest one said takes its place: polls come by the minute, and would
    push out everything else.
    """
    key = _key(tenant, source_id, True)
    try:
        latest = cast(bytes | None, client.lindex(key, 0))
        again = latest is not None and replace(_ARRIVAL.validate_json(latest), at_us=one.at_us) == one
        with client.pipeline(transaction=True) as pipeline:
            if again:
                pipeline.lpop(key)
            _add(pipeline, key, one)
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
