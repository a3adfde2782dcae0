"""Decisions on cases: reading the case, recording the decision, and the log.

The detect worker writes the same rows, so a decision runs in a writing transaction (`with write(engine) as connection`)
and checks the version it is based on.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection, Engine, RowMapping

from service.errors import StaleVersion
from service.model import Cluster, Decision, DecisionRequest, ReasonCode, microseconds, moment
from service.moderation.case_events import decision_events
from service.moderation.cluster_state import StandingVerdict
from service.moderation.decisions import Case, decide, reason_of_verdict
from service.moderation.repeats import recorded_before
from service.storage.accounts import audit_log
from service.storage.cases import campaign_groups
from service.storage.cases.cases import cluster_row, optional_moment, read_cluster
from service.storage.cases.mentions import record_mentions
from service.storage.cases.merged_cases import merged_families, merged_family
from service.storage.sql import schema
from service.storage.sql.cursors import Key
from service.storage.sql.engine import lock_tenant
from service.storage.sql.hashing import key_of
from service.storage.sql.parts import IDS_AT_ONCE, parts
from service.storage.webhooks import outbox


@dataclass(frozen=True, slots=True)
class GivenVerdict:
    """A person's verdict that stands, and why it was given."""

    verdict: StandingVerdict
    reason: ReasonCode | None  # None: the decision is not known any more


def list_decisions(
    connection: Connection, tenant_id: int, cluster_id: str, *, after: tuple[Key, ...] | None, limit: int
) -> tuple[list[Decision], tuple[Key, ...] | None]:
    """The decision log of the cluster and of those merged into it, oldest first, and the key to go on from.

    Raises NotFound.
    """
    cluster_row(connection, tenant_id, cluster_id)
    c = schema.decisions.c
    query = sa.select(schema.decisions).where(
        c.tenant_id == tenant_id, c.cluster_id.in_(merged_family(connection, tenant_id, cluster_id))
    )
    if after is not None:
        query = query.where(c.seq > after[0])
    rows = connection.execute(query.order_by(c.seq).limit(limit + 1)).mappings().all()
    return [decision_of(row) for row in rows[:limit]], ((rows[limit - 1]["seq"],) if len(rows) > limit else None)


def _survivor(connection: Connection, tenant_id: int, row: RowMapping) -> str | None:
    seen = {row["id"]}
    survivor: str | None = row["merged_into"]
    while survivor is not None and survivor not in seen:
        seen.add(survivor)
        further = connection.scalar(
            sa.select(schema.clusters.c.merged_into).where(
                schema.clusters.c.id == survivor, schema.clusters.c.tenant_id == tenant_id
            )
        )
        if further is None:
            break
        survivor = further
    return survivor


def decision_of(row: RowMapping) -> Decision:
    """A row of the decision log as a Decision."""
    return Decision(
        id=row["id"],
        cluster_id=row["cluster_id"],
        at=moment(row["at_us"]),
        by=row["by"],
        verdict=row["verdict"],
        reason_code=row["reason_code"],
        note=row["note"],
        excluded_reporters=json.loads(row["excluded_reporters"]),
        snooze_until=optional_moment(row["snooze_until_us"]),
        reverses=row["reverses"],
        version=row["version"],
    )


def read_case(
    connection: Connection, tenant_id: int, cluster_id: str, *, lock: bool = False
) -> tuple[Case, list[Decision]]:
    """What a decision is based on: the case, and its log with those of clusters merged into it, oldest first.

    `lock` keeps the row until the transaction ends. Raises NotFound.
    """
    row = cluster_row(connection, tenant_id, cluster_id, lock=lock)
    m, d = schema.cluster_members.c, schema.decisions.c
    members = connection.execute(sa.select(m.reporter_id, m.excluded).where(m.cluster_id == cluster_id)).all()
    of_family = (d.tenant_id == tenant_id, d.cluster_id.in_(merged_family(connection, tenant_id, cluster_id)))
    log_rows = connection.execute(sa.select(schema.decisions).where(*of_family).order_by(d.seq)).mappings()
    case = Case(
        id=cluster_id,
        version=row["version"],
        changed_by=row["changed_by"],
        disposition=row["disposition"],
        status=row["status"],
        verdict=row["verdict"],
        snooze_until=optional_moment(row["snooze_until_us"]),
        revoked_at=optional_moment(row["revoked_us"]),
        revoked_because=row["revoked_because"],
        merged_into=_survivor(connection, tenant_id, row),
        members=frozenset(member.reporter_id for member in members),
        excluded=frozenset(member.reporter_id for member in members if member.excluded),
        target_count=row["target_count"],
        decided_reporters=row["decided_reporters"],
        decided_targets=row["decided_targets"],
    )
    return case, [decision_of(one) for one in log_rows]


