"""Counters of processes without a port of their own, kept in Redis for the metrics port.

Workers run in separate processes, so their counters cannot live in the API's memory. One hash per tenant costs one
round trip per job and survives restarts. FAMILIES lists everything that can be counted: name, help, labels. Fields of a
hash are `family|label|label`, of a histogram `family|label|<=bound` and `family|label|sum`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from types import TracebackType
from typing import Any, Literal

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from redis import Redis
from redis.exceptions import RedisError

from service.storage.redis_store import redis_keys
from service.storage.redis_store.client import as_text

PREFIX = "brigadewatch_"
JobResult = Literal["done", "superseded", "interrupted", "failed"]
JOB_RESULTS: tuple[JobResult, ...] = ("done", "superseded", "interrupted", "failed")
DELIVERY_RESULTS = ("delivered", "retried", "given_up", "disabled")


@dataclass(frozen=True, slots=True)
class MetricFamily:
    """One metric: what is counted, in which unit, by which labels (beside the tenant)."""

    name: str  # without prefix; a counter's without _total
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    by_tenant: bool = True
    bounds: tuple[float, ...] = ()  # of a histogram
    # every value of the last label: shown as 0 beside one that was counted, so that a first failure is a rise
    last: tuple[str, ...] = ()


JOBS = MetricFamily(
    "jobs",
    "counter",
    "Jobs that ended: done, superseded (another worker went on), interrupted (a store did not answer), failed.",
    ("work", "result"),
    last=JOB_RESULTS,
)
JOB_BUSY = MetricFamily("job_busy_seconds", "counter", "Wall-clock time spent in jobs.", ("work",))
JOB_DURATION = MetricFamily(
    "job_duration_seconds",
    "histogram",
    "How long jobs took.",
    ("work",),
    by_tenant=False,
    bounds=(0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0),
)
ANALYSIS_LAG = MetricFamily(
    "analysis_lag_seconds",
    "histogram",
    "From the receipt of an item to the answer that takes it into account, of items that were analysed.",
    bounds=(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0),
)
DELIVERY_ATTEMPTS = MetricFamily(
    "delivery_attempts",
    "counter",
    "Attempts to deliver webhooks, by result.",
    ("result",),
    last=DELIVERY_RESULTS,
)
POLLS = MetricFamily("polls", "counter", "Polls of platforms that do not post, by result.", ("platform", "result"))
CLOCK_STEPS = MetricFamily(
    "clock_steps",
    "counter",
    "Steps of two seconds or more of the wall clock of the clock process' host (or it slept), by direction.",
    ("direction",),
    by_tenant=False,
    last=("forward", "back"),
)
WINDOW_COMPLAINTS = MetricFamily("detection_window_complaints", "gauge", "Complaints in the resident window.")
VALIDATED_PAIRS = MetricFamily(
    "detection_validated_pairs",
    "gauge",
    "Pairs of reporters who meet more often than chance explains: edges of the co-report graph.",
)
KEPT_PAIRS = MetricFamily(
    "detection_kept_pairs", "gauge", "Pairs of reporters in the window that are weighed, validated or not."
)
CUT_PAIRS = MetricFamily(
    "detection_cut_pairs",
    "counter",
    "Meetings on a target that were not paired since too many complaints stood before them: slices that were capped.",
)
JOINED_PAIRS = MetricFamily("detection_joined_pairs", "counter", "Pairs of reporters whose histories were compared.")
GROWN_GROUPS = MetricFamily("detection_grown_groups", "counter", "Groups that were grown from seeds.")
INFERRED_COVERAGE = MetricFamily(
    "detection_inferred_context_coverage_ratio",
    "gauge",
    "Share of complaints whose context was inferred, where the platform names none.",
)
INFERRED_LARGEST = MetricFamily(
    "detection_inferred_context_largest_ratio", "gauge", "Share of complaints in the largest inferred context."
)
SELFCHECK_FALSE = MetricFamily(
    "selfcheck_false_clusters",
    "gauge",
    "Clusters that the latest self-check would flag although nobody complains together; should be 0.",
)
SELFCHECK_COMPLAINTS = MetricFamily("selfcheck_complaints", "gauge", "Complaints that the latest self-check shuffled.")
SELFCHECK_FINISHED = MetricFamily("selfcheck_finished_timestamp_seconds", "gauge", "When the latest self-check ended.")
FAMILIES = (
    JOBS,
    JOB_BUSY,
    JOB_DURATION,
    ANALYSIS_LAG,
    DELIVERY_ATTEMPTS,
    POLLS,
    WINDOW_COMPLAINTS,
    VALIDATED_PAIRS,
    KEPT_PAIRS,
    CUT_PAIRS,
    JOINED_PAIRS,
    GROWN_GROUPS,
    INFERRED_COVERAGE,
    INFERRED_LARGEST,
    SELFCHECK_FALSE,
    SELFCHECK_COMPLAINTS,
    SELFCHECK_FINISHED,
    CLOCK_STEPS,
)
_EVERYBODY = ""


class WorkerMetrics:
    """Collects the metrics of one job for one tenant and writes them in one round trip at the end of the `with` block.

    Counting never stops work: what Redis refuses is dropped.
    """

    def __init__(self, client: Redis, tenant: str) -> None:
        self._client, self._tenant = client, tenant
        self._added: dict[tuple[str, str], float] = defaultdict(float)
        self._put: dict[tuple[str, str], float] = {}

    def count(self, family: MetricFamily, *labels: str, by: float = 1) -> None:
        """Add to a counter."""
        self._added[self._key(family), _field(family, labels)] += by

    def observe(self, family: MetricFamily, value: float, *labels: str, times: int = 1) -> None:
        """Note `times` equal values in a histogram."""
        bound = next((f"<={bound:g}" for bound in family.bounds if value <= bound), "<=+Inf")
        self._added[self._key(family), _field(family, (*labels, bound))] += times
        self._added[self._key(family), _field(family, (*labels, "sum"))] += value * times

    def put(self, family: MetricFamily, value: float, *labels: str) -> None:
        """Set a gauge."""
        self._put[self._key(family), _field(family, labels)] = value

    def __enter__(self) -> WorkerMetrics:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pipe = self._client.pipeline(transaction=False)
        for (key, field), by in self._added.items():
            pipe.hincrbyfloat(key, field, by)
        for (key, field), value in self._put.items():
            pipe.hset(key, field, repr(float(value)))
        try:
            pipe.execute()
        except RedisError:
            return

    def _key(self, family: MetricFamily) -> str:
        return redis_keys.tallies(self._tenant if family.by_tenant else _EVERYBODY)


def record_job(client: Redis, work: str, tenant: str, seconds: float, result: JobResult) -> None:
    """One job of `work` (ingest, detect, sweep, ...) has ended after `seconds` of wall clock."""
    with WorkerMetrics(client, tenant) as metrics:
        metrics.count(JOBS, work, result)
        metrics.count(JOB_BUSY, work, by=seconds)
        metrics.observe(JOB_DURATION, seconds, work)


def counted(fields: Mapping[Any, Any], family: MetricFamily) -> dict[tuple[str, ...], float]:
    """One family's values in a hash as Redis returns it, by labels; for a histogram, by labels and bound."""
    found = {}
    for field, value in fields.items():
        name, *labels = as_text(field).split("|")
        if name == family.name:
            found[tuple(labels)] = float(value)
    return found


