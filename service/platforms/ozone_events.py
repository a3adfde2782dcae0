"""Ozone's moderation events (tools.ozone.moderation.queryEvents). PURE.

The list is a log: reports are complaints, under the event's id; what moderators did to the same subject afterwards is
an outcome. An acknowledgement says "seen, nothing to do" only where nothing was done before: Ozone's moderators also
acknowledge to close what they have just labelled, so that the caller remembers what was done (ozone_acts.py). What is
taken back is retracted: a reversed takedown, and a label once all of its event's labels are negated.

An account's takedown with `acknowledgeAccountSubjects` is about the account alone. Ozone closes the reports on its
records on its own, unseen by a person: that says nothing about those records.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from service.model import JsonObject, microseconds
from service.platforms.items import complaint, outcome, words
from service.platforms.listed import Listing, Unreadable, gather, mapping, moment, name, number
from service.platforms.ozone_acts import Acts, When
from service.platforms.ozone_subjects import target_of

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
_HIDING = frozenset({"!hide", "!takedown", "!suspend"})
_AUTOMATIC = ("[AUTO_RESOLVE", "[SCHEDULED_REVERSAL]")  # comments of actions that Ozone takes automatically


def listing_of(events: Sequence[object], acts: Acts) -> Listing:
    """What a page of events, oldest first, holds. `acts` is brought up to date."""
    return gather(events, partial(_read, acts=acts))


def _read(view: JsonObject, listing: Listing, acts: Acts) -> None:
    made = moment(view.get("createdAt"), "createdAt")
    listing.times.append(made)
    position = number(view.get("id"), "id")
    event = mapping(view.get("event"), "event")
    target = target_of(mapping(view.get("subject"), "subject"))
    kind = event.get("$type")
    if kind == REPORT:
        reason = _short(event.get("reportType"))
        if reason == "reasonAppeal":
            listing.left_out["appeal"] += 1  # by the author: not a complaint about the subject
            return
        listing.items.append(
            complaint(
                id=str(position),
                occurred_at=made,
                reason=reason,
                text=words(event.get("comment")),
                machine=_by_tool(view),
                reporter={"id": name(view.get("createdBy"), "createdBy")},
                target=target,
            )
        )
        return
    subject = str(target["id"])
    decisions = _decisions(kind, event, _by_tool(view), (subject, str(position), (microseconds(made), position)), acts)
    if not decisions:
        listing.left_out["says nothing"] += 1
    for identity, decision in decisions:
        listing.items.append(outcome(id=identity, target_id=subject, decided_at=made, **decision))


def _decisions(
    kind: object, event: JsonObject, by_tool: bool, about: tuple[str, str, When], acts: Acts
) -> list[tuple[str, JsonObject]]:
    """The outcomes of one event, each with its id; `about` is the subject, the event's id and its place in the log."""
    subject, identity, when = about
    comment = event.get("comment")
    automatic = isinstance(comment, str) and comment.startswith(_AUTOMATIC)
    by = "automatic" if automatic or by_tool else "person"
    if kind == TAKEDOWN:
        acts.remember(subject, identity, None, when)
        gone = acts.overrule(subject, when)
        return _retracting(identity, {"verdict": "upheld", "action": "removed", "decided_by": by}, gone)
    if kind == REVERSAL:
        gone = acts.end(subject, (None,), when)
        if automatic:  # the end of a suspension does not reverse the judgement
            return [(identity, {"action": "restored", "decided_by": by})]
        return _retracting(identity, {"verdict": "rejected", "action": "restored", "decided_by": by}, gone)
    if kind == LABEL:
        return _labelled(event, by, automatic, about, acts)
    if kind == ACKNOWLEDGE and not automatic and not acts.done(subject, when):
        return [(identity, {"verdict": "rejected", "action": "kept", "decided_by": by})]
    return []


def _labelled(
    event: JsonObject, by: str, automatic: bool, about: tuple[str, str, When], acts: Acts
) -> list[tuple[str, JsonObject]]:
    subject, identity, when = about
    made, negated = _labels(event.get("createLabelVals")), _labels(event.get("negateLabelVals"))
    gone = acts.end(subject, negated, when)
    if automatic:
        gone = []
    for label in made:
        acts.remember(subject, identity, label, when)
    if made:
        gone += acts.overrule(subject, when)
        hidden = "removed" if _HIDING.intersection(made) else None
        return _retracting(identity, {"verdict": "upheld", "action": hidden, "decided_by": by}, gone)
    shown = "restored" if _HIDING.intersection(negated) else None
    return _retracting(identity, {"action": shown, "decided_by": by}, gone) if gone or shown else []


def _retracting(identity: str, decision: JsonObject, gone: list[str]) -> list[tuple[str, JsonObject]]:
    """The decision, which retracts the first of `gone`; an outcome of its own for each further one."""
    return [
        (identity, {**decision, "retracts": next(iter(gone), None)}),
        *((f"{identity}/{other}", {"retracts": other, "decided_by": decision["decided_by"]}) for other in gone[1:]),
    ]


def _labels(value: object) -> list[str]:
    return [label for label in value if isinstance(label, str)] if isinstance(value, list) else []


def _by_tool(view: JsonObject) -> bool:
    """Whether a program did it: Ozone's automod, or a tool that says so."""
    tool = view.get("modTool")
    if not isinstance(tool, dict):
        return False
    named, meta = tool.get("name"), tool.get("meta")
    return (isinstance(named, str) and named.lower().startswith("automod")) or (
        isinstance(meta, dict) and meta.get("isAutomated") is True
    )


def _short(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise Unreadable("event.reportType is not a string")
    return value.rsplit("#", 1)[-1][:64]
