"""What a poll consists of: a request, its answer, and what it changes. PURE.

A poller is two functions of its cursor: what to request next, and what an answer means. So a job may end, or be killed,
between any two pages, and the next one continues from the cursor that was stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from service.errors import BrigadewatchError
from service.model import JsonObject, microseconds
from service.platforms.listed import Listing
from service.platforms.poll_pagination import Pace, Walk, stored_of, walk_of

FIRST_LOOKBACK = timedelta(days=30)  # twice the window: older complaints would only be archived
NEWS = Pace(every=timedelta(0), lookback=FIRST_LOOKBACK, overlap=timedelta(minutes=10))
# Decisions change entries that were read long ago, so the last week is read again, slowly.
REVIEW = Pace(every=timedelta(minutes=15), lookback=timedelta(days=7), overlap=None)
_AGAIN_US = 86_400_000_000  # how long a server that does not have a list is believed


class Unexpected(BrigadewatchError):
    """The platform's answer differs from what is known of it. The text says what is wrong, and contains no secret."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request, relative to the source's address."""

    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: JsonObject | None = None  # JSON: the request is a POST
    walk: str = "news"  # which walk it belongs to
    review: bool = False  # not urgent: it may wait for the next poll


@dataclass(frozen=True, slots=True)
class Taken:
    """The entries of an answer, and the cursor after it."""

    listing: Listing
    cursor: JsonObject
    said: str | None = None  # for the log: what the platform does not have


@dataclass(frozen=True, slots=True)
class Absence:
    """What a path means that the platform does not have: where the poll goes on, or the error that ends it."""

    cursor: JsonObject
    said: str
    failed: bool = False


class Poller(Protocol):
    """How one platform is polled."""

    def authorization(self, secret: str) -> str:
        """The Authorization header's value. Raises ValueError for a secret that cannot work there."""

    def ask(self, cursor: JsonObject, now: datetime) -> Ask | None:
        """The next request of the poll at `now`; None: caught up."""

    def read(self, cursor: JsonObject, ask: Ask, answer: object, now: datetime) -> Taken:
        """What the answer (parsed JSON) means. Raises Unexpected."""

    def absent(self, cursor: JsonObject, ask: Ask, now: datetime) -> Absence:
        """What it means that the path of `ask` does not exist (404, 501)."""


def bearer(secret: str) -> str:
    """`Bearer <secret>`."""
    return f"Bearer {secret}"


def walk_in(cursor: JsonObject, name: str) -> Walk:
    """The named walk of a cursor; a new one if the cursor does not have it."""
    walks = cursor.get("walks")
    return walk_of(walks.get(name) if isinstance(walks, Mapping) else None)


def with_walk(cursor: JsonObject, name: str, walk: Walk) -> JsonObject:
    """The cursor with that walk in it."""
    walks = cursor.get("walks")
    return {**cursor, "walks": {**(walks if isinstance(walks, Mapping) else {}), name: stored_of(walk)}}


def due_walk(cursor: JsonObject, names: Mapping[str, Pace], now: datetime) -> tuple[str, Walk] | None:
    """The first of the walks, in their order, that has something to do at `now`, under way."""
    for name, pace in names.items():
        walk = walk_in(cursor, name)
        if walk.due(pace, now):
            return name, walk.begun(pace, now)
    return None


def without(cursor: JsonObject, what: str, now: datetime) -> JsonObject:
    """The cursor of a server that said at `now` that it does not have this list."""
    return {**cursor, _without(what): microseconds(now)}


def is_without(cursor: JsonObject, what: str, now: datetime) -> bool:
    """Whether the server said so in the last day; after that it is worth another try."""
    since = cursor.get(_without(what))
    return isinstance(since, int) and 0 <= microseconds(now) - since < _AGAIN_US


def _without(what: str) -> str:
    return f"without_{what}_us"


def same_page(walk: Walk, page: str | None) -> str | None:
    """`page`, unless the walk is there already. Raises Unexpected: such a list would never end."""
    if page is not None and page == walk.page:
        raise Unexpected(f"the platform keeps returning the same page ({page[:40]!r})")
    return page
