"""Moderators' notes on a case, for each other: appended, never changed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from service.fields import is_storable
from service.model import microseconds, moment
from service.moderation.decisions import Unfit
from service.storage.cases.cases import family_of
from service.storage.cases.mentions import record_mentions
from service.storage.sql.engine import lock_tenant
from service.storage.sql.parts import IDS_AT_ONCE, parts
from service.storage.sql.schema import notes

LONGEST = 4_096  # characters, as a decision's note
SHOWN = 200  # the latest of a case


@dataclass(frozen=True, slots=True)
class Note:
    """One note."""

    id: int
    cluster_id: str
    at: datetime
    by: str
    text: str


def add_note(connection: Connection, tenant_id: int, cluster_id: str, text: str, *, by: str, now: datetime) -> Note:
    """Append a note in the caller's writing transaction. One that repeats the case's latest note, by the same person,
    is that note, sent twice.

    Raises NotFound for an unknown cluster, Unfit for an empty, overlong or unstorable text.
    """
    family_of(connection, tenant_id, cluster_id)
    text = text.strip()
    if not text or len(text) > LONGEST:
        raise Unfit(
            f"a note must have 1 to {LONGEST:,} characters; this one has {len(text):,}"
            if text
            else "the note is empty: write something or cancel",
            pointer="/text",
        )
    if not is_storable(text):
        raise Unfit(
            "a note must not contain a NUL character or a lone surrogate: not every database can store them",
            pointer="/text",
        )
    lock_tenant(connection, tenant_id)
    latest = connection.execute(
        sa.select(notes)
        .where(notes.c.tenant_id == tenant_id, notes.c.cluster_id == cluster_id)
        .order_by(notes.c.id.desc())
        .limit(1)
    ).first()
    if latest is not None and (latest.by, latest.text) == (by, text):
        return Note(latest.id, cluster_id, moment(latest.at_us), by, text)
    row = {"tenant_id": tenant_id, "cluster_id": cluster_id, "at_us": microseconds(now), "by": by, "text": text}
    identity = connection.execute(sa.insert(notes).values(row)).inserted_primary_key
    assert identity is not None
    record_mentions(connection, tenant_id, cluster_id, text, note_id=int(identity[0]), by=by, now=now)
    return Note(int(identity[0]), cluster_id, now, by, text)


def notes_of(connection: Connection, tenant_id: int, cluster_id: str) -> list[Note]:
    """The latest SHOWN notes on the case and on those merged into it, oldest first. Raises NotFound."""
    family = family_of(connection, tenant_id, cluster_id)
    newest = (
        sa.select(notes)
        .where(notes.c.tenant_id == tenant_id, notes.c.cluster_id.in_(family))
        .order_by(notes.c.id.desc())
        .limit(SHOWN)
    )
    return [
        Note(row.id, row.cluster_id, moment(row.at_us), row.by, row.text)
        for row in reversed(connection.execute(newest).all())
    ]


def counts_of(connection: Connection, tenant_id: int, cluster_ids: Collection[str]) -> dict[str, int]:
    """How many notes each of these cases has; those without any are left out."""
    ids = sorted(set(cluster_ids))
    found: dict[str, int] = {}
    for some in parts(ids, IDS_AT_ONCE):
        mine = notes.c.tenant_id == tenant_id, notes.c.cluster_id.in_(some)
        rows = connection.execute(
            sa.select(notes.c.cluster_id, sa.func.count()).where(*mine).group_by(notes.c.cluster_id)
        )
        found.update((cluster_id, count) for cluster_id, count in rows)
    return found
