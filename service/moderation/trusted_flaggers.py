"""Trusted flaggers (DSA Art. 22): is a complaint a notice within the area and the time of a flagger's status? PURE.

Where the tenant's registry has an entry for the reporter, of whatever time, the registry alone decides, and
`reporter.trusted` of the complaint counts for nothing. Without an entry, `reporter.trusted` holds. What decides is when
the complaint was filed, so a status ends on its day though nobody touches it, and an entry that is made later covers
what was filed since its beginning. The allow-list is separate (allowances.py).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal

from service.errors import Refused
from service.fields import EARLIEST, LATEST, REASON_CHARACTERS
from service.model import microseconds

FlaggerStatus = Literal["upcoming", "in force", "suspended", "ended", "removed"]
_ACCENTS = re.compile("[\u0300-\u036f]+")


@dataclass(frozen=True, slots=True)
class FlaggerTerm:
    """A time in which a reporter has the status of a trusted flagger, and for what."""

    since_us: int
    until_us: int | None = None  # None: open; from then on the status is over
    suspended_us: int | None = None  # from then on it is suspended (Art. 22(6))
    area: tuple[str, ...] = ()  # words of `reason`; empty: all illegal content

    def is_in_force(self, at_us: int) -> bool:
        """Whether the status held then."""
        ends = [end for end in (self.until_us, self.suspended_us) if end is not None]
        return self.since_us <= at_us and all(at_us < end for end in ends)

    def covers(self, notice_type: str | None, reason: str | None) -> bool:
        """Whether a complaint is a notice of illegal content in the area.

        One without a type is, where its reason is a word of the area; a complaint under the platform's terms never is.
        """
        if notice_type == "terms":
            return False
        if not self.area:
            return notice_type == "illegal_content"
        return reason is not None and any(is_same_reason(word, reason) for word in self.area)

    def overlaps(self, other: FlaggerTerm) -> bool:
        """Whether both hold at some moment, suspensions aside."""
        return (other.until_us is None or self.since_us < other.until_us) and (
            self.until_us is None or other.since_us < self.until_us
        )


def status_of(term: FlaggerTerm, now_us: int) -> FlaggerStatus:
    """Where the status stands now."""
    if term.until_us is not None and term.until_us <= now_us:
        return "ended"
    if now_us < term.since_us:
        return "upcoming"
    return "in force" if term.is_in_force(now_us) else "suspended"


def is_same_reason(word: str, reason: str) -> bool:
    """Whether a word of an area is the reason of a complaint: case, accents and outer spaces aside.

    A reason is cut to 64 characters, the word of an area is not.
    """
    ours, theirs = _folded(word), _folded(reason)
    if len(reason) < REASON_CHARACTERS or not theirs:
        return ours == theirs
    return ours.startswith(theirs)


@lru_cache(maxsize=4096)
def _folded(word: str) -> str:
    apart = unicodedata.normalize("NFKD", word).casefold()
    return " ".join(_ACCENTS.sub("", unicodedata.normalize("NFKD", apart)).split())


@dataclass(frozen=True, slots=True)
class Flaggers:
    """A tenant's registry as decisions need it: the terms by reporter key.

    A reporter whose entries were all removed as mistakes has none, and is treated as one without an entry.
    """

    terms: Mapping[int, Sequence[FlaggerTerm]] = field(default_factory=dict)

    def knows(self, reporter: int) -> bool:
        """Whether the registry decides about the reporter, or did."""
        return reporter in self.terms

    def is_trusted(self, reporter: int, at_us: int, body: Mapping[str, Any]) -> bool:
        """Whether the complaint is a trusted flagger's, as the registry or else the platform says."""
        terms = self.terms.get(reporter)
        if not terms:
            return body["reporter"].get("trusted") is True
        return self.has_priority(reporter, at_us, body)

    def has_priority(self, reporter: int, at_us: int, body: Mapping[str, Any]) -> bool:
        """Whether it is a notice by a trusted flagger of the registry, within area and time (Art. 22(1))."""
        return any(
            term.is_in_force(at_us) and term.covers(body.get("notice_type"), body.get("reason"))
            for term in self.terms.get(reporter, ())
        )

    def is_trusted_notice(self, reporter: int, at_us: int, body: Mapping[str, Any]) -> bool:
        """Whether it is a trusted flagger's notice of illegal content, as the registry or else the platform says."""
        if self.terms.get(reporter):
            return self.has_priority(reporter, at_us, body)
        return is_notice(body) and body["reporter"].get("trusted") is True

    def counts_in_full(self, reporter: int, at_us: int, body: Mapping[str, Any]) -> bool:
        """Whether the complaint is never discounted: it is a trusted flagger's, or any notice of illegal content."""
        return is_notice(body) or self.is_trusted(reporter, at_us, body)


NO_FLAGGERS = Flaggers()


def is_notice(body: Mapping[str, Any]) -> bool:
    """Whether the complaint says that it is a notice of illegal content (Art. 16)."""
    return body.get("notice_type") == "illegal_content"


def time_us_of(text: str, what: str) -> int:
    """A day (from 00:00 UTC) or a time with an offset, as a person typed it; microseconds. Raises Refused."""
    clean = text.strip()
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", clean):
            at = datetime.fromisoformat(clean).replace(tzinfo=UTC)
        else:
            at = datetime.fromisoformat(clean)
        if at.tzinfo is None or not EARLIEST <= at <= LATEST:
            raise ValueError(clean)
    except (ValueError, OverflowError):
        raise Refused(
            f"{what} is {clean[:40]!r}: expected a day like 2026-03-01, or a time with an offset like"
            " 2026-03-01T09:00:00Z"
        ) from None
    return microseconds(at)


def area_of(text: str) -> tuple[str, ...]:
    """The words that a person typed, separated by commas or lines; of words that are the same, the first."""
    words: list[str] = []
    for word in re.split(r"[,\n]", text):
        clean = " ".join(word.split())
        if clean and not any(_folded(clean) == _folded(each) for each in words):
            words.append(clean)
    return tuple(words)


def first_overlap(term: FlaggerTerm, others: Iterable[FlaggerTerm]) -> FlaggerTerm | None:
    """The first of the terms that overlaps this one."""
    return next((other for other in others if term.overlaps(other)), None)
