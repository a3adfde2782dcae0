"""A case's history as text. PURE."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from service.console.decision_form import reason_word
from service.console.formatting import clock, offset
from service.moderation.decisions import is_plain_undo, verdict_words
from service.moderation.phrases import plural
from service.storage.cases.case_history import CaseHistoryItem


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One entry of the history as the page shows it."""

    at: datetime
    sign: str
    who: str
    what: str
    text: str | None  # of a person: a note
    target: str | None
    decision_id: str | None
    standing: bool


_SIGNS = {"found": "⚑", "event": "↗", "decision": "●", "note": "✎", "hand": "☞", "tag": "#", "outcome": "⚖"}
_WHO = {"person": "A platform moderator", "automatic": "The platform, automatically", "appeal": "An appeal"}


def entry_of(entry: CaseHistoryItem, zone: tzinfo = UTC) -> HistoryEntry:
    """The entry as text."""
    who, what = _who_and_what(entry, zone)
    return HistoryEntry(
        entry.at,
        _SIGNS[entry.kind],
        who,
        what,
        entry.text,
        entry.target,
        entry.decision.id if entry.decision is not None else None,
        entry.standing or entry.kind == "tag",
    )


def _who_and_what(entry: CaseHistoryItem, zone: tzinfo) -> tuple[str, str]:
    if entry.kind == "decision":
        return entry.by or "", _decision_text(entry, zone)
    if entry.kind == "note":
        return entry.by or "", "added a note"
    if entry.kind == "tag":
        return entry.by or "", f"{'added' if entry.standing else 'removed'} the tag “{entry.what}”"
    if entry.kind == "hand":
        holder, to = entry.data.get("from"), entry.data.get("to")
        if entry.what == "case moved":
            return entry.by or "", f"moved the case to the queue “{to}”" if to else "moved the case to no queue"
        if entry.what == "case assigned":
            return entry.by or "", f"assigned the case to {to or 'nobody'}"
        if entry.what == "claim":
            return entry.by or "", f"took the case over from {holder}" if holder else "claimed the case"
        return entry.by or "", ("released the case" if holder in (None, entry.by) else f"ended the claim of {holder}")
    if entry.kind == "outcome":
        return _WHO.get(entry.by or "", entry.by or ""), _outcome_text(entry)
    if entry.kind == "found":
        return "The detector", f"found the group {entry.data['cluster_id']}"
    return "The detector", _event_text(entry)


def _decision_text(entry: CaseHistoryItem, zone: tzinfo) -> str:
    decision = entry.decision
    assert decision is not None
    if is_plain_undo(decision, entry.undone):
        return f"undid decision {decision.reverses}"
    undid = "" if decision.reverses is None else f"undid decision {decision.reverses} and "
    words = verdict_words(decision.verdict, decision.reason_code)
    text = f"{undid}decided: {words} ({reason_word(decision.reason_code)})"
    if decision.snooze_until is not None:
        text += f", until {clock(decision.snooze_until, None, zone)} {offset(decision.snooze_until.astimezone(zone))}"
    if decision.excluded_reporters:
        text += f", excluding {plural(len(decision.excluded_reporters), 'account')}"
    return text if entry.standing else f"{text} (undone later)"


def _outcome_text(entry: CaseHistoryItem) -> str:
    retracts = entry.data.get("retracts")
    did = [
        *([f"recorded the outcome: {entry.what}"] if entry.what else []),
        *([f"took back outcome {retracts}"] if retracts else []),
    ]
    about = " (about one complaint)" if entry.data.get("complaint_id") else ""
    return f"{' and '.join(did)}{about}{'' if entry.standing else ' (taken back later)'}"


def _event_text(entry: CaseHistoryItem) -> str:
    data = entry.data
    if entry.what == "cluster.grown":
        gained = [
            plural(data[f"gained_{noun}s"], noun) for noun in ("reporter", "target") if data.get(f"gained_{noun}s")
        ]
        absorbed = f", absorbing {', '.join(data['absorbed'])}" if data.get("absorbed") else ""
        return f"reported growth by {' and '.join(gained) or 'complaints'}{absorbed}" + (
            ", and reopened the case" if data.get("reopened") else ""
        )
    if entry.what == "cluster.flagged":
        return (
            f"flagged the case: {plural(data.get('reporter_count', 0), 'account')} on"
            f" {plural(data.get('target_count', 0), 'target')}"
        )
    return "no longer flags it"


def undoable(history: Sequence[CaseHistoryItem]) -> str | None:
    """The latest decision in force, which the key `u` undoes."""
    return next(
        (entry.decision.id for entry in reversed(history) if entry.decision is not None and entry.standing), None
    )
