"""Coral's flags, as its GraphQL API lists them. PURE.

Each flag of a reader is a complaint, under the flag's own id; what Coral's filters detected (no flagger, or a reason
COMMENT_DETECTED_*) is left out. A flag that is withdrawn disappears from Coral's list, so withdrawals are not noticed.
"""

from __future__ import annotations

from datetime import datetime

from service.model import JsonObject
from service.platforms import coral_comments
from service.platforms.items import complaint, words
from service.platforms.listed import Listing, moment_if_any, name

REPORTED = "COMMENT_REPORTED_"

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
    + coral_comments.COMMENT
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
    return coral_comments.listing_of(connection, "flags", _read)


def _read(flag: JsonObject, made: datetime, target: JsonObject, listing: Listing) -> None:
    reason = flag.get("reason")
    flagger = flag.get("flagger")
    if not isinstance(flagger, dict) or not isinstance(reason, str) or not reason.startswith(REPORTED):
        listing.left_out["machine"] += 1
        return
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
