"""One sweep of one tenant: the whole window on an empty detector, in a process of its own.

A sweep of a million complaints takes many seconds, which would stop the ticks. It reads only, but for its one result
row, which the detect worker takes over: clusters have one writer.
"""

from __future__ import annotations

import logging
import time

from sqlalchemy import Connection

from service.errors import LostLease
from service.policy import Policy
from service.storage.accounts.policy_overrides import SWEEP_WORK, policy_of
from service.storage.accounts.tenants import tenant_id
from service.storage.complaints.archive_reader import AnalysisState, analysis_state_of, read_feed_window
from service.storage.detection.sweeps import is_swept, save_sweep
from service.storage.redis_store import redis_keys
from service.storage.redis_store.job_queue import enqueue
from service.storage.redis_store.leases import held
from service.storage.sql import timers
from service.storage.sql.engine import write
from workers import sweep_codec
from workers.detection.detector import Detector
from workers.detection.window import Complaints
from workers.feed_columns import parts_of, whole
from workers.large import large_windows
from workers.resources import Resources

log = logging.getLogger(__name__)


def run(tenant: str, resources: Resources) -> None:
    """Sweep what is analysed by now; returns at once when another worker does, or nothing was analysed yet."""
    with held(resources.redis, "sweep", tenant) as lease:
        if lease is None:
            return
        began = time.monotonic()
        number = tenant_id(resources.engine, tenant)
        with resources.engine.connect() as connection:
            state, policy = analysis_state_of(connection, number), policy_of(connection, number)
            if is_swept(connection, number, state):
                return  # a sweep waits to be adopted: this job was enqueued twice
            columns = [read_window(connection, number, policy, state)]
        # Popped: the sweep needs its memory once they are in its window.
        detector, groups = Detector.sweep(policy, columns.pop(), large_windows.of_settings(resources.settings))
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
