"""A tenant's thresholds: the defaults and the newest of its versioned overrides."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select

from service.policy import DEFAULT_POLICY, Policy
from service.storage.accounts import audit_log
from service.storage.sql import timers
from service.storage.sql.engine import lock_tenant
from service.storage.sql.schema import policy_overrides

SWEEP_WORK = "sweep"  # kind of timer: a change of thresholds needs a sweep even when nothing new arrives


def policy_of(connection: Connection, tenant_id: int) -> Policy:
    """The thresholds in force for the tenant now."""
    values = overrides_of(connection, tenant_id)
    return DEFAULT_POLICY.overridden(values) if values else DEFAULT_POLICY


def set_overrides(connection: Connection, tenant_id: int, values: dict[str, Any], *, by: str, now_us: int) -> Policy:
    """Replace the tenant's overrides by `values` ({}: the defaults) as a new version, and return the resulting policy.

    Also schedules a sweep, which applies them to every case in the window.

    Raises ValueError for an unknown name or a value outside its range; nothing is written then.
    """
    lock_tenant(connection, tenant_id)
    policy = DEFAULT_POLICY.overridden(values)
    row = {"tenant_id": tenant_id, "at_us": now_us, "by": by, "values": json.dumps(values, sort_keys=True)}
    connection.execute(insert(policy_overrides).values(row))
    timers.at_latest(connection, tenant_id, SWEEP_WORK, now_us)
    return policy


def change_overrides(
    connection: Connection,
    tenant_id: int,
    *,
    put: dict[str, Any],
    drop: Collection[str] | None = (),
    by: str,
    now_us: int,
) -> Policy:
    """Change some of the tenant's overrides and return the resulting policy: `put` sets, `drop` resets to the default
    (None: all others). Other overrides stay. A change makes a new version and an audit entry; without a change nothing
    is written. Raises ValueError like `set_overrides`, also for a dropped name that is not a threshold.
    """
    lock_tenant(connection, tenant_id)
    before = overrides_of(connection, tenant_id)
    DEFAULT_POLICY.overridden({name: getattr(DEFAULT_POLICY, name, None) for name in drop or ()})
    kept = {} if drop is None else {name: value for name, value in before.items() if name not in drop}
    after = {
        name: value
        for name, value in {**kept, **put}.items()
        if name not in put or value != getattr(DEFAULT_POLICY, name, None)
    }
    if after == before:
        return DEFAULT_POLICY.overridden(after)
    policy = set_overrides(connection, tenant_id, after, by=by, now_us=now_us)
    detail = {"before": before, "after": after, "policy_version": policy.version}
    audit_log.enter(connection, tenant_id, actor=by, action="policy", subject="tenant", now_us=now_us, detail=detail)
    return policy


def overrides_of(connection: Connection, tenant_id: int) -> dict[str, Any]:
    """The tenant's current overrides; empty without any."""
    newest = connection.scalar(
        select(policy_overrides.c["values"])
        .where(policy_overrides.c.tenant_id == tenant_id)
        .order_by(policy_overrides.c.id.desc())
        .limit(1)
    )
    return {} if newest is None else _from_json(newest)


@dataclass(frozen=True, slots=True)
class OverridesVersion:
    """One version of the tenant's overrides, in force from `at_us`."""

    at_us: int
    by: str
    values: dict[str, Any]


def versions(connection: Connection, tenant_id: int, limit: int) -> list[OverridesVersion]:
    """The latest versions of the tenant's overrides, newest first."""
    c = policy_overrides.c
    rows = connection.execute(
        select(c.at_us, c.by, c["values"]).where(c.tenant_id == tenant_id).order_by(c.id.desc()).limit(limit)
    )
    return [OverridesVersion(at_us, by, _from_json(text)) for at_us, by, text in rows]


def _from_json(text: str) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in json.loads(text).items()}
