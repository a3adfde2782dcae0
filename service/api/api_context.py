"""What the routes share, kept on `app.state`: `api` for the routes, `engine`, `redis` and `observe` for all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine
from starlette.requests import Request

from service import wall_clock
from service.api.analysis_waiters import AnalysisWaiters
from service.api.auth import KeyRing
from service.api.batching import StreamWriter
from service.api.limits import BodyBudget, Rates
from service.api.parse_turns import ParseTurns
from service.api.privacy_filters import PrivacyFilters
from service.api.redis_guard import RedisGuard
from service.settings import Settings
from service.storage.accounts.secret_box import SecretBox
from service.storage.probe import Probe
from service.storage.redis_store.client import AsyncRedis


class MetricsSink:
    """Counts what the API does; this one ignores it. A served process uses service/ops/observations.py instead."""

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered, its headers after `seconds`; `route` is a template."""

    def limited(self, cause: str) -> None:
        """A request was refused or cut by a limit (LIMITS in service/ops/observations.py)."""

    def accepted(self, tenant: str, n: int) -> None:
        """`n` items are in the stream."""

    def rejected(self, tenant: str, n: int) -> None:
        """`n` items were refused individually."""

    def assessed(self, seconds: float) -> None:
        """A request to assess targets was answered, its wait for the analysis aside."""

    def waited(self, seconds: float, *, analysed: bool) -> None:
        """A request waited for the analysis; `analysed`: it has come to the position that was asked for."""

    def webhook(self, platform: str, result: str) -> None:
        """A platform's webhook was taken, repeated, empty, unusable, or refused (the reason)."""

    def signed_in(self, result: str) -> None:
        """A user tried to sign in (SIGN_INS in service/ops/observations.py)."""


@dataclass(slots=True)
class ApiContext:
    """What one API process works with."""

    settings: Settings
    engine: Engine
    redis: AsyncRedis
    redis_guard: RedisGuard
    writer: StreamWriter
    waiters: AnalysisWaiters
    key_ring: KeyRing
    rates: Rates
    bodies: BodyBudget
    parse_turns: ParseTurns
    box: SecretBox  # opens the secrets of sources
    privacy_filters: PrivacyFilters  # every way in applies the tenant's before it stores anything
    database_probe: Probe[str | None]  # whether it answers and takes writes
    # the current time; complaints may be at most five minutes ahead of it
    now: Callable[[], datetime] = wall_clock.now


def api_context(request: Request) -> ApiContext:
    """The context of the app that serves this request."""
    api: ApiContext = request.app.state.api
    return api


def metrics_sink(request: Request) -> MetricsSink:
    """The app's metrics sink, looked up at each call, since it may be set later."""
    observe: MetricsSink = request.app.state.observe
    return observe
