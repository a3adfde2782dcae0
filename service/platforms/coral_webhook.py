"""Coral's webhook. PURE.

It never says who flagged what, nor who decided: only that a comment entered or left a moderation queue. So it only
wakes the poller, which reads the flags and each comment's moderation history (service/platforms/coral.py).
"""

from __future__ import annotations

from datetime import datetime

from service.platforms.payload import Payload, Unusable, identity

_QUEUES = ("COMMENT_ENTERED_MODERATION_QUEUE", "COMMENT_LEFT_MODERATION_QUEUE")


def read(document: object, now: datetime) -> Payload:
    """Whether to fetch flags. Raises Unusable for anything but an event of Coral."""
    if not isinstance(document, dict) or not isinstance(document.get("type"), str):
        raise Unusable("expected an event of Coral: a JSON object with the field 'type'")
    wakes = document["type"] in _QUEUES
    return Payload(
        notes=[] if wakes else ["ignored: the event is not about a moderation queue"],
        key=identity(document.get("id")),
        wakes=wakes,
    )
