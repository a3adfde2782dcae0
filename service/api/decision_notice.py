"""Tells Redis that a decision was made: the clock has something to enqueue, and answers about targets are pending."""

from __future__ import annotations

import asyncio
import logging

from starlette.concurrency import run_in_threadpool

from service.api.api_context import ApiContext
from service.storage.detection.analysis_state import latest_decision
from service.storage.redis_store import redis_keys
from service.storage.redis_store.assessments import write_decided

_WAKE_SECONDS = 1.0  # the clock sees decisions in SQL as well, so a slow Redis must not keep a moderator waiting
log = logging.getLogger(__name__)


async def announce_decision(api: ApiContext, tenant: str, tenant_id: int) -> None:
    """Tell the clock, and those who ask about targets, that a decision waits to be taken in.

    Best effort: the clock also sees the decision in SQL.
    """
    try:
        await asyncio.wait_for(_announce(api, tenant, tenant_id), _WAKE_SECONDS)
    except Exception:
        log.warning(
            "decision stored, but Redis could not be notified; the clock will find it in SQL",
            extra={"tenant": tenant},
            exc_info=True,
        )


async def _announce(api: ApiContext, tenant: str, tenant_id: int) -> None:
    def read() -> int:
        with api.engine.connect() as connection:
            return latest_decision(connection, tenant_id)

    await api.redis.sadd(redis_keys.TENANTS_DIRTY, tenant)  # first: it does not depend on SQL
    await write_decided(api.redis, tenant, await run_in_threadpool(read))
