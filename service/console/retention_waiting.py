"""The retention run that is waiting for consent, as the privacy settings and Operations show it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from service.model import moment
from service.storage.privacy import retention_guard


@dataclass(frozen=True, slots=True)
class RetentionWaiting:
    """What templates/parts/retention_waits.html shows."""

    because: retention_guard.Because
    records: int
    before: datetime
    since: datetime


def retention_waiting(connection: Connection, tenant_id: int) -> RetentionWaiting | None:
    """The tenant's refused run; None if none is."""
    refusal = retention_guard.read_state(connection, tenant_id).refusal
    if refusal is None:
        return None
    return RetentionWaiting(refusal.because, refusal.records, moment(refusal.before_us), moment(refusal.since_us))
