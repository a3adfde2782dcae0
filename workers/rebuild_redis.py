"""Fill Redis from SQL after it lost its data: totals, memberships, progress, and the position counter last.

While the counter is absent, requests that need it get 503, so nobody sees half a restore, and no position is used
twice.

And put right a Redis that knows more than SQL, since an older database was put back (`brigadewatch rebuild`): totals
and memberships that SQL does not have are removed, and positions that were acknowledged, archived after the backup, and
are gone now, are passed over: nobody waits for them any more.
"""

from __future__ import annotations

import logging
from typing import Any

from redis import Redis
from sqlalchemy import Connection, Engine

from service.storage.accounts.tenants import tenant_id
from service.storage.cases import clusters
from service.storage.complaints.archive_reader import analysis_state_of, ingest_state_of, totals_of
from service.storage.complaints.archive_writer import lock_ingest, pass_over
from service.storage.complaints.dead_letters import bury_lost
from service.storage.detection.rebuild_reads import highest_stored_position, pages_of_totals, targets_in_clusters
from service.storage.redis_store import assessments, redis_keys
from service.storage.redis_store.leases import held
from service.storage.redis_store.redis_identity import agree, user_of
from service.storage.redis_store.stream import StreamEntry, initialise_position
from service.storage.sql.engine import write
from service.storage.sql.hashing import key_of_field
from service.storage.sql.parts import parts
from workers.known_members import write_known_members
from workers.notice_counts import write_all_notices
from workers.resources import Resources
from workers.tenant_filter import open_filter_or_warn

log = logging.getLogger(__name__)

RESTORED_SECONDS = 3_600  # for so long a position beyond the last one may be one that was lost, not a mistake
TARGETS_AT_ONCE, MEMBERSHIPS_AT_ONCE = 5_000, 1_000
_LOOK = "return {redis.call('GET', KEYS[1]), redis.call('XLEN', KEYS[2])}"
_RAISE = (
    "if tonumber(redis.call('GET', KEYS[1]) or '-1') < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], ARGV[1]) end"
    " return 1"
)


def run(tenant: str, resources: Resources) -> None:
    """Restore one tenant if its position counter is absent, or behind what is archived (Redis fell back to an older
    state).

    Several at once, and one more than needed, change nothing.
    """
    redis = resources.redis
    with held(redis, "restore", tenant) as lease:
        if lease is None:
            return
        number = tenant_id(resources.engine, tenant)
        with resources.engine.connect() as connection:
            archived = ingest_state_of(connection, number).archived_position
        position: Any = redis.get(redis_keys.position(tenant))
        if position is not None and int(position) >= archived:
            return
        rebuild_redis(tenant, resources)


def rebuild_redis(tenant: str, resources: Resources) -> int:
    """Write everything that Redis holds of a tenant from SQL, whatever is there now; returns the position.

    May run beside a working pipeline: what it writes is what SQL says, and what changes meanwhile is written again
    by the worker that changes it. Raises ForeignRedis unless this Redis belongs to this database.
    """
    redis, engine = resources.redis, resources.engine
    agree(engine, redis, user_of(resources.settings))
    number = tenant_id(engine, tenant)
    lost = not redis.exists(redis_keys.stream(tenant))
    if lost and (dead := bury_lost(engine, number)):
        log.warning(
            "tenant %s: %d dead letters were on their way again when Redis lost them; they are dead letters again",
            tenant,
            dead,
        )
    stale = bool(redis.exists(redis_keys.totals(tenant), redis_keys.memberships(tenant)))
    _pass_over_lost(redis, resources, tenant, number)
    assessments.forget_trusted_notices(redis, tenant)
    own = open_filter_or_warn(tenant, number, resources)
    with engine.connect() as connection:
        restored = _write_totals(connection, redis, tenant, number)
        write_all_memberships(connection, redis, tenant, number)
        write_known_members(connection, redis, tenant, number, None if own is None else own.key)
    if stale:
        _remove_what_sql_has_not(redis, engine, tenant, number)
    with engine.connect() as connection:
        position = max(highest_stored_position(connection, number), _highest_in_stream(redis, tenant))
        analysis = analysis_state_of(connection, number)
        archived = ingest_state_of(connection, number).archived_position
    as_of = analysis.as_of_us if analysis.as_of_us is not None else resources.now_us() if archived == 0 else 0
    assessments.write_progress(
        redis,
        tenant,
        archived=archived,
        analysed=analysis.analysed_position,
        as_of_us=as_of,
        taken=analysis.decision_cursor,
    )
    if archived:  # otherwise nothing was answered with a position yet
        redis.set(redis_keys.restored(tenant), 1, ex=RESTORED_SECONDS)
    if not initialise_position(redis, tenant, position):
        redis.eval(_RAISE, 1, redis_keys.position(tenant), position)
    with engine.connect() as connection:  # last: it reads the whole archive, and questions are answered without it
        write_all_notices(connection, redis, tenant, number)
    log.info("tenant %s: %d totals restored, position %d", tenant, restored, position)
    return position


