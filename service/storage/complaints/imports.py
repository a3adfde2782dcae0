"""Imports: files that administrators upload in the console, and how far each has come.

uploading -> reading -> ready, or unreadable; ready -> trying -> ready; ready -> importing -> imported, or stopped;
imported or stopped -> undoing -> undone. The job `import` (workers/imports.py) does the work; all state is in the row,
since its process may be killed. The file itself is in service/storage/complaints/import_content.py.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, insert, select, update

from service.errors import NotFound, Refused
from service.model import JsonObject
from service.storage.accounts import audit_log
from service.storage.sql import timers
from service.storage.sql.engine import lock_tenant
from service.storage.sql.schema import import_chunks, imports

UPLOADING, READING, READY, UNREADABLE, TRYING = "uploading", "reading", "ready", "unreadable", "trying"
IMPORTING, STOPPED, IMPORTED, UNDOING, UNDONE = "importing", "stopped", "imported", "undoing", "undone"
ACTIVE = (READING, TRYING, UNDOING, IMPORTING)  # the job has something to do
SENT = (IMPORTING, STOPPED, IMPORTED)  # something of it may be in the tenant
WORK = "import"
KEPT_US = 24 * 3_600 * 1_000_000  # of an upload
MOST_UPLOADS = 5  # of a tenant at a time
LISTED = 50
_ABANDONED_US = 600 * 1_000_000  # an upload that was not completed by then, since its process ended
_ATTEMPTS = 2  # of a step that its worker does not survive

_COLUMNS = [column for column in imports.c if column.name not in ("secret", "preview", "report")]


@dataclass(frozen=True, slots=True)
class ImportRecord:
    """One import, without the content of its file."""

    id: str
    at_us: int
    by: str
    name: str
    size: int
    digest: str
    options: JsonObject  # as service/tabular/reading_choice.py writes them
    state: str
    progress: float  # 0..1, of the step under way
    began_us: int | None
    attempts: int
    oldest_us: int | None
    sent: int
    position: int
    result: dict[str, int] | None
    error: str | None
    done_us: int | None
    has_file: bool
    has_report: bool

    @property
    def active(self) -> bool:
        """Whether the job is at work on it, or will be."""
        return self.state in ACTIVE


def begin_upload(connection: Connection, tenant_id: int, name: str, sealed_key: str, *, by: str, now_us: int) -> str:
    """Make room for an upload; returns its id. Raises Refused where the tenant has too many."""
    lock_tenant(connection, tenant_id)
    left = (imports.c.state == UPLOADING) & (imports.c.at_us <= now_us - _ABANDONED_US)
    _drop_files(connection, tenant_id, left)
    there = connection.scalars(select(imports.c.id).where(_with_file(tenant_id))).all()
    if len(there) >= MOST_UPLOADS:
        raise Refused(f"{MOST_UPLOADS} uploaded files are waiting: delete one of them first, or import it")
    # by time: of two complaints of one moment the smaller id stands, so what an earlier import brought stays
    made = f"imp-{now_us:014x}{secrets.token_hex(3)}"
    connection.execute(
        insert(imports).values(
            id=made,
            tenant_id=tenant_id,
            at_us=now_us,
            by=by,
            name=name,
            bytes=0,
            digest="",
            options="{}",
            state=UPLOADING,
            secret=sealed_key,
        )
    )
    timers.at_latest(connection, tenant_id, WORK, now_us + KEPT_US)
    return made


def end_upload(
    connection: Connection, tenant_id: int, import_id: str, size: int, digest: str, *, by: str, now_us: int
) -> None:
    """The upload is complete: the job reads it."""
    done = connection.execute(
        update(imports)
        .where(_this(tenant_id, import_id), imports.c.state == UPLOADING)
        .values(bytes=size, digest=digest, state=READING, began_us=now_us)
    )
    if not done.rowcount:
        raise NotFound("the upload was deleted")
    enter(connection, tenant_id, import_id, "import-uploaded", by, now_us, bytes=size)
    timers.at_latest(connection, tenant_id, WORK, now_us)


def read(connection: Connection, tenant_id: int, import_id: str) -> ImportRecord:
    """The tenant's import. Raises NotFound."""
    row = connection.execute(_rows().where(_this(tenant_id, import_id))).first()
    if row is None:
        raise NotFound("no import has this id: its file was deleted, or a day has passed")
    return _of(row)


