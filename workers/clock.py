"""The clock: every 100 ms it checks each tenant's progress and enqueues jobs that are due.

`due` decides and is pure; the loop around it reads Redis and SQL and survives outages of both. Several clocks at once
are harmless: at most one job of a kind waits per tenant.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from redis.exceptions import RedisError
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from service.errors import StoreUnavailable
from service.liveness import say_alive
from service.ops.processes import beating
from service.policy import Policy
from service.storage.accounts.policy_overrides import policy_of
from service.storage.detection.stored_progress import StoredProgress, read_stored_progress
from service.storage.redis_store import hurry, redis_keys
from service.storage.redis_store.client import as_text
from service.storage.redis_store.job_kinds import LONGEST_US
from service.storage.redis_store.job_queue import enqueue
from service.storage.redis_store.leases import is_held
from service.storage.redis_store.server_check import CheckOnce
from service.storage.redis_store.stream import close_behind
from service.storage.sql import timers
from workers.clock_watch import ClockWatch
from workers.redis_watch import RedisWatch
from workers.resources import Resources

log = logging.getLogger(__name__)

BEAT_SECONDS = 0.1
SHORTEST_REST_SECONDS = 0.005  # Redis takes 0 for ever
ROUND_SECONDS = 1.0  # how often all tenants are checked; in between, only those that Redis lists as busy
POLICY_SECONDS = 10.0  # how long a tenant's thresholds are cached
TICK_US = 500_000
CHECK_SECONDS = 86_400  # of wall clock between two self-checks of a tenant
SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class TenantState:
    """One tenant's progress, as the clock sees it."""

    position: int | None  # acknowledged items; None: Redis is empty
    entries: int  # in the stream, read or not
    ingesting: bool  # a worker holds the lease
    detecting: bool
    sweeping: bool
    archived_position: int
    last_seq: int
    resent: int  # dead letters sent again
    cursor_seq: int
    analysed_position: int
    watermark_us: int | None  # of what is analysed
    swept_position: int
    swept_watermark_us: int | None
    decision_waits: bool
    sweep_finished_us: int | None  # of the latest sweep that is stored
    sweep_began_us: int | None
    swept_us: int | None  # finish of the latest sweep that detection adopted
    tick_age_us: int | None  # since this clock last enqueued a tick, by its monotonic clock; None: it has not yet
    checked: bool  # a self-check was enqueued within the last day


def due(state: TenantState, now_us: int, policy: Policy) -> frozenset[str]:
    """Works to enqueue for a tenant now: of ingest, detect, sweep, restore, selfcheck.

    If Redis has no position, or one behind the archive, only a restore is due. A sweep that began in the future did so
    before the wall clock was set back: its pause is over.
    """
    if state.position is None or state.position < state.archived_position:
        return frozenset({"restore"})
    works: set[str] = set()
    if state.entries > 0 and not state.ingesting:
        works.add("ingest")
    to_adopt = state.sweep_finished_us is not None and state.sweep_finished_us > (state.swept_us or 0)
    archived = state.last_seq > state.cursor_seq and (state.tick_age_us is None or state.tick_age_us >= TICK_US)
    if (archived or state.decision_waits or to_adopt) and not state.detecting:
        works.add("detect")
    if not state.sweeping and not to_adopt and _sweep_due(state, now_us, policy):
        works.add("sweep")
    if not works and not state.checked and 0 < state.analysed_position == state.swept_position:
        works.add("selfcheck")  # once a day, when nothing else is due
    return frozenset(works)


def _sweep_due(state: TenantState, now_us: int, policy: Policy) -> bool:
    if state.analysed_position <= state.swept_position:
        return False  # nothing was analysed that the last one had not seen
    moved_us = _moved_us(state, policy)
    pending = state.position != state.archived_position or state.last_seq > state.cursor_seq or state.resent > 0
    if pending and moved_us >= policy.sweep_backlog_seconds * SECOND_US:
        return True  # a backlog: ticks wait for this sweep, so it waits for nothing
    if state.sweep_began_us is not None and 0 <= now_us - state.sweep_began_us < policy.sweep_pause_seconds * SECOND_US:
        return False
    return not pending or moved_us >= policy.sweep_every_seconds * SECOND_US


def _moved_us(state: TenantState, policy: Policy) -> int:
    """Event time since the last sweep. The first sweep counts as a whole backlog, so that it waits for nothing."""
    if state.watermark_us is None:
        return 0
    if state.swept_watermark_us is None:
        return policy.sweep_backlog_seconds * SECOND_US
    return state.watermark_us - state.swept_watermark_us


def run_clock(resources: Resources, stop: threading.Event) -> None:
    """Enqueue what is due until `stop` is set; Redis or the database may go and come back meanwhile. Raises UnfitServer
    when Redis is one that cannot be used.
    """
    watch = RedisWatch(resources)
    try:
        with beating(resources.redis, "clock"):
            _tick_until(resources, watch, stop)
    finally:
        with suppress(SQLAlchemyError):  # its sign of life runs out by itself
            watch.end()


def _tick_until(resources: Resources, watch: RedisWatch, stop: threading.Event) -> None:
    clock, check = Clock(resources), CheckOnce(resources.redis)
    silent = True
    while not stop.is_set():
        began = time.monotonic()
        say_alive(resources.settings.alive_file)
        try:
            check()
            watch.look()
            clock.beat()
            if not silent:
                log.warning("clock: the stores can be used again")
            silent = True
            clock.rest(stop, began + BEAT_SECONDS)
        except (RedisError, SQLAlchemyError, OSError, StoreUnavailable) as error:
            if silent:  # once an outage, not ten times a second
                log.warning("clock: the stores cannot be used, trying again: %s", error)
            silent = False
            stop.wait(max(0.01, BEAT_SECONDS - (time.monotonic() - began)))


