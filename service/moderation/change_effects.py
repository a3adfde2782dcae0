"""The effects of changed clusters on their targets: holds, restorations, and the events that report both. PURE.

The caller gathers the facts first, and afterwards reads the ids of the few targets that the result mentions, stores it
and publishes it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from service.moderation.assessment import TargetSummary
from service.moderation.case_events import hold_event, hold_key, is_held, restore_event
from service.moderation.cluster_state import ClusterState
from service.moderation.events import Event
from service.moderation.restorations import Moment, Received, Restoration, inflations, latest_removal, review
from service.policy import Policy


@dataclass(frozen=True, slots=True)
class TargetFacts:
    """Facts about the targets under review, by target key; further targets do no harm."""

    summaries: Mapping[int, TargetSummary]  # the clusters' discounts now
    totals: Mapping[int, int]  # standing complaints
    outcomes: Mapping[int, Sequence[Received]]
    complaints_at_removal: Mapping[int, int]  # standing ones that were filed up to the latest removal
    restorations: Mapping[int, Restoration]  # before the change


@dataclass(frozen=True, slots=True)
class ClustersOfTargets:
    """The clusters of the targets before the change, and now."""

    before: Mapping[str, ClusterState]
    now: Mapping[str, ClusterState]
    by_target: Mapping[int, Collection[str]]

    def on(self, targets: Iterable[int]) -> list[ClusterState]:
        """Clusters on any of the targets, as they are now, by id."""
        return [self.now[i] for i in sorted({i for t in targets for i in self.by_target.get(t, ())})]

    def discounting_before(self, target: int) -> set[str]:
        """Clusters that discounted complaints about the target before the change."""
        earlier = (self.before.get(i) for i in self.by_target.get(target, ()))
        return {
            s.id
            for s in earlier
            if s is not None and s.disposition in ("flagged", "held_back") and s.discounts_on(target)
        }


@dataclass(frozen=True, slots=True)
class TargetEffects:
    """Changes of targets to store and report, by target key."""

    holds: Mapping[int, str]  # keys of the new holds
    restorations: Mapping[int, Restoration | None]  # those that changed; None: withdrawn
    opened: Mapping[int, Restoration]  # those that opened

    @property
    def mentioned(self) -> set[int]:
        """Targets whose ids are stored and reported with the effects."""
        return self.holds.keys() | {t for t, r in self.restorations.items() if r is not None}


def effects_on_targets(
    held: Collection[int],
    reviewed: Collection[int],
    facts: TargetFacts,
    clusters: ClustersOfTargets,
    reported_holds: Collection[str],
    policy: Policy,
    at: Moment,
) -> TargetEffects:
    """Find unreported holds among the targets `held`, and changed restorations among the targets `reviewed`."""
    restorations = reviewed_restorations(reviewed, facts, clusters, policy.default_threshold, at)
    return TargetEffects(
        _new_holds(held, facts, reported_holds, policy.default_threshold),
        restorations,
        {t: r for t, r in restorations.items() if r is not None and _opens(facts.restorations.get(t), r)},
    )


def events_of(effects: TargetEffects, facts: TargetFacts, names: Mapping[int, str], policy: Policy) -> list[Event]:
    """The events that report the effects. A target without a name has none: its complaints have been deleted."""
    threshold, version = policy.default_threshold, policy.version
    holds = [
        hold_event(names[t], facts.totals[t], facts.summaries[t], threshold, version)
        for t in effects.holds
        if t in names
    ]
    return holds + [restore_event(names[t], opened, version) for t, opened in effects.opened.items() if t in names]


def _new_holds(
    targets: Collection[int], facts: TargetFacts, reported: Collection[str], threshold: int
) -> dict[int, str]:
    holds: dict[int, str] = {}
    for target in targets:
        summary = facts.summaries.get(target)
        if summary is None or summary.discount <= 0 or not is_held(facts.totals[target], summary, threshold):
            continue
        key = hold_key(target, summary, threshold)
        if key not in reported:
            holds[target] = key
    return holds


def reviewed_restorations(
    targets: Collection[int], facts: TargetFacts, clusters: ClustersOfTargets, threshold: int, at: Moment
) -> dict[int, Restoration | None]:
    """The restorations of the targets that open, close or change; None: withdrawn."""
    removals = {t: r for t in targets if (r := latest_removal(facts.outcomes.get(t, ()))) is not None}
    inflated = inflations(
        clusters.on(removals),
        {t: removal.decided_us for t, removal in removals.items()},
        {t: facts.complaints_at_removal[t] for t in removals},
    )
    changed: dict[int, Restoration | None] = {}
    for target in sorted(removals.keys() | (set(targets) & facts.restorations.keys())):
        before = facts.restorations.get(target)
        after = review(
            target,
            before,
            facts.outcomes.get(target, ()),
            inflated.get(target),
            clusters.discounting_before(target),
            threshold=threshold,
            at=at,
        )
        if after is not before:
            changed[target] = after
    return changed


def _opens(before: Restoration | None, after: Restoration) -> bool:
    return after.state == "open" and (before is None or (before.state, before.removal) != ("open", after.removal))
