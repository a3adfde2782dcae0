"""The ticks of one tenant: feed in, clusters and assessments out.

The window stays resident in this process between jobs, guarded by the epoch in `analysis_state`: who builds a window
raises it, and whoever holds an older one can commit nothing and builds anew. A tick commits clusters and cursor in one
transaction; Redis is written after it, from the same state, and again by whoever comes next if that fails.
"""

from __future__ import annotations

import logging
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

from redis import Redis
from sqlalchemy import Connection, func, select, update

from service import logs
from service.errors import LostLease
from service.moderation.cluster_scoring import rescore
from service.moderation.cluster_state import ClusterState
from service.moderation.reconciliation import Recomputation, reconcile
from service.moderation.restorations import Moment
from service.ops import worker_metrics
from service.policy import Policy
from service.storage.accounts.policy_overrides import policy_of
from service.storage.accounts.tenants import tenant_id
from service.storage.cases import clusters, warnings
from service.storage.complaints.archive_reader import (
    AnalysisState,
    FeedRow,
    analysis_state_of,
    outcomes_of,
    read_feed,
    read_feed_before,
    read_feed_window,
)
from service.storage.complaints.feed import FeedBatch, FeedOutcome
from service.storage.detection import allow_list
from service.storage.redis_store import assessments
from service.storage.redis_store.job_queue import enqueue, others_wait
from service.storage.redis_store.leases import Lease, held, take_epoch
from service.storage.sql import schema, timers
from service.storage.sql.engine import write
from workers import sweep_codec, tenant_assignment
from workers.change_notifications import Change, ChangeNotifier, PendingEffects
from workers.detection.detector import Detector
from workers.detection.groups import Group
from workers.feed_columns import columns_of, joined, slices, standing
from workers.group_adapter import AdaptedGroup, found_group
from workers.record_evidence import RecordEvidence
from workers.resources import Resources
from workers.shared_traits import SharedTraits

log = logging.getLogger(__name__)

TURN_SECONDS = 2.0  # then other tenants have their turn
PASSED_ON_SECONDS = 0.05  # after a job was put back for the worker that has the tenant: it, not this one, is to take it
SHORT_TURN_SECONDS = 0.2  # where one of them waits
ITEMS_AT_ONCE = 20_000
# in one tick while another tenant's job waits: larger ticks cost less a complaint, but nothing interrupts them
ITEMS_BESIDE_OTHERS = 4_000
# how long a tick should take at most, by the speed of the last ones: another tenant's job may come meanwhile
TICK_SECONDS = 0.5
LEAST_ITEMS = 2_000
SECOND_US = 1_000_000
# names that left the window are forgotten by a rebuild once there are so many, and four times the live ones
_STALE_NAMES = 200_000

_resident: dict[str, TenantAnalyzer] = {}  # by tenant, of this process
_turning = False  # a window may be half a tick ahead of what is stored
_asked = False  # tell_windows was called meanwhile


def run(tenant: str, resources: Resources) -> None:
    """Analyse what was archived since the last tick, for 2 s at most; returns at once when another worker does.

    Raises LostLease where another worker has the tenant.
    """
    global _turning
    if not tenant_assignment.has(tenant):
        _resident.pop(tenant, None)
        enqueue(resources.redis, "detect", tenant)
        time.sleep(PASSED_ON_SECONDS)
        raise LostLease(f"{tenant} is another worker's, and was put back for it")
    with held(resources.redis, "detect", tenant) as lease:
        if lease is None:
            return
        _turning = True
        try:
            _turn(tenant, resources, lease)
        except BaseException:
            # Half a tick may be in the resident window, or somebody else moved on; the stored state is whole.
            _resident.pop(tenant, None)
            raise
        finally:
            _turning = False
            if _asked:
                tell_windows()


