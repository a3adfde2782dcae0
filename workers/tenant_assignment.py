"""Assign each tenant to the detect worker that holds its window in memory.

All of them take jobs from one queue. Building a window takes seconds for a large tenant, so a job that comes to a
worker that has not got the tenant is put back for the one that has. Tenants are shared out evenly, by number: a worker
that falls silent loses its tenants to the others, one that comes gets its share as their jobs come up. All of this only
saves work: who may write is decided by the lease and the epoch (workers/detect.py). A worker alone has every tenant,
and writes none of this down.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from redis import Redis
from redis.exceptions import RedisError

from service.storage.redis_store import redis_keys
from service.storage.redis_store.client import Script

log = logging.getLogger(__name__)

BEAT_SECONDS = 2.0
SILENT_MS = 8_000  # three beats were missed

# A worker whose last beat lies in the future (Redis' clock was set back since) counts as silent until its next one.
#
# KEYS: detectors, homes. ARGV: this worker, tenant, after how many milliseconds a worker is silent. Answers 1 when the
# tenant is this worker's.
_CLAIM = Script("""
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local has, workers, tenants, home = {}, 0, 0, nil
for _, worker in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], now - tonumber(ARGV[3]), now + tonumber(ARGV[3]))) do
  has[worker] = 0
  workers = workers + 1
end
if not has[ARGV[1]] then
  has[ARGV[1]] = 0
  workers = workers + 1
end
if workers == 1 then return 1 end
local homes = redis.call('HGETALL', KEYS[2])
for i = 1, #homes, 2 do
  local worker = homes[i + 1]
  if has[worker] then
    has[worker] = has[worker] + 1
    tenants = tenants + 1
    if homes[i] == ARGV[2] then home = worker end
  end
end
if home and home ~= ARGV[1] then return 0 end
if home then
  if has[home] <= math.ceil(tenants / workers) then return 1 end
  redis.call('HDEL', KEYS[2], ARGV[2])
  return 0
end
if has[ARGV[1]] + 1 > math.ceil((tenants + 1) / workers) then return 0 end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[1])
return 1
""")

# KEYS: detectors. ARGV: this worker, after how many milliseconds a worker is forgotten.
_BEAT = Script("""
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[2]))
redis.call('ZREMRANGEBYSCORE', KEYS[1], now + tonumber(ARGV[2]), '+inf')
redis.call('ZADD', KEYS[1], now, ARGV[1])
return 1
""")


class TenantAssignment:
    """One detect worker among the others."""

    def __init__(self, redis: Redis, *, silent_ms: int = SILENT_MS) -> None:
        self.name = secrets.token_hex(8)
        self._redis, self._silent_ms = redis, silent_ms

    def beat(self) -> None:
        """Report this worker as alive."""
        _BEAT.run(self._redis, [redis_keys.DETECTORS], [self.name, self._silent_ms])

    def has(self, tenant: str) -> bool:
        """Whether the tenant is this worker's; one that nobody has becomes so, up to an even share."""
        return bool(
            _CLAIM.run(self._redis, [redis_keys.DETECTORS, redis_keys.HOMES], [self.name, tenant, self._silent_ms])
        )

    def leave(self) -> None:
        """Remove this worker, so that the others take its tenants at once."""
        self._redis.zrem(redis_keys.DETECTORS, self.name)


@contextmanager
def taking_part(redis: Redis) -> Iterator[TenantAssignment]:
    """Inside, this process is a detect worker among others. Redis may go and come back meanwhile."""
    over, mine = threading.Event(), TenantAssignment(redis)

    def beat() -> None:
        while not over.is_set():
            with suppress(RedisError, OSError):  # the next beat may find it
                mine.beat()
            over.wait(BEAT_SECONDS)

    thread = threading.Thread(target=beat, name="residence", daemon=True)
    thread.start()
    try:
        yield mine
    finally:
        over.set()
        thread.join(BEAT_SECONDS)
        with suppress(RedisError, OSError):  # it falls silent
            mine.leave()
