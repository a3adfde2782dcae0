"""Totals and memberships per target in Redis, from which assessments of targets are answered.

Written by the workers (totals and memberships by detect, progress by ingest and detect), read by the API in one round
trip, together with what is not analysed yet (service/storage/redis_store/unseen.py). Hash fields are 64-bit keys of
target ids (hashing.field_of), so no id from outside is part of a name.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic_core import from_json
from redis import Redis

from service.model import moment
from service.moderation.assessment import NO_CLUSTERS, ClusterShare, Freshness, TargetStanding, TargetSummary
from service.storage.redis_store import redis_keys
from service.storage.redis_store.client import AsyncRedis, Script, time_us, unavailable_when_it_fails
from service.storage.redis_store.stream import PositionAbsent
from service.storage.sql.hashing import digest_of, field_of, key_of_field
from service.storage.sql.parts import parts

_FIELDS_PER_COMMAND = 1_000

# Everything that one answer needs, in one step. KEYS: totals, memberships, position, progress, generations of unseen
# complaints, whether the position was restored, notices by trusted flaggers. ARGV: the targets' fields, then the same
# as bytes.
_ASK = Script("""
local position = redis.call('GET', KEYS[3])
if not position then return false end
local progress = redis.call('HMGET', KEYS[4], 'analysed', 'as_of_us', 'decided', 'taken', 'noticed')
local analysed = progress[1] or '0'
local time = redis.call('TIME')
local n = #ARGV / 2
local totals = redis.call('HMGET', KEYS[1], unpack(ARGV, 1, n))
local memberships = redis.call('HMGET', KEYS[2], unpack(ARGV, 1, n))
local unseen, known, members = {}, {}, {}
for i = 1, n do unseen[i], known[i], members[i] = 0, 0, 'k' .. ARGV[n + i] end
if tonumber(analysed) < tonumber(position) then
  for _, generation in ipairs(redis.call('ZRANGEBYSCORE', KEYS[5], '(' .. analysed, '+inf')) do
    local name = KEYS[5] .. ':' .. generation
    for i, count in ipairs(redis.call('HMGET', name, unpack(ARGV, n + 1))) do
      if count then unseen[i] = unseen[i] + tonumber(count) end
    end
    for i, count in ipairs(redis.call('HMGET', name, unpack(members))) do
      if count then known[i] = known[i] + tonumber(count) end
    end
  end
end
local decision_waits = tonumber(progress[3] or '0') > tonumber(progress[4] or '0') and 1 or 0
return {position, analysed, progress[2] or '0', time[1], time[2], decision_waits, redis.call('EXISTS', KEYS[6]),
    progress[5] and 1 or 0, totals, memberships, redis.call('HMGET', KEYS[7], unpack(ARGV, 1, n)), unseen, known}
""")


@dataclass(frozen=True, slots=True)
class Standings:
    """Targets in the order requested, and how fresh they are."""

    targets: list[TargetStanding]
    as_of: datetime  # the answer includes every complaint acknowledged before this time
    position: int  # of the latest item that was accepted
    analysed: int  # everything up to this position is analysed
    decision_waits: bool  # a moderator's decision is not taken in yet
    restored: bool  # within the last hour, positions were restored from SQL: clients may hold later ones

    def freshness(self, after: int | None = None) -> Freshness:
        """How far the analysis has come: with everything, or with everything up to the position `after`."""
        waits = self.analysed < (self.position if after is None else after)
        return Freshness(self.as_of, waits or self.decision_waits, max(0, self.position - self.analysed))


def write_totals(client: Redis, tenant: str, totals: Mapping[int, int]) -> None:
    """Set targets' standing complaints by target key; 0 removes the target."""
    with client.pipeline(transaction=False) as pipeline:
        _add_totals(pipeline, tenant, totals)
        pipeline.execute()


def write_memberships(client: Redis, tenant: str, summaries: Mapping[int, TargetSummary | None]) -> None:
    """Set the cluster summaries of targets, by target key; None, or a summary without clusters, removes it."""
    with client.pipeline(transaction=False) as pipeline:
        _add_memberships(pipeline, tenant, summaries)
        pipeline.execute()


def write_trusted_notices(client: Redis, tenant: str, notices: Mapping[int, int], *, complete: bool = False) -> None:
    """Set targets' notices by trusted flaggers, by target key; 0 removes the target. `complete`: these are all."""
    with client.pipeline(transaction=complete) as pipeline:
        if complete:
            pipeline.delete(redis_keys.trusted_notices(tenant))
            pipeline.hset(redis_keys.progress(tenant), "noticed", 1)
        _add_notices(pipeline, tenant, notices)
        pipeline.execute()


def targets_with_trusted_notices(client: Redis, tenant: str, targets: Collection[int] | None = None) -> set[int]:
    """Keys of the targets (None: all) that have notices by trusted flaggers."""
    name, found = redis_keys.trusted_notices(tenant), set[int]()
    if targets is None:
        return {key_of_field(field) for field in client.hkeys(name)}
    for some in parts(targets, _FIELDS_PER_COMMAND):
        counts = client.hmget(name, [field_of(key) for key in some])
        found.update(key for key, count in zip(some, counts, strict=True) if count is not None)
    return found


def are_notices_counted(client: Redis, tenant: str) -> bool:
    """Whether the notices by trusted flaggers are known of all targets."""
    return bool(client.hexists(redis_keys.progress(tenant), "noticed"))


def forget_trusted_notices(client: Redis, tenant: str) -> None:
    """They are unknown from now on, until all are written."""
    client.hdel(redis_keys.progress(tenant), "noticed")


