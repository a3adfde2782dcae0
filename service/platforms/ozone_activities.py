"""Reports that Ozone's moderators closed without a moderation event (tools.ozone.report.queryActivities). PURE.

A report that is closed because of an event (a takedown, an acknowledgement) has an activity as well, and the event
speaks for it. One that closeReports or createActivity closed has nothing but the activity: nothing was done about the
subject, so the complaint is rejected, alone. A report that is opened again takes that back.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from service.model import JsonObject, microseconds
from service.platforms.items import LARGEST_NUMBER, outcome
from service.platforms.listed import Listing, gather, mapping, moment, name, number
from service.platforms.ozone_acts import CLOSING, Acts
from service.platforms.ozone_subjects import target_at

CLOSE, REOPEN = "closeActivity", "reopenActivity"
_DEFS = "tools.ozone.report.defs#"
_LATEST = (2**62, 0)


def listing_of(activities: Sequence[object], acts: Acts) -> Listing:
    """What a page of activities, oldest first, holds. `acts` is brought up to date."""
    return gather(activities, partial(_read, acts=acts))


def _read(view: JsonObject, listing: Listing, acts: Acts) -> None:
    made = moment(view.get("createdAt"), "createdAt")
    listing.times.append(made)
    position = number(view.get("id"), "id")
    kind = mapping(view.get("activity"), "activity").get("$type")
    report = mapping(view.get("report"), "report")
    target = target_at(name(mapping(report.get("subject"), "report.subject").get("subject"), "report.subject.subject"))
    closing = f"{CLOSING}{number(view.get('reportId'), 'reportId')}"
    when = (microseconds(made), position)
    decision: JsonObject
    if kind == _DEFS + CLOSE and not _acted(report, target, when[0], acts):
        acts.remember(target, f"activity/{position}", closing, when)
        decision = {"verdict": "rejected", "action": "kept"}
    elif kind == _DEFS + REOPEN and (gone := acts.end(target, (closing,), when)):
        decision = {"retracts": gone[-1]}
    else:
        listing.left_out["says nothing"] += 1
        return
    listing.items.append(
        outcome(
            id=f"activity/{position}",
            target_id=target,
            complaint_id=str(number(report.get("eventId"), "report.eventId")),
            decided_at=made,
            decided_by="automatic" if view.get("isAutomated") is True else "person",
            **decision,
        )
    )


def _acted(report: JsonObject, target: str, at_us: int, acts: Acts) -> bool:
    """Whether an event speaks for the report, or something was done about its subject before it was closed or since."""
    status = report.get("subjectStatus")
    return (
        bool(report.get("actionEventIds"))
        or str(report.get("reportType")).endswith("#reasonAppeal")
        or (isinstance(status, dict) and status.get("takendown") is True)
        or acts.done(target, (at_us, LARGEST_NUMBER))
        or acts.done(target, _LATEST)
    )
