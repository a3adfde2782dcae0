"""Coral's reports of illegal content under the DSA, as its GraphQL API lists them (`dsaReports`). PURE.

Each is a notice about one comment, and always counts in full. A form can be sent without an account: then the form is
the reporter, since nobody knows who filled it in. The decision is about this one notice; that an illegal comment was
rejected as well stands in the comment's own history.
"""

from __future__ import annotations

from datetime import datetime

from service.model import JsonObject
from service.platforms import coral_comments
from service.platforms.coral_comments import id_of
from service.platforms.items import complaint, outcome, words
from service.platforms.listed import Listing, moment_if_any, name

_DECISIONS = {"ILLEGAL": ("upheld", "removed"), "LEGAL": ("rejected", "kept")}

QUERY = (
    """
query brigadewatchDSAReports($first: Int!, $after: Cursor) {
  dsaReports(first: $first, after: $after, orderBy: CREATED_AT_DESC) {
    edges {
      node {
        id
        submissionID
        createdAt
        lawBrokenDescription
        additionalInformation
        reporter { id createdAt }
        history { id type createdAt createdBy { id } decision { legality } }
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
    """The reports of a DSAReportsConnection. Raises Unreadable for anything else."""
    return coral_comments.listing_of(connection, "dsaReports", _read)


def _read(report: JsonObject, made: datetime, target: JsonObject, listing: Listing) -> None:
    identity = f"dsa-report/{name(report.get('id'), 'id')}"
    reporter = report.get("reporter")
    by = id_of(reporter) or f"submission/{name(report.get('submissionID'), 'submissionID')}"
    said = (words(report.get(each)) for each in ("lawBrokenDescription", "additionalInformation"))
    listing.items.append(
        complaint(
            id=identity,
            occurred_at=made,
            reason="illegal",
            text=words("\n\n".join(each for each in said if each is not None)),
            notice_type="illegal_content",
            reporter={
                "id": by,
                "account_created_at": moment_if_any(reporter.get("createdAt")) if isinstance(reporter, dict) else None,
            },
            target=target,
        )
    )
    _rulings(report.get("history"), identity, str(target["id"]), listing)


def _rulings(history: object, complaint_id: str, target: str, listing: Listing) -> None:
    for item in history if isinstance(history, list) else ():
        if not isinstance(item, dict):
            continue
        decision = item.get("decision")
        legality = decision.get("legality") if isinstance(decision, dict) else None
        identity, decided = id_of(item), moment_if_any(item.get("createdAt"))
        if not isinstance(legality, str) or legality not in _DECISIONS or identity is None or decided is None:
            continue
        verdict, action = _DECISIONS[legality]
        listing.items.append(
            outcome(
                id=f"dsa-decision/{identity}",
                target_id=target,
                complaint_id=complaint_id,
                decided_at=decided,
                verdict=verdict,
                action=action,
                decided_by="person",
            )
        )
