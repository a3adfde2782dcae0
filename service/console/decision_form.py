"""The fields of the decision panel and the decision they stand for. PURE."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import cast, get_args

from pydantic import ValidationError

from service.errors import Refused
from service.model import DecisionRequest, DecisionVerdict, ReasonCode

VERDICTS: tuple[tuple[str, str], ...] = (
    ("coordinated", "Coordinated"),
    ("not_coordinated", "Not coordinated"),
    ("escalated", "Escalate"),
    ("snoozed", "Snooze"),
)
REASONS: tuple[tuple[str, str], ...] = (
    ("brigade", "Brigade: an organised group"),
    ("patrol", "Patrol: they act together, and their complaints are right"),
    ("outrage", "Outrage: many honest people"),
    ("duplicate", "Duplicate of another case"),
    ("other", "Other"),
)
SNOOZES: tuple[tuple[str, str], ...] = (
    ("1", "1 day"),
    ("3", "3 days"),
    ("7", "1 week"),
    ("14", "2 weeks"),
    ("30", "30 days"),
)
DEFAULT_REASON = {"coordinated": "brigade", "not_coordinated": "outrage"}
LONGEST_NOTE = 4_096


@dataclass(frozen=True, slots=True)
class DecisionForm:
    """The decision panel's fields as submitted, unchecked."""

    verdict: str = ""
    reason_code: str = ""
    note: str = ""
    snooze_for: str = "3"  # days
    snooze_until: str = ""  # as <input type="datetime-local"> writes it, in `zone`; takes precedence over the days
    excluded: tuple[str, ...] = field(default=())
    zone: tzinfo = UTC

    def request(self, version: int, now: datetime) -> DecisionRequest:
        """The decision. Raises Refused with a message for the moderator."""
        if self.verdict not in get_args(DecisionVerdict):
            raise Refused("Select a decision: coordinated, not coordinated, escalate or snooze.")
        reason = self.reason_code or DEFAULT_REASON.get(self.verdict, "other")
        if reason not in get_args(ReasonCode):
            raise Refused("Select one of the listed reasons.")
        try:
            return DecisionRequest(
                verdict=cast(DecisionVerdict, self.verdict),
                reason_code=cast(ReasonCode, reason),
                note=self.note.strip() or None,
                excluded_reporters=list(dict.fromkeys(self.excluded)),
                version=version,
                snooze_until=self._until(now) if self.verdict == "snoozed" else None,
            )
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise Refused(f"{'.'.join(str(part) for part in first['loc']) or 'the decision'}: {first['msg']}") from None

    def _until(self, now: datetime) -> datetime:
        if self.snooze_until:
            try:
                at = datetime.fromisoformat(self.snooze_until)
                return (at.replace(tzinfo=self.zone) if at.tzinfo is None else at).astimezone(UTC)
            except (ValueError, OverflowError):
                raise Refused(
                    f"“{self.snooze_until[:40]}” is not a valid time. Use the form 2026-11-30T09:00."
                ) from None
        if (
            not (self.snooze_for.isascii() and self.snooze_for.isdigit())
            or not 1 <= len(self.snooze_for) <= 3
            or not 1 <= int(self.snooze_for) <= 366
        ):
            raise Refused("Snooze for 1 to 366 days.")
        return now + timedelta(days=int(self.snooze_for))


def reason_word(reason: str) -> str:
    """A reason in one word."""
    return dict(REASONS).get(reason, reason).partition(":")[0].lower()


def undo_request(
    verdict: str, snooze_until: datetime | None, reverses: str, version: int, *, note: str = ""
) -> DecisionRequest:
    """The decision that undoes another: it repeats its verdict, with at most a note."""
    return DecisionRequest(
        verdict=cast(DecisionVerdict, verdict),  # of a stored decision
        reason_code="other",
        note=note.strip() or None,
        reverses=reverses,
        snooze_until=snooze_until,
        version=version,
    )


def shared_letters(fingerprints: Sequence[str | None]) -> list[str | None]:
    """A letter for each fingerprint that several accounts share, A for the most frequent, shown instead of the hash."""
    count: dict[str, int] = {}
    for one in fingerprints:
        if one is not None:
            count[one] = count.get(one, 0) + 1
    shared = sorted((one for one, n in count.items() if n > 1), key=lambda one: (-count[one], one))
    letters = {one: _letters(k) for k, one in enumerate(shared)}
    return [None if one is None else letters.get(one) for one in fingerprints]


def _letters(k: int) -> str:
    text = ""
    k += 1
    while k:
        k, rest = divmod(k - 1, 26)
        text = chr(ord("A") + rest) + text
    return text
