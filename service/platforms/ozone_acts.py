"""What Ozone's moderators did to each subject, and when it was taken back, as far as a poller remembers it. PURE.

A poll reads the last minutes of a log again, so an act that was taken back stays known with the time of its end: what
an acknowledgement in between meant is then answered as it was the first time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, field

REMEMBERED = 1_000  # acts; the oldest are forgotten first, and what takes them back later retracts nothing
_LONGEST_TEXT = 128
CLOSING = "closing of report "  # no label has a space
When = tuple[int, int]  # microseconds, and the number of the entry: entries of one millisecond have an order


@dataclass(slots=True)
class Act:
    """One label, one takedown, or the closing of one report."""

    subject: str  # a digest
    outcome: str  # the id of the outcome that it became
    label: str | None  # None: a takedown; CLOSING and the report's number: a report that was closed as it was
    since: When
    until: When | None = None

    @property
    def closes(self) -> bool:
        """Whether it is the closing of a report, rather than something done about the subject."""
        return self.label is not None and self.label.startswith(CLOSING)

    def stood_at(self, when: When) -> bool:
        """Whether it was made before and not yet taken back; what takes it back meets it standing."""
        return self.since < when and (self.until is None or self.until >= when)

    def stands_after(self, when: When) -> bool:
        """The same, once what happened at `when` is done."""
        return self.since < when and (self.until is None or self.until > when)


@dataclass(slots=True)
class Acts:
    """The latest acts, in the order in which they were read."""

    known: list[Act] = field(default_factory=list)

    def done(self, subject: str, when: When) -> bool:
        """Whether a label or a takedown stood then."""
        return any(not act.closes for act in self._standing(subject, when))

    def remember(self, subject: str, outcome: str, label: str | None, when: When) -> None:
        """Remember an act, unless it is known: a log is read again in part."""
        mark = _digest(subject)
        if not any(a.subject == mark and a.outcome == outcome and a.label == label for a in self.known):
            self.known.append(Act(mark, outcome, label, when))

    def end(self, subject: str, labels: Collection[str | None], when: When) -> list[str]:
        """Take back what stands of these labels (None: takedowns).

        The ids of the outcomes of which nothing stands any more: one may have several labels.
        """
        return self._end(subject, [act for act in self._standing(subject, when) if act.label in labels], when)

    def overrule(self, subject: str, when: When) -> list[str]:
        """The same for reports that were closed as if there was nothing to do."""
        return self._end(subject, [act for act in self._standing(subject, when) if act.closes], when)

    def _standing(self, subject: str, when: When) -> list[Act]:
        mark = _digest(subject)
        return [act for act in self.known if act.subject == mark and act.stood_at(when)]

    def _end(self, subject: str, ended: list[Act], when: When) -> list[str]:
        for act in ended:
            act.until = when
        mark = _digest(subject)
        left = {act.outcome for act in self.known if act.subject == mark and act.stands_after(when)}
        return [identity for identity in dict.fromkeys(act.outcome for act in ended) if identity not in left]

    def stored(self) -> list[list[object]]:
        """As JSON."""
        return [[a.subject, a.outcome, a.label, *a.since, *(a.until or ())] for a in self.known[-REMEMBERED:]]


def acts_of(stored: object) -> Acts:
    """The acts that `stored` made; none for anything else."""
    found: list[Act] = []
    for row in stored[-REMEMBERED:] if isinstance(stored, list) else ():
        match row:
            case [str(subject), str(outcome), str() | None as label, *times] if (
                len(times) in (2, 4)
                and all(isinstance(t, int) and not isinstance(t, bool) and 0 <= t < 2**63 for t in times)
                and max(map(len, (subject, outcome, label or ""))) <= _LONGEST_TEXT
            ):
                until = (times[2], times[3]) if len(times) == 4 else None
                found.append(Act(subject, outcome, label, (times[0], times[1]), until))
    return Acts(found)


def _digest(subject: str) -> str:
    return hashlib.blake2b(subject.encode("utf-8", "replace"), digest_size=6).hexdigest()
