"""What other thresholds would do to the stored clusters and to the targets on hold: what a dry run shows.

It is found the way it will happen. The window is swept by the proposed thresholds, and an analyzer that nobody else
sees takes the sweep over by the function by which the detect worker does (`TenantAnalyzer.take_sweep`). Nothing is
written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

from sqlalchemy import Connection, Engine

from service.errors import Refused
from service.moderation.cluster_discounts import summaries
from service.moderation.cluster_state import ClusterState, is_judged
from service.moderation.restorations import Moment, Restoration
from service.moderation.what_if import held_targets
from service.policy import Policy
from service.storage.accounts.policy_overrides import policy_of
from service.storage.cases import clusters, restorations
from service.storage.complaints.archive_reader import AnalysisState, analysis_state_of, totals_of
from service.storage.detection import dry_runs
from service.storage.detection.analysis_state import decided_since
from service.storage.detection.exemptions import changed_clusters, exemptions_of
from workers.detection.detector import Detector
from workers.detection.swept_pairs import PairSweep, in_numpy
from workers.machine import cores
from workers.sweep import read_window
from workers.tenant_analyzer import TenantAnalyzer
from workers.window_build import load_window

MOST_COMPLAINTS = 3_000_000  # read at once: about four gigabytes
SECOND_US = 1_000_000
# What detection does not ask for in a sweep: two policies that differ in these alone find the same groups.
JUDGING = frozenset(
    {
        "flag_score",
        "prior_unfounded",
        "flags_per_day",
        "reopen_new_targets",
        "reopen_growth",
        "default_threshold",
        "warn_unfounded",
        "warn_share",
        "warn_period_seconds",
    }
)


@dataclass(frozen=True, slots=True)
class ThresholdEffect:
    """The stored clusters, the targets on hold and the restorations, before and after a change of thresholds."""

    now: Policy
    then: Policy
    watermark_us: int
    complaints: int  # in the window
    before: Mapping[str, ClusterState]
    after: Mapping[str, ClusterState]
    totals: Mapping[int, int]  # of the targets of all clusters
    restorations_before: Mapping[int, Restoration]
    restorations_after: Mapping[int, Restoration]

    @property
    def window_us(self) -> int:
        """The start of the window by the proposed thresholds."""
        return self.watermark_us - self.then.window_seconds * SECOND_US

    @property
    def finds_alike(self) -> bool:
        """Whether the proposed thresholds find the same groups, and only judge them in another way."""
        return all(
            getattr(self.now, f.name) == getattr(self.then, f.name) for f in fields(Policy) if f.name not in JUDGING
        )

    @property
    def held_before(self) -> set[int]:
        """Targets (keys) on hold now, at the tenant's removal threshold."""
        return held_targets(self.before, self.totals, self.now.default_threshold)

    @property
    def held_after(self) -> set[int]:
        """Targets (keys) on hold with the proposed thresholds."""
        return held_targets(self.after, self.totals, self.then.default_threshold)


def effect_of(
    engine: Engine,
    tenant: str,
    number: int,
    then: Policy,
    *,
    now_us: int,
    progress: Callable[[float], bool],
    pair_sweep: PairSweep = in_numpy,
) -> ThresholdEffect | None:
    """The effect of putting `then` in force now; None once `progress` says that nobody wants it any more.

    Raises Refused where the window holds more than one process can.
    """
    with engine.connect() as connection:
        # Before the state: the window then has every complaint that the clusters have.
        before, now = clusters.load(connection, number), policy_of(connection, number)
        state = analysis_state_of(connection, number)
        _check_size(connection, number, then, state)
        columns = [read_window(connection, number, then, state)]
    if not progress(0.1):
        return None
    # Nothing of the sweep is kept, so that its memory is free before the window is loaded.
    fitted = Detector.sweep(then, columns.pop(), pair_sweep, cores())[0].fitted()
    if not progress(0.6):
        return None
    analyzer = TenantAnalyzer(tenant, number, state.epoch, then, state, before, None)
    with engine.connect() as connection:
        load_window(analyzer, connection)
        _take_in_what_people_did(analyzer, connection)
        if not progress(0.9):
            return None
        analyzer.notifier.begin(connection, summaries(before.values()), everything=True)
        known = dict(analyzer.clusters.by_id)
        changed = analyzer.take_sweep(connection, fitted, state.cursor_seq)
        moment = Moment(state.cursor_seq, state.cursor_seq, now_us)
        found = analyzer.notifier.look(connection, analyzer.change(known, changed, moment)).restorations
        after = dict(analyzer.clusters.by_id)
        targets = {t for side in (before, after) for s in side.values() for t in s.discounted_targets}
        open_now = restorations.read_all(connection, number)
        return ThresholdEffect(
            now,
            then,
            state.watermark_us or 0,
            analyzer.detector.window.live,
            before,
            after,
            totals_of(connection, number, targets),
            open_now,
            {t: r for t, r in {**open_now, **found}.items() if r is not None},
        )


def _check_size(connection: Connection, number: int, policy: Policy, state: AnalysisState) -> None:
    since_us = (state.watermark_us or 0) - policy.window_seconds * SECOND_US
    count = dry_runs.complaints_since(connection, number, since_us, state.cursor_seq)
    if count > MOST_COMPLAINTS:
        raise Refused(
            f"this window would hold {count:,} complaints, more than the {MOST_COMPLAINTS:,} that a dry run can read:"
            " try a shorter one"
        )


def _take_in_what_people_did(analyzer: TenantAnalyzer, connection: Connection) -> None:
    """Decisions and changed exemptions that wait for the detect worker: it takes them in before a sweep."""
    held, number = analyzer.clusters, analyzer.number
    decided = set(decided_since(connection, number, analyzer.state.decision_cursor).values())
    judged = [held.by_id[i] for i in decided & held.by_id.keys() if is_judged(held.by_id[i])]
    held.keep({state.id: state.with_verdict(state.verdict) for state in judged})
    exemptions = exemptions_of(connection, number)
    held.keep(changed_clusters(connection, number, list(held.by_id.values()), exemptions))
    held.exemptions = exemptions
    held.forget_groups()
