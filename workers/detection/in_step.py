"""In step: accounts that complain within seconds of each other, target after target, and do little else.

Sweeps and ticks look for them, so that a group that nobody has seen before is a lead as soon as it has done so on
MEETINGS targets, in one thread or in many, on one evening or on several. There is no demand for occasions and contexts
as for twins, and none is needed: people who go through the same list, a spammer's thread or a feed of what is new, read
at a speed of their own, so that the lag between two of them drifts by more than seconds from target to target.

Two things must hold. *Pairs*: what two did within LAG_MS of each other, on MEETINGS targets at least, makes up half of
what either did, and is more than the share of meetings that lie so close in this tenant explains: where an import
stamps much alike it takes more targets, and where a clock knows minutes only nobody is in step. *All of them*: chance
makes pairs, not sets. On MEETINGS targets, most of the members stand within LAG_MS of each other, all at once. With
lags of twenty seconds, people who click their way down a list of spam make such sets now and then; with five, they have
to begin within seconds of each other and click every few seconds (docs/detection.md has the figures).
"""

from __future__ import annotations

import numpy as np
from scipy.special import bdtrc

from workers.detection.arrays import Ints
from workers.detection.growth import MemberSet
from workers.detection.pairs import PAIR_BITS, Joined, join, pair_keys, shared_targets
from workers.detection.seeds import components
from workers.detection.window import TIME_BITS, Window

LAG_MS, MEETINGS, JACCARD = 5_000, 5, 0.5
CHANCE = 1e-3  # of a pair's meetings lying so close, as meetings usually do
TOGETHER_SHARE, MEMBERS = 0.6, 6
LARGEST = 200  # reporters: a larger component is the whole community, not a group
COARSE_MS = 10_000  # where most times are whole multiples of it, the clock does not know seconds
PRIOR_TARGETS = 20.0  # what is usual starts as if so many targets had been visited evenly


class InStep:
    """The pairs in step of one window, kept from tick to tick, and the sets of reporters that they make."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self.pairs: Ints = np.empty(0, np.int64)  # sorted keys
        self._usual: float | None = None  # share of the meetings within the smallest scale that lie within LAG_MS

    def look(self, joined: Joined) -> None:
        """Take over which of these pairs are in step now."""
        self.look_at(joined.first, joined.second, joined.meetings[:, 0, -1].astype(np.int64))

    def look_at(self, first: Ints, second: Ints, near: Ints) -> None:
        """The same of pairs that met so often within the smallest scale; those with fewer than MEETINGS may be missing
        where none is known.
        """
        window, all_keys = self.window, pair_keys(first, second)
        one, two = window.degree[first], window.degree[second]
        # Few pairs are left: only their lags are looked at closely.
        few = np.flatnonzero((near >= MEETINGS) & (near >= JACCARD * (one + two - near)))
        first, second, near = first[few], second[few], near[few]
        owner, mine, theirs = shared_targets(window, first, second)
        close = np.abs(window.time[mine] - window.time[theirs]) <= LAG_MS
        count = np.bincount(owner[close], minlength=len(few))
        found = (count >= MEETINGS) & (count >= JACCARD * (window.degree[first] + window.degree[second] - count))
        if found.any():
            found &= bdtrc(count - 1, near, self._usual_share()) < CHANCE
        keys = pair_keys(first[found], second[found])
        if len(self.pairs):
            known = self.pairs[~np.isin(self.pairs, all_keys)]
            keys = np.concatenate([known, keys])
        self.pairs = np.unique(keys)

    def look_again(self, strata: tuple[int, ...]) -> None:
        """Look at all known pairs as they stand, and at what is usual: after a sweep."""
        self._usual = None
        if len(self.pairs):
            known, self.pairs = self.pairs, self.pairs[:0]
            self.look(join(self.window, known >> PAIR_BITS, known & 0xFFFFFFFF, strata))

    def sets(self) -> list[MemberSet]:
        """Sets of reporters (the window's numbers) in step all at once, the largest first."""
        if not len(self.pairs):
            return []
        active = (self.window.degree[self.pairs >> PAIR_BITS] >= MEETINGS) & (
            self.window.degree[self.pairs & 0xFFFFFFFF] >= MEETINGS
        )
        self.pairs = self.pairs[active]
        parts = (part for part in components(self.pairs, MEMBERS) if len(part) <= LARGEST)
        found = [together(self.window, part) for part in parts]
        return sorted((f for f in found if f), key=lambda f: (-len(f), min(f)))

    def _usual_share(self) -> float:
        """The share of complaints that follow another on a target within the smallest scale and do so within LAG_MS.

        Each target has one vote: a group that visits few of them a hundred times each does not make itself usual.
        1 where the clock does not know seconds.
        """
        if self._usual is None:
            window, reach = self.window, int(self.window.scales[0])
            events = window.by_target.events[~window.gone[window.by_target.events]]
            target, time = window.target[events], window.time[events]
            if 2 * np.count_nonzero((time + window.origin) % COARSE_MS == 0) > len(time):
                self._usual = 1.0
                return 1.0
            gap = np.diff(time)
            near = (np.diff(target) == 0) & (gap <= reach)
            votes = np.bincount(target[1:][near])
            close = np.bincount(target[1:][near & (gap <= LAG_MS)], minlength=len(votes))
            voted = votes > 0
            share = float((close[voted] / votes[voted]).sum()) + PRIOR_TARGETS * LAG_MS / reach
            self._usual = share / (int(voted.sum()) + PRIOR_TARGETS)
        return self._usual


def together(window: Window, members: MemberSet) -> MemberSet:
    """Those of the members (the window's numbers) most of whom stand together on MEETINGS targets; none if too few."""
    while len(members) >= MEMBERS:
        who = np.array(sorted(members), np.int64)
        targets, inside = stretches(window, who)
        if len(targets) < MEETINGS:
            break
        core = frozenset(who[inside >= MEETINGS].tolist())
        if core == members:
            return members
        members = core
    return frozenset()


def stretches(window: Window, who: Ints) -> tuple[Ints, Ints]:
    """The targets on which most of these reporters stand within LAG_MS of each other, and on how many each one does."""
    owner, events = window.runs(window.by_pair, who)
    key = window.target[events].astype(np.int64) << TIME_BITS | window.time[events]
    order = np.argsort(key, kind="stable")
    owner, key = owner[order], key[order]
    # Of each complaint, the end of the stretch of LAG_MS on its target that begins with it.
    end = np.searchsorted(key, key + LAG_MS, "right")
    count = end - np.arange(len(key))
    targets, place = np.unique(key >> TIME_BITS, return_inverse=True)
    most = np.zeros(len(targets), np.int64)
    np.maximum.at(most, place, count)
    enough = most >= max(MEMBERS - 1, TOGETHER_SHARE * len(who))
    # The first of the fullest stretches of each target.
    fullest = np.flatnonzero(enough[place] & (count == most[place]))
    fullest = fullest[np.unique(place[fullest], return_index=True)[1]]
    inside = np.zeros(len(who), np.int64)
    for low in fullest.tolist():
        inside[owner[low : end[low]]] += 1
    return targets[enough], inside
