"""Clusters as the detect worker stores them: read whole, written as differences.

Apart from decisions (case_decisions.py), the detect worker is the only writer. Decisions raise a cluster's version, and
`save` refuses to overwrite a version that it has not read.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, cast

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from service.errors import StaleVersion
from service.model import Evidence
from service.moderation.cluster_discounts import summaries as summaries  # readers of clusters want it beside `load`
from service.moderation.cluster_state import ClusterState, Membership
from service.storage.complaints.archive_reader import SEQ_BITS, SEQ_MASK, contents_of, ids_by_key
from service.storage.sql import schema
from service.storage.sql.parts import IDS_AT_ONCE, parts


def load(
    connection: Connection, tenant_id: int, ids: Collection[str] | None = None, *, lock: bool = False
) -> dict[str, ClusterState]:
    """The tenant's clusters (or those of `ids`), merged and revoked ones included.

    `lock`, in a writing transaction: no decision on them can be made until it ends.
    """
    if ids is None:
        return _load(connection, tenant_id, None, lock)
    found: dict[str, ClusterState] = {}
    for some in parts(sorted(ids), IDS_AT_ONCE):
        found.update(_load(connection, tenant_id, some, lock))
    return found


def _load(connection: Connection, tenant_id: int, ids: Sequence[str] | None, lock: bool) -> dict[str, ClusterState]:
    statement = select(schema.clusters).where(schema.clusters.c.tenant_id == tenant_id)
    if ids is not None:
        statement = statement.where(schema.clusters.c.id.in_(ids))
    # First: where it locks (in one order, so that no two wait for each other), the parts below are of the same moment.
    rows = connection.execute(statement.order_by(schema.clusters.c.id).with_for_update() if lock else statement).all()
    members: dict[str, tuple[set[int], set[int]]] = defaultdict(lambda: (set(), set()))
    for row in _rows(connection, schema.cluster_members, tenant_id, ids):
        members[row.cluster_id][bool(row.excluded)].add(row.reporter_key)
    targets: dict[str, list[Any]] = defaultdict(list)
    for row in _rows(connection, schema.cluster_targets, tenant_id, ids):
        targets[row.cluster_id].append(row)
    complaints: dict[str, dict[int, Membership]] = defaultdict(dict)
    listed: dict[str, dict[int, Membership]] = defaultdict(dict)
    c = schema.cluster_complaints.c
    # unpacked by place: a large case has tens of thousands
    columns = (c.cluster_id, c.row_key, c.reporter_key, c.target_key, c.occurred_us, c.exempt, c.verdict, c.listed)
    for cluster, row_key, reporter, target, at_us, exempt, verdict, is_listed in _rows(
        connection, schema.cluster_complaints, tenant_id, ids, *columns, kept=c.gone.is_(False)
    ):
        seq = row_key & SEQ_MASK
        held = listed if is_listed else complaints
        held[cluster][seq] = Membership(seq, reporter, target, at_us, exempt, verdict)
    return {row.id: _state(row, *members[row.id], targets[row.id], complaints[row.id], listed[row.id]) for row in rows}


def _rows(
    connection: Connection, table: Any, tenant_id: int, ids: Sequence[str] | None, *columns: Any, kept: Any = None
) -> Iterable[Any]:
    statement = select(*(columns or (table,))).where(table.c.tenant_id == tenant_id)
    if ids is not None:
        statement = statement.where(table.c.cluster_id.in_(ids))
    return connection.execute(statement if kept is None else statement.where(kept)).all()


def _state(
    row: Any,
    members: set[int],
    excluded: set[int],
    targets: Sequence[Any],
    complaints: Mapping[int, Membership],
    listed: Mapping[int, Membership],
) -> ClusterState:
    key_by_id = {t.target_id: t.target_key for t in targets}
    return ClusterState(
        id=row.id,
        kind=row.kind,
        disposition=row.disposition,
        status=row.status,
        members=frozenset(members),
        excluded=frozenset(excluded),
        memberships=dict(complaints),
        listed=dict(listed),
        author_by_target={t.target_key: t.author_key for t in targets},
        evidence=tuple(Evidence.model_validate(e) for e in json.loads(row.evidence)),
        score=row.score,
        probability=row.probability,
        unfounded_probability=row.unfounded_probability,
        settle_with=tuple(key_by_id[t] for t in json.loads(row.settle_with) if t in key_by_id),
        summary=row.summary,
        policy_version=row.policy_version,
        version=row.version,
        found_us=row.found_us,
        verdict=row.verdict,
        decided_reporters=row.decided_reporters,
        decided_targets=row.decided_targets,
        merged_into=row.merged_into,
        split_from=row.split_from,
        earlier=row.earlier,
        revoked_us=row.revoked_us,
        revoked_because=row.revoked_because,
        trimmed_us=None if row.trimmed_first_us is None else (row.trimmed_first_us, row.trimmed_last_us),
    )


def save(
    connection: Connection,
    tenant_id: int,
    before: Mapping[str, ClusterState],
    changed: Mapping[str, ClusterState],
    withdrawn: Collection[int] = (),
) -> None:
    """Write the changed clusters; `before` is what this worker last read or wrote.

    Complaints that left a cluster are deleted from it; withdrawn ones (seqs in `withdrawn`) stay, marked, for
    moderators. Raises StaleVersion if a decision came in between: read the cluster again and recompute.
    """
    names = _NameLookup(connection, tenant_id, before, changed)
    for state in changed.values():
        old = before.get(state.id)
        _write_cluster(connection, tenant_id, old, state, names)
        # of members, targets and complaints only what came or went
        _write_members(connection, tenant_id, old, state, names)
        _write_targets(connection, tenant_id, old, state, names)
        _write_complaints(connection, tenant_id, old, state, withdrawn)


def _write_cluster(
    connection: Connection, tenant_id: int, old: ClusterState | None, state: ClusterState, names: _NameLookup
) -> None:
    table, values = schema.clusters, _values(state, names)
    if old is None or old.version != state.version:
        values["changed_by"] = "detector"
    if old is None:
        connection.execute(
            insert(table).values(id=state.id, tenant_id=tenant_id, kind=state.kind, found_us=state.found_us, **values)
        )
        return
    done = connection.execute(
        update(table)
        .where(table.c.id == state.id, table.c.tenant_id == tenant_id, table.c.version == old.version)
        .values(**values)
    )
    if done.rowcount != 1:
        raise StaleVersion(
            f"cluster {state.id} was changed since version {old.version} was read",
            current_version=-1,
            changed_by="a moderator",
        )


def _values(state: ClusterState, names: _NameLookup) -> dict[str, Any]:
    return {
        "disposition": state.disposition,
        "status": state.status,
        "score": state.score,
        "probability": state.probability,
        "unfounded_probability": state.unfounded_probability,
        "settle_with": json.dumps([names.targets[t] for t in state.settle_with if t in names.targets]),
        "first_us": state.first_us,
        "last_us": state.last_us,
        "reporter_count": len(state.members),
        "target_count": len(state.author_by_target),
        "summary": state.summary,
        "evidence": json.dumps([e.model_dump() for e in state.evidence]),
        "policy_version": state.policy_version,
        "version": state.version,
        "merged_into": state.merged_into,
        "split_from": state.split_from,
        "earlier": state.earlier,
        "verdict": state.verdict,
        "decided_reporters": state.decided_reporters,
        "decided_targets": state.decided_targets,
        "revoked_us": state.revoked_us,
        "revoked_because": state.revoked_because,
        "trimmed_first_us": state.trimmed_us[0] if state.trimmed_us else None,
        "trimmed_last_us": state.trimmed_us[1] if state.trimmed_us else None,
    }


def _write_members(
    connection: Connection, tenant_id: int, old: ClusterState | None, state: ClusterState, names: _NameLookup
) -> None:
    everyone, before = state.members | state.excluded, (old.members | old.excluded) if old else frozenset()
    _remove(connection, schema.cluster_members, "reporter_key", state.id, before - everyone)
    rows = [
        {
            "cluster_id": state.id,
            "tenant_id": tenant_id,
            "reporter_key": r,
            "reporter_id": names.reporters[r],
            "excluded": r in state.excluded,
        }
        for r in sorted(everyone - before)
    ]
    _add(connection, schema.cluster_members, rows)
    # a merge brings its exclusions along
    switched = [
        r for r in sorted(everyone & before) if old is not None and (r in state.excluded) != (r in old.excluded)
    ]
    if switched:
        member = schema.cluster_members
        connection.execute(
            update(member)
            .where(member.c.cluster_id == state.id, member.c.reporter_key == bindparam("who"))
            .values(excluded=bindparam("out")),
            [{"who": r, "out": r in state.excluded} for r in switched],
        )


def _write_targets(
    connection: Connection, tenant_id: int, old: ClusterState | None, state: ClusterState, names: _NameLookup
) -> None:
    targets, before = state.author_by_target, old.author_by_target if old else {}
    _remove(connection, schema.cluster_targets, "target_key", state.id, before.keys() - targets.keys())
    rows = [
        {
            "cluster_id": state.id,
            "tenant_id": tenant_id,
            "target_key": t,
            "target_id": names.targets[t],
            "author_key": targets[t],
            "author_id": names.authors.get(t),
        }
        for t in sorted(targets.keys() - before.keys())
    ]
    _add(connection, schema.cluster_targets, rows)


def _write_complaints(
    connection: Connection,
    tenant_id: int,
    old: ClusterState | None,
    state: ClusterState,
    withdrawn: Collection[int],
) -> None:
    complaints, before = _filed(state), _filed(old)
    table = schema.cluster_complaints
    left = [s for s in before if s not in complaints and s in withdrawn]
    if left:
        connection.execute(
            update(table).where(table.c.cluster_id == state.id, table.c.row_key == bindparam("what")).values(gone=True),
            [{"what": tenant_id << SEQ_BITS | s} for s in left],
        )
    # A complaint that comes back after a withdrawal finds its marked row: replaced like one that changed.
    changed = [s for s, m in complaints.items() if before.get(s) != m]
    dropped = [s for s in before if s not in withdrawn and s not in complaints]
    _remove(connection, table, "row_key", state.id, [tenant_id << SEQ_BITS | s for s in dropped + changed])
    rows = [
        {
            "cluster_id": state.id,
            "tenant_id": tenant_id,
            "row_key": tenant_id << SEQ_BITS | s,
            "reporter_key": m.reporter,
            "target_key": m.target,
            "occurred_us": m.time_us,
            "exempt": m.exempt,
            "verdict": m.verdict,
            "listed": s in state.listed,
        }
        for s, m in ((s, complaints[s]) for s in changed)
    ]
    _add(connection, table, rows)


def _filed(state: ClusterState | None) -> dict[int, Membership]:
    return {} if state is None else {**state.memberships, **state.listed}


def _add(connection: Connection, table: Any, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(insert(table), rows)


def _remove(connection: Connection, table: Any, column: str, cluster_id: str, keys: Iterable[int]) -> None:
    rows = [{"of": cluster_id, "what": key} for key in keys]
    if rows:
        connection.execute(
            delete(table).where(table.c.cluster_id == bindparam("of"), table.c[column] == bindparam("what")), rows
        )


class _NameLookup:
    """Ids of the reporters, targets and authors that are written for the first time (or named in settle_with)."""

    def __init__(
        self,
        connection: Connection,
        tenant_id: int,
        before: Mapping[str, ClusterState],
        changed: Mapping[str, ClusterState],
    ) -> None:
        reporters: set[int] = set()
        targets: set[int] = set()
        seq_by_target: dict[int, int] = {}
        for state in changed.values():
            old = before.get(state.id)
            reporters |= (state.members | state.excluded) - ((old.members | old.excluded) if old else frozenset())
            fresh = state.author_by_target.keys() - (old.author_by_target.keys() if old else set())
            targets |= fresh | set(state.settle_with)
            seq_by_target.update({m.target: m.seq for m in state.memberships.values() if m.target in fresh})
        self.reporters, self.targets = ids_by_key(connection, tenant_id, reporters=reporters, targets=targets)
        contents = contents_of(connection, tenant_id, sorted(set(seq_by_target.values()))) if seq_by_target else {}
        self.authors: dict[int, str | None] = {
            t: cast("str | None", contents.get(s, {}).get("target", {}).get("author_id"))
            for t, s in seq_by_target.items()
        }


def mark_judged(connection: Connection, cluster_id: str, verdict: str | None) -> None:
    """Set the verdict on all the cluster's complaints (None: it was undone)."""
    table = schema.cluster_complaints
    connection.execute(update(table).where(table.c.cluster_id == cluster_id).values(verdict=verdict))
