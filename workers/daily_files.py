"""The daily-files job: writes each day of the archive that changed since as a Parquet file, once an hour.

A file is written from one snapshot of the archive; what changes meanwhile is noted again by what changes it, so a
job that is killed, or overtaken by another one, leaves nothing wrong for longer than an hour. An erasure does not wait
for the hour, and is not done before the files are written.
"""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta

from service.errors import Refused
from service.storage.accounts.tenants import tenant_id
from service.storage.complaints import daily_files
from service.storage.complaints.daily_files import WORK, ChangedDay
from service.storage.redis_store.leases import Lease, held
from service.storage.sql import timers
from service.storage.sql.engine import write
from workers.daily_file_store import DailyFileStore
from workers.parquet_days import schema_of, tables_of
from workers.resources import Resources

log = logging.getLogger(__name__)

SECOND_US = 1_000_000
HOUR_US = 3_600 * SECOND_US
AFTER_ERROR_US = 600 * SECOND_US
TURN_SECONDS = 30.0  # then other tenants have their turn
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def run(tenant: str, resources: Resources) -> None:
    """Write what has changed, for 30 s or one file, and say when to go on."""
    with held(resources.redis, WORK, tenant) as lease:
        if lease is None:
            return
        number, began_us = tenant_id(resources.engine, tenant), resources.now_us()
        with resources.engine.connect() as connection:
            state = daily_files.state_of(connection, number)
        error, finished = None, False
        if state is not None:
            try:
                finished = _write_changed(tenant, resources, number, lease)
            except (OSError, Refused) as refusal:
                error = str(refusal)[:1_000]
            _log_change(tenant, state.last_error, error)
        with write(resources.engine) as connection:
            timers.hold(connection, number, WORK, began_us)
            if state is not None and error is not None:
                daily_files.fail(connection, number, error)
            elif state is not None and finished:
                daily_files.finish(connection, number, state, began_us)
            at_once = not finished or not daily_files.are_written(connection, number)
            pause_us = AFTER_ERROR_US if error else 0 if at_once else HOUR_US
            timers.move_to(connection, number, WORK, None if state is None else resources.now_us() + pause_us)


def _log_change(tenant: str, before: str | None, error: str | None) -> None:
    if error and before is None:
        log.warning("tenant %s: daily files are not written: %s", tenant, error)
    elif before and error is None:
        log.warning("tenant %s: daily files are written again", tenant)


def _write_changed(tenant: str, resources: Resources, number: int, lease: Lease) -> bool:
    """Write the files of changed days; False: the time is over before all are written.

    Raises Refused if no place is set or it cannot be used, OSError if the store fails.
    """
    place = resources.settings.daily_files
    if place is None:
        raise Refused("BRIGADEWATCH_DAILY_FILES is not set: it says where the files go, a folder or s3://BUCKET/PREFIX")
    store, deadline = DailyFileStore(place, tenant, resources.settings.data), time.monotonic() + TURN_SECONDS
    with resources.engine.connect() as connection:
        days = daily_files.changed_days(connection, number)
    for day in days:
        lease.check()
        rows = _write_day(resources, number, store, day)
        with write(resources.engine) as connection:
            daily_files.written(connection, number, day, empty=rows == 0)
        if time.monotonic() > deadline and day is not days[-1]:
            return False
    return True


def _write_day(resources: Resources, number: int, store: DailyFileStore, day: ChangedDay) -> int:
    with resources.engine.connect() as connection:
        schema = schema_of(day.noun, daily_files.rows_of(connection, number, day))
        rows = daily_files.rows_of(connection, number, day)
        date = (_EPOCH + timedelta(days=day.day)).date().isoformat()
        return store.write(day.noun, date, schema, tables_of(day.noun, rows, schema))
