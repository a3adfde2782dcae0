"""The detect job: a turn of one tenant's analysis.

The window stays resident in this process between jobs (workers/resident_windows.py), guarded by the epoch in
`analysis_state`: building a window raises it, and a worker that holds an older one can commit nothing. A tick commits
clusters and cursor in one transaction; Redis is written after it, from the same state, and again at the next build if
that fails.
"""

from __future__ import annotations

import logging
import time

from service.errors import LostLease
from service.storage.accounts.policy_overrides import policy_of
from service.storage.accounts.tenants import tenant_id
from service.storage.complaints.archive_reader import analysis_state_of
from service.storage.redis_store.job_queue import enqueue, others_wait
from service.storage.redis_store.leases import Lease, held
from workers.analysis_steps import take_step
from workers.publish import publish_again
from workers.resident_windows import ResidentWindows
from workers.resources import Resources
from workers.tenant_analyzer import TenantAnalyzer
from workers.tick_size import ITEMS_AT_ONCE
from workers.window_build import build_analyzer

log = logging.getLogger(__name__)

TURN_SECONDS = 2.0  # then other tenants have their turn
SHORT_TURN_SECONDS = 0.2  # where one of them waits
PASSED_ON_SECONDS = 0.05  # after a job was put back, so that the worker that has the tenant takes it, not this one
# items in one tick while another tenant's job waits: larger ticks cost less per complaint, but cannot be interrupted
ITEMS_BESIDE_OTHERS = 4_000


def run(tenant: str, resources: Resources) -> None:
    """Analyse what was archived since the last tick, for 2 s at most; returns at once if another worker is doing so.

    Raises LostLease where another worker has the tenant.
    """
    windows = resources.kept(ResidentWindows)
    if not windows.has_tenant(tenant):
        windows.drop(tenant)
        enqueue(resources.redis, "detect", tenant)
        time.sleep(PASSED_ON_SECONDS)
        raise LostLease(f"{tenant} belongs to another worker; the job was put back for it")
    with held(resources.redis, "detect", tenant) as lease:
        if lease is not None:
            with windows.turn(tenant):
                _turn(tenant, resources, lease)


def _turn(tenant: str, resources: Resources, lease: Lease) -> None:
    began = time.monotonic()
    analyzer = _resident_analyzer(tenant, resources)
    while True:
        others = others_wait(resources.redis, "detect")
        if not take_step(analyzer, resources, ITEMS_BESIDE_OTHERS if others else ITEMS_AT_ONCE):
            return
        lease.check()
        if time.monotonic() - began >= (SHORT_TURN_SECONDS if others else TURN_SECONDS):
            return


def _resident_analyzer(tenant: str, resources: Resources) -> TenantAnalyzer:
    windows, number = resources.kept(ResidentWindows), tenant_id(resources.engine, tenant)
    analyzer = windows.get(tenant)
    with resources.engine.connect() as connection:
        state, policy = analysis_state_of(connection, number), policy_of(connection, number)
    if (
        analyzer is not None
        and analyzer.epoch == state.epoch
        and analyzer.policy == policy
        and not analyzer.has_stale_names()
    ):
        return analyzer
    began = time.monotonic()
    analyzer = build_analyzer(tenant, resources)
    windows.keep(analyzer)
    publish_again(analyzer, resources)
    log.info(
        "tenant %s: window of %d complaints built in %.2f s, epoch %d",
        tenant,
        analyzer.detector.window.live,
        time.monotonic() - began,
        analyzer.epoch,
    )
    return analyzer
