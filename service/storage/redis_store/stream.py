"""The queue of record: one Redis stream per tenant, one entry per batch of items.

The API appends with one script call that checks the limit, counts and adds in one step. The ingest worker reads its
pending entries before new ones and deletes what is archived. The script assigns positions: an entry's items are `first`
.. `first + n - 1`.

No command is sent twice: an append whose answer was lost is reported as StoreUnavailable, and the client sends the
batch again (ids make that idempotent).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.exceptions import ResponseError

from service.errors import StoreUnavailable
from service.storage.redis_store import redis_keys, unseen
from service.storage.redis_store.client import AsyncRedis, Script, as_text, unavailable_when_it_fails
from service.storage.redis_store.room import NO_LIMIT, no_room

GROUP = "ingest"
_FIRST_READ = 8  # entries read first; an entry may hold 8 MiB, so more are read only once their size is known

# KEYS: position, stream, progress, tenants waiting, generations, known members, identity. ARGV: tenant, limit, limit of
# what is not analysed, the identity that Redis must have (empty: any), then (n, lines, requests, marks) for each batch.
# Returns nil if the counter is absent or behind the archive, or Redis another one; else each batch's last position, 0
# for a batch without room, -1 where too much is not analysed. That last limit is for complaints: what has no marks (a
# withdrawal above all) passes.
_APPEND = (
    unseen.LUA
    + """
