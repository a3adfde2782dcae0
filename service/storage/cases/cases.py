"""Clusters as moderators see them: reads for lists, one case and its log, and the one write, a decision.

Functions over a Connection. Whatever belongs to another tenant is not found, with the same words as what
never existed. The detect worker writes the same rows; a decision therefore runs in a writing transaction
(`with write(engine) as connection`) and checks the version that it was made on.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal, get_args

import sqlalchemy as sa
from pydantic_core import from_json
from sqlalchemy import Connection, RowMapping

from service.errors import NotFound, StaleVersion
from service.model import (
    Cluster,
    ClusterItem,
    Complaint,
    Decision,
    DecisionRequest,
    Disposition,
    Evidence,
    Kind,
    Status,
    microseconds,
    moment,
)
from service.moderation.case_events import decision_events
from service.moderation.decisions import Case, decide, effective_status
from service.moderation.graphs import Tie
from service.storage.accounts import audit_log
from service.storage.sql import schema
from service.storage.sql.cursors import Key
from service.storage.sql.engine import lock_tenant
from service.storage.sql.hashing import key_of
from service.storage.webhooks import outbox

Sort = Literal["-last_at", "-first_at", "-score", "-reporter_count"]
_SORT_COLUMNS: Mapping[str, sa.Column[Any]] = {
    "-last_at": schema.clusters.c.last_us,
    "-first_at": schema.clusters.c.first_us,
    "-score": schema.clusters.c.score,
    "-reporter_count": schema.clusters.c.reporter_count,
}
SORT_KEY_TYPES: Mapping[str, tuple[type, ...]] = {
    "-last_at": (int, str),
    "-first_at": (int, str),
    "-score": (float, str),
    "-reporter_count": (int, str),
}
_UNKNOWN = "no such cluster"
_ID_LENGTH = 40  # of clusters.id


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


def list_clusters(
    connection: Connection,
    tenant_id: int,
    chosen: ClusterFilter,
    *,
    sort: Sort,
    after: tuple[Key, ...] | None,
    limit: int,
    now: datetime,
) -> tuple[list[ClusterItem], tuple[Key, ...] | None]:
    """At most `limit` clusters behind `after`, and the key to go on from (None: that was all).

    Descending by the sort's column, ties by ascending id. A snooze that has run out counts as open.
    """
    c = schema.clusters.c
    column = _SORT_COLUMNS[sort]
    query = sa.select(c.id, column).where(c.tenant_id == tenant_id, *conditions(tenant_id, chosen, now))
    if after is not None:
        value, last_id = after
        query = query.where(column <= value, sa.or_(column < value, c.id > last_id))
    # Ids and keys first: sorting whole rows would drag every summary and evidence along.
    keys = connection.execute(query.order_by(column.desc(), c.id).limit(limit + 1)).all()
    page = [row[0] for row in keys[:limit]]
    rows = {row["id"]: row for row in connection.execute(sa.select(schema.clusters).where(c.id.in_(page))).mappings()}
    items = [ClusterItem(**item_values(rows[cluster_id], now)) for cluster_id in page if cluster_id in rows]
    return items, ((keys[limit - 1][1], keys[limit - 1][0]) if len(keys) > limit else None)


def conditions(tenant_id: int, chosen: ClusterFilter, now: datetime) -> list[sa.ColumnElement[bool]]:
    """What the filter says about rows of `clusters`, the tenant aside."""
    c, members, targets = schema.clusters.c, schema.cluster_members.c, schema.cluster_targets.c
    said: list[sa.ColumnElement[bool]] = []
    if chosen.disposition is not None:
        said.append(c.disposition.in_(sorted(chosen.disposition)))
    if chosen.status is not None:
        sleeps = asleep(microseconds(now))
        alternatives: list[sa.ColumnElement[bool]] = [c.status.in_(sorted(chosen.status - {"snoozed"}))]
        if "snoozed" in chosen.status:
            alternatives.append(sleeps)
        if "open" in chosen.status:
            alternatives.append(sa.and_(c.status == "snoozed", sa.not_(sleeps)))
        said.append(sa.or_(*alternatives))
    if chosen.kind is not None:
        said.append(c.kind == chosen.kind)
    if chosen.min_score is not None:
        said.append(c.score >= chosen.min_score)
    if chosen.since_us is not None:
        said.append(c.last_us >= chosen.since_us)
    if chosen.until_us is not None:
        said.append(c.first_us < chosen.until_us)
    if chosen.reporter is not None:
        is_member = (
            members.tenant_id == tenant_id,
            members.reporter_key == key_of(chosen.reporter),
            members.reporter_id == chosen.reporter,
            members.excluded.is_(False),
        )
        said.append(c.id.in_(sa.select(members.cluster_id).where(*is_member)))
    if chosen.target is not None:
        is_target = (
            targets.tenant_id == tenant_id,
            targets.target_key == key_of(chosen.target),
            targets.target_id == chosen.target,
        )
        said.append(c.id.in_(sa.select(targets.cluster_id).where(*is_target)))
    if chosen.author is not None:
        said.append(
            c.id.in_(
                sa.select(targets.cluster_id).where(targets.tenant_id == tenant_id, targets.author_id == chosen.author)
            )
        )
    return said


def asleep(now_us: int) -> sa.ColumnElement[bool]:
    """Of a row of `clusters`: snoozed, and not yet awake again."""
    c = schema.clusters.c
    return sa.and_(c.status == "snoozed", c.snooze_until_us.is_not(None), c.snooze_until_us > now_us)


def item_values(row: RowMapping, now: datetime) -> dict[str, Any]:
    """What a row of `clusters` says, as the fields of a ClusterItem."""
    return {
        "id": row["id"],
        "kind": row["kind"],
        "disposition": row["disposition"],
        "status": effective_status(row["status"], _time(row["snooze_until_us"]), now),
        "score": row["score"],
        "probability": row["probability"],
        "unfounded_probability": row["unfounded_probability"],
        "settle_with": json.loads(row["settle_with"]),
        "first_at": moment(row["first_us"]),
        "last_at": moment(row["last_us"]),
        "reporter_count": row["reporter_count"],
        "target_count": row["target_count"],
        "summary": row["summary"],
        "evidence": [Evidence(**signal) for signal in json.loads(row["evidence"])],
        "policy_version": row["policy_version"],
        "version": row["version"],
        "merged_into": row["merged_into"],
        "split_from": row["split_from"],
        "earlier": row["earlier"],
        "revoked_at": _time(row["revoked_us"]),
        "revoked_because": row["revoked_because"],
    }


def _time(us: int | None) -> datetime | None:
    return None if us is None else moment(us)


def _cluster_row(connection: Connection, tenant_id: int, cluster_id: str, *, lock: bool = False) -> RowMapping:
    query = sa.select(schema.clusters).where(
        schema.clusters.c.id == cluster_id, schema.clusters.c.tenant_id == tenant_id
    )
    # No id of ours is that long or holds a NUL, which PostgreSQL would not even take as a question.
    possible = len(cluster_id) <= _ID_LENGTH and "\0" not in cluster_id
    row = connection.execute(query.with_for_update() if lock else query).mappings().first() if possible else None
    if row is None:
        raise NotFound(_UNKNOWN)
    return row


def read_cluster(connection: Connection, tenant_id: int, cluster_id: str, *, now: datetime) -> Cluster:
    """One cluster with its members (the excluded are none) and targets, sorted. Raises NotFound."""
    row = _cluster_row(connection, tenant_id, cluster_id)
    members, targets = schema.cluster_members.c, schema.cluster_targets.c
    reporters = connection.scalars(
        sa.select(members.reporter_id).where(members.cluster_id == cluster_id, members.excluded.is_(False))
    ).all()
    return Cluster(
        **item_values(row, now),
        reporters=sorted(reporters),
        targets=sorted(connection.scalars(sa.select(targets.target_id).where(targets.cluster_id == cluster_id)).all()),
    )


def summaries_of(connection: Connection, tenant_id: int, cluster_ids: Collection[str]) -> dict[str, str]:
    """The one-sentence summary of each of these clusters (a few hundred at most); what is none of the tenant's is left
    out.
    """
    c = schema.clusters.c
    return {
        identity: summary
        for identity, summary in connection.execute(
            sa.select(c.id, c.summary).where(c.tenant_id == tenant_id, c.id.in_(list(cluster_ids)))
        )
    }


@dataclass(frozen=True, slots=True)
class ArchivedComplaint:
    """One complaint of a cluster as the archive holds it."""

    complaint: Complaint
    received_at: datetime
    withdrawn: bool
    exempt: bool  # trusted reporter or illegal-content notice: shown, never discounted


def list_complaints(
    connection: Connection, tenant_id: int, cluster_id: str, *, after: tuple[Key, ...] | None, limit: int
) -> tuple[list[ArchivedComplaint], tuple[Key, ...] | None]:
    """The members' complaints on the cluster's targets, oldest first, and the key to go on from. Raises NotFound."""
    _cluster_row(connection, tenant_id, cluster_id)
    own, archived = schema.cluster_complaints.c, schema.complaints.c
    query = sa.select(own.occurred_us, own.row_key, own.exempt).where(
        own.cluster_id == cluster_id, _by_a_member(cluster_id)
    )
    if after is not None:
        occurred_us, row_key = after
        query = query.where(
            sa.or_(own.occurred_us > occurred_us, sa.and_(own.occurred_us == occurred_us, own.row_key > row_key))
        )
    rows = connection.execute(query.order_by(own.occurred_us, own.row_key).limit(limit + 1)).all()
    # Row keys are the tenant's: asked for the tenant as well, SQLite would walk all of its complaints.
    of_page = archived.row_key.in_([row.row_key for row in rows[:limit]])
    contents = {
        row.row_key: row
        for row in connection.execute(
            sa.select(archived.row_key, archived.content, archived.received_us, archived.state).where(of_page)
        )
    }
    items = [
        ArchivedComplaint(
            _as_accepted(contents[row.row_key].content),
            moment(contents[row.row_key].received_us),
            withdrawn=contents[row.row_key].state == schema.WITHDRAWN,
            exempt=row.exempt,
        )
        for row in rows[:limit]
        if row.row_key in contents  # erased meanwhile: nothing is left to show
    ]
    return items, ((rows[limit - 1].occurred_us, rows[limit - 1].row_key) if len(rows) > limit else None)


def _as_accepted(content: str) -> Complaint:
    """The archived complaint without what stands in place of its text."""
    body = from_json(content)
    return Complaint.model_validate({name: value for name, value in body.items() if name in Complaint.model_fields})


def _by_a_member(cluster_id: str) -> sa.ColumnElement[bool]:
    members = schema.cluster_members.c
    return schema.cluster_complaints.c.reporter_key.in_(
        sa.select(members.reporter_key).where(members.cluster_id == cluster_id, members.excluded.is_(False))
    )


def read_ties(connection: Connection, tenant_id: int, cluster_id: str) -> list[Tie]:
    """Who of the cluster complained about what, one entry a reporter and target, in no order. Raises NotFound."""
    _cluster_row(connection, tenant_id, cluster_id)
    own, archived, members, targets = (
        schema.cluster_complaints.c,
        schema.complaints.c,
        schema.cluster_members.c,
        schema.cluster_targets.c,
    )
    query = (
        sa.select(
            members.reporter_id,
            targets.target_id,
            sa.func.count(),
            sa.func.min(own.occurred_us),
            sa.func.max(own.occurred_us),
        )
        .join(
            schema.cluster_members,
            sa.and_(
                members.cluster_id == own.cluster_id,
                members.reporter_key == own.reporter_key,
                members.excluded.is_(False),
            ),
        )
        .join(
            schema.cluster_targets, sa.and_(targets.cluster_id == own.cluster_id, targets.target_key == own.target_key)
        )
        .join(schema.complaints, archived.row_key == own.row_key)
        .where(own.cluster_id == cluster_id, archived.state == schema.STANDING)
        .group_by(members.reporter_id, targets.target_id)
    )
    return [
        Tie(reporter, target, complaints, moment(first_us), moment(last_us))
        for reporter, target, complaints, first_us, last_us in connection.execute(query)
    ]


def list_decisions(
    connection: Connection, tenant_id: int, cluster_id: str, *, after: tuple[Key, ...] | None, limit: int
) -> tuple[list[Decision], tuple[Key, ...] | None]:
    """The decision log of the cluster and of those merged into it, oldest first, and the key to go on from.

    Raises NotFound.
    """
    _cluster_row(connection, tenant_id, cluster_id)
    c = schema.decisions.c
    query = sa.select(schema.decisions).where(
        c.tenant_id == tenant_id, c.cluster_id.in_(_family(connection, tenant_id, cluster_id))
    )
    if after is not None:
        query = query.where(c.seq > after[0])
    rows = connection.execute(query.order_by(c.seq).limit(limit + 1)).mappings().all()
    return [decision_of(row) for row in rows[:limit]], ((rows[limit - 1]["seq"],) if len(rows) > limit else None)


def family_of(connection: Connection, tenant_id: int, cluster_id: str) -> list[str]:
    """The cluster's id and those of all that were merged into it: what the log and the notes of one case are about.

    Raises NotFound.
    """
    _cluster_row(connection, tenant_id, cluster_id)
    return _family(connection, tenant_id, cluster_id)


def _family(connection: Connection, tenant_id: int, cluster_id: str) -> list[str]:
    """The cluster and all that were merged into it, directly or along a chain."""
    family, newest = [cluster_id], [cluster_id]
    while newest:
        found = connection.scalars(
            sa.select(schema.clusters.c.id).where(
                schema.clusters.c.tenant_id == tenant_id, schema.clusters.c.merged_into.in_(newest)
            )
        ).all()
        newest = [one for one in found if one not in family]
        family += newest
    return family


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
    """A row of the decision log as the noun."""
    return Decision(
        id=row["id"],
        cluster_id=row["cluster_id"],
        at=moment(row["at_us"]),
        by=row["by"],
        verdict=row["verdict"],
        reason_code=row["reason_code"],
        note=row["note"],
        excluded_reporters=json.loads(row["excluded_reporters"]),
        snooze_until=_time(row["snooze_until_us"]),
        reverses=row["reverses"],
        version=row["version"],
    )


def read_case(
    connection: Connection, tenant_id: int, cluster_id: str, *, lock: bool = False
) -> tuple[Case, list[Decision]]:
    """What a decision is made on: the case as it stands, and its log with those of clusters merged into it, oldest
    first.

    `lock` keeps the row until the transaction ends. Raises NotFound.
    """
    row = _cluster_row(connection, tenant_id, cluster_id, lock=lock)
    m, d = schema.cluster_members.c, schema.decisions.c
    members = connection.execute(sa.select(m.reporter_id, m.excluded).where(m.cluster_id == cluster_id)).all()
    of_family = (d.tenant_id == tenant_id, d.cluster_id.in_(_family(connection, tenant_id, cluster_id)))
    log_rows = connection.execute(sa.select(schema.decisions).where(*of_family).order_by(d.seq)).mappings()
    case = Case(
        id=cluster_id,
        version=row["version"],
        changed_by=row["changed_by"],
        disposition=row["disposition"],
        status=row["status"],
        verdict=row["verdict"],
        snooze_until=_time(row["snooze_until_us"]),
        revoked_at=_time(row["revoked_us"]),
        revoked_because=row["revoked_because"],
        merged_into=_survivor(connection, tenant_id, row),
        members=frozenset(member.reporter_id for member in members),
        excluded=frozenset(member.reporter_id for member in members if member.excluded),
        target_count=row["target_count"],
        decided_reporters=row["decided_reporters"],
        decided_targets=row["decided_targets"],
    )
    return case, [decision_of(one) for one in log_rows]


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
    """Decide, and store decision, case, exclusions, audit entry and what it tells in the caller's writing transaction.

    Raises NotFound, and whatever service/moderation/decisions.py refuses with; then nothing was written.
    """
    # also so that decisions.seq is committed in its order: detection reads on from the last one that it saw
    lock_tenant(connection, tenant_id)
    before, log = read_case(connection, tenant_id, cluster_id, lock=True)
    after, entry = decide(before, log, request, decision_id=decision_id, by=by, now=now)
    _store_case(connection, before, after)
    _store_entry(connection, tenant_id, entry)
    _store_audit(connection, tenant_id, before, after, entry)
    cluster = read_cluster(connection, tenant_id, cluster_id, now=now)
    outbox.record(connection, tenant_id, decision_events(before.disposition, cluster, entry), microseconds(now))
    return cluster


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
            f"cluster {after.id} was changed meanwhile: read it again",
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


def _store_audit(connection: Connection, tenant_id: int, before: Case, after: Case, entry: Decision) -> None:
    detail = {
        "decision": entry.id,
        "verdict": entry.verdict,
        "reason_code": entry.reason_code,
        "reverses": entry.reverses,
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


def name_of_key(connection: Connection, key_id: int) -> str:
    """Who decides, for logs and for whoever meets a newer version: the API key's name, or key:<id> where it has
    none.
    """
    name = connection.scalar(sa.select(schema.api_keys.c.name).where(schema.api_keys.c.id == key_id))
    return name or f"key:{key_id}"
