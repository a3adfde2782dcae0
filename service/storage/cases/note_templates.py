"""Templates for notes: texts that an administrator wrote once, with places for a case's figures."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from service.errors import NotFound, Refused
from service.fields import is_storable
from service.storage.accounts import audit_log
from service.storage.sql.engine import lock_tenant
from service.storage.sql.schema import note_templates

LONGEST_NAME, LONGEST_TEXT = 40, 2_000
MOST = 50


@dataclass(frozen=True, slots=True)
class NoteTemplate:
    """One template."""

    id: int
    name: str
    text: str


def list_templates(connection: Connection, tenant_id: int) -> list[NoteTemplate]:
    """The tenant's templates, by name."""
    rows = connection.execute(sa.select(note_templates).where(note_templates.c.tenant_id == tenant_id))
    return sorted((NoteTemplate(row.id, row.name, row.text) for row in rows), key=lambda one: one.name.casefold())


def read_template(connection: Connection, tenant_id: int, template_id: int) -> NoteTemplate:
    """The tenant's template with this id. Raises NotFound."""
    found = next((one for one in list_templates(connection, tenant_id) if one.id == template_id), None)
    if found is None:
        raise NotFound("no such template")
    return found


def save_template(
    connection: Connection, tenant_id: int, name: str, text: str, *, template_id: int | None, by: str, now_us: int
) -> None:
    """Create a template, or change one. Raises Refused and NotFound."""
    name, text = " ".join(name.split()), text.replace("\r\n", "\n").strip()
    if not 1 <= len(name) <= LONGEST_NAME or not is_storable(name):
        raise Refused(f"a template's name must have 1 to {LONGEST_NAME} characters")
    if not 1 <= len(text) <= LONGEST_TEXT or not is_storable(text):
        raise Refused(f"a template's text must have 1 to {LONGEST_TEXT:,} characters")
    lock_tenant(connection, tenant_id)
    others = [one for one in list_templates(connection, tenant_id) if one.id != template_id]
    if any(one.name.casefold() == name.casefold() for one in others):
        raise Refused(f"there is a template called {name!r} already")
    if template_id is not None:
        read_template(connection, tenant_id, template_id)
        mine = note_templates.c.id == template_id
        connection.execute(sa.update(note_templates).where(mine).values(name=name, text=text))
    else:
        if len(others) >= MOST:
            raise Refused(f"there are {MOST} templates already: remove one first")
        connection.execute(sa.insert(note_templates).values(tenant_id=tenant_id, name=name, text=text))
    _audit(connection, tenant_id, "template saved", by, now_us)


def remove_template(connection: Connection, tenant_id: int, template_id: int, *, by: str, now_us: int) -> None:
    """Remove a template; notes written with it stay. Raises NotFound."""
    read_template(connection, tenant_id, template_id)
    connection.execute(sa.delete(note_templates).where(note_templates.c.id == template_id))
    _audit(connection, tenant_id, "template removed", by, now_us)


def _audit(connection: Connection, tenant_id: int, action: str, by: str, now_us: int) -> None:
    # Not its name, in which somebody may be named.
    audit_log.enter(connection, tenant_id, actor=by, action=action, subject="note template", now_us=now_us)
