"""Previews of decisions, from the archive as it is now (computed in service/moderation/decision_preview.py).

Reads only.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from service.model import Decision, DecisionRequest, microseconds
from service.moderation.cluster_state import ClusterState, is_judged
from service.moderation.decision_preview import Effect, Facts, decided_state, effects_of
from service.moderation.decisions import decide, reason_of_verdict
from service.moderation.restorations import Moment, latest_removal
from service.storage.accounts.policy_overrides import policy_of
from service.storage.cases import clusters, restorations, warnings
from service.storage.cases.case_decisions import read_case
from service.storage.complaints.archive_reader import analysis_state_of, outcomes_of, totals_of
from service.storage.complaints.listed_complaints import clusters_listing
from service.storage.sql.engine import select_by_keys
from service.storage.sql.hashing import key_of


def effect_of_decisions(
    connection: Connection, tenant_id: int, requests: Mapping[str, DecisionRequest], *, now: datetime
) -> Effect:
    """The joint effect of the decisions (by cluster id) if they were made now.

    Their versions are ignored: the preview is of the clusters as they are. Raises NotFound for
    an unknown cluster, and whatever service/moderation/decisions.py refuses with.
    """
    return effects_of_choices(connection, tenant_id, list(requests), [requests], now=now)[0]


def effects_of_choices(
    connection: Connection,
    tenant_id: int,
    cluster_ids: Collection[str],
    choices: Sequence[Mapping[str, DecisionRequest]],
    *,
    now: datetime,
    states: Mapping[str, ClusterState] | None = None,
) -> list[Effect]:
    """The same for several alternatives on the same clusters, reading the archive once.

    `states` are all clusters on the targets of these, where the caller has them by now.
    """
    cases = {cluster_id: read_case(connection, tenant_id, cluster_id) for cluster_id in cluster_ids}
    if states is None:
        own = clusters.load(connection, tenant_id, cases)
        states = own | clusters.load(
            connection,
            tenant_id,
            clusters_on(connection, tenant_id, {t for state in own.values() for t in state.discounted_targets})
            - own.keys(),
        )
    facts = facts_of(
        connection, tenant_id, {t for cluster_id in cases for t in states[cluster_id].discounted_targets}, now=now
    )
    worlds, brigades_of_choices = [], []
    for choice in choices:
        decided, brigades = {}, {}
        for cluster_id, request in choice.items():
            case, log = cases[cluster_id]
            after, entry = decide(
                case,
                log,
                request.model_copy(update={"version": case.version}),
                decision_id="preview",
                by="preview",
                now=now,
            )
            decided[cluster_id] = decided_state(
                states[cluster_id], after, {name: key_of(name) for name in after.members}
            )
            brigades[cluster_id] = _brigade(decided[cluster_id], [*log, entry])
        worlds.append(decided)
        brigades_of_choices.append(brigades)
    suggested = _warnings(connection, tenant_id, [states[cluster_id] for cluster_id in cases], brigades_of_choices)
    return [
        replace(effect, warnings_before=before, warnings=after)
        for effect, (before, after) in zip(effects_of(states, worlds, facts), suggested, strict=True)
    ]


def _brigade(after: ClusterState, log: Sequence[Decision]) -> dict[int, int]:
    """The complaints (reporter by seq) that count as a brigade's after a decision, as the warnings take them."""
    if after.verdict != "coordinated" or after.disposition != "flagged":
        return {}
    if reason_of_verdict(log, after.verdict, after.id) != "brigade":
        return {}
    everything = is_judged(after)
    return {m.seq: m.reporter for m in after.counted if everything or m.verdict == "coordinated"}


def _warnings(
    connection: Connection,
    tenant_id: int,
    present: Sequence[ClusterState],
    choices: Sequence[Mapping[str, Mapping[int, int]]],
) -> list[tuple[int, int]]:
    """For each choice: how many warnings of the clusters' members are suggested before the decisions and after them.

    A choice is what would count as a brigade's, by cluster. All complaints of the members are read for each answer.
    """
    people = frozenset().union(*(s.members | s.excluded for s in present))
    policy, now_us = policy_of(connection, tenant_id), analysis_state_of(connection, tenant_id).watermark_us or 0

    def standing(assumed: Mapping[str, Mapping[int, int]] | None = None) -> int:
        return warnings.standing(connection, tenant_id, people, policy, now_us=now_us, assumed=assumed)

    coordinated = {s.id for s in present if s.verdict == "coordinated"}
    # Otherwise who is warned is not looked at again: nothing changes.
    moves = [any(brigades.values()) or not coordinated.isdisjoint(brigades) for brigades in choices]
    before = standing() if any(moves) else 0
    return [(before, standing(brigades) if moved else before) for brigades, moved in zip(choices, moves, strict=True)]


def facts_of(connection: Connection, tenant_id: int, targets: Collection[int], *, now: datetime) -> Facts:
    """The archive's data on these targets (keys)."""
    outcomes = outcomes_of(connection, tenant_id, targets)
    removed_us = {t: removal.decided_us for t in outcomes if (removal := latest_removal(outcomes[t])) is not None}
    seq = analysis_state_of(connection, tenant_id).cursor_seq
    return Facts(
        totals=totals_of(connection, tenant_id, targets),
        outcomes=outcomes,
        restorations=restorations.read_some(connection, tenant_id, targets),
        stood_at_removal=restorations.complaints_until(connection, tenant_id, removed_us),
        threshold=policy_of(connection, tenant_id).default_threshold,
        at=Moment(seq, seq, microseconds(now)),
    )


def clusters_on(connection: Connection, tenant_id: int, targets: Collection[int]) -> set[str]:
    """Ids of all clusters that discount complaints about any of the targets (keys), merged and revoked ones too."""
    statement = (
        "SELECT DISTINCT t.cluster_id FROM k CROSS JOIN cluster_targets t WHERE t.tenant_id = ? AND t.target_key ="
        " k.column1"
    )
    own = {row[0] for row in select_by_keys(connection, statement, (tenant_id,), [(int(key),) for key in targets])}
    return own.union(*clusters_listing(connection, tenant_id, targets).values())
