"""The audit trail: one entry for each change by a person or the command line, written in the same transaction. Entries
are never changed, except to erase a person's name.

An entry is also an event, `audit.recorded`, for subscriptions that name it: in the same transaction, so that it is sent
if and only if the entry is stored. Nothing that is done to send it makes an entry, except disabling a subscription
whose receiver fails, which happens once; so it cannot feed itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, insert, select

from service.model import JsonObject, moment
from service.moderation.events import AUDIT_RECORDED, Event
from service.storage.sql.engine import before_commit
from service.storage.sql.outbox_rows import enabled_subscribers, event_id, event_json, insert_events, wants
from service.storage.sql.schema import audit_trail

_ACTOR, _ACTION, _SUBJECT = 128, 40, 160  # lengths of the columns


def enter(
    connection: Connection,
    tenant_id: int,
    *,
    actor: str,
    action: str,
    subject: str,
    now_us: int,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Append a line: who (`actor`) did what (`action`) to what (`subject`, like "user:anna" or "cluster:k-1")."""
    values = {"actor": actor[:_ACTOR], "action": action[:_ACTION], "subject": subject[:_SUBJECT]}
    detail_json = json.dumps(dict(detail or {}), sort_keys=True)
    made = connection.execute(
        insert(audit_trail).values(tenant_id=tenant_id, at_us=now_us, detail=detail_json, **values)
    ).inserted_primary_key
    assert made is not None
    entry = AuditEntry(int(made[0]), now_us, **values, detail=json.loads(detail_json))
    # At the end: most changes go on after their entry, and the timer of deliveries has to be locked last.
    before_commit(connection, lambda ending: _send(ending, tenant_id, entry))


def _send(connection: Connection, tenant_id: int, entry: AuditEntry) -> None:
    """Write the event of an entry, if anybody subscribes to it."""
    # Not locked, unlike for other events: those who change subscriptions come here too, each with one of them locked.
    # An event that meets a subscription just being disabled or removed may still go there, or is cancelled.
    subscribers = [
        (row.id, row.events)
        for row in connection.execute(enabled_subscribers(tenant_id))
        if wants(row.events, AUDIT_RECORDED)
    ]
    if not subscribers:
        return  # the trail itself is the log; other events are kept without subscribers too
    event = Event(AUDIT_RECORDED, str(entry.id), entry_document(entry))
    new = {event_id(tenant_id, event): (event.type, event_json(event))}
    insert_events(connection, tenant_id, new, subscribers, entry.at_us, place=entry.id % 1_000)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of the trail."""

    id: int
    at_us: int
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]


def entry_document(entry: AuditEntry) -> JsonObject:
    """An entry as it leaves the service, in the API and in events."""
    return {
        "id": str(entry.id),
        "at": moment(entry.at_us).isoformat().replace("+00:00", "Z"),
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "detail": entry.detail,
    }


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Filter of the trail; None means any."""

    actor: str | None = None
    action: str | None = None
    subject: str | None = None  # a substring
    since_us: int | None = None  # [since, until)
    until_us: int | None = None


def list_page(
    connection: Connection,
    tenant_id: int,
    chosen: AuditFilter,
    *,
    before_id: int | None,
    limit: int,
    oldest_first: bool = False,
) -> tuple[list[AuditEntry], int | None]:
    """The tenant's entries older than `before_id`, newest first (with `oldest_first` those that are newer, oldest
    first); and the id for the next page (None on the last).
    """
    c = audit_trail.c.id
    statement = select(audit_trail).where(*_conditions(tenant_id, chosen)).limit(limit + 1)
    statement = statement.order_by(c if oldest_first else c.desc())
    if before_id is not None:
        statement = statement.where(c > before_id if oldest_first else c < before_id)
    found = [_line(row) for row in connection.execute(statement)]
    return found[:limit], found[limit - 1].id if len(found) > limit else None


def actions(connection: Connection, tenant_id: int) -> list[str]:
    """Every kind of action in the trail."""
    return list(
        connection.scalars(
            select(audit_trail.c.action)
            .where(audit_trail.c.tenant_id == tenant_id)
            .distinct()
            .order_by(audit_trail.c.action)
        )
    )


def _conditions(tenant_id: int, chosen: AuditFilter) -> list[ColumnElement[bool]]:
    c = audit_trail.c
    conditions: list[ColumnElement[bool]] = [c.tenant_id == tenant_id]
    if chosen.actor is not None:
        conditions.append(c.actor == chosen.actor)
    if chosen.action is not None:
        conditions.append(c.action == chosen.action)
    if chosen.subject is not None:
        conditions.append(c.subject.contains(chosen.subject, autoescape=True))
    if chosen.since_us is not None:
        conditions.append(c.at_us >= chosen.since_us)
    if chosen.until_us is not None:
        conditions.append(c.at_us < chosen.until_us)
    return conditions


def _line(row: Row[Any]) -> AuditEntry:
    return AuditEntry(row.id, row.at_us, row.actor, row.action, row.subject, json.loads(row.detail))
