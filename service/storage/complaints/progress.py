"""A tenant's progress: counters and positions that the workers keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from service.storage.sql.schema import analysis_state, dead_letters, feed, ingest_state


@dataclass(frozen=True, slots=True)
class TenantProgress:
    """A tenant's counters and positions in SQL; all zero for one that never sent anything."""

    archived: int  # items, duplicates included
    duplicates: int
    conflicting: int
    late: int
    analysed: int
    dead_letters: int  # dead letters, without those sent again
    archived_position: int  # all items at or below it are archived or dead
    analysed_position: int
    swept_position: int
    watermark_us: int | None
    waiting_items: int  # archived, not analysed yet
    waiting_since_us: int | None  # receipt of the oldest of these
    resent: int  # dead letters sent again: in the stream, without a position of their own


def read_progress(connection: Connection, tenant_id: int) -> TenantProgress:
    """Read the tenant's progress from SQL. Items acknowledged but not yet archived are only in the stream."""
    ingested: Mapping[Any, Any] = (
        connection.execute(select(ingest_state).where(ingest_state.c.tenant_id == tenant_id)).mappings().first() or {}
    )
    analysis: Mapping[Any, Any] = (
        connection.execute(select(analysis_state).where(analysis_state.c.tenant_id == tenant_id)).mappings().first()
        or {}
    )
    behind = (feed.c.tenant_id == tenant_id) & (feed.c.last_seq > int(analysis.get("cursor_seq") or 0))
    items, since = connection.execute(
        select(func.coalesce(func.sum(feed.c["items"]), 0), func.min(feed.c.oldest_received_us)).where(behind)
    ).one()
    mine = dead_letters.c.tenant_id == tenant_id
    dead = connection.scalar(select(func.count()).where(mine, dead_letters.c.resent_us.is_(None))) or 0
    resent, resent_us = connection.execute(
        select(func.count(), func.min(dead_letters.c.resent_us)).where(mine, dead_letters.c.resent_us.is_not(None))
    ).one()
    known = [int(at) for at in (since, resent_us) if at is not None]
    return TenantProgress(
        archived=int(ingested.get("archived") or 0),
        duplicates=int(ingested.get("duplicates") or 0),
        conflicting=int(ingested.get("conflicting") or 0),
        late=int(ingested.get("late") or 0),
        analysed=int(analysis.get("analysed") or 0),
        dead_letters=dead,
        archived_position=int(ingested.get("archived_position") or 0),
        analysed_position=int(analysis.get("analysed_position") or 0),
        swept_position=int(analysis.get("swept_position") or 0),
        watermark_us=ingested.get("watermark_us"),
        waiting_items=int(items),
        waiting_since_us=min(known, default=None),
        resent=int(resent),
    )
