"""When a case was last reported to a receiver of messages: a subscription of a chat format, or a user by e-mail."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import Connection, delete, select, text

from service.storage.sql.engine import KEYS_PER_SELECT
from service.storage.sql.schema import reported_cases

KEPT_US = 90 * 86_400_000_000  # after that, a case that grows is new again
_REMEMBER = text(
    "INSERT INTO reported_cases (receiver, case_id, tenant_id, at_us) VALUES (:receiver, :case_id, :tenant_id, :at_us)"
    " ON CONFLICT (receiver, case_id) DO UPDATE SET at_us = excluded.at_us"
)


def reported_us(connection: Connection, receiver: str, case_ids: Collection[str]) -> dict[str, int]:
    """When each of the cases was last reported to the receiver; cases that never were are left out."""
    c, ids, found = reported_cases.c, sorted(case_ids), dict[str, int]()
    for start in range(0, len(ids), KEYS_PER_SELECT):
        some = ids[start : start + KEYS_PER_SELECT]
        rows = connection.execute(select(c.case_id, c.at_us).where(c.receiver == receiver, c.case_id.in_(some)))
        found.update((row.case_id, row.at_us) for row in rows)
    return found


def remember(connection: Connection, tenant_id: int, receiver: str, case_ids: Iterable[str], now_us: int) -> None:
    """The cases are reported now; what was reported long ago is forgotten."""
    rows = [
        {"receiver": receiver, "case_id": one, "tenant_id": tenant_id, "at_us": now_us} for one in sorted(set(case_ids))
    ]
    if rows:
        connection.execute(_REMEMBER, rows)
    c = reported_cases.c
    connection.execute(delete(reported_cases).where(c.receiver == receiver, c.at_us < now_us - KEPT_US))


def forget_receiver(connection: Connection, receiver: str) -> None:
    """The receiver gets no more messages."""
    connection.execute(delete(reported_cases).where(reported_cases.c.receiver == receiver))
