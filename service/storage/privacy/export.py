"""Exports: everything stored about one person, and all of a tenant's data in the forms in which it arrived.

Reads only. A person's export names nobody else: clusters come with counts, decisions without the notes, in which
moderators write about others too.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from pydantic_core import from_json
from sqlalchemy import Connection, RowMapping

from service.fields import is_id
from service.intake.privacy_filter import PrivacyFilter
from service.model import Complaint, JsonObject, moment
from service.storage.cases.tag_reads import tags_of
from service.storage.complaints.archive_reader import SEQ_BITS
from service.storage.privacy import erasures
from service.storage.sql import schema
from service.storage.sql.hashing import key_of
from service.storage.sql.schema import MACHINE, REPEAT, STANDING, WITHDRAWN
from service.storage.sql.schema.declarations import columns_holding

_STATES = {STANDING: "standing", REPEAT: "repeat", WITHDRAWN: "withdrawn", MACHINE: "machine"}
_ROWS_AT_ONCE = 500
_CLUSTER_FIELDS = (
    "id",
    "kind",
    "disposition",
    "status",
    "score",
    "probability",
    "unfounded_probability",
    "reporter_count",
    "target_count",
    "summary",
    "policy_version",
    "version",
    "merged_into",
    "split_from",
    "earlier",
    "verdict",
    "revoked_because",
)
PERSON_SCHEMA = "brigadewatch.person/1"


def person(
    connection: Connection, tenant_id: int, privacy_filter: PrivacyFilter, reporter_id: str, *, now_us: int
) -> JsonObject:
    """Everything stored about a reporter, by the platform's id and by the pseudonym; empty lists for an unknown one.

    Every table that declares a reporter's id is in it (service/storage/sql/schema/declarations.py); one without a form
    of its own under the table's name. After an erasure only the erasure itself is found.
    """
    names = sorted({reporter_id, privacy_filter.pseudonym(reporter_id)})
    rows = {
        table: _rows_about(connection, tenant_id, table, names)
        for table in schema.metadata.sorted_tables
        if columns_holding(table, {"reporter id"})
    }
    complaints = rows.pop(schema.complaints)
    warned = rows.pop(schema.reporter_warnings)
    excluded = {row["cluster_id"]: bool(row["excluded"]) for row in rows.pop(schema.cluster_members)}
    return {
        "schema": PERSON_SCHEMA,
        "exported_at": _time(now_us),
        "reporter_ids": names,
        "complaints": [
            {
                "complaint": from_json(row["content"]),
                "state": _STATES[row["state"]],
                "late": bool(row["late"]),
                "received_at": _time(row["received_us"]),
            }
            for row in complaints
        ],
        "outcomes": list(_outcomes_on(connection, tenant_id, complaints)),
        "clusters": [
            {**cluster, "excluded": excluded[cluster["id"]]} for cluster in _clusters(connection, tenant_id, excluded)
        ],
        "decisions": list(_decisions_on(connection, tenant_id, excluded, set(names))),
        "warnings_suggested": [{"at": _time(row["at_us"]), **json.loads(row["detail"])} for row in warned],
        **{table.name: [_plain_row(table, row) for row in found] for table, found in rows.items()},
        "erasures": [
            {
                "job": one.id,
                "state": one.state,
                "asked_at": _time(one.asked_us),
                "done_at": None if one.done_us is None else _time(one.done_us),
            }
            for one in erasures.of_person(connection, tenant_id, privacy_filter, reporter_id)
        ],
    }


def _rows_about(connection: Connection, tenant_id: int, table: sa.Table, names: Sequence[str]) -> Sequence[RowMapping]:
    """The rows whose reporter is one of `names`, in the order of the primary key."""
    conditions = [column.in_(names) for column in columns_holding(table, {"reporter id"})]
    conditions += [column.in_([key_of(name) for name in names]) for column in columns_holding(table, {"reporter key"})]
    query = sa.select(table).where(table.c.tenant_id == tenant_id, *conditions)
    return connection.execute(query.order_by(*table.primary_key.columns)).mappings().all()


def _plain_row(table: sa.Table, row: RowMapping) -> JsonObject:
    """A row about the person without keys of ours, and without what names others: users, notes, documents."""
    shown: JsonObject = {}
    for column in table.c:
        value = row[column.name]
        if column.name.endswith("_us"):
            name = "at" if column.name == "at_us" else f"{column.name.removesuffix('_us')}_at"
            shown[name] = None if value is None else _time(value)
        elif column.name != "tenant_id" and column.info.get("personal", "none") in ("none", "reporter id"):
            shown[column.name] = value
    return shown


def tenant(connection: Connection, tenant_id: int) -> Iterator[tuple[str, Iterator[JsonObject]]]:
    """(file name, its objects) of everything of the tenant; the first two are what `audit` and `replay` read.

    Take the objects of one before asking for the next. Complaints that were withdrawn or sent by machines have files of
    their own: where they are read in again they would count.
    """
    yield "complaints.ndjson", _complaints(connection, tenant_id, (STANDING, REPEAT))
    yield "outcomes.ndjson", (from_json(row.content) for row in _by_seq(connection, schema.outcomes, tenant_id))
    yield "withdrawn.ndjson", _complaints(connection, tenant_id, (WITHDRAWN,))
    yield "machine.ndjson", _complaints(connection, tenant_id, (MACHINE,))
    w = schema.withdrawals
    yield (
        "withdrawals.ndjson",
        (
            {"id": row.complaint_id, "received_at": _time(row.received_us)}
            for row in connection.execute(sa.select(w).where(w.c.tenant_id == tenant_id).order_by(w.c.seq))
            if is_id(row.complaint_id)  # others are marks of ours
        ),
    )
    yield "clusters.ndjson", _whole_clusters(connection, tenant_id)
    yield "decisions.ndjson", _decisions(connection, tenant_id)
    yield "campaigns.ndjson", _campaigns(connection, tenant_id)
    yield "campaign_statements.ndjson", _statements(connection, tenant_id)
    a = schema.audit_trail
    yield (
        "audit_trail.ndjson",
        (
            {
                "at": _time(row.at_us),
                "actor": row.actor,
                "action": row.action,
                "subject": row.subject,
                "detail": json.loads(row.detail),
            }
            for row in connection.execute(
                sa.select(a)
                .where(a.c.tenant_id == tenant_id)
                .order_by(a.c.id)
                .execution_options(yield_per=_ROWS_AT_ONCE)
            )
        ),
    )


def _by_seq(connection: Connection, table: sa.Table, tenant_id: int) -> Iterator[Any]:
    """The tenant's rows of `complaints` or `outcomes`, in the order in which they were archived."""
    low, high = tenant_id << SEQ_BITS, (tenant_id + 1) << SEQ_BITS
    yield from connection.execute(
        sa.select(table)
        .where(table.c.row_key > low, table.c.row_key < high)
        .order_by(table.c.row_key)
        .execution_options(yield_per=_ROWS_AT_ONCE)
    )


