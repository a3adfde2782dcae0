"""All verdicts of people on one tenant's targets, read on as they are archived: what is usual is measured on them."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection

from service.moderation.cluster_state import ClusterState
from service.moderation.outcomes import standing
from service.moderation.usual import Usual, usual_of, verdicts_on
from service.policy import Policy
from service.storage.complaints.archive_reader import outcomes_after
from service.storage.complaints.feed import FeedOutcome

MOST_TARGETS = 200_000  # the latest; a share does not change by more


class TenantVerdicts:
    """The outcomes with a person's verdict, by target."""

    def __init__(self, tenant_id: int) -> None:
        self._tenant_id, self._seq = tenant_id, 0
        self._by_target: dict[int, list[FeedOutcome]] = {}

    def usual(
        self, connection: Connection, clusters: Collection[ClusterState], policy: Policy, until_us: int | None = None
    ) -> Usual:
        """What is usual by now, or by what was decided until `until_us`; `clusters` are the tenant's."""
        for outcome in outcomes_after(connection, self._tenant_id, self._seq):
            self._seq = outcome.seq
            if standing([outcome]) is not None:
                self._by_target.setdefault(outcome.target, []).append(outcome)
        for target in list(self._by_target)[: max(0, len(self._by_target) - MOST_TARGETS)]:
            del self._by_target[target]
        known = self._by_target
        if until_us is not None:
            known = {t: [o for o in outcomes if o.decided_us <= until_us] for t, outcomes in known.items()}
        return usual_of(verdicts_on(known, known), clusters, policy.prior_unfounded)
