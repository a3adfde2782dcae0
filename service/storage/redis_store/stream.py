"""The queue of record: one Redis stream per tenant, one entry per batch of items.

The API appends with one script call that checks the limit, counts and adds in one step. The ingest worker reads its
pending entries before new ones and deletes what is archived. The script assigns positions: an entry's items are `first`
.. `first + n - 1`.

No command is sent twice: an append whose answer was lost is reported as StoreUnavailable, and the client sends the
batch again (ids make that idempotent).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import redis.asyncio
from redis import Redis
from redis.asyncio.connection import BlockingConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, OutOfMemoryError, RedisError, ResponseError
from redis.maint_notifications import MaintNotificationsConfig

from service.errors import Overloaded, StoreUnavailable
from service.storage.redis_store import redis_keys, unseen

AsyncRedis = redis.asyncio.Redis
GROUP = "ingest"
BACKLOG_RETRY_SECONDS = 5  # Retry-After for a client when the stream is too long
_FIRST_READ = 8  # entries read first; an entry may hold 8 MiB, so more are read only once their size is known

# KEYS: position, stream, progress, tenants waiting, generations, known members. ARGV: tenant, limit, then (n, lines,
# requests, marks) for each batch. Returns nil if the counter is absent, else each batch's last position, 0 for a batch
# without room.
_APPEND = (
    unseen.LUA
    + """
local position = redis.call('GET', KEYS[1])
if not position then return false end
local progress = redis.call('HMGET', KEYS[3], 'archived', 'analysed')
local waiting = tonumber(position) - tonumber(progress[1] or '0')
local analysed = tonumber(progress[2] or '0')
forget(analysed)
local limit = tonumber(ARGV[2])
local time = redis.call('TIME')
local at = time[1] .. string.rep('0', 6 - string.len(time[2])) .. time[2]
local last = {}
local added = false
for i = 3, #ARGV, 4 do
  local n = tonumber(ARGV[i])
  if waiting > 0 and waiting + n > limit then
    last[#last + 1] = 0
  else
    local now = redis.call('INCRBY', KEYS[1], ARGV[i])
    redis.call('XADD', KEYS[2], '*', 'first', string.format('%.0f', now - n + 1), 'n', ARGV[i], 'at', at,
        'lines', ARGV[i + 1], 'requests', ARGV[i + 2])
    note(now - n + 1, now, analysed, ARGV[i + 3])
    waiting = waiting + n
    last[#last + 1] = now
    added = true
  end
end
if added then redis.call('SADD', KEYS[4], ARGV[1]) end
return last
"""
)

# Only the time: an entry may hold megabytes.
_OLDEST = """
local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)
if not oldest[1] then return false end
local fields = oldest[1][2]
for i = 1, #fields, 2 do
  if fields[i] == 'at' then return fields[i + 1] end
end
return false
"""


class PositionAbsent(StoreUnavailable):
    """The tenant's position counter is not there: a new tenant, or Redis is being rebuilt from SQL."""


@dataclass(frozen=True, slots=True)
class StreamBatch:
    """A batch that is appended as one entry."""

    n: int  # items
    lines: bytes  # canonical lines, newline-separated
    requests: str = ""  # ids of those who posted them, comma-separated: for the logs
    marks: bytes = b""  # of the complaints among them (service/storage/redis_store/unseen.py); the order is irrelevant


@dataclass(frozen=True, slots=True)
class StreamEntry:
    """One entry of the stream on its way from Redis to the archive, or a part of one."""

    entry_id: str  # "milliseconds-number"
    first: int  # position of the first item; negative: the id of a dead letter that was sent again
    received_us: int
    lines: bytes  # one item each
    deliveries: int = 1  # number of deliveries, including this one
    requests: str = ""  # ids of the requests that posted the items, comma-separated; empty: unknown

    @property
    def n(self) -> int:
        """Items."""
        return self.lines.count(b"\n") + 1


class Script:
    """A Lua script, sent in full only if Redis does not know it yet (Redis says so before running anything)."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._sha: str | None = None

    async def ask(self, client: Any, names: Sequence[str], arguments: Sequence[Any]) -> Any:
        """Run it through an asyncio client."""
        if self._sha is None:
            self._sha = _text(await client.execute_command("SCRIPT LOAD", self.source))
        try:
            return await client.execute_command("EVALSHA", self._sha, len(names), *names, *arguments)
        except NoScriptError:
            return await client.execute_command("EVAL", self.source, len(names), *names, *arguments)

    def run(self, client: Any, names: Sequence[str], arguments: Sequence[Any]) -> Any:
        """Run it through a blocking client."""
        return client.execute_command("EVAL", self.source, len(names), *names, *arguments)


APPEND, OLDEST = Script(_APPEND), Script(_OLDEST)


def connect(url: str, timeout_seconds: float, *, connections: int = 64) -> AsyncRedis:
    """An asyncio client for the API: a bounded pool, every wait bounded, and no command ever sent twice.

    A connection closed by the server is noticed and replaced before use.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=connections,
        timeout=timeout_seconds,
        socket_timeout=timeout_seconds,
        socket_connect_timeout=timeout_seconds,
        retry=Retry(NoBackoff(), 0),
        # With these (of Redis Enterprise) on, the client does not look whether a pooled connection is still alive.
        maint_notifications_config=MaintNotificationsConfig(enabled=False),
    )
    return redis.asyncio.Redis.from_pool(pool)


