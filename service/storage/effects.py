"""What decisions would do, read from the archive as it is now (service/moderation/effects.py says how it is reckoned). Reads only."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import Connection

from service.model import DecisionRequest, microseconds
from service.moderation.decisions import decide
from service.moderation.effects import Effect, Facts, decided_state, effect_of
from service.moderation.restorations import Moment, latest_removal
from service.storage import clusters, restorations
from service.storage.archive import analysis_state_of, outcomes_of, totals_of
from service.storage.cases import read_case
from service.storage.database import select_by_keys
from service.storage.hashing import key_of
from service.storage.overrides import policy_of


def effect_of_decisions(connection: Connection, tenant_id: int, asked: Mapping[str, DecisionRequest], *, now: datetime) -> Effect:
    """What the decisions, by cluster id, would do together if they were made now.

    Their versions are not looked at: what is told is what would happen to the clusters as they are. Raises NotFound for a cluster
    that there is not, and whatever service/moderation/decisions.py refuses with.
    """
    cases = {}
    for cluster_id, request in asked.items():
        case, log = read_case(connection, tenant_id, cluster_id)
        cases[cluster_id], _ = decide(case, log, request.model_copy(update={"version": case.version}), decision_id="preview", by="preview", now=now)
    own = clusters.load(connection, tenant_id, cases)
    targets = {t for state in own.values() for t in state.author_by_target}
    states = clusters.load(connection, tenant_id, clusters_on(connection, tenant_id, targets)) | own
    decided = {identity: decided_state(own[identity], case, {name: key_of(name) for name in case.members}) for identity, case in cases.items()}
    return effect_of(states, decided, facts_of(connection, tenant_id, targets, now=now))


def facts_of(connection: Connection, tenant_id: int, targets: Collection[int], *, now: datetime) -> Facts:
    """What the archive knows of these targets (keys)."""
    outcomes = outcomes_of(connection, tenant_id, targets)
    removed_us = {t: removal.decided_us for t in outcomes if (removal := latest_removal(outcomes[t])) is not None}
    seq = analysis_state_of(connection, tenant_id).cursor_seq
    return Facts(
        totals=totals_of(connection, tenant_id, targets), outcomes=outcomes, restorations=restorations.read_some(connection, tenant_id, targets),
        stood_at_removal=restorations.complaints_until(connection, tenant_id, removed_us), threshold=policy_of(connection, tenant_id).default_threshold,
        at=Moment(seq, seq, microseconds(now)),
    )


def clusters_on(connection: Connection, tenant_id: int, targets: Collection[int]) -> set[str]:
    """Ids of all clusters on any of the targets (keys), merged and revoked ones included."""
    statement = "SELECT DISTINCT t.cluster_id FROM k CROSS JOIN cluster_targets t WHERE t.tenant_id = ? AND t.target_key = k.column1"
    return {row[0] for row in select_by_keys(connection, statement, (tenant_id,), [(int(key),) for key in targets])}
