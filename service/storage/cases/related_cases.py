"""Cases that are related to one: by history (merged, split, found again) or by members in common. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from service.model import Cluster, moment
from service.moderation.decisions import effective_status
from service.storage.cases.case_decisions import verdicts_of
from service.storage.cases.case_files import CaseFile
from service.storage.sql import schema
from service.storage.sql.engine import select_by_keys

RELATED_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Related:
    """Another cluster of the same people, or of the same history."""

    id: str
    relation: str  # earlier | later | split_from | split_off | merged_into | merged | shares
    shared: int  # members in common
    reporter_count: int
    target_count: int
    summary: str
    disposition: str
    status: str
    verdict: str | None
    reason: str | None  # that was given for the verdict
    last_at: datetime


def related_to(connection: Connection, tenant_id: int, file: CaseFile, *, now: datetime) -> list[Related]:
    """Clusters that are related by history or share members, at most RELATED_SHOWN, the closest first."""
    own = file.cluster
    statement = (
        "SELECT m.cluster_id, COUNT(*) FROM k CROSS JOIN cluster_members m WHERE m.tenant_id = ? AND m.reporter_key ="
        " k.column1 GROUP BY m.cluster_id"
    )
    shared: dict[str, int] = {}
    for other, count in select_by_keys(
        connection, statement, (tenant_id,), [(key,) for key in sorted(file.state.members)]
    ):
        shared[other] = shared.get(other, 0) + int(count)
    shared.pop(own.id, None)
    named = {one for one in (own.earlier, own.split_from, own.merged_into) if one is not None}
    c = schema.clusters.c
    merged = set(
        connection.scalars(
            sa.select(c.id).where(c.tenant_id == tenant_id, c.merged_into == own.id).limit(RELATED_SHOWN)
        )
    )
    closest = sorted(shared, key=lambda one: (-shared[one], one))[: 2 * RELATED_SHOWN]
    columns: tuple[Any, ...] = (
        c.id,
        c.summary,
        c.disposition,
        c.status,
        c.snooze_until_us,
        c.verdict,
        c.reporter_count,
        c.target_count,
        c.last_us,
        c.earlier,
        c.split_from,
    )
    rows = connection.execute(
        sa.select(*columns).where(c.tenant_id == tenant_id, c.id.in_([*named, *merged, *closest]))
    ).all()
    verdicts = verdicts_of(connection, tenant_id, [row.id for row in rows if row.verdict is not None])
    found = [
        Related(
            row.id,
            _relation(own, row, row.id in merged),
            shared.get(row.id, 0),
            row.reporter_count,
            row.target_count,
            row.summary,
            row.disposition,
            effective_status(row.status, None if row.snooze_until_us is None else moment(row.snooze_until_us), now),
            row.verdict,
            verdicts[row.id].reason if row.id in verdicts else None,
            moment(row.last_us),
        )
        for row in rows
    ]
    return sorted(found, key=lambda r: (r.relation == "shares", -r.shared, r.id))[:RELATED_SHOWN]


def _relation(own: Cluster, row: Any, merged: bool) -> str:
    if row.id == own.merged_into:
        return "merged_into"
    if merged:
        return "merged"
    if row.id == own.earlier:
        return "earlier"
    if row.id == own.split_from:
        return "split_from"
    return "later" if row.earlier == own.id else ("split_off" if row.split_from == own.id else "shares")
