"""The dry-run job: what other thresholds would do to the stored cases and holds if they were put in force now.

Requested in the console (service/storage/detection/dry_runs.py); workers/threshold_effect.py does the work, in one go:
it is one sweep. A run whose worker was stopped in the middle is begun again, once.
"""

from __future__ import annotations

import logging
import time

from redis.exceptions import RedisError
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from service.errors import LostLease, Refused
from service.model import JsonObject
from service.storage.accounts.tenants import tenant_id
from service.storage.detection import dry_runs
from service.storage.detection.dry_runs import WORK, DryRun
from service.storage.redis_store.leases import Lease, held
from service.storage.sql import timers
from service.storage.sql.engine import write
from workers.dry_run_report import report
from workers.large import large_windows
from workers.resources import Resources
from workers.threshold_effect import effect_of

log = logging.getLogger(__name__)


def run(tenant: str, resources: Resources) -> None:
    """Do the tenant's dry run; returns at once when another worker does."""
    with held(resources.redis, WORK, tenant) as lease:
        if lease is None:
            return
        number = tenant_id(resources.engine, tenant)
        with resources.engine.connect() as connection:
            requested = dry_runs.unfinished(connection, number)
        if requested is not None:
            _work(tenant, number, requested, resources, lease)
        with write(resources.engine) as connection:
            timers.hold(connection, number, WORK, resources.now_us())
            if dry_runs.unfinished(connection, number) is None:
                timers.move_to(connection, number, WORK, None)


def _work(tenant: str, number: int, requested: DryRun, resources: Resources, lease: Lease) -> None:
    try:
        with write(resources.engine) as connection:
            if not _begins(connection, number, requested, resources.now_us()):
                return
        result, error = _result(tenant, number, requested, resources, lease), None
    except (LostLease, RedisError, OperationalError):
        raise  # an outage, or another worker goes on: it is computed again
    except Refused as refused:
        result, error = None, str(refused)
    except Exception as failure:
        log.exception("tenant %s: dry run %s failed", tenant, requested.id)
        result, error = None, f"it failed: {type(failure).__name__}; see the log of the worker for chores"
    if result is None and error is None:
        return  # stopped, or replaced by a newer one
    with write(resources.engine) as connection:
        dry_runs.finish(connection, number, requested.id, result, error=error, now_us=resources.now_us())


def _begins(connection: Connection, number: int, requested: DryRun, now_us: int) -> bool:
    """Note that the run begins, or begins again; False when it is not to go on."""
    if requested.state != dry_runs.RUNNING:
        return dry_runs.note_progress(connection, number, requested.id, 0.0)
    if requested.error is None:
        return dry_runs.restart(connection, number, requested.id)
    error = "the worker was stopped twice in the middle of it; it may have too little memory"
    dry_runs.finish(connection, number, requested.id, None, error=error, now_us=now_us)
    return False


def _result(tenant: str, number: int, requested: DryRun, resources: Resources, lease: Lease) -> JsonObject | None:
    began = time.monotonic()

    def progress(done: float) -> bool:
        lease.check()
        with write(resources.engine) as connection:
            return dry_runs.note_progress(connection, number, requested.id, done)

    effect = effect_of(
        resources.engine,
        tenant,
        number,
        requested.policy,
        now_us=resources.now_us(),
        progress=progress,
        pair_sweep=large_windows.of_settings(resources.settings),
    )
    if effect is None:
        return None
    seconds = time.monotonic() - began
    with resources.engine.connect() as connection:
        result = report(connection, number, effect, seconds)
    log.info(
        "tenant %s: dry run of %d complaints: %s, %.1f s",
        tenant,
        effect.complaints,
        {name: result[f"{name}_count"] for name in ("comes", "goes", "exempt")},
        seconds,
    )
    return result