def metrics_of(by_tenant: Mapping[str, Mapping[Any, Any]], everybody: Mapping[Any, Any]) -> Iterator[Metric]:
    """All families, from each tenant's hash and the installation's."""
    for family in FAMILIES:
        labels = [*family.labels, *(["tenant"] if family.by_tenant else [])]
        hashes = [((name,), fields) for name, fields in by_tenant.items()] if family.by_tenant else [((), everybody)]
        if family.kind == "histogram":
            histogram = HistogramMetricFamily(PREFIX + family.name, family.help, labels=labels)
            for who, fields in hashes:
                for label_values, buckets, total in _histograms(family, counted(fields, family)):
                    histogram.add_metric([*label_values, *who], buckets, total)
            yield histogram
            continue
        plain = (CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily)(
            PREFIX + family.name, family.help, labels=labels
        )
        for who, fields in hashes:
            for label_values, value in _filled(family, counted(fields, family)):
                plain.add_metric([*label_values, *who], value)
        yield plain


def _filled(family: MetricFamily, values: dict[tuple[str, ...], float]) -> Iterable[tuple[tuple[str, ...], float]]:
    known = {(*label_values[:-1], last): 0.0 for label_values in values for last in family.last}
    return sorted((known | values).items())


def _histograms(
    family: MetricFamily, values: dict[tuple[str, ...], float]
) -> Iterator[tuple[tuple[str, ...], list[tuple[str, float]], float]]:
    bounds = [*(f"{bound:g}" for bound in family.bounds), "+Inf"]
    for label_values in sorted({labels[:-1] for labels in values}):
        counts = accumulate(values.get((*label_values, f"<={bound}"), 0.0) for bound in bounds)
        yield label_values, list(zip(bounds, counts, strict=True)), values.get((*label_values, "sum"), 0.0)


def _field(family: MetricFamily, labels: tuple[str, ...]) -> str:
    return "|".join((family.name, *labels))
