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
from service.storage.cases.case_decisions import verdicts_of
from service.storage.cases.cases import item_values
from service.storage.cases.claims import Claim, claims_of
from service.storage.cases.cluster_filters import ClusterFilter, asleep, conditions, filter_of
from service.storage.cases.placements import Placement, assigned_to, in_queue, placements_of
from service.storage.cases.tag_reads import find_tag, tagged, tags_of
from service.storage.complaints.archive_reader import SEQ_MASK, contents_of
from service.storage.complaints.target_content import TargetWords, example_of
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
SAMPLE = 3  # complaints of a case whose targets are looked at for an example
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
NO_QUEUE = "none"
# by place: an expression with values inside is another one each time to PostgreSQL
_BY_STATE = (sa.text("1"), sa.text("2"))


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """Which cases a tab of the queue holds."""

    cases: ClusterFilter = field(default_factory=ClusterFilter)
    claimed_by: str | None = None  # or assigned to; NOBODY: unclaimed cases; None: any
    text: str | None = None  # part of the summary, or the beginning of an id; letters large or small
    tag: str | None = None
    queue: str | None = None  # the id of one of the tenant's queues, or NO_QUEUE

    def named(self) -> dict[str, str]:
        """The filter as text, for a cursor."""
        own = {"claimed_by": self.claimed_by, "text": self.text, "tag": self.tag, "queue": self.queue}
        return self.cases.named() | {name: value for name, value in own.items() if value is not None}


