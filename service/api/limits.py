"""How much one process takes: rates per tenant and key, and bytes of request bodies held at once.

A bucket may go into debt: a request is let in while anything is left, and charged once its items are known. So a
batch larger than the rate gets through, and its tenant waits for it afterwards. The buckets are this process's
own: behind n API processes a tenant gets up to n times its rate.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from service.errors import Overloaded

BURST_SECONDS = 1.0  # a bucket holds the items of one second
MAX_BODY_BYTES_HELD = 256 * 1024 * 1024


class RateExceeded(Overloaded):
    """A tenant or key sends more items a second than its operator allows."""

    def __init__(self, message: str, *, retry_after_seconds: int, policy: str, quota: int) -> None:
        super().__init__(message, retry_after_seconds=retry_after_seconds)
        self.policy = policy
        self.quota = quota


class Bucket:
    """A token bucket that refills continuously and may be overdrawn by the last one let in."""

    def __init__(self, per_second: float, now: float) -> None:
        self._per_second = per_second
        self._capacity = max(1.0, per_second * BURST_SECONDS)
        self._left = self._capacity
        self._at = now

    def wait_seconds(self, now: float) -> float:
        """How long until anything is left; 0: now."""
        self._left = min(self._capacity, self._left + (now - self._at) * self._per_second)
        self._at = now
        return 0.0 if self._left > 0 else (1e-9 - self._left) / self._per_second

    def charge(self, items: int) -> None:
        """Take the items' tokens, into debt if need be."""
        self._left -= items


class Rates:
    """Token buckets per tenant and per key; without a rate nothing is ever refused."""

    def __init__(self, per_tenant: float | None, per_key: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._rates = {"tenant": per_tenant, "key": per_key}
        self._buckets: dict[tuple[str, int], Bucket] = {}
        self._clock = clock

    def admit(self, tenant_id: int, key_id: int) -> None:
        """Raises RateExceeded when the tenant or the key has to wait."""
        now = self._clock()
        for policy, bucket, rate in self._of(tenant_id, key_id, now):
            wait = bucket.wait_seconds(now)
            if wait > 0:
                raise RateExceeded(
                    f"more than {rate:g} items a second for this {policy}: wait {math.ceil(wait)} s", retry_after_seconds=math.ceil(wait), policy=policy, quota=max(1, int(rate)),
                )

    def charge(self, tenant_id: int, key_id: int, items: int) -> None:
        """Count items that were taken or refused one by one."""
        for _, bucket, _ in self._of(tenant_id, key_id, self._clock()):
            bucket.charge(items)

    def _of(self, tenant_id: int, key_id: int, now: float) -> Iterator[tuple[str, Bucket, float]]:
        for policy, owner in (("tenant", tenant_id), ("key", key_id)):
            rate = self._rates[policy]
            if rate is not None:
                yield policy, self._buckets.setdefault((policy, owner), Bucket(rate, now)), rate


class BodyBudget:
    """Bytes of bodies that all requests of the process hold together: a flood gets 429 before memory runs out."""

    def __init__(self, limit: int = MAX_BODY_BYTES_HELD) -> None:
        self._limit = limit
        self.held = 0

    @contextmanager
    def reserve(self) -> Iterator[Callable[[int], None]]:
        """A function that adds bytes to this request's share; all of it is given back at the end."""
        mine = 0

        def hold(count: int) -> None:
            nonlocal mine
            if self.held + count > self._limit:
                raise Overloaded(f"requests being read hold {self.held} bytes already, at most {self._limit}: try again", retry_after_seconds=1)
            self.held += count
            mine += count

        try:
            yield hold
        finally:
            self.held -= mine