@contextmanager
def unavailable_when_it_fails() -> Iterator[None]:
    """Turn Redis' failures into Overloaded (out of memory) and StoreUnavailable (no answer)."""
    try:
        yield
    except OutOfMemoryError:
        raise Overloaded(
            "Redis is out of memory: nothing was accepted",
            retry_after_seconds=BACKLOG_RETRY_SECONDS,
            cause="redis-memory",
        ) from None
    except ResponseError as error:
        # LOADING, READONLY, MISCONF, BUSY, MASTERDOWN: states of the server, none of them caused by the caller.
        if "OOM" in str(error)[:40] or "-OOM " in str(error):  # of a script Redis 6.2 tells it at the end
            raise Overloaded(
                "Redis is out of memory: nothing was accepted",
                retry_after_seconds=BACKLOG_RETRY_SECONDS,
                cause="redis-memory",
            ) from None
        raise StoreUnavailable(f"Redis cannot answer now: {error}") from error
    except (RedisError, OSError, TimeoutError) as error:
        # the error's text contains its address
        raise StoreUnavailable(f"Redis does not answer ({type(error).__name__}): try again") from error


async def append(client: AsyncRedis, tenant: str, batches: Sequence[StreamBatch], max_items: int) -> list[int | None]:
    """Append the batches in one step; returns the position of each one's last item, None if there was no room. No room
    means that more than `max_items` would wait to be archived (an empty stream takes any batch). Raises PositionAbsent,
    StoreUnavailable, Overloaded (Redis out of memory); then nothing was acknowledged.
    """
    arguments: list[Any] = [tenant, max_items]
    for batch in batches:
        arguments += (batch.n, batch.lines, batch.requests, batch.marks)
    with unavailable_when_it_fails():
        last = await APPEND.ask(client, _appended_to(tenant), arguments)
    if last is None:
        raise PositionAbsent(f"the position counter of {tenant} is absent: its totals are being rebuilt")
    return [int(position) or None for position in last]


def append_blocking(client: Redis, tenant: str, batch: StreamBatch, max_items: int) -> int:
    """Like `append`, for one batch and a blocking client; raises Overloaded also if there is no room."""
    with unavailable_when_it_fails():
        last = APPEND.run(
            client, _appended_to(tenant), [tenant, max_items, batch.n, batch.lines, batch.requests, batch.marks]
        )
    if last is None:
        raise PositionAbsent(f"the position counter of {tenant} is absent: its totals are being rebuilt")
    if not int(last[0]):
        raise Overloaded(
            f"{max_items} items are waiting to be archived already: try again",
            retry_after_seconds=BACKLOG_RETRY_SECONDS,
        )
    return int(last[0])


def _appended_to(tenant: str) -> list[str]:
    return [
        redis_keys.position(tenant),
        redis_keys.stream(tenant),
        redis_keys.progress(tenant),
        redis_keys.TENANTS_WAITING,
        redis_keys.unseen(tenant),
        redis_keys.known_members(tenant),
    ]


def begin_blocking(client: Redis, tenant: str, now_us: int) -> None:
    """Start a brand-new tenant at position 0 through a blocking client."""
    with unavailable_when_it_fails(), client.pipeline(transaction=True) as pipeline:
        pipeline.hsetnx(redis_keys.progress(tenant), "as_of_us", str(now_us))
        pipeline.set(redis_keys.position(tenant), 0, nx=True)
        pipeline.execute()


async def begin(client: AsyncRedis, tenant: str, now_us: int) -> None:
    """Start a brand-new tenant at position 0; a second call changes nothing."""
    with unavailable_when_it_fails():
        async with client.pipeline(transaction=True) as pipeline:
            pipeline.hsetnx(redis_keys.progress(tenant), "as_of_us", str(now_us))
            pipeline.set(redis_keys.position(tenant), 0, nx=True)
            await pipeline.execute()


async def position_and_oldest(client: AsyncRedis, tenant: str) -> tuple[int, int | None]:
    """(number of acknowledged items, receipt of the oldest entry in the stream in µs, or None when it is empty)."""
    with unavailable_when_it_fails():
        position: Any = await client.get(redis_keys.position(tenant))
        oldest = await OLDEST.ask(client, [redis_keys.stream(tenant)], [])
    if position is None:
        raise PositionAbsent(f"the position counter of {tenant} is absent: its totals are being rebuilt")
    return int(position), None if oldest is None else int(oldest)


