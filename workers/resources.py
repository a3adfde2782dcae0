"""What every job needs, opened once per process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeVar

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy import Engine

from service import wall_clock
from service.settings import Settings
from service.storage.sql.engine import migrate, open_database

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Resources:
    """The stores and the settings of this process, and what its jobs keep in memory from one turn to the next."""

    settings: Settings
    engine: Engine
    redis: Redis
    _kept: dict[type, Any] = field(default_factory=dict, repr=False, compare=False, kw_only=True)

    def kept(self, kind: type[T]) -> T:
        """This process's one object of that class, made (without arguments) when it is first needed."""
        if kind not in self._kept:
            self._kept[kind] = kind()
        found: T = self._kept[kind]
        return found

    def now_us(self) -> int:
        """Wall clock, microseconds since 1970."""
        return wall_clock.now_us()

    def close(self) -> None:
        """Give the connections back."""
        self.redis.close()
        self.engine.dispose()


def open_resources(settings: Settings, engine: Engine | None = None) -> Resources:
    """Open both stores; the database has the newest schema afterwards. Redis need not be up. `engine`: the database,
    where it is open already.

    Raises ValueError without REDIS_URL: only `up` and `demo` bring a server of their own.
    """
    if settings.redis_url is None:
        raise ValueError(
            "REDIS_URL is not set; `brigadewatch up` starts a Redis of its own, single processes need the address"
            " of one"
        )
    if engine is None:
        engine = open_database(settings.database_url)
        migrate(engine)
    return Resources(settings, engine, connect_redis(settings.redis_url, settings.redis_timeout_seconds))


def connect_redis(url: str, timeout_seconds: float) -> Redis:
    """A client that connects when first used and sends no command twice.

    A repeated XREADGROUP would skip the entries whose answer was lost; the clock enqueues a job that failed again.
    """
    return Redis.from_url(
        url, socket_timeout=timeout_seconds, socket_connect_timeout=timeout_seconds, retry=Retry(NoBackoff(), 0)
    )