def _complaints(connection: Connection, tenant_id: int, states: Collection[int]) -> Iterator[JsonObject]:
    """As they can be posted again: without what stands in place of a text."""
    return (
        {name: value for name, value in from_json(row.content).items() if name in Complaint.model_fields}
        for row in _by_seq(connection, schema.complaints, tenant_id)
        if row.state in states
    )


def _clusters(connection: Connection, tenant_id: int, ids: Iterable[str]) -> Iterator[JsonObject]:
    c, wanted = schema.clusters.c, sorted(ids)
    for start in range(0, len(wanted), _ROWS_AT_ONCE):
        mine = (
            sa.select(schema.clusters)
            .where(c.tenant_id == tenant_id, c.id.in_(wanted[start : start + _ROWS_AT_ONCE]))
            .order_by(c.id)
        )
        for row in connection.execute(mine).mappings():
            yield {
                **{name: row[name] for name in _CLUSTER_FIELDS},
                "first_at": _time(row["first_us"]),
                "last_at": _time(row["last_us"]),
                "evidence": json.loads(row["evidence"]),
            }


def _whole_clusters(connection: Connection, tenant_id: int) -> Iterator[JsonObject]:
    m, t = schema.cluster_members.c, schema.cluster_targets.c
    ids = connection.scalars(
        sa.select(schema.clusters.c.id).where(schema.clusters.c.tenant_id == tenant_id).order_by(schema.clusters.c.id)
    ).all()
    tags = tags_of(connection, tenant_id, ids)
    for cluster in _clusters(connection, tenant_id, ids):
        members = connection.execute(
            sa.select(m.reporter_id, m.excluded).where(m.cluster_id == cluster["id"]).order_by(m.reporter_id)
        ).all()
        targets = connection.scalars(
            sa.select(t.target_id).where(t.cluster_id == cluster["id"]).order_by(t.target_id)
        ).all()
        yield {
            **cluster,
            "reporters": [row.reporter_id for row in members if not row.excluded],
            "excluded_reporters": [row.reporter_id for row in members if row.excluded],
            "targets": list(targets),
            "tags": tags.get(cluster["id"], []),
        }