def tell_windows() -> None:
    """Say in the log what each resident window holds, now or once the turn under way has ended; SIGUSR1 to a detect
    worker asks for it.

    A window that is built anew from SQL has the same digest.
    """
    global _asked
    _asked = _turning
    if not _turning:
        for tenant, analysis in _resident.items():
            window = analysis.detector.window
            log.warning(
                "tenant %s: window of %d complaints up to seq %d, digest %s",
                tenant,
                window.live,
                analysis.state.cursor_seq,
                window.digest(),
            )


def _turn(tenant: str, resources: Resources, lease: Lease) -> None:
    began = time.monotonic()
    analysis = _resident_analysis(tenant, resources)
    while analysis.step(
        resources, ITEMS_BESIDE_OTHERS if (others := others_wait(resources.redis, "detect")) else ITEMS_AT_ONCE
    ):
        lease.check()
        if time.monotonic() - began >= (SHORT_TURN_SECONDS if others else TURN_SECONDS):
            return


def _resident_analysis(tenant: str, resources: Resources) -> TenantAnalyzer:
    number = tenant_id(resources.engine, tenant)
    analysis = _resident.get(tenant)
    with resources.engine.connect() as connection:
        state = analysis_state_of(connection, number)
        policy = policy_of(connection, number)
    if analysis is None or analysis.epoch != state.epoch or analysis.policy != policy or analysis.crowded_with_names():
        began = time.monotonic()
        analysis = _resident[tenant] = rebuild(tenant, resources)
        analysis.publish_again(resources)
        log.info(
            "tenant %s: window of %d complaints built in %.2f s, epoch %d",
            tenant,
            analysis.detector.window.live,
            time.monotonic() - began,
            analysis.epoch,
        )
    return analysis


def rebuild(tenant: str, resources: Resources) -> TenantAnalyzer:
    """The window as it stands in SQL: loaded up to the last sweep, ticked from there to the cursor."""
    number = tenant_id(resources.engine, tenant)
    epoch = take_epoch(resources.engine, schema.analysis_state, number)
    with resources.engine.connect() as connection:
        state, policy = analysis_state_of(connection, number), policy_of(connection, number)
        sweep = _latest_sweep(connection, number)
        analysis = TenantAnalyzer(tenant, number, epoch, policy, state, clusters.load(connection, number))
        loaded = 0 if sweep is None else int(sweep.seq)
        if sweep is not None:
            since = (sweep.watermark_us or 0) - policy.window_seconds * SECOND_US
            rows, texts = standing([row.batch for row in read_feed_window(connection, number, since, loaded)])
            fitted = sweep_codec.unpack(sweep.payload)
            analysis.detector.inferred = fitted.contexts
            analysis.detector.load(columns_of(rows[rows["time_us"] >= since], texts))
            analysis.detector.adopt(fitted, loaded)
        since = (state.watermark_us or 0) - policy.window_seconds * SECOND_US
        for row in read_feed_window(connection, number, since, state.cursor_seq):
            if row.last_seq > loaded:
                analysis.replay(row.batch)
        analysis.begin_telling(connection)
        analysis.begin_allowing(connection)
    return analysis


def _latest_sweep(connection: Connection, number: int) -> Any:
    table = schema.sweeps
    return connection.execute(
        select(table).where(table.c.tenant_id == number).order_by(table.c.id.desc()).limit(1)
    ).first()


