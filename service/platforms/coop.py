"""Coop: the report request that a platform posts to it, and its callbacks. PURE. Follows roostorg/coop@1c1f54d.

Reports have no id: it is derived from who reported what, when and why. Items keep their ids, their type is the target's
kind. Their `data`, the thread and all e-mail addresses are dropped. The author is the report's `creator`, which Coop's
own request does not have: the platform may add it to the copy that it posts here.

A callback has no time: its decision is dated by its receipt. Where a moderator found no violation, the Ignore
callback gets the bare item, with no header of the platform's choice: only Coop's signature proves it.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime

from service.fields import REASON_CHARACTERS
from service.model import JsonObject
from service.platforms.items import complaint, outcome, words
from service.platforms.payload import Payload, Unusable, identity, instant, record, records
from service.platforms.platform import Platform
from service.platforms.signatures import SharedOrSigned

_IGNORED_ITEM = {"id", "typeId", "data", "ncmecMedia"}
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
    if {"id", "typeId"} <= document.keys() <= _IGNORED_ITEM:
        return _ignored(document, now)
    raise Unusable(
        "expected a request of Coop with 'reportedItem', 'appealDecision', 'action' and 'item', or an ignored item's"
        " 'id' and 'typeId'"
    )


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
                target={
                    "id": identity(item.get("id")),
                    "kind": words(item.get("typeId"), REASON_CHARACTERS),
                    "author_id": identity(record(item.get("creator")).get("id"))
                    or identity(record(document.get("creator")).get("id")),
                },
                reason=policy,
                text=words(why.get("reason")),
                notice_type="illegal_content" if why.get("csam") is True else None,
                machine=reporter.get("kind") != "user",
                id_tells_reporter=True,
            )
        ]
    )


def _ignored(document: JsonObject, now: datetime) -> Payload:
    """A moderator closed the item's job without an action."""
    return Payload(
        [
            outcome(
                id=_digest("ignore", document["typeId"], document["id"]),
                target_id=identity(document["id"]),
                decided_at=now,
                verdict="rejected",
                action="kept",
                decided_by="person",
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
    words="Coop sends reports with its key and signs callbacks: the secret is the key, its public key, or both",
    read=lambda document, now, _mapping: read(document, now),
    scheme=lambda _mapping: SharedOrSigned("x-api-key", "coop-signature"),
)
