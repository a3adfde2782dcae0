"""Members of known clusters who complain together again, after the cluster's complaints have begun to leave the window.

They are strangers to the window: it holds too little of what they did together, or nothing. The stored cluster knows
them, and what they do now adds to it without being measured again: its evidence stays that of the window in which it
was found. One target is enough, if enough of the members who are active came there, more than chance brings. Where
another group of this window continues the cluster anyway, that group decides which targets are the cluster's.

A cluster that lies in the window as a whole is left out: sweeps see all of it, and what they no longer find there has
to go.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from scipy.special import pdtrc

from service.policy import Policy
from workers.detection.arrays import Events, Ints
from workers.detection.groups import Group, group_of
from workers.detection.growth import CHANCE_TARGET, expected_members
from workers.detection.known_clusters import KnownCluster, KnownClusters
from workers.detection.sorted_index import AT_ONCE, portions
from workers.detection.window import Window

CONTINUED_ELSEWHERE = 0.5  # of the members on a target in other groups of the cluster: they decide about the target


class ReturnedMembers:
    """The groups of returned members in one window, kept from tick to tick."""

    def __init__(self, policy: Policy, window: Window, known: KnownClusters) -> None:
        self.policy, self.window, self.known = policy, window, known
        self._returned: dict[str, KnownCluster] = {}  # whose members came together somewhere
        self._groups: dict[str, Group] = {}
        self._others: frozenset[Group] = frozenset()  # the window's groups of the last update

    def forget(self) -> None:
        """Look at every known cluster again at the next update."""
        self._returned.clear()
        self._groups.clear()
        self._others = frozenset()

    def update(self, events: Events, gone: Events, others: Sequence[Group], *, whole: bool) -> list[Group]:
        """One group for each known cluster that returns; unchanged groups are the same objects.

        `others` are the groups that detection found in the window; `whole`: look at every known cluster (a sweep).
        """
        if whole:
            self.forget()
        touched = self._touched(events, gone, whole=whole) | self.known.take_changed()
        changed = self._others.symmetric_difference(others)
        people = frozenset[int]().union(*(group.reporters for group in changed))
        self._others = frozenset(others)
        touched |= {i for i, cluster in self._returned.items() if not people.isdisjoint(cluster.members)}
        for identity in touched:
            cluster = self.known.by_id.get(identity)
            back = self._complaints_of(cluster) if cluster is not None else np.empty(0, np.int32)
            if cluster is None or not len(back):
                self._returned.pop(identity, None)
                self._groups.pop(identity, None)
            else:
                self._returned[identity] = cluster
                self._set_group(identity, cluster, back)
        return [self._groups[identity] for identity in sorted(self._groups)]

    def _touched(self, events: Events, gone: Events, *, whole: bool) -> set[str]:
        """The clusters to look at: those whose members came together on one of the complaints' targets (or anywhere, if
        `whole`), and those that have returned already and of whose members there is news.
        """
        window, known = self.window, self.known
        if not known.by_id:  # as in every window of an audit
            return set()
        enough = window.crowd[: len(window.targets)] >= self.policy.min_members
        if whole:
            return self._together(np.flatnonzero(enough))
        both = np.concatenate([events, gone])
        keys = window.reporters.keys[window.reporter[both]].tolist()
        of_members = np.array([bool(known.ids_of(key)) for key in keys], bool)
        news = {identity for key in keys for identity in known.ids_of(key)} & self._returned.keys()
        targets = np.unique(window.target[both[of_members]])
        return news | self._together(targets[enough[targets]])

    def _together(self, targets: Ints) -> set[str]:
        """The clusters of which enough members for a group complained about one of these targets."""
        window, count = self.window, Counter[tuple[str, int]]()
        if not self.known.by_id:
            return set()
        for part in portions(window.crowd[targets], AT_ONCE):
            _, events = window.runs(window.by_target, targets[part])
            keys = window.reporters.keys[window.reporter[events]].tolist()
            for key, target in zip(keys, window.target[events].tolist(), strict=True):
                for identity in self.known.ids_of(key):
                    count[identity, target] += 1
        return {identity for (identity, _), members in count.items() if members >= self.policy.min_members}

    def _complaints_of(self, cluster: KnownCluster) -> Events:
        """The members' complaints on the targets where enough of them came.

        None where the cluster lies in the window as a whole.
        """
        window = self.window
        if cluster.first_ms >= window.since + window.origin:
            return np.empty(0, np.int32)
        numbers = window.reporters.find(np.fromiter(cluster.members, np.int64, len(cluster.members)))
        active = np.sort(numbers[numbers >= 0])
        active = active[window.degree[active] > 0]
        if len(active) < self.policy.min_members:
            return np.empty(0, np.int32)
        _, events = window.runs(window.by_pair, active)
        return events[np.isin(window.target[events], self._targets(active, events))]

    def _targets(self, active: Ints, events: Events) -> Ints:
        """Targets of enough of the active members, more than chance brings there.

        As in growth.targets_of, with the members left out of the targets' popularity: in a small community their own
        complaints are most of it.
        """
        window = self.window
        targets, count = np.unique(window.target[events], return_counts=True)
        enough = count >= max(self.policy.min_members, self.policy.target_share * len(active))
        expected = expected_members(window, len(events), window.crowd[targets] - count)
        return np.asarray(targets[enough & (pdtrc(count - 1, expected) < CHANCE_TARGET)], np.int64)

    def _set_group(self, identity: str, cluster: KnownCluster, events: Events) -> None:
        """The group of what no other group of the window continues; the known one while nothing about it changes."""
        window, elsewhere = self.window, self._continued_elsewhere(cluster)
        targets, place = np.unique(window.target[events], return_inverse=True)
        there = np.isin(
            window.reporters.keys[window.reporter[events]], np.fromiter(elsewhere, np.int64, len(elsewhere))
        )
        count = np.bincount(place, minlength=len(targets))
        left = np.bincount(place[there], minlength=len(targets)) < CONTINUED_ELSEWHERE * count
        if not left.any():
            self._groups.pop(identity, None)
            return
        events = events[left[place]]
        who = np.unique(window.reporter[events]).astype(np.int64)
        group = group_of(window, "repeat", who, targets[left].astype(np.int64), events, (), continues=identity)
        known = self._groups.get(identity)
        if known is None or not np.array_equal(known.seq, group.seq):
            self._groups[identity] = group

    def _continued_elsewhere(self, cluster: KnownCluster) -> frozenset[int]:
        """The members who are in a group of the window that continues the cluster."""
        share = self.policy.identity_overlap
        parts = (
            common
            for group in self._others
            if (common := group.reporters & cluster.members)
            and len(common) >= share * min(len(group.reporters), len(cluster.members))
        )
        return frozenset[int]().union(*parts)
