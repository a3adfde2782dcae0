"""The windows that one detect worker holds in memory between its jobs."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from workers.detection.window_digest import window_digest
from workers.tenant_analyzer import TenantAnalyzer
from workers.tenant_assignment import TenantAssignment

log = logging.getLogger(__name__)


class ResidentWindows:
    """Analyzers by tenant. `assignment` says which tenants are this process's; None: all, it is alone."""

    def __init__(self) -> None:
        self.assignment: TenantAssignment | None = None
        self._analyzers: dict[str, TenantAnalyzer] = {}
        self._in_turn = False  # a window may be half a tick ahead of what is stored
        self._report_requested = False

    def has_tenant(self, tenant: str) -> bool:
        """Whether this process analyses the tenant. Raises RedisError."""
        return self.assignment is None or self.assignment.has(tenant)

    def get(self, tenant: str) -> TenantAnalyzer | None:
        """The tenant's analyzer; None if none is held."""
        return self._analyzers.get(tenant)

    def keep(self, analyzer: TenantAnalyzer) -> None:
        """Hold this analyzer, replacing the tenant's previous one."""
        self._analyzers[analyzer.tenant] = analyzer

    def drop(self, tenant: str) -> None:
        """Forget the tenant's window: the next turn builds it from SQL."""
        self._analyzers.pop(tenant, None)

    @contextmanager
    def turn(self, tenant: str) -> Iterator[None]:
        """One turn of the tenant's. Its window is dropped if the turn fails: half a tick may be in it."""
        self._in_turn = True
        try:
            yield
        except BaseException:
            self.drop(tenant)
            raise
        finally:
            self._in_turn = False
            if self._report_requested:
                self.report()

    def report(self) -> None:
        """Log what each window holds, now or once the turn under way has ended. SIGUSR1 requests it.

        A window that is built from SQL again has the same digest.
        """
        self._report_requested = self._in_turn
        if self._in_turn:
            return
        for tenant, analyzer in self._analyzers.items():
            window = analyzer.detector.window
            log.warning(
                "tenant %s: window of %d complaints up to seq %d, digest %s",
                tenant,
                window.live,
                analyzer.state.cursor_seq,
                window_digest(window),
            )
