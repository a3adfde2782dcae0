"""Requests that wait until everything up to a position is analysed.

All of a process share one loop: it reads the progress of the tenants that somebody waits for from Redis every few
milliseconds, in one round trip, and ends when nobody waits. A request that begins to wait makes the pipeline hurry
(service/storage/redis_store/hurry.py), at once and with all the others.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass

from redis.exceptions import RedisError

from service.api.fair_share import FairShare
from service.storage.redis_store import hurry
from service.storage.redis_store.assessments import read_analysed
from service.storage.redis_store.client import AsyncRedis

LOOK_SECONDS = 0.01
MOST = 2_000  # requests of a process that wait at the same time
REMIND_SECONDS = 0.4  # how often a tenant for which somebody still waits is hurried again: well within its mark's life
log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class _Waiter:
    position: int
    analysed: asyncio.Future[None]


class AnalysisWaiters:
    """Who waits for which tenant's analysis, and the loop that ends their waiting."""

    def __init__(self, client: AsyncRedis) -> None:
        self._client = client
        self._waiting: dict[str, set[_Waiter]] = {}
        self._places = FairShare(MOST)
        self._hurried_at: dict[str, float] = {}  # by the loop's clock
        self._loop: asyncio.Task[None] | None = None

    async def until(self, tenant: str, position: int, seconds: float) -> None:
        """Return once everything up to `position` is analysed, or after `seconds`; the caller looks which it was.

        Returns at once where the tenant has its share of the process's waiting requests already.
        """
        if not self._places.take(tenant, tenant):
            return
        waiter = _Waiter(position, asyncio.get_running_loop().create_future())
        self._waiting.setdefault(tenant, set()).add(waiter)
        self._hurried_at.pop(tenant, None)  # a new position: the last hurry may have passed it already
        if self._loop is None:
            self._loop = asyncio.create_task(self._look())
        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(waiter.analysed, seconds)
        finally:
            self._leave(tenant, waiter)

    async def close(self) -> None:
        """End the loop; those who wait see their time pass."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)

    def _leave(self, tenant: str, waiter: _Waiter) -> None:
        self._places.give_back(tenant, tenant)
        self._waiting[tenant].remove(waiter)
        if not self._waiting[tenant]:
            del self._waiting[tenant]
            self._hurried_at.pop(tenant, None)

    async def _look(self) -> None:
        clock, silent = asyncio.get_running_loop().time, False
        try:
            while self._waiting:
                began = clock()
                try:
                    await self._look_once(began)
                    silent = False
                except (RedisError, OSError, TimeoutError) as error:
                    if not silent:  # once an outage
                        log.warning("requests that wait for the analysis cannot see its progress: %s", error)
                    silent = True
                await asyncio.sleep(max(0.001, LOOK_SECONDS - (clock() - began)))
        finally:
            self._loop = None

    async def _look_once(self, now: float) -> None:
        tenants = list(self._waiting)
        late = [t for t in tenants if now - self._hurried_at.get(t, -REMIND_SECONDS) >= REMIND_SECONDS]
        if late:
            self._hurried_at.update(dict.fromkeys(late, now))
            await hurry.request(self._client, late)
        for tenant, analysed in zip(tenants, await read_analysed(self._client, tenants), strict=True):
            for waiter in self._waiting.get(tenant, ()):
                if waiter.position <= analysed and not waiter.analysed.done():
                    waiter.analysed.set_result(None)
