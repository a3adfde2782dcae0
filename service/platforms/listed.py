"""What a platform's own list says, as complaints and outcomes in the contract's form. PURE.

A list is somebody else's: an entry that cannot be read is left out and counted, and never stops the entries beside it.
So readers here raise for a value of another type than expected, where those of a posted payload (delivery.py) leave it
to the contract's check to say so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from service.intake.privacy_filter import PrivacyFilter
from service.model import EARLIEST, LATEST, JsonObject, RejectedItem
from service.platforms.items import LARGEST_NUMBER, Item

EXCERPT_CHARACTERS = 500  # enough to know the comment by; the whole of it stays on the platform


class Unreadable(ValueError):
    """An entry is not what the platform sends; its text names the field."""


@dataclass(slots=True)
class Listing:
    """What a page of a list held, in its order; `left_out` counts by reason what became no item."""

    items: list[Item] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    times: list[datetime] = field(default_factory=list)  # when each entry that tells it was made

    def valid(self, now: datetime, privacy_filter: PrivacyFilter) -> list[Item]:
        """The items that the contract takes; the others are counted as refused."""
        valid: list[Item] = []
        for item in self.items:
            if isinstance(item.read(now, privacy_filter), RejectedItem):
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


def mapping(value: object, what: str) -> JsonObject:
    """The value, if it is an object. Raises Unreadable naming `what`."""
    if not isinstance(value, dict):
        raise Unreadable(f"{what} is {type(value).__name__}, and has to be an object")
    return value


def number(value: object, what: str) -> int:
    """A platform's numeric id. Raises Unreadable."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST_NUMBER:
        raise Unreadable(f"{what} is no id: a whole number from 0 to {LARGEST_NUMBER}")
    return value


def name(value: object, what: str) -> str:
    """A platform's textual id. Raises Unreadable; length and characters are judged by the contract's own check."""
    if not isinstance(value, str) or not value:
        raise Unreadable(f"{what} is no id: a text that is not empty")
    return value


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
