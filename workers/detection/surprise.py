"""The surprise of a group as a whole: the weak tier's measure, and evidence in every tier."""

from __future__ import annotations

import math

import numpy as np

from service.policy import Policy
from workers.detection.arrays import Events, Floats, Ints
from workers.detection.growth import Affinity, admission_p
from workers.detection.pairs import PAIR_BITS
from workers.detection.window import TIME_BITS, TIME_MASK, Window

MEMBERS_WEIGHED = 60  # members looked at in larger groups; the mean per member is what counts


def group_surprise(
    window: Window,
    members: Ints,
    targets: Ints,
    best: tuple[int, int, float] | None,
    tests: int,
    affinity: Affinity,
    policy: Policy,
) -> float:
    """-log10 p of the best pair among `tests`, plus what every further member adds given those before, each paying for
    its candidates.

    `best` is (reporter, reporter, -log10 p) of the pair inside with the smallest p; None: no pair was ever close, 0.
    Only the group's `targets` (sorted) count: members' other complaints about popular targets, as decoys or as readers,
    would hide what they do together.
    """
    if best is None:
        return 0.0
    first, second, surprise = best
    joined = _Joined(window, members, targets, policy.growth_margin_seconds * 1000)
    joined.add(first)
    joined.add(second)
    total = surprise - math.log10(max(tests, 1))
    for reporter in _by_overlap(window, members, first, second)[: MEMBERS_WEIGHED - 2]:
        gain = joined.gain(reporter, affinity)
        if gain is not None:
            total += gain
            joined.add(reporter)
    return total


def _by_overlap(window: Window, members: Ints, first: int, second: int) -> list[int]:
    """The other members, those who share most targets with `first` before the others."""
    rest = members[(members != first) & (members != second)]
    _, own = window.runs(window.by_pair, np.array([first]))
    owner, events = window.runs(window.by_pair, rest)
    shared = np.bincount(owner[np.isin(window.target[events], window.target[own])], minlength=len(rest))
    # Ties by the caller's key: the window's own numbers depend on who came first.
    return [int(r) for r in rest[np.lexsort((window.reporters.keys[rest], -shared))]]


class _Joined:
    """The members who have joined so far, and the hours in which they complained about each target.

    Grows by one member at a time. What nobody of the whole group did is chance: a group's own complaints must not be
    its targets' popularity, or a large and tight one hides itself.
    """

    def __init__(self, window: Window, members: Ints, targets: Ints, margin_ms: int) -> None:
        self.window, self.targets, self.margin = window, targets, margin_ms
        self.count = np.zeros(len(targets), np.int64)  # of those who joined
        self.low = np.full(len(targets), TIME_MASK, np.int64)
        self.high = np.full(len(targets), -1, np.int64)
        self._places = window.context_of[targets].astype(np.int64)
        self._crowd = window.crowd[targets].astype(np.int64)
        _, own = window.runs(window.by_pair, members)
        own = own[np.isin(window.target[own], targets)]
        self._own = np.sort(window.target[own].astype(np.int64) << TIME_BITS | window.time[own])

    def add(self, reporter: int) -> None:
        """Let the reporter join."""
        _, events = self.window.runs(self.window.by_pair, np.array([reporter]))
        place, events = self._on_targets(events)
        time = self.window.time[events]
        self.count[place] += 1
        self.low[place] = np.minimum(self.low[place], time)
        self.high[place] = np.maximum(self.high[place], time)

    def gain(self, reporter: int, affinity: Affinity) -> float | None:
        """What the reporter would add; None without a complaint on a target of two members, within their hours."""
        window, active = self.window, np.flatnonzero(self.count >= 2)
        _, own = window.runs(window.by_pair, np.array([reporter]))
        place, events = self._on_targets(own)
        time = window.time[events]
        inside = (
            (self.count[place] >= 2)
            & (time >= self.low[place] - self.margin)
            & (time <= self.high[place] + self.margin)
        )
        count = int(inside.sum())
        if not count:
            return None
        everyone, members = self._within(window.by_target.keys, self._own, active)
        candidates = max(1, everyone - int(self.count[active].sum()))
        others = max(0, everyone - members)
        n = max(window.live, 1)
        contexts = np.unique(self._places[active])
        elsewhere = max(0, int(window.context_crowd[contexts].sum() - self._crowd[active].sum())) / n
        control = int(
            (np.isin(window.context[own], contexts) & ~np.isin(window.target[own], self.targets[active])).sum()
        )
        p = float(
            admission_p(count, control, float(window.degree[reporter]), (others + len(active)) / n, elsewhere, affinity)
        )
        return max(0.0, -math.log10(max(p, 1e-12)) - math.log10(candidates))

    def _within(self, everyone: Ints, members: Ints, active: Ints) -> tuple[int, int]:
        """How many of either complaints (sorted by target and time) lie in the members' hours on the active targets."""
        base = self.targets[active].astype(np.int64) << TIME_BITS
        low = base | np.maximum(self.low[active] - self.margin, self.window.since)
        high = base | np.minimum(self.high[active] + self.margin, TIME_MASK)
        all_of_them, theirs = (
            int((np.searchsorted(keys, high, "right") - np.searchsorted(keys, low, "left")).sum())
            for keys in (everyone, members)
        )
        return all_of_them, theirs

    def _on_targets(self, events: Events) -> tuple[Ints, Events]:
        """Which of the events are on the targets, with the place of each target."""
        what = self.window.target[events]
        place = np.minimum(np.searchsorted(self.targets, what), max(len(self.targets) - 1, 0))
        hit = self.targets[place] == what if len(self.targets) else np.zeros(len(events), bool)
        return np.asarray(place[hit], np.int64), events[hit]


def best_pair(window: Window, keys: Ints, p: Floats) -> tuple[int, int, float] | None:
    """The pair with the smallest p as (reporter, reporter, -log10 p); ties by the caller's keys."""
    if not len(keys):
        return None
    ties = keys[p == p.min()]
    ends = np.sort(
        np.stack([window.reporters.keys[ties >> PAIR_BITS], window.reporters.keys[ties & 0xFFFFFFFF]]), axis=0
    )
    key = int(ties[np.lexsort((ends[1], ends[0]))[0]])
    first, second = sorted((key >> PAIR_BITS, key & 0xFFFFFFFF), key=lambda r: int(window.reporters.keys[r]))
    return first, second, -math.log10(max(float(p.min()), 1e-300))
