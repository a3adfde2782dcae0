"""Lists of platforms that are polled, as complaints and outcomes of the API. PURE.

An entry that cannot be read is left out and counted, and never stops the others. So readers here raise for a value of
an unexpected type, whereas those of a posted payload (payload.py) leave that to the check of the item.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from service.fields import EARLIEST, LATEST
from service.intake.privacy_filter import PrivacyFilter
from service.model import JsonObject, RejectedItem
from service.platforms.items import LARGEST_NUMBER, Item

EXCERPT_CHARACTERS = 500  # enough to recognise the comment; the full text stays on the platform


class Unreadable(ValueError):
    """An entry differs from what the platform sends; the text names the field."""


@dataclass(slots=True)
class Listing:
    """The items of a page, in its order; `left_out` counts by reason the entries without one."""

    items: list[Item] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    times: list[datetime] = field(default_factory=list)  # when each entry was made, if it says so

    def valid(self, now: datetime, privacy_filter: PrivacyFilter) -> list[Item]:
        """The items that are valid; the others are counted as refused."""
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
        raise Unreadable(f"{what} is {type(value).__name__}, not an object")
    return value


def number(value: object, what: str) -> int:
    """A platform's numeric id. Raises Unreadable."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST_NUMBER:
        raise Unreadable(f"{what} is not a valid id: expected a whole number from 0 to {LARGEST_NUMBER}")
    return value


def name(value: object, what: str) -> str:
    """A platform's textual id. Raises Unreadable; length and characters are checked with the item."""
    if not isinstance(value, str) or not value:
        raise Unreadable(f"{what} is not a valid id: expected a non-empty string")
    return value


def moment(value: object, what: str) -> datetime:
    """A time of a platform, in UTC; one without an offset is UTC (Lemmy before 0.19). Raises Unreadable."""
    if not isinstance(value, str) or not 10 <= len(value) <= 40:
        raise Unreadable(f"{what} is not a time: expected 10 to 40 characters of ISO 8601")
    try:
        read = datetime.fromisoformat(value)
    except ValueError:
        raise Unreadable(f"{what} is not a valid time: {value!r}") from None
    aware = read.replace(tzinfo=UTC) if read.tzinfo is None else read
    if not EARLIEST <= aware.replace(tzinfo=UTC) <= LATEST:
        raise Unreadable(f"{what} is out of range: {value!r}")
    return aware.astimezone(UTC)


def moment_if_any(value: object) -> datetime | None:
    """The same for a value that may be missing or invalid: then None."""
    try:
        return moment(value, "a time")
    except Unreadable:
        return None
