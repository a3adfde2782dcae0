"""The dry-run job: compute what other thresholds would have flagged in the last seven days.

Requested in the console (service/storage/detection/dry_runs.py); workers/dry_run_windows.py does the work, a day a
step. Between two steps other jobs of the queue have their turn. Intermediate results stay in this process, which gets
the next job too (the timer stays due). If it dies, its claim expires.
"""

from __future__ import annotations

import logging
import secrets
import time
from typing import Any

from redis.exceptions import RedisError
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from service.errors import LostLease
from service.storage.accounts.tenants import tenant_id
from service.storage.detection import dry_runs
from service.storage.detection.dry_runs import WORK, DryRun
from service.storage.redis_store import redis_keys
from service.storage.redis_store.job_queue import others_wait
from service.storage.redis_store.leases import Lease, held
from service.storage.sql import timers
from service.storage.sql.engine import write
from workers.dry_run_report import report
from workers.dry_run_windows import DryRunWindows
from workers.resources import Resources

log = logging.getLogger(__name__)

LONGEST_SECONDS = 1_800.0  # of work on one run
CLAIM_MS = 60_000  # how long another process waits for the one that has the run


class ResidentDryRun:
    """The one run that this process has under way, and the name by which it claims runs."""

    def __init__(self) -> None:
        self.process = secrets.token_hex(8)
        self.tenant: str | None = None
        self.windows: DryRunWindows | None = None

    def of(self, tenant: str, run: DryRun) -> DryRunWindows | None:
        """The state of this run, if it is held here."""
        if self.tenant == tenant and self.windows is not None and self.windows.run.id == run.id:
            return self.windows
        return None

    def keep(self, tenant: str, windows: DryRunWindows) -> None:
        """Hold it, in place of any other."""
        self.tenant, self.windows = tenant, windows

    def drop(self) -> None:
        """Discard the computed state."""
        self.tenant = self.windows = None


def run(tenant: str, resources: Resources) -> None:
    """Go on with the tenant's dry run until it is done or another job waits; returns at once when another worker has
    it.
    """
    resident = resources.kept(ResidentDryRun)
    with held(resources.redis, WORK, tenant) as lease:
        if lease is None:
            return
        number = tenant_id(resources.engine, tenant)
        with resources.engine.connect() as connection:
            requested = dry_runs.unfinished(connection, number)
        if requested is None:
            resident.drop()
            with write(resources.engine) as connection:
                timers.hold(connection, number, WORK, resources.now_us())
                if dry_runs.unfinished(connection, number) is None:
                    timers.move_to(connection, number, WORK, None)
            return
        if _claimed_elsewhere(resources, tenant, requested):
            return
        try:
            windows = _begin_or_resume(tenant, number, requested, resources)
            if windows is not None:
                _go_on(windows, tenant, resources, lease)
        except (LostLease, RedisError, OperationalError):
            raise  # an outage, or another worker goes on: what is resident still holds, or is computed again
        except Exception as error:
            resident.drop()
            log.exception("tenant %s: dry run %s failed", tenant, requested.id)
            with write(resources.engine) as connection:
                dry_runs.finish(
                    connection,
                    number,
                    requested.id,
                    None,
                    error=f"it failed: {type(error).__name__}; see the log of the worker for chores",
                    now_us=resources.now_us(),
                )


def _claimed_elsewhere(resources: Resources, tenant: str, requested: DryRun) -> bool:
    redis: Any = resources.redis
    claim, mine = redis_keys.lease("dry_run_claim", tenant), _claim(resources, requested).encode()
    holder = redis.get(claim)
    if holder is not None and holder != mine and holder.endswith(f"/{requested.id}".encode()):
        return True
    redis.set(claim, mine, px=CLAIM_MS)
    return False


def _claim(resources: Resources, run: DryRun) -> str:
    return f"{resources.kept(ResidentDryRun).process}/{run.id}"


def _begin_or_resume(tenant: str, number: int, requested: DryRun, resources: Resources) -> DryRunWindows | None:
    """What this process has of the run, or its beginning; None when the run is not to go on."""
    resident = resources.kept(ResidentDryRun)
    known = resident.of(tenant, requested)
    if known is not None:
        return known
    resident.drop()
    with write(resources.engine) as connection:
        if requested.state == dry_runs.RUNNING and requested.error is not None:
            dry_runs.finish(
                connection,
                number,
                requested.id,
                None,
                error="the worker was stopped twice in the middle of it; it may have too little memory",
                now_us=resources.now_us(),
            )
            return None
        begin = dry_runs.restart if requested.state == dry_runs.RUNNING else _begin
        if not begin(connection, number, requested.id):
            return None
    with resources.engine.connect() as connection:
        windows = DryRunWindows.begin(connection, number, requested)
    resident.keep(tenant, windows)
    return windows


def _begin(connection: Connection, number: int, run_id: str) -> bool:
    return dry_runs.note_progress(connection, number, run_id, 0.0)


def _go_on(windows: DryRunWindows, tenant: str, resources: Resources, lease: Lease) -> None:
    resident = resources.kept(ResidentDryRun)
    while not windows.finished:
        began = time.monotonic()
        with resources.engine.connect() as connection:
            windows.step(connection)
        windows.seconds += time.monotonic() - began
        lease.check()
        claim = redis_keys.lease("dry_run_claim", tenant)
        resources.redis.set(claim, _claim(resources, windows.run), px=CLAIM_MS)
        with write(resources.engine) as connection:
            going = dry_runs.note_progress(connection, windows.number, windows.run.id, windows.progress)
        if not going:
            resident.drop()
            return
        if windows.seconds > LONGEST_SECONDS:
            raise TimeoutError(f"more than {LONGEST_SECONDS:.0f} s of work")
        if windows.done < len(windows.ends) and others_wait(resources.redis, WORK):
            return  # the timer is still due: it goes on behind them
    resident.drop()
    _finish(windows, tenant, resources)


def _finish(windows: DryRunWindows, tenant: str, resources: Resources) -> None:
    with resources.engine.connect() as connection:
        result = report(windows, connection)
    with write(resources.engine) as connection:
        timers.hold(connection, windows.number, WORK, resources.now_us())
        dry_runs.finish(connection, windows.number, windows.run.id, result, now_us=resources.now_us())
        if dry_runs.unfinished(connection, windows.number) is None:
            timers.move_to(connection, windows.number, WORK, None)
    log.info(
        "tenant %s: dry run over %d days, %d complaints: %s, %.1f s",
        tenant,
        windows.days,
        len(windows.rows),
        {k: len(result[k]) for k in ("comes", "goes")},
        windows.seconds,
    )