def initialise_position(client: Redis, tenant: str, position: int) -> bool:
    """Set the counter if it is absent, as the last step of a rebuild; False if it existed."""
    return bool(client.set(redis_keys.position(tenant), position, nx=True))


def waiting(client: Redis, tenant: str) -> int:
    """Number of entries in the stream, delivered or not; 0: everything is archived."""
    return int(client.xlen(redis_keys.stream(tenant)))


def read_entries(client: Redis, tenant: str, consumer: str, count: int, max_items: int = 8_000) -> list[StreamEntry]:
    """The next entries for this consumer: those delivered before but never acknowledged, else new ones.

    Ends at `count` entries or with the one that reaches `max_items`. Reading a pending entry raises its
    `deliveries`. Creates the consumer group if it is missing.
    """
    client_any: Any = client
    try:
        return _read(client_any, tenant, consumer, count, max_items, pending=True) or _read(
            client_any, tenant, consumer, count, max_items, pending=False
        )
    except ResponseError:
        pass  # no stream or no group yet; anything else comes again below
    try:
        client_any.execute_command("XGROUP", "CREATE", redis_keys.stream(tenant), GROUP, "0", "MKSTREAM")
    except ResponseError as error:
        if "BUSYGROUP" not in str(error):
            raise
    return _read(client_any, tenant, consumer, count, max_items, pending=False)


def acknowledge(client: Redis, tenant: str, entry_ids: Sequence[str]) -> None:
    """Forget archived entries: XACK and XDEL in one transaction."""
    if not entry_ids:
        return
    with client.pipeline(transaction=True) as pipeline:
        pipeline.xack(redis_keys.stream(tenant), GROUP, *entry_ids)
        pipeline.xdel(redis_keys.stream(tenant), *entry_ids)
        pipeline.execute()


def _read(client: Any, tenant: str, consumer: str, count: int, max_items: int, *, pending: bool) -> list[StreamEntry]:
    found: list[StreamEntry] = []
    items, size, after = 0, min(count, _FIRST_READ), "0" if pending else ">"
    while size > 0:
        rows = _rows(
            client.execute_command(
                "XREADGROUP", "GROUP", GROUP, consumer, "COUNT", size, "STREAMS", redis_keys.stream(tenant), after
            )
        )
        deliveries = _deliveries(client, tenant, consumer, rows) if pending and rows else {}
        gone = [entry_id for entry_id, fields in rows if fields is None]
        if gone:  # delivered once and deleted since: nothing left to do
            client.execute_command("XACK", redis_keys.stream(tenant), GROUP, *gone)
        read = [
            _entry(entry_id, fields, deliveries.get(entry_id, 1)) for entry_id, fields in rows if fields is not None
        ]
        found += read
        items += sum(entry.n for entry in read)
        if len(rows) < size or items >= max_items or len(found) >= count:
            break
        after = rows[-1][0] if pending else ">"
        usual = max(1, items // max(1, len(found)))
        size = min(count - len(found), max(1, (max_items - items) // usual))
    return found


def _rows(answer: Any) -> list[tuple[str, dict[bytes, bytes] | None]]:
    """XREADGROUP's answer for one stream, in either form of the client (a mapping or pairs)."""
    if not answer:
        return []
    streams = list(answer.values()) if isinstance(answer, dict) else [pair[1] for pair in answer]
    rows: list[Any] = []
    for part in streams:
        rows += (
            part
            if not part or isinstance(part[0], tuple) or (len(part[0]) == 2 and isinstance(part[0][0], bytes | str))
            else part[0]
        )
    return [(_text(entry_id), _fields(fields)) for entry_id, fields in rows]


def _fields(fields: Any) -> dict[bytes, bytes] | None:
    if not fields:
        return None
    if isinstance(fields, dict):
        return {_bytes(name): _bytes(value) for name, value in fields.items()}
    return {_bytes(name): _bytes(value) for name, value in zip(fields[::2], fields[1::2], strict=True)}


def _entry(entry_id: str, fields: dict[bytes, bytes], deliveries: int) -> StreamEntry:
    return StreamEntry(
        entry_id,
        int(fields[b"first"]),
        int(fields[b"at"]),
        fields[b"lines"],
        deliveries,
        fields.get(b"requests", b"").decode(errors="replace"),
    )


def _deliveries(client: Any, tenant: str, consumer: str, rows: Sequence[tuple[str, Any]]) -> dict[str, int]:
    known = client.xpending_range(
        redis_keys.stream(tenant), GROUP, min=rows[0][0], max=rows[-1][0], count=len(rows), consumername=consumer
    )
    return {_text(row["message_id"]): int(row["times_delivered"]) for row in known}


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
