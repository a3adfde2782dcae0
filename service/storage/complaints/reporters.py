"""What is known about one reporter: complaints, verdicts on them, clusters. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from service.errors import NotFound
from service.model import Disposition, Kind, Status, microseconds, moment
from service.moderation.decisions import effective_status
from service.moderation.outcomes import JudgedComplaint
from service.moderation.reputation import Reputation, reputation
from service.moderation.track_record import TrackRecord, track_record
from service.storage.complaints.archive_reader import SEQ_MASK, ingest_state_of, outcomes_of, totals_of
from service.storage.sql import schema
from service.storage.sql.hashing import key_of

CLUSTERS_SHOWN = 100  # the latest; the number of all is beside them


@dataclass(frozen=True, slots=True)
class ReporterMembership:
    """A cluster that the reporter is a member of."""

    id: str
    kind: Kind
    disposition: Disposition
    status: Status
    probability: float
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class ReporterRecord:
    """A reporter's archived complaints, by what became of them."""

    id: str
    first_at: datetime
    last_at: datetime
    complaints: int  # all that are archived
    standing: int
    repeats: int  # later ones on a target already complained about
    withdrawn: int
    machine: int
    targets: int
    judged: TrackRecord
    reputation: Reputation | None  # None while none of the complaints is judged
    cluster_count: int
    clusters: list[ReporterMembership]  # at most CLUSTERS_SHOWN, latest last_at first


def read_reporter(connection: Connection, tenant_id: int, reporter_id: str, *, now: datetime) -> ReporterRecord:
    """The reporter's history. Raises NotFound for one that never complained to this tenant.

    Reputation fades with the tenant's own time (the watermark), so neither a replayed history nor a pause erases it.
    """
    c = schema.complaints.c
    own = sa.and_(c.tenant_id == tenant_id, c.reporter_key == key_of(reporter_id), c.reporter_id == reporter_id)
    count = sa.func.count()
    total = connection.execute(
        sa.select(
            count,
            sa.func.min(c.occurred_us),
            sa.func.max(c.occurred_us),
            sa.func.count(c.target_key.distinct()),
            *(
                count.filter(c.state == state)
                for state in (schema.STANDING, schema.REPEAT, schema.WITHDRAWN, schema.MACHINE)
            ),
        ).where(own)
    ).one()
    if total[0] == 0:
        raise NotFound("no such reporter")
    clusters, cluster_count = _memberships(connection, tenant_id, reporter_id, now)
    watermark_us = ingest_state_of(connection, tenant_id).watermark_us
    judged, earned = _judged(connection, tenant_id, own, microseconds(now) if watermark_us is None else watermark_us)
    return ReporterRecord(
        id=reporter_id,
        first_at=moment(total[1]),
        last_at=moment(total[2]),
        complaints=total[0],
        targets=total[3],
        standing=total[4],
        repeats=total[5],
        withdrawn=total[6],
        machine=total[7],
        judged=judged,
        reputation=earned,
        cluster_count=cluster_count,
        clusters=clusters,
    )


def _judged(
    connection: Connection, tenant_id: int, own: sa.ColumnElement[bool], now_us: int
) -> tuple[TrackRecord, Reputation | None]:
    c, o = schema.complaints.c, schema.outcomes.c
    decided = sa.exists().where(o.tenant_id == c.tenant_id, o.target_key == c.target_key)
    filed = connection.execute(
        sa.select(c.row_key, c.target_key, c.occurred_us).where(
            own, c.state == schema.STANDING, c.act_key.is_(None), decided
        )
    ).all()
    complaints = [JudgedComplaint(row.row_key & SEQ_MASK, row.target_key, row.occurred_us) for row in filed]
    by_target = outcomes_of(connection, tenant_id, {complaint.target for complaint in complaints})
    # A total that is about to be written is missing for a moment; the reporter's own complaint is always there.
    crowds = {target: max(1, count) for target, count in totals_of(connection, tenant_id, by_target).items()}
    return track_record(complaints, by_target), reputation(complaints, by_target, crowds, now_us)


def _memberships(
    connection: Connection, tenant_id: int, reporter_id: str, now: datetime
) -> tuple[list[ReporterMembership], int]:
    c, m = schema.clusters.c, schema.cluster_members.c
    joined = schema.clusters.join(schema.cluster_members, m.cluster_id == c.id)
    own = sa.and_(
        m.tenant_id == tenant_id,
        m.reporter_key == key_of(reporter_id),
        m.reporter_id == reporter_id,
        m.excluded.is_(False),
    )
    rows = connection.execute(
        sa.select(c.id, c.kind, c.disposition, c.status, c.snooze_until_us, c.probability, c.first_us, c.last_us)
        .select_from(joined)
        .where(own)
        .order_by(c.last_us.desc(), c.id)
        .limit(CLUSTERS_SHOWN)
    ).all()
    cluster_count = connection.scalar(sa.select(sa.func.count()).select_from(joined).where(own)) or 0
    return [
        ReporterMembership(
            row.id,
            row.kind,
            row.disposition,
            effective_status(row.status, None if row.snooze_until_us is None else moment(row.snooze_until_us), now),
            row.probability,
            moment(row.first_us),
            moment(row.last_us),
        )
        for row in rows
    ], cluster_count