def _decisions(connection: Connection, tenant_id: int) -> Iterator[JsonObject]:
    d = schema.decisions
    for row in connection.execute(sa.select(d).where(d.c.tenant_id == tenant_id).order_by(d.c.seq)):
        yield {
            **_decision(row),
            "by": row.by,
            "note": row.note,
            "excluded_reporters": json.loads(row.excluded_reporters),
        }


def _campaigns(connection: Connection, tenant_id: int) -> Iterator[JsonObject]:
    c, b = schema.campaigns.c, schema.campaign_clusters.c
    for row in connection.execute(sa.select(schema.campaigns).where(c.tenant_id == tenant_id).order_by(c.id)).all():
        clusters = connection.scalars(
            sa.select(b.cluster_id).where(b.tenant_id == tenant_id, b.campaign_id == row.id).order_by(b.cluster_id)
        )
        yield {
            "id": row.id,
            "formed_at": _time(row.formed_us),
            "changed_at": _time(row.changed_us),
            "first_at": _time(row.first_us),
            "last_at": _time(row.last_us),
            "ended_at": None if row.ended_us is None else _time(row.ended_us),
            "merged_into": row.merged_into,
            "clusters": list(clusters),
        }


def _statements(connection: Connection, tenant_id: int) -> Iterator[JsonObject]:
    s = schema.campaign_statements
    for row in connection.execute(sa.select(s).where(s.c.tenant_id == tenant_id).order_by(s.c.id)):
        yield {
            "cluster_id": row.cluster_id,
            "other_id": row.other_id,
            "relation": row.relation,
            "at": _time(row.at_us),
            "by": row.by,
            "note": row.note,
        }


def _decisions_on(
    connection: Connection, tenant_id: int, clusters: Collection[str], names: set[str]
) -> Iterator[JsonObject]:
    d, wanted = schema.decisions, sorted(clusters)
    for start in range(0, len(wanted), _ROWS_AT_ONCE):
        mine = (
            sa.select(d)
            .where(d.c.tenant_id == tenant_id, d.c.cluster_id.in_(wanted[start : start + _ROWS_AT_ONCE]))
            .order_by(d.c.seq)
        )
        for row in connection.execute(mine):
            yield {**_decision(row), "excludes_this_person": not names.isdisjoint(json.loads(row.excluded_reporters))}


def _decision(row: Any) -> JsonObject:
    return {
        "id": row.id,
        "cluster_id": row.cluster_id,
        "at": _time(row.at_us),
        "verdict": row.verdict,
        "reason_code": row.reason_code,
        "reverses": row.reverses,
        "snooze_until": None if row.snooze_until_us is None else _time(row.snooze_until_us),
    }


def _outcomes_on(connection: Connection, tenant_id: int, complaints: Iterable[Any]) -> Iterator[JsonObject]:
    """What was decided about the targets as a whole, or about these complaints."""
    o, targets, ids = schema.outcomes, set(), set()
    for row in complaints:
        targets.add(row["target_key"])
        ids.add(row["id"])
    wanted = sorted(targets)
    for start in range(0, len(wanted), _ROWS_AT_ONCE):
        mine = (
            sa.select(o.c.content, o.c.complaint_id)
            .where(o.c.tenant_id == tenant_id, o.c.target_key.in_(wanted[start : start + _ROWS_AT_ONCE]))
            .order_by(o.c.row_key)
        )
        for row in connection.execute(mine):
            if row.complaint_id is None or row.complaint_id in ids:
                yield from_json(row.content)


def _time(us: int) -> str:
    return moment(us).isoformat().replace("+00:00", "Z")
