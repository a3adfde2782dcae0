"""Cases in the database, as far as messages about them read them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import Engine

from service.storage.sql import schema
from service.storage.sql.engine import write


def store_case(engine: Engine, tenant_id: int, identity: str, **changes: Any) -> None:
    """A flagged, open case; a second call changes it."""
    values = {
        "id": identity,
        "tenant_id": tenant_id,
        "kind": "repeat",
        "disposition": "flagged",
        "status": "open",
        "score": 4.0,
        "probability": 0.9,
        "unfounded_probability": 0.5,
        "first_us": 0,
        "last_us": 0,
        "reporter_count": 14,
        "target_count": 20,
        "summary": "14 accounts complained about the same 20 targets.",
        "evidence": "[]",
        "policy_version": "test",
        "version": 1,
        "found_us": 0,
        **changes,
    }
    c = schema.clusters
    with write(engine) as connection:
        connection.execute(sa.delete(c).where(c.c.id == identity))
        connection.execute(sa.insert(c).values(**values))
