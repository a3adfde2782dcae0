"""Restorations as rows: read and written by the detect worker in its ticks, listed for moderators.

`cluster_ids` is JSON, largest π first. The rules are pure: service/moderation/restorations.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, func, insert, or_, select

from service.model import moment
from service.moderation.restorations import Restoration, RestorationState
from service.storage.sql import schema
from service.storage.sql.cursors import Key
from service.storage.sql.engine import KEYS_PER_SELECT, select_by_keys
from service.storage.sql.hashing import key_of

SORT_KEY_TYPES: Mapping[str, tuple[type, ...]] = {"-harm": (float, int), "-changed_at": (int, int)}
_TABLE = schema.restorations


@dataclass(frozen=True, slots=True)
class RestorationRow:
    """A restoration as it is listed."""

    target_id: str
    state: RestorationState
    harm: float
    complaints: int
    independent_complaints: float
    threshold: int
    clusters: list[str]
    removed_at: datetime
    removed_by: str
    opened_at: datetime
    changed_at: datetime


def read_all(connection: Connection, tenant_id: int) -> dict[int, Restoration]:
    """All restorations of the tenant, by target key."""
    return {
        row.target_key: _restoration(row)
        for row in connection.execute(select(_TABLE).where(_TABLE.c.tenant_id == tenant_id))
    }


def read_some(connection: Connection, tenant_id: int, target_keys: Iterable[int]) -> dict[int, Restoration]:
    """Those of the targets that have one, by target key."""
    keys = sorted(set(target_keys))
    found: dict[int, Restoration] = {}
    for start in range(0, len(keys), KEYS_PER_SELECT):
        some = select(_TABLE).where(
            _TABLE.c.tenant_id == tenant_id, _TABLE.c.target_key.in_(keys[start : start + KEYS_PER_SELECT])
        )
        found.update({row.target_key: _restoration(row) for row in connection.execute(some)})
    return found


def save(
    connection: Connection, tenant_id: int, changes: Mapping[int, Restoration | None], names: Mapping[int, str]
) -> None:
    """Write changed restorations, by target key; None removes one. `names` holds the ids of the targets that have one
    now.
    """
    if not changes:
        return
    connection.execute(
        delete(_TABLE).where(_TABLE.c.tenant_id == tenant_id, _TABLE.c.target_key == bindparam("what")),
        [{"what": key} for key in changes],
    )
    rows = [
        {
            "tenant_id": tenant_id,
            "target_key": key,
            "target_id": names[key],
            "state": r.state,
            "harm": r.harm,
            "complaints": r.complaints,
            "independent": r.independent,
            "cluster_ids": json.dumps(r.clusters),
            "threshold": r.threshold,
            "removal_id": r.removal,
            "removed_us": r.removed_us,
            "removed_by": r.removed_by,
            "opened_us": r.opened_us,
            "changed_us": r.changed_us,
            "opened_seq": r.opened_seq,
        }
        for key, r in changes.items()
        if r is not None
    ]
    if rows:
        connection.execute(insert(_TABLE), rows)


def complaints_until(connection: Connection, tenant_id: int, moments_us: Mapping[int, int]) -> dict[int, int]:
    """How many complaints that stand now were filed on each target up to its moment (microseconds since 1970)."""
    statement = (
        "SELECT k.column1, (SELECT COUNT(*) FROM complaints c WHERE c.tenant_id = ? AND c.target_key = k.column1 AND"
        f" c.state = {schema.STANDING} AND c.occurred_us <= k.column2) FROM k WHERE k.column1 IS NOT NULL"
    )
    return dict(select_by_keys(connection, statement, (tenant_id,), list(moments_us.items())))


def read_one(connection: Connection, tenant_id: int, target_key: int) -> RestorationRow | None:
    """The target's restoration, if it has one."""
    row = connection.execute(
        select(_TABLE).where(_TABLE.c.tenant_id == tenant_id, _TABLE.c.target_key == target_key)
    ).first()
    return None if row is None else _item(row)


def read_items(connection: Connection, tenant_id: int, target_ids: Sequence[str]) -> list[RestorationRow]:
    """Those of the targets that have one, in the order requested."""
    keys = [key_of(one) for one in target_ids]
    found: dict[str, RestorationRow] = {}
    for start in range(0, len(keys), KEYS_PER_SELECT):
        rows = connection.execute(
            select(_TABLE).where(
                _TABLE.c.tenant_id == tenant_id, _TABLE.c.target_key.in_(keys[start : start + KEYS_PER_SELECT])
            )
        )
        found.update({row.target_id: _item(row) for row in rows})
    return [found[one] for one in target_ids if one in found]


def count_by_state(connection: Connection, tenant_id: int) -> dict[str, int]:
    """Number of restorations by state; empty states are left out."""
    return {
        state: count
        for state, count in connection.execute(
            select(_TABLE.c.state, func.count()).where(_TABLE.c.tenant_id == tenant_id).group_by(_TABLE.c.state)
        )
    }


def list_restorations(
    connection: Connection,
    tenant_id: int,
    states: Iterable[RestorationState] | None,
    *,
    sort: str = "-harm",
    after: tuple[Key, ...] | None,
    limit: int,
) -> tuple[list[RestorationRow], tuple[Key, ...] | None]:
    """At most `limit` behind `after`, greatest harm or latest change first, and the key to go on from (None: that was
    all).

    `states` None: any.
    """
    c = _TABLE.c
    by = c.harm if sort == "-harm" else c.changed_us
    query = select(_TABLE).where(c.tenant_id == tenant_id)
    if states is not None:
        query = query.where(c.state.in_(sorted(states)))
    if after is not None:
        value, key = after
        query = query.where(or_(by < value, and_(by == value, c.target_key > key)))
    rows = connection.execute(query.order_by(by.desc(), c.target_key).limit(limit + 1)).all()
    if len(rows) <= limit:
        return [_item(row) for row in rows], None
    last = rows[limit - 1]
    return [_item(row) for row in rows[:limit]], (getattr(last, by.name), last.target_key)


def _restoration(row: Any) -> Restoration:
    return Restoration(
        target=row.target_key,
        state=row.state,
        harm=row.harm,
        complaints=row.complaints,
        independent=row.independent,
        threshold=row.threshold,
        clusters=tuple(json.loads(row.cluster_ids)),
        removal=row.removal_id,
        removed_us=row.removed_us,
        removed_by=row.removed_by,
        opened_us=row.opened_us,
        opened_seq=row.opened_seq,
        changed_us=row.changed_us,
    )


def _item(row: Any) -> RestorationRow:
    return RestorationRow(
        row.target_id,
        row.state,
        row.harm,
        row.complaints,
        row.independent,
        row.threshold,
        json.loads(row.cluster_ids),
        moment(row.removed_us),
        row.removed_by,
        moment(row.opened_us),
        moment(row.changed_us),
    )
