"""All verdicts of people on one tenant's targets, read on as they are archived: what is usual is measured on them."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection

from service.moderation.cluster_state import ClusterState
from service.moderation.usual import Usual, Verdicts, usual_of
from service.policy import Policy
from service.storage.complaints.archive_reader import outcomes_after

MOST_TARGETS = 200_000  # the latest; a share does not change by more


class TenantVerdicts:
    """The verdicts that were archived by the last reading."""

    def __init__(self, tenant_id: int) -> None:
        self._tenant_id, self._seq = tenant_id, 0
        self._verdicts = Verdicts()

    def usual(self, connection: Connection, clusters: Collection[ClusterState], policy: Policy) -> Usual:
        """What is usual by now; `clusters` are the tenant's."""
        for outcome in outcomes_after(connection, self._tenant_id, self._seq):
            self._seq = outcome.seq
            self._verdicts.add(outcome)
        self._verdicts.keep_latest(MOST_TARGETS)
        return usual_of(self._verdicts.by_target, clusters, policy.prior_unfounded)
