"""The import job: read, try, import and undo the files that administrators upload in the console.

One step at a time, as far as it can go now (service/storage/complaints/imports.py has the states). Uploads are deleted
a day after they came, by the same job.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress

from redis.exceptions import RedisError
from sqlalchemy.exc import OperationalError

from service.errors import LostLease, NotFound, Overloaded, Refused, StoreUnavailable
from service.storage.accounts.policy_overrides import policy_of
from service.storage.accounts.secret_box import SecretBox
from service.storage.accounts.tenants import tenant_id
from service.storage.complaints import imports
from service.storage.complaints.import_content import ContentSeal, preview_of, put_preview, put_report
from service.storage.complaints.imports import WORK, ImportRecord
from service.storage.privacy.privacy_filters import open_privacy_filter
from service.storage.redis_store.leases import held
from service.storage.sql import timers
from service.storage.sql.engine import write
from service.wall_clock import now
from workers.import_lines import ResidentImport
from workers.import_reading import StepStopped, options_of, plain_file, read_preview
from workers.resources import Resources

log = logging.getLogger(__name__)

TOO_OFTEN = (
    "the worker was stopped twice in the middle of it; it may have too little memory: use `brigadewatch audit` and"
    " `brigadewatch replay` with this file"
)
FAILED_IN = {imports.READING: imports.UNREADABLE, imports.TRYING: imports.READY}  # other steps: stopped
Step = Callable[[str, int, ImportRecord, Resources], int]


def run(tenant: str, resources: Resources) -> None:
    """Do the next step of the tenant's imports; returns at once when another worker does."""
    with held(resources.redis, WORK, tenant) as lease:
        if lease is None:
            return
        number, pause_us = tenant_id(resources.engine, tenant), 0
        with write(resources.engine) as connection:
            expired = imports.delete_expired(connection, number, resources.now_us())
        if expired:
            log.info("tenant %s: %d uploaded files deleted after a day", tenant, len(expired))
        with resources.engine.connect() as connection:
            found = imports.next_active(connection, number)
        resident = resources.kept(ResidentImport)
        if resident.tenant == tenant and (found is None or found.state != imports.IMPORTING):
            resident.drop()  # it was stopped, or has failed
        if found is not None:
            pause_us = _do(tenant, number, found, resources)
        with write(resources.engine) as connection:
            timers.hold(connection, number, WORK, resources.now_us())
            due_us = imports.next_due_us(connection, number, resources.now_us())
            timers.move_to(connection, number, WORK, None if due_us is None else due_us + pause_us)


def _do(tenant: str, number: int, one: ImportRecord, resources: Resources) -> int:
    """One step; how long to wait before the next, in microseconds."""
    try:
        with write(resources.engine) as connection:
            may_begin = imports.note_attempt(connection, number, one)
        if not may_begin:
            raise Refused(TOO_OFTEN)
        return _STEPS[one.state](tenant, number, one, resources)
    except StepStopped:
        return 0
    except (LostLease, RedisError, OperationalError):  # an outage, or another worker goes on
        with suppress(OperationalError), write(resources.engine) as connection:
            imports.forget_attempt(connection, number, one)
        raise
    except (Overloaded, StoreUnavailable) as ours:  # of our own stream: as soon as there is room
        with write(resources.engine) as connection:
            imports.forget_attempt(connection, number, one)
        return int(getattr(ours, "retry_after_seconds", 2)) * 1_000_000
    except NotFound:  # deleted meanwhile
        return 0
    except Exception as error:
        expected = isinstance(error, Refused)
        if not expected:
            log.exception("tenant %s: import %s failed while %s", tenant, one.id, one.state)
        said = str(error) if expected else f"it failed: {type(error).__name__}; see the log of the worker for chores"
        with write(resources.engine) as connection:
            state = FAILED_IN.get(one.state, imports.STOPPED)
            imports.finish(connection, number, one, state, error=said, now_us=resources.now_us())
        return 0


def _read(tenant: str, number: int, one: ImportRecord, resources: Resources) -> int:
    """Read the whole file, and keep what was found."""
    box = SecretBox(resources.settings)
    privacy_filter = open_privacy_filter(resources.engine, box, number)
    with resources.engine.connect() as connection:
        seal = ContentSeal.of(connection, box, number, one.id)
    progress = _progress(number, one, resources)
    with plain_file(resources, number, one, seal) as path:
        preview = read_preview(path, options_of(one), privacy_filter, now(), progress)
    state = imports.UNREADABLE if preview["error"] else imports.READY
    with write(resources.engine) as connection:
        values = {"error": preview["error"] or None, "oldest_us": preview["oldest_us"]}
        if imports.finish(connection, number, one, state, now_us=resources.now_us(), **values):
            put_preview(connection, one.id, seal, preview)
    log.info(
        "tenant %s: import %s read: %d complaints, %d refused", tenant, one.id, preview["items"], preview["refused"]
    )
    return 0


def _try(tenant: str, number: int, one: ImportRecord, resources: Resources) -> int:
    """Audit the file with the tenant's thresholds, and keep the report."""
    from workers.import_try import audited_file  # brings the detection libraries, which no other step needs

    box = SecretBox(resources.settings)
    privacy_filter = open_privacy_filter(resources.engine, box, number)
    with resources.engine.connect() as connection:
        seal, policy = ContentSeal.of(connection, box, number, one.id), policy_of(connection, number)
        preview = preview_of(connection, box, number, one.id) or {}
    progress = _progress(number, one, resources)
    with plain_file(resources, number, one, seal) as path:
        page, summary = audited_file(path, options_of(one), privacy_filter, policy, now(), progress)
    with write(resources.engine) as connection:
        if imports.finish(connection, number, one, imports.READY, now_us=resources.now_us()):
            put_report(connection, one.id, seal, page)
            put_preview(connection, one.id, seal, {**preview, "tried": summary})
    log.info("tenant %s: import %s tried: %d flagged groups", tenant, one.id, summary["flagged"])
    return 0


def _import(tenant: str, number: int, one: ImportRecord, resources: Resources) -> int:
    """Send what the file holds into the tenant's stream, for a while."""
    from workers.import_sending import send

    return send(tenant, number, one, resources)


def _undo(tenant: str, number: int, one: ImportRecord, resources: Resources) -> int:
    """Withdraw what was imported, for a while."""
    from workers.import_undo import withdraw

    return withdraw(tenant, number, one, resources)


def _progress(number: int, one: ImportRecord, resources: Resources) -> Callable[[float], None]:
    def progress(share: float) -> None:
        with write(resources.engine) as connection:
            if not imports.note_progress(connection, number, one, share):
                raise StepStopped

    return progress


_STEPS: dict[str, Step] = {
    imports.READING: _read,
    imports.TRYING: _try,
    imports.IMPORTING: _import,
    imports.UNDOING: _undo,
}
