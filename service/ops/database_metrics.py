"""Metrics from the database: each tenant's progress, cases and webhooks, and overdue work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import get_args

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from sqlalchemy import Connection

from service import wall_clock
from service.storage.detection import metrics_reads
from service.storage.privacy import retention_guard
from service.storage.privacy.retention_guard import Refusal
from service.storage.redis_store.job_kinds import TIMED_WORKS
from service.storage.sql.engine import server_now_us

MAX_TENANTS = 200  # with labels; the number left out has its own metric


@dataclass(frozen=True, slots=True)
class DatabaseReading:
    """What one reading of the database has found."""

    metrics: list[Metric]
    ahead_us: int | None  # how far its clock is ahead of this host's; None: SQLite has none
    labelled: list[str]  # names of the tenants that have labels
    waiting: Mapping[str, str]  # names of tenants whose retention waits, and why


def read_database(connection: Connection, now_us: int) -> DatabaseReading:
    """All metrics of the database, and what is said of it beside them."""
    server_us = server_now_us(connection)
    ahead_us = None if server_us is None else server_us - wall_clock.now_us()
    every = metrics_reads.tenant_names(connection)
    refusals = retention_guard.refusals(connection)
    names = dict(list(every.items())[:MAX_TENANTS])
    return DatabaseReading(
        metrics=list(_metrics(connection, names, len(every) - len(names), refusals, now_us)),
        ahead_us=ahead_us,
        labelled=list(names.values()),
        waiting={every[tenant]: retention_guard.words(one) for tenant, one in refusals.items() if tenant in every},
    )


def _metrics(
    connection: Connection, names: dict[int, str], without: int, refusals: Mapping[int, Refusal], now_us: int
) -> Iterator[Metric]:
    yield _size(connection)
    left_out = GaugeMetricFamily("brigadewatch_tenants_left_out", "Tenants beyond the first that labels are kept for.")
    left_out.add_metric([], without)
    yield left_out
    yield from _positions(connection, names)
    yield from _lag(connection, names, now_us)
    yield from _cases(connection, names)
    yield from _webhooks(connection, names)
    yield from _sources(connection, names)
    yield _overdue(connection, now_us)
    yield _retention(names, refusals)


def _size(connection: Connection) -> Metric:
    size = GaugeMetricFamily("brigadewatch_database_size_bytes", "Size of the database, without its log.")
    size.add_metric([], float(metrics_reads.database_bytes(connection)))
    return size


def _retention(names: dict[int, str], refusals: Mapping[int, Refusal]) -> Metric:
    """Runs of retention that wait."""
    waiting = GaugeMetricFamily(
        "brigadewatch_retention_waiting_records",
        "Records that retention is holding back: the clocks differ, or nobody has consented (amount).",
        labels=["tenant", "because"],
    )
    for tenant, name in names.items():
        for because in get_args(retention_guard.Because):
            refusal = refusals.get(tenant)
            waiting.add_metric([name, because], refusal.records if refusal and refusal.because == because else 0)
    return waiting


def _overdue(connection: Connection, now_us: int) -> Metric:
    """Overdue work of all tenants, by kind."""
    late = GaugeMetricFamily(
        "brigadewatch_timer_overdue_seconds",
        "How long the most overdue work has been due; 0: none is overdue.",
        labels=["work"],
    )
    due = metrics_reads.earliest_timers(connection)
    for work in sorted({*TIMED_WORKS, *due}):
        late.add_metric([work], max(0.0, (now_us - due.get(work, now_us)) / 1e6))
    return late


def _sources(connection: Connection, names: dict[int, str]) -> Iterator[Metric]:
    polled = GaugeMetricFamily(
        "brigadewatch_poll_success_timestamp_seconds",
        "Latest successful poll of the source that has waited longest for one; its creation counts as one.",
        labels=["tenant", "platform"],
    )
    failing = GaugeMetricFamily(
        "brigadewatch_sources_failing", "Polled sources whose latest poll failed.", labels=["tenant", "platform"]
    )
    for row in metrics_reads.polled_platforms(connection):
        if row.tenant_id in names:
            polled.add_metric([names[row.tenant_id], row.platform], row.polled_us / 1e6)
            failing.add_metric([names[row.tenant_id], row.platform], row.failing)
    yield from (polled, failing)


def _positions(connection: Connection, names: dict[int, str]) -> Iterator[Metric]:
    position = GaugeMetricFamily(
        "brigadewatch_position",
        "Position of each stage, in acknowledged items of the tenant.",
        labels=["tenant", "stage"],
    )
    archived = CounterMetricFamily(
        "brigadewatch_archived_items", "Items archived, by what they turned out to be.", labels=["tenant", "result"]
    )
    watermark = GaugeMetricFamily(
        "brigadewatch_watermark_timestamp_seconds", "Latest occurred_at of the tenant's complaints.", labels=["tenant"]
    )
    for row in metrics_reads.ingest_states(connection):
        if (name := names.get(row["tenant_id"])) is None:
            continue
        position.add_metric([name, "archived"], row["archived_position"])
        archived.add_metric([name, "all"], row["archived"])
        for result in ("duplicates", "conflicting", "late"):
            archived.add_metric([name, result], row[result])
        if row["watermark_us"] is not None:
            watermark.add_metric([name], row["watermark_us"] / 1e6)
    for row in metrics_reads.analysis_states(connection):
        if (name := names.get(row["tenant_id"])) is not None:
            position.add_metric([name, "analysed"], row["analysed_position"])
            position.add_metric([name, "swept"], row["swept_position"])
    yield from (position, archived, watermark)


def _lag(connection: Connection, names: dict[int, str], now_us: int) -> Iterator[Metric]:
    age = GaugeMetricFamily(
        "brigadewatch_feed_oldest_age_seconds",
        "Age of the oldest archived item that waits for analysis; 0: none waits.",
        labels=["tenant"],
    )
    items = GaugeMetricFamily("brigadewatch_feed_items", "Archived items that wait for analysis.", labels=["tenant"])
    found = metrics_reads.unanalysed_items(connection)
    for tenant, name in names.items():
        oldest, n = found.get(tenant, (None, 0))
        age.add_metric([name], 0.0 if oldest is None else max(0.0, (now_us - oldest) / 1e6))
        items.add_metric([name], float(n or 0))
    yield from (age, items)


def _cases(connection: Connection, names: dict[int, str]) -> Iterator[Metric]:
    dead = GaugeMetricFamily(
        "brigadewatch_dead_letters", "Items that failed five times and were not sent again.", labels=["tenant"]
    )
    counts = metrics_reads.dead_letter_counts(connection)
    for tenant, name in names.items():
        dead.add_metric([name], counts.get(tenant, 0))
    kept = GaugeMetricFamily(
        "brigadewatch_clusters",
        "Clusters, by kind, disposition and status.",
        labels=["tenant", "kind", "disposition", "status"],
    )
    open_ones: dict[int, int] = dict.fromkeys(names, 0)
    for tenant, kind, disposition, status, n in metrics_reads.cluster_counts(connection):
        if tenant in names:
            kept.add_metric([names[tenant], kind, disposition, status], n)
            if disposition == "flagged" and status in ("open", "escalated"):
                open_ones[tenant] += n
    waiting = GaugeMetricFamily(
        "brigadewatch_cases_waiting",
        "Flagged clusters, open or escalated, that wait for a moderator.",
        labels=["tenant"],
    )
    for tenant, n in open_ones.items():
        waiting.add_metric([names[tenant]], n)
    made = CounterMetricFamily(
        "brigadewatch_decisions", "Decisions by people about clusters.", labels=["tenant", "verdict", "reason"]
    )
    for tenant, verdict, reason, n in metrics_reads.decision_counts(connection):
        if tenant in names:
            made.add_metric([names[tenant], verdict, reason], n)
    yield from (dead, kept, waiting, made)
    harmed = GaugeMetricFamily(
        "brigadewatch_restorations",
        "Targets that were removed while a cluster inflated their count, by outcome.",
        labels=["tenant", "state"],
    )
    for tenant, state, n in metrics_reads.restoration_counts(connection):
        if tenant in names:
            harmed.add_metric([names[tenant], state], n)
    yield harmed
    yield from _sweeps(connection, names)


def _sweeps(connection: Connection, names: dict[int, str]) -> Iterator[Metric]:
    seconds = GaugeMetricFamily(
        "brigadewatch_sweep_duration_seconds", "How long the tenant's latest sweep took.", labels=["tenant"]
    )
    finished = GaugeMetricFamily(
        "brigadewatch_sweep_finished_timestamp_seconds", "When the tenant's latest sweep ended.", labels=["tenant"]
    )
    for tenant, took, at in metrics_reads.latest_sweeps(connection):
        if tenant in names:
            seconds.add_metric([names[tenant]], took)
            finished.add_metric([names[tenant]], at / 1e6)
    yield from (seconds, finished)


def _webhooks(connection: Connection, names: dict[int, str]) -> Iterator[Metric]:
    waiting = GaugeMetricFamily(
        "brigadewatch_deliveries_waiting", "Webhook deliveries waiting to be sent, or sent again.", labels=["tenant"]
    )
    disabled = GaugeMetricFamily(
        "brigadewatch_subscriptions_disabled", "Disabled webhook subscriptions.", labels=["tenant"]
    )
    for family, counts in (
        (waiting, metrics_reads.waiting_delivery_counts(connection)),
        (disabled, metrics_reads.disabled_subscription_counts(connection)),
    ):
        for tenant, name in names.items():
            family.add_metric([name], counts.get(tenant, 0))
        yield family
