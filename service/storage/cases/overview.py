"""A tenant's overview: complaints received, how many were coordinated, waiting cases, and how often moderators agreed.

Time is the tenant's own: a period ends now while complaints arrive, and at the latest complaint for a replayed history
or a paused platform. Every query is bounded by the period, by the tenant's cases (along an index), or by a limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

import numpy as np
import sqlalchemy as sa
from sqlalchemy import Connection

from service.model import moment
from service.moderation.decisions import is_right_together
from service.moderation.events import Event
from service.storage.cases.case_decisions import verdicts_of
from service.storage.cases.cluster_filters import asleep
from service.storage.complaints import complaint_counts
from service.storage.complaints.archive_reader import ids_by_key
from service.storage.sql import outbox_rows, schema
from service.storage.sql.engine import placeholder, select_by_keys
from service.storage.sql.parts import IDS_AT_ONCE, parts

HOUR_US, DAY_US = 3_600_000_000, 86_400_000_000
PERIODS_US = {"day": DAY_US, "week": 7 * DAY_US}
AGES_US = (
    ("under an hour", HOUR_US),
    ("1–6 hours", 6 * HOUR_US),
    ("6–24 hours", DAY_US),
    ("1–3 days", 3 * DAY_US),
    ("3–7 days", 7 * DAY_US),
    ("over a week", None),
)
TARGETS_SHOWN = 10
DECISIONS_LOOKED_AT = 500  # the latest first verdicts, from which the time to a decision is computed
DECIDED_DAYS = 30


@dataclass(frozen=True, slots=True)
class Period:
    """The period of a chart: [start, end), in slots of ten minutes."""

    start_us: int
    end_us: int
    live: bool  # it ends now; otherwise at the latest complaint


@dataclass(frozen=True, slots=True)
class Slot:
    """Ten minutes."""

    start_us: int
    complaints: int
    coordinated: int  # of those, in clusters that are flagged now


@dataclass(frozen=True, slots=True)
class AgeGroup:
    """Cases that wait for a person, found so long ago."""

    label: str
    open: int
    escalated: int


@dataclass(frozen=True, slots=True)
class Cases:
    """The tenant's cases; merged ones are not among them."""

    ages: Sequence[AgeGroup]
    snoozed: int
    held_back: int  # beyond the day's quota of flags
    coordinated: int  # a person's standing verdict
    not_coordinated: int
    right_together: int  # cleared as a patrol: the members act together, so their flag was not wrong

    @property
    def waiting(self) -> int:
        """Flagged, and open or escalated."""
        return sum(group.open + group.escalated for group in self.ages)

    @property
    def decided(self) -> int:
        """Cases with a standing verdict about whether the members act together against others."""
        return self.coordinated + self.not_coordinated


@dataclass(frozen=True, slots=True)
class TimeToDecision:
    """From the flag to the first verdict, of the cases first decided within the last days."""

    cases: int
    median_seconds: float
    slowest_tenth_seconds: float  # nine of ten were faster


@dataclass(frozen=True, slots=True)
class AttackedTarget:
    """A target that flagged clusters complained about within the period."""

    target_key: int
    target_id: str
    reporters: int  # members who complained within the period
    clusters: int
    cluster_id: str  # one of them
    last_at: datetime


def period_of(name: str, watermark_us: int | None, now_us: int) -> Period:
    """The day or week to show. Raises KeyError for another name."""
    length = PERIODS_US[name]
    live = watermark_us is None or watermark_us > now_us - length
    end = complaint_counts.slot_of(now_us if live or watermark_us is None else watermark_us) + complaint_counts.SLOT_US
    return Period(end - length, end, live)


def read_slots(connection: Connection, tenant_id: int, period: Period) -> list[Slot]:
    """The period's slots, in order, empty ones included."""
    filed = complaint_counts.counts_between(connection, tenant_id, period.start_us, period.end_us)
    together = _coordinated(connection, tenant_id, period)
    slots = range(period.start_us, period.end_us, complaint_counts.SLOT_US)
    # A complaint of a cluster may be newer than its count for a moment: never more than all.
    return [Slot(at, filed.get(at, 0), min(filed.get(at, 0), together.get(at, 0))) for at in slots]