def write_analysed(
    client: Redis,
    tenant: str,
    totals: Mapping[int, int],
    summaries: Mapping[int, TargetSummary | None],
    *,
    notices: Mapping[int, int],
    position: int,
    as_of_us: int | None,
    taken: int,
) -> None:
    """What a step of analysis has committed, in one step: nobody may see a total without the discount that belongs to
    it. `taken` is the latest decision that was taken in; for the others see write_totals and write_memberships.
    """
    with client.pipeline(transaction=True) as pipeline:
        _add_totals(pipeline, tenant, totals)
        _add_notices(pipeline, tenant, notices)
        _add_memberships(pipeline, tenant, summaries)
        _add_progress(pipeline, tenant, {"analysed": position, "as_of_us": as_of_us, "taken": taken})
        pipeline.execute()


def targets_with_memberships(client: Redis, tenant: str) -> list[int]:
    """Keys of all targets with a cluster summary."""
    return [key_of_field(field) for field in client.hkeys(redis_keys.memberships(tenant))]


def write_progress(
    client: Redis,
    tenant: str,
    *,
    archived: int | None = None,
    analysed: int | None = None,
    as_of_us: int | None = None,
    dead: int | None = None,
    taken: int | None = None,
) -> None:
    """Copy positions, the number of dead letters and the latest decision taken in from SQL for readers; None leaves a
    value unchanged.

    Call it after the totals and memberships up to these positions are written.
    """
    _add_progress(
        client, tenant, {"archived": archived, "analysed": analysed, "as_of_us": as_of_us, "dead": dead, "taken": taken}
    )


async def write_decided(client: AsyncRedis, tenant: str, decision: int) -> None:
    """Note the latest decision, by sequence number: answers are pending until it is taken in. Raises RedisError."""
    await client.hset(redis_keys.progress(tenant), "decided", decision)


async def read_targets(client: AsyncRedis, tenant: str, target_ids: Sequence[str]) -> Standings:
    """The targets' standings (at most 500 at once), in one round trip.

    Raises PositionAbsent while Redis is being rebuilt, StoreUnavailable when it does not answer.
    """
    names = [
        redis_keys.totals(tenant),
        redis_keys.memberships(tenant),
        redis_keys.position(tenant),
        redis_keys.progress(tenant),
        redis_keys.unseen(tenant),
        redis_keys.restored(tenant),
        redis_keys.trusted_notices(tenant),
    ]
    keys = [digest_of(target_id) for target_id in target_ids]
    with unavailable_when_it_fails():
        answer = await _ASK.ask(client, names, [*(key.hex() for key in keys), *keys])
    if answer is None:
        raise PositionAbsent(f"the position counter of {tenant} is absent: its totals are being rebuilt")
    position, analysed, as_of_us, seconds, microseconds, decision_waits, restored, noticed, *by_target = answer
    pending = int(analysed) < int(position)
    as_of = moment(int(as_of_us) if pending else time_us((seconds, microseconds)))
    targets = [
        TargetStanding(
            int(total or 0),
            NO_CLUSTERS if packed is None else unpack(packed),
            waiting,
            of_known,
            int(notices or 0) if noticed else None,
        )
        for total, packed, notices, waiting, of_known in zip(*by_target, strict=True)
    ]
    return Standings(targets, as_of, int(position), int(analysed), bool(decision_waits), bool(restored))


async def read_analysed(client: AsyncRedis, tenants: Sequence[str]) -> list[int]:
    """Up to which position each tenant's items are analysed, in the order requested; -1: Redis is being rebuilt.

    Raises RedisError.
    """
    async with client.pipeline(transaction=False) as pipeline:
        for tenant in tenants:
            pipeline.hget(redis_keys.progress(tenant), "analysed")
        return [-1 if found is None else int(found) for found in await pipeline.execute()]


def pack(summary: TargetSummary) -> bytes:
    """The summary as compact JSON, which `unpack` reads."""
    shares = [
        [s.id, s.complaints, s.probability, s.unfounded_probability, s.discount_probability, int(s.flagged)]
        for s in summary.clusters
    ]
    return json.dumps([shares, summary.discount, dict(summary.discount_without)], separators=(",", ":")).encode()


def unpack(packed: bytes) -> TargetSummary:
    """Read what `pack` wrote."""
    shares, discount, discount_without = from_json(packed)
    return TargetSummary(
        tuple(ClusterShare(s[0], s[1], s[2], s[3], s[4], bool(s[5])) for s in shares), discount, discount_without
    )


def _add_totals(commands: Redis, tenant: str, totals: Mapping[int, int]) -> None:
    values = {field_of(key): str(total) if total else None for key, total in totals.items()}
    _add(commands, redis_keys.totals(tenant), values)


def _add_notices(commands: Redis, tenant: str, notices: Mapping[int, int]) -> None:
    values = {field_of(key): str(count) if count else None for key, count in notices.items()}
    _add(commands, redis_keys.trusted_notices(tenant), values)


def _add_memberships(commands: Redis, tenant: str, summaries: Mapping[int, TargetSummary | None]) -> None:
    values = {
        field_of(key): pack(summary) if summary is not None and summary.clusters else None
        for key, summary in summaries.items()
    }
    _add(commands, redis_keys.memberships(tenant), values)


def _add_progress(commands: Redis, tenant: str, values: Mapping[str, int | None]) -> None:
    given: dict[Any, Any] = {name: str(value) for name, value in values.items() if value is not None}
    if given:
        commands.hset(redis_keys.progress(tenant), mapping=given)


def _add(commands: Redis, name: str, values: Mapping[str, Any]) -> None:
    for kept in parts(((field, value) for field, value in values.items() if value is not None), _FIELDS_PER_COMMAND):
        commands.hset(name, mapping=dict(kept))
    for gone in parts((field for field, value in values.items() if value is None), _FIELDS_PER_COMMAND):
        commands.hdel(name, *gone)
