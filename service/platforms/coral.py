"""Coral: flags by GraphQL, oldest first, and reports of illegal content, newest first.

Its webhook (COMMENT_ENTERED_MODERATION_QUEUE and the like) only wakes the poll.

Coral's cursor is a flag's time, and the next page begins strictly behind it: of several flags of one millisecond, those
on the next page would be lost. So a page goes on a millisecond before the last flag of the one before. The cursor of
reports is their number in the list: new ones push it on, so that some are read twice.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from service.model import JsonObject
from service.platforms import coral_dsa, coral_flags, coral_webhook
from service.platforms.coral_comments import PAGE
from service.platforms.listed import Listing, Unreadable, moment_if_any
from service.platforms.platform import Platform
from service.platforms.poll_pagination import Pace
from service.platforms.poll_protocol import (
    NEWS,
    REVIEW,
    Absence,
    Ask,
    Taken,
    Unexpected,
    bearer,
    due_walk,
    is_without,
    same_page,
    walk_in,
    with_walk,
    without,
)
from service.platforms.signatures import Hmac

FLAGS, REPORTS = "flags", "dsaReports"
# Of each walk its list, and its pace.
_WALKS = {
    "news": (FLAGS, NEWS),
    "dsa-news": (REPORTS, NEWS),
    "review": (FLAGS, REVIEW),
    "dsa-review": (REPORTS, REVIEW),
}
_QUERIES = {FLAGS: coral_flags.QUERY, REPORTS: coral_dsa.QUERY}
_STEP = timedelta(milliseconds=1)
_ABSENT = "reports"  # in the cursor of a server that does not have them
_UNKNOWN_FIELD = 'Cannot query field "dsaReports"'  # in what graphql-js says of it


class Coral:
    """Polls a Coral server. The source's secret is a personal access token of a moderator or administrator."""

    def authorization(self, secret: str) -> str:
        """A personal access token."""
        return bearer(secret)

    def ask(self, cursor: JsonObject, now: datetime) -> Ask | None:
        """The page after the position of the walk."""
        found = due_walk(cursor, _paces(cursor, now), now)
        if found is None:
            return None
        name, walk = found
        which = _WALKS[name][0]
        after = walk.page or (_text(walk.bound) if which == FLAGS else None)
        return Ask(
            "/api/graphql",
            body={"query": _QUERIES[which], "variables": {"first": PAGE, "after": after}},
            walk=name,
            review=name.endswith("review"),
        )

    def read(self, cursor: JsonObject, ask: Ask, answer: object, now: datetime) -> Taken:
        """Flags or reports, and decisions about their comments."""
        which, pace = _WALKS[ask.walk]
        if which == REPORTS and _UNKNOWN_FIELD in _refusal(answer):
            return Taken(
                Listing(),
                without(cursor, _ABSENT, now),
                said="this Coral has no reports of illegal content (dsaReports); the next attempt is in a day",
            )
        connection = _connection(answer, which)
        try:
            listing = (coral_flags if which == FLAGS else coral_dsa).listing_of(connection)
        except Unreadable as error:
            raise Unexpected(f"Coral's answer: {error}") from None
        walk = walk_in(cursor, ask.walk).begun(pace, now)
        if which == FLAGS:
            page = _next(connection, listing.times, str((ask.body or {})["variables"]["after"]))
        else:
            page = None if walk.behind(listing.times) else _end(connection)
        return Taken(listing, with_walk(cursor, ask.walk, walk.onward(listing.times, same_page(walk, page), now)))

    def absent(self, cursor: JsonObject, ask: Ask, now: datetime) -> Absence:
        """There is no other path to try."""
        return Absence(
            cursor,
            "404: this address does not serve Coral's GraphQL API at /api/graphql; check the source's URL",
            failed=True,
        )


def _paces(cursor: JsonObject, now: datetime) -> dict[str, Pace]:
    absent = is_without(cursor, _ABSENT, now)
    return {name: pace for name, (which, pace) in _WALKS.items() if which == FLAGS or not absent}


def _refusal(answer: object) -> str:
    """What GraphQL says is wrong with the query; empty: nothing."""
    errors = answer.get("errors") if isinstance(answer, dict) else None
    if not isinstance(errors, list) or not errors:
        return ""
    first = errors[0] if isinstance(errors[0], dict) else {}
    return str(first.get("message"))[:200]


def _connection(answer: object, which: str) -> JsonObject:
    if not isinstance(answer, dict):
        raise Unexpected("Coral's answer is not a JSON object")
    refusal = _refusal(answer)
    if refusal:
        raise Unexpected(f"Coral refused the query: {refusal}")
    data = answer.get("data")
    found = data.get(which) if isinstance(data, dict) else None
    if not isinstance(found, dict):
        raise Unexpected(f"Coral's answer does not contain data.{which}: use the token of a moderator or administrator")
    return found


def _end(connection: JsonObject) -> str | None:
    info = connection.get("pageInfo")
    if not isinstance(info, dict) or info.get("hasNextPage") is not True:
        return None
    end = info.get("endCursor")
    if isinstance(end, str) and 0 < len(end) <= 64:
        return end
    raise Unexpected("Coral reports more, but its cursor is missing or longer than 64 characters")


def _next(connection: JsonObject, times: list[datetime], after: str) -> str | None:
    end = _end(connection)
    if end is None:
        return None
    last = max(times, default=None)
    here = moment_if_any(after)
    if last is not None and (here is None or last - _STEP > here):
        return _text(last - _STEP)
    return end  # a whole page of one millisecond


def _text(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


PLATFORM = Platform(
    name="coral",
    words="Coral is polled if you enter its URL; its webhook then only triggers a poll",
    read=lambda document, now, _mapping: coral_webhook.read(document, now),
    scheme=lambda _mapping: Hmac("x-coral-signature", prefix="sha256=", separator=","),
    poller=Coral(),
)
