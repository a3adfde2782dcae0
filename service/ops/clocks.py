"""The clocks that the service lives by, beside each other: the host's, Redis' and the database's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from redis import Redis
from sqlalchemy import Connection

from service import wall_clock
from service.storage.redis_store.client import time_us
from service.storage.sql.engine import server_now_us

# Far more than a host with NTP differs, far less than matters to what is counted in days.
AGREE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Clocks:
    """What the clocks say at one moment, in microseconds since 1970, by name: host, redis, and database on PostgreSQL
    (SQLite has the host's).
    """

    times_us: Mapping[str, int]

    @property
    def earliest_us(self) -> int:
        """What deletes by age goes by: too little rather than too much."""
        return min(self.times_us.values())

    @property
    def latest_us(self) -> int:
        """The clock that is furthest ahead."""
        return max(self.times_us.values())

    @property
    def apart_seconds(self) -> float:
        """How far they are apart."""
        return (self.latest_us - self.earliest_us) / 1e6

    @property
    def agree(self) -> bool:
        """Whether they differ by no more than hosts may."""
        return self.apart_seconds <= AGREE_SECONDS

    def difference_seconds(self, name: str) -> float:
        """How far a clock is ahead of the host's."""
        return (self.times_us[name] - self.times_us["host"]) / 1e6


def read_clocks(redis: Redis, connection: Connection) -> Clocks:
    """Read all of them, one after the other. Raises RedisError, SQLAlchemyError."""
    found = {"redis": time_us(redis.time())}
    in_database = server_now_us(connection)
    if in_database is not None:
        found["database"] = in_database
    return Clocks({"host": wall_clock.now_us(), **found})
