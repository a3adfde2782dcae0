"""What a step of analysis has to report beyond the clusters themselves: events, restorations, suggested warnings.

Effects are gathered before the writing transaction and recorded inside it, so that exactly what was committed is
reported, once. Building a window from SQL reports nothing, since only changes are reported. The state kept here
(cluster summaries and totals of targets, restorations) mirrors SQL and Redis, so that a tick without changes only costs
a dictionary look-up.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection

from service.moderation.assessment import TargetSummary
from service.moderation.case_events import cluster_events, warn_event
from service.moderation.change_effects import (
    ClustersOfTargets,
    TargetEffects,
    TargetFacts,
    effects_on_targets,
    events_of,
)
from service.moderation.cluster_discounts import summaries
from service.moderation.cluster_state import ClusterState
from service.moderation.events import Event
from service.moderation.restorations import Moment, Restoration, latest_removal
from service.policy import Policy
from service.storage.cases import restorations, warnings
from service.storage.cases.warnings import Warned
from service.storage.complaints.archive_reader import ids_by_key, totals_of
from service.storage.webhooks import outbox
from workers.cluster_updates import ClusterUpdates


@dataclass(frozen=True, slots=True)
class Change:
    """Changes that may have to be reported."""

    before: Mapping[str, ClusterState]  # all clusters
    changed: Mapping[str, ClusterState]  # as they are now
    clusters: ClusterUpdates  # all, as they are now
    at: Moment
    totals: Mapping[int, int] = field(default_factory=dict)  # standing complaints of the targets that the feed touched
    judged: Collection[int] = ()  # targets with new outcomes
    by_detector: bool = True  # False: a person's decision, whose events its own transaction has recorded


@dataclass(slots=True)
class PendingEffects:
    """What to record with the change, and what to write to Redis after it."""

    summaries: dict[int, TargetSummary | None] = field(default_factory=dict)  # of the targets whose clusters changed
    events: list[Event] = field(default_factory=list)
    restorations: dict[int, Restoration | None] = field(default_factory=dict)
    names: Mapping[int, str] = field(default_factory=dict)  # ids of the targets that restorations and holds are about
    warned: list[Warned] = field(default_factory=list)
    unwarned: list[int] = field(default_factory=list)


class ChangeNotifier:
    """What was reported about one tenant's targets; kept as long as the resident window."""

    def __init__(self, tenant_id: int, policy: Policy) -> None:
        self._tenant_id = tenant_id
        self._policy = policy
        self.summaries: dict[int, TargetSummary] = {}  # cluster summary by target
        self._totals: dict[int, int] = {}  # of targets with clusters, as far as they were read
        self._restorations: dict[int, Restoration] = {}
        self._counted: dict[int, tuple[str, int]] = {}  # by target: a removal, and the complaints that stood then
        self._reported_holds: set[str] = set()  # keys, by this window
        self._everything = False
        self._again: set[int] = set()  # restorations to review once more: complaints may have been deleted since

    def begin(self, connection: Connection, stored_summaries: Mapping[int, TargetSummary], *, everything: bool) -> None:
        """Load the stored state.

        `everything`: thresholds have changed, so the next look is at all targets with clusters.
        """
        self.summaries = dict(stored_summaries)
        self._restorations = restorations.read_all(connection, self._tenant_id)
        self._everything, self._again = everything, set(self._restorations)

    def look(self, connection: Connection, change: Change) -> PendingEffects:
        """The effects of a change. Reads only."""
        effects = PendingEffects(events=cluster_events(change.before, change.changed) if change.by_detector else [])
        moved = self._take_summaries(change, effects) | self._take_totals(change)
        if self._everything:
            moved.update(self.summaries, self._restorations)
        judged = {t for t in change.judged if t in self.summaries or t in self._restorations}
        reviewed = moved | self._again | judged
        self._everything, self._again = False, set()
        if reviewed:
            facts = self._gather(connection, change, moved, reviewed)
            clusters = ClustersOfTargets(change.before, change.clusters.by_id, change.clusters.by_target)
            found = effects_on_targets(moved, reviewed, facts, clusters, self._reported_holds, self._policy, change.at)
            self._name(connection, found, facts, effects)
            self._keep(found, effects)
        return effects

    def look_at_reporters(
        self, connection: Connection, reporters: Collection[int], now_us: int, effects: PendingEffects
    ) -> None:
        """Add to the effects whether a warning of any of them should be considered; `now_us` is the watermark."""
        effects.warned, effects.unwarned = warnings.suggestions(
            connection, self._tenant_id, reporters, self._policy, now_us=now_us
        )
        effects.events += [warn_event(w.reporter_id, w.suggestion, now_us) for w in effects.warned]

    def record(self, connection: Connection, effects: PendingEffects, *, watermark_us: int, now_us: int) -> None:
        """Record the effects, in the transaction that makes the change."""
        if effects.events:
            outbox.record(connection, self._tenant_id, effects.events, now_us)
        restorations.save(connection, self._tenant_id, effects.restorations, effects.names)
        if effects.warned or effects.unwarned:
            warnings.save(
                connection, self._tenant_id, effects.warned, effects.unwarned, watermark_us=watermark_us, now_us=now_us
            )

    def _take_summaries(self, change: Change, effects: PendingEffects) -> set[int]:
        """Update the cluster summaries of targets; returns the targets whose summary changed."""
        targets = {
            t
            for i, state in change.changed.items()
            for s in (change.before.get(i), state)
            if s is not None
            for t in s.discounted_targets
        }
        if not targets:
            return set()
        involved = {i for t in targets for i in change.clusters.by_target.get(t, ())}
        now = summaries((change.clusters.by_id[i] for i in involved), targets)
        effects.summaries = {t: now.get(t) for t in targets}
        moved = {t for t in targets if now.get(t) != self.summaries.get(t)}
        for target in moved:
            summary = now.get(target)
            if summary is None:
                self.summaries.pop(target, None)
                self._totals.pop(target, None)
            else:
                self.summaries[target] = summary
        return moved

    def _take_totals(self, change: Change) -> set[int]:
        touched = change.totals.keys() & self.summaries.keys()
        for target in touched:
            self._totals[target] = change.totals[target]
            self._counted.pop(target, None)
        return touched

    def _gather(self, connection: Connection, change: Change, moved: set[int], reviewed: set[int]) -> TargetFacts:
        """The stored data about the targets, read once."""
        outcomes = change.clusters.outcomes_of(connection, reviewed)
        removals = {t: r for t in reviewed if (r := latest_removal(outcomes.get(t, ()))) is not None}
        discounted = {t for t in moved if t in self.summaries and self.summaries[t].discount > 0}
        unknown = discounted - self._totals.keys()
        self._totals.update(dict.fromkeys(unknown, 0) | totals_of(connection, self._tenant_id, unknown))
        until_us = {t: r.decided_us for t, r in removals.items() if self._counted.get(t, ("", 0))[0] != r.id}
        counts = restorations.complaints_until(connection, self._tenant_id, until_us)
        self._counted.update({t: (removals[t].id, count) for t, count in counts.items()})
        return TargetFacts(
            self.summaries,
            self._totals,
            outcomes,
            {t: self._counted[t][1] for t in removals},
            self._restorations,
        )

    def _name(self, connection: Connection, found: TargetEffects, facts: TargetFacts, effects: PendingEffects) -> None:
        """Add what was found to the effects, with the ids of the few targets that it mentions."""
        _, names = ids_by_key(connection, self._tenant_id, reporters=(), targets=found.mentioned)
        effects.events += events_of(found, facts, names, self._policy)
        # A restoration whose complaints have been deleted has no name, and is forgotten.
        effects.restorations = {t: r for t, r in found.restorations.items() if r is None or t in names}
        effects.names = names

    def _keep(self, found: TargetEffects, effects: PendingEffects) -> None:
        self._reported_holds.update(found.holds.values())
        for target in found.restorations:
            after = effects.restorations.get(target)
            if after is None:
                self._restorations.pop(target, None)
            else:
                self._restorations[target] = after
