"""What Coral's lists of flags and of reports have in common: each entry is about one comment, whose moderation history
comes along. PURE.

What a moderator decided is an outcome by a person, what Coral's own phases decided is automatic.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from service.fields import TITLE_CHARACTERS
from service.model import JsonObject
from service.platforms.items import link, outcome, words
from service.platforms.listed import (
    EXCERPT_CHARACTERS,
    Listing,
    Unreadable,
    gather,
    mapping,
    moment,
    moment_if_any,
    name,
)
from service.platforms.payload import record

PAGE = 50  # the most that Coral gives at once
_DECISIONS = {"APPROVED": ("rejected", "kept"), "REJECTED": ("upheld", "removed")}

COMMENT = """
          id
          body
          permalink
          author { id }
          story { id url metadata { title } }
          parent { id }
          statusHistory(first: 10) { edges { node { id status createdAt moderator { id } } } }
"""


def listing_of(
    connection: JsonObject, field: str, read: Callable[[JsonObject, datetime, JsonObject, Listing], None]
) -> Listing:
    """The entries of a connection, which is the answer's `field`. Raises Unreadable for anything else.

    `read` adds what an entry says, given when it was made and its target; the comment's history follows.
    """
    edges = connection.get("edges")
    if not isinstance(edges, list):
        raise Unreadable(f"{field}.edges is not a list")
    seen: set[str] = set()  # outcomes: several entries of one page bring the same comment along

    def read_edge(edge: JsonObject, listing: Listing) -> None:
        entry = mapping(edge.get("node"), "node")
        made = moment(entry.get("createdAt"), "createdAt")
        listing.times.append(made)
        comment = entry.get("comment")
        if not isinstance(comment, dict):
            listing.left_out["comment deleted"] += 1
            return
        target = _target_of(comment)
        read(entry, made, target, listing)
        _decisions(comment.get("statusHistory"), str(target["id"]), listing, seen)

    return gather(edges, read_edge)


def id_of(value: object) -> str | None:
    """The id of an object that has one; otherwise None."""
    found = value.get("id") if isinstance(value, dict) else None
    return found if isinstance(found, str) and found else None


def _target_of(comment: JsonObject) -> JsonObject:
    story = record(comment.get("story"))
    return {
        "id": name(comment.get("id"), "comment.id"),
        "kind": "comment",
        "author_id": id_of(comment.get("author")),
        "context_id": id_of(story),
        "context_title": words(record(story.get("metadata")).get("title"), TITLE_CHARACTERS),
        "context_url": link(story.get("url")),
        "url": words(comment.get("permalink")),
        "excerpt": words(comment.get("body"), EXCERPT_CHARACTERS),
        "attributes": {"is_reply": isinstance(comment.get("parent"), dict)},
    }


def _decisions(history: object, target: str, listing: Listing, seen: set[str]) -> None:
    """Add what a comment's moderation history decided, except what has been `seen`."""
    edges = history.get("edges") if isinstance(history, dict) else None
    for edge in edges if isinstance(edges, list) else ():
        node = edge.get("node") if isinstance(edge, dict) else None
        if not isinstance(node, dict) or not isinstance(node.get("status"), str) or node["status"] not in _DECISIONS:
            continue
        identity, decided = id_of(node), moment_if_any(node.get("createdAt"))
        if identity is None or decided is None or identity in seen:
            continue
        seen.add(identity)
        verdict, action = _DECISIONS[node["status"]]
        by = "person" if isinstance(node.get("moderator"), dict) else "automatic"
        listing.items.append(
            outcome(id=identity, target_id=target, decided_at=decided, verdict=verdict, action=action, decided_by=by)
        )
