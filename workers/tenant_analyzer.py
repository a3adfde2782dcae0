"""One tenant's resident window, with the clusters and the memories that belong to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection

from service.moderation.cluster_state import ClusterState
from service.moderation.restorations import Moment
from service.policy import Policy
from service.storage.complaints.archive_reader import AnalysisState
from service.storage.complaints.feed import FeedBatch
from service.storage.detection.analysis_state import advance_analysis, hold_analysis
from workers.change_notifications import Change, ChangeNotifier
from workers.cluster_updates import ClusterUpdates
from workers.detection.detector import Detector, Fitted
from workers.detection.groups import Group
from workers.detection_metrics import DetectionMetrics
from workers.feed_columns import columns_of, slices

SECOND_US = 1_000_000
# a window is built again once it knows so many names of which most have left it
STALE_NAMES, NAMES_PER_COMPLAINT = 200_000, 2


class TenantAnalyzer:
    """What a worker holds of one tenant. The steps of analysis (workers/analysis_steps.py) change it and store it."""

    def __init__(
        self,
        tenant: str,
        number: int,
        epoch: int,
        policy: Policy,
        state: AnalysisState,
        clusters: Mapping[str, ClusterState],
        secret: bytes | None,
    ) -> None:
        self.tenant, self.number, self.epoch = tenant, number, epoch
        self.policy, self.state, self.secret = policy, state, secret
        self.clusters = ClusterUpdates(number, policy, clusters)
        self.detector = Detector(policy, self.clusters.known)
        self.notifier = ChangeNotifier(number, policy)
        self.metrics = DetectionMetrics(tenant)
        self.names_at_build = 0
        self.items_per_second = 100_000.0  # of the last ticks, on this machine as it is now

    def has_stale_names(self) -> bool:
        """Whether so many names have left the window that it is time to build it again.

        A window that was built knows the names of withdrawn complaints too: it is not built for those again and again.
        """
        window = self.detector.window
        return window.names > max(STALE_NAMES, NAMES_PER_COMPLAINT * window.live, 2 * self.names_at_build)

    def detect(self, batch: FeedBatch) -> Iterator[list[Group]]:
        """Bring the batch into the window, tick by tick; the groups after each."""
        for part in slices(batch, self.policy.tick_span_seconds * SECOND_US):
            texts = {seq: batch.texts[seq] for seq in part["seq"].tolist() if seq in batch.texts}
            yield self.detector.tick(columns_of(part, texts))
        if batch.removed or batch.listed:
            yield self.detector.tick(columns_of(batch.complaints[:0], {}), batch.removed)

    def take_sweep(self, connection: Connection, fitted: Fitted, seq: int) -> dict[str, ClusterState]:
        """Adopt a sweep of the whole window up to `seq`; the clusters that change by it. Reads only.

        A change of thresholds reaches the stored clusters here and nowhere else, and a dry run foretells it by calling
        this on an analyzer of its own (workers/threshold_effect.py).
        """
        self.detector.adopt(fitted, seq)
        self.clusters.begin_sweep(connection, self.detector.window)
        return self.clusters.reconcile(
            connection, self.detector.window, self.detector.regroup(), complete=True, upto_seq=self.state.cursor_seq
        )

    def change(
        self, before: Mapping[str, ClusterState], changed: Mapping[str, ClusterState], at: Moment, **more: Any
    ) -> Change:
        """What the notifier has to look at, the clusters being changed already."""
        now = {i: self.clusters.by_id[i] for i in changed}
        return Change(before, now, self.clusters, at, **more)

    def moment(self, now_us: int, upto_seq: int | None = None) -> Moment:
        """The cursor, and its position after the step (None: unchanged)."""
        cursor = self.state.cursor_seq
        return Moment(cursor, cursor if upto_seq is None else upto_seq, now_us)

    def hold(self, connection: Connection) -> None:
        """First in a writing transaction. Raises LostLease once another worker has taken the epoch."""
        hold_analysis(connection, self.number, self.epoch)

    def advance(self, connection: Connection, **values: Any) -> None:
        """Write the state, in the transaction that writes the clusters. Raises LostLease."""
        self.state = advance_analysis(connection, self.number, self.state, self.epoch, **values)
