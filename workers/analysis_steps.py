"""The steps of a tenant's analysis: take in decisions, apply changed exemptions, adopt a sweep, or tick.

Each commits clusters, their effects and the state in one transaction, and writes Redis after it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from service import logs
from service.moderation.cluster_state import ClusterState, is_judged
from service.storage.accounts.flagger_registry import WORK
from service.storage.cases import campaign_groups, clusters, warnings
from service.storage.cases.queues import plan_placing
from service.storage.complaints.archive_reader import analysis_state_of
from service.storage.complaints.feed_reader import FeedRow, read_feed
from service.storage.detection.analysis_state import check_epoch, decided_since
from service.storage.detection.exemptions import changed_clusters, exemptions_of
from service.storage.detection.sweeps import SweepResult, sweep_to_adopt
from service.storage.redis_store.job_queue import enqueue
from service.storage.sql import timers
from service.storage.sql.engine import write
from workers import sweep_codec
from workers.feed_columns import joined
from workers.known_members import publish_all_known_members
from workers.notice_counts import notices_after, notices_by_registry
from workers.publish import publish, totals_in
from workers.resources import Resources
from workers.sweep import sweep_ahead
from workers.tenant_analyzer import TenantAnalyzer
from workers.tick_size import ITEMS_AT_ONCE, items_for, rows_of_one_tick, stop_after, sweep_comes_first


@dataclass(frozen=True, slots=True)
class Waiting:
    """Pending work of a tenant, in this order; `rows` are read only when nothing else is."""

    decided: Mapping[int, str]
    exemptions_changed: bool
    sweep: SweepResult | None
    rows: Sequence[FeedRow]


def take_step(analyzer: TenantAnalyzer, resources: Resources, at_most: int = ITEMS_AT_ONCE) -> bool:
    """Do one piece of work, a tick being of `at_most` items; False when nothing more waits (or a sweep comes first).

    Raises LostLease once another worker has taken the epoch.
    """
    at_most = items_for(analyzer.items_per_second, at_most)
    with resources.engine.connect() as connection:
        waiting = _waiting(connection, analyzer, at_most)
    if waiting.decided:
        take_decisions(analyzer, resources, waiting.decided)
    elif waiting.exemptions_changed:
        apply_exemptions(analyzer, resources)
    elif waiting.sweep is not None:
        adopt_sweep(analyzer, resources, waiting.sweep)
    elif not waiting.rows:
        return False
    elif sweep_comes_first(analyzer.state, analyzer.detector.window, analyzer.policy):
        enqueue(resources.redis, "sweep", analyzer.tenant)  # the clock would, at its next beat
        return False
    else:
        stop_us = stop_after(analyzer.state.swept_watermark_us, analyzer.policy)
        rows = rows_of_one_tick(waiting.rows, analyzer.policy, stop_us)
        began = time.monotonic()
        tick(analyzer, resources, rows)
        speed = sum(row.items for row in rows) / max(1e-6, time.monotonic() - began)
        analyzer.items_per_second = (analyzer.items_per_second + speed) / 2
        # What came in meanwhile is the next tick's; a backlog is gone through at once.
        return len(rows) < len(waiting.rows) or sum(row.items for row in waiting.rows) >= at_most // 2
    return True


def _waiting(connection: Connection, analyzer: TenantAnalyzer, at_most: int) -> Waiting:
    state = analyzer.state = analysis_state_of(connection, analyzer.number)
    check_epoch(state, analyzer.number, analyzer.epoch)
    decided = decided_since(connection, analyzer.number, state.decision_cursor)
    sweep = sweep_to_adopt(connection, analyzer.number, state)
    changed = analyzer.clusters.exemptions is None or timers.planned(connection, analyzer.number, WORK)
    rows = (
        []
        if decided or changed or sweep is not None
        else read_feed(connection, analyzer.number, state.cursor_seq, at_most)
    )
    return Waiting(decided, changed, sweep, rows)


def tick(analyzer: TenantAnalyzer, resources: Resources, rows: Sequence[FeedRow]) -> None:
    """Analyse these rows of the feed."""
    batch, last, state = joined([row.batch for row in rows]), rows[-1], analyzer.state
    before = dict(analyzer.clusters.by_id)
    changed: dict[str, ClusterState] = {}
    totals = totals_in([batch])
    window = analyzer.detector.window
    # Analysed outside the writing transaction: ingest must not wait for it.
    with resources.engine.connect() as connection:
        if batch.listed:
            analyzer.clusters.look_again(connection, batch.listed)
        for groups in analyzer.detect(batch):
            found = analyzer.clusters.reconcile(connection, window, groups, complete=False, upto_seq=last.last_seq)
            changed.update(found)
        changed.update(analyzer.clusters.learn(connection, window, batch))
        notices = notices_after(
            connection,
            resources.redis,
            analyzer,
            totals,
            after_seq=state.cursor_seq,
            upto_seq=last.last_seq,
            promoted=batch.complaints["target"][batch.complaints["seq"] <= state.cursor_seq].tolist(),
        )
        effects = analyzer.notifier.look(
            connection,
            analyzer.change(
                before,
                changed,
                analyzer.moment(resources.now_us(), last.last_seq),
                totals=totals,
                judged={o.target for o in batch.outcomes},
            ),
        )
    watermark_us = max((r.watermark_us for r in rows if r.watermark_us is not None), default=state.watermark_us)
    with write(resources.engine) as connection:
        analyzer.hold(connection)
        clusters.save(connection, analyzer.number, before, changed, withdrawn=set(batch.removed))
        _plan_followers(connection, analyzer, resources, changed)
        analyzer.notifier.record(connection, effects, watermark_us=watermark_us or 0, now_us=resources.now_us())
        analyzer.advance(
            connection,
            cursor_seq=last.last_seq,
            analysed_position=max(state.analysed_position, last.last_position),
            analysed=state.analysed + sum(r.items for r in rows),
            watermark_us=watermark_us,
            as_of_us=last.received_us,
            policy_version=analyzer.policy.version,
        )
    publish(resources.redis, analyzer, effects.summaries, totals, notices)
    analyzer.metrics.count_tick(resources.redis, analyzer.detector, rows, resources.now_us())
    logs.add(ticks=1, items=sum(row.items for row in rows), clusters_changed=len(changed))
    logs.note(position=analyzer.state.analysed_position)


def _plan_followers(
    connection: Connection, analyzer: TenantAnalyzer, resources: Resources, changed: Mapping[str, ClusterState]
) -> None:
    """Have the jobs look that go by the clusters: which queue each is in, and which campaign."""
    if changed:
        plan_placing(connection, analyzer.number, resources.now_us())
        campaign_groups.plan(connection, analyzer.number, resources.now_us() + campaign_groups.DELAY_US)


def adopt_sweep(analyzer: TenantAnalyzer, resources: Resources, sweep: SweepResult) -> None:
    """Adopt the parameters and groups of a sweep of the whole window."""
    state, before = analyzer.state, dict(analyzer.clusters.by_id)
    watermark_us = state.watermark_us or 0
    with resources.engine.connect() as connection:
        changed = analyzer.take_sweep(connection, sweep_codec.unpack(sweep.payload), sweep.seq)
        effects = analyzer.notifier.look(
            connection, analyzer.change(before, changed, analyzer.moment(resources.now_us()))
        )
        # Warnings are not urgent, and by sweeps each outcome is looked at once.
        judged = warnings.judged_since(connection, analyzer.number, state.swept_seq, sweep.seq)
        analyzer.notifier.look_at_reporters(connection, judged, watermark_us, effects)
    with write(resources.engine) as connection:
        analyzer.hold(connection)
        clusters.save(connection, analyzer.number, before, changed)
        _plan_followers(connection, analyzer, resources, changed)
        analyzer.notifier.record(connection, effects, watermark_us=watermark_us, now_us=resources.now_us())
        analyzer.advance(
            connection,
            swept_seq=sweep.seq,
            swept_position=max(state.swept_position, sweep.position),
            swept_watermark_us=sweep.watermark_us,
            swept_us=sweep.finished_us,
            policy_version=analyzer.policy.version,
        )
    publish(resources.redis, analyzer, effects.summaries, {})
    with resources.engine.connect() as connection:
        sweep_ahead(connection, analyzer.tenant, analyzer.number, analyzer.policy, resources)
    logs.add(sweeps_taken=1, clusters_changed=len(changed))


def take_decisions(analyzer: TenantAnalyzer, resources: Resources, decided: Mapping[int, str]) -> None:
    """Read the decided clusters again, and apply each verdict to the complaints it was made about.

    `decided` holds the cluster of each decision by the decision's sequence number.
    """
    before = dict(analyzer.clusters.by_id)
    watermark_us = analyzer.state.watermark_us or 0
    with write(resources.engine) as connection:
        analyzer.hold(connection)
        fresh = clusters.load(connection, analyzer.number, set(decided.values()), lock=True)
        for identity, cluster in fresh.items():
            if is_judged(cluster):
                clusters.mark_judged(connection, identity, cluster.verdict)
                fresh[identity] = cluster.with_verdict(cluster.verdict)
        analyzer.clusters.keep(fresh)
        effects = analyzer.notifier.look(
            connection, analyzer.change(before, fresh, analyzer.moment(resources.now_us()), by_detector=False)
        )
        people = {m for c in fresh.values() for m in c.members | c.excluded}
        analyzer.notifier.look_at_reporters(connection, people, watermark_us, effects)
        analyzer.notifier.record(connection, effects, watermark_us=watermark_us, now_us=resources.now_us())
        analyzer.advance(connection, decision_cursor=max(decided))
    analyzer.clusters.forget_groups()
    publish(resources.redis, analyzer, effects.summaries, {})


def apply_exemptions(analyzer: TenantAnalyzer, resources: Resources) -> None:
    """Apply the allow-list and the registry of trusted flaggers to the clusters: mark complaints as exempt or no longer
    exempt.
    """
    before = dict(analyzer.clusters.by_id)
    with write(resources.engine) as connection:
        analyzer.hold(connection)
        # Before they are read: a change from now on plans another turn.
        timers.move_to(connection, analyzer.number, WORK, None)
        exemptions = exemptions_of(connection, analyzer.number)
        notices = notices_by_registry(connection, resources.redis, analyzer, exemptions.flaggers)
        changed = changed_clusters(connection, analyzer.number, list(before.values()), exemptions)
        analyzer.clusters.keep(changed)
        effects = analyzer.notifier.look(
            connection, analyzer.change(before, changed, analyzer.moment(resources.now_us()), by_detector=False)
        )
        clusters.save(connection, analyzer.number, before, changed)
        _plan_followers(connection, analyzer, resources, changed)
        analyzer.notifier.record(
            connection, effects, watermark_us=analyzer.state.watermark_us or 0, now_us=resources.now_us()
        )
        analyzer.advance(connection, decision_cursor=analyzer.state.decision_cursor)
    analyzer.clusters.exemptions = exemptions
    analyzer.clusters.forget_groups()
    publish_all_known_members(resources.redis, analyzer)
    publish(resources.redis, analyzer, effects.summaries, {}, notices)
