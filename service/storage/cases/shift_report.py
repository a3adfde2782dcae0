"""What happened in a tenant's cases between two times, and what waits now: one list a part. Reads only.

A part's number and its list are one selection, so that a list always holds exactly what was counted. What happened is
in [since, until) of the wall clock; new cases are by the tenant's own time, as everywhere. What waits is as of `now`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

import sqlalchemy as sa
from sqlalchemy import Connection

from service.model import moment
from service.storage.cases.case_queue import of_tab
from service.storage.cases.cluster_filters import ClusterFilter, conditions
from service.storage.cases.decision_log import reversals_of
from service.storage.sql import schema
from service.storage.sql.cursors import Key

Part = Literal[
    "new",
    "decided",
    "undone",
    "undoing",
    "restorations",
    "warnings",
    "misuse",
    "settings",
    "waiting",
    "escalated",
    "returning",
    "claims",
]
PARTS: tuple[Part, ...] = get_args(Part)
KEY_TYPES_BY_SORT: Mapping[str, tuple[type, ...]] = {"at": (int, str)}
MOST_TARGETS = 2_000  # looked at for what is on hold
_ACTIONS: Mapping[Part, str] = {"restorations": "restoration", "warnings": "warning"}


@dataclass(frozen=True, slots=True)
class Shift:
    """The time of a report, and what its reader may see of the changed settings."""

    since_us: int
    until_us: int
    now: datetime
    settings: tuple[str, ...]  # actions of the audit trail

    @property
    def next_until_us(self) -> int:
        """The end of the next shift, which is as long as this one."""
        return 2 * self.until_us - self.since_us


@dataclass(frozen=True, slots=True)
class ShiftGroup:
    """Rows of a part that are alike: a person's, of one kind, for one reason ("" where the part has no such thing)."""

    by: str
    what: str
    reason: str
    count: int
    first_at: datetime


@dataclass(frozen=True, slots=True)
class ShiftRow:
    """One row of a part's list."""

    at: datetime
    by: str
    what: str
    reason: str
    case: str | None
    reporter: str | None
    text: str | None  # a case's summary, a decision's note, an audit entry's detail as JSON
    subject: str | None  # of an audit entry


def groups_of(connection: Connection, tenant_id: int, part: Part, shift: Shift) -> list[ShiftGroup]:
    """How many rows the part has, by who, what and why; the most frequent first."""
    found = _selection(connection, tenant_id, part, shift).subquery()
    count = sa.func.count().label("count")
    rows = connection.execute(
        sa.select(found.c.by, found.c.what, found.c.reason, count, sa.func.min(found.c.at_us))
        .group_by(found.c.by, found.c.what, found.c.reason)
        .order_by(count.desc(), found.c.by, found.c.what, found.c.reason)
    )
    return [ShiftGroup(by, what, reason, number, moment(first_us)) for by, what, reason, number, first_us in rows]


def list_rows(
    connection: Connection,
    tenant_id: int,
    part: Part,
    shift: Shift,
    *,
    by: str | None = None,
    what: str | None = None,
    reason: str | None = None,
    after: tuple[Key, ...] | None,
    limit: int,
) -> tuple[list[ShiftRow], tuple[Key, ...] | None]:
    """At most `limit` rows of a part, or of one of its groups, behind `after`, the oldest first; and the key to go on
    from (None: that was all).
    """
    found = _selection(connection, tenant_id, part, shift).subquery()
    query = sa.select(found)
    for column, value in ((found.c.by, by), (found.c.what, what), (found.c.reason, reason)):
        if value is not None:
            query = query.where(column == value)
    if after is not None:
        at_us, key = after
        query = query.where(sa.or_(found.c.at_us > at_us, sa.and_(found.c.at_us == at_us, found.c.key > key)))
    rows = connection.execute(query.order_by(found.c.at_us, found.c.key).limit(limit + 1)).all()
    return [
        ShiftRow(moment(row.at_us), row.by, row.what, row.reason, row.case, row.reporter, row.text, row.subject)
        for row in rows[:limit]
    ], (rows[limit - 1].at_us, rows[limit - 1].key) if len(rows) > limit else None


def targets_to_look_at(connection: Connection, tenant_id: int, threshold: int) -> tuple[list[str], bool]:
    """Targets of flagged groups with at least `threshold` complaints, by id, and whether there are more: one that is on
    hold is among them.
    """
    c, t, total = schema.clusters.c, schema.cluster_targets.c, schema.targets.c
    found = connection.scalars(
        sa.select(t.target_id)
        .distinct()
        .join(schema.clusters, c.id == t.cluster_id)
        .join(schema.targets, sa.and_(total.tenant_id == t.tenant_id, total.target_key == t.target_key))
        .where(
            t.tenant_id == tenant_id,
            c.tenant_id == tenant_id,
            c.disposition == "flagged",
            total.complaints >= threshold,
        )
        .order_by(t.target_id)
        .limit(MOST_TARGETS + 1)
    ).all()
    return list(found[:MOST_TARGETS]), len(found) > MOST_TARGETS


def _selection(connection: Connection, tenant_id: int, part: Part, shift: Shift) -> sa.Select[Any]:
    if part in ("new", "waiting", "escalated", "returning", "claims"):
        return _cases(tenant_id, part, shift)
    if part in ("decided", "undone", "undoing"):
        return _decisions(connection, tenant_id, part, shift)
    if part == "misuse":
        return _steps(tenant_id, shift)
    return _entries(tenant_id, (_ACTIONS[part],) if part in _ACTIONS else shift.settings, shift)