def listed(connection: Connection, tenant_id: int) -> list[ImportRecord]:
    """The tenant's imports, newest first."""
    rows = connection.execute(
        _rows()
        .where(imports.c.tenant_id == tenant_id, imports.c.state != UPLOADING)
        .order_by(imports.c.at_us.desc(), imports.c.id)
        .limit(LISTED)
    )
    return [_of(row) for row in rows]


def next_active(connection: Connection, tenant_id: int) -> ImportRecord | None:
    """What the job does next: the oldest request, and those who only look before those who import."""
    rows = connection.execute(
        _rows().where(imports.c.tenant_id == tenant_id, imports.c.state.in_(ACTIVE)).order_by(imports.c.at_us)
    )
    return min(map(_of, rows), key=lambda one: (one.state == IMPORTING, one.at_us), default=None)


def read_again(
    connection: Connection, tenant_id: int, import_id: str, options: Mapping[str, Any], *, now_us: int
) -> None:
    """Have the file read by other options. Raises Refused where it is being imported, or was."""
    _move(
        connection,
        tenant_id,
        import_id,
        (READY, UNREADABLE, READING),
        "it can no longer be read otherwise",
        {"state": READING, "options": json.dumps(options, sort_keys=True), "report": None, "error": None},
        now_us,
    )


def request_try(connection: Connection, tenant_id: int, import_id: str, *, now_us: int) -> None:
    """Have the file audited; nothing is stored in the tenant. Raises Refused, NotFound."""
    _move(
        connection,
        tenant_id,
        import_id,
        (READY,),
        "only a file that was read can be tried",
        {"state": TRYING, "report": None, "error": None},
        now_us,
    )


def stop(connection: Connection, tenant_id: int, import_id: str, *, by: str, now_us: int) -> bool:
    """Stop what is under way; False if it was over."""
    found = read(connection, tenant_id, import_id)
    state = {TRYING: READY, IMPORTING: STOPPED}.get(found.state)
    if state is None:
        return False
    same = _this(tenant_id, import_id) & (imports.c.state == found.state)
    stopped = connection.execute(update(imports).where(same).values(state=state, done_us=now_us)).rowcount
    if stopped and state == STOPPED:
        enter(connection, tenant_id, import_id, "import-stopped", by, now_us)
    return bool(stopped)


def begin(
    connection: Connection,
    tenant_id: int,
    one: ImportRecord,
    state: str,
    now_us: int,
    result: Mapping[str, int],
) -> None:
    """Move from the state that was read to one in which the job has work. Raises Refused if it was moved meanwhile."""
    values = {"state": state, "error": None, "result": json.dumps(result)}
    _move(connection, tenant_id, one.id, (one.state,), "something else was begun first", values, now_us)


def delete_import(connection: Connection, tenant_id: int, import_id: str, *, by: str, now_us: int) -> None:
    """Delete an upload of which nothing was imported. Raises Refused where something was, NotFound."""
    found = read(connection, tenant_id, import_id)
    same = _this(tenant_id, import_id) & (imports.c.state == found.state)  # an import may just begin
    if found.state in (*SENT, UNDOING, UNDONE) or not connection.execute(delete(imports).where(same)).rowcount:
        raise Refused("something of this file was imported: undo it instead")
    connection.execute(delete(import_chunks).where(import_chunks.c.import_id == import_id))
    enter(connection, tenant_id, import_id, "import-deleted", by, now_us)


def note_attempt(connection: Connection, tenant_id: int, one: ImportRecord) -> bool:
    """Count that a worker begins the step; False if it has ended two workers already."""
    connection.execute(update(imports).where(_this(tenant_id, one.id)).values(attempts=imports.c.attempts + 1))
    return one.attempts < _ATTEMPTS


def forget_attempt(connection: Connection, tenant_id: int, one: ImportRecord) -> None:
    """The worker lives: the step was ended by an outage, or waits."""
    connection.execute(update(imports).where(_this(tenant_id, one.id)).values(attempts=one.attempts))


def note_progress(connection: Connection, tenant_id: int, one: ImportRecord, progress: float) -> bool:
    """Record the progress; False if the step was stopped meanwhile."""
    same = _this(tenant_id, one.id) & (imports.c.state == one.state) & (imports.c.began_us == one.began_us)
    return bool(connection.execute(update(imports).where(same).values(progress=progress)).rowcount)


