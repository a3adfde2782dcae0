"""Fill Redis from SQL after it lost its data: totals, memberships, progress, and the position counter last.

While the counter is absent everything that needs it answers 503; so nobody sees half a restore, and
nothing is acknowledged with a position that was handed out before.
"""

from __future__ import annotations

import logging
from typing import Any

from redis import Redis
from sqlalchemy import Connection, func, select

from service.storage import assessments, keys
from service.storage.archive import analysis_state_of, ingest_state_of
from service.storage.dead_letters import bury_lost
from service.storage.leases import held
from service.storage.schema import dead_letters, targets
from service.storage.stream import initialise_position
from service.storage.tenants import tenant_id
from workers.resources import Resources

log = logging.getLogger(__name__)

TARGETS_AT_ONCE = 5_000
_RAISE = "if tonumber(redis.call('GET', KEYS[1]) or '-1') < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], ARGV[1]) end return 1"


def run(tenant: str, resources: Resources) -> None:
    """Restore one tenant if its position counter is absent, or behind what is archived (Redis fell back to an older state).

    Several at once, and one more than needed, change nothing.
    """
    redis = resources.redis
    with held(redis, "restore", tenant) as lease:
        if lease is None:
            return
        number = tenant_id(resources.engine, tenant)
        with resources.engine.connect() as connection:
            archived = ingest_state_of(connection, number).archived_position
        position: Any = redis.get(keys.position(tenant))
        if position is not None and int(position) >= archived:
            return
        restore(tenant, resources)


def restore(tenant: str, resources: Resources) -> int:
    """Write everything that Redis holds of a tenant from SQL, whatever is there now; returns the position.

    May run beside a working pipeline: what it writes is what SQL says, and what changes meanwhile is written again
    by the worker that changes it.
    """
    redis, engine = resources.redis, resources.engine
    number = tenant_id(engine, tenant)
    lost = not redis.exists(keys.stream(tenant))
    if lost and (dead := bury_lost(engine, number)):
        log.warning("tenant %s: %d dead letters were on their way again when Redis lost them; they are dead letters again", tenant, dead)
    with engine.connect() as connection:
        restored = _write_totals(connection, redis, tenant, number)
        _write_memberships(connection, redis, tenant)
        position = max(_highest_position(connection, number), _highest_in_stream(redis, tenant))
        analysis = analysis_state_of(connection, number)
        archived = ingest_state_of(connection, number).archived_position
    as_of = analysis.as_of_us if analysis.as_of_us is not None else resources.now_us() if archived == 0 else 0
    assessments.write_progress(redis, tenant, archived=archived, analysed=analysis.analysed_position, as_of_us=as_of)
    if not initialise_position(redis, tenant, position):
        redis.eval(_RAISE, 1, keys.position(tenant), position)
    log.info("tenant %s: %d totals restored, position %d", tenant, restored, position)
    return position


def _write_totals(connection: Connection, redis: Redis, tenant: str, number: int) -> int:
    count, after = 0, None
    while True:
        statement = select(targets.c.target_key, targets.c.complaints).where(targets.c.tenant_id == number).order_by(targets.c.target_key).limit(TARGETS_AT_ONCE)
        rows = connection.execute(statement if after is None else statement.where(targets.c.target_key > after)).all()
        if not rows:
            return count
        assessments.write_totals(redis, tenant, {row.target_key: row.complaints for row in rows})
        count, after = count + len(rows), rows[-1].target_key


def _write_memberships(connection: Connection, redis: Redis, tenant: str) -> None:
    from workers.detect import write_all_memberships  # here: the chores worker needs the detection libraries for this alone

    write_all_memberships(connection, redis, tenant)


def _highest_position(connection: Connection, number: int) -> int:
    dead = connection.scalar(select(func.max(dead_letters.c.position)).where(dead_letters.c.tenant_id == number))
    return max(ingest_state_of(connection, number).archived_position, dead or 0)


def _highest_in_stream(redis: Any, tenant: str) -> int:
    """The position of the last item that waits, where the stream outlived its counter."""
    highest = 0
    for _, fields in redis.xrevrange(keys.stream(tenant), count=1):
        highest = int(fields[b"first"]) + int(fields[b"n"]) - 1
    return highest
