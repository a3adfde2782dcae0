"""The edges of the tenants that this process serves, remembered for a few seconds."""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool

from service.errors import Refused, StoreUnavailable
from service.intake.edge import Edge
from service.storage.edges import REMEMBERED_SECONDS, open_edge
from service.storage.secret_box import SecretBox

_REMEMBERED_TENANTS = 10_000


class Edges:
    """Opens tenants' edges off the event loop, and remembers them for as long as a key is remembered."""

    def __init__(self, engine: Engine, box: SecretBox, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine, self._box, self._clock = engine, box, clock
        self._known: dict[int, tuple[float, Edge]] = {}

    async def of(self, tenant_id: int) -> Edge:
        """The tenant's edge. Raises StoreUnavailable when its key cannot be read: nothing is stored by weaker rules."""
        now = self._clock()
        known = self._known.get(tenant_id)
        if known is not None and known[0] > now:
            return known[1]
        try:
            edge = await run_in_threadpool(open_edge, self._engine, self._box, tenant_id)
        except Refused as error:
            raise StoreUnavailable(f"the tenant's own key cannot be read: {error}") from error
        if len(self._known) >= _REMEMBERED_TENANTS:
            self._known.clear()
        self._known[tenant_id] = (now + REMEMBERED_SECONDS, edge)
        return edge

    def forget(self, tenant_id: int) -> None:
        """Read the tenant's anew at the next call."""
        self._known.pop(tenant_id, None)
