"""The privacy filters of the tenants that this process serves, cached for a few seconds, and longer while the database
is unavailable.
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
    """A filter that was read: when, and when to read it again."""

    privacy_filter: PrivacyFilter
    read_at: float
    refresh_at: float


class PrivacyFilters:
    """Opens tenants' privacy filters off the event loop, once at a time for each tenant.

    While the database is unavailable, a filter that was read within the last hour is used, as with keys. It may not
    know a reporter who was erased since; the archive refuses their complaints.
    """

    def __init__(self, engine: Engine, box: SecretBox, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine, self._box, self._clock = engine, box, clock
        self._known: dict[int, _CachedFilter] = {}
        self._lookups: dict[int, asyncio.Task[PrivacyFilter]] = {}

    async def of(self, tenant_id: int) -> PrivacyFilter:
        """The tenant's privacy filter.

        Raises StoreUnavailable if its key cannot be read (nothing is stored under weaker rules), or if the database has
        been unavailable for long.
        """
        known, now = self._known.get(tenant_id), self._clock()
        if known is not None and known.refresh_at > now:
            return known.privacy_filter
        task = self._lookups.get(tenant_id) or self._start_lookup(tenant_id)
        if known is not None and known.read_at + GRACE_SECONDS > now:
            await asyncio.wait({task}, timeout=PATIENCE_SECONDS)
            if not task.done() or isinstance(task.exception(), SQLAlchemyError):
                known.refresh_at = self._clock() + REMEMBERED_SECONDS
                return known.privacy_filter
        await asyncio.wait({task}, timeout=LONGEST_SECONDS)
        if not task.done():
            raise StoreUnavailable(
                f"the database did not answer within {LONGEST_SECONDS:.0f} s, so the tenant's settings are unknown;"
                " try again"
            )
        try:
            return task.result()
        except Refused as error:
            raise StoreUnavailable(f"the tenant's own key cannot be read: {error}") from error

    def forget(self, tenant_id: int) -> None:
        """Read the tenant's filter again at the next call."""
        if tenant_id in self._known:
            self._known[tenant_id].refresh_at = self._clock()
        self._lookups.pop(tenant_id, None)  # a lookup that is running may return the old one

    def _start_lookup(self, tenant_id: int) -> asyncio.Task[PrivacyFilter]:
        task = asyncio.get_running_loop().create_task(
            run_in_threadpool(open_privacy_filter, self._engine, self._box, tenant_id)
        )
        self._lookups[tenant_id] = task
        task.add_done_callback(lambda done: self._lookup_ended(tenant_id, done))
        return task

    def _lookup_ended(self, tenant_id: int, task: asyncio.Task[PrivacyFilter]) -> None:
        current = self._lookups.get(tenant_id) is task
        if current:
            del self._lookups[tenant_id]
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
