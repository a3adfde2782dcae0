"""Clusters as moderators see them: lists, one case, its complaints. Reads only.

Functions over a Connection. A cluster of another tenant is reported exactly like one that does not exist. Changes to a
case are in case_decisions.py.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa
from pydantic_core import from_json
from sqlalchemy import Connection, RowMapping

from service.errors import NotFound
from service.model import (
    Cluster,
    ClusterItem,
    Complaint,
    Evidence,
    moment,
)
from service.moderation.decisions import effective_status
from service.moderation.graphs import Tie
from service.moderation.score import coordination
from service.storage.cases.campaign_groups import campaigns_of
from service.storage.cases.cluster_filters import ClusterFilter, conditions
from service.storage.cases.merged_cases import merged_family
from service.storage.cases.tag_reads import tags_of
from service.storage.sql import schema
from service.storage.sql.cursors import Key

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
    tags, campaigns = tags_of(connection, tenant_id, rows), campaigns_of(connection, tenant_id, page)
    items = [
        ClusterItem(**item_values(rows[cluster_id], now, campaigns.get(cluster_id)), tags=tags.get(cluster_id, []))
        for cluster_id in page
        if cluster_id in rows
    ]
    return items, ((keys[limit - 1][1], keys[limit - 1][0]) if len(keys) > limit else None)


def item_values(row: RowMapping, now: datetime, campaign: str | None) -> dict[str, Any]:
    """A row of `clusters` as the fields of a ClusterItem, without its tags; `campaign` is its campaign's id."""
    evidence = [Evidence(**signal) for signal in json.loads(row["evidence"])]
    return {
        "id": row["id"],
        "kind": row["kind"],
        "disposition": row["disposition"],
        "status": effective_status(row["status"], optional_moment(row["snooze_until_us"]), now),
        "coordination_score": coordination(evidence),
        "score": row["score"],
        "probability": row["probability"],
        "unfounded_probability": row["unfounded_probability"],
        "settle_with": json.loads(row["settle_with"]),
        "first_at": moment(row["first_us"]),
        "last_at": moment(row["last_us"]),
        "reporter_count": row["reporter_count"],
        "target_count": row["target_count"],
        "summary": row["summary"],
        "evidence": evidence,
        "policy_version": row["policy_version"],
        "version": row["version"],
        "merged_into": row["merged_into"],
        "split_from": row["split_from"],
        "earlier": row["earlier"],
        "revoked_at": optional_moment(row["revoked_us"]),
        "revoked_because": row["revoked_because"],
        "campaign": campaign,
    }


def optional_moment(us: int | None) -> datetime | None:
    """Microseconds as a time, or None."""
    return None if us is None else moment(us)


def cluster_row(connection: Connection, tenant_id: int, cluster_id: str, *, lock: bool = False) -> RowMapping:
    """The row of `clusters`; `lock` keeps it until the transaction ends. Raises NotFound."""
    query = sa.select(schema.clusters).where(
        schema.clusters.c.id == cluster_id, schema.clusters.c.tenant_id == tenant_id
    )
    possible = len(cluster_id) <= _ID_LENGTH
    row = connection.execute(query.with_for_update() if lock else query).mappings().first() if possible else None
    if row is None:
        raise NotFound(_UNKNOWN)
    return row


def read_cluster(connection: Connection, tenant_id: int, cluster_id: str, *, now: datetime) -> Cluster:
    """One cluster with its members (without the excluded) and targets, sorted. Raises NotFound."""
    row = cluster_row(connection, tenant_id, cluster_id)
    members, targets = schema.cluster_members.c, schema.cluster_targets.c
    reporters = connection.scalars(
        sa.select(members.reporter_id).where(members.cluster_id == cluster_id, members.excluded.is_(False))
    ).all()
    return Cluster(
        **item_values(row, now, campaigns_of(connection, tenant_id, [cluster_id]).get(cluster_id)),
        tags=tags_of(connection, tenant_id, [cluster_id]).get(cluster_id, []),
        reporters=sorted(reporters),
        targets=sorted(connection.scalars(sa.select(targets.target_id).where(targets.cluster_id == cluster_id)).all()),
    )


def summaries_of(connection: Connection, tenant_id: int, cluster_ids: Collection[str]) -> dict[str, str]:
    """The one-sentence summaries of these clusters (a few hundred at most), without those of other tenants."""
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
    """The members' complaints on the cluster's targets, and those that are part of the same acts, oldest first, and the
    key to go on from. Raises NotFound.
    """
    cluster_row(connection, tenant_id, cluster_id)
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
    # Row keys are the tenant's own: with the tenant as a condition too, SQLite would walk all of its complaints.
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
    """Which members complained about which targets: one entry per reporter and target, unordered. Raises NotFound."""
    cluster_row(connection, tenant_id, cluster_id)
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


def family_of(connection: Connection, tenant_id: int, cluster_id: str) -> list[str]:
    """The ids of the cluster and of all clusters merged into it: a case's log and notes cover them all.

    Raises NotFound.
    """
    cluster_row(connection, tenant_id, cluster_id)
    return merged_family(connection, tenant_id, cluster_id)
