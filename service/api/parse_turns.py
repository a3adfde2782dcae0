"""Turns for reading what platforms post: little memory and few threads at once, and no tenant before all others.

Reading one document holds up to 64 MiB and the interpreter for a while. The work inside is counted
(service/platforms/json_paths.py, service/intake/json_bounds.py), since a thread cannot be stopped; here only so many
run at once, and a post that gets no turn in time has to be sent again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from service.errors import Overloaded

AT_ONCE = 2
WAIT_SECONDS = 5.0


class ParseTurns:
    """One document of a tenant at a time, AT_ONCE in all."""

    def __init__(self, at_once: int = AT_ONCE, wait_seconds: float = WAIT_SECONDS) -> None:
        self._all = asyncio.Semaphore(at_once)
        self._wait_seconds = wait_seconds
        self._of_tenant: dict[int, tuple[asyncio.Lock, int]] = {}  # with how many hold or want it

    @asynccontextmanager
    async def of(self, tenant_id: int) -> AsyncIterator[None]:
        """A turn. Raises Overloaded when it does not come in time."""
        lock, wanted = self._of_tenant.get(tenant_id, (asyncio.Lock(), 0))
        self._of_tenant[tenant_id] = lock, wanted + 1
        try:
            async with asyncio.timeout(self._wait_seconds):
                await lock.acquire()
                try:
                    await self._all.acquire()
                except BaseException:
                    lock.release()
                    raise
        except TimeoutError:
            raise Overloaded(
                f"other posts of platforms are being read, and it was not this one's turn within"
                f" {self._wait_seconds:g} s: send it again after Retry-After",
                retry_after_seconds=2,
                cause="payloads",
            ) from None
        else:
            try:
                yield
            finally:
                self._all.release()
                lock.release()
        finally:
            lock, wanted = self._of_tenant.pop(tenant_id)
            if wanted > 1:
                self._of_tenant[tenant_id] = lock, wanted - 1
