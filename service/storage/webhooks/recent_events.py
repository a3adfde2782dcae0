"""Events about cases, as e-mail reports them: read from the outbox, which keeps them without subscriptions too."""

from __future__ import annotations

import json

from sqlalchemy import Connection, func, select

from service.notifications.digest import USUAL_EVENTS, Occurrence, occurrence_of
from service.storage.sql.schema import events

EVENTS_A_MESSAGE = 2_000


def occurrences_since(connection: Connection, tenant_id: int, since_us: int) -> list[Occurrence]:
    """New flags and holds since then, oldest first; the newest ones if they are very many."""
    c = events.c
    rows = connection.execute(
        select(c.id, c.at_us, c.type, c.data)
        .where(c.tenant_id == tenant_id, c.at_us > since_us, c.type.in_(USUAL_EVENTS))
        .order_by(c.at_us.desc(), c.id)
        .limit(EVENTS_A_MESSAGE)
    ).all()
    return [occurrence_of(row.id, row.at_us, row.type, json.loads(row.data)) for row in reversed(rows)]


def newest_us(connection: Connection, tenant_id: int) -> int:
    """When the latest of them was recorded; 0: there is none."""
    c = events.c
    found: int | None = connection.scalar(
        select(func.max(c.at_us)).where(c.tenant_id == tenant_id, c.type.in_(USUAL_EVENTS))
    )
    return found or 0
