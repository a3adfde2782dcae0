"""The shift report in words: its sections, its lines, its rows, and the text to copy. PURE."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Literal

from service.console.decision_form import reason_word
from service.console.formatting import clock, offset
from service.console.lists import address
from service.console.person import Person
from service.console.settings.audit_sentences import action_label, audit_sentence
from service.moderation.decisions import verdict_words
from service.storage.cases.handovers import Handover
from service.storage.cases.shift_report import Part, ShiftGroup, ShiftRow

LIST = "/console/shift/list"
TITLES: Mapping[Part | Literal["holds"], str] = {
    "new": "New cases",
    "decided": "Decisions",
    "undone": "Decided, but undone since",
    "undoing": "Decisions that undid another",
    "restorations": "Restorations marked",
    "warnings": "Warnings recorded",
    "misuse": "Steps against misuse",
    "settings": "Changes of settings",
    "waiting": "Waiting for a decision now",
    "escalated": "Escalated and waiting now",
    "returning": "Snoozed, back in the next shift",
    "claims": "Claims left open now",
    "holds": "Targets on hold now",
}
_FINDINGS = {
    "flagged": "flagged",
    "held_back": "held back by the daily limit",
    "reliable": "reliable: moderators upheld its complaints",
    "revoked": "no longer flagged",
    "merged": "merged into another case",
}
_STEPS = {"warned": "warned", "suspended": "notices not processed for now", "restored": "notices processed again"}
# What moderators work by; an administrator sees all changes, as in the audit trail.
_FOR_EVERYBODY = ("policy", "allowed", "allowed no longer")
_FOR_ADMINS = (
    "settings",
    "sign-in-rules",
    "user-created",
    "user-role",
    "user-disabled",
    "user-enabled",
    "sso-changed",
    "sso-removed",
    "key-created",
    "key-revoked",
    "subscription.created",
    "subscription.changed",
    "subscription.disabled",
    "subscription.enabled",
    "subscription.deleted",
    "source added",
    "source rotated",
    "source removed",
    "import-started",
    "import-undone",
    "erase",
)


@dataclass(frozen=True, slots=True)
class ShiftLine:
    """One number, and the list that it counts."""

    label: str
    count: int
    first_at: datetime | None  # the oldest of them
    url: str
    by: str = ""  # whose name it begins with


@dataclass(slots=True)
class ShiftSection:
    """The lines of one part."""

    part: str
    title: str
    url: str  # of the list of all of it
    lines: list[ShiftLine] = field(default_factory=list)
    note: str = ""

    @property
    def total(self) -> int:
        """The number of all of them."""
        return sum(line.count for line in self.lines)

    @property
    def lasts(self) -> bool:
        """Whether its lines say since when something waits."""
        return self.part in ("waiting", "escalated", "returning", "claims")

    @property
    def first_at(self) -> datetime | None:
        """The oldest of all."""
        return min((line.first_at for line in self.lines if line.first_at is not None), default=None)


def settings_for(person: Person) -> tuple[str, ...]:
    """The changes of settings that this person sees in a report."""
    return (*_FOR_EVERYBODY, *_FOR_ADMINS) if person.may("admin") else _FOR_EVERYBODY


def section_of(part: Part | Literal["holds"], groups: Sequence[ShiftGroup], times: Mapping[str, str]) -> ShiftSection:
    """A part with a line for each group, each linked to its list."""
    lines = [
        ShiftLine(
            _label(part, one),
            one.count,
            one.first_at,
            address(LIST, part=part, by=one.by, what=one.what, reason=one.reason, **times),
            one.by,
        )
        for one in groups
    ]
    return ShiftSection(part, TITLES[part], address(LIST, part=part, **times), lines)


def _label(part: Part | Literal["holds"], group: ShiftGroup) -> str:
    by = f"{group.by}: " if group.by else ""
    return f"{by}{_what(part, group.what, group.reason)}"


def _what(part: Part | Literal["holds"], what: str, reason: str) -> str:
    if part == "undoing":
        return f"undid “{verdict_words(what, reason)}”" + (f" ({reason_word(reason)})" if reason != "other" else "")
    if part in ("decided", "undone"):
        return f"{verdict_words(what, reason)} ({reason_word(reason)})"
    if part == "misuse":
        return _STEPS.get(what, what)
    if part in ("restorations", "warnings", "settings"):
        return action_label(what)
    if part == "claims":
        return "claimed"
    return _FINDINGS.get(what, what)


def row_words(part: Part | Literal["holds"], row: ShiftRow) -> tuple[str, str]:
    """Who, and what they did, of one row."""
    if row.subject is not None:
        return row.by, audit_sentence(row.what, row.subject, json.loads(row.text or "{}"))
    return row.by, _what(part, row.what, row.reason)


def report_text(
    sections: Sequence[ShiftSection],
    handed_over: Sequence[Handover],
    since: datetime,
    until: datetime,
    zone: tzinfo,
) -> str:
    """The report as plain text, for a chat or an e-mail."""
    lines = [
        f"Shift from {clock(since, None, zone)} to {clock(until, None, zone)} ({offset(until.astimezone(zone))})",
    ]
    for section in sections:
        lines.append(f"{section.title}: {section.note or f'{section.total:,}'}")
        for line in section.lines:
            since_when = f", oldest since {clock(line.first_at, None, zone)}" if section.lasts and line.first_at else ""
            lines.append(f"- {line.label}: {line.count:,}{since_when}")
    for one in handed_over[:1]:
        lines += ["", f"Handover by {one.by}, {clock(one.at, None, zone)}:", one.text]
    return "\n".join(lines)