def _row(key: Any, at_us: Any, **columns: Any) -> sa.Select[Any]:
    """One selection's columns, in the order that all have."""
    empty = {"by": sa.literal(""), "what": sa.literal(""), "reason": sa.literal("")}
    absent = sa.cast(sa.null(), sa.Text)
    rest = {"case": absent, "reporter": absent, "text": absent, "subject": absent}
    named = {**empty, **rest, **columns}
    return sa.select(
        sa.cast(key, sa.String(40)).label("key"),
        at_us.label("at_us"),
        *(column.label(name) for name, column in named.items()),
    )


def _cases(tenant_id: int, part: Part, shift: Shift) -> sa.Select[Any]:
    c, d, held = schema.clusters.c, schema.decisions.c, schema.claims.c
    about = {"case": c.id, "text": c.summary, "what": c.disposition}
    if part == "new":
        return _row(c.id, c.found_us, **about).where(
            c.tenant_id == tenant_id, c.found_us >= shift.since_us, c.found_us < shift.until_us
        )
    if part == "returning":
        return _row(c.id, c.snooze_until_us, **about).where(
            c.tenant_id == tenant_id,
            c.status == "snoozed",
            c.disposition == "flagged",
            c.snooze_until_us >= shift.until_us,
            c.snooze_until_us < shift.next_until_us,
        )
    if part == "waiting":
        waits = ClusterFilter(disposition=frozenset({"flagged"}), status=frozenset({"open", "escalated"}))
        return _row(c.id, c.found_us, **about).where(c.tenant_id == tenant_id, *conditions(tenant_id, waits, shift.now))
    if part == "claims":
        open_ones = conditions(tenant_id, of_tab("mine", "").cases, shift.now)
        return (
            _row(c.id, held.at_us, **{**about, "by": held.by, "what": sa.literal("")})
            .join(schema.claims, held.cluster_id == c.id)
            .where(c.tenant_id == tenant_id, held.tenant_id == tenant_id, *open_ones)
        )
    # A case that took its status over from one merged into it has no such decision: then since it was found.
    latest = sa.select(d.at_us).where(d.cluster_id == c.id, d.verdict == "escalated", d.reverses.is_(None))
    since_us = sa.func.coalesce(latest.order_by(d.seq.desc()).limit(1).scalar_subquery(), c.found_us)
    return _row(c.id, since_us, **about).where(
        c.tenant_id == tenant_id, *conditions(tenant_id, of_tab("escalated", "").cases, shift.now)
    )


def _decisions(connection: Connection, tenant_id: int, part: Part, shift: Shift) -> sa.Select[Any]:
    """`decided`: what was decided and stands; `undone`: what was decided and stands no more; `undoing`: what undid."""
    d = schema.decisions.c
    within = (d.tenant_id == tenant_id, d.at_us >= shift.since_us, d.at_us < shift.until_us)
    about = {"by": d.by, "what": d.verdict, "reason": d.reason_code, "case": d.cluster_id, "text": d.note}
    earlier = schema.decisions.alias("earlier")
    was = earlier.c
    is_reversed = (was.tenant_id == d.tenant_id) & (was.id == d.reverses)
    if part == "undoing":  # what was undone, which an undo repeats without its reason
        about |= {"what": was.verdict, "reason": was.reason_code}
        return _row(d.id, d.at_us, **about).join(earlier, is_reversed).where(*within)
    undone = _undone(connection, tenant_id, within)
    same = (was.verdict == d.verdict) & was.snooze_until_us.is_not_distinct_from(d.snooze_until_us)
    only_undoes = sa.exists().where(is_reversed, same).correlate(schema.decisions)  # as is_plain_undo has it
    return _row(d.id, d.at_us, **about).where(
        *within, ~only_undoes, d.id.not_in(undone) if part == "decided" else d.id.in_(undone)
    )


def _undone(connection: Connection, tenant_id: int, within: Collection[sa.ColumnElement[bool]]) -> list[str]:
    """Which of the decisions a later one in force reverses, whenever that was made."""
    d, later = schema.decisions.c, schema.decisions.alias("later").c
    reversed_ones = connection.scalars(
        sa.select(d.id).where(
            *within, sa.exists().where(later.tenant_id == tenant_id, later.reverses == d.id).correlate(schema.decisions)
        )
    ).all()
    return sorted(reversals_of(connection, tenant_id, reversed_ones))


def _steps(tenant_id: int, shift: Shift) -> sa.Select[Any]:
    s = schema.misuse_steps.c
    return _row(s.id, s.at_us, by=s.by, what=s.step, reporter=s.reporter_id).where(
        s.tenant_id == tenant_id, s.at_us >= shift.since_us, s.at_us < shift.until_us
    )


def _entries(tenant_id: int, actions: Collection[str], shift: Shift) -> sa.Select[Any]:
    a = schema.audit_trail.c
    return _row(a.id, a.at_us, by=a.actor, what=a.action, text=a.detail, subject=a.subject).where(
        a.tenant_id == tenant_id, a.at_us >= shift.since_us, a.at_us < shift.until_us, a.action.in_(sorted(actions))
    )
