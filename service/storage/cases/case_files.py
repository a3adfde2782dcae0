"""Everything that a moderator sees of one case, read in a few bounded statements. Reads only.

`read_case_file` returns what charts need: members, targets and complaints. The other functions add what one table or
chart needs, for given reporters, targets or complaints.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from pydantic_core import from_json
from sqlalchemy import Connection

from service.errors import NotFound
from service.model import Cluster, JsonObject, microseconds, moment
from service.moderation.assessment import NO_CLUSTERS, independent_count, recommend
from service.moderation.cluster_discounts import summaries
from service.moderation.cluster_state import ClusterState, Membership
from service.moderation.outcomes import JudgedComplaint, Judgement, VerdictTally, tally
from service.moderation.reputation import Reputation, reputation
from service.moderation.restorations import Restoration, latest_action
from service.moderation.track_record import TrackRecord, track_record
from service.policy import Policy
from service.storage.accounts.flagger_registry import flaggers_of
from service.storage.accounts.policy_overrides import policy_of
from service.storage.cases import clusters, restorations
from service.storage.cases.cases import read_cluster
from service.storage.cases.claims import Claim, claims_of
from service.storage.cases.decision_preview import clusters_on
from service.storage.complaints.archive_reader import (
    SEQ_BITS,
    SEQ_MASK,
    contents_of,
    ingest_state_of,
    judged_complaints_of,
    outcomes_of,
    totals_of,
)
from service.storage.complaints.feed import FeedOutcome
from service.storage.sql import schema
from service.storage.sql.engine import select_by_keys

OTHERS_SHOWN = 20_000  # complaints of other people on the case's targets, the latest


@dataclass(frozen=True, slots=True)
class CaseFile:
    """One case: the cluster with names for the keys inside."""

    cluster: Cluster
    state: ClusterState
    reporter_ids: Mapping[int, str]  # including the excluded
    target_ids: Mapping[int, str]
    author_ids: Mapping[int, str]  # by target, if the platform gave one
    changed_by: str  # who made the current version: a person, or "detector"
    snooze_until: datetime | None
    claim: Claim | None
    policy: Policy
    watermark: datetime  # the tenant's time, by which reputation fades
    filed: tuple[Membership, ...]  # the complaints of members and of the excluded on its targets, by time
    # All clusters on its targets, itself among them; read on first use (`states_on`).
    neighbours: dict[str, ClusterState]


@dataclass(frozen=True, slots=True)
class ReporterRow:
    """A member (or an excluded one) as the case's table shows it."""

    key: int
    id: str
    excluded: bool
    trusted: bool  # a complaint here is a trusted flagger's
    here: int  # complaints on the case's targets
    first_at: datetime | None  # time of the first of them
    account_created_at: datetime | None
    fingerprint: str | None
    complaints: int  # all archived ones
    standing: int
    since: datetime | None  # time of the reporter's first complaint
    judged: TrackRecord
    reputation: Reputation | None


@dataclass(frozen=True, slots=True)
class TargetRow:
    """A target as the case's table shows it."""

    key: int
    id: str
    content: JsonObject  # as a complaint described it: kind, author_id, context_id, url, excerpt
    complaints: int  # raw
    here: int  # by members who are not excluded
    independent: float
    recommendation: str  # at the tenant's threshold
    first_at: datetime | None  # of the members' first complaint
    verdict: str | None  # what people decided: upheld, rejected
    action: str | None  # what was done last: removed, kept, restored
    action_by: str | None
    action_at: datetime | None
    restoration: Restoration | None


def read_case_file(connection: Connection, tenant_id: int, cluster_id: str, *, now: datetime) -> CaseFile:
    """The case. Raises NotFound."""
    cluster = read_cluster(connection, tenant_id, cluster_id, now=now)
    loaded = clusters.load(connection, tenant_id, [cluster_id])
    if cluster_id not in loaded:
        raise NotFound("no such cluster")
    c, m, t = schema.clusters.c, schema.cluster_members.c, schema.cluster_targets.c
    row = connection.execute(
        sa.select(c.changed_by, c.snooze_until_us).where(c.id == cluster_id, c.tenant_id == tenant_id)
    ).one()
    targets = connection.execute(
        sa.select(t.target_key, t.target_id, t.author_id).where(t.cluster_id == cluster_id, t.tenant_id == tenant_id)
    ).all()
    watermark_us = ingest_state_of(connection, tenant_id).watermark_us
    reporter_ids = {
        key: name
        for key, name in connection.execute(
            sa.select(m.reporter_key, m.reporter_id).where(m.cluster_id == cluster_id, m.tenant_id == tenant_id)
        )
    }
    target_ids = {row.target_key: row.target_id for row in targets}
    filed = sorted(
        (f for f in loaded[cluster_id].memberships.values() if f.target in target_ids and f.reporter in reporter_ids),
        key=lambda f: (f.time_us, f.seq),
    )
    return CaseFile(
        cluster=cluster,
        state=loaded[cluster_id],
        reporter_ids=reporter_ids,
        target_ids=target_ids,
        filed=tuple(filed),
        neighbours={},
        author_ids={row.target_key: row.author_id for row in targets if row.author_id is not None},
        changed_by=row.changed_by,
        snooze_until=None if row.snooze_until_us is None else moment(row.snooze_until_us),
        claim=claims_of(connection, tenant_id, [cluster_id]).get(cluster_id),
        policy=policy_of(connection, tenant_id),
        watermark=now if watermark_us is None else moment(watermark_us),
    )


