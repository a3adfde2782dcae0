"""What could not be used of items that were taken: notes, listed and counted. PURE."""

from __future__ import annotations

from dataclasses import dataclass, field

from service.intake.items import Amended, CheckedItem
from service.intake.repair import ATTRIBUTES
from service.model import ItemNote, RejectedItem

MAX_REPORTED = 100  # errors, or notes, listed in one answer; the others are counted


@dataclass(slots=True)
class NoteCount:
    """What could not be used of the items that were taken: the first notes, and how many there are."""

    listed: list[ItemNote] = field(default_factory=list)  # the first MAX_REPORTED
    count: int = 0
    by_field: dict[str, tuple[int, str]] = field(default_factory=dict)  # how many, and what the first of them says

    def add(self, note: ItemNote) -> None:
        """Count a note, and keep it if it is among the first."""
        self.count += 1
        if len(self.listed) < MAX_REPORTED:
            self.listed.append(note)
        # an attribute has any name, and a fixed number of lines is what somebody reads
        name = ATTRIBUTES if note.pointer.startswith(f"{ATTRIBUTES}/") else note.pointer
        before, first = self.by_field.get(name, (0, note.detail))
        self.by_field[name] = before + 1, first

    def taken(self, item: CheckedItem | Amended | RejectedItem) -> CheckedItem | RejectedItem:
        """What was read, without the notes on it, which are counted here."""
        if not isinstance(item, Amended):
            return item
        for note in item.notes:
            self.add(note)
        return item.item

    def sentences(self) -> list[str]:
        """One for each field, without ids."""
        return [
            f"{name.lstrip('/')}: {first}" + (f" ({count} times like this)" if count > 1 else "")
            for name, (count, first) in self.by_field.items()
        ]

    def drain(self) -> NoteCount:
        """What was counted so far, which begins again at nothing."""
        drained = NoteCount(self.listed, self.count, self.by_field)
        self.listed, self.count, self.by_field = [], 0, {}
        return drained

    def merge(self, later: NoteCount) -> None:
        """Count what was noted on later items as well."""
        self.count += later.count
        self.listed += later.listed[: MAX_REPORTED - len(self.listed)]
        for name, (count, first) in later.by_field.items():
            before, said = self.by_field.get(name, (0, first))
            self.by_field[name] = before + count, said
