"""Recent changes to a tenant's cases, for pages that stay open. Reads only.

The detector's changes come from the outbox (events), people's from the audit trail. Both are written in the transaction
that makes the change, with the time of its beginning, and may be seen seconds later: so a reader looks back
OVERLAP_SECONDS each time and recognises changes it has seen by `key`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, select

from service.storage.sql.schema import audit_trail, events

OVERLAP_SECONDS = 60
_MOST = 500  # of each kind at a time; infrequent readers miss older ones
_AUDIT_ROWS = 1_000
_BY_TYPE: dict[str, Literal["flagged", "grown", "revoked"]] = {
    "cluster.flagged": "flagged",
    "cluster.grown": "grown",
    "cluster.revoked": "revoked",
}
_BY_ACTION: dict[str, Literal["decided", "claimed", "unclaimed", "noted"]] = {
    "decision": "decided",
    "claim": "claimed",
    "unclaim": "unclaimed",
    "note": "noted",
}
DETECTOR = "detector"


@dataclass(frozen=True, slots=True)
class CaseChange:
    """One thing that happened to one case."""

    key: str  # the same change has the same key, whenever it is read
    at_us: int
    case: str
    what: Literal["flagged", "grown", "revoked", "decided", "claimed", "unclaimed", "noted"]
    by: str  # a person's name, a key's, or "detector"
    version: int | None = None  # of the case after it; None: it did not rise


def changes_since(connection: Connection, tenant_id: int, since_us: int) -> list[CaseChange]:
    """Changes after `since_us`, oldest first; if there are too many, the latest."""
    people = _by_people(connection, tenant_id, since_us)
    # A decision sends subscribers an event about the flag; that is the person's change, shown once.
    decided = {(change.case, change.at_us) for change in people if change.what == "decided"}
    found = people + [
        change for change in _by_detector(connection, tenant_id, since_us) if (change.case, change.at_us) not in decided
    ]
    return sorted(found, key=lambda change: (change.at_us, change.key))


def _by_detector(connection: Connection, tenant_id: int, since_us: int) -> list[CaseChange]:
    e = events.c
    statement = (
        select(e.id, e.type, e.at_us, e.data)
        .where(e.tenant_id == tenant_id, e.at_us > since_us, e.type.in_(_BY_TYPE))
        .order_by(e.at_us.desc())
        .limit(_MOST)
    )
    bodies = [(row, json.loads(row.data)) for row in connection.execute(statement)]
    return [
        CaseChange(row.id, row.at_us, body["cluster_id"], _BY_TYPE[row.type], DETECTOR, body["version"])
        for row, body in bodies
    ]


def _by_people(connection: Connection, tenant_id: int, since_us: int) -> list[CaseChange]:
    a = audit_trail.c
    # By number, which is the index: entries of the last minutes are among the last ones.
    columns = (a.id, a.at_us, a.actor, a.action, a.subject, a.detail)
    newest = select(*columns).where(a.tenant_id == tenant_id).order_by(a.id.desc()).limit(_AUDIT_ROWS).subquery().c
    done = (
        select(*newest)
        .where(
            newest.at_us > since_us,
            newest.action.in_(_BY_ACTION),
            newest.subject.startswith("cluster:", autoescape=True),
        )
        .order_by(newest.id.desc())
        .limit(_MOST)
    )
    return [
        CaseChange(
            f"a{row.id}",
            row.at_us,
            row.subject.removeprefix("cluster:"),
            _BY_ACTION[row.action],
            row.actor,
            json.loads(row.detail).get("after", {}).get("version"),
        )
        for row in connection.execute(done)
    ]
