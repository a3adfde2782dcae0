"""What happened to a case, in words. PURE."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from service.console.decision_form import VERDICT_WORDS
from service.console.formatting import plural
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


_SIGNS = {"found": "⚑", "event": "↗", "decision": "●", "note": "✎", "hand": "☞", "outcome": "⚖"}
_WHO = {"person": "A moderator of the platform", "automatic": "The platform, automatically", "appeal": "An appeal"}


def entry_of(entry: CaseHistoryItem) -> HistoryEntry:
    """The entry in words."""
    who, what = _words(entry)
    return HistoryEntry(
        entry.at,
        _SIGNS[entry.kind],
        who,
        what,
        entry.text,
        entry.target,
        entry.decision.id if entry.decision is not None else None,
        entry.standing,
    )


def _words(entry: CaseHistoryItem) -> tuple[str, str]:
    if entry.kind == "decision":
        return entry.by or "", _decided(entry)
    if entry.kind == "note":
        return entry.by or "", "noted"
    if entry.kind == "hand":
        held = entry.data.get("from")
        if entry.what == "claim":
            return entry.by or "", f"took the case over from {held}" if held else "claimed the case"
        return entry.by or "", (
            "gave the case back"
            if held
            in (
                None,
                entry.by,
            )
            else f"took the case out of the hands of {held}"
        )
    if entry.kind == "outcome":
        return _WHO.get(entry.by or "", entry.by or ""), f"decided: {entry.what}" + (
            " (about one complaint)" if entry.data.get("complaint_id") else ""
        )
    if entry.kind == "found":
        return "The detector", f"found the group {entry.data['cluster_id']}"
    return "The detector", _event(entry)


def _decided(entry: CaseHistoryItem) -> str:
    decision = entry.decision
    assert decision is not None
    if decision.reverses is not None:
        return f"took a decision back ({decision.reverses})"
    said = f"decided: {VERDICT_WORDS[decision.verdict]} ({decision.reason_code})"
    if decision.snooze_until is not None:
        said += f", until {decision.snooze_until:%d %b %Y, %H:%M} UTC"
    if decision.excluded_reporters:
        said += f", took {plural(len(decision.excluded_reporters), 'account')} out"
    return said if entry.standing else f"{said} – taken back since"


def _event(entry: CaseHistoryItem) -> str:
    data = entry.data
    if entry.what == "cluster.grown":
        gained = [
            plural(data[f"gained_{noun}s"], noun) for noun in ("reporter", "target") if data.get(f"gained_{noun}s")
        ]
        absorbed = f", swallowed {', '.join(data['absorbed'])}" if data.get("absorbed") else ""
        return f"saw it grow by {' and '.join(gained) or 'complaints'}{absorbed}" + (
            ", and opened the case again" if data.get("reopened") else ""
        )
    if entry.what == "cluster.flagged":
        return (
            f"flagged it: {plural(data.get('reporter_count', 0), 'account')} on"
            f" {plural(data.get('target_count', 0), 'target')}"
        )
    return "revoked it"
