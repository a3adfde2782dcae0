"""Leases in Redis avoid double work on a tenant; the epoch in SQL decides who may commit. A lease may be lost without
notice (a long pause, an emptied Redis). Two workers may then overlap for a moment, and commits with the older epoch are
refused.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis import Redis
from redis.exceptions import LockError, RedisError
from redis.lock import Lock
from sqlalchemy import Connection, Engine, Table, select, update

from service.errors import LostLease, UnknownTenant
from service.storage.redis_store import redis_keys
from service.storage.sql import schema
from service.storage.sql.engine import write

log = logging.getLogger(__name__)

TTL_MS = 3000
# A lease with more time left was taken before Redis' clock was set back, since a holder that lives renews it every
# second: `take` cuts it to one term, after which it is free.
_LONGEST_MS = 2 * TTL_MS


class Lease:
    """The right to do one kind of work for one tenant, for 3 s at a time: redis-py's lock, and whether it is lost."""

    def __init__(self, redis: Redis, work: str, tenant: str, *, ttl_ms: int = TTL_MS) -> None:
        self.key = redis_keys.lease(work, tenant)
        self._redis, self._ttl_ms = redis, ttl_ms
        self.lost = False  # another worker holds it, or it expired
        # not thread-local: another thread renews it
        self._lock = Lock(redis, self.key, timeout=ttl_ms / 1000, blocking=False, thread_local=False)

    def take(self) -> bool:
        """Take the lease if it is free."""
        if self._lock.acquire():
            return True
        left_ms: Any = self._redis.pttl(self.key)
        if left_ms > _LONGEST_MS:
            self._redis.pexpire(self.key, self._ttl_ms)
        return False

    def renew(self) -> bool:
        """Extend it for another term; False (and `lost` is set) if it is no longer ours."""
        try:
            self._lock.reacquire()
        except LockError:
            self.lost = True
        return not self.lost

    def check(self) -> None:
        """Raise LostLease once a renewal has failed."""
        if self.lost:
            raise LostLease(f"the lease {self.key} expired or is held by another process, which continues the work")

    def release(self) -> None:
        """Release it, if it is still ours. If Redis does not answer, the lease expires on its own."""
        try:
            self._lock.release()
        except LockError:
            log.debug("lease %s is no longer ours to release", self.key)
        except RedisError as error:
            log.info("lease %s not released, it expires on its own: %s", self.key, error)


def is_held(left_ms: int | None) -> bool:
    """Whether somebody holds the lease that has so many milliseconds left (Redis' PTTL; -2: there is none)."""
    return left_ms is not None and (left_ms == -1 or 0 < left_ms <= _LONGEST_MS)


@contextmanager
def held(redis: Redis, work: str, tenant: str, *, ttl_ms: int = TTL_MS) -> Iterator[Lease | None]:
    """Hold the lease for the length of the block, renewing it in the background; None if another worker holds it. If
    Redis does not answer, the block continues: the epoch protects its commits.
    """
    lease = Lease(redis, work, tenant, ttl_ms=ttl_ms)
    if not lease.take():
        yield None
        return
    over = threading.Event()
    renewing = threading.Thread(
        target=_renew_until, args=(lease, over, ttl_ms / 3000), name=f"renew {lease.key}", daemon=True
    )
    renewing.start()
    try:
        yield lease
    finally:
        over.set()
        renewing.join()
        lease.release()


def _renew_until(lease: Lease, over: threading.Event, every_seconds: float) -> None:
    while not over.wait(every_seconds):
        try:
            if not lease.renew():
                return
        except RedisError as error:
            log.warning("lease %s not renewed: %s", lease.key, error)


def take_epoch(engine: Engine, table: Table, tenant_id: int) -> int:
    """Raise and return the epoch of `ingest_state` or `analysis_state`: the holder of an earlier one can no longer
    commit.
    """
    with write(engine) as connection:
        done = connection.execute(update(table).where(table.c.tenant_id == tenant_id).values(epoch=table.c.epoch + 1))
        if done.rowcount != 1:
            raise UnknownTenant(f"tenant number {tenant_id} has no row in {table.name}")
        return int(connection.execute(select(table.c.epoch).where(table.c.tenant_id == tenant_id)).scalar_one())


def take_ingest_epoch(engine: Engine, tenant_id: int) -> int:
    """Take a new epoch for archiving; returns it."""
    return take_epoch(engine, schema.ingest_state, tenant_id)


def take_analysis_epoch(engine: Engine, tenant_id: int) -> int:
    """Take a new epoch for analysis; returns it."""
    return take_epoch(engine, schema.analysis_state, tenant_id)


def raise_epochs(connection: Connection, tenant_id: int) -> None:
    """Raise both epochs, in the caller's writing transaction: work that is under way can no longer be committed."""
    for table in (schema.ingest_state, schema.analysis_state):
        connection.execute(update(table).where(table.c.tenant_id == tenant_id).values(epoch=table.c.epoch + 1))
