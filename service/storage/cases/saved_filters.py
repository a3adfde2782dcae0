"""Views of the queue that people saved under a name: their own, or shared with everybody of the tenant."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from service.errors import NotFound, Refused
from service.fields import is_storable
from service.storage.accounts import audit_log
from service.storage.sql.engine import lock_tenant
from service.storage.sql.schema import saved_filters

LONGEST_NAME = 40
MOST = 10  # of a person, and of those that a tenant shares: each is counted whenever the list is shown


@dataclass(frozen=True, slots=True)
class SavedFilter:
    """One saved view."""

    id: int
    name: str
    user_id: int
    shared: bool
    parameters: Mapping[str, str]  # of its URL


def list_filters(connection: Connection, tenant_id: int, user_id: int) -> list[SavedFilter]:
    """The person's own and the tenant's shared ones, by name."""
    c = saved_filters.c
    rows = connection.execute(
        sa.select(saved_filters).where(c.tenant_id == tenant_id, sa.or_(c.user_id == user_id, c.shared.is_(True)))
    )
    found = [SavedFilter(row.id, row.name, row.user_id, bool(row.shared), json.loads(row.parameters)) for row in rows]
    return sorted(found, key=lambda one: (one.name.casefold(), one.id))


def save_filter(
    connection: Connection,
    tenant_id: int,
    user_id: int,
    name: str,
    parameters: Mapping[str, str],
    *,
    shared: bool,
    by: str,
    now_us: int,
) -> None:
    """Save a view; one of the person's own with that name is replaced. Raises Refused."""
    name = " ".join(name.split())
    if not 1 <= len(name) <= LONGEST_NAME or not is_storable(name):
        raise Refused(f"the name must have 1 to {LONGEST_NAME} characters")
    lock_tenant(connection, tenant_id)
    found = list_filters(connection, tenant_id, user_id)
    same = next((one for one in found if one.user_id == user_id and one.name.casefold() == name.casefold()), None)
    others = [one for one in found if one is not same]
    if sum(one.shared == shared and (shared or one.user_id == user_id) for one in others) >= MOST:
        whose = "shared" if shared else "own"
        raise Refused(f"there are {MOST} {whose} saved filters already: remove one first")
    values = {"name": name, "shared": shared, "parameters": json.dumps(dict(parameters), sort_keys=True)}
    if same is not None:
        connection.execute(sa.update(saved_filters).where(saved_filters.c.id == same.id).values(values))
    else:
        connection.execute(sa.insert(saved_filters).values(tenant_id=tenant_id, user_id=user_id, **values))
    if shared:
        _audit(connection, tenant_id, "filter shared", by, now_us)


def remove_filter(
    connection: Connection, tenant_id: int, user_id: int, filter_id: int, *, any_shared: bool, by: str, now_us: int
) -> None:
    """Remove a view of the person's own, or with `any_shared` also one that somebody else shared. Raises NotFound."""
    found = next((one for one in list_filters(connection, tenant_id, user_id) if one.id == filter_id), None)
    if found is None or (found.user_id != user_id and not any_shared):
        raise NotFound("no such saved filter")
    connection.execute(sa.delete(saved_filters).where(saved_filters.c.id == filter_id))
    if found.shared:
        _audit(connection, tenant_id, "filter removed", by, now_us)


def _audit(connection: Connection, tenant_id: int, action: str, by: str, now_us: int) -> None:
    # Not its name, in which somebody may be named.
    audit_log.enter(connection, tenant_id, actor=by, action=action, subject="saved filter", now_us=now_us)
