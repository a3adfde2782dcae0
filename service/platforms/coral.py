"""Coral: what its webhook says. PURE.

It never says who flagged what, only that a comment entered or left a moderation queue: so it wakes the poller
(service/platforms/coral_flags.py reads the flags themselves), and a comment that left a queue approved or
rejected was decided on by a moderator.
"""

from __future__ import annotations

from datetime import datetime

from service.platforms.delivery import Delivery, Unusable, identity, instant, outcome, record

_ENTERED, _LEFT = "COMMENT_ENTERED_MODERATION_QUEUE", "COMMENT_LEFT_MODERATION_QUEUE"
_DECISIONS = {"APPROVED": ("rejected", "kept"), "REJECTED": ("upheld", "removed")}


def read(document: object, now: datetime) -> Delivery:
    """The outcome in one event, and whether to fetch flags. Raises Unusable for what is no event of Coral."""
    if not isinstance(document, dict) or not isinstance(document.get("type"), str):
        raise Unusable("an event of Coral is a JSON object with the field 'type'")
    key = identity(document.get("id"))
    if document["type"] not in (_ENTERED, _LEFT):
        return Delivery(notes=["an event about something else than moderation queues"], key=key)
    delivery = Delivery(key=key, wakes=True)
    data = record(document.get("data"))
    status = data.get("status")
    if document["type"] == _LEFT and isinstance(status, str) and status in _DECISIONS:
        verdict, action = _DECISIONS[status]
        made = instant(document.get("createdAt"))
        delivery.items.append(outcome(id=None if key is None else f"event/{key}", target_id=identity(data.get("commentID")), decided_at=made, verdict=verdict, action=action, decided_by="person"))
    return delivery
