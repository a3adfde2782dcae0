"""Which clusters a list holds: the filter as a value, as text for a cursor, and as conditions in SQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, get_args

import sqlalchemy as sa

from service.model import Disposition, Kind, Status, microseconds
from service.storage.sql import schema
from service.storage.sql.hashing import key_of


@dataclass(frozen=True, slots=True)
class ClusterFilter:
    """Which clusters a list holds; None means any."""

    disposition: frozenset[Disposition] | None = frozenset({"flagged"})
    status: frozenset[Status] | None = frozenset({"open", "escalated"})
    kind: Kind | None = None
    min_score: float | None = None
    reporter: str | None = None  # a member that is not excluded
    target: str | None = None
    author: str | None = None  # of one of its targets
    since_us: int | None = None  # [since, until) meets [first_at, last_at]
    until_us: int | None = None

    def named(self) -> dict[str, str]:
        """The filters as text, for a cursor; equal filters have equal texts."""
        texts: dict[str, str] = {}
        for f in fields(self):
            value = getattr(self, f.name)
            if f.name in ("disposition", "status"):
                texts[f.name] = "any" if value is None else ",".join(sorted(value))
            elif value is not None:
                texts[f.name] = repr(value) if isinstance(value, float) else str(value)
        return texts


def filter_of(texts: Mapping[str, str]) -> ClusterFilter:
    """The filter that `named` wrote. Raises ValueError for anything else."""
    unknown = set(texts) - {f.name for f in fields(ClusterFilter)}
    if unknown:
        raise ValueError(f"no such filter: {', '.join(sorted(unknown))}")

    def several(name: str, allowed: tuple[str, ...]) -> frozenset[Any] | None:
        values = texts[name].split(",") if name in texts else []
        if values == ["any"]:
            return None
        if not values or not set(values) <= set(allowed):
            raise ValueError(f"{name} is any of {', '.join(allowed)}, or any")
        return frozenset(values)

    def whole(name: str) -> int | None:
        return int(texts[name]) if name in texts else None

    kind: Kind | None = next((kind for kind in get_args(Kind) if kind == texts.get("kind")), None)
    if kind != texts.get("kind"):
        raise ValueError(f"kind is one of {', '.join(get_args(Kind))}")
    result = ClusterFilter(
        disposition=several("disposition", get_args(Disposition)),
        status=several("status", get_args(Status)),
        kind=kind,
        min_score=float(texts["min_score"]) if "min_score" in texts else None,
        reporter=texts.get("reporter"),
        target=texts.get("target"),
        author=texts.get("author"),
        since_us=whole("since_us"),
        until_us=whole("until_us"),
    )
    if any(value is not None and abs(value) >= 2**63 for value in (result.since_us, result.until_us)):
        raise ValueError("a time is beyond 64 bits")
    return result


def conditions(tenant_id: int, chosen: ClusterFilter, now: datetime) -> list[sa.ColumnElement[bool]]:
    """The filter as conditions on rows of `clusters`; the caller adds the tenant."""
    c, members, targets = schema.clusters.c, schema.cluster_members.c, schema.cluster_targets.c
    clauses: list[sa.ColumnElement[bool]] = []
    if chosen.disposition is not None:
        clauses.append(c.disposition.in_(sorted(chosen.disposition)))
    if chosen.status is not None:
        sleeps = asleep(microseconds(now))
        alternatives: list[sa.ColumnElement[bool]] = [c.status.in_(sorted(chosen.status - {"snoozed"}))]
        if "snoozed" in chosen.status:
            alternatives.append(sleeps)
        if "open" in chosen.status:
            alternatives.append(sa.and_(c.status == "snoozed", sa.not_(sleeps)))
        clauses.append(sa.or_(*alternatives))
    if chosen.kind is not None:
        clauses.append(c.kind == chosen.kind)
    if chosen.min_score is not None:
        clauses.append(c.score >= chosen.min_score)
    if chosen.since_us is not None:
        clauses.append(c.last_us >= chosen.since_us)
    if chosen.until_us is not None:
        clauses.append(c.first_us < chosen.until_us)
    if chosen.reporter is not None:
        is_member = (
            members.tenant_id == tenant_id,
            members.reporter_key == key_of(chosen.reporter),
            members.reporter_id == chosen.reporter,
            members.excluded.is_(False),
        )
        clauses.append(c.id.in_(sa.select(members.cluster_id).where(*is_member)))
    if chosen.target is not None:
        is_target = (
            targets.tenant_id == tenant_id,
            targets.target_key == key_of(chosen.target),
            targets.target_id == chosen.target,
        )
        clauses.append(c.id.in_(sa.select(targets.cluster_id).where(*is_target)))
    if chosen.author is not None:
        clauses.append(
            c.id.in_(
                sa.select(targets.cluster_id).where(targets.tenant_id == tenant_id, targets.author_id == chosen.author)
            )
        )
    return clauses


def asleep(now_us: int) -> sa.ColumnElement[bool]:
    """Of a row of `clusters`: snoozed, and the snooze has not run out."""
    c = schema.clusters.c
    return sa.and_(c.status == "snoozed", c.snooze_until_us.is_not(None), c.snooze_until_us > now_us)
