"""The moderators' queue: cases, counts and waiting times. Reads only.

A case waits from the time it was found, in the tenant's own time (that of its complaints). While complaints arrive this
is compared with now; for a replayed history, with its latest complaint (`tenant_now`), so that its cases do not look
years overdue.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

import sqlalchemy as sa
from sqlalchemy import Connection

from service.model import ClusterItem, microseconds, moment
from service.storage.cases.campaign_groups import campaigns_of
from service.storage.cases.cases import item_values
from service.storage.cases.claims import Claim, claims_of
from service.storage.cases.cluster_filters import ClusterFilter, asleep, conditions, filter_of
from service.storage.sql import schema
from service.storage.sql.cursors import Key

Tab = Literal["new", "mine", "escalated", "decided", "all"]
QueueSort = Literal["-score", "found_at", "-found_at", "-last_at", "-reporter_count"]
TABS: tuple[Tab, ...] = get_args(Tab)
SORTS: tuple[QueueSort, ...] = get_args(QueueSort)
SORT_KEY_TYPES: Mapping[str, tuple[type, ...]] = {
    "-score": (float, str),
    "found_at": (int, str),
    "-found_at": (int, str),
    "-last_at": (int, str),
    "-reporter_count": (int, str),
}
SLOTS = 24  # of a row's time line
QUIET = timedelta(days=2)  # beyond this age of the latest complaint, the tenant's own time applies
_COLUMNS: Mapping[QueueSort, sa.Column[Any]] = {
    "-score": schema.clusters.c.score,
    "found_at": schema.clusters.c.found_us,
    "-found_at": schema.clusters.c.found_us,
    "-last_at": schema.clusters.c.last_us,
    "-reporter_count": schema.clusters.c.reporter_count,
}
_KNOWN = frozenset(
    {"flagged", "reliable", "held_back", "revoked"}
)  # all but merged clusters, which their survivor represents
NOBODY = ""
# by place: an expression with values inside is another one each time to PostgreSQL
_BY_STATE = (sa.text("1"), sa.text("2"))


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """Which cases a tab of the queue holds."""

    cases: ClusterFilter = field(default_factory=ClusterFilter)
    claimed_by: str | None = None  # NOBODY: unclaimed cases; None: any
    text: str | None = None  # part of the summary, or the beginning of an id; letters large or small

    def named(self) -> dict[str, str]:
        """The filter as text, for a cursor."""
        own = {"claimed_by": self.claimed_by, "text": self.text}
        return self.cases.named() | {name: value for name, value in own.items() if value is not None}


@dataclass(frozen=True, slots=True)
class QueueItem:
    """One case, as a row of the queue."""

    item: ClusterItem
    found_at: datetime
    claim: Claim | None
    verdict: str | None  # a person's verdict in force
    changed_by: str
    counts: Sequence[int]  # its complaints, in SLOTS equal parts of the time from the first to the last

    @property
    def grown(self) -> bool:
        """Whether the case reopened because it grew after the decision."""
        return self.verdict is not None and self.item.status == "open"


@dataclass(frozen=True, slots=True)
class TabCount:
    """Number of cases in a tab, and when the one that has waited longest was found (None: no case)."""

    cases: int = 0
    oldest_at: datetime | None = None


def of_tab(tab: Tab, person: str) -> QueueFilter:
    """The filter of a tab before a person adds their own."""
    if tab == "new":
        return QueueFilter(
            ClusterFilter(disposition=frozenset({"flagged"}), status=frozenset({"open"})), claimed_by=NOBODY
        )
    if tab == "mine":
        return QueueFilter(
            ClusterFilter(
                disposition=frozenset({"flagged", "reliable", "held_back"}), status=frozenset({"open", "escalated"})
            ),
            claimed_by=person,
        )
    if tab == "escalated":
        return QueueFilter(
            ClusterFilter(disposition=frozenset({"flagged", "reliable", "held_back"}), status=frozenset({"escalated"}))
        )
    if tab == "decided":
        return QueueFilter(ClusterFilter(disposition=_KNOWN, status=frozenset({"decided"})))  # type: ignore[arg-type]  # dispositions
    return QueueFilter(ClusterFilter(disposition=None, status=None))


def narrowed(base: QueueFilter, texts: Mapping[str, str]) -> QueueFilter:
    """The tab's filter with the person's own (as `named` writes them) on top. Raises ValueError if invalid."""
    own = dict(texts)
    text = own.pop("text", None) or base.text
    return replace(base, cases=filter_of({**base.cases.named(), **own}), text=text)


def list_queue(
    connection: Connection,
    tenant_id: int,
    chosen: QueueFilter,
    *,
    sort: QueueSort,
    after: tuple[Key, ...] | None,
    limit: int,
    now: datetime,
    pictures: bool = True,
) -> tuple[list[QueueItem], tuple[Key, ...] | None]:
    """At most `limit` cases behind `after`, and the key to go on from (None: that was all); ties by id.

    `pictures`: with their time lines.
    """
    c, column, falling = schema.clusters.c, _COLUMNS[sort], sort.startswith("-")
    query = sa.select(c.id, column).where(c.tenant_id == tenant_id, *_conditions(tenant_id, chosen, now))
    if after is not None:
        value, last_id = after
        query = query.where(
            column <= value if falling else column >= value,
            sa.or_(column < value if falling else column > value, c.id > last_id),
        )
    keys = connection.execute(query.order_by(column.desc() if falling else column, c.id).limit(limit + 1)).all()
    items = read_items(connection, tenant_id, [row[0] for row in keys[:limit]], now=now, pictures=pictures)
    return items, ((keys[limit - 1][1], keys[limit - 1][0]) if len(keys) > limit else None)


def read_items(
    connection: Connection, tenant_id: int, ids: Sequence[str], *, now: datetime, pictures: bool = True
) -> list[QueueItem]:
    """Rows of these cases, in the given order; those of other tenants are left out."""
    c = schema.clusters.c
    known = [one for one in ids if len(one) <= 40]
    rows = {
        row["id"]: row
        for row in connection.execute(
            sa.select(schema.clusters).where(c.id.in_(known), c.tenant_id == tenant_id)
        ).mappings()
    }
    held = claims_of(connection, tenant_id, rows)
    counts = _time_lines(connection, list(rows)) if pictures else {}
    campaigns = campaigns_of(connection, tenant_id, rows)
    return [
        QueueItem(
            ClusterItem(**item_values(rows[one], now, campaigns.get(one))),
            moment(rows[one]["found_us"]),
            held.get(one),
            rows[one]["verdict"],
            rows[one]["changed_by"],
            counts.get(one, ()),
        )
        for one in known
        if one in rows
    ]


def count_tabs(connection: Connection, tenant_id: int, person: str, *, now: datetime) -> dict[Tab, TabCount]:
    """Every tab's count, without a person's filters."""
    c, held = schema.clusters.c, schema.claims.c
    status = sa.case((asleep(microseconds(now)), "snoozed"), (c.status == "snoozed", "open"), else_=c.status).label(
        "effective"
    )
    groups = connection.execute(
        sa.select(status, c.disposition, sa.func.count(), sa.func.min(c.found_us))
        .where(c.tenant_id == tenant_id)
        .group_by(*_BY_STATE)
    ).all()
    # Claims are few: claimed cases are subtracted from the new ones in a query of their own, instead of a join with
    # every case.
    claimed = connection.execute(
        sa.select(status, c.disposition, held.by, sa.func.count(), sa.func.min(c.found_us))
        .select_from(schema.claims)
        .join(schema.clusters, c.id == held.cluster_id)
        .where(held.tenant_id == tenant_id, c.tenant_id == tenant_id)
        .group_by(*_BY_STATE, held.by)
    ).all()
    result: dict[Tab, TabCount] = {}
    for tab in TABS:
        chosen = of_tab(tab, person)
        if tab == "mine":
            fitting = [(row[3], row[4]) for row in claimed if row.by == person and _fits(chosen.cases, row[0], row[1])]
        else:
            fitting = [(row[2], row[3]) for row in groups if _fits(chosen.cases, row[0], row[1])]
        count, oldest_us = sum(number for number, _ in fitting), min((found for _, found in fitting), default=None)
        if tab == "new":
            taken = sum(row[3] for row in claimed if _fits(chosen.cases, row[0], row[1]))
            count -= taken
            if taken:
                oldest_us = _oldest(connection, tenant_id, chosen, now)
        result[tab] = TabCount(count, None if oldest_us is None or not count else moment(oldest_us))
    return result


def tenant_now(connection: Connection, tenant_id: int, now: datetime) -> datetime:
    """The time that ages are relative to: now, or the latest complaint if the tenant has been quiet for QUIET."""
    latest_us = connection.scalar(
        sa.select(schema.ingest_state.c.watermark_us).where(schema.ingest_state.c.tenant_id == tenant_id)
    )
    if latest_us is None or latest_us > microseconds(now - QUIET):
        return now
    return moment(latest_us)


def _fits(chosen: ClusterFilter, status: str, disposition: str) -> bool:
    return (chosen.status is None or status in chosen.status) and (
        chosen.disposition is None or disposition in chosen.disposition
    )


def _oldest(connection: Connection, tenant_id: int, chosen: QueueFilter, now: datetime) -> int | None:
    c = schema.clusters.c
    found: int | None = connection.scalar(
        sa.select(sa.func.min(c.found_us)).where(c.tenant_id == tenant_id, *_conditions(tenant_id, chosen, now))
    )
    return found


def _conditions(tenant_id: int, chosen: QueueFilter, now: datetime) -> list[sa.ColumnElement[bool]]:
    c, held = schema.clusters.c, schema.claims.c
    clauses = conditions(tenant_id, chosen.cases, now)
    if chosen.claimed_by == NOBODY:
        clauses.append(c.id.not_in(sa.select(held.cluster_id).where(held.tenant_id == tenant_id)))
    elif chosen.claimed_by is not None:
        clauses.append(
            c.id.in_(sa.select(held.cluster_id).where(held.tenant_id == tenant_id, held.by == chosen.claimed_by))
        )
    if chosen.text is not None:
        clauses.append(
            sa.or_(c.summary.icontains(chosen.text, autoescape=True), c.id.istartswith(chosen.text, autoescape=True))
        )
    return clauses


def _time_lines(connection: Connection, ids: Sequence[str]) -> dict[str, list[int]]:
    """Each case's complaints, counted in SLOTS equal parts of its span."""
    c, own = schema.clusters.c, schema.cluster_complaints.c
    slot = (own.occurred_us - c.first_us) * SLOTS // (c.last_us - c.first_us + 1)
    query = sa.select(own.cluster_id, slot, sa.func.count()).join(schema.clusters, c.id == own.cluster_id)
    counts: dict[str, list[int]] = defaultdict(lambda: [0] * SLOTS)
    for one, place, number in connection.execute(
        query.where(own.cluster_id.in_(ids), own.gone.is_(False), own.listed.is_(False)).group_by(
            own.cluster_id, sa.text("2")
        )
    ):
        counts[one][min(max(place, 0), SLOTS - 1)] += number
    return counts
