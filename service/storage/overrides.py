"""A tenant's thresholds: the defaults and the newest of its versioned overrides."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, insert, select

from service.policy import DEFAULT_POLICY, Policy
from service.storage.schema import policy_overrides


def policy_of(connection: Connection, tenant_id: int) -> Policy:
    """The thresholds in force for the tenant now."""
    newest = connection.scalar(
        select(policy_overrides.c["values"]).where(policy_overrides.c.tenant_id == tenant_id).order_by(policy_overrides.c.id.desc()).limit(1)
    )
    return DEFAULT_POLICY if newest is None else DEFAULT_POLICY.overridden(_from_json(newest))


def set_overrides(connection: Connection, tenant_id: int, values: dict[str, Any], *, by: str, now_us: int) -> Policy:
    """Replace the tenant's overrides by `values` ({}: the defaults) as a new version, and return what then holds.

    Raises ValueError for an unknown name or a value outside its range; nothing is written then.
    """
    policy = DEFAULT_POLICY.overridden(values)
    row = {"tenant_id": tenant_id, "at_us": now_us, "by": by, "values": json.dumps(values, sort_keys=True)}
    connection.execute(insert(policy_overrides).values(row))
    return policy


def _from_json(text: str) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in json.loads(text).items()}
