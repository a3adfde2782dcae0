"""Coral: flags by GraphQL, oldest first.

Its webhook (COMMENT_ENTERED_MODERATION_QUEUE and the like) only wakes the poll.

Coral's cursor is a flag's time, and the next page begins strictly behind it: of several flags of one millisecond, those
on the next page would be lost. So a page goes on a millisecond before the last flag of the one before.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from service.model import JsonObject
from service.platforms import coral_flags, coral_webhook
from service.platforms.listed import Unreadable, moment_if_any
from service.platforms.platform import Platform
from service.platforms.poll_protocol import (
    NEWS,
    REVIEW,
    Absence,
    Ask,
    Taken,
    Unexpected,
    bearer,
    due_walk,
    same_page,
    walk_in,
    with_walk,
)
from service.platforms.signatures import Hmac

_WALKS = {"news": NEWS, "review": REVIEW}
_STEP = timedelta(milliseconds=1)


class Coral:
    """Polls a Coral server. The source's secret is a personal access token of a moderator or administrator."""

    def authorization(self, secret: str) -> str:
        """A personal access token."""
        return bearer(secret)

    def ask(self, cursor: JsonObject, now: datetime) -> Ask | None:
        """The flags after the position of the walk."""
        found = due_walk(cursor, _WALKS, now)
        if found is None:
            return None
        name, walk = found
        after = walk.page or _text(walk.bound)
        return Ask(
            "/api/graphql",
            body={"query": coral_flags.QUERY, "variables": {"first": coral_flags.PAGE, "after": after}},
            walk=name,
            review=name == "review",
        )

    def read(self, cursor: JsonObject, ask: Ask, answer: object, now: datetime) -> Taken:
        """Flags, and decisions about their comments."""
        connection = _flags(answer)
        try:
            listing = coral_flags.listing_of(connection)
        except Unreadable as error:
            raise Unexpected(f"Coral's answer: {error}") from None
        walk = walk_in(cursor, ask.walk).begun(_WALKS[ask.walk], now)
        after = str((ask.body or {})["variables"]["after"])
        page = same_page(walk, _next(connection, listing.times, after))
        return Taken(listing, with_walk(cursor, ask.walk, walk.onward(listing.times, page, now)))

    def absent(self, cursor: JsonObject, ask: Ask, now: datetime) -> Absence:
        """There is no other path to try."""
        return Absence(
            cursor,
            "404: this address does not serve Coral's GraphQL API at /api/graphql; check the source's URL",
            failed=True,
        )


def _flags(answer: object) -> JsonObject:
    if not isinstance(answer, dict):
        raise Unexpected("Coral's answer is not a JSON object")
    errors = answer.get("errors")
    if isinstance(errors, list) and errors:
        first = errors[0] if isinstance(errors[0], dict) else {}
        raise Unexpected(f"Coral refused the query: {str(first.get('message'))[:200]}")
    data = answer.get("data")
    flags = data.get("flags") if isinstance(data, dict) else None
    if not isinstance(flags, dict):
        raise Unexpected("Coral's answer does not contain data.flags: use the token of a moderator or administrator")
    return flags


def _next(connection: JsonObject, times: list[datetime], after: str) -> str | None:
    info = connection.get("pageInfo")
    if not isinstance(info, dict) or info.get("hasNextPage") is not True:
        return None
    end = info.get("endCursor")
    last = max(times, default=None)
    here = moment_if_any(after)
    if last is not None and (here is None or last - _STEP > here):
        return _text(last - _STEP)
    if isinstance(end, str) and 0 < len(end) <= 64:
        return end  # a whole page of one millisecond
    raise Unexpected("Coral reports more flags, but its cursor is missing or longer than 64 characters")


def _text(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


PLATFORM = Platform(
    name="coral",
    words="Coral is polled if you enter its URL; its webhook then only triggers a poll",
    read=lambda document, now, _mapping: coral_webhook.read(document, now),
    scheme=lambda _mapping: Hmac("x-coral-signature", prefix="sha256=", separator=","),
    poller=Coral(),
)
