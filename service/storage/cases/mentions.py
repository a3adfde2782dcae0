"""Who was mentioned in notes and decisions, and what they have read of it. The words stay where they were written."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from service.model import microseconds, moment
from service.moderation.mentions import mentioned, nobody_called
from service.storage.accounts.mail_preferences import plan_at_once
from service.storage.accounts.users import User, list_users
from service.storage.cases.merged_cases import merged_family
from service.storage.sql.engine import before_commit
from service.storage.sql.schema import clusters, decisions, mentions, notes

SHOWN = 100


@dataclass(frozen=True, slots=True)
class Mention:
    """One mention of a person."""

    id: int
    cluster_id: str
    summary: str
    by: str
    at: datetime
    text: str
    decided: bool  # it is in a decision's note
    read: bool


def people_named(connection: Connection, tenant_id: int, text: str) -> list[User]:
    """The tenant's people whom the text mentions, disabled accounts among them."""
    if "@" not in text:
        return []
    by_name = {one.name: one for one in list_users(connection, tenant_id)}
    return [by_name[name] for name in mentioned(text, by_name)]


def names_of_nobody(connection: Connection, tenant_id: int, text: str) -> list[str]:
    """What the text mentions that is the name of none of the tenant's people."""
    return nobody_called(text, [one.name for one in list_users(connection, tenant_id)]) if "@" in text else []


def record_mentions(
    connection: Connection,
    tenant_id: int,
    cluster_id: str,
    text: str | None,
    *,
    note_id: int | None = None,
    decision_id: str | None = None,
    by: str,
    now: datetime,
) -> None:
    """Store whom the text mentions, in the transaction that stores it; not its author, and no disabled account."""
    now_us = microseconds(now)
    named = [
        one for one in people_named(connection, tenant_id, text or "") if one.disabled_us is None and one.name != by
    ]
    for one in named:
        connection.execute(
            sa.insert(mentions).values(
                tenant_id=tenant_id,
                user_id=one.id,
                cluster_id=cluster_id,
                note_id=note_id,
                decision_id=decision_id,
                by=by,
                at_us=now_us,
            )
        )
    if named:  # at the end: whoever locks the timer of deliveries too locks that first
        before_commit(connection, lambda ending: plan_at_once(ending, tenant_id, now_us))


def unread_count(connection: Connection, user_id: int) -> int:
    """How many mentions the person has not read."""
    m = mentions.c
    unread = sa.select(sa.func.count()).select_from(mentions).where(m.user_id == user_id, m.read_us.is_(None))
    return connection.scalar(unread) or 0


def list_mentions(connection: Connection, tenant_id: int, user_id: int) -> list[Mention]:
    """The person's latest mentions, the unread ones first."""
    m = mentions.c
    rows = connection.execute(
        sa.select(mentions, clusters.c.summary, notes.c.text, decisions.c.note)
        .join(clusters, clusters.c.id == m.cluster_id)
        .outerjoin(notes, notes.c.id == m.note_id)
        .outerjoin(decisions, decisions.c.id == m.decision_id)
        .where(m.tenant_id == tenant_id, m.user_id == user_id)
        .order_by(m.read_us.is_not(None), m.id.desc())
        .limit(SHOWN)
    )
    return [
        Mention(
            row.id,
            row.cluster_id,
            row.summary,
            row.by,
            moment(row.at_us),
            row.text or row.note or "",
            row.decision_id is not None,
            row.read_us is not None,
        )
        for row in rows
    ]


def mark_read(
    connection: Connection, tenant_id: int, user_id: int, now: datetime, *, only: Collection[int] | None = None
) -> int:
    """The person has read these of their mentions, or all; how many were unread."""
    m = mentions.c
    mine = sa.and_(m.tenant_id == tenant_id, m.user_id == user_id, m.read_us.is_(None))
    which = mine if only is None else sa.and_(mine, m.id.in_(list(only)))
    return connection.execute(sa.update(mentions).where(which).values(read_us=microseconds(now))).rowcount


def unread_on(connection: Connection, tenant_id: int, user_id: int, cluster_id: str) -> list[int]:
    """The person's unread mentions on the case and on those merged into it."""
    m = mentions.c
    rows = connection.execute(
        sa.select(m.id, m.cluster_id).where(m.tenant_id == tenant_id, m.user_id == user_id, m.read_us.is_(None))
    ).all()
    family = set(merged_family(connection, tenant_id, cluster_id)) if rows else set()
    return [row.id for row in rows if row.cluster_id in family]


def to_be_mailed(connection: Connection, user_id: int, since_us: int) -> list[tuple[int, str]]:
    """(id, case) of the person's mentions after `since_us` that they have neither read nor got by e-mail."""
    m = mentions.c
    rows = connection.execute(
        sa.select(m.id, m.cluster_id).where(*_waiting(), m.user_id == user_id, m.at_us > since_us).order_by(m.id)
    )
    return [(row.id, row.cluster_id) for row in rows]


def newest_to_be_mailed(connection: Connection, tenant_id: int) -> dict[int, int]:
    """By person the time of the latest mention that they have neither read nor got by e-mail."""
    m = mentions.c
    rows = connection.execute(
        sa.select(m.user_id, sa.func.max(m.at_us)).where(*_waiting(), m.tenant_id == tenant_id).group_by(m.user_id)
    )
    return {user_id: at_us for user_id, at_us in rows}


def mark_mailed(connection: Connection, ids: Sequence[int], now_us: int) -> None:
    """These were sent."""
    if ids:
        connection.execute(sa.update(mentions).where(mentions.c.id.in_(list(ids))).values(mailed_us=now_us))


def _waiting() -> tuple[sa.ColumnElement[bool], ...]:
    return mentions.c.read_us.is_(None), mentions.c.mailed_us.is_(None)