def verdicts_of(connection: Connection, tenant_id: int, cluster_ids: Collection[str]) -> dict[str, GivenVerdict]:
    """The standing verdicts of people about these clusters; merged ones and those without one are left out."""
    c, d = schema.clusters.c, schema.decisions.c
    verdicts: dict[str, StandingVerdict] = {}
    for some in parts(cluster_ids, IDS_AT_ONCE):
        stands = (c.tenant_id == tenant_id, c.id.in_(some), c.verdict.is_not(None), c.disposition != "merged")
        verdicts |= {row.id: row.verdict for row in connection.execute(sa.select(c.id, c.verdict).where(*stands))}
    family = merged_families(connection, tenant_id, verdicts)
    rows: list[RowMapping] = []
    for some in parts(family, IDS_AT_ONCE):
        rows += connection.execute(
            sa.select(schema.decisions).where(d.tenant_id == tenant_id, d.cluster_id.in_(some))
        ).mappings()
    logs: dict[str, list[Decision]] = defaultdict(list)
    for row in sorted(rows, key=lambda one: one["seq"]):
        about = row["cluster_id"]
        while (survivor := family[about]) is not None:
            about = survivor
        logs[about].append(decision_of(row))
    return {one: GivenVerdict(verdict, reason_of_verdict(logs[one], verdict, one)) for one, verdict in verdicts.items()}


def record_decision(
    connection: Connection,
    tenant_id: int,
    cluster_id: str,
    request: DecisionRequest,
    *,
    decision_id: str,
    by: str,
    now: datetime,
) -> Cluster:
    """Decide, and store decision, case, exclusions, audit entry and events in the caller's writing transaction.

    Raises NotFound, and whatever service/moderation/decisions.py refuses with; then nothing was written.
    """
    # also so that decisions are committed in the order of seq: detection continues after the last one it saw
    lock_tenant(connection, tenant_id)
    before, log = read_case(connection, tenant_id, cluster_id, lock=True)
    after, entry = decide(before, log, request, decision_id=decision_id, by=by, now=now)
    _store_case(connection, before, after)
    _store_entry(connection, tenant_id, entry)
    undone = next((one for one in log if one.id == entry.reverses), None)
    _store_audit(connection, tenant_id, before, after, entry, undone)
    record_mentions(connection, tenant_id, entry.cluster_id, entry.note, decision_id=entry.id, by=by, now=now)
    cluster = read_cluster(connection, tenant_id, cluster_id, now=now)
    campaign_groups.plan(connection, tenant_id, microseconds(now))
    outbox.record(connection, tenant_id, decision_events(before.disposition, cluster, entry), microseconds(now))
    return cluster


def find_recorded(
    engine: Engine, tenant_id: int, cluster_id: str, request: DecisionRequest, by: str
) -> Decision | None:
    """The entry of the log that a decision which came too late has made already: it was sent twice."""
    with engine.connect() as connection:
        _, log = read_case(connection, tenant_id, cluster_id)
    return recorded_before(log, request, by)


def _store_case(connection: Connection, before: Case, after: Case) -> None:
    c, m = schema.clusters.c, schema.cluster_members.c
    changed = connection.execute(
        sa.update(schema.clusters)
        .where(c.id == after.id, c.version == before.version)
        .values(
            version=after.version,
            changed_by=after.changed_by,
            disposition=after.disposition,
            status=after.status,
            verdict=after.verdict,
            snooze_until_us=None if after.snooze_until is None else microseconds(after.snooze_until),
            decided_reporters=after.decided_reporters,
            decided_targets=after.decided_targets,
            revoked_us=None if after.revoked_at is None else microseconds(after.revoked_at),
            revoked_because=after.revoked_because,
            reporter_count=after.reporter_count,
        )
    )
    if changed.rowcount != 1:  # only where the row was not locked by the read
        raise StaleVersion(
            f"cluster {after.id} was changed in the meantime: read it again",
            current_version=before.version + 1,
            changed_by=before.changed_by,
        )
    moved = [(reporter, True) for reporter in after.excluded - before.excluded] + [
        (reporter, False) for reporter in before.excluded - after.excluded
    ]
    if moved:
        update = (
            sa.update(schema.cluster_members)
            .where(m.cluster_id == after.id, m.reporter_key == sa.bindparam("of_key"))
            .values(excluded=sa.bindparam("is_excluded"))
        )
        connection.execute(update, [{"of_key": key_of(reporter), "is_excluded": out} for reporter, out in moved])


def _store_entry(connection: Connection, tenant_id: int, entry: Decision) -> None:
    snooze_until_us = None if entry.snooze_until is None else microseconds(entry.snooze_until)
    connection.execute(
        sa.insert(schema.decisions).values(
            id=entry.id,
            tenant_id=tenant_id,
            cluster_id=entry.cluster_id,
            at_us=microseconds(entry.at),
            by=entry.by,
            verdict=entry.verdict,
            reason_code=entry.reason_code,
            note=entry.note,
            excluded_reporters=json.dumps(entry.excluded_reporters),
            snooze_until_us=snooze_until_us,
            reverses=entry.reverses,
            version=entry.version,
        )
    )


def _store_audit(
    connection: Connection, tenant_id: int, before: Case, after: Case, entry: Decision, undone: Decision | None
) -> None:
    detail = {
        "decision": entry.id,
        "verdict": entry.verdict,
        "reason_code": entry.reason_code,
        "reverses": entry.reverses,
        **({} if undone is None else {"undone": {"verdict": undone.verdict, "reason_code": undone.reason_code}}),
        "excluded_reporters": entry.excluded_reporters,
        "before": {
            "version": before.version,
            "status": before.status,
            "disposition": before.disposition,
            "verdict": before.verdict,
        },
        "after": {
            "version": after.version,
            "status": after.status,
            "disposition": after.disposition,
            "verdict": after.verdict,
        },
    }
    audit_log.enter(
        connection,
        tenant_id,
        actor=entry.by,
        action="decision",
        subject=f"cluster:{after.id}",
        now_us=microseconds(entry.at),
        detail=detail,
    )
