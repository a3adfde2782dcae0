"""From pairs to groups: seeds of every tier are grown, merged and measured; only changes are recomputed."""

from __future__ import annotations

from collections import Counter

import numpy as np

from service.policy import Policy
from workers.detection import growth
from workers.detection.arrays import Events
from workers.detection.crowds import Crowds
from workers.detection.group_measurement import GroupMeasurement
from workers.detection.groups import Group
from workers.detection.known_clusters import KnownClusters
from workers.detection.pair_graph import PairGraph
from workers.detection.pair_store import PairStore
from workers.detection.returned_members import ReturnedMembers
from workers.detection.seed_growth import SeedGrowth
from workers.detection.surroundings import Surroundings
from workers.detection.window import Window


class Grouping:
    """The groups of one window, from tick to tick."""

    def __init__(self, policy: Policy, window: Window, edges: PairStore, known: KnownClusters) -> None:
        self.policy, self.window = policy, window
        self.counters: Counter[str] = Counter()
        self.pairs = PairGraph(policy, window, edges)
        self.seeds = SeedGrowth(self.pairs, self.counters)
        self.measurement = GroupMeasurement(self.seeds, self.counters)
        self.crowds = Crowds(policy, window)
        self.returned = ReturnedMembers(policy, window, known)
        self._surroundings: Surroundings | None = None  # as of the last sweep

    def forget(self) -> None:
        """Grow and measure everything again at the next update."""
        self.seeds.grown.clear()
        self.measurement.forget()
        self.crowds.forget()
        self.returned.forget()
        self._surroundings = None

    def update(self, events: Events, gone: Events, *, whole: bool = False) -> list[Group]:
        """All groups as they stand now; unchanged ones are the same objects.

        `events` came, `gone` left by withdrawal. `whole`: look at every seed and every target (a sweep).
        """
        if whole or self._surroundings is None:
            self._surroundings = Surroundings(self.window, self.policy)
        self.seeds.update(events, gone, whole=whole)
        grown = [g for g in self.seeds.grown.values() if g.members]
        merged = growth.merge({g.members for g in grown}, self.policy.merge_share)
        found = self.measurement.update(merged, {g.members for g in grown if g.new}, events, self._surroundings)
        self.seeds.note_measured(self.measurement.coordinated())
        self.crowds.update(events, gone, self._surroundings, whole=whole)
        found += self.returned.update(events, gone, found, whole=whole)
        return found + self.crowds.outside(found)

    def regroup(self) -> list[Group]:
        """All groups again, as after a sweep's handover."""
        none = np.empty(0, np.int32)
        return self.update(none, none, whole=True)
