"""The daily self-check: what would be flagged in this tenant's window if nobody complained together?

Members of known clusters are left out (shuffled, they would still crowd into the contexts that they had agreed on),
everybody else is shuffled within each context, and the whole of detection runs on it. The number of groups that it
would flag is a metric (brigadewatch_selfcheck_false_clusters): above 0 the null model does not fit this community, and
its flags deserve less trust.
"""

from __future__ import annotations

import logging
import time

import numpy as np

from service.moderation.outcomes import VerdictTally
from service.moderation.score import judge
from service.moderation.usual import Usual
from service.ops import worker_metrics
from service.storage.accounts.policy_overrides import policy_of
from service.storage.accounts.tenants import tenant_id
from service.storage.complaints.archive_reader import analysis_state_of
from service.storage.detection.rebuild_reads import members_of_clusters
from service.storage.redis_store.leases import held
from workers.detection.contexts import MOSTLY_GIVEN, labelled, share_given
from workers.detection.detector import Detector
from workers.detection.permutation import permuted_within_contexts
from workers.large import large_windows
from workers.machine import cores
from workers.resources import Resources
from workers.sweep import read_window

log = logging.getLogger(__name__)


def run(tenant: str, resources: Resources) -> None:
    """Check one tenant's window; returns at once when another worker does, or nothing was analysed yet."""
    with held(resources.redis, "selfcheck", tenant) as lease:
        if lease is None:
            return
        began, large = time.monotonic(), large_windows.of_settings(resources.settings)
        number = tenant_id(resources.engine, tenant)
        with resources.engine.connect() as connection:
            state, policy = analysis_state_of(connection, number), policy_of(connection, number)
            batch = read_window(connection, number, policy, state)
            known = members_of_clusters(connection, number)
        batch = batch.only(~np.isin(batch.reporter, np.fromiter(known, np.int64, len(known))))
        if share_given(batch) < MOSTLY_GIVEN:
            inferred = Detector.sweep(policy, batch, large)[0].inferred
            batch = labelled(batch, inferred) if inferred is not None else batch
        count, shuffled = len(batch), [permuted_within_contexts(batch, seed=state.cursor_seq)]
        del batch
        _, groups = Detector.sweep(policy, shuffled.pop(), large, cores())
        nobody = VerdictTally(0, 0, 0)
        flagged = sum(
            judge(g.evidence, nobody, len(g.targets), usual=Usual(), flag_score=policy.flag_score).disposition
            == "flagged"
            for g in groups
        )
        with worker_metrics.WorkerMetrics(resources.redis, tenant) as metrics:
            metrics.put(worker_metrics.SELFCHECK_FALSE, flagged)
            metrics.put(worker_metrics.SELFCHECK_COMPLAINTS, count)
            metrics.put(worker_metrics.SELFCHECK_FINISHED, resources.now_us() / 1e6)
        log.info(
            "tenant %s: self-check of %d shuffled complaints would flag %d clusters, %.2f s",
            tenant,
            count,
            flagged,
            time.monotonic() - began,
        )
