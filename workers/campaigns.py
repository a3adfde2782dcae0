"""The campaigns job: measure which clusters share more members than chance explains, and group them.

Planned whenever clusters, decisions or the allow-list change (service/storage/cases/campaign_groups.py). The measuring
is done outside of the writing transaction; if something changed meanwhile, the job runs once more.
"""

from __future__ import annotations

import time

from service import logs
from service.moderation.campaign_links import measure
from service.storage.accounts.tenants import tenant_id
from service.storage.cases import campaign_groups
from service.storage.cases.campaign_groups import DELAY_US, WORK
from service.storage.redis_store.leases import held
from service.storage.sql import timers
from service.storage.sql.engine import lock_tenant, write
from workers.resources import Resources


def run(tenant: str, resources: Resources) -> None:
    """Measure and group; returns at once when another worker does."""
    with held(resources.redis, WORK, tenant) as lease:
        if lease is None:
            return
        number, began = tenant_id(resources.engine, tenant), time.monotonic()
        with resources.engine.connect() as connection:
            basis = campaign_groups.basis_of(connection, number)
            cases = campaign_groups.members_of_cases(connection, number)
        links = measure(cases)
        with write(resources.engine) as connection:
            lock_tenant(connection, number)
            now_us = resources.now_us()
            timers.hold(connection, number, WORK, now_us)
            campaign_groups.store_links(connection, number, links)
            found = campaign_groups.group_again(connection, number, now_us=now_us)
            unchanged = campaign_groups.basis_of(connection, number) == basis
            timers.move_to(connection, number, WORK, None if unchanged else now_us + DELAY_US)
        logs.note(links=len(links), campaigns=len(found), seconds=round(time.monotonic() - began, 2))
