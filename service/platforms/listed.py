"""What a platform's own list says, as complaints and outcomes in the contract's form. PURE.

A list is somebody else's: an entry that cannot be read is left out and counted, and never stops the entries beside it.
Texts are cut to what the contract holds; ids are never cut, since a shortened id would be another's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from service.intake.items import COMPLAINT, OUTCOME, Noun, canonical, read_value
from service.model import EARLIEST, LATEST, JsonObject, RejectedItem

EXCERPT_CHARACTERS = 500  # enough to know the comment by; the whole of it stays on the platform
TEXT_CHARACTERS = 4_096
_LARGEST_NUMBER = 2**63 - 1


class Unreadable(ValueError):
    """An entry is not what the platform sends; its text names the field."""


@dataclass(frozen=True, slots=True)
class Item:
    """One complaint or outcome as a document, before the contract's checks."""

    noun: Noun
    document: JsonObject
    machine: bool = False  # no person complained: archived, in no count

    @property
    def id(self) -> str:
        """Its idempotency key."""
        return str(self.document["id"])

    def line(self, now: datetime) -> bytes:
        """Its canonical line. Raises ValueError for an item that the contract does not take."""
        read = read_value(self.document, self.noun, now)
        if isinstance(read, RejectedItem):
            raise ValueError(read.detail)
        line = canonical(read, self.noun)
        return line[:-1] + b',"machine":true}' if self.machine else line


@dataclass(slots=True)
class Listing:
    """What a page of a list held, in its order; `left_out` counts by reason what became no item."""

    items: list[Item] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    times: list[datetime] = field(default_factory=list)  # when each entry that tells it was made

    def valid(self, now: datetime) -> list[Item]:
        """The items that the contract takes; the others are counted as refused."""
        valid: list[Item] = []
        for item in self.items:
            if isinstance(read_value(item.document, item.noun, now), RejectedItem):
                self.left_out["refused"] += 1
            else:
                valid.append(item)
        return valid


def gather(entries: Iterable[object], read: Callable[[JsonObject, Listing], None]) -> Listing:
    """Read the entries one by one; `read` adds to the listing or raises Unreadable."""
    listing = Listing()
    for entry in entries:
        before = len(listing.items)
        try:
            read(mapping(entry, "the entry"), listing)
        except Unreadable:
            del listing.items[before:]
            listing.left_out["unreadable"] += 1
    return listing


def complaint(*, id: str, occurred_at: datetime, reporter: JsonObject, target: JsonObject, machine: bool = False, **rest: Any) -> Item:
    """A complaint; what is None is left away."""
    document = {"id": id, "occurred_at": occurred_at.isoformat(), "reporter": _known(reporter), "target": _known(target), **_known(rest)}
    return Item(COMPLAINT, document, machine)


def outcome(*, id: str, target_id: str, decided_at: datetime, **rest: Any) -> Item:
    """An outcome; what is None is left away."""
    return Item(OUTCOME, {"id": id, "target_id": target_id, "decided_at": decided_at.isoformat(), **_known(rest)})


def _known(fields: JsonObject) -> JsonObject:
    return {name: value for name, value in fields.items() if value is not None}


def mapping(value: object, what: str) -> JsonObject:
    """The value, if it is an object. Raises Unreadable naming `what`."""
    if not isinstance(value, dict):
        raise Unreadable(f"{what} is {type(value).__name__}, and has to be an object")
    return value


def number(value: object, what: str) -> int:
    """A platform's numeric id. Raises Unreadable."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LARGEST_NUMBER:
        raise Unreadable(f"{what} is no id: a whole number from 0 to {_LARGEST_NUMBER}")
    return value


def name(value: object, what: str) -> str:
    """A platform's textual id. Raises Unreadable; length and characters are judged by the contract's own check."""
    if not isinstance(value, str) or not value:
        raise Unreadable(f"{what} is no id: a text that is not empty")
    return value


def prose(value: object, limit: int = TEXT_CHARACTERS) -> str | None:
    """A text as far as the contract holds it, without what is no text (lone surrogates, NUL); None for anything else."""
    if not isinstance(value, str):
        return None
    return value[:limit].encode("utf-8", "replace").decode().replace("\x00", " ") or None


def moment(value: object, what: str) -> datetime:
    """A time of a platform, in UTC; one without an offset is UTC (Lemmy before 0.19). Raises Unreadable."""
    if not isinstance(value, str) or not 10 <= len(value) <= 40:
        raise Unreadable(f"{what} is no time")
    try:
        read = datetime.fromisoformat(value)
    except ValueError:
        raise Unreadable(f"{what} is no time: {value!r}") from None
    aware = read.replace(tzinfo=UTC) if read.tzinfo is None else read
    if not EARLIEST <= aware.replace(tzinfo=UTC) <= LATEST:
        raise Unreadable(f"{what} lies outside the calendar: {value!r}")
    return aware.astimezone(UTC)


def moment_if_any(value: object) -> datetime | None:
    """The same for what may be absent or broken: then None."""
    try:
        return moment(value, "a time")
    except Unreadable:
        return None


def time_text(value: object) -> str | None:
    """A time that may be absent or broken, as the contract writes it."""
    read = moment_if_any(value)
    return None if read is None else read.isoformat()
