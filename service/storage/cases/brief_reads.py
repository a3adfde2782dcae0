"""Everything in SQL about one target, for its brief. Reads only."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from pydantic_core import from_json
from sqlalchemy import Connection

from service.model import Outcome, moment
from service.moderation.brief import ComplaintFigures, Dossier, GroupOnTarget, ReceivedOutcome, TargetRestoration
from service.moderation.decisions import effective_status
from service.moderation.trusted_flaggers import is_notice
from service.storage.accounts.flagger_registry import flaggers_of
from service.storage.cases import restorations
from service.storage.cases.case_decisions import list_decisions
from service.storage.complaints.listed_complaints import clusters_listing
from service.storage.sql import schema
from service.storage.sql.hashing import key_of

REASONS_SHOWN, GROUPS_SHOWN, DECISIONS_SHOWN, OUTCOMES_SHOWN = 10, 20, 100, 200
_CONTENTS_AT_ONCE = 1_000


def read_dossier(connection: Connection, tenant_id: int, target_id: str, *, now: datetime) -> Dossier:
    """The target's figures, clusters (unmerged, latest first), outcomes by decision time, and restoration."""
    return Dossier(
        figures=_figures(connection, tenant_id, target_id),
        groups=_groups(connection, tenant_id, target_id, now),
        outcomes=_outcomes(connection, tenant_id, target_id),
        restoration=_restoration(connection, tenant_id, target_id),
    )


def _figures(connection: Connection, tenant_id: int, target_id: str) -> ComplaintFigures:
    c = schema.complaints.c
    own = sa.and_(c.tenant_id == tenant_id, c.target_key == key_of(target_id), c.target_id == target_id)
    states: dict[int, Any] = {
        row.state: row
        for row in connection.execute(
            sa.select(
                c.state,
                sa.func.count().label("n"),
                sa.func.min(c.occurred_us).label("first"),
                sa.func.max(c.occurred_us).label("last"),
            )
            .where(own)
            .group_by(c.state)
        )
    }
    counts = {state: int(row.n) for state, row in states.items()}
    standing = states.get(schema.STANDING)
    if standing is None:
        return ComplaintFigures(
            repeats=counts.get(schema.REPEAT, 0),
            withdrawn=counts.get(schema.WITHDRAWN, 0),
            machine=counts.get(schema.MACHINE, 0),
        )
    reasons: Counter[str] = Counter()
    notices = trusted = trusted_notices = 0
    contents = connection.execute(
        sa.select(c.content, c.reporter_key, c.occurred_us)
        .where(own, c.state == schema.STANDING)
        .execution_options(yield_per=_CONTENTS_AT_ONCE)
    )
    flaggers = flaggers_of(connection, tenant_id)
    for content, reporter, at_us in contents:
        body = from_json(content)
        notices, trusted = notices + is_notice(body), trusted + flaggers.is_trusted(reporter, at_us, body)
        trusted_notices += flaggers.is_trusted_notice(reporter, at_us, body)
        if body.get("reason"):
            reasons[body["reason"]] += 1
    return ComplaintFigures(
        standing=counts[schema.STANDING],
        repeats=counts.get(schema.REPEAT, 0),
        withdrawn=counts.get(schema.WITHDRAWN, 0),
        machine=counts.get(schema.MACHINE, 0),
        illegal_content_notices=notices,
        trusted=trusted,
        trusted_notices=trusted_notices,
        first_at=moment(standing.first),
        last_at=moment(standing.last),
        reasons=dict(sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))[:REASONS_SHOWN]),
    )


def _groups(connection: Connection, tenant_id: int, target_id: str, now: datetime) -> list[GroupOnTarget]:
    c, t = schema.clusters.c, schema.cluster_targets.c
    on_target = sa.select(t.cluster_id).where(
        t.tenant_id == tenant_id, t.target_key == key_of(target_id), t.target_id == target_id
    )
    listing = set[str]().union(*clusters_listing(connection, tenant_id, [key_of(target_id)]).values())
    rows = connection.execute(
        sa.select(c.id, c.kind, c.disposition, c.status, c.snooze_until_us, c.summary, c.verdict)
        .where(
            c.tenant_id == tenant_id,
            c.disposition != "merged",
            sa.or_(c.id.in_(on_target), c.id.in_(sorted(listing))) if listing else c.id.in_(on_target),
        )
        .order_by(c.last_us.desc(), c.id)
        .limit(GROUPS_SHOWN)
    ).all()
    return [
        GroupOnTarget(
            row.id,
            row.kind,
            row.disposition,
            effective_status(row.status, None if row.snooze_until_us is None else moment(row.snooze_until_us), now),
            row.summary,
            row.verdict,
            list_decisions(connection, tenant_id, row.id, after=None, limit=DECISIONS_SHOWN)[0],
        )
        for row in rows
    ]


def _outcomes(connection: Connection, tenant_id: int, target_id: str) -> list[ReceivedOutcome]:
    o = schema.outcomes.c
    rows = connection.execute(
        sa.select(o.content, o.received_us, o.decided_us)
        .where(o.tenant_id == tenant_id, o.target_key == key_of(target_id))
        .order_by(o.decided_us.desc(), o.id.desc())
        .limit(OUTCOMES_SHOWN)
    ).all()
    listed = []
    for row in reversed(rows):
        outcome = Outcome.model_validate_json(row.content)
        if outcome.target_id == target_id:
            listed.append(
                ReceivedOutcome(
                    outcome.id,
                    outcome.decided_at,
                    moment(row.received_us),
                    outcome.verdict,
                    outcome.action,
                    outcome.decided_by,
                    outcome.complaint_id,
                    outcome.retracts,
                )
            )
    return listed


def _restoration(connection: Connection, tenant_id: int, target_id: str) -> TargetRestoration | None:
    item = restorations.read_one(connection, tenant_id, key_of(target_id))
    if item is None or item.target_id != target_id:
        return None
    return TargetRestoration(
        item.state, item.complaints, item.independent_complaints, item.threshold, item.removed_at, item.removed_by
    )
