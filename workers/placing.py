"""The job that puts waiting cases into the tenant's queues, after cases, tags or queues changed."""

from __future__ import annotations

import time

from service import logs
from service.storage.accounts.tenants import tenant_id
from service.storage.cases import placements
from service.storage.cases.queues import WORK
from service.storage.redis_store.leases import held
from service.storage.sql import timers
from service.storage.sql.engine import lock_tenant, write
from workers.resources import Resources

CASES_AT_ONCE = 50  # whose complaints are read in one go
TURN_SECONDS = 60.0  # then other tenants have their turn


def run(tenant: str, resources: Resources) -> None:
    """Count what changed cases are about, then apply the rules; returns at once when another worker does."""
    with held(resources.redis, WORK, tenant) as lease:
        if lease is None:
            return
        number = tenant_id(resources.engine, tenant)
        finished = _count(number, resources)
        with write(resources.engine) as connection:
            lock_tenant(connection, number)
            timers.hold(connection, number, WORK, resources.now_us())
            cases = placements.waiting_cases(connection, number)
            changed = placements.apply_rules(connection, number, cases)
            current = all(case.facts_are_current for case in cases)
            timers.move_to(connection, number, WORK, None if finished and current else resources.now_us())
        logs.note(placed=changed)


def _count(number: int, resources: Resources) -> bool:
    """Whether all is counted, rather than the turn over."""
    over = time.monotonic() + TURN_SECONDS
    with resources.engine.connect() as connection:
        stale = [case for case in placements.waiting_cases(connection, number) if not case.facts_are_current]
    for start in range(0, len(stale), CASES_AT_ONCE):
        if time.monotonic() > over:
            return False
        part = {case.id: case for case in stale[start : start + CASES_AT_ONCE]}
        with resources.engine.connect() as connection:
            counted = placements.count_facts(connection, number, list(part))
        with write(resources.engine) as connection:
            lock_tenant(connection, number)
            placements.store_facts(
                connection, number, {one: (part[one].facts_of, facts) for one, facts in counted.items()}
            )
    return True
