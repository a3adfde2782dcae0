"""Coop: the report request that a platform posts to it, and its callbacks. PURE.

Reports have no id: it is derived from who reported what, when and why. Items keep their ids, their type is the target's
kind. Their `data`, the thread and all e-mail addresses are dropped.

A callback has no time: its decision is dated by its receipt.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime

from service.model import JsonObject
from service.platforms.items import REASON_CHARACTERS, complaint, outcome, words
from service.platforms.payload import Payload, Unusable, identity, instant, record, records
from service.platforms.platform import Platform
from service.platforms.signatures import Shared

_APPEALS = {"ACCEPT": ("rejected", "restored"), "REJECT": ("upheld", None)}


def read(document: object, now: datetime) -> Payload:
    """The complaint or outcome in one request. Raises Unusable for anything else."""
    if not isinstance(document, dict):
        raise Unusable("expected a request of Coop: a JSON object")
    if "reportedItem" in document:
        return _report(document)
    if "appealDecision" in document:
        return _appeal(document, now)
    if "appealId" in document:
        return Payload(notes=["ignored: the appeal has not been decided yet"])
    if "action" in document and "item" in document:
        return _action(document, now)
    raise Unusable("expected a request of Coop with 'reportedItem', 'appealDecision', or 'action' and 'item'")


def _report(document: JsonObject) -> Payload:
    reporter, item, why = (
        record(document.get("reporter")),
        record(document.get("reportedItem")),
        record(document.get("reportedForReason")),
    )
    policy = words(why.get("policyId"), REASON_CHARACTERS)
    name = _digest(
        "report",
        reporter.get("typeId"),
        reporter.get("id"),
        item.get("typeId"),
        item.get("id"),
        document.get("reportedAt"),
        policy,
    )
    return Payload(
        [
            complaint(
                id=name,
                occurred_at=instant(document.get("reportedAt")),
                reporter={"id": identity(reporter.get("id"))},
                target={"id": identity(item.get("id")), "kind": words(item.get("typeId"), REASON_CHARACTERS)},
                reason=policy,
                text=words(why.get("reason")),
                notice_type="illegal_content" if why.get("csam") is True else None,
                machine=reporter.get("kind") != "user",
                id_tells_reporter=True,
            )
        ]
    )


def _appeal(document: JsonObject, now: datetime) -> Payload:
    decision = document["appealDecision"]
    if not isinstance(decision, str) or decision not in _APPEALS:
        raise Unusable(f"'appealDecision' has to be one of {', '.join(_APPEALS)}")
    verdict, action = _APPEALS[decision]
    name = identity(document.get("appealId"))
    return Payload(
        [
            outcome(
                id=None if name is None else f"appeal/{name}",
                target_id=identity(record(document.get("item")).get("id")),
                decided_at=now,
                verdict=verdict,
                action=action,
                decided_by="appeal",
            )
        ]
    )


def _action(document: JsonObject, now: datetime) -> Payload:
    """An action was triggered: by a moderator (Coop names an actor), else by a rule or by a user's strikes."""
    item, action, policies, rules = (
        record(document["item"]),
        record(document["action"]),
        records(document.get("policies")),
        records(document.get("rules")),
    )
    if not policies:
        return Payload(
            notes=["ignored: the action has no policy, so the callback does not say whether the item broke a rule"]
        )
    person = isinstance(document.get("actorEmail"), str) and not rules
    name = _digest(
        "action",
        item.get("typeId"),
        item.get("id"),
        action.get("id"),
        sorted(identity(p.get("id")) or "" for p in policies),
        sorted(identity(r.get("id")) or "" for r in rules),
    )
    return Payload(
        [
            outcome(
                id=name,
                target_id=identity(item.get("id")),
                decided_at=now,
                verdict="upheld",
                decided_by="person" if person else "automatic",
            )
        ]
    )


def _digest(kind: str, *parts: object) -> str:
    # Escaped to ASCII, so that a lone surrogate does not fail here.
    text = json.dumps([part if isinstance(part, list) else identity(part) for part in parts])
    return f"{kind}/{hashlib.sha256(text.encode()).hexdigest()[:32]}"


PLATFORM = Platform(
    name="coop",
    words="Coop sends its reports with its key",
    read=lambda document, now, _mapping: read(document, now),
    scheme=lambda _mapping: Shared("x-api-key"),
)
