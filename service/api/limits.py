"""Limits: rates per tenant and key, shared by all processes, and the bytes of request bodies that one process holds.

A bucket may go into debt: a request is admitted while any tokens are left, and charged once its items are known. So a
batch larger than the rate gets through, and its tenant waits afterwards. The balance is kept in Redis; a process knows
it as of its own last request. So n processes admit n batches where one would have admitted one, and all wait n times as
long afterwards: in the long run the rate holds. Without a rate Redis is not needed.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from service.errors import Overloaded, StoreUnavailable
from service.storage.accounts.tenants import KeyRecord
from service.storage.redis_store import redis_keys
from service.storage.redis_store.client import AsyncRedis, Script, unavailable_when_it_fails

BURST_SECONDS = 1.0  # a bucket holds the items of one second
MAX_BODY_BYTES_HELD = 256 * 1024 * 1024
_REMEMBERED_BUCKETS = 10_000

# KEYS: the bucket: how long it took until it was full, and as of when (microseconds), so that a clock that is set back
# prolongs no debt. ARGV: the cost, in microseconds of refilling. Returns how long it takes until the bucket is full.
_SPEND = Script("""
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local debt, at = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+) (%d+)$')
local left = math.max(0, tonumber(debt or '0') - math.max(0, now - tonumber(at or '0'))) + tonumber(ARGV[1])
local lasts = string.format('%.0f', math.ceil(left / 1000) + 1)
redis.call('SET', KEYS[1], string.format('%.0f %.0f', left, now), 'PX', lasts)
return string.format('%.0f', left)
""")
_LONGEST_DEBT_US = 30 * 86_400 * 1_000_000


class RateExceeded(Overloaded):
    """A tenant or key sends more items a second than its operator allows."""

    def __init__(self, message: str, *, retry_after_seconds: int, policy: str, quota: int) -> None:
        super().__init__(message, retry_after_seconds=retry_after_seconds, cause=f"{policy}-rate")
        self.policy = policy
        self.quota = quota


class Bucket:
    """A token bucket that refills continuously and may be overdrawn by the last request admitted."""

    def __init__(self, per_second: float, now: float) -> None:
        self.per_second = per_second
        self._capacity = max(1.0, per_second * BURST_SECONDS)
        self._left = self._capacity
        self._at = now

    def wait_seconds(self, now: float) -> float:
        """How long until a token is available; 0: now."""
        self._left = min(self._capacity, self._left + (now - self._at) * self.per_second)
        self._at = now
        return 0.0 if self._left > 0 else (1e-9 - self._left) / self.per_second

    def charge(self, items: int) -> None:
        """Take the items' tokens, into debt if need be."""
        self._left -= items

    def learn(self, seconds_until_full: float, now: float) -> None:
        """Take over the balance of all processes, as of now."""
        self._left, self._at = self._capacity - seconds_until_full * self.per_second, now


class Rates:
    """Token buckets per tenant and per key; without a rate nothing is ever refused.

    A tenant's own rate (`brigadewatch tenants set --rate`) takes the place of the one for all tenants.
    """

    def __init__(
        self,
        per_tenant: float | None,
        per_key: float | None,
        clock: Callable[[], float] = time.monotonic,
        redis: AsyncRedis | None = None,
    ) -> None:
        self._per_tenant, self._per_key = per_tenant, per_key
        self._buckets: dict[tuple[str, int], Bucket] = {}
        self._clock, self._redis = clock, redis  # without Redis: this process alone

    def admit(self, key: KeyRecord) -> None:
        """Raises RateExceeded when the tenant or the key has to wait."""
        now = self._clock()
        for policy, _, bucket in self._of(key, now):
            wait = bucket.wait_seconds(now)
            if wait > 0:
                raise RateExceeded(
                    f"more than {bucket.per_second:g} items a second for this {policy}: wait {math.ceil(wait)} s",
                    retry_after_seconds=math.ceil(wait),
                    policy=policy,
                    quota=max(1, int(bucket.per_second)),
                )

    async def charge(self, key: KeyRecord, items: int) -> None:
        """Charge items that were stored or refused individually; without Redis only in this process."""
        for policy, owner, bucket in self._of(key, self._clock()):
            bucket.charge(items)
            if self._redis is None:
                continue
            cost_us = min(_LONGEST_DEBT_US, items / bucket.per_second * 1e6)
            try:
                with unavailable_when_it_fails():
                    # Another rate is another bucket: debt at the old one is forgotten.
                    left = await _SPEND.ask(
                        self._redis,
                        [redis_keys.spent(key.tenant, policy, owner, bucket.per_second)],
                        [f"{cost_us:.0f}"],
                    )
            except (StoreUnavailable, Overloaded):
                continue
            bucket.learn(int(left) / 1e6, self._clock())

    def _of(self, key: KeyRecord, now: float) -> Iterator[tuple[str, int, Bucket]]:
        own = key.settings.rate_per_second
        for policy, owner, rate in (
            ("tenant", key.tenant_id, self._per_tenant if own is None else own),
            ("key" if key.id >= 0 else "source", key.id, self._per_key),
        ):
            if rate is None:
                continue
            bucket = self._buckets.get((policy, owner))
            if bucket is None or bucket.per_second != rate:
                if len(self._buckets) >= _REMEMBERED_BUCKETS:
                    self._buckets.clear()  # the balance is read again with the next charge
                bucket = self._buckets[policy, owner] = Bucket(rate, now)
            yield policy, owner, bucket


class BodyBudget:
    """Bytes of bodies that all requests of the process hold together: a flood gets 429 before memory runs out."""

    def __init__(self, limit: int = MAX_BODY_BYTES_HELD) -> None:
        self._limit = limit
        self.held = 0

    @contextmanager
    def reserve(self) -> Iterator[Callable[[int], None]]:
        """A function that adds bytes to this request's share; the share is released at the end."""
        mine = 0

        def hold(count: int) -> None:
            nonlocal mine
            if self.held + count > self._limit:
                raise Overloaded(
                    f"bodies of other requests take up {self.held} of {self._limit} bytes: try again after Retry-After",
                    retry_after_seconds=1,
                    cause="bodies-held",
                )
            self.held += count
            mine += count

        try:
            yield hold
        finally:
            self.held -= mine