class Clock:
    """The loop's memory: when each tenant was last ticked, and its thresholds."""

    def __init__(self, resources: Resources) -> None:
        self.resources = resources
        self._ticked_at: dict[str, float] = {}  # monotonic seconds
        self._policies: dict[str, tuple[float, Policy]] = {}
        self._round_at = 0.0
        self._watch = ClockWatch(resources.now_us)

    def beat(self) -> dict[str, frozenset[str]]:
        """Check once and enqueue what is due; returns it by tenant, including jobs already waiting."""
        redis: Any = self.resources.redis
        self._watch.look(redis)
        busy = {as_text(name) for name in redis.sunion([redis_keys.TENANTS_WAITING, redis_keys.TENANTS_DIRTY])}
        everyone = time.monotonic() - self._round_at >= ROUND_SECONDS
        with self.resources.engine.connect() as connection:
            found = self._look(connection, None if everyone else busy)
            planned = timers.due(connection, self.resources.now_us(), LONGEST_US)
        if everyone:
            self._round_at = time.monotonic()
        now_us = self.resources.now_us()
        enqueued: dict[str, frozenset[str]] = {}
        for work, name in planned:
            enqueue(redis, work, name)
        for name, (state, policy) in found.items():
            works = enqueued[name] = due(state, now_us, policy)
            if "restore" in works and state.position is not None:
                close_behind(redis, name, state.archived_position)
            for work in sorted(works):
                if not enqueue(redis, work, name):
                    continue
                if work == "detect":
                    self._ticked_at[name] = time.monotonic()
                elif work == "selfcheck":
                    redis.set(redis_keys.checked(name), 1, ex=CHECK_SECONDS)
            if not works and name in busy and _idle(state):
                # A tenant that becomes busy in this moment is found by the next full round.
                redis.srem(redis_keys.TENANTS_WAITING, name)
                redis.srem(redis_keys.TENANTS_DIRTY, name)
        return enqueued

    def rest(self, stop: threading.Event, until: float) -> None:
        """Wait for the next beat, `until` (monotonic seconds); a tenant that somebody asks about meanwhile is archived
        at once. Looks once, even where the last beat took too long.
        """
        while not stop.is_set():
            left = until - time.monotonic()
            for tenant in hurry.next_hurried(self.resources.redis, max(left, SHORTEST_REST_SECONDS)):
                enqueue(self.resources.redis, "ingest", tenant)
            if left <= SHORTEST_REST_SECONDS:
                return

    def _look(self, connection: Connection, names: Collection[str] | None) -> dict[str, tuple[TenantState, Policy]]:
        """State and thresholds of the named tenants; None: of all."""
        if names is not None and not names:
            return {}
        rows = read_stored_progress(connection, names)
        with self.resources.redis.pipeline(transaction=False) as pipeline:
            for row in rows:
                pipeline.get(redis_keys.position(row.name))
                pipeline.xlen(redis_keys.stream(row.name))
                for work in ("ingest", "detect", "sweep"):
                    pipeline.pttl(redis_keys.lease(work, row.name))
                pipeline.pttl(redis_keys.checked(row.name))
            answers = pipeline.execute()
        return {
            row.name: (
                _tenant_state(row, answers[number * 6 : number * 6 + 6], self._tick_age_us(row.name)),
                self._policy(connection, row.tenant_id, row.name),
            )
            for number, row in enumerate(rows)
        }

    def _tick_age_us(self, name: str) -> int | None:
        at = self._ticked_at.get(name)
        return None if at is None else int((time.monotonic() - at) * SECOND_US)

    def _policy(self, connection: Connection, number: int, name: str) -> Policy:
        known = self._policies.get(name)
        if known is None or time.monotonic() - known[0] >= POLICY_SECONDS:
            known = self._policies[name] = time.monotonic(), policy_of(connection, number)
        return known[1]


def _tenant_state(row: StoredProgress, in_redis: list[Any], tick_age_us: int | None) -> TenantState:
    position, entries, ingesting, detecting, sweeping, checked = in_redis
    began_us = None
    if row.sweep_finished_us is not None and row.sweep_seconds is not None:
        began_us = row.sweep_finished_us - int(row.sweep_seconds * SECOND_US)
    return TenantState(
        position=None if position is None else int(position),
        entries=int(entries),
        ingesting=is_held(ingesting),
        detecting=is_held(detecting),
        sweeping=is_held(sweeping),
        archived_position=row.archived_position,
        last_seq=row.last_seq,
        resent=row.resent,
        cursor_seq=row.cursor_seq,
        analysed_position=row.analysed_position,
        watermark_us=row.watermark_us,
        swept_position=row.swept_position,
        swept_watermark_us=row.swept_watermark_us,
        decision_waits=row.decision_seq > row.decision_cursor,
        sweep_finished_us=row.sweep_finished_us,
        sweep_began_us=began_us,
        swept_us=row.swept_us,
        tick_age_us=tick_age_us,
        checked=0 < int(checked) <= CHECK_SECONDS * 1_000,
    )


def _idle(state: TenantState) -> bool:
    return not state.entries and state.last_seq <= state.cursor_seq and not state.ingesting and not state.detecting
