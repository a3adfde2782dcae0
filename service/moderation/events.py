"""Events that are sent to subscribers: their types, and one event."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

EventType = Literal[
    "cluster.flagged",
    "cluster.grown",
    "cluster.revoked",
    "cluster.decided",
    "target.hold",
    "target.restore_suggested",
    "reporter.warn_suggested",
    "campaign.formed",
    "campaign.grown",
    "audit.recorded",
]
EVENT_TYPES: tuple[str, ...] = get_args(EventType)
AUDIT_RECORDED = "audit.recorded"  # a line of the audit trail (storage/accounts/audit_log.py)
# Sent only to subscriptions that name them, never as part of "all": they are for whoever watches over administrators.
CHOSEN_ONLY = frozenset({AUDIT_RECORDED})
DEFAULT_TYPES = tuple(kind for kind in EVENT_TYPES if kind not in CHOSEN_ONLY)
PING = "ping"  # sent to one subscriber on request, as a test; nobody can subscribe to it


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a case, or a line of the audit trail, as it is sent to subscribers."""

    type: str  # one of EVENT_TYPES
    key: str  # identifies the event if it is found again: within a tenant, (type, key) is sent once
    data: dict[str, Any] = field(default_factory=dict, hash=False)  # JSON; small: ids and figures, no lists of members
