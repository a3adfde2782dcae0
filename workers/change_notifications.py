"""What a tick, a sweep or a taken decision tells beyond the clusters themselves: events, restorations, suggested
warnings.

Looked up before the writing transaction and recorded inside it, so that what is told is what was committed, once. A
window that is built anew tells nothing: only changes are looked at, and what they are compared with is what SQL holds.
What is kept resident here (what clusters say about each target, totals of those targets, restorations) is what SQL and
Redis hold, so that a tick that changes nothing costs a look into a dictionary.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from service.moderation.assessment import TargetSummary
from service.moderation.case_events import cluster_events, hold_event, hold_key, is_held, restore_event, warn_event
from service.moderation.cluster_state import ClusterState
from service.moderation.events import Event
from service.moderation.restorations import Moment, Restoration, inflations, latest_removal, review
from service.policy import Policy
from service.storage.cases import clusters, restorations, warnings
from service.storage.cases.warnings import Warned
from service.storage.complaints.archive_reader import names_of, totals_of
from service.storage.complaints.feed import FeedOutcome
from service.storage.webhooks import outbox

OutcomesOf = Callable[[Collection[int]], Mapping[int, Sequence[FeedOutcome]]]


@dataclass(frozen=True, slots=True)
class Change:
    """What changed, as far as it may have to be told."""

    before: Mapping[str, ClusterState]
    changed: Mapping[str, ClusterState]  # as they are now
    clusters: Mapping[str, ClusterState]  # all, as they are now
    clusters_by_target: Mapping[int, Collection[str]]
    outcomes_of: OutcomesOf
    at: Moment
    totals: Mapping[int, int] = field(default_factory=dict)  # standing complaints of the targets that the feed touched
    judged: Collection[int] = ()  # targets with new outcomes
    by_detector: bool = True  # False: a person's decision, whose events its own transaction has recorded


@dataclass(slots=True)
class PendingEffects:
    """What is to be recorded with the change, and what Redis has to be told after it."""

    summaries: dict[int, TargetSummary | None] = field(default_factory=dict)  # of the targets whose clusters changed
    events: list[Event] = field(default_factory=list)
    restorations: dict[int, Restoration | None] = field(default_factory=dict)
    opened: set[int] = field(default_factory=set)  # of these, the targets whose restoration opened
    names: dict[int, str] = field(default_factory=dict)  # of the targets that events and restorations speak of
    warned: list[Warned] = field(default_factory=list)
    unwarned: list[int] = field(default_factory=list)


class ChangeNotifier:
    """One tenant's memory of what was told about its targets; it lives and dies with the resident window."""

    def __init__(self, tenant_id: int, policy: Policy) -> None:
        self._tenant_id = tenant_id
        self._policy = policy
        self.summaries: dict[int, TargetSummary] = {}  # by target, what its clusters say
        self._totals: dict[int, int] = {}  # of targets with clusters, as far as they were asked for
        self._restorations: dict[int, Restoration] = {}
        self._counted: dict[int, tuple[str, int]] = {}  # by target: a removal, and the complaints that stood then
        self._held: set[str] = set()  # keys of holds that this window told
        self._everything = False
        self._again: set[int] = set()  # restorations to be looked at once more: complaints may have been deleted since

    def begin(self, connection: Connection, summaries: Mapping[int, TargetSummary], *, everything: bool) -> None:
        """Take over what is stored.

        `everything`: thresholds have changed, so the next look is at all targets with clusters.
        """
        self.summaries = dict(summaries)
        self._restorations = restorations.read_all(connection, self._tenant_id)
        self._everything, self._again = everything, set(self._restorations)

    def look(self, connection: Connection, change: Change) -> PendingEffects:
        """What the change tells. Reads only."""
        news = PendingEffects(events=cluster_events(change.before, change.changed) if change.by_detector else [])
        moved = self._take_summaries(change, news)
        for target in change.totals.keys() & self.summaries.keys():
            self._totals[target] = change.totals[target]
            self._counted.pop(target, None)
            moved.add(target)
        if self._everything:
            moved.update(self.summaries, self._restorations)
        held = self._holds(connection, moved)
        self._review(
            connection,
            change,
            moved | self._again | {t for t in change.judged if t in self.summaries or t in self._restorations},
            news,
        )
        self._name(connection, held, news)
        self._everything, self._again = False, set()
        return news

    def look_at_reporters(
        self, connection: Connection, reporters: Collection[int], now_us: int, news: PendingEffects
    ) -> None:
        """Whether a warning of any of them should be considered; `now_us` is the watermark."""
        news.warned, news.unwarned = warnings.suggestions(
            connection, self._tenant_id, reporters, self._policy, now_us=now_us
        )
        news.events += [warn_event(w.reporter_id, w.suggestion, now_us) for w in news.warned]

    def record(self, connection: Connection, news: PendingEffects, *, watermark_us: int, now_us: int) -> None:
        """Write it, in the transaction that makes the change."""
        if news.events:
            outbox.record(connection, self._tenant_id, news.events, now_us)
        restorations.save(connection, self._tenant_id, news.restorations, news.names)
        if news.warned or news.unwarned:
            warnings.save(
                connection, self._tenant_id, news.warned, news.unwarned, watermark_us=watermark_us, now_us=now_us
            )

    def _take_summaries(self, change: Change, news: PendingEffects) -> set[int]:
        """Bring what clusters say about their targets up to date; the targets about which they say something
        else now.
        """
        targets = {
            t
            for i, state in change.changed.items()
            for s in (change.before.get(i), state)
            if s is not None
            for t in s.author_by_target
        }
        if not targets:
            return set()
        involved = {i for t in targets for i in change.clusters_by_target.get(t, ())}
        told = clusters.summaries((change.clusters[i] for i in involved), targets)
        news.summaries = {t: told.get(t) for t in targets}
        moved = {t for t in targets if told.get(t) != self.summaries.get(t)}
        for target in moved:
            summary = told.get(target)
            if summary is None:
                self.summaries.pop(target, None)
                self._totals.pop(target, None)
            else:
                self.summaries[target] = summary
        return moved

    def _holds(self, connection: Connection, targets: Collection[int]) -> dict[int, str]:
        """Which of the targets are held, and were not told so by this window; with their keys."""
        threshold = self._policy.default_threshold
        carried = [t for t in targets if t in self.summaries and self.summaries[t].discount > 0]
        unknown = [t for t in carried if t not in self._totals]
        if unknown:
            self._totals.update(dict.fromkeys(unknown, 0) | totals_of(connection, self._tenant_id, unknown))
        held: dict[int, str] = {}
        for target in carried:
            summary = self.summaries[target]
            if is_held(self._totals[target], summary, threshold):
                key = hold_key(target, summary, threshold)
                if key not in self._held:
                    held[target] = key
        return held

    def _review(self, connection: Connection, change: Change, targets: set[int], news: PendingEffects) -> None:
        """Which restorations open, close or change among the targets."""
        if not targets:
            return
        outcomes = change.outcomes_of(targets)
        removals = {t: removal for t in targets if (removal := latest_removal(outcomes.get(t, ()))) is not None}
        due = removals.keys() | (targets & self._restorations.keys())
        if not due:
            return
        stale = {t: r.decided_us for t, r in removals.items() if self._counted.get(t, ("", 0))[0] != r.id}
        for target, count in restorations.complaints_until(connection, self._tenant_id, stale).items():
            self._counted[target] = removals[target].id, count
        removed_us = {t: r.decided_us for t, r in removals.items()}
        involved = {i for t in removals for i in change.clusters_by_target.get(t, ())}
        found = inflations(
            (change.clusters[i] for i in sorted(involved)), removed_us, {t: self._counted[t][1] for t in removals}
        )
        for target in sorted(due):
            before = self._restorations.get(target)
            after = review(
                target,
                before,
                outcomes.get(target, ()),
                found.get(target),
                self._known(change, target),
                threshold=self._policy.default_threshold,
                at=change.at,
            )
            if after is before:
                continue
            news.restorations[target] = after
            if (
                after is not None
                and after.state == "open"
                and (before is None or (before.state, before.removal) != ("open", after.removal))
            ):
                news.opened.add(target)
            if after is None:
                del self._restorations[target]
            else:
                self._restorations[target] = after

    def _known(self, change: Change, target: int) -> set[str]:
        """Clusters that were on the target, and discounting, before this change."""
        earlier = (change.before.get(i) for i in change.clusters_by_target.get(target, ()))
        return {
            s.id
            for s in earlier
            if s is not None and s.disposition in ("flagged", "held_back") and target in s.author_by_target
        }

    def _name(self, connection: Connection, held: Mapping[int, str], news: PendingEffects) -> None:
        """Turn keys into ids, and what was found into events."""
        spoken_of = held.keys() | {t for t, r in news.restorations.items() if r is not None}
        if not spoken_of:
            return
        _, news.names = names_of(connection, self._tenant_id, reporters=(), targets=spoken_of)
        for target, key in held.items():
            self._held.add(key)
            if target not in news.names:
                continue  # its complaints were deleted meanwhile
            news.events.append(
                hold_event(
                    news.names[target],
                    self._totals[target],
                    self.summaries[target],
                    self._policy.default_threshold,
                    self._policy.version,
                )
            )
        for target, restoration in list(news.restorations.items()):
            if restoration is not None and target not in news.names:
                del news.restorations[target]
                self._restorations.pop(target, None)
            elif restoration is not None and target in news.opened:
                news.events.append(restore_event(news.names[target], restoration, self._policy.version))
