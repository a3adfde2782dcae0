"""The audit's report, `brigadewatch.report/1`: plain data for JSON. PURE."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

from service.model import Cluster, JsonObject, moment
from service.moderation.assessment import ClusterPart, independent_count, summarise
from service.moderation.cluster_discounts import parts_by_target
from service.moderation.cluster_state import ClusterState
from service.moderation.score import coordination
from workers.audit.history import ComplaintHistory
from workers.audit.summary import summary_of

SCHEMA = "brigadewatch.report/1"


def cluster_of(state: ClusterState, history: ComplaintHistory) -> Cluster:
    """A cluster in the contract's terms."""
    return Cluster(
        id=state.id,
        kind=state.kind,
        disposition=state.disposition,
        status=state.status,
        coordination_score=coordination(state.evidence),
        score=state.score,
        probability=state.probability,
        unfounded_probability=state.unfounded_probability,
        settle_with=[history.target_ids[t] for t in state.settle_with],
        first_at=moment(state.first_us),
        last_at=moment(state.last_us),
        reporter_count=len(state.members),
        target_count=len(state.author_by_target),
        summary=state.summary,
        evidence=list(state.evidence),
        policy_version=state.policy_version,
        version=state.version,
        merged_into=state.merged_into,
        split_from=state.split_from,
        earlier=state.earlier,
        revoked_at=None if state.revoked_us is None else moment(state.revoked_us),
        revoked_because=state.revoked_because,
        reporters=sorted(history.reporter_ids[r] for r in state.members),
        targets=sorted(history.target_ids[t] for t in state.author_by_target),
    )


def counts(states: Sequence[ClusterState], history: ComplaintHistory) -> list[JsonObject]:
    """Raw and independent counts of the targets where they differ."""
    total_by_target = history.totals
    parts: dict[int, list[ClusterPart]] = defaultdict(list)
    for state in states:
        if state.disposition != "merged":
            for target, part in parts_by_target(state).items():
                parts[target].append(part)
    rows = []
    for target, mine in parts.items():
        raw = total_by_target[target]
        independent = independent_count(raw, summarise(mine).discount)
        if independent != raw:
            rows.append({"id": history.target_ids[target], "complaints": raw, "independent_complaints": independent})
    return sorted(rows, key=lambda row: row["id"])


def report_of(
    states: Sequence[ClusterState],
    history: ComplaintHistory,
    policy_version: str,
    notes: list[str],
    judged: Collection[int] = (),
) -> JsonObject:
    """The whole report. Clusters: flagged first, then by priority; `judged` are the targets that people ruled on."""
    time, targets = history.complaints.time_ms, counts(states, history)
    ordered = sorted(states, key=lambda s: (s.disposition != "flagged", -s.score, s.id))
    return {
        "schema": SCHEMA,
        "policy_version": policy_version,
        "complaints": len(time) + len(history.listed),
        "from": moment(int(time[0]) * 1000).isoformat() if len(time) else None,
        "to": moment(int(time[-1]) * 1000).isoformat() if len(time) else None,
        "summary": summary_of(states, history, targets, judged),
        "notes": notes,
        "clusters": [cluster_of(s, history).model_dump(mode="json") for s in ordered],
        "targets": targets,
    }
