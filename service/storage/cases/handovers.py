"""What one shift leaves to the next: a text, its author and its time, as entries of the audit trail. An erasure finds
people named in it there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine

from service.errors import Refused
from service.fields import is_storable
from service.model import microseconds, moment
from service.storage.accounts import audit_log
from service.storage.accounts.audit_log import AuditEntry, AuditFilter
from service.storage.sql.engine import lock_tenant, write

ACTION, LONGEST = "handover", 4_096
SHOWN = 3


@dataclass(frozen=True, slots=True)
class Handover:
    """One text."""

    at: datetime
    by: str
    text: str


def hand_over(engine: Engine, tenant_id: int, text: str, *, by: str, now: datetime) -> bool:
    """Store the text; False for one that repeats the latest, sent twice. Raises Refused for an unfit one."""
    text = text.strip().replace("\r\n", "\n")
    if not text or len(text) > LONGEST:
        raise Refused(f"A handover must have 1 to {LONGEST:,} characters; this one has {len(text):,}.")
    if not is_storable(text):
        raise Refused("A handover must not contain a NUL character or a lone surrogate.")
    with write(engine) as connection:
        lock_tenant(connection, tenant_id)
        before = latest(connection, tenant_id, limit=1)
        if before and (before[0].by, before[0].text) == (by, text):
            return False
        audit_log.enter(
            connection,
            tenant_id,
            actor=by,
            action=ACTION,
            subject="shift",
            now_us=microseconds(now),
            detail={"text": text},
        )
    return True


def latest(connection: Connection, tenant_id: int, *, limit: int = SHOWN) -> list[Handover]:
    """The latest texts, newest first."""
    found, _ = audit_log.list_page(connection, tenant_id, AuditFilter(action=ACTION), before_id=None, limit=limit)
    return [_handover(entry) for entry in found]


def last_of(connection: Connection, tenant_id: int, by: str) -> Handover | None:
    """The person's latest."""
    found, _ = audit_log.list_page(connection, tenant_id, AuditFilter(actor=by, action=ACTION), before_id=None, limit=1)
    return _handover(found[0]) if found else None


def _handover(entry: AuditEntry) -> Handover:
    return Handover(moment(entry.at_us), entry.actor, str(entry.detail.get("text", "")))
