"""The edges of the tenants that this process serves, remembered for a few seconds, and longer while the database is
away.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from service.api.auth import GRACE_SECONDS, LONGEST_SECONDS, PATIENCE_SECONDS
from service.errors import Refused, StoreUnavailable
from service.intake.privacy_filter import PrivacyFilter
from service.storage.accounts.secret_box import SecretBox
from service.storage.privacy.privacy_filters import REMEMBERED_SECONDS, open_privacy_filter

_REMEMBERED_TENANTS = 10_000
log = logging.getLogger(__name__)


@dataclass(slots=True)
class _CachedFilter:
    """An edge that was read: when, and when to read it again."""

    privacy_filter: PrivacyFilter
    read_at: float
    ask_at: float


class PrivacyFilters:
    """Opens tenants' edges off the event loop, once at a time for each tenant.

    While the database does not answer, one that was read within the last hour is gone by, as keys are: whom it does not
    know to be erased yet, the archive refuses.
    """

    def __init__(self, engine: Engine, box: SecretBox, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine, self._box, self._clock = engine, box, clock
        self._known: dict[int, _CachedFilter] = {}
        self._asking: dict[int, asyncio.Task[PrivacyFilter]] = {}

    async def of(self, tenant_id: int) -> PrivacyFilter:
        """The tenant's edge.

        Raises StoreUnavailable when its key cannot be read (nothing is stored by weaker rules), or the database is away
        for long.
        """
        known, now = self._known.get(tenant_id), self._clock()
        if known is not None and known.ask_at > now:
            return known.privacy_filter
        task = self._asking.get(tenant_id) or self._ask(tenant_id)
        if known is not None and known.read_at + GRACE_SECONDS > now:
            await asyncio.wait({task}, timeout=PATIENCE_SECONDS)
            if not task.done() or isinstance(task.exception(), SQLAlchemyError):
                known.ask_at = self._clock() + REMEMBERED_SECONDS
                return known.privacy_filter
        await asyncio.wait({task}, timeout=LONGEST_SECONDS)
        if not task.done():
            raise StoreUnavailable(
                f"the database did not say within {LONGEST_SECONDS:.0f} s what the tenant has set; try again"
            )
        try:
            return task.result()
        except Refused as error:
            raise StoreUnavailable(f"the tenant's own key cannot be read: {error}") from error

    def forget(self, tenant_id: int) -> None:
        """Read the tenant's anew at the next call."""
        if tenant_id in self._known:
            self._known[tenant_id].ask_at = self._clock()
        self._asking.pop(tenant_id, None)  # what is being read may be what was before

    def _ask(self, tenant_id: int) -> asyncio.Task[PrivacyFilter]:
        task = asyncio.get_running_loop().create_task(
            run_in_threadpool(open_privacy_filter, self._engine, self._box, tenant_id)
        )
        self._asking[tenant_id] = task
        task.add_done_callback(lambda done: self._asked(tenant_id, done))
        return task

    def _asked(self, tenant_id: int, task: asyncio.Task[PrivacyFilter]) -> None:
        current = self._asking.get(tenant_id) is task
        if current:
            del self._asking[tenant_id]
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            log.warning("the settings of tenant %d cannot be read: %s", tenant_id, error)
            return
        if not current:
            return
        if len(self._known) >= _REMEMBERED_TENANTS:
            self._known.clear()
        now = self._clock()
        self._known[tenant_id] = _CachedFilter(task.result(), now, now + REMEMBERED_SECONDS)
