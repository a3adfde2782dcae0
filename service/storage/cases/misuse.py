"""Notices that a person marked as manifestly unfounded, and the steps that the platform took (moderation/misuse.py)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from pydantic_core import from_json
from sqlalchemy import Connection, Row

from service.model import microseconds, moment
from service.moderation.misuse import MisuseFacts, Notice, Step, StepTaken
from service.moderation.outcomes import JudgedComplaint
from service.moderation.track_record import verdict_on
from service.moderation.trusted_flaggers import is_notice
from service.storage.accounts import audit_log
from service.storage.accounts.flagger_registry import flaggers_of
from service.storage.complaints.archive_reader import SEQ_MASK, acts_of, outcomes_of
from service.storage.sql import schema
from service.storage.sql.cursors import Key
from service.storage.sql.hashing import key_of

NOTICES_AT_MOST = 500  # the latest complaints of a reporter that are looked through
KEY_TYPES_BY_SORT = {"-at": (int,)}
_STEPS, _MARKS = schema.misuse_steps, schema.misuse_marks


@dataclass(frozen=True, slots=True)
class ListedStep:
    """A step with the reporter it is about."""

    reporter_id: str
    taken: StepTaken


def notices_of(connection: Connection, tenant_id: int, reporter_id: str, *, since: datetime) -> list[Notice]:
    """The reporter's standing notices since then, newest first, those by a trusted flagger left out."""
    flaggers, key = flaggers_of(connection, tenant_id), key_of(reporter_id)
    acts = acts_of(tenant_id, reporter_id).where(schema.complaints.c.occurred_us >= microseconds(since))
    rows = connection.execute(acts.limit(NOTICES_AT_MOST)).all()
    found = [
        (row, body)
        for row in rows
        if is_notice(body := from_json(row.content)) and not flaggers.is_trusted_notice(key, row.occurred_us, body)
    ]
    outcomes = outcomes_of(connection, tenant_id, {row.target_key for row, _ in found})
    marked = set(
        connection.scalars(
            sa.select(_MARKS.c.row_key).where(_MARKS.c.tenant_id == tenant_id, _MARKS.c.reporter_key == key)
        )
    )
    return [
        Notice(
            row=row.row_key,
            id=body["id"],
            target_id=row.target_id,
            at=moment(row.occurred_us),
            reason=body.get("reason"),
            verdict=(
                verdict := verdict_on(
                    JudgedComplaint(row.row_key & SEQ_MASK, row.target_key, row.occurred_us),
                    outcomes.get(row.target_key, ()),
                )
            ),
            # A mark ends with the rejection that it rests on: an appeal may have reversed it.
            manifest=row.row_key in marked and verdict == "rejected",
        )
        for row, body in found
    ]


def mark(
    connection: Connection,
    tenant_id: int,
    reporter_id: str,
    notices: Sequence[Notice],
    manifest: set[str],
    *,
    by: str,
    now_us: int,
) -> int:
    """Mark those of `notices` whose ids are in `manifest`, and unmark the others; what cannot be marked stays unmarked.

    In the caller's writing transaction. Returns how many marks changed.
    """
    wanted = {notice.row for notice in notices if notice.id in manifest and notice.may_be_marked}
    before = {notice.row for notice in notices if notice.manifest}
    # Also the marks that rested on an earlier rejection.
    stale = _MARKS.c.row_key.in_(sorted(before ^ wanted))
    connection.execute(sa.delete(_MARKS).where(_MARKS.c.tenant_id == tenant_id, stale))
    person = {"tenant_id": tenant_id, "reporter_key": key_of(reporter_id), "reporter_id": reporter_id}
    fresh = [{"row_key": row, **person, "at_us": now_us, "by": by} for row in sorted(wanted - before)]
    if fresh:
        connection.execute(sa.insert(_MARKS), fresh)
    changed = len(wanted ^ before)
    if changed:
        detail = {"reporter": reporter_id, "manifestly_unfounded": len(wanted), "before": len(before)}
        audit_log.enter(
            connection, tenant_id, actor=by, action="misuse marks", subject="reporter", now_us=now_us, detail=detail
        )
    return changed


def steps_of(connection: Connection, tenant_id: int, reporter_id: str) -> list[StepTaken]:
    """The steps about the reporter, oldest first."""
    rows = connection.execute(
        sa.select(_STEPS)
        .where(
            _STEPS.c.tenant_id == tenant_id,
            _STEPS.c.reporter_key == key_of(reporter_id),
            _STEPS.c.reporter_id == reporter_id,
        )
        .order_by(_STEPS.c.id)
    )
    return [_taken(row) for row in rows]


def take(
    connection: Connection,
    tenant_id: int,
    reporter_id: str,
    step: Step,
    facts: MisuseFacts,
    *,
    until: datetime | None,
    gravity: str,
    intention: str,
    by: str,
    now_us: int,
) -> None:
    """Record a step that `moderation.misuse.check` allows, in the caller's writing transaction."""
    connection.execute(
        sa.insert(_STEPS).values(
            tenant_id=tenant_id,
            reporter_key=key_of(reporter_id),
            reporter_id=reporter_id,
            step=step,
            at_us=now_us,
            until_us=None if until is None else microseconds(until),
            manifest=facts.manifest,
            notices=facts.notices,
            days=facts.days,
            gravity=gravity.strip(),
            intention=intention.strip(),
            by=by,
        )
    )
    detail = {"reporter": reporter_id, "step": step, "manifestly_unfounded": facts.manifest, "notices": facts.notices}
    if until is not None:
        detail["until"] = until.isoformat()
    audit_log.enter(
        connection, tenant_id, actor=by, action="misuse step", subject="reporter", now_us=now_us, detail=detail
    )


def list_steps(
    connection: Connection, tenant_id: int, *, after: tuple[Key, ...] | None, limit: int
) -> tuple[list[ListedStep], tuple[Key, ...] | None]:
    """All steps of the tenant, newest first, and the key to go on from (None: that was all)."""
    query = sa.select(_STEPS).where(_STEPS.c.tenant_id == tenant_id)
    if after is not None:
        query = query.where(_STEPS.c.id < after[0])
    rows = connection.execute(query.order_by(_STEPS.c.id.desc()).limit(limit + 1)).all()
    return [ListedStep(row.reporter_id, _taken(row)) for row in rows[:limit]], (
        (rows[limit - 1].id,) if len(rows) > limit else None
    )


def suspensions_by_half_year(connection: Connection, tenant_id: int) -> list[tuple[int, int, int]]:
    """(year, 1 or 2, suspensions that began in it), the latest half-year first (DSA Art. 24(1)(b))."""
    counts: dict[tuple[int, int], int] = {}
    for at_us in connection.scalars(
        sa.select(_STEPS.c.at_us).where(_STEPS.c.tenant_id == tenant_id, _STEPS.c.step == "suspended")
    ):
        at = moment(at_us)
        half = (at.year, 1 if at.month <= 6 else 2)
        counts[half] = counts.get(half, 0) + 1
    return [(year, half, count) for (year, half), count in sorted(counts.items(), reverse=True)]


def _taken(row: Row[Any]) -> StepTaken:
    return StepTaken(
        row.step,
        moment(row.at_us),
        None if row.until_us is None else moment(row.until_us),
        row.by,
        row.manifest,
        row.notices,
        row.days,
        row.gravity,
        row.intention,
    )
