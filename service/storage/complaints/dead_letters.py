"""Dead letters: items that failed five times, kept with their error until an operator sends them again or drops them.

A row is dead while `resent_us` is null. Sent again, it is pending, keeps its row until it is archived (the
commit deletes the row, so a second delivery changes nothing), and is a dead letter again if it fails again.
Positions never move back: an item that is sent again has been acknowledged and skipped before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis import Redis
from sqlalchemy import Connection, Engine, delete, insert, select, update

from service import logs
from service.errors import StoreUnavailable
from service.storage.complaints.archive_lookups import letter_text
from service.storage.complaints.archive_writer import pass_over
from service.storage.redis_store import redis_keys
from service.storage.redis_store.client import AsyncRedis, time_us, unavailable_when_it_fails
from service.storage.redis_store.stream import StreamEntry
from service.storage.sql.engine import write
from service.storage.sql.schema import dead_letters

MAX_ERROR_CHARACTERS = 2_000
_ABSENT = "the position counter of {} is absent: Redis is being rebuilt; try again in a few seconds"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One item that could not be archived."""

    id: int
    position: int
    received_us: int
    dead_us: int
    error: str
    line: str  # a kind letter and the item's JSON, as it was accepted
    resent_us: int | None  # when it was sent again


def bury(
    connection: Connection, tenant_id: int, epoch: int, item: StreamEntry, error: BaseException, now_us: int
) -> None:
    """Move a single item to the dead letters and skip its position, in the caller's transaction. Raises LostLease."""
    text = f"{type(error).__name__}: {error}"[:MAX_ERROR_CHARACTERS]
    if item.first <= 0:  # one that was sent again: its row is still there, unless an operator dropped it meanwhile
        row = update(dead_letters).where(dead_letters.c.id == -item.first, dead_letters.c.tenant_id == tenant_id)
        connection.execute(row.values(resent_us=None, dead_us=now_us, error=text))
        return
    pass_over(connection, tenant_id, epoch, item)
    connection.execute(
        insert(dead_letters).values(
            tenant_id=tenant_id,
            position=item.first,
            received_us=item.received_us,
            dead_us=now_us,
            error=text,
            line=letter_text(item.lines),
        )
    )


def list_dead_letters(
    connection: Connection, tenant_id: int, *, after_id: int = 0, limit: int = 50
) -> list[DeadLetter]:
    """The tenant's dead letters, oldest first, including those sent again."""
    columns: list[Any] = [dead_letters.c[name] for name in DeadLetter.__slots__]
    statement = (
        select(*columns)
        .where(dead_letters.c.tenant_id == tenant_id, dead_letters.c.id > after_id)
        .order_by(dead_letters.c.id)
        .limit(limit)
    )
    return [DeadLetter(*row) for row in connection.execute(statement)]


def retry(
    engine: Engine, redis: Redis, tenant: str, tenant_id: int, now_us: int, ids: Sequence[int] | None = None
) -> int:
    """Send dead letters again (those in `ids`; None: all), and return how many.

    Raises StoreUnavailable while Redis is being rebuilt. A crash in between leaves a letter that is both in the
    stream and counted dead; it is archived all the same, once.
    """
    if not redis.exists(redis_keys.position(tenant)):
        raise StoreUnavailable(_ABSENT.format(tenant))
    letters = _dead(engine, tenant_id, ids)
    for identity, line in letters:
        # First into the stream, then out of the count: in the other order a crash would lose it.
        redis.xadd(redis_keys.stream(tenant), _entry(identity, line, time_us(redis.time())))
        redis.sadd(redis_keys.TENANTS_WAITING, tenant)
        _mark_resent(engine, identity, now_us)
    return len(letters)


async def send_again(
    engine: Engine, redis: AsyncRedis, tenant: str, tenant_id: int, now_us: int, ids: Sequence[int] | None = None
) -> list[int]:
    """The same through an asyncio client, with SQL on a thread; the ids of those that were sent.

    Raises StoreUnavailable when Redis does not answer.
    """
    with unavailable_when_it_fails():
        if not await redis.exists(redis_keys.position(tenant)):
            raise StoreUnavailable(_ABSENT.format(tenant))
        letters = await asyncio.to_thread(_dead, engine, tenant_id, ids)
        for identity, line in letters:
            await redis.xadd(redis_keys.stream(tenant), _entry(identity, line, time_us(await redis.time())))
            await redis.sadd(redis_keys.TENANTS_WAITING, tenant)
            await asyncio.to_thread(_mark_resent, engine, identity, now_us)
    return [identity for identity, _ in letters]


def _dead(engine: Engine, tenant_id: int, ids: Sequence[int] | None) -> list[tuple[int, str]]:
    statement = (
        select(dead_letters.c.id, dead_letters.c.line)
        .where(dead_letters.c.tenant_id == tenant_id, dead_letters.c.resent_us.is_(None))
        .order_by(dead_letters.c.id)
    )
    if ids is not None:
        statement = statement.where(dead_letters.c.id.in_(list(ids)))
    with engine.connect() as connection:
        return [(row.id, row.line) for row in connection.execute(statement)]


def _entry(identity: int, line: str, at_us: int) -> dict[Any, Any]:
    return {
        "first": -identity,
        "n": 1,
        "at": at_us,
        "lines": line.encode(),
        "requests": logs.current_id() or "",
    }


def _mark_resent(engine: Engine, identity: int, now_us: int) -> None:
    with write(engine) as connection:
        connection.execute(update(dead_letters).where(dead_letters.c.id == identity).values(resent_us=now_us))


def drop(engine: Engine, tenant_id: int, ids: Sequence[int] | None = None) -> int:
    """Delete dead letters for good (those in `ids`; None: all), and return how many."""
    statement = delete(dead_letters).where(dead_letters.c.tenant_id == tenant_id)
    if ids is not None:
        statement = statement.where(dead_letters.c.id.in_(list(ids)))
    with write(engine) as connection:
        return int(connection.execute(statement).rowcount)


def bury_lost(engine: Engine, tenant_id: int) -> int:
    """After Redis lost its stream: return letters that were sent again to the dead letters; returns how many."""
    with write(engine) as connection:
        row = update(dead_letters).where(dead_letters.c.tenant_id == tenant_id, dead_letters.c.resent_us.is_not(None))
        return int(connection.execute(row.values(resent_us=None)).rowcount)
