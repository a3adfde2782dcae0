"""What Redis knows of complaints before they are analysed: how many there are about a target, and how many of those are
by members of groups whose complaints are discounted.

Each complaint takes a mark of 16 bytes into the stream's append script: the key of its target, and a keyed hash of its
reporter, or zeros where it is never discounted. A complaint that the platform sent as a trusted flagger's takes another
hash, which is known only of members about whom the tenant's registry of trusted flaggers decides. The script counts by
target, in generations that end every few positions: a generation is forgotten once everything in it is analysed. A
count is therefore an upper bound. Repeats, retries and withdrawals are not known before the archive, and the generation
that is being analysed counts as a whole.

The hash of a reporter needs the tenant's own key: without it nobody can try whether a person is a known member.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from functools import lru_cache
from hashlib import blake2b

from redis import Redis

from service.intake.documents import Marker
from service.storage.redis_store import redis_keys
from service.storage.sql.hashing import bytes_of, digest_of
from service.storage.sql.parts import parts

MARK_BYTES = 16
_NOBODY = bytes(8)
_AS_ANYBODY, _AS_FLAGGER = b"known member", b"known flagger"
_MEMBERS_PER_COMMAND = 1_000
# A generation ends after so many positions, or a sixteenth of what is not analysed: a backlog has some hundred of them.
GENERATION_POSITIONS, GENERATIONS_OF_A_BACKLOG = 32, 16

# A part of the append script. `note` counts a batch whose marks are given; `forget` drops what is analysed.
# KEYS[5]: generations, KEYS[6]: known members.
LUA = f"""
local nobody = string.rep('\\0', 8)
local function forget(analysed)
  local gone = redis.call('ZRANGEBYSCORE', KEYS[5], '-inf', analysed)
  if not gone[1] then return end
  for _, generation in ipairs(gone) do redis.call('DEL', KEYS[5] .. ':' .. generation) end
  redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', analysed)
end
local function note(first, last, analysed, marks)
  local counts, reporters, targets = {{}}, {{}}, {{}}
  for at = 1, #marks, {MARK_BYTES} do
    local target, reporter = string.sub(marks, at, at + 7), string.sub(marks, at + 8, at + 15)
    counts[target] = (counts[target] or 0) + 1
    if reporter ~= nobody then
      reporters[#reporters + 1] = reporter
      targets[#targets + 1] = target
    end
  end
  if next(counts) == nil then return end
  if reporters[1] and redis.call('EXISTS', KEYS[6]) == 1 then
    for from = 1, #reporters, {_MEMBERS_PER_COMMAND} do
      local upto = math.min(from + {_MEMBERS_PER_COMMAND} - 1, #reporters)
      for i, is_member in ipairs(redis.call('SMISMEMBER', KEYS[6], unpack(reporters, from, upto))) do
        if is_member == 1 then
          local field = 'k' .. targets[from + i - 1]
          counts[field] = (counts[field] or 0) + 1
        end
      end
    end
  end
  local open = redis.call('ZRANGE', KEYS[5], -1, -1, 'WITHSCORES')
  local generation = open[1]
  local size = math.max({GENERATION_POSITIONS}, (last - analysed) / {GENERATIONS_OF_A_BACKLOG})
  if not generation or tonumber(open[2]) - tonumber(generation) + 1 >= size then
    generation = string.format('%.0f', first)
  end
  redis.call('ZADD', KEYS[5], string.format('%.0f', last), generation)
  for field, n in pairs(counts) do redis.call('HINCRBY', KEYS[5] .. ':' .. generation, field, n) end
end
"""


def marker(secret: bytes) -> Marker:
    """Makes the marks of complaints, with the tenant's secret key (32 bytes)."""

    def mark(target_id: str, reporter_id: str | None, trusted: bool = False) -> bytes:
        return _of_target(target_id) + (_NOBODY if reporter_id is None else _of_reporter(secret, reporter_id, trusted))

    return mark


def change_known_members(
    client: Redis,
    tenant: str,
    secret: bytes,
    added: Iterable[int],
    removed: Iterable[int],
    registered: Container[int] = (),
) -> None:
    """Add and remove known members, by reporter key; `registered`: about whom the registry of flaggers decides."""
    name = redis_keys.known_members(tenant)
    with client.pipeline(transaction=False) as pipeline:
        for part in parts(_hashes(secret, removed), _MEMBERS_PER_COMMAND):
            pipeline.srem(name, *part)
        for part in parts(_hashes(secret, added, registered), _MEMBERS_PER_COMMAND):
            pipeline.sadd(name, *part)
        pipeline.execute()


def replace_known_members(
    client: Redis, tenant: str, secret: bytes, members: Iterable[int], registered: Container[int] = ()
) -> None:
    """Make these, by reporter key, the known members, and nobody else; in one step. `registered` as above."""
    name = redis_keys.known_members(tenant)
    with client.pipeline(transaction=True) as pipeline:
        pipeline.delete(name)
        for part in parts(_hashes(secret, members, registered), _MEMBERS_PER_COMMAND):
            pipeline.sadd(name, *part)
        pipeline.execute()


def _hashes(secret: bytes, members: Iterable[int], registered: Container[int] | None = None) -> Iterator[bytes]:
    """The hash of each, and that of complaints sent as a trusted flagger's: of those registered, or (None) of all."""
    for key in members:
        digest = bytes_of(key)
        yield _keyed(secret, digest)
        if registered is None or key in registered:
            yield _keyed(secret, digest, _AS_FLAGGER)


# Ids recur, as in every batch of an import.
_of_target = lru_cache(maxsize=1 << 16)(digest_of)


@lru_cache(maxsize=1 << 16)
def _of_reporter(secret: bytes, reporter_id: str, trusted: bool) -> bytes:
    return _keyed(secret, digest_of(reporter_id), _AS_FLAGGER if trusted else _AS_ANYBODY)


def _keyed(secret: bytes, digest: bytes, sent_as: bytes = _AS_ANYBODY) -> bytes:
    return blake2b(digest, digest_size=8, key=secret, person=sent_as).digest()