def _coordinated(connection: Connection, tenant_id: int, period: Period) -> dict[int, int]:
    """Complaints of flagged clusters by slot, each once.

    Read as the driver's tuples: a busy week has 10^5, which SQL would group more slowly.
    """
    statement = (
        "SELECT cc.row_key, cc.occurred_us FROM clusters c JOIN cluster_complaints cc ON cc.cluster_id = c.id WHERE"
        " c.tenant_id = ? AND c.last_us >= ? AND c.disposition = 'flagged' AND cc.occurred_us >= ? AND cc.occurred_us <"
        " ? AND cc.gone = ? AND cc.listed = ?"
    )
    result = connection.exec_driver_sql(
        statement.replace("?", placeholder(connection)),
        (tenant_id, period.start_us, period.start_us, period.end_us, False, False),
    )
    rows = np.array(result.cursor.fetchall(), np.int64).reshape(-1, 2)
    result.close()
    _, first = np.unique(rows[:, 0], return_index=True)
    slots, counts = np.unique(rows[first, 1] // complaint_counts.SLOT_US, return_counts=True)
    return {int(slot) * complaint_counts.SLOT_US: int(count) for slot, count in zip(slots, counts, strict=True)}


def _flagged_since(tenant_id: int, since_us: int) -> tuple[sa.ColumnElement[bool], ...]:
    c = schema.clusters.c
    return c.tenant_id == tenant_id, c.last_us >= since_us, c.disposition == "flagged"


def read_cases(connection: Connection, tenant_id: int, *, end_us: int, now_us: int) -> Cases:
    """How many cases are in which state, and since when (by the tenant's time, `end_us`) they wait; a snooze that has
    run out is open.
    """
    c = schema.clusters.c
    status = sa.case((c.status != "snoozed", c.status), (asleep(now_us), "snoozed"), else_="open")
    steps = [upto for _, upto in AGES_US if upto is not None]
    age = sa.case(*((c.found_us > end_us - upto, place) for place, upto in enumerate(steps)), else_=len(steps))
    rows = connection.execute(
        sa.select(c.disposition, status, c.verdict, age, sa.func.count())
        .where(c.tenant_id == tenant_id, c.disposition != "merged")
        .group_by(c.disposition, status, c.verdict, age)
    ).all()
    waiting = {"open": [0] * len(AGES_US), "escalated": [0] * len(AGES_US)}
    snoozed = held_back = 0
    verdicts = {"coordinated": 0, "not_coordinated": 0}
    for disposition, stands, verdict, place, count in rows:
        if verdict in verdicts:
            verdicts[verdict] += count
        if disposition == "held_back":
            held_back += count
        elif disposition == "flagged" and stands == "snoozed":
            snoozed += count
        elif disposition == "flagged" and stands in waiting:
            waiting[stands][place] += count
    ages = [
        AgeGroup(label, waiting["open"][place], waiting["escalated"][place]) for place, (label, _) in enumerate(AGES_US)
    ]
    right = _right_together(connection, tenant_id)
    return Cases(ages, snoozed, held_back, verdicts["coordinated"], verdicts["not_coordinated"] - right, right)


def _right_together(connection: Connection, tenant_id: int) -> int:
    """Cases that were cleared as volunteers, by their logs and those of cases merged into them."""
    d, c = schema.decisions.c, schema.clusters.c
    named = sa.select(d.cluster_id).where(d.tenant_id == tenant_id, d.reason_code == "patrol").distinct()
    cases, newest = set[str](), set(connection.scalars(named))
    while newest:
        cases |= newest
        survivors = set[str]()
        for some in parts(newest, IDS_AT_ONCE):
            into = sa.select(c.merged_into).where(c.tenant_id == tenant_id, c.merged_into.is_not(None), c.id.in_(some))
            survivors.update(connection.scalars(into))
        newest = survivors - cases
    given = verdicts_of(connection, tenant_id, cases).values()
    return sum(is_right_together(one.verdict, one.reason) for one in given)


def read_time_to_decision(connection: Connection, tenant_id: int, *, now_us: int) -> TimeToDecision | None:
    """How fast cases were decided for the first time in the last DECIDED_DAYS days; None without any.

    A case begins when its flag was reported (wall clock, as the decision is); where that event is deleted, when it was
    found.
    """
    d, c, earlier = schema.decisions.c, schema.clusters.c, schema.decisions.alias("earlier")
    verdicts = ("coordinated", "not_coordinated")
    is_first = ~sa.exists().where(
        earlier.c.cluster_id == d.cluster_id, earlier.c.seq < d.seq, earlier.c.verdict.in_(verdicts)
    )
    rows = connection.execute(
        sa.select(d.cluster_id, d.at_us, c.found_us)
        .join(schema.clusters, c.id == d.cluster_id)
        .where(d.tenant_id == tenant_id, d.verdict.in_(verdicts), d.at_us >= now_us - DECIDED_DAYS * DAY_US, is_first)
        .order_by(d.seq.desc())
        .limit(DECISIONS_LOOKED_AT)
    ).all()
    if not rows:
        return None
    flagged_us = _flagged_at(connection, tenant_id, [row.cluster_id for row in rows])
    waited = sorted(max(0, row.at_us - flagged_us.get(row.cluster_id, row.found_us)) / 1e6 for row in rows)
    return TimeToDecision(len(waited), median(waited), waited[min(len(waited) - 1, 9 * len(waited) // 10)])


def _flagged_at(connection: Connection, tenant_id: int, cluster_ids: Sequence[str]) -> dict[str, int]:
    """When the flag of each cluster was reported; one that was held back at first has a version other than 1 then."""
    ids = {
        outbox_rows.event_id(tenant_id, Event("cluster.flagged", f"{one}/{version}", {})): one
        for one in cluster_ids
        for version in (3, 2, 1)
    }
    statement = "SELECT e.id, e.at_us FROM k CROSS JOIN events e WHERE e.id = k.column1 AND e.tenant_id = ?"
    found: dict[str, int] = {}
    for identity, at_us in select_by_keys(connection, statement, (tenant_id,), [(identity,) for identity in ids]):
        found[ids[identity]] = min(at_us, found.get(ids[identity], at_us))
    return found


def read_attacked(connection: Connection, tenant_id: int, *, since_us: int, until_us: int) -> list[AttackedTarget]:
    """The targets that most members of flagged clusters complained about in [since, until), the worst first; at most
    TARGETS_SHOWN.
    """
    own = schema.cluster_complaints.c
    reporters, last = (
        sa.func.count(own.reporter_key.distinct()).label("reporters"),
        sa.func.max(own.occurred_us).label("last_us"),
    )
    rows = connection.execute(
        sa.select(
            own.target_key,
            reporters,
            last,
            sa.func.count(own.cluster_id.distinct()).label("clusters"),
            sa.func.max(own.cluster_id).label("cluster_id"),
        )
        .join(schema.clusters, schema.clusters.c.id == own.cluster_id)
        .where(
            *_flagged_since(tenant_id, since_us),
            own.occurred_us >= since_us,
            own.occurred_us < until_us,
            own.gone.is_(False),
        )
        .group_by(own.target_key)
        .order_by(reporters.desc(), last.desc(), own.target_key)
        .limit(TARGETS_SHOWN)
    ).all()
    _, names = ids_by_key(connection, tenant_id, reporters=(), targets=[row.target_key for row in rows])
    return [
        AttackedTarget(
            row.target_key, names[row.target_key], row.reporters, row.clusters, row.cluster_id, moment(row.last_us)
        )
        for row in rows
        if row.target_key in names
    ]