def _pass_over_lost(redis: Any, resources: Resources, tenant: str, number: int) -> None:
    """What is neither archived nor in the stream has been archived in a newer database than this one."""
    # at one moment: an item is counted and appended in one step
    position, waiting = redis.eval(_LOOK, 2, redis_keys.position(tenant), redis_keys.stream(tenant))
    if position is None or waiting:
        return
    with write(resources.engine) as connection:
        lock_ingest(connection, number)
        state = ingest_state_of(connection, number)
        if int(position) <= state.archived_position:
            return
        pass_over(
            connection, number, state.epoch, StreamEntry(state.archived_entry, int(position), resources.now_us(), b"-")
        )
    log.warning(
        "tenant %s: the items at positions %d to %d were acknowledged and are in no place any more: have them sent"
        " again",
        tenant,
        state.archived_position + 1,
        int(position),
    )


def _remove_what_sql_has_not(redis: Any, engine: Engine, tenant: str, number: int) -> None:
    found = 0
    # with the values: to leave them out needs Redis 7.4
    for fields in parts(
        (field for field, _ in redis.hscan_iter(redis_keys.totals(tenant), count=TARGETS_AT_ONCE)), TARGETS_AT_ONCE
    ):
        known = {key_of_field(field) for field in fields}
        with engine.connect() as connection:
            gone = known - totals_of(connection, number, known).keys()
        assessments.write_totals(redis, tenant, dict.fromkeys(gone, 0))
        found += len(gone)
    with engine.connect() as connection:
        in_cases = targets_in_clusters(connection, number)
    gone = set(assessments.targets_with_memberships(redis, tenant)) - in_cases
    assessments.write_memberships(redis, tenant, dict.fromkeys(gone))
    if found or gone:
        log.warning(
            "tenant %s: %d totals and the memberships of %d targets removed that are not in the database",
            tenant,
            found,
            len(gone),
        )


def _write_totals(connection: Connection, redis: Redis, tenant: str, number: int) -> int:
    count = 0
    for page in pages_of_totals(connection, number, TARGETS_AT_ONCE):
        assessments.write_totals(redis, tenant, page)
        count += len(page)
    return count


def write_all_memberships(connection: Connection, redis: Redis, tenant: str, number: int) -> None:
    """Write the cluster summaries of all targets, from SQL."""
    summaries = clusters.summaries(clusters.load(connection, number).values())
    log.info("tenant %s: memberships of %d targets written", tenant, len(summaries))
    for part in parts(summaries.items(), MEMBERSHIPS_AT_ONCE):
        assessments.write_memberships(redis, tenant, dict(part))


def _highest_in_stream(redis: Any, tenant: str) -> int:
    """The position of the last item that waits, where the stream outlived its counter."""
    highest = 0
    for _, fields in redis.xrevrange(redis_keys.stream(tenant), count=1):
        highest = int(fields[b"first"]) + int(fields[b"n"]) - 1
    return highest
