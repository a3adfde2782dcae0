"""What the database knows: how far each tenant is, its cases, its webhooks, what is planned and overdue."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from sqlalchemy import Connection, func, select, text

from service.platforms.registry import POLLED
from service.storage.sql.schema import (
    analysis_state,
    clusters,
    dead_letters,
    decisions,
    deliveries,
    feed,
    ingest_state,
    restorations,
    sources,
    subscriptions,
    sweeps,
    tenants,
    timers,
)

MAX_TENANTS = 200  # in labels; how many are left out is a metric of its own
PLANNED = ("deliver", "detect", "dry_run", "erase", "poll", "retain", "sweep")  # works that have timers


def read_database(connection: Connection, now_us: int, remember: Callable[[list[str]], None]) -> Iterator[Metric]:
    every: dict[int, str] = {
        number: name for number, name in connection.execute(select(tenants.c.id, tenants.c.name).order_by(tenants.c.id))
    }
    names = dict(list(every.items())[:MAX_TENANTS])
    remember(list(names.values()))
    yield _size(connection)
    left_out = GaugeMetricFamily("brigadewatch_tenants_left_out", "Tenants beyond the first that labels are kept for.")
    left_out.add_metric([], len(every) - len(names))
    yield left_out
    yield from _positions(connection, names)
    yield from _lag(connection, names, now_us)
    yield from _cases(connection, names)
    yield from _webhooks(connection, names)
    yield from _sources(connection, names)
    yield _overdue(connection, now_us)


def _size(connection: Connection) -> Metric:
    size = GaugeMetricFamily("brigadewatch_database_size_bytes", "Size of the database, without its log.")
    asked = (
        "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
        if connection.dialect.name == "sqlite"
        else "SELECT pg_database_size(current_database())"
    )
    size.add_metric([], float(connection.execute(text(asked)).scalar_one()))
    return size


def _overdue(connection: Connection, now_us: int) -> Metric:
    """Of all tenants: what was planned and has not been done, by kind of work."""
    late = GaugeMetricFamily(
        "brigadewatch_timer_overdue_seconds",
        "How long the work that waits longest has been due; 0: none is.",
        labels=["work"],
    )
    due = {
        work: at
        for work, at in connection.execute(select(timers.c.work, func.min(timers.c.due_us)).group_by(timers.c.work))
    }
    for work in sorted({*PLANNED, *due}):
        late.add_metric([work], max(0.0, (now_us - due.get(work, now_us)) / 1e6))
    return late


def _sources(connection: Connection, names: dict[int, str]) -> Iterator[Metric]:
    polled = GaugeMetricFamily(
        "brigadewatch_poll_success_timestamp_seconds",
        "Latest successful poll of the source that waits longest for one; its making counts as one.",
        labels=["tenant", "platform"],
    )
    failing = GaugeMetricFamily(
        "brigadewatch_sources_failing", "Polled sources whose latest poll failed.", labels=["tenant", "platform"]
    )
    asked = (sources.c.tenant_id, sources.c.platform)
    oldest = func.min(func.coalesce(sources.c.polled_us, sources.c.created_us))
    found = (
        select(*asked, oldest, func.count().filter(sources.c.failures > 0))
        .where(sources.c.platform.in_(POLLED), sources.c.url.is_not(None), sources.c.removed_us.is_(None))
        .group_by(*asked)
    )
    for tenant, platform, at, failures in connection.execute(found):
        if tenant in names:
            polled.add_metric([names[tenant], platform], at / 1e6)
            failing.add_metric([names[tenant], platform], failures)
    yield from (polled, failing)


def _positions(connection: Connection, names: dict[int, str]) -> Iterator[Metric]:
    position = GaugeMetricFamily(
        "brigadewatch_position",
        "How far each stage is, in acknowledged items of the tenant.",
        labels=["tenant", "stage"],
    )
    archived = CounterMetricFamily(
        "brigadewatch_archived_items", "Items archived, by what they turned out to be.", labels=["tenant", "result"]
    )
    watermark = GaugeMetricFamily(
        "brigadewatch_watermark_timestamp_seconds", "Latest occurred_at of the tenant's complaints.", labels=["tenant"]
    )
    for row in connection.execute(select(ingest_state)).mappings():
        if (name := names.get(row["tenant_id"])) is None:
            continue
        position.add_metric([name, "archived"], row["archived_position"])
        archived.add_metric([name, "all"], row["archived"])
        for result in ("duplicates", "conflicting", "late"):
            archived.add_metric([name, result], row[result])
        if row["watermark_us"] is not None:
            watermark.add_metric([name], row["watermark_us"] / 1e6)
    for row in connection.execute(select(analysis_state)).mappings():
        if (name := names.get(row["tenant_id"])) is not None:
            position.add_metric([name, "analysed"], row["analysed_position"])
            position.add_metric([name, "swept"], row["swept_position"])
    yield from (position, archived, watermark)


def _lag(connection: Connection, names: dict[int, str], now_us: int) -> Iterator[Metric]:
    waiting = (
        select(feed.c.tenant_id, func.min(feed.c.oldest_received_us), func.sum(feed.c["items"]))
        .join(
            analysis_state,
            (analysis_state.c.tenant_id == feed.c.tenant_id) & (feed.c.last_seq > analysis_state.c.cursor_seq),
        )
        .group_by(feed.c.tenant_id)
    )
    age = GaugeMetricFamily(
        "brigadewatch_feed_oldest_age_seconds",
        "Age of the oldest archived item that waits for analysis; 0: none waits.",
        labels=["tenant"],
    )
    items = GaugeMetricFamily("brigadewatch_feed_items", "Archived items that wait for analysis.", labels=["tenant"])
    found = {tenant: (oldest, n) for tenant, oldest, n in connection.execute(waiting)}
    for tenant, name in names.items():
        oldest, n = found.get(tenant, (None, 0))
        age.add_metric([name], 0.0 if oldest is None else max(0.0, (now_us - oldest) / 1e6))
        items.add_metric([name], float(n or 0))
    yield from (age, items)


def _cases(connection: Connection, names: dict[int, str]) -> Iterator[Metric]:
    dead = GaugeMetricFamily(
        "brigadewatch_dead_letters", "Items that failed five times over and were not sent again.", labels=["tenant"]
    )
    counts: dict[int, int] = {
        tenant: n
        for tenant, n in connection.execute(
            select(dead_letters.c.tenant_id, func.count())
            .where(dead_letters.c.resent_us.is_(None))
            .group_by(dead_letters.c.tenant_id)
        )
    }
    for tenant, name in names.items():
        dead.add_metric([name], counts.get(tenant, 0))
    kept = GaugeMetricFamily(
        "brigadewatch_clusters",
        "Clusters, by what they are and how far a person is with them.",
        labels=["tenant", "kind", "disposition", "status"],
    )
    by = (clusters.c.tenant_id, clusters.c.kind, clusters.c.disposition, clusters.c.status)
    open_ones: dict[int, int] = dict.fromkeys(names, 0)
    for tenant, kind, disposition, status, n in connection.execute(select(*by, func.count()).group_by(*by)):
        if tenant in names:
            kept.add_metric([names[tenant], kind, disposition, status], n)
            if disposition == "flagged" and status in ("open", "escalated"):
                open_ones[tenant] += n
    waiting = GaugeMetricFamily(
        "brigadewatch_cases_waiting", "Flagged clusters, open or escalated, that wait for a person.", labels=["tenant"]
    )
    for tenant, n in open_ones.items():
        waiting.add_metric([names[tenant]], n)
    made = CounterMetricFamily(
        "brigadewatch_decisions", "Decisions by people about clusters.", labels=["tenant", "verdict", "reason"]
    )
    about = (decisions.c.tenant_id, decisions.c.verdict, decisions.c.reason_code)
    for tenant, verdict, reason, n in connection.execute(select(*about, func.count()).group_by(*about)):
        if tenant in names:
            made.add_metric([names[tenant], verdict, reason], n)
    yield from (dead, kept, waiting, made)
    harmed = GaugeMetricFamily(
        "brigadewatch_restorations",
        "Targets that were removed while a cluster inflated their count, by what came of it.",
        labels=["tenant", "state"],
    )
    for tenant, state, n in connection.execute(
        select(restorations.c.tenant_id, restorations.c.state, func.count()).group_by(
            restorations.c.tenant_id, restorations.c.state
        )
    ):
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
    latest = select(func.max(sweeps.c.id)).group_by(sweeps.c.tenant_id)
    for tenant, took, at in connection.execute(
        select(sweeps.c.tenant_id, sweeps.c.seconds, sweeps.c.finished_us).where(sweeps.c.id.in_(latest))
    ):
        if tenant in names:
            seconds.add_metric([names[tenant]], took)
            finished.add_metric([names[tenant]], at / 1e6)
    yield from (seconds, finished)


def _webhooks(connection: Connection, names: dict[int, str]) -> Iterator[Metric]:
    waiting = GaugeMetricFamily(
        "brigadewatch_deliveries_waiting", "Webhook deliveries that are to be sent, or sent again.", labels=["tenant"]
    )
    by = (
        select(deliveries.c.tenant_id, func.count())
        .where(deliveries.c.state == "pending", deliveries.c.next_us.is_not(None))
        .group_by(deliveries.c.tenant_id)
    )
    disabled = GaugeMetricFamily(
        "brigadewatch_subscriptions_disabled", "Webhook subscriptions that nothing is sent to.", labels=["tenant"]
    )
    off = (
        select(subscriptions.c.tenant_id, func.count())
        .where(subscriptions.c.disabled_us.is_not(None))
        .group_by(subscriptions.c.tenant_id)
    )
    for family, statement in ((waiting, by), (disabled, off)):
        counts: dict[int, int] = {tenant: n for tenant, n in connection.execute(statement)}
        for tenant, name in names.items():
            family.add_metric([name], counts.get(tenant, 0))
        yield family