@dataclass
class TenantAnalyzer:
    """One tenant's resident window with the clusters it belongs to."""

    tenant: str
    number: int
    epoch: int
    policy: Policy
    state: AnalysisState
    clusters: dict[str, ClusterState]
    detector: Detector = field(init=False)
    _aiming: SharedTraits = field(init=False)
    _recording: RecordEvidence = field(init=False)
    _telling: ChangeNotifier = field(init=False)
    # the allow-list as it is applied to the clusters; None: to be looked through
    _allowed: frozenset[int] | None = None
    _found: dict[Group, AdaptedGroup] = field(default_factory=dict)  # groups as they were last reconciled
    _outcomes: dict[int, list[FeedOutcome]] = field(default_factory=dict)  # of targets that were asked for
    _items_per_second: float = 100_000.0  # of the last ticks, on this machine as it is now
    _told: Counter[str] = field(default_factory=Counter)  # what the metrics know already
    _clusters_by_target: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))

    def __post_init__(self) -> None:
        self.detector = Detector(self.policy)
        self._aiming = SharedTraits(self.number)
        self._recording = RecordEvidence(self.number, self.policy.flag_score)
        self._telling = ChangeNotifier(self.number, self.policy)
        for cluster in self.clusters.values():
            self._index(cluster)

    def crowded_with_names(self) -> bool:
        """Whether so many names have left the window that it is time to build it anew."""
        window = self.detector.window
        return len(window.reporters) > _STALE_NAMES and len(window.reporters) > 4 * window.live

    def replay(self, batch: FeedBatch) -> None:
        """Tick without writing: what was analysed before, on the way to the cursor."""
        for part in self._parts(batch):
            self.detector.tick(columns_of(part, batch.texts), ())
        if batch.removed:
            self.detector.tick(columns_of(batch.complaints[:0], {}), batch.removed)

    def begin_telling(self, connection: Connection) -> None:
        """Know what was told. After a change of thresholds the next look is at all targets."""
        self._telling.begin(
            connection,
            clusters.summaries(self.clusters.values()),
            everything=self.state.policy_version not in (None, self.policy.version),
        )

    def begin_allowing(self, connection: Connection) -> None:
        """Know the allow-list, if the clusters go by it as they are stored; otherwise the next step sees to that."""
        now = allow_list.keys_of(connection, self.number)
        if not allow_list.changed_clusters(connection, self.number, list(self.clusters.values()), now):
            self._allowed = now

    def step(self, resources: Resources, at_most: int = ITEMS_AT_ONCE) -> bool:
        """One piece of work: decisions, a changed allow-list, a sweep's result, or a tick of so many items.

        False when nothing more waits (or a sweep has to come first).
        """
        with resources.engine.connect() as connection:
            self.state = analysis_state_of(connection, self.number)
            if self.state.epoch != self.epoch:
                raise LostLease(
                    f"tenant {self.tenant}: analysis epoch {self.epoch} was replaced by {self.state.epoch}; another"
                    " worker goes on"
                )
            decided = connection.execute(
                select(schema.decisions.c.seq, schema.decisions.c.cluster_id).where(
                    schema.decisions.c.tenant_id == self.number, schema.decisions.c.seq > self.state.decision_cursor
                )
            ).all()
            newest = connection.execute(
                select(schema.sweeps.c.id, schema.sweeps.c.finished_us)
                .where(schema.sweeps.c.tenant_id == self.number)
                .order_by(schema.sweeps.c.id.desc())
                .limit(1)
            ).first()
            sweep = (
                _latest_sweep(connection, self.number)
                if newest is not None and newest.finished_us > (self.state.swept_us or 0)
                else None
            )
            at_most = min(at_most, max(LEAST_ITEMS, int(self._items_per_second * TICK_SECONDS)))
            asked = self._allowed is None or timers.planned(connection, self.number, allow_list.WORK)
            rows = (
                []
                if decided or asked or sweep is not None
                else read_feed(connection, self.number, self.state.cursor_seq, at_most)
            )
        if decided:
            self._take_decisions(resources, max(d.seq for d in decided), {d.cluster_id for d in decided})
            return True
        if asked:
            self._take_allowed(resources)
            return True
        if sweep is not None:
            self._take_sweep(resources, sweep)
            return True
        if not rows:
            return False
        if self._sweep_first():
            enqueue(resources.redis, "sweep", self.tenant)  # the clock would, at its next beat
            return False
        taken = self._one_tick(rows)
        began = time.monotonic()
        self._tick_rows(resources, taken)
        speed = sum(row.items for row in taken) / max(1e-6, time.monotonic() - began)
        self._items_per_second = (self._items_per_second + speed) / 2
        # What came in meanwhile is the next tick's; a backlog is gone through at once.
        return len(taken) < len(rows) or sum(row.items for row in rows) >= at_most // 2

    def _sweep_first(self) -> bool:
        """In a backlog ticks wait for a sweep after so much event time (the clock asks for it)."""
        state, window = self.state, self.detector.window
        if state.watermark_us is None:
            return False
        begin = state.swept_watermark_us
        if begin is None:
            if not window.live:
                return False
            begin = (int(window.time[: window.size].min()) + window.origin) * 1000
        return state.watermark_us - begin >= self.policy.sweep_backlog_seconds * SECOND_US

    def _one_tick(self, rows: Sequence[FeedRow]) -> list[FeedRow]:
        """The first rows, as many as lie within a tick's span of event time; one row at least."""
        taken: list[FeedRow] = []
        low: int | None = None
        high: int | None = None
        for row in rows:
            times = row.batch.complaints["time_us"]
            if len(times):
                low = int(times.min()) if low is None else min(low, int(times.min()))
                high = int(times.max()) if high is None else max(high, int(times.max()))
            if (
                taken
                and low is not None
                and high is not None
                and high - low > self.policy.tick_span_seconds * SECOND_US
            ):
                break
            # What is removed here may be fed again in the next row: the two are not one tick.
            if taken and (row.batch.removed or taken[-1].batch.removed):
                break
            taken.append(row)
        return taken

    def _parts(self, batch: FeedBatch) -> Iterable[Any]:
        return slices(batch, self.policy.tick_span_seconds * SECOND_US)

    # --- the three kinds of work

    def _tick_rows(self, resources: Resources, rows: Sequence[FeedRow]) -> None:
        batch = joined([row.batch for row in rows])
        changed: dict[str, ClusterState] = {}
        before = dict(self.clusters)
        # Analysed outside the writing transaction: ingest must not wait for it.
        with resources.engine.connect() as connection:
            for part in self._parts(batch):
                groups = self.detector.tick(
                    columns_of(part, {s: batch.texts[s] for s in part["seq"].tolist() if s in batch.texts})
                )
                self._reconcile(connection, groups, changed, complete=False)
            if batch.removed:
                groups = self.detector.tick(columns_of(batch.complaints[:0], {}), batch.removed)
                self._reconcile(connection, groups, changed, complete=False)
            self._learn(connection, batch, changed)
            last = rows[-1]
            totals = dict(zip(batch.totals["target"].tolist(), batch.totals["complaints"].tolist(), strict=True))
            news = self._telling.look(
                connection,
                self._change(
                    connection,
                    before,
                    changed,
                    Moment(self.state.cursor_seq, last.last_seq, resources.now_us()),
                    totals=totals,
                    judged={o.target for o in batch.outcomes},
                ),
            )
        watermark = max((r.watermark_us for r in rows if r.watermark_us is not None), default=self.state.watermark_us)
        with write(resources.engine) as connection:
            self._hold(connection)
            clusters.save(connection, self.number, before, changed, withdrawn=set(batch.removed))
            self._telling.record(connection, news, watermark_us=watermark or 0, now_us=resources.now_us())
            self._advance(
                connection,
                cursor_seq=last.last_seq,
                analysed_position=max(self.state.analysed_position, last.last_position),
                analysed=self.state.analysed + sum(r.items for r in rows),
                watermark_us=watermark,
                as_of_us=last.received_us,
                policy_version=self.policy.version,
            )
        self._publish(resources.redis, news, totals)
        self._count(resources, rows)
        logs.add(ticks=1, items=sum(row.items for row in rows), clusters_changed=len(changed))
        logs.note(position=self.state.analysed_position)

    def _take_sweep(self, resources: Resources, sweep: Any) -> None:
        self.detector.adopt(sweep_codec.unpack(sweep.payload), int(sweep.seq))
        self._found.clear()
        changed: dict[str, ClusterState] = {}
        before = dict(self.clusters)
        with resources.engine.connect() as connection:
            self._aiming.refresh(connection, self.detector.window)
            self._recording.forget()
            self._reconcile(connection, self.detector.regroup(), changed, complete=True)
            cursor, watermark_us = self.state.cursor_seq, self.state.watermark_us or 0
            news = self._telling.look(
                connection, self._change(connection, before, changed, Moment(cursor, cursor, resources.now_us()))
            )
            # Nobody waits for these, and by sweeps each outcome is looked at once.
            judged = warnings.judged_since(connection, self.number, self.state.swept_seq, int(sweep.seq))
            self._telling.look_at_reporters(connection, judged, watermark_us, news)
        with write(resources.engine) as connection:
            self._hold(connection)
            clusters.save(connection, self.number, before, changed)
            self._telling.record(connection, news, watermark_us=watermark_us, now_us=resources.now_us())
            self._advance(
                connection,
                swept_seq=int(sweep.seq),
                swept_position=max(self.state.swept_position, int(sweep.position)),
                swept_watermark_us=sweep.watermark_us,
                swept_us=sweep.finished_us,
                policy_version=self.policy.version,
            )
        self._publish(resources.redis, news, {})
        logs.add(sweeps_taken=1, clusters_changed=len(changed))

    def _take_decisions(self, resources: Resources, cursor: int, ids: set[str]) -> None:
        """Read the decided clusters again, and let the verdict speak for the complaints it was made about."""
        before = dict(self.clusters)
        with write(resources.engine) as connection:
            self._hold(connection)
            fresh = clusters.load(connection, self.number, ids, lock=True)
            for identity, cluster in fresh.items():
                if cluster.status == "decided" or cluster.verdict is None:
                    clusters.mark_judged(connection, identity, cluster.verdict)
                    fresh[identity] = replace(
                        cluster,
                        memberships={s: replace(m, verdict=cluster.verdict) for s, m in cluster.memberships.items()},
                    )
            self._keep(fresh)
            at = Moment(self.state.cursor_seq, self.state.cursor_seq, resources.now_us())
            news = self._telling.look(connection, self._change(connection, before, fresh, at, by_detector=False))
            watermark_us = self.state.watermark_us or 0
            self._telling.look_at_reporters(
                connection, {m for c in fresh.values() for m in c.members | c.excluded}, watermark_us, news
            )
            self._telling.record(connection, news, watermark_us=watermark_us, now_us=resources.now_us())
            self._advance(connection, decision_cursor=cursor)
        self._found.clear()
        self._publish(resources.redis, news, {})

    def _take_allowed(self, resources: Resources) -> None:
        """Have the allow-list speak in the clusters there are: whose complaints are exempt, and whose no longer."""
        before = dict(self.clusters)
        with write(resources.engine) as connection:
            self._hold(connection)
            # Before the list is read: what is changed from now on plans another turn.
            timers.move_to(connection, self.number, allow_list.WORK, None)
            now = allow_list.keys_of(connection, self.number)
            changed = allow_list.changed_clusters(connection, self.number, list(self.clusters.values()), now)
            self._keep(changed)
            at = Moment(self.state.cursor_seq, self.state.cursor_seq, resources.now_us())
            news = self._telling.look(connection, self._change(connection, before, changed, at, by_detector=False))
            clusters.save(connection, self.number, before, changed)
            self._telling.record(connection, news, watermark_us=self.state.watermark_us or 0, now_us=resources.now_us())
            self._advance(connection, decision_cursor=self.state.decision_cursor)
        self._allowed = now
        self._found.clear()
        self._publish(resources.redis, news, {})

    # --- parts of them

    def _reconcile(
        self, connection: Connection, groups: Sequence[Group], changed: dict[str, ClusterState], *, complete: bool
    ) -> None:
        settled = frozenset(self._found[g] for g in groups if g in self._found)
        aimed = self._aiming.aimed(connection, self.detector.window, [g for g in groups if g not in self._found])
        told = self._recording.recorded(
            connection, aimed, (self.detector.window.watermark + self.detector.window.origin) * 1000
        )
        found = {g: self._found.get(g) or found_group(told[g], self._allowed or ()) for g in groups}
        fresh = [f for f in found.values() if f not in settled]
        self._found = found
        if not fresh and not complete:
            return
        people = frozenset().union(*(f.reporters for f in fresh))
        targets = {t for f in fresh for t in f.author_by_target}
        for cluster in self.clusters.values():
            if not people.isdisjoint(cluster.members):
                targets.update(cluster.author_by_target)
        self._know_outcomes(connection, targets)
        window = self.detector.window
        since_us, now_us = (window.since + window.origin) * 1000, (window.watermark + window.origin) * 1000
        news = reconcile(
            self.clusters,
            Recomputation(list(found.values()), self._outcomes, since_us, now_us, complete, settled),
            self.policy,
            lambda: f"k{uuid4().hex[:16]}",
        )
        changed.update(news)
        self._keep(news)

    def _learn(self, connection: Connection, batch: FeedBatch, changed: dict[str, ClusterState]) -> None:
        """Outcomes and withdrawals re-score the clusters they touch, in the window or not."""
        touched: set[str] = set()
        for outcome in batch.outcomes:
            if outcome.target in self._outcomes and all(
                o.id != outcome.id or o.complaint != outcome.complaint for o in self._outcomes[outcome.target]
            ):
                self._outcomes[outcome.target] = [o for o in self._outcomes[outcome.target] if o.id != outcome.id] + [
                    outcome
                ]
            touched |= self._clusters_by_target.get(outcome.target, set())
        removed = set(batch.removed)
        if removed:
            touched |= {c.id for c in self.clusters.values() if not removed.isdisjoint(c.memberships)}
        alive = [self.clusters[i] for i in touched if self.clusters[i].disposition != "merged"]
        self._know_outcomes(connection, {t for c in alive for t in c.author_by_target})
        now_us = (self.detector.window.watermark + self.detector.window.origin) * 1000
        for cluster in sorted(alive, key=lambda c: c.id):
            after = rescore(cluster, self._outcomes, now_us, self.policy, removed)
            if after is not cluster:
                changed[cluster.id] = after
                self._keep({cluster.id: after})

    def _know_outcomes(self, connection: Connection, targets: Iterable[int]) -> None:
        unknown = [t for t in targets if t not in self._outcomes]
        if unknown:
            self._outcomes.update({t: [] for t in unknown} | outcomes_of(connection, self.number, unknown))

    def _hold(self, connection: Connection) -> None:
        """First of all: whoever rewrites what this is about to write by (retention, an erasure) is waited for, and then
        waits for us.
        """
        epoch = analysis_state_of(connection, self.number, lock=True).epoch
        if epoch != self.epoch:
            raise LostLease(
                f"tenant {self.tenant}: analysis epoch {self.epoch} was replaced by {epoch}; another worker goes on"
            )

    def _advance(self, connection: Connection, **values: Any) -> None:
        """Write the state, if the epoch is still ours: with the clusters, in one transaction."""
        table = schema.analysis_state
        done = connection.execute(
            update(table).where(table.c.tenant_id == self.number, table.c.epoch == self.epoch).values(**values)
        )
        if done.rowcount != 1:
            raise LostLease(
                f"tenant {self.tenant}: analysis epoch {self.epoch} has been replaced; another worker goes on"
            )
        self.state = replace(self.state, **values)

    def _keep(self, news: dict[str, ClusterState]) -> None:
        for identity, cluster in news.items():
            self.clusters[identity] = cluster
            self._index(cluster)

    def _index(self, cluster: ClusterState) -> None:
        for target in cluster.author_by_target:
            self._clusters_by_target[target].add(cluster.id)

    def _change(
        self,
        connection: Connection,
        before: dict[str, ClusterState],
        changed: dict[str, ClusterState],
        at: Moment,
        **more: Any,
    ) -> Change:
        def known(targets: Iterable[int]) -> dict[int, list[FeedOutcome]]:
            self._know_outcomes(connection, targets)
            return self._outcomes

        now = {i: self.clusters[i] for i in changed}
        return Change(before, now, self.clusters, self._clusters_by_target, known, at, **more)

    def _publish(self, redis: Redis, news: PendingEffects, totals: dict[int, int]) -> None:
        """Totals and memberships of what changed, then the progress that vouches for them."""
        assessments.write_totals(redis, self.tenant, totals)
        if news.summaries:
            assessments.write_memberships(redis, self.tenant, news.summaries)
        assessments.write_progress(
            redis, self.tenant, analysed=self.state.analysed_position, as_of_us=self.state.as_of_us
        )

    def publish_again(self, resources: Resources) -> None:
        """Write what a tick may not have written that ended between SQL and Redis: the totals of the last tick, all
        memberships.
        """
        redis = resources.redis
        with resources.engine.connect() as connection:
            batches = read_feed_before(connection, self.number, self.state.cursor_seq, ITEMS_AT_ONCE)
        totals = {
            target: count
            for batch in batches
            for target, count in zip(batch.totals["target"].tolist(), batch.totals["complaints"].tolist(), strict=True)
        }
        assessments.write_totals(redis, self.tenant, totals)
        told = self._telling.summaries
        written = assessments.targets_with_memberships(redis, self.tenant)
        assessments.write_memberships(redis, self.tenant, {**dict.fromkeys(written), **told})
        assessments.write_progress(
            redis, self.tenant, analysed=self.state.analysed_position, as_of_us=self.state.as_of_us
        )

    def _count(self, resources: Resources, rows: Sequence[FeedRow]) -> None:
        """Tell the metrics what the ticks measured since the last time, and how long these items waited for their
        answer.
        """
        now, window = Counter(self.detector.counters), self.detector.window
        counters, self._told = now - self._told, now
        with worker_metrics.WorkerMetrics(resources.redis, self.tenant) as tally:
            for family, name in (
                (worker_metrics.CUT_PAIRS, "cut"),
                (worker_metrics.JOINED_PAIRS, "joined"),
                (worker_metrics.GROWN_GROUPS, "grown"),
            ):
                tally.count(family, by=counters[name])
            tally.put(worker_metrics.WINDOW_COMPLAINTS, window.live)
            tally.put(worker_metrics.VALIDATED_PAIRS, self.detector.graph.number_of_edges())
            tally.put(worker_metrics.KEPT_PAIRS, len(self.detector.edges.p))
            inferred = self.detector.inferred
            if inferred is not None:
                tally.put(worker_metrics.INFERRED_COVERAGE, inferred.coverage)
                tally.put(worker_metrics.INFERRED_LARGEST, inferred.largest)
            now_us = resources.now_us()
            for row in rows:
                tally.observe(
                    worker_metrics.ANALYSIS_LAG,
                    max(0.0, (now_us - row.oldest_received_us) / SECOND_US),
                    times=row.items,
                )


def write_all_memberships(connection: Connection, redis: Redis, tenant: str) -> None:
    """What clusters say about every target, from SQL: for a Redis that lost its data."""
    number = connection.scalar(select(schema.tenants.c.id).where(schema.tenants.c.name == tenant))
    told = clusters.summaries(clusters.load(connection, int(number or 0)).values())
    stored = connection.scalar(
        select(func.count()).select_from(schema.cluster_targets).where(schema.cluster_targets.c.tenant_id == number)
    )
    log.info("tenant %s: memberships of %d targets written (%d in clusters)", tenant, len(told), stored)
    for start in range(0, len(told), 1000):
        part = dict(list(told.items())[start : start + 1000])
        assessments.write_memberships(redis, tenant, dict(part))
