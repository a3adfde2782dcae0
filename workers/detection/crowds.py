"""Coordinated crowds on single targets, kept from tick to tick."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from service.policy import Policy
from workers.detection.arrays import Events
from workers.detection.groups import Group, group_of
from workers.detection.one_shot import MINIMUM, SPANS_MS, Slice, one_shots, slice_evidence
from workers.detection.surroundings import Surroundings
from workers.detection.window import Window


class Crowds:
    """The crowds of one window, by target (the window's number)."""

    def __init__(self, policy: Policy, window: Window) -> None:
        self.policy, self.window = policy, window
        self.hot_slices = 0  # crowded slices in the window, as of the last sweep
        self._by_target: dict[int, Group] = {}

    def forget(self) -> None:
        """Find every crowd again at the next update."""
        self._by_target.clear()

    def update(self, events: Events, gone: Events, surroundings: Surroundings, *, whole: bool) -> None:
        """Update the targets of new and removed complaints; every target if `whole` (a sweep)."""
        if whole:
            touched = np.flatnonzero(self.window.crowd[: len(self.window.targets)] >= MINIMUM).astype(np.int64)
            self.hot_slices = len(touched) * len(SPANS_MS)
        else:
            targets = np.unique(self.window.target[np.concatenate([events, gone])])
            touched = targets[self.window.crowd[targets] >= MINIMUM].astype(np.int64)
        if not len(touched):
            return
        slices = max(self.hot_slices, len(touched) * len(SPANS_MS))
        found = {s.target: s for s in one_shots(self.window, touched, surroundings, slices, self.policy)}
        for target in touched.tolist():
            if target in found:
                self._by_target[target] = self._group(found[target], surroundings)
            elif whole:
                self._by_target.pop(target, None)

    def outside(self, repeat: Iterable[Group]) -> list[Group]:
        """Crowds of which less than half are members of groups with several targets."""
        members = frozenset().union(*(g.reporters for g in repeat))
        self._by_target = {t: g for t, g in self._by_target.items() if self.window.crowd[t]}
        return [g for g in self._by_target.values() if len(g.reporters & members) < 0.5 * len(g.reporters)]

    def _group(self, found: Slice, surroundings: Surroundings) -> Group:
        """The crowd as a group; the known one while nothing about it has changed."""
        known = self._by_target.get(found.target)
        evidence = slice_evidence(self.window, found, surroundings, self.policy)
        targets = np.array([found.target], np.int64)
        group = group_of(self.window, "one_shot", found.carriers, targets, found.events, evidence)
        unchanged = known is not None and known.reporters == group.reporters and np.array_equal(known.seq, group.seq)
        return known if known is not None and unchanged else group
