"""One sweep of one tenant: the whole window on an empty detector, in a process of its own.

A sweep of a million complaints takes many seconds, which would stop the ticks. It reads only, but for its one result
row, which the detect worker takes over: clusters have one writer.

In a backlog ticks stop after every so much event time, and go on from a sweep of what they have analysed. Where they
will stop is known from the feed, and a sweep reads nothing else: it begins before they are there.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection

from service.errors import LostLease
from service.policy import Policy
from service.storage.accounts.policy_overrides import SWEEP_WORK, policy_of
from service.storage.accounts.tenants import tenant_id
from service.storage.complaints.archive_reader import AnalysisState, analysis_state_of
from service.storage.complaints.feed_reader import read_feed_window
from service.storage.detection.sweeps import SweepEnd, next_stop, save_sweep, waiting_sweeps
from service.storage.redis_store import redis_keys
from service.storage.redis_store.job_queue import enqueue
from service.storage.redis_store.leases import Lease, held
from service.storage.sql import timers
from service.storage.sql.engine import write
from workers import sweep_codec
from workers.detection.detector import Detector
from workers.detection.window import Complaints
from workers.feed_columns import parts_of, whole
from workers.large import large_windows
from workers.machine import cores
from workers.resources import Resources
from workers.tick_size import stop_after

log = logging.getLogger(__name__)

MOST_AHEAD = 2  # sweeps that wait to be adopted: one is computed while ticks go to the stop of the other


def run(tenant: str, resources: Resources) -> None:
    """Sweep what is analysed by now, or will be where ticks stop next; returns at once when another worker does, or
    enough is swept.
    """
    number = tenant_id(resources.engine, tenant)
    with held(resources.redis, "sweep", tenant) as lease:
        if lease is None or not _sweep(tenant, number, lease, resources):
            return
    # Now that the lease is free for who takes the job.
    with resources.engine.connect() as connection:
        sweep_ahead(connection, tenant, number, policy_of(connection, number), resources)


def _sweep(tenant: str, number: int, lease: Lease, resources: Resources) -> bool:
    """Whether there was anything to sweep."""
    began = time.monotonic()
    with resources.engine.connect() as connection:
        policy = policy_of(connection, number)
        state = state_to_sweep(connection, number, policy)
        if state is None:
            return False
        columns = [read_window(connection, number, policy, state)]
    # Popped: the sweep needs its memory once they are in its window.
    detector, groups = Detector.sweep(policy, columns.pop(), large_windows.of_settings(resources.settings), cores())
    payload = sweep_codec.pack(detector.fitted())
    lease.check()
    seconds = time.monotonic() - began
    with write(resources.engine) as connection:
        _check_unchanged(connection, tenant, number, state)
        save_sweep(connection, number, state, payload, seconds=seconds, now_us=resources.now_us())
        _plan_next(connection, number, policy, resources.now_us())
    resources.redis.sadd(redis_keys.TENANTS_DIRTY, tenant)
    enqueue(resources.redis, "detect", tenant)  # in a backlog ticks wait for this result
    log.info(
        "tenant %s: sweep of %d complaints, %d pairs met, %d groups, %.2f s",
        tenant,
        detector.window.live,
        detector.pairs_met,
        len(groups),
        seconds,
    )
    return True


def state_to_sweep(connection: Connection, number: int, policy: Policy) -> AnalysisState | None:
    """The state of the analysis to sweep: as it is or, in a backlog, as it will be where ticks stop next. None: those
    that wait to be adopted are enough.
    """
    state = analysis_state_of(connection, number)
    if timers.planned(connection, number, SWEEP_WORK):
        return state  # those that wait went by other thresholds
    waiting = waiting_sweeps(connection, number, state)
    stop_us = stop_after(state.swept_watermark_us, policy)
    if stop_us is not None and (state.watermark_us or 0) >= stop_us and all(w.seq > state.cursor_seq for w in waiting):
        return state  # ticks wait for it, whatever else there is
    if len(waiting) >= MOST_AHEAD:
        return None
    return _next_stop(connection, number, policy, state, waiting) or (None if waiting else state)


def sweep_ahead(connection: Connection, tenant: str, number: int, policy: Policy, resources: Resources) -> None:
    """Enqueue a sweep where the ticks' next stop is archived already."""
    state = analysis_state_of(connection, number)
    waiting = waiting_sweeps(connection, number, state)
    if len(waiting) < MOST_AHEAD and _next_stop(connection, number, policy, state, waiting) is not None:
        enqueue(resources.redis, "sweep", tenant)


def _next_stop(
    connection: Connection, number: int, policy: Policy, state: AnalysisState, waiting: Sequence[SweepEnd]
) -> AnalysisState | None:
    """The state of the analysis where ticks stop next after the newest sweep; None: that is not archived yet, or not
    ahead.
    """
    last = waiting[0] if waiting else SweepEnd(state.swept_seq, state.swept_position, state.swept_watermark_us)
    stop_us = stop_after(last.watermark_us, policy)
    stop = None if stop_us is None else next_stop(connection, number, last.seq, stop_us)
    if stop is None or stop.seq <= state.cursor_seq:
        return None
    position = max(state.analysed_position, stop.position)
    return replace(state, cursor_seq=stop.seq, analysed_position=position, watermark_us=stop.watermark_us)


def read_window(connection: Connection, tenant_id: int, policy: Policy, state: AnalysisState) -> Complaints:
    """The standing complaints of the window up to what was analysed."""
    since = (state.watermark_us or 0) - policy.window_seconds * 1_000_000
    rows = read_feed_window(connection, tenant_id, since, state.cursor_seq)
    return whole(parts_of((row.batch for row in rows), since))


def _check_unchanged(connection: Connection, tenant: str, number: int, state: AnalysisState) -> None:
    now = analysis_state_of(connection, number, lock=True)
    if now.epoch != state.epoch:
        raise LostLease(
            f"tenant {tenant}: the feed was rewritten while this sweep read it (epoch {now.epoch} after"
            f" {state.epoch}); the next sweep reads it again"
        )


def _plan_next(connection: Connection, number: int, policy: Policy, now_us: int) -> None:
    """Take back the timer that a change of thresholds has set, unless they have changed again meanwhile."""
    timers.move_to(connection, number, SWEEP_WORK, None)
    if policy_of(connection, number) != policy:
        timers.at_latest(connection, number, SWEEP_WORK, now_us)
