"""Coral's flags, as its GraphQL API lists them. PURE.

Each flag of a reader is a complaint, under the flag's own id; what Coral's filters detected (no flagger, or a reason
COMMENT_DETECTED_*) is left out. The comment's moderation history comes along: what a moderator decided is an outcome
by a person, what Coral's own phases decided is automatic. A flag that is withdrawn disappears from Coral's list, so
withdrawals are not noticed.
"""

from __future__ import annotations

from service.model import JsonObject
from service.platforms.items import complaint, outcome, words
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

PAGE = 50  # the most that Coral gives at once
REPORTED = "COMMENT_REPORTED_"
_DECISIONS = {"APPROVED": ("rejected", "kept"), "REJECTED": ("upheld", "removed")}

COMMENT = """
          id
          body
          permalink
          author { id }
          story { id }
          parent { id }
          statusHistory(first: 10) { edges { node { id status createdAt moderator { id } } } }
"""
QUERY = (
    """
query brigadewatchFlags($first: Int!, $after: Cursor) {
  flags(first: $first, after: $after, orderBy: CREATED_AT_ASC) {
    edges {
      node {
        id
        createdAt
        reason
        additionalDetails
        flagger { id createdAt }
        comment {"""
    + COMMENT
    + """        }
      }
    }
    pageInfo { endCursor hasNextPage }
  }
}
"""
)


def listing_of(connection: JsonObject) -> Listing:
    """The flags of a FlagsConnection. Raises Unreadable for anything else."""
    edges = connection.get("edges")
    if not isinstance(edges, list):
        raise Unreadable("flags.edges is not a list")
    seen: set[str] = set()  # outcomes: several flags of one page bring the same comment along

    def read(edge: JsonObject, listing: Listing) -> None:
        _read(mapping(edge.get("node"), "node"), listing, seen)

    return gather(edges, read)


def _read(flag: JsonObject, listing: Listing, seen: set[str]) -> None:
    made = moment(flag.get("createdAt"), "createdAt")
    listing.times.append(made)
    comment = flag.get("comment")
    if not isinstance(comment, dict):
        listing.left_out["comment deleted"] += 1
        return
    target = target_of(comment)
    reason = flag.get("reason")
    flagger = flag.get("flagger")
    if not isinstance(flagger, dict) or not isinstance(reason, str) or not reason.startswith(REPORTED):
        listing.left_out["machine"] += 1
    else:
        listing.items.append(
            complaint(
                id=name(flag.get("id"), "id"),
                occurred_at=made,
                reason=reason[len(REPORTED) :].lower()[:64],
                text=words(flag.get("additionalDetails")),
                reporter={
                    "id": name(flagger.get("id"), "flagger.id"),
                    "account_created_at": moment_if_any(flagger.get("createdAt")),
                },
                target=target,
            )
        )
    decisions(comment.get("statusHistory"), str(target["id"]), listing, seen)


def target_of(comment: JsonObject) -> JsonObject:
    """The target that a comment is. Raises Unreadable."""
    return {
        "id": name(comment.get("id"), "comment.id"),
        "kind": "comment",
        "author_id": id_of(comment.get("author")),
        "context_id": id_of(comment.get("story")),
        "url": words(comment.get("permalink")),
        "excerpt": words(comment.get("body"), EXCERPT_CHARACTERS),
        "attributes": {"is_reply": isinstance(comment.get("parent"), dict)},
    }


def decisions(history: object, target: str, listing: Listing, seen: set[str]) -> None:
    """Add what a comment's moderation history decided, except what has been `seen`."""
    edges = history.get("edges") if isinstance(history, dict) else None
    for edge in edges if isinstance(edges, list) else ():
        node = edge.get("node") if isinstance(edge, dict) else None
        if not isinstance(node, dict) or not isinstance(node.get("status"), str) or node["status"] not in _DECISIONS:
            continue
        identity, decided = node.get("id"), moment_if_any(node.get("createdAt"))
        if not isinstance(identity, str) or not identity or decided is None or identity in seen:
            continue
        seen.add(identity)
        verdict, action = _DECISIONS[node["status"]]
        by = "person" if isinstance(node.get("moderator"), dict) else "automatic"
        listing.items.append(
            outcome(id=identity, target_id=target, decided_at=decided, verdict=verdict, action=action, decided_by=by)
        )


def id_of(value: object) -> str | None:
    """The id of an object that has one; otherwise None."""
    found = value.get("id") if isinstance(value, dict) else None
    return found if isinstance(found, str) and found else None
