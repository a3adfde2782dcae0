"""The retention job: delete expired data once a day, oldest first, in transactions of 50 to 200 ms with equally long
pauses, so that ingest is not held up. It refuses to delete by a clock that is probably wrong
(service/storage/privacy/retention_guard.py).
"""

from __future__ import annotations

import logging
import time
from collections import Counter

from service.ops.clocks import Clocks, read_clocks
from service.storage.accounts.policy_overrides import policy_of
from service.storage.accounts.secret_box import SecretBox
from service.storage.accounts.tenant_settings import DAY_SECONDS, RETENTION_WORK, settings_of
from service.storage.accounts.tenants import tenant_id
from service.storage.privacy import retention, retention_guard
from service.storage.privacy.privacy_filters import open_privacy_filter
from service.storage.privacy.retention import Refed
from service.storage.redis_store import assessments
from service.storage.redis_store.job_queue import enqueue
from service.storage.redis_store.leases import held
from service.storage.sql import timers
from service.storage.sql.engine import write
from workers.resources import Resources

log = logging.getLogger(__name__)

SECOND_US = 1_000_000
LOOK_AGAIN_US = 600 * SECOND_US  # after a refusal
TURN_SECONDS = 30.0  # then other tenants have their turn
LONGEST_PAUSE_SECONDS = 0.5
LONG_SECONDS, SHORT_SECONDS = 0.2, 0.05  # of a transaction: the next one is of half, of twice as many items
LEAST_ITEMS = 250


def run(tenant: str, resources: Resources) -> None:
    """Delete what is due, for 30 s at most, and say when to go on; returns at once when another worker does."""
    with held(resources.redis, "retain", tenant) as lease:
        if lease is None:
            return
        number = tenant_id(resources.engine, tenant)
        with resources.engine.connect() as connection:
            days, policy = settings_of(connection, number).retention_days, policy_of(connection, number)
            clocks = read_clocks(resources.redis, connection)
            before_us = retention_guard.cutoff_us(connection, number, clocks.earliest_us)
        if before_us is None:
            with write(resources.engine) as connection:
                timers.hold(connection, number, RETENTION_WORK, resources.now_us())
                if settings_of(connection, number).retention_days is None:
                    retention_guard.go_on(connection, number)
                    timers.move_to(connection, number, RETENTION_WORK, None)
            return
        if _refused(tenant, resources, number, before_us, clocks):
            return
        finished = _delete(tenant, resources, number, before_us, policy.window_seconds)
        with write(resources.engine) as connection:
            timers.hold(connection, number, RETENTION_WORK, resources.now_us())
            # the setting was changed meanwhile: begin again
            done = finished and settings_of(connection, number).retention_days == days
            if done:
                retention_guard.finish(connection, number, before_us)
            timers.move_to(
                connection, number, RETENTION_WORK, resources.now_us() + (DAY_SECONDS * SECOND_US if done else 0)
            )


def _refused(tenant: str, resources: Resources, number: int, before_us: int, clocks: Clocks) -> bool:
    """Whether this run must not delete anything (service/storage/privacy/retention_guard.py); then it is recorded, and
    looked at again in ten minutes, or once somebody consents.
    """
    if not clocks.agree:  # show what the one that is ahead would delete
        before_us += clocks.latest_us - clocks.earliest_us
    with resources.engine.connect() as connection:
        because = retention_guard.refusal_for(connection, number, before_us, agree=clocks.agree)
        if because is None and retention_guard.read_state(connection, number).refusal is None:
            return False
    with write(resources.engine) as connection:
        timers.hold(connection, number, RETENTION_WORK, resources.now_us())  # a consent under way is waited for
        because = retention_guard.refusal_for(connection, number, before_us, agree=clocks.agree)
        if because is None:
            retention_guard.go_on(connection, number)
            return False
        is_news = retention_guard.refuse(connection, number, because, before_us, resources.now_us())
        timers.move_to(connection, number, RETENTION_WORK, resources.now_us() + LOOK_AGAIN_US)
        refusal = retention_guard.read_state(connection, number).refusal
    if is_news and refusal is not None:
        log.warning("tenant %s: retention waits: %s", tenant, retention_guard.words(refusal, clocks.apart_seconds))
    return True


def _delete(tenant: str, resources: Resources, number: int, before_us: int, window_seconds: int) -> bool:
    """Whether all of it is done."""
    privacy_filter, refed = open_privacy_filter(resources.engine, SecretBox(resources.settings), number), Refed()
    with resources.engine.connect() as connection:
        retention.find_refed(connection, number, refed)
    deadline, complaints, upto, window_changed = time.monotonic() + TURN_SECONDS, 0, 0, False
    items = retention.ITEMS_AT_ONCE
    while True:
        began = time.monotonic()
        with write(resources.engine) as connection:
            done = retention.delete_step(
                connection,
                number,
                before_us,
                refed,
                privacy_filter,
                now_us=resources.now_us(),
                window_seconds=window_seconds,
                items=items,
            )
        items = next_items(items, time.monotonic() - began)
        if done is None:
            break
        # Detection learns the same from the feed; done here at once, so that no target shows a deleted complaint until
        # the next tick.
        assessments.write_totals(resources.redis, tenant, done.totals)
        complaints, upto, window_changed = (
            complaints + done.complaints,
            done.upto_seq,
            window_changed or done.window_changed,
        )
        if time.monotonic() > deadline:
            break
        time.sleep(min(time.monotonic() - began, LONGEST_PAUSE_SECONDS))
    if window_changed:
        enqueue(resources.redis, "detect", tenant)  # the window that is resident somewhere is built again now
    rest = _delete_rest(resources, number, before_us, deadline) if done is None else None
    if complaints or rest:
        log.info(
            "tenant %s: %d complaints deleted up to item %d, beside them %s",
            tenant,
            complaints,
            upto,
            dict(rest) if rest else "nothing",
        )
    return rest is not None


def _delete_rest(resources: Resources, number: int, before_us: int, deadline: float) -> Counter[str] | None:
    """Rows deleted by table; None: some are left, the time is over."""
    gone, rows = Counter[str](), retention.ITEMS_AT_ONCE
    while True:
        began = time.monotonic()
        with write(resources.engine) as connection:
            step = retention.delete_rest(connection, number, before_us, rows)
        if not step:
            return gone
        gone.update(step)
        rows = next_items(rows, time.monotonic() - began)
        if time.monotonic() > deadline:
            log.info("tenant %s: %s deleted beside the complaints, more in the next turn", number, dict(gone))
            return None
        time.sleep(min(time.monotonic() - began, LONGEST_PAUSE_SECONDS))


def next_items(items: int, seconds: float) -> int:
    """How many items the next transaction should delete, given the last one's size and duration."""
    if seconds > LONG_SECONDS:
        return max(LEAST_ITEMS, items // 2)
    return min(retention.ITEMS_AT_ONCE, items * 2) if seconds < SHORT_SECONDS else items