def states_on(connection: Connection, tenant_id: int, file: CaseFile) -> dict[str, ClusterState]:
    """All clusters that discount complaints where this one does, including itself; read once per file."""
    if not file.neighbours:
        others = clusters_on(connection, tenant_id, file.state.discounted_targets) - {file.cluster.id}
        file.neighbours.update(clusters.load(connection, tenant_id, others) if others else {})
        file.neighbours[file.cluster.id] = file.state
    return file.neighbours


def complaints_by_others(
    connection: Connection, tenant_id: int, file: CaseFile, limit: int = OTHERS_SHOWN
) -> list[tuple[int, int]]:
    """(time in microseconds, target key) of other people's standing complaints on the case's targets; the latest
    `limit`.
    """
    statement = (
        "SELECT c.occurred_us, c.target_key, c.reporter_key FROM k CROSS JOIN complaints c WHERE c.tenant_id = ? AND"
        f" c.target_key = k.column1 AND c.state = {schema.STANDING}"
    )
    own = file.state.members | file.state.excluded
    found = [
        (at, target)
        for at, target, reporter in select_by_keys(
            connection, statement, (tenant_id,), [(key,) for key in file.target_ids]
        )
        if reporter not in own
    ]
    return sorted(found)[-limit:]


def reporters_of(connection: Connection, tenant_id: int, file: CaseFile, keys: Sequence[int]) -> list[ReporterRow]:
    """The table's rows for these reporters, in the given order."""
    first: dict[int, Membership] = {}
    here: dict[int, int] = {}
    flaggers = flaggers_of(connection, tenant_id)
    read: list[Membership] = []  # the first of each, and all by those whom the registry knows
    for filed in file.filed:
        if first.setdefault(filed.reporter, filed) is filed or flaggers.knows(filed.reporter):
            read.append(filed)
        here[filed.reporter] = here.get(filed.reporter, 0) + 1
    asked = set(keys)
    contents = contents_of(connection, tenant_id, [filed.seq for filed in read if filed.reporter in asked])
    trusted = {
        filed.reporter
        for filed in read
        if filed.seq in contents and flaggers.is_trusted(filed.reporter, filed.time_us, contents[filed.seq])
    }
    statement = (
        f"SELECT c.reporter_key, COUNT(*), SUM(CASE WHEN c.state = {schema.STANDING} THEN 1 ELSE 0 END),"
        " MIN(c.occurred_us) FROM k CROSS JOIN complaints c WHERE c.tenant_id = ? AND c.reporter_key = k.column1 GROUP"
        " BY c.reporter_key"
    )
    totals = {row[0]: row[1:] for row in select_by_keys(connection, statement, (tenant_id,), [(key,) for key in keys])}
    earned = earned_by(connection, tenant_id, keys, microseconds(file.watermark))
    rows = []
    for key in keys:
        described: JsonObject = (
            contents[first[key].seq]["reporter"] if key in first and first[key].seq in contents else {}
        )
        complaints, standing, since_us = totals.get(key, (0, 0, None))
        created = described.get("account_created_at")
        judged, reputed = earned.get(key, (TrackRecord(), None))
        rows.append(
            ReporterRow(
                key,
                file.reporter_ids[key],
                key in file.state.excluded,
                key in trusted,
                here.get(key, 0),
                moment(first[key].time_us) if key in first else None,
                datetime.fromisoformat(created) if created else None,
                described.get("fingerprint"),
                int(complaints),
                int(standing),
                None if since_us is None else moment(since_us),
                judged,
                reputed,
            )
        )
    return rows


def earned_by(
    connection: Connection, tenant_id: int, keys: Sequence[int], now_us: int
) -> dict[int, tuple[TrackRecord, Reputation | None]]:
    """What moderators found of the complaints of these reporters (keys), and the reputation that this earned by
    `now_us` of the tenant's time; those without complaints are left out. Three statements, however many they are.
    """
    filed = judged_complaints_of(connection, tenant_id, keys)
    targets = {f.target for mine in filed.values() for f in mine}
    outcomes = outcomes_of(connection, tenant_id, targets)
    crowds = {target: max(1, count) for target, count in totals_of(connection, tenant_id, targets).items()}
    return {
        key: (track_record(mine, outcomes), reputation(mine, outcomes, crowds, now_us)) for key, mine in filed.items()
    }