def finish(
    connection: Connection, tenant_id: int, one: ImportRecord, state: str, *, now_us: int, **values: Any
) -> bool:
    """Record the end of the step, unless it was stopped or begun once more meanwhile; then False."""
    same = _this(tenant_id, one.id) & (imports.c.state == one.state) & (imports.c.began_us == one.began_us)
    values = {"error": None, **values, "state": state, "done_us": now_us, "attempts": 0, "progress": 1.0}
    return bool(connection.execute(update(imports).where(same).values(**values)).rowcount)


def delete_expired(connection: Connection, tenant_id: int, now_us: int) -> list[str]:
    """Delete uploads that are a day old; an import under way keeps its file until it ends. Returns their ids."""
    return _drop_files(
        connection, tenant_id, (imports.c.at_us <= now_us - KEPT_US) & imports.c.state.not_in((IMPORTING, UNDOING))
    )


def drop_file(connection: Connection, tenant_id: int, import_id: str) -> None:
    """Delete the file of an import that needs it no longer."""
    _drop_files(connection, tenant_id, imports.c.id == import_id)


def drop_all_files(connection: Connection, tenant_id: int, now_us: int) -> list[str]:
    """Delete all uploads of the tenant, whatever is being done with them: somebody in them is erased."""
    connection.execute(
        update(imports)
        .where(imports.c.tenant_id == tenant_id, imports.c.state == IMPORTING)
        .values(
            state=STOPPED,
            done_us=now_us,
            error="somebody was erased, and with them all uploaded files: undo this import and upload the file again",
        )
    )
    return _drop_files(connection, tenant_id, imports.c.id.is_not(None))


def next_due_us(connection: Connection, tenant_id: int, now_us: int) -> int | None:
    """When the job has to look again: now, when the next upload expires, or never."""
    if next_active(connection, tenant_id) is not None:
        return now_us
    oldest = connection.scalar(select(imports.c.at_us).where(_with_file(tenant_id)).order_by(imports.c.at_us).limit(1))
    return None if oldest is None else oldest + KEPT_US


def _drop_files(connection: Connection, tenant_id: int, which: ColumnElement[bool]) -> list[str]:
    """Delete files; of those of which nothing was imported, the record too. Returns their ids."""
    found = connection.execute(select(imports.c.id, imports.c.state).where(_with_file(tenant_id), which)).all()
    ids = [row.id for row in found]
    untouched = [row.id for row in found if row.state not in (*SENT, UNDOING, UNDONE)]
    connection.execute(delete(import_chunks).where(import_chunks.c.import_id.in_(ids)))
    connection.execute(update(imports).where(imports.c.id.in_(ids)).values(secret=None, preview=None, report=None))
    connection.execute(delete(imports).where(imports.c.id.in_(untouched)))
    return ids


def _move(
    connection: Connection,
    tenant_id: int,
    import_id: str,
    before: tuple[str, ...],
    otherwise: str,
    values: Mapping[str, Any],
    now_us: int,
) -> None:
    """Move to another state, and wake the job. Raises Refused where it is in none of `before`, NotFound."""
    fresh = {"began_us": now_us, "attempts": 0, "progress": 0.0}
    done = connection.execute(
        update(imports).where(_this(tenant_id, import_id), imports.c.state.in_(before)).values(**fresh, **values)
    )
    if not done.rowcount:
        raise Refused(f"this import is {read(connection, tenant_id, import_id).state}: {otherwise}")
    timers.at_latest(connection, tenant_id, WORK, now_us)


def enter(
    connection: Connection, tenant_id: int, import_id: str, action: str, by: str, now_us: int, **detail: Any
) -> None:
    """An entry of the audit trail."""
    subject = f"import:{import_id}"
    audit_log.enter(connection, tenant_id, actor=by, action=action, subject=subject, now_us=now_us, detail=detail)


def _this(tenant_id: int, import_id: str) -> ColumnElement[bool]:
    return (imports.c.tenant_id == tenant_id) & (imports.c.id == import_id)


def _with_file(tenant_id: int) -> ColumnElement[bool]:
    return (imports.c.tenant_id == tenant_id) & imports.c.secret.is_not(None)


def _rows() -> Any:
    files = imports.c.secret.is_not(None).label("has_file"), imports.c.report.is_not(None).label("has_report")
    return select(*_COLUMNS, *files)


def _of(row: Row[Any]) -> ImportRecord:
    found = dict(row._mapping)
    found.pop("tenant_id")
    found["size"] = found.pop("bytes")
    found["options"] = json.loads(found["options"])
    found["result"] = None if found["result"] is None else json.loads(found["result"])
    return ImportRecord(**{**found, "has_file": bool(row.has_file), "has_report": bool(row.has_report)})