local position = redis.call('GET', KEYS[1])
if not position or (ARGV[4] ~= '' and redis.call('GET', KEYS[7]) ~= ARGV[4]) then return false end
local progress = redis.call('HMGET', KEYS[3], 'archived', 'analysed')
local waiting = tonumber(position) - tonumber(progress[1] or '0')
if waiting < 0 then return false end
local analysed = tonumber(progress[2] or '0')
local unanalysed = tonumber(position) - analysed
forget(analysed)
local limit, analysis_limit = tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local at = time[1] .. string.rep('0', 6 - string.len(time[2])) .. time[2]
local last = {}
local added = false
for i = 5, #ARGV, 4 do
  local n = tonumber(ARGV[i])
  if waiting > 0 and waiting + n > limit then
    last[#last + 1] = 0
  elseif unanalysed > 0 and unanalysed + n > analysis_limit and ARGV[i + 3] ~= '' then
    last[#last + 1] = -1
  else
    local now = redis.call('INCRBY', KEYS[1], ARGV[i])
    redis.call('XADD', KEYS[2], '*', 'first', string.format('%.0f', now - n + 1), 'n', ARGV[i], 'at', at,
        'lines', ARGV[i + 1], 'requests', ARGV[i + 2])
    note(now - n + 1, now, analysed, ARGV[i + 3])
    waiting, unanalysed = waiting + n, unanalysed + n
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


# KEYS: position, progress, identity. ARGV: now in µs, the identity that Redis must have (empty: any).
_BEGIN = """
if ARGV[2] ~= '' and redis.call('GET', KEYS[3]) ~= ARGV[2] then return 0 end
redis.call('HSETNX', KEYS[2], 'as_of_us', ARGV[1])
redis.call('SET', KEYS[1], 0, 'NX')
return 1
"""


class PositionAbsent(StoreUnavailable):
    """The tenant's position counter is absent or not to be used: a new tenant, or Redis is being rebuilt from SQL."""


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


APPEND, OLDEST, BEGIN = Script(_APPEND), Script(_OLDEST), Script(_BEGIN)


async def append(
    client: AsyncRedis,
    tenant: str,
    batches: Sequence[StreamBatch],
    max_items: int,
    max_unanalysed: int = NO_LIMIT,
    *,
    identity: str = "",
) -> list[int]:
    """Append the batches in one step; returns the position of each one's last item, FULL if there was no room: if
    more than `max_items` would wait to be archived (an empty stream takes any batch). UNANALYSED in place of
    a position: a batch with complaints, with which more than `max_unanalysed` items would wait to be analysed. Raises
    PositionAbsent (also for a Redis of another identity than the one given), StoreUnavailable, Overloaded (Redis out of
    memory); then nothing was acknowledged.
    """
    arguments: list[Any] = [tenant, max_items, max_unanalysed, identity]
    for batch in batches:
        arguments += (batch.n, batch.lines, batch.requests, batch.marks)
    with unavailable_when_it_fails():
        last = await APPEND.ask(client, _appended_to(tenant), arguments)
    if last is None:
        raise PositionAbsent(f"the position counter of {tenant} is absent: its totals are being rebuilt")
    return [int(position) for position in last]


def append_blocking(
    client: Redis,
    tenant: str,
    batch: StreamBatch,
    max_items: int,
    max_unanalysed: int = NO_LIMIT,
    *,
    identity: str = "",
) -> int:
    """Like `append`, for one batch and a blocking client; raises Overloaded also if there is no room."""
    with unavailable_when_it_fails():
        last = APPEND.run(
            client,
            _appended_to(tenant),
            [tenant, max_items, max_unanalysed, identity, batch.n, batch.lines, batch.requests, batch.marks],
        )
    if last is None:
        raise PositionAbsent(f"the position counter of {tenant} is absent: its totals are being rebuilt")
    if int(last[0]) <= 0:
        raise no_room(int(last[0]), max_items, max_unanalysed)
    return int(last[0])


def _appended_to(tenant: str) -> list[str]:
    return [
        redis_keys.position(tenant),
        redis_keys.stream(tenant),
        redis_keys.progress(tenant),
        redis_keys.TENANTS_WAITING,
        redis_keys.unseen(tenant),
        redis_keys.known_members(tenant),
        redis_keys.IDENTITY,
    ]


def begin_blocking(client: Redis, tenant: str, now_us: int, *, identity: str = "") -> None:
    """Start a brand-new tenant at position 0 through a blocking client, unless Redis has another identity."""
    with unavailable_when_it_fails():
        BEGIN.run(client, _begun_with(tenant), [now_us, identity])


async def begin(client: AsyncRedis, tenant: str, now_us: int, *, identity: str = "") -> None:
    """Start a brand-new tenant at position 0; a second call changes nothing, nor does one in a Redis of another
    identity.
    """
    with unavailable_when_it_fails():
        await BEGIN.ask(client, _begun_with(tenant), [now_us, identity])


def _begun_with(tenant: str) -> list[str]:
    return [redis_keys.position(tenant), redis_keys.progress(tenant), redis_keys.IDENTITY]


async def position_and_oldest(client: AsyncRedis, tenant: str) -> tuple[int, int | None]:
    """(number of acknowledged items, receipt of the oldest entry in the stream in µs, or None when it is empty)."""
    with unavailable_when_it_fails():
        position: Any = await client.get(redis_keys.position(tenant))
        oldest = await OLDEST.ask(client, [redis_keys.stream(tenant)], [])
    if position is None:
        raise PositionAbsent(f"the position counter of {tenant} is absent: its totals are being rebuilt")
    return int(position), None if oldest is None else int(oldest)


def close_behind(client: Redis, tenant: str, archived: int) -> None:
    """Let nothing be appended until the position is restored: it lies behind what is archived, since Redis fell back to
    an older state.
    """
    client.hset(redis_keys.progress(tenant), "archived", str(archived))


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


def oldest_entries(client: Redis, tenant: str, count: int) -> list[StreamEntry]:
    """The oldest entries, delivered or not, without taking them."""
    rows = client.xrange(redis_keys.stream(tenant), count=count)
    return [
        _entry(as_text(entry_id), known, 1) for entry_id, fields in rows or [] if (known := _fields(fields)) is not None
    ]


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
    return [(as_text(entry_id), _fields(fields)) for entry_id, fields in rows]


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
    return {as_text(row["message_id"]): int(row["times_delivered"]) for row in known}


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
