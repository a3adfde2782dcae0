"""Ozone: the log of moderation events, oldest first (tools.ozone.moderation.queryEvents)."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

from service.model import JsonObject
from service.platforms import ozone_events
from service.platforms.platform import Platform
from service.platforms.poll_pagination import Pace
from service.platforms.poll_protocol import (
    FIRST_LOOKBACK,
    Ask,
    Taken,
    Unexpected,
    bearer,
    due_walk,
    same_page,
    walk_in,
    with_walk,
)

PAGE = 100
# A log changes only at its end; the overlap is for transactions that commit after a later one.
_WALKS = {"news": Pace(every=timedelta(0), lookback=FIRST_LOOKBACK, overlap=timedelta(minutes=2))}
_LONGEST_CURSOR = 200


class Ozone:
    """Polls an Ozone server. The source's secret is `admin:PASSWORD`, or a token."""

    def authorization(self, secret: str) -> str:
        """Basic for a name and a password, Bearer for a token (which holds no colon)."""
        return f"Basic {base64.b64encode(secret.encode()).decode()}" if ":" in secret else bearer(secret)

    def ask(self, cursor: JsonObject, now: datetime) -> Ask | None:
        """The events after the position of the walk."""
        found = due_walk(cursor, _WALKS, now)
        if found is None:
            return None
        name, walk = found
        since = walk.bound.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        query = [
            ("limit", str(PAGE)),
            ("sortDirection", "asc"),
            ("createdAfter", since),
            *(("types", event) for event in ozone_events.EVENTS),
        ]
        return Ask(
            "/xrpc/tools.ozone.moderation.queryEvents",
            (*query, *([] if walk.page is None else [("cursor", walk.page)])),
            walk=name,
        )

    def read(self, cursor: JsonObject, ask: Ask, answer: object, now: datetime) -> Taken:
        """Reports, and outcomes of what moderators did."""
        events = answer.get("events") if isinstance(answer, dict) else None
        if not isinstance(answer, dict) or not isinstance(events, list):
            raise Unexpected("Ozone's answer does not contain a list of events")
        acted = _acted(cursor)
        listing = ozone_events.listing_of(events, acted)
        walk = walk_in(cursor, ask.walk).begun(_WALKS[ask.walk], now)
        following = answer.get("cursor")
        if len(events) < PAGE or following is None:
            page = None
        elif isinstance(following, str) and 0 < len(following) <= _LONGEST_CURSOR:
            page = same_page(walk, following)
        else:
            raise Unexpected("the cursor in Ozone's answer is not a string")
        return Taken(listing, {**with_walk(cursor, ask.walk, walk.onward(listing.times, page, now)), "acted": acted})

    def absent(self, cursor: JsonObject) -> JsonObject:
        """There is no other path to try."""
        raise Unexpected(
            "404: this address does not serve Ozone's /xrpc/tools.ozone.moderation.queryEvents; check the source's URL"
        )


def _acted(cursor: JsonObject) -> list[str]:
    stored = cursor.get("acted")
    return (
        [mark for mark in stored if isinstance(mark, str)][-ozone_events.REMEMBERED :]
        if isinstance(stored, list)
        else []
    )


PLATFORM = Platform(name="ozone", words="Ozone is polled for moderation events", poller=Ozone())
