"""The live worker's own steps on a world, without stores: tick, sweep, adopt, reconcile, outcomes when decided.

Beside detection.py and standing.py the only module of this package that knows the service.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count

import numpy as np

from bench.worlds.detection import read
from bench.worlds.world import START, World
from service.moderation.assessment import ClusterPart, independent_count, summarise
from service.moderation.cluster_discounts import discounts_members, parts_by_target
from service.moderation.cluster_scoring import rescore, rescore_all
from service.moderation.cluster_state import ClusterState
from service.moderation.outcomes import JudgedComplaint
from service.moderation.reconciliation import Recomputation, reconcile
from service.moderation.score import coordination
from service.moderation.signals.record import record_evidence
from service.moderation.usual import Usual, Verdicts, usual_of
from service.policy import DEFAULT_POLICY
from service.storage.complaints.feed import FeedOutcome
from workers.detection.detector import Detector
from workers.detection.groups import Group
from workers.detection.known_clusters import KnownCluster, KnownClusters
from workers.group_adapter import AdaptedGroup, found_group

POLICY = replace(DEFAULT_POLICY, flags_per_day=100_000)  # the quota is about moderators' work, not about protection
START_MS = int(START.timestamp() * 1000)


class LiveWorker:
    """A detector with its clusters, fed with a world's complaints in order. Times are seconds since START."""

    def __init__(self, world: World, seconds_per_sweep: float) -> None:
        """Raises ValueError when the service refuses a document of the world."""
        self._history, outcomes = read(world)
        self._sweep_ms = int(seconds_per_sweep * 1000)
        self._pending = sorted(
            (o for several in outcomes.values() for o in several), key=lambda o: (o.decided_us, o.id)
        )
        self._arrived = 0  # of _pending
        self._known: dict[int, list[FeedOutcome]] = {}
        self._filed: dict[int, list[JudgedComplaint]] = defaultdict(list)  # so far, by reporter
        self._crowds: Counter[int] = Counter()  # complaints so far, by target
        self._leads = KnownClusters()
        self._detector = Detector(POLICY, self._leads)
        self._states: dict[str, ClusterState] = {}
        self._clusters_of: dict[int, set[str]] = defaultdict(set)  # by target; a cluster may have left it since
        self._adapted: dict[Group, AdaptedGroup] = {}
        self._swept_ms: int | None = None
        self._usual: Usual | None = None  # measured at each sweep
        self._verdicts = Verdicts()
        self._numbers = count(1)
        self._key_by_target = {name: key for key, name in self._history.target_ids.items()}
        self.sweeps = 0

    def __len__(self) -> int:
        """Complaints in all, repeats left out."""
        return len(self._history.complaints)

    def complaints(self) -> Iterator[tuple[float, str, str]]:
        """(time, account, target) of each complaint, in the order in which they are fed."""
        c, names = self._history.complaints, self._history
        for time_ms, reporter, target in zip(c.time_ms.tolist(), c.reporter.tolist(), c.target.tolist(), strict=True):
            yield (time_ms - START_MS) / 1000, names.reporter_ids[reporter], names.target_ids[target]

    def tick(self, first: int, last: int) -> None:
        """Take in complaints first..last (half-open), the outcomes decided until then, and sweep when one is due."""
        batch = self._history.between(first, last)
        now_ms = int(batch.time_ms[-1])
        columns = (batch.reporter, batch.seq, batch.target, batch.time_ms)
        for reporter, seq, target, time_ms in zip(*(column.tolist() for column in columns), strict=True):
            self._filed[reporter].append(JudgedComplaint(seq, target, time_ms * 1000))
            self._crowds[target] += 1
        self.decide((now_ms - START_MS) / 1000)
        groups, complete = self._detector.tick(batch), False
        if self._swept_ms is None or now_ms - self._swept_ms >= self._sweep_ms:
            low = int(np.searchsorted(self._history.complaints.time_ms, now_ms - POLICY.window_seconds * 1000))
            swept, _ = Detector.sweep(POLICY, self._history.between(low, last))
            self._detector.adopt(swept.fitted(), int(batch.seq[-1]))
            groups, complete, self._swept_ms = self._detector.regroup(), True, now_ms
            self._adapted.clear()  # members' records are read again, and what is usual
            self._usual = None
            self.sweeps += 1
        self._reconcile(groups, now_ms, complete)

    def decide(self, now: float) -> None:
        """Take in the outcomes that are decided until `now`; the clusters they are about are judged again."""
        now_us = round(now * 1e6) + START_MS * 1000
        touched: set[str] = set()
        while self._arrived < len(self._pending) and self._pending[self._arrived].decided_us <= now_us:
            outcome = self._pending[self._arrived]
            self._known.setdefault(outcome.target, []).append(outcome)
            self._verdicts.add(outcome)
            touched |= self._clusters_of.get(outcome.target, set())
            self._arrived += 1
        for identity in sorted(touched):
            state = self._states[identity]
            if state.disposition != "merged":
                self._keep({identity: rescore(state, self._known, now_us, POLICY, self._usual_now())})

    def independent(self, target: str, complaints: int) -> float:
        """The target's independent count by now; `complaints` is its raw one."""
        key = self._key_by_target[target]
        parts: list[ClusterPart] = []
        for identity in sorted(self._clusters_of.get(key, ())):
            state = self._states[identity]
            if state.disposition != "merged" and (part := parts_by_target(state).get(key)) is not None:
                parts.append(part)
        return independent_count(complaints, summarise(parts).discount)

    def _reconcile(self, groups: Sequence[Group], now_ms: int, complete: bool) -> None:
        usual = self._usual_now()
        settled = frozenset(self._adapted[g] for g in groups if g in self._adapted)
        self._adapted = {
            g: self._adapted.get(g) or found_group(self._recorded(g, now_ms * 1000, usual)) for g in groups
        }
        window = self._detector.window
        since_us = (window.since + window.origin) * 1000
        found = Recomputation(
            list(self._adapted.values()), self._known, since_us, now_ms * 1000, complete, usual, settled
        )
        changed = reconcile(self._states, found, POLICY, lambda: f"k{next(self._numbers)}")
        for identity, state in changed.items():
            for target in state.author_by_target:
                self._clusters_of[target].add(identity)
        self._keep(changed)
        if complete:
            self._usual = None
            self._keep(rescore_all(self._states.values(), self._known, now_ms * 1000, POLICY, self._usual_now()))

    def _keep(self, changed: Mapping[str, ClusterState]) -> None:
        """Take over clusters as they are now, also as leads of the detector."""
        self._states.update(changed)
        for identity, state in changed.items():
            if discounts_members(state):
                self._leads.keep(identity, KnownCluster(state.members, state.first_us // 1000))
            else:
                self._leads.drop(identity)

    def _recorded(self, group: Group, now_us: int, usual: Usual) -> Group:
        """The group with its members' records so far, as workers.record_evidence reads them from the archive."""
        if coordination(group.evidence) <= POLICY.flag_score:
            return group
        judged = {r: [c for c in self._filed[r] if c.target in self._known] for r in group.reporters}
        evidence = record_evidence(judged, group.targets, self._known, self._crowds, now_us, usual.upheld_of_all)
        return group if evidence is None else replace(group, evidence=(*group.evidence, evidence))

    def _usual_now(self) -> Usual:
        if self._usual is None:
            self._usual = usual_of(self._verdicts.by_target, self._states.values(), POLICY.prior_unfounded)
        return self._usual
