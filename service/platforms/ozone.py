"""Ozone: the log of moderation events, oldest first (tools.ozone.moderation.queryEvents), then that of reports which
were closed without an event (tools.ozone.report.queryActivities, since 2026).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from service.model import JsonObject
from service.platforms import ozone_activities, ozone_events
from service.platforms.listed import Listing
from service.platforms.ozone_acts import Acts, acts_of
from service.platforms.platform import Platform
from service.platforms.poll_pagination import Pace, Walk
from service.platforms.poll_protocol import (
    FIRST_LOOKBACK,
    Absence,
    Ask,
    Taken,
    Unexpected,
    due_walk,
    is_without,
    same_page,
    walk_in,
    with_walk,
    without,
)

PAGE = 100
EVENTS, ACTIVITIES = "news", "activities"
# A log changes only at its end; the overlap is for transactions that commit after a later one. Activities come second:
# what they mean depends on the events. Ozone collects much for each of them, and outcomes are in no hurry.
_OVERLAP = timedelta(minutes=2)
_LONGEST_CURSOR = 200
NAME = "admin"  # Ozone accepts no other


@dataclass(frozen=True, slots=True)
class _Log:
    """One of the two lists."""

    path: str
    kinds: tuple[tuple[str, str], ...]  # of the entries that are requested, as parameters of the query
    field: str  # of the answer
    listing_of: Callable[[Sequence[object], Acts], Listing]
    pace: Pace


_LOGS = {
    EVENTS: _Log(
        "/xrpc/tools.ozone.moderation.queryEvents",
        tuple(("types", event) for event in ozone_events.EVENTS),
        "events",
        ozone_events.listing_of,
        Pace(every=timedelta(0), lookback=FIRST_LOOKBACK, overlap=_OVERLAP),
    ),
    ACTIVITIES: _Log(
        "/xrpc/tools.ozone.report.queryActivities",
        tuple(("activityTypes", kind) for kind in (ozone_activities.CLOSE, ozone_activities.REOPEN)),
        "activities",
        ozone_activities.listing_of,
        Pace(every=timedelta(minutes=5), lookback=FIRST_LOOKBACK, overlap=_OVERLAP),
    ),
}


class Ozone:
    """Polls an Ozone server. The source's secret is `admin:PASSWORD`."""

    def authorization(self, secret: str) -> str:
        """Basic. Raises ValueError for a token, and for a password that Ozone itself cuts."""
        name, colon, password = secret.partition(":")
        if not colon or name != NAME:
            raise ValueError(
                "the secret must be admin:PASSWORD, with the value of OZONE_ADMIN_PASSWORD; a moderator's token is"
                " valid for one method and one minute, so Ozone cannot be polled with it"
            )
        if not password or ":" in password:
            raise ValueError(
                "Ozone reads its admin password only up to a colon, so one that is empty or contains a colon is never"
                " accepted: choose another OZONE_ADMIN_PASSWORD"
            )
        return f"Basic {base64.b64encode(secret.encode()).decode()}"

    def ask(self, cursor: JsonObject, now: datetime) -> Ask | None:
        """The entries after the position of the walk."""
        found = due_walk(cursor, _paces(cursor, now), now)
        if found is None:
            return None
        name, walk = found
        log = _LOGS[name]
        since = walk.bound.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        query = [("limit", str(PAGE)), ("sortDirection", "asc"), ("createdAfter", since), *log.kinds]
        return Ask(log.path, (*query, *([] if walk.page is None else [("cursor", walk.page)])), walk=name)

    def read(self, cursor: JsonObject, ask: Ask, answer: object, now: datetime) -> Taken:
        """Reports, and outcomes of what moderators did."""
        log = _LOGS[ask.walk]
        entries = answer.get(log.field) if isinstance(answer, dict) else None
        if not isinstance(answer, dict) or not isinstance(entries, list):
            raise Unexpected(f"Ozone's answer does not contain a list of {log.field}")
        acts = acts_of(cursor.get("acts"))
        listing = log.listing_of(entries, acts)
        walk = walk_in(cursor, ask.walk).begun(log.pace, now)
        page = _next(answer.get("cursor"), len(entries), walk)
        changed = with_walk(cursor, ask.walk, walk.onward(listing.times, page, now))
        return Taken(listing, {**changed, "acts": acts.stored()})

    def absent(self, cursor: JsonObject, ask: Ask, now: datetime) -> Absence:
        """An older server has no activities; none has no events."""
        if ask.walk == ACTIVITIES:
            return Absence(
                without(cursor, ACTIVITIES, now),
                "this Ozone is older than June 2026 and does not serve tools.ozone.report.queryActivities: reports that"
                " are closed without a moderation event give no outcome; the next attempt is in a day",
            )
        return Absence(
            cursor,
            f"404: this address does not serve Ozone's {ask.path}; check the source's URL",
            failed=True,
        )


def _paces(cursor: JsonObject, now: datetime) -> dict[str, Pace]:
    absent = is_without(cursor, ACTIVITIES, now)
    return {name: log.pace for name, log in _LOGS.items() if name == EVENTS or not absent}


def _next(following: object, count: int, walk: Walk) -> str | None:
    if count < PAGE or following is None:
        return None
    if isinstance(following, str) and 0 < len(following) <= _LONGEST_CURSOR:
        return same_page(walk, following)
    raise Unexpected("the cursor in Ozone's answer is not a string")


PLATFORM = Platform(
    name="ozone",
    words="Ozone is polled for moderation events; the secret is admin:PASSWORD, with its admin password",
    poller=Ozone(),
)
