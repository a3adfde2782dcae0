"""Totals and memberships per target in Redis, from which assessments of targets are answered.

Written by the workers (totals and progress by ingest, memberships by detect), read by the API in one
round trip. Hash fields are 64-bit keys of target ids (hashing.field_of), so no id from outside is part of a name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from pydantic_core import from_json
from redis import Redis

from service.model import moment
from service.moderation.assessment import NO_CLUSTERS, ClusterShare, TargetSummary
from service.storage.redis_store import redis_keys
from service.storage.redis_store.stream import AsyncRedis, PositionAbsent, Script, unavailable_when_it_fails
from service.storage.sql.hashing import field_of, key_of, key_of_field

_FIELDS_PER_COMMAND = 1_000

# Everything that one answer needs, in one step. KEYS: totals, memberships, position, progress. ARGV: fields.
_ASK = Script("""
local position = redis.call('GET', KEYS[3])
if not position then return false end
local progress = redis.call('HMGET', KEYS[4], 'analysed', 'as_of_us')
local time = redis.call('TIME')
local totals = redis.call('HMGET', KEYS[1], unpack(ARGV))
local memberships = redis.call('HMGET', KEYS[2], unpack(ARGV))
return {position, progress[1] or '0', progress[2] or '0', time[1], time[2], totals, memberships}
""")


@dataclass(frozen=True, slots=True)
class TargetStanding:
    """One target's totals and clusters; zeros for an unknown target."""

    complaints: int
    summary: TargetSummary


@dataclass(frozen=True, slots=True)
class Standings:
    """Targets in the order requested, and how fresh they are."""

    targets: list[TargetStanding]
    as_of: datetime  # the answer includes every complaint acknowledged before this time
    pending: bool  # later ones wait


def write_totals(client: Redis, tenant: str, totals: Mapping[int, int]) -> None:
    """Set targets' standing complaints by target key; 0 removes the target."""
    _write(
        client,
        redis_keys.totals(tenant),
        {field_of(key): str(total) if total else None for key, total in totals.items()},
    )


def write_memberships(client: Redis, tenant: str, summaries: Mapping[int, TargetSummary | None]) -> None:
    """Set the cluster summaries of targets, by target key; None, or a summary without clusters, removes it."""
    _write(
        client,
        redis_keys.memberships(tenant),
        {
            field_of(key): pack(summary) if summary is not None and summary.clusters else None
            for key, summary in summaries.items()
        },
    )


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
) -> None:
    """Copy positions (and the number of dead letters) from SQL for readers; None leaves a value unchanged.

    Call it after the totals and memberships up to these positions are written.
    """
    values = {"archived": archived, "analysed": analysed, "as_of_us": as_of_us, "dead": dead}
    given: dict[Any, Any] = {name: str(value) for name, value in values.items() if value is not None}
    if given:
        client.hset(redis_keys.progress(tenant), mapping=given)


async def read_targets(client: AsyncRedis, tenant: str, target_ids: Sequence[str]) -> Standings:
    """The targets' standings (at most 500 at once), in one round trip.

    Raises PositionAbsent while Redis is being rebuilt, StoreUnavailable when it does not answer.
    """
    names = [
        redis_keys.totals(tenant),
        redis_keys.memberships(tenant),
        redis_keys.position(tenant),
        redis_keys.progress(tenant),
    ]
    with unavailable_when_it_fails():
        answer = await _ASK.ask(client, names, [field_of(key_of(target_id)) for target_id in target_ids])
    if answer is None:
        raise PositionAbsent(f"the position counter of {tenant} is absent: its totals are being rebuilt")
    position, analysed, as_of_us, seconds, microseconds, totals, memberships = answer
    pending = int(analysed) < int(position)
    as_of = moment(int(as_of_us) if pending else int(seconds) * 1_000_000 + int(microseconds))
    targets = [
        TargetStanding(int(total or 0), NO_CLUSTERS if packed is None else unpack(packed))
        for total, packed in zip(totals, memberships, strict=True)
    ]
    return Standings(targets, as_of, pending)


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


def _write(client: Redis, name: str, values: Mapping[str, Any]) -> None:
    if not values:
        return
    with client.pipeline(transaction=False) as pipeline:
        for part in _parts({field: value for field, value in values.items() if value is not None}.items()):
            pipeline.hset(name, mapping=dict(part))
        for part in _parts([field for field, value in values.items() if value is None]):
            pipeline.hdel(name, *part)
        pipeline.execute()


def _parts(values: Any) -> Iterator[list[Any]]:
    iterator = iter(values)
    while part := list(islice(iterator, _FIELDS_PER_COMMAND)):
        yield part
