"""Ozone's moderation events (tools.ozone.moderation.queryEvents). PURE.

The list is a log: reports are complaints, under the event's id; what moderators did to the same subject afterwards is
an outcome. An acknowledgement says "seen, nothing to do" only where nothing was done before: Ozone's moderators also
acknowledge to close what they have just labelled, so that the caller remembers which subjects were acted upon.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from service.model import JsonObject
from service.platforms.items import complaint, outcome, words
from service.platforms.listed import Listing, Unreadable, gather, mapping, moment, name, number

DEFS = "tools.ozone.moderation.defs#"
REPORT, TAKEDOWN, REVERSAL, ACKNOWLEDGE, LABEL = (
    DEFS + event
    for event in (
        "modEventReport",
        "modEventTakedown",
        "modEventReverseTakedown",
        "modEventAcknowledge",
        "modEventLabel",
    )
)
EVENTS = (REPORT, TAKEDOWN, REVERSAL, ACKNOWLEDGE, LABEL)
REMEMBERED = 200  # the latest subjects acted upon: a label is usually acknowledged within seconds
_HIDING = frozenset({"!hide", "!takedown", "!suspend"})
_AUTOMATIC = ("[AUTO_RESOLVE", "[SCHEDULED_REVERSAL]")  # comments of actions that Ozone takes automatically


def listing_of(events: Sequence[object], acted: list[str]) -> Listing:
    """What a page of events, oldest first, holds. `acted` (marks of subjects, oldest first) is brought up to date."""

    def read(event: JsonObject, listing: Listing) -> None:
        _read(event, listing, acted)

    return gather(events, read)


def _read(view: JsonObject, listing: Listing, acted: list[str]) -> None:
    made = moment(view.get("createdAt"), "createdAt")
    listing.times.append(made)
    identity = str(number(view.get("id"), "id"))
    event = mapping(view.get("event"), "event")
    target = _target(mapping(view.get("subject"), "subject"))
    kind, subject = event.get("$type"), str(target["id"])
    if kind == REPORT:
        reason = _short(event.get("reportType"))
        if reason == "reasonAppeal":
            listing.left_out["appeal"] += 1  # by the author: not a complaint about the subject
            return
        listing.items.append(
            complaint(
                id=identity,
                occurred_at=made,
                reason=reason,
                text=words(event.get("comment")),
                machine=_by_tool(view),
                reporter={"id": name(view.get("createdBy"), "createdBy")},
                target=target,
            )
        )
        return
    decision = _decision(kind, event, view, _mark(subject), acted)
    if decision is None:
        listing.left_out["says nothing"] += 1
        return
    listing.items.append(outcome(id=identity, target_id=subject, decided_at=made, **decision))


def _decision(kind: object, event: JsonObject, view: JsonObject, mark: str, acted: list[str]) -> JsonObject | None:
    comment = event.get("comment")
    automatic = isinstance(comment, str) and comment.startswith(_AUTOMATIC)
    by = "automatic" if automatic or _by_tool(view) else "person"
    if kind == TAKEDOWN:
        _remember(acted, mark)
        return {"verdict": "upheld", "action": "removed", "decided_by": by}
    if kind == REVERSAL:
        if mark in acted:
            acted.remove(mark)
        # The end of a suspension does not reverse the judgement.
        return {"verdict": None if automatic else "rejected", "action": "restored", "decided_by": by}
    if kind == LABEL:
        made = event.get("createLabelVals")
        labels = [label for label in made if isinstance(label, str)] if isinstance(made, list) else []
        if not labels:
            return None
        _remember(acted, mark)
        return {"verdict": "upheld", "action": "removed" if _HIDING.intersection(labels) else None, "decided_by": by}
    if kind == ACKNOWLEDGE and not automatic and mark not in acted:
        return {"verdict": "rejected", "action": "kept", "decided_by": by}
    return None


def _target(subject: JsonObject) -> JsonObject:
    if "uri" in subject:
        uri = name(subject.get("uri"), "subject.uri")
        parts = uri.removeprefix("at://").split("/")
        kind = parts[1].rsplit(".", 1)[-1] if len(parts) > 1 else ""
        return {"id": uri, "kind": kind[:64] or "record", "author_id": parts[0] or None}
    did = name(subject.get("did"), "subject.did")
    if "messageId" in subject:
        return {
            "id": f"message/{name(subject.get('messageId'), 'subject.messageId')}",
            "kind": "message",
            "author_id": did,
        }
    return {"id": did, "kind": "account", "author_id": did}


def _by_tool(view: JsonObject) -> bool:
    tool = view.get("modTool")
    named = tool.get("name") if isinstance(tool, dict) else None
    return isinstance(named, str) and named.lower().startswith("automod")


def _short(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise Unreadable("event.reportType is not a string")
    return value.rsplit("#", 1)[-1][:64]


def _mark(subject: str) -> str:
    return hashlib.blake2b(subject.encode("utf-8", "replace"), digest_size=6).hexdigest()


def _remember(acted: list[str], mark: str) -> None:
    if mark in acted:
        acted.remove(mark)
    acted.append(mark)
    del acted[:-REMEMBERED]
