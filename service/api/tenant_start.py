"""A new tenant's position counter in Redis, made at its first request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from fastapi import Request
from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool

from service.api.api_context import api_context
from service.model import microseconds
from service.storage.accounts.tenants import KeyRecord
from service.storage.complaints.archive_reader import never_archived
from service.storage.redis_store import stream
from service.storage.redis_store.stream import PositionAbsent

T = TypeVar("T")


async def with_tenant_initialised(request: Request, key: KeyRecord, read: Callable[[], Awaitable[T]]) -> T:
    """The result of `read()`; a new tenant's counter is made first. Raises PositionAbsent while Redis is rebuilt, and
    ForeignRedis unless it is the Redis of this database.
    """
    api = api_context(request)
    identity = api.redis_guard.identity()
    try:
        return await read()
    except PositionAbsent:
        if not await run_in_threadpool(_is_new, api.engine, key.tenant_id):
            raise
        await stream.begin(api.redis, key.tenant, microseconds(api.now()), identity=identity)
        return await read()


def _is_new(engine: Engine, tenant_id: int) -> bool:
    with engine.connect() as connection:
        return never_archived(connection, tenant_id)