def targets_of(connection: Connection, tenant_id: int, file: CaseFile) -> list[TargetRow]:
    """The table's rows for all targets of the case, in order of the members' first complaint (those without one
    last).
    """
    keys = list(file.target_ids)
    mine: dict[int, list[Membership]] = {}
    for filed in file.filed:
        mine.setdefault(filed.target, []).append(filed)
    contents = contents_of(connection, tenant_id, [found[0].seq for found in mine.values()])
    totals, outcomes = totals_of(connection, tenant_id, keys), outcomes_of(connection, tenant_id, keys)
    restored = restorations.read_some(connection, tenant_id, keys)
    summary_by_target = summaries(states_on(connection, tenant_id, file).values(), set(keys))
    by_members = Counter(m.target for m in file.state.discounted)
    rows = []
    for key in sorted(keys, key=lambda k: (k not in mine, mine[k][0].time_us if k in mine else 0, file.target_ids[k])):
        filed_here, known = mine.get(key, []), outcomes.get(key, [])
        action = latest_action(known)
        total = totals.get(key, 0)
        summary = summary_by_target.get(key, NO_CLUSTERS)
        independent = independent_count(total, summary.discount)
        content = contents.get(filed_here[0].seq, {}).get("target", {}) if filed_here else {}
        rows.append(
            TargetRow(
                key,
                file.target_ids[key],
                content,
                total,
                by_members[key],
                independent,
                recommend(
                    total, independent, file.policy.default_threshold, flagged=any(s.flagged for s in summary.clusters)
                ),
                moment(filed_here[0].time_us) if filed_here else None,
                _judged(filed_here, outcomes),
                action.action if action else None,
                action.decided_by if action else None,
                moment(action.decided_us) if action else None,
                restored.get(key),
            )
        )
    return rows


def _judged(mine: Sequence[Membership], outcomes: Mapping[int, Sequence[FeedOutcome]]) -> str | None:
    verdicts = tally([JudgedComplaint(m.seq, m.target, m.time_us) for m in mine], outcomes)
    return "upheld" if verdicts.upheld else ("rejected" if verdicts.rejected else None)


def tallies_of(
    connection: Connection, tenant_id: int, file: CaseFile, left_out: Collection[int]
) -> tuple[VerdictTally, VerdictTally]:
    """Verdicts on the case's targets: for all members, and for the members not in `left_out`."""
    outcomes: Mapping[int, Sequence[Judgement]] = outcomes_of(connection, tenant_id, file.target_ids)
    counted = [m for m in file.filed if m.reporter in file.state.members]
    whole = [JudgedComplaint(m.seq, m.target, m.time_us) for m in counted]
    return tally(whole, outcomes), tally(
        [f for f, m in zip(whole, counted, strict=True) if m.reporter not in left_out], outcomes
    )


def complaints_elsewhere(connection: Connection, tenant_id: int, file: CaseFile) -> dict[int, int]:
    """Number of standing complaints of each member about other targets, within the window around the case; an act
    counts once.
    """
    filed = file.filed
    if not filed:
        return {}
    margin_us = max(0, file.policy.window_seconds * 1_000_000 - (filed[-1].time_us - filed[0].time_us))
    low, high = filed[0].time_us - margin_us, filed[-1].time_us
    statement = (
        "SELECT c.reporter_key, COUNT(*) FROM k CROSS JOIN complaints c WHERE c.tenant_id = ? AND c.reporter_key ="
        f" k.column1 AND c.state = {schema.STANDING} AND c.act_key IS NULL AND c.occurred_us BETWEEN ? AND ? GROUP BY"
        " c.reporter_key"
    )
    here: dict[int, int] = {}
    for m in filed:
        here[m.reporter] = here.get(m.reporter, 0) + 1
    return {
        key: max(0, int(n) - here.get(key, 0))
        for key, n in select_by_keys(
            connection, statement, (tenant_id, low, high), [(key,) for key in file.state.members]
        )
    }


def complaints_by_seq(
    connection: Connection, tenant_id: int, seqs: Sequence[int]
) -> dict[int, tuple[JsonObject, int, bool]]:
    """Complaints by seq: content as stored, receipt in microseconds, and whether withdrawn; without deleted ones."""
    statement = (
        "SELECT c.row_key, c.content, c.received_us, c.state FROM k CROSS JOIN complaints c WHERE c.row_key = k.column1"
        " AND c.tenant_id = ?"
    )
    rows = select_by_keys(connection, statement, (tenant_id,), [(tenant_id << SEQ_BITS | int(seq),) for seq in seqs])
    return {
        row_key & SEQ_MASK: (from_json(content), received_us, state == schema.WITHDRAWN)
        for row_key, content, received_us, state in rows
    }
