"""The history of one case, in order: found, grown, decided, noted, tagged, claimed, judged. Reads only."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import sqlalchemy as sa
from sqlalchemy import Connection

from service.model import Decision, JsonObject, Outcome, moment
from service.moderation.decisions import in_force
from service.moderation.outcomes import not_retracted
from service.storage.cases.case_decisions import list_decisions
from service.storage.cases.cases import family_of
from service.storage.cases.notes import notes_of
from service.storage.cases.tags import tag_changes
from service.storage.sql import schema
from service.storage.sql.engine import select_by_keys

SHOWN = 200  # entries of one kind, the latest
EntryKind = Literal["found", "event", "decision", "note", "hand", "tag", "outcome"]
_EVENTS = ("cluster.flagged", "cluster.grown", "cluster.revoked")


@dataclass(frozen=True, slots=True)
class CaseHistoryItem:
    """One thing that happened."""

    at: datetime
    kind: EntryKind
    # found; an event's type; a verdict; "note"; an action of the audit trail; a tag; an outcome's verdict and action
    what: str
    by: str | None = None  # a person, or who decided an outcome; None: the detector
    text: str | None = None
    target: str | None = None
    decision: Decision | None = None
    undone: Decision | None = None  # the one that the decision reverses
    standing: bool = True  # a decision that was not reversed, an outcome not retracted, a tag added
    data: JsonObject = field(default_factory=dict)


def history_of(connection: Connection, tenant_id: int, cluster_id: str) -> list[CaseHistoryItem]:
    """The case's history with that of clusters merged into it, oldest first. Raises NotFound."""
    family = family_of(connection, tenant_id, cluster_id)
    entries = [
        *_found(connection, tenant_id, family),
        *_events(connection, tenant_id, family),
        *_decisions(connection, tenant_id, cluster_id),
        *(CaseHistoryItem(n.at, "note", "note", n.by, n.text) for n in notes_of(connection, tenant_id, cluster_id)),
        *(
            CaseHistoryItem(t.at, "tag", t.tag, t.by, standing=not t.removed)
            for t in tag_changes(connection, tenant_id, family, SHOWN)
        ),
        *_hands(connection, tenant_id, family),
        *_outcomes(connection, tenant_id, cluster_id),
    ]
    return sorted(entries, key=lambda e: e.at)


def _found(connection: Connection, tenant_id: int, family: list[str]) -> list[CaseHistoryItem]:
    c = schema.clusters.c
    rows = connection.execute(
        sa.select(c.id, c.found_us, c.revoked_us, c.revoked_because, c.verdict).where(
            c.tenant_id == tenant_id, c.id.in_(family)
        )
    )
    entries = []
    for row in rows:
        entries.append(CaseHistoryItem(moment(row.found_us), "found", "found", data={"cluster_id": row.id}))
        if row.revoked_us is not None and row.verdict is None:
            entries.append(
                CaseHistoryItem(
                    moment(row.revoked_us),
                    "event",
                    "cluster.revoked",
                    text=row.revoked_because,
                    data={"cluster_id": row.id},
                )
            )
    return entries


def _events(connection: Connection, tenant_id: int, family: list[str]) -> list[CaseHistoryItem]:
    e = schema.events.c
    named = sa.or_(*(e.data.contains(f'"cluster_id":{json.dumps(one)}', autoescape=True) for one in family[:20]))
    rows = connection.execute(
        sa.select(e.at_us, e.type, e.data)
        .where(e.tenant_id == tenant_id, e.type.in_(_EVENTS), named)
        .order_by(e.at_us.desc())
        .limit(SHOWN)
    ).all()
    # Revocations come from the cluster's own row, with the detector's reason.
    return [
        CaseHistoryItem(moment(row.at_us), "event", row.type, data=json.loads(row.data))
        for row in rows
        if row.type != "cluster.revoked"
    ]


def _decisions(connection: Connection, tenant_id: int, cluster_id: str) -> list[CaseHistoryItem]:
    log, after = list_decisions(connection, tenant_id, cluster_id, after=None, limit=SHOWN)
    while after is not None:
        more, after = list_decisions(connection, tenant_id, cluster_id, after=after, limit=SHOWN)
        log += more
    kept = {decision.id for decision in in_force(log)}
    by_id = {d.id: d for d in log}
    return [
        CaseHistoryItem(
            d.at,
            "decision",
            d.verdict,
            d.by,
            d.note,
            decision=d,
            undone=by_id.get(d.reverses or ""),
            standing=d.id in kept,
        )
        for d in log
    ]


def _hands(connection: Connection, tenant_id: int, family: list[str]) -> list[CaseHistoryItem]:
    a = schema.audit_trail.c
    rows = connection.execute(
        sa.select(a.at_us, a.actor, a.action, a.detail)
        .where(
            a.tenant_id == tenant_id,
            a.action.in_(("claim", "unclaim", "case moved", "case assigned")),
            a.subject.in_([f"cluster:{one}" for one in family[:100]]),
        )
        .order_by(a.id.desc())
        .limit(SHOWN)
    ).all()
    return [
        CaseHistoryItem(moment(row.at_us), "hand", row.action, row.actor, data=json.loads(row.detail)) for row in rows
    ]


def _outcomes(connection: Connection, tenant_id: int, cluster_id: str) -> list[CaseHistoryItem]:
    t = schema.cluster_targets.c
    targets = connection.scalars(
        sa.select(t.target_key).where(t.tenant_id == tenant_id, t.cluster_id == cluster_id)
    ).all()
    statement = (
        "SELECT o.decided_us, o.content FROM k CROSS JOIN outcomes o WHERE o.tenant_id = ? AND o.target_key = k.column1"
    )
    outcomes_by_target: dict[str, list[Outcome]] = defaultdict(list)
    decided: list[tuple[int, Outcome]] = []
    for decided_us, content in select_by_keys(connection, statement, (tenant_id,), [(key,) for key in targets]):
        outcome = Outcome.model_validate_json(content)
        outcomes_by_target[outcome.target_id].append(outcome)
        decided.append((int(decided_us), outcome))
    counting = {outcome.id for several in outcomes_by_target.values() for outcome in not_retracted(several)}
    entries = []
    for decided_us, outcome in sorted(decided, key=lambda pair: pair[0])[-SHOWN:]:
        ruling = ", ".join(part for part in (outcome.verdict, outcome.action) if part)
        entries.append(
            CaseHistoryItem(
                moment(decided_us),
                "outcome",
                ruling,
                outcome.decided_by,
                target=outcome.target_id,
                standing=outcome.id in counting,
                data={"complaint_id": outcome.complaint_id, "retracts": outcome.retracts},
            )
        )
    return entries
