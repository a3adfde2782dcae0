"""An import on its way into the tenant, and out of it again: what may begin, how far it is, what the archive has of it.

The ids of its complaints and outcomes begin with the import's own id and a colon: so the archive knows them without a
list of them, and the same file can come again under another one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Table, func, select, update

from service.errors import Refused
from service.model import moment
from service.storage.accounts.policy_overrides import policy_of
from service.storage.complaints import imports
from service.storage.complaints.archive_reader import ingest_state_of
from service.storage.complaints.imports import IMPORTED, IMPORTING, READY, SENT, STOPPED, UNDOING, ImportRecord
from service.storage.sql import schema
from service.storage.sql.engine import lock_tenant
from service.storage.sql.schema import REPEAT, STANDING, WITHDRAWN
from service.storage.sql.schema import imports as table

READ_AGAIN = "read_again"  # per mille of the file, in the counts of an import whose file is being read for sending
FRESH_TENANT = "brigadewatch tenants create NAME"


@dataclass(frozen=True, slots=True)
class Archived:
    """What the archive has of an import."""

    standing: int
    repeats: int  # of a complaint by the same reporter about the same target
    withdrawn: int
    late: int
    outcomes: int

    @property
    def complaints(self) -> int:
        """All of them."""
        return self.standing + self.repeats + self.withdrawn


def too_old(connection: Connection, tenant_id: int, oldest_us: int | None) -> str:
    """Why complaints from that time on would not be analysed; empty where they would."""
    watermark_us = ingest_state_of(connection, tenant_id).watermark_us
    window_us = policy_of(connection, tenant_id).window_seconds * 1_000_000
    if watermark_us is None or oldest_us is None or oldest_us >= watermark_us - window_us:
        return ""
    return (
        f"it has complaints from {moment(oldest_us):%Y-%m-%d} on, and this tenant has had some up to"
        f" {moment(watermark_us):%Y-%m-%d}: what is more than {window_us // 86_400_000_000} days older would be stored"
        f" and never analysed. Import it into a fresh tenant, made with: {FRESH_TENANT}"
    )


def request_import(connection: Connection, tenant_id: int, import_id: str, *, by: str, now_us: int) -> None:
    """Have the file imported, or go on with an import that was stopped. Raises Refused, NotFound."""
    lock_tenant(connection, tenant_id)
    one = imports.read(connection, tenant_id, import_id)
    if one.state not in (READY, STOPPED) or not one.has_file:
        raise Refused(f"this import is {one.state}: only a file that was read can be imported")
    twin = connection.execute(
        select(table.c.name, table.c.at_us).where(
            table.c.tenant_id == tenant_id,
            table.c.digest == one.digest,
            table.c.id != import_id,
            table.c.state.in_(SENT),
        )
    ).first()
    if twin is not None:
        raise Refused(
            f"this file was imported already ({twin.name}, uploaded {moment(twin.at_us):%Y-%m-%d %H:%M} UTC): undo that"
            " import first"
        )
    if one.state == READY and (why := too_old(connection, tenant_id, one.oldest_us)):
        raise Refused(why)
    counts = {name: count for name, count in (one.result or {}).items() if name != READ_AGAIN}
    imports.begin(connection, tenant_id, one, IMPORTING, now_us, {**counts, "from": one.sent})
    imports.enter(connection, tenant_id, import_id, "import-started", by, now_us)


def note_sent(
    connection: Connection, tenant_id: int, one: ImportRecord, sent: int, position: int, result: Mapping[str, int]
) -> bool:
    """Record how many items are in the stream, even of an import that was stopped meanwhile; then returns False."""
    values = {
        "sent": sent,
        "position": position,
        "attempts": 0,
        "progress": sent / max(1, result["total"]),
        "result": json.dumps(result),
    }
    mine = (table.c.tenant_id == tenant_id) & (table.c.id == one.id)
    connection.execute(update(table).where(mine).values(**values))
    found = connection.execute(select(table.c.state, table.c.began_us).where(mine)).first()
    return found is not None and (found.state, found.began_us) == (one.state, one.began_us)


def note_reading(connection: Connection, tenant_id: int, one: ImportRecord, share: float) -> bool:
    """Record how much of the file was read again before it is sent; False if the import was stopped meanwhile."""
    same = (table.c.tenant_id == tenant_id) & (table.c.id == one.id)
    same &= (table.c.state == one.state) & (table.c.began_us == one.began_us)
    result = json.dumps({**(one.result or {}), READ_AGAIN: round(1_000 * share)})
    return bool(connection.execute(update(table).where(same).values(result=result)).rowcount)


def finish_import(
    connection: Connection, tenant_id: int, one: ImportRecord, result: Mapping[str, int], now_us: int
) -> None:
    """All of it is archived: keep the counts, and delete the file."""
    if imports.finish(connection, tenant_id, one, IMPORTED, now_us=now_us, result=json.dumps(result)):
        imports.drop_file(connection, tenant_id, one.id)


def archived(connection: Connection, tenant_id: int, import_id: str) -> Archived:
    """Counts of what the archive has of an import."""
    c = schema.complaints.c
    rows = connection.execute(
        select(c.state, c.late, func.count())
        .where(_of(schema.complaints, tenant_id, import_id))
        .group_by(c.state, c.late)
    ).all()
    outcomes: int | None = connection.scalar(
        select(func.count()).select_from(schema.outcomes).where(_of(schema.outcomes, tenant_id, import_id))
    )

    def of_state(wanted: int) -> int:
        return sum(count for state, _, count in rows if state == wanted)

    late = sum(count for _, is_late, count in rows if is_late)
    return Archived(of_state(STANDING), of_state(REPEAT), of_state(WITHDRAWN), late, outcomes or 0)


def request_undo(connection: Connection, tenant_id: int, import_id: str, *, by: str, now_us: int) -> None:
    """Have what was imported withdrawn. Raises Refused where nothing was, NotFound."""
    lock_tenant(connection, tenant_id)
    one = imports.read(connection, tenant_id, import_id)
    if one.state not in (STOPPED, IMPORTED):
        raise Refused(f"this import is {one.state}: only one that is over can be undone")
    found = archived(connection, tenant_id, import_id)
    total = found.complaints - found.withdrawn + found.outcomes
    imports.begin(connection, tenant_id, one, UNDOING, now_us, {**(one.result or {}), "total": total, "from": 0})
    imports.drop_file(connection, tenant_id, import_id)  # it does not go on from here
    imports.enter(connection, tenant_id, import_id, "import-undone", by, now_us)


def complaints_left(connection: Connection, tenant_id: int, import_id: str, after: str, limit: int) -> list[str]:
    """Ids of its complaints that are not withdrawn, after that one."""
    c = schema.complaints.c
    return list(
        connection.scalars(
            select(c.id)
            .where(_of(schema.complaints, tenant_id, import_id), c.state != WITHDRAWN, c.id > after)
            .order_by(c.id)
            .limit(limit)
        )
    )


def outcomes_of_import(
    connection: Connection, tenant_id: int, import_id: str, after: str, limit: int
) -> list[tuple[str, str]]:
    """Its outcomes after that one: id, and id of the target."""
    c = schema.outcomes.c
    rows = connection.execute(
        select(c.id, c.content)
        .where(_of(schema.outcomes, tenant_id, import_id), c.id > after)
        .order_by(c.id)
        .limit(limit)
    )
    return [(row.id, json.loads(row.content)["target_id"]) for row in rows]


def _of(what: Table, tenant_id: int, import_id: str) -> ColumnElement[bool]:
    # ";" comes after ":", and ids are compared by their bytes
    return (what.c.tenant_id == tenant_id) & (what.c.id >= f"{import_id}:") & (what.c.id < f"{import_id};")
