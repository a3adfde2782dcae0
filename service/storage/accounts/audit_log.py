"""The audit trail: one entry for each change by a person or the command line, written in the same transaction. Entries
are never changed, except to erase a person's name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, insert, select

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
    connection.execute(
        insert(audit_trail).values(
            tenant_id=tenant_id,
            at_us=now_us,
            actor=actor[:_ACTOR],
            action=action[:_ACTION],
            subject=subject[:_SUBJECT],
            detail=json.dumps(dict(detail or {}), sort_keys=True),
        )
    )


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of the trail."""

    id: int
    at_us: int
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Filter of the trail; None means any."""

    actor: str | None = None
    action: str | None = None
    subject: str | None = None  # a substring
    since_us: int | None = None  # [since, until)
    until_us: int | None = None


def list_page(
    connection: Connection, tenant_id: int, chosen: AuditFilter, *, before_id: int | None, limit: int
) -> tuple[list[AuditEntry], int | None]:
    """The tenant's entries older than `before_id`, newest first; and the id for the next page (None on the last)."""
    statement = (
        select(audit_trail).where(*_conditions(tenant_id, chosen)).order_by(audit_trail.c.id.desc()).limit(limit + 1)
    )
    if before_id is not None:
        statement = statement.where(audit_trail.c.id < before_id)
    found = [_line(row) for row in connection.execute(statement)]
    return found[:limit], found[limit - 1].id if len(found) > limit else None


def each_line(connection: Connection, tenant_id: int, chosen: AuditFilter, *, at_most: int) -> Iterator[AuditEntry]:
    """Iterate over the entries, newest first."""
    statement = (
        select(audit_trail).where(*_conditions(tenant_id, chosen)).order_by(audit_trail.c.id.desc()).limit(at_most)
    )
    for row in connection.execute(statement.execution_options(yield_per=500)):
        yield _line(row)


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
