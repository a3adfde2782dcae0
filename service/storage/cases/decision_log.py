"""The tenant's decision log, all cases together, newest first. Nothing is ever changed or removed in it. Reads only."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from service.errors import NotFound
from service.model import Decision
from service.moderation.decisions import is_plain_undo
from service.storage.cases.case_decisions import decision_of
from service.storage.sql import schema
from service.storage.sql.cursors import Key
from service.storage.sql.parts import IDS_AT_ONCE, parts

KEY_TYPES_BY_SORT: Mapping[str, tuple[type, ...]] = {"-at": (int,)}
_LATEST_LOOKED_AT = 50  # of a person's decisions, for the last one that stands
_LONGEST_CHAIN = 100  # reversals of reversals that are followed


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which decisions; None means any. Times are [since, until)."""

    by: str | None = None
    verdict: str | None = None
    reason: str | None = None
    case: str | None = None
    since_us: int | None = None
    until_us: int | None = None

    def named(self) -> dict[str, str]:
        """The filters as text, for a cursor."""
        return {f.name: str(value) for f in fields(self) if (value := getattr(self, f.name)) is not None}


@dataclass(frozen=True, slots=True)
class DecisionLogEntry:
    """One decision and its current state."""

    decision: Decision
    summary: str  # of its case, as it is now
    reversed_by: str | None  # the decision in force that reverses it
    undone: Decision | None = None  # the one that it reverses itself

    @property
    def is_undo(self) -> bool:
        """Whether it only takes another back: then it has no verdict and no reason of its own."""
        return is_plain_undo(self.decision, self.undone)


def filter_of(texts: Mapping[str, str]) -> LogFilter:
    """The filter that `named` wrote. Raises ValueError for anything else."""
    unknown = set(texts) - {f.name for f in fields(LogFilter)}
    if unknown:
        raise ValueError(f"no such filter: {', '.join(sorted(unknown))}")
    times = {name: int(texts[name]) for name in ("since_us", "until_us") if name in texts}
    if any(abs(value) >= 2**63 for value in times.values()):
        raise ValueError("a time is beyond 64 bits")
    return LogFilter(
        by=texts.get("by"), verdict=texts.get("verdict"), reason=texts.get("reason"), case=texts.get("case"), **times
    )


def list_entries(
    connection: Connection, tenant_id: int, chosen: LogFilter, *, after: tuple[Key, ...] | None, limit: int
) -> tuple[list[DecisionLogEntry], tuple[Key, ...] | None]:
    """At most `limit` entries behind `after`, newest first, and the key to go on from (None: that was all)."""
    d, c = schema.decisions.c, schema.clusters.c
    query = (
        sa.select(schema.decisions, c.summary)
        .join(schema.clusters, c.id == d.cluster_id)
        .where(d.tenant_id == tenant_id, *_conditions(chosen))
    )
    if after is not None:
        query = query.where(d.seq < after[0])
    rows = connection.execute(query.order_by(d.seq.desc()).limit(limit + 1)).mappings().all()
    page = rows[:limit]
    reversed_by = reversals_of(connection, tenant_id, [row["id"] for row in page])
    undone = decisions_named(connection, tenant_id, [row["reverses"] for row in page if row["reverses"]])
    return [
        DecisionLogEntry(decision_of(row), row["summary"], reversed_by.get(row["id"]), undone.get(row["reverses"]))
        for row in page
    ], ((page[-1]["seq"],) if len(rows) > limit else None)


def read_entry(connection: Connection, tenant_id: int, decision_id: str) -> DecisionLogEntry:
    """One decision. Raises NotFound."""
    d, c = schema.decisions.c, schema.clusters.c
    query = (
        sa.select(schema.decisions, c.summary)
        .join(schema.clusters, c.id == d.cluster_id)
        .where(d.tenant_id == tenant_id, d.id == decision_id)
    )
    # No id of ours is that long.
    row = connection.execute(query).mappings().first() if len(decision_id) <= 40 else None
    if row is None:
        raise NotFound("no such decision")
    return DecisionLogEntry(
        decision_of(row),
        row["summary"],
        reversals_of(connection, tenant_id, [decision_id]).get(decision_id),
        decisions_named(connection, tenant_id, [row["reverses"]]).get(row["reverses"]) if row["reverses"] else None,
    )


def decisions_named(connection: Connection, tenant_id: int, decision_ids: Collection[str]) -> dict[str, Decision]:
    """These decisions, by id."""
    d, found = schema.decisions.c, dict[str, Decision]()
    for some in parts(decision_ids, IDS_AT_ONCE):
        rows = connection.execute(sa.select(schema.decisions).where(d.tenant_id == tenant_id, d.id.in_(some)))
        found |= {row["id"]: decision_of(row) for row in rows.mappings()}
    return found


def reversals_of(connection: Connection, tenant_id: int, decision_ids: Collection[str]) -> dict[str, str]:
    """Which of these decisions are reversed, and by which decision in force."""
    d = schema.decisions.c
    by_reversed: dict[str, list[str]] = {}
    newest = list(decision_ids)
    for _ in range(_LONGEST_CHAIN):
        if not newest:
            break
        found: list[Any] = []
        for some in parts(newest, IDS_AT_ONCE):
            found += connection.execute(
                sa.select(d.id, d.reverses).where(d.tenant_id == tenant_id, d.reverses.in_(some)).order_by(d.seq)
            ).all()
        for identity, undone in found:
            by_reversed.setdefault(undone, []).append(identity)
        newest = [identity for identity, _ in found]

    def taken_back_by(identity: str) -> str | None:
        # A reversal is always later than what it reverses: no circle.
        return next((one for one in by_reversed.get(identity, ()) if taken_back_by(one) is None), None)

    return {identity: by for identity in decision_ids if (by := taken_back_by(identity)) is not None}


def last_of(connection: Connection, tenant_id: int, by: str) -> Decision | None:
    """The person's latest decision that reverses nothing and that nothing has reversed; None where there is none among
    their latest.
    """
    d = schema.decisions.c
    query = sa.select(schema.decisions).where(d.tenant_id == tenant_id, d.by == by, d.reverses.is_(None))
    rows = connection.execute(query.order_by(d.seq.desc()).limit(_LATEST_LOOKED_AT)).mappings().all()
    undone = reversals_of(connection, tenant_id, [row["id"] for row in rows])
    return next((decision_of(row) for row in rows if row["id"] not in undone), None)


def people_of(connection: Connection, tenant_id: int, *, limit: int = 100) -> list[str]:
    """Names that a filter by person can offer: the tenant's users, by name."""
    u = schema.users.c
    return list(connection.scalars(sa.select(u.name).where(u.tenant_id == tenant_id).order_by(u.name).limit(limit)))


def _conditions(chosen: LogFilter) -> list[sa.ColumnElement[bool]]:
    d = schema.decisions.c
    wanted = (
        (d.by, chosen.by),
        (d.verdict, chosen.verdict),
        (d.reason_code, chosen.reason),
        (d.cluster_id, chosen.case),
    )
    conditions: list[sa.ColumnElement[bool]] = [column == value for column, value in wanted if value is not None]
    if chosen.since_us is not None:
        conditions.append(d.at_us >= chosen.since_us)
    if chosen.until_us is not None:
        conditions.append(d.at_us < chosen.until_us)
    return conditions
