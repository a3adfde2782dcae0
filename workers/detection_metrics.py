"""What the ticks of one tenant report to the metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from redis import Redis

from service.ops import worker_metrics
from service.storage.complaints.feed_reader import FeedRow
from workers.detection.detector import Detector

COUNTED = (
    (worker_metrics.CUT_PAIRS, "cut"),
    (worker_metrics.JOINED_PAIRS, "joined"),
    (worker_metrics.GROWN_GROUPS, "grown"),
)


class DetectionMetrics:
    """Reports what the detector counted since the last tick."""

    def __init__(self, tenant: str) -> None:
        self._tenant = tenant
        self._reported: Counter[str] = Counter()

    def count_tick(self, redis: Redis, detector: Detector, rows: Sequence[FeedRow], now_us: int) -> None:
        """Report the detector's counters and sizes, and how long the rows' items waited for their answer."""
        counters = Counter(detector.counters)
        added, self._reported = counters - self._reported, counters
        with worker_metrics.WorkerMetrics(redis, self._tenant) as metrics:
            for family, name in COUNTED:
                metrics.count(family, by=added[name])
            metrics.put(worker_metrics.WINDOW_COMPLAINTS, detector.window.live)
            metrics.put(worker_metrics.VALIDATED_PAIRS, detector.graph.number_of_edges())
            metrics.put(worker_metrics.KEPT_PAIRS, len(detector.edges.p))
            if detector.inferred is not None:
                metrics.put(worker_metrics.INFERRED_COVERAGE, detector.inferred.coverage)
                metrics.put(worker_metrics.INFERRED_LARGEST, detector.inferred.largest)
            for row in rows:
                waited = max(0.0, (now_us - row.oldest_received_us) / 1e6)
                metrics.observe(worker_metrics.ANALYSIS_LAG, waited, times=row.items)
