"""The erase job: replaces a person's name by a token everywhere in SQL, and rewrites the files that held it.

In two steps, each of which may be interrupted and repeated:

1. One transaction replaces the name in every table and raises both epochs: what ingest or detection have under way by
the old
   name can no longer be committed, and the resident window is built again from the rewritten feed.
2. Once no API process takes complaints of theirs any more, the stream holds none that came before that, and the daily
   files are written again (workers/daily_files.py), the database and Redis rewrite their files.

What ingest meets in between it refuses by the mark (service/storage/complaints/archive_writer.py), so step 1 is not
undone by what was on its way.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from service.errors import StoreUnavailable
from service.intake.privacy_filter import PrivacyFilter
from service.storage.accounts.secret_box import SecretBox
from service.storage.accounts.tenants import tenant_id
from service.storage.complaints import daily_files, imports
from service.storage.privacy import erasures
from service.storage.privacy.erasure_rewrite import ErasureRewrite
from service.storage.privacy.erasures import DONE, REPLACED, REQUESTED, Erasure
from service.storage.privacy.privacy_filters import REMEMBERED_SECONDS, open_privacy_filter
from service.storage.privacy.scrubbing import rewrite_database, rewrite_redis
from service.storage.redis_store import recent_deliveries, redis_keys
from service.storage.redis_store.job_queue import enqueue
from service.storage.redis_store.leases import held, raise_epochs
from service.storage.sql import timers
from service.storage.sql.engine import write
from workers.known_members import write_known_members
from workers.resources import Resources

log = logging.getLogger(__name__)

SECOND_US = 1_000_000
# after this no API process takes anything of theirs (and clocks may differ a little)
SETTLING_US = round((REMEMBERED_SECONDS + 1) * SECOND_US)
LOOK_AGAIN_US = SECOND_US


def run(tenant: str, resources: Resources) -> None:
    """Go on with all erasures of the tenant, as far as they can go now; returns at once when another worker does."""
    with held(resources.redis, "erase", tenant) as lease:
        if lease is None:
            return
        number, box = tenant_id(resources.engine, tenant), SecretBox(resources.settings)
        with resources.engine.connect() as connection:
            waiting = erasures.unfinished(connection, number)
        if any(e.asked_us > resources.now_us() for e in waiting):  # the wall clock was set back: wait from now on
            with write(resources.engine) as connection:
                erasures.pull_back(connection, number, resources.now_us())
                waiting = erasures.unfinished(connection, number)
        if waiting:
            privacy_filter = open_privacy_filter(resources.engine, box, number)
            _replace(tenant, resources, number, privacy_filter, box, [e for e in waiting if e.state == REQUESTED])
            lease.check()
            _clean(tenant, resources, number, privacy_filter, box, waiting)
        with write(resources.engine) as connection:
            timers.hold(connection, number, erasures.WORK, resources.now_us())
            left = erasures.unfinished(connection, number)
            timers.move_to(connection, number, erasures.WORK, resources.now_us() + LOOK_AGAIN_US if left else None)


def _replace(
    tenant: str,
    resources: Resources,
    number: int,
    privacy_filter: PrivacyFilter,
    box: SecretBox,
    requested: Sequence[Erasure],
) -> None:
    if not requested:
        return
    rewrite = ErasureRewrite(number, _names(requested, privacy_filter, box))
    found = rewrite.find(resources.engine)
    with write(resources.engine) as connection:
        # First: on PostgreSQL these rows' locks hold back every commit by the old name.
        raise_epochs(connection, number)
        changed = rewrite.apply(connection, found)
        # uploads are encrypted, and cannot be searched: all of them go
        if dropped := imports.drop_all_files(connection, number, resources.now_us()):
            changed["imports"] = len(dropped)
        daily_files.require(connection, number, resources.now_us())
        erasures.move(connection, number, requested, REPLACED, now_us=resources.now_us(), changed={"rows": changed})
    log.info("tenant %s: %d erasures replaced names in %s", tenant, len(requested), changed or "nothing")
    # the window that is resident somewhere is dropped now, not at the next complaint
    enqueue(resources.redis, "detect", tenant)


def _names(found: Sequence[Erasure], privacy_filter: PrivacyFilter, box: SecretBox) -> dict[str, str]:
    return {
        old: new for erasure in found for old, new in erasures.replacements_for(erasure, privacy_filter, box).items()
    }


def _clean(
    tenant: str,
    resources: Resources,
    number: int,
    privacy_filter: PrivacyFilter,
    box: SecretBox,
    waiting: Sequence[Erasure],
) -> None:
    """Rewrite the files for those whose name nothing can bring back any more."""
    now_us = resources.now_us()
    ready = [e for e in waiting if now_us >= e.asked_us + SETTLING_US]
    if not ready or not _drained(resources.redis, tenant, max(e.asked_us for e in ready) + SETTLING_US):
        return
    with resources.engine.connect() as connection:
        if not daily_files.are_written(connection, number):
            return
    with write(resources.engine) as connection:
        ErasureRewrite(number, _names(ready, privacy_filter, box)).drop_dead_letters(
            connection
        )  # one may have died on its way
    with resources.engine.connect() as connection:  # nobody's hash may stand in the rewritten file
        write_known_members(connection, resources.redis, tenant, number, privacy_filter.key)
    recent_deliveries.forget(resources.redis, tenant)
    try:
        done = {"redis": rewrite_redis(resources.redis), "database": rewrite_database(resources.engine)}
    except StoreUnavailable as error:
        log.warning("tenant %s: the files cannot be rewritten now: %s", tenant, error)
        return
    with write(resources.engine) as connection:
        _finish(connection, number, ready, resources.now_us(), done)
    log.info(
        "tenant %s: %d erasures done; Redis: %s; database: %s", tenant, len(ready), done["redis"], done["database"]
    )


def _finish(connection: Connection, number: int, ready: Sequence[Erasure], now_us: int, done: dict[str, str]) -> None:
    erasures.move(connection, number, ready, DONE, now_us=now_us, changed=done)


def _drained(redis: Any, tenant: str, before_us: int) -> bool:
    """Whether the stream holds nothing that was appended before that time."""
    return not redis.xrange(redis_keys.stream(tenant), "-", str(before_us // 1_000), count=1)