@dataclass(frozen=True, slots=True)
class QueueItem:
    """One case, as a row of the queue."""

    item: ClusterItem
    found_at: datetime
    claim: Claim | None
    verdict: str | None  # a person's verdict in force
    reason: str | None  # that was given for it
    changed_by: str
    placement: Placement | None
    counts: Sequence[int]  # its complaints, in SLOTS equal parts of the time from the first to the last
    example: TargetWords | None = None  # one of its targets, of the article or thread that most of a few are in

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
    text, tag, queue = own.pop("text", None) or base.text, own.pop("tag", None), own.pop("queue", None)
    return replace(base, cases=filter_of({**base.cases.named(), **own}), text=text, tag=tag, queue=queue)


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

    `pictures`: with their time lines and examples.
    """
    c, column, falling = schema.clusters.c, _COLUMNS[sort], sort.startswith("-")
    chosen = _with_known_tag(connection, tenant_id, chosen)
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
    held, tags = claims_of(connection, tenant_id, rows), tags_of(connection, tenant_id, rows)
    placed = placements_of(connection, tenant_id, rows)
    campaigns = campaigns_of(connection, tenant_id, rows)
    verdicts = verdicts_of(connection, tenant_id, [one for one, row in rows.items() if row["verdict"] is not None])
    counts, sample = _time_lines(connection, list(rows)) if pictures else ({}, {})
    examples = _examples(connection, tenant_id, sample)
    return [
        QueueItem(
            ClusterItem(**item_values(rows[one], now, campaigns.get(one)), tags=tags.get(one, [])),
            moment(rows[one]["found_us"]),
            held.get(one),
            rows[one]["verdict"],
            verdicts[one].reason if one in verdicts else None,
            rows[one]["changed_by"],
            placed.get(one),
            counts.get(one, ()),
            examples.get(one),
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
        sa.select(status, c.disposition, sa.func.count())
        .select_from(schema.claims)
        .join(schema.clusters, c.id == held.cluster_id)
        .where(held.tenant_id == tenant_id, c.tenant_id == tenant_id)
        .group_by(*_BY_STATE)
    ).all()
    assigned = assigned_to(tenant_id, person)
    mine = connection.execute(
        sa.select(status, c.disposition, sa.func.count(), sa.func.min(c.found_us))
        .where(
            c.tenant_id == tenant_id,
            c.id.in_(sa.select(held.cluster_id).where(held.tenant_id == tenant_id, held.by == person).union(assigned)),
        )
        .group_by(*_BY_STATE)
    ).all()
    result: dict[Tab, TabCount] = {}
    for tab in TABS:
        chosen = of_tab(tab, person)
        if tab == "mine":
            fitting = [(row[2], row[3]) for row in mine if _fits(chosen.cases, row[0], row[1])]
        else:
            fitting = [(row[2], row[3]) for row in groups if _fits(chosen.cases, row[0], row[1])]
        count, oldest_us = sum(number for number, _ in fitting), min((found for _, found in fitting), default=None)
        if tab == "new":
            taken = sum(row[2] for row in claimed if _fits(chosen.cases, row[0], row[1]))
            count -= taken
            if taken:
                oldest_us = _oldest(connection, tenant_id, chosen, now)
        result[tab] = TabCount(count, None if oldest_us is None or not count else moment(oldest_us))
    return result


def count_cases(connection: Connection, tenant_id: int, chosen: QueueFilter, *, now: datetime) -> int:
    """How many cases the filter selects."""
    c = schema.clusters.c
    chosen = _with_known_tag(connection, tenant_id, chosen)
    counted = sa.select(sa.func.count()).where(c.tenant_id == tenant_id, *_conditions(tenant_id, chosen, now))
    return connection.scalar(counted.select_from(schema.clusters)) or 0


def count_queues(connection: Connection, tenant_id: int, chosen: QueueFilter, now: datetime) -> dict[int | None, int]:
    """How many of the cases are in each queue; None: in no queue."""
    c, p = schema.clusters.c, schema.case_placements.c
    counted = connection.execute(
        sa.select(p.queue_id, sa.func.count())
        .select_from(schema.clusters)
        .outerjoin(schema.case_placements, p.cluster_id == c.id)
        .where(c.tenant_id == tenant_id, *_conditions(tenant_id, chosen, now))
        .group_by(p.queue_id)
    )
    return {queue_id: count for queue_id, count in counted}


def tenant_now(connection: Connection, tenant_id: int, now: datetime) -> datetime:
    """The time that ages are relative to: now, or the latest complaint if the tenant has been quiet for QUIET."""
    latest_us = connection.scalar(
        sa.select(schema.ingest_state.c.watermark_us).where(schema.ingest_state.c.tenant_id == tenant_id)
    )
    if latest_us is None or latest_us > microseconds(now - QUIET):
        return now
    return moment(latest_us)


def _with_known_tag(connection: Connection, tenant_id: int, chosen: QueueFilter) -> QueueFilter:
    """The filter with its tag as it is spelled on cases."""
    if chosen.tag is None:
        return chosen
    return replace(chosen, tag=find_tag(connection, tenant_id, chosen.tag) or chosen.tag)


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
        claimed = sa.select(held.cluster_id).where(held.tenant_id == tenant_id, held.by == chosen.claimed_by)
        clauses.append(c.id.in_(claimed.union(assigned_to(tenant_id, chosen.claimed_by))))
    if chosen.queue is not None:
        number = int(chosen.queue) if chosen.queue != NO_QUEUE else None
        placed = c.id.in_(in_queue(tenant_id, number))
        clauses.append(sa.not_(placed) if number is None else placed)
    if chosen.tag is not None:
        clauses.append(c.id.in_(tagged(tenant_id, chosen.tag)))
    if chosen.text is not None:
        clauses.append(
            sa.or_(c.summary.icontains(chosen.text, autoescape=True), c.id.istartswith(chosen.text, autoescape=True))
        )
    return clauses


def _examples(
    connection: Connection, tenant_id: int, sample: Mapping[str, Sequence[int]]
) -> dict[str, TargetWords | None]:
    """For each case one target of its sample of complaints, by the complaints' seq."""
    contents = contents_of(connection, tenant_id, [seq for seqs in sample.values() for seq in seqs])
    return {
        case: example_of(TargetWords.of(contents[seq]["target"]) for seq in seqs if seq in contents)
        for case, seqs in sample.items()
    }


def _time_lines(connection: Connection, ids: Sequence[str]) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
    """Each case's complaints, counted in SLOTS equal parts of its span; and a few of their seqs, from all over it."""
    c, own = schema.clusters.c, schema.cluster_complaints.c
    slot = (own.occurred_us - c.first_us) * SLOTS // (c.last_us - c.first_us + 1)
    query = sa.select(own.cluster_id, slot, sa.func.count(), sa.func.min(own.row_key)).join(
        schema.clusters, c.id == own.cluster_id
    )
    counts: dict[str, list[int]] = defaultdict(lambda: [0] * SLOTS)
    firsts: dict[str, list[int]] = defaultdict(list)
    for one, place, number, row_key in connection.execute(
        query.where(own.cluster_id.in_(ids), own.gone.is_(False), own.listed.is_(False)).group_by(
            own.cluster_id, sa.text("2")
        )
    ):
        counts[one][min(max(place, 0), SLOTS - 1)] += number
        firsts[one].append(row_key & SEQ_MASK)
    return counts, {one: spread(sorted(seqs), SAMPLE) for one, seqs in firsts.items()}


def spread(values: Sequence[int], count: int) -> list[int]:
    """At most `count` of the values, evenly from the first to the last."""
    if len(values) <= count:
        return list(values)
    return [values[k * (len(values) - 1) // (count - 1)] for k in range(count)]
