"""The audit trail: one line for whatever a person (or the command line) changes, in the transaction that changes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, insert

from service.storage.schema import audit_trail

_ACTOR, _ACTION, _SUBJECT = 128, 40, 160  # lengths of the columns


def enter(connection: Connection, tenant_id: int, *, actor: str, action: str, subject: str, now_us: int, detail: Mapping[str, Any] | None = None) -> None:
    """Append a line: who (`actor`) did what (`action`) to what (`subject`, like "user:anna" or "cluster:k-1")."""
    connection.execute(insert(audit_trail).values(
        tenant_id=tenant_id, at_us=now_us, actor=actor[:_ACTOR], action=action[:_ACTION], subject=subject[:_SUBJECT], detail=json.dumps(dict(detail or {}), sort_keys=True),
    ))
