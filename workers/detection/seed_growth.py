"""Grow the seeds of every tier; a seed is grown again only after enough new complaints."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from workers.detection import growth, in_step
from workers.detection.arrays import Events, Ints
from workers.detection.growth import MemberSet
from workers.detection.pair_graph import PairGraph
from workers.detection.seeds import weak_seeds

Tier = Literal["strong", "weak", "crossing", "crowds", "author", "twins", "in_step"]
LARGEST_WEAK_GRAPH = 20_000  # pairs; beyond it weak seeds are looked for at sweeps only
FAILED_SHARE = 0.25  # of the complaints of a seed that became no group: so many new ones make it worth another try
BONDED: tuple[Tier, ...] = ("author", "twins", "in_step")  # kinds of leads with a surprise of their own
OVERLAP_WITH_STRONG = 0.5  # a group of a weaker tier that mostly repeats a strong one is dropped


@dataclass(frozen=True, slots=True)
class Lead:
    """A seed that pairs with a small p do not show. Members are the caller's keys."""

    tier: Tier
    members: frozenset[int]
    surprise: float  # -log10 p a member


class Grown:
    """What a seed grew into, and how much of it is new since."""

    __slots__ = ("flagged", "members", "new", "pending", "people", "size", "targets")

    def __init__(self, seed: MemberSet, members: MemberSet, targets: Ints) -> None:
        self.members = members
        self.people = np.array(sorted(members or seed), np.int64)  # whose complaints count as new
        # if it became no group, only its own members' complaints count
        self.targets = targets if members else targets[:0]
        self.size = len(members or seed) * max(len(targets), 1)  # complaints at most: what `pending` is compared with
        self.pending = 0
        self.new = True  # grown in this tick
        self.flagged = False  # measured as coordinated, alone or with others

    def stale(self, share: float) -> bool:
        """Whether so much is new that the group has to be grown again; what became no group at all waits for more."""
        return self.pending > (share if self.members else max(share, FAILED_SHARE)) * self.size


class SeedGrowth:
    """The seeds of one window and what they grew into. Members and targets are the window's numbers."""

    def __init__(self, pair_graph: PairGraph, counters: Counter[str]) -> None:
        self.pair_graph, self.counters = pair_graph, counters
        self.policy, self.window, self.edges = pair_graph.policy, pair_graph.window, pair_graph.edges
        self.leads: list[Lead] = []  # of the last sweep; they last until the next one
        self.in_step: list[Lead] = []  # of this tick
        self.grown: dict[tuple[Tier, MemberSet], Grown] = {}
        self._by_member: dict[int, list[Lead]] | None = None  # those leads, once somebody asked in this tick
        self._weak: list[MemberSet] = []
        self._cut: list[MemberSet] = []  # those of them that are communities of a large component, as of the last sweep

    def update(self, events: Events, gone: Events, *, whole: bool) -> None:
        """Find the seeds as they stand now and grow those around which enough is new; `whole` in a sweep."""
        validated = self.pair_graph.refresh()
        if whole or (self.edges.changed and len(self.edges.keys) <= LARGEST_WEAK_GRAPH):
            small, self._cut = weak_seeds(self.edges, validated, self.policy.min_members, None if whole else self._cut)
            self._weak = list(dict.fromkeys([*small, *self._cut]))
            self.edges.changed = False
        self._note_arrivals(events, gone)
        self._by_member = None
        self.grown = self._grow_all()

    def note_measured(self, coordinated: MemberSet) -> None:
        """Take over which members belong to a group that was measured as coordinated."""
        for known in self.grown.values():
            known.new, known.flagged = False, bool(known.members) and known.members <= coordinated

    def step_targets(self, leads: Sequence[Lead]) -> Ints:
        """The targets on which those of the leads that are in step stand together: none is chance."""
        keys = [lead.members for lead in leads if lead.tier == "in_step"]
        numbers = (self.window.reporters.find(np.fromiter(some, np.int64, len(some))) for some in keys)
        return np.unique(
            np.concatenate(
                [np.empty(0, np.int64), *(in_step.stretches(self.window, np.sort(n[n >= 0]))[0] for n in numbers)]
            )
        )

    def _all_leads(self) -> list[Lead]:
        return list(dict.fromkeys([*self.leads, *self.in_step]))

    def leads_of(self, members: MemberSet) -> list[Lead]:
        """The leads that mostly consist of these members."""
        if self._by_member is None:
            self._by_member = defaultdict(list)
            for lead in self._all_leads():
                for key in lead.members:
                    self._by_member[key].append(lead)
        keys = self.window.reporters.keys[np.fromiter(members, np.int64, len(members))].tolist()
        shared = Counter(lead for key in keys for lead in self._by_member.get(key, ()))
        return [lead for lead, count in shared.items() if count >= 0.5 * len(lead.members)]

    def _note_arrivals(self, events: Events, gone: Events) -> None:
        """Count what is new about each known group: complaints of its members, and on its targets."""
        if not self.grown or not len(events) + len(gone):
            return
        both = np.concatenate([events, gone])
        who, what = self.window.reporter[both], self.window.target[both]
        for known in self.grown.values():
            theirs = np.isin(who, known.people)
            known.pending += int((np.isin(what, known.targets) | theirs).sum())
            if (
                known.flagged
                and theirs.any()
                and self._has_new_target(known, np.setdiff1d(what[theirs], known.targets))
            ):
                known.pending = known.size + 1
            known.pending += known.size if len(gone) and np.isin(self.window.reporter[gone], known.people).any() else 0

    def _has_new_target(self, known: Grown, targets: Ints) -> bool:
        """Whether a coordinated group has turned to one of these: a target is protected as soon as that is known."""
        if not len(targets):
            return False
        owner, events = self.window.runs(self.window.by_target, targets)
        count = np.bincount(owner[np.isin(self.window.reporter[events], known.people)], minlength=len(targets))
        return bool((count >= max(2, self.policy.target_share * len(known.people))).any())

    def _grow_all(self) -> dict[tuple[Tier, MemberSet], Grown]:
        seeds = self.pair_graph.components
        in_seeds = np.array(sorted(frozenset().union(*seeds)), np.int64)
        grown: dict[tuple[Tier, MemberSet], Grown] = {}
        for seed in seeds:
            grown["strong", seed] = self._known("strong", seed) or self._grow("strong", seed, in_seeds)
        strong = frozenset().union(*(g.members for g in grown.values()))
        weaker: list[tuple[Tier, MemberSet]] = [("weak", s) for s in self._weak]
        for lead in self._all_leads():
            numbers = self.window.reporters.find(np.fromiter(lead.members, np.int64, len(lead.members)))
            weaker.append((lead.tier, frozenset(numbers[numbers >= 0].tolist())))
        for tier, seed in weaker:
            if len(seed & strong) >= OVERLAP_WITH_STRONG * len(seed) or len(seed) < self.policy.min_members:
                continue
            grown[tier, seed] = self._known(tier, seed) or self._grow(tier, seed, in_seeds[:0], strong)
        return grown

    def _known(self, tier: Tier, seed: MemberSet) -> Grown | None:
        """What the seed, or a slightly different one, grew into, while the difference is too small to matter."""
        share = self.policy.regrow_share
        known = self.grown.get((tier, seed))
        if known is None:
            for (old_tier, old), other in self.grown.items():
                if (
                    old_tier == tier
                    and not seed.isdisjoint(old)
                    and len(seed ^ old) <= share * min(len(seed), len(old))
                ):
                    known = other
                    known.pending += len(seed ^ old)
                    break
        return None if known is None or known.stale(share) else known

    def _grow(self, tier: Tier, seed: MemberSet, seeds: Ints, strong: MemberSet = frozenset()) -> Grown:
        self.counters["grown"] += 1
        members = growth.grow(self.window, seed, seeds, self.pair_graph.affinity, self.policy)
        if tier in BONDED:
            members = seed | members  # their bond is another than meeting more often than chance
        elif tier != "strong" and members and not self._stands_alone(members):
            members = frozenset()
        if tier != "strong" and len(members & strong) >= OVERLAP_WITH_STRONG * len(members):
            members = frozenset()
        return Grown(
            seed,
            members,
            growth.targets_of(self.window, np.array(sorted(members or seed), np.int64), self.policy.target_share),
        )

    def _stands_alone(self, members: MemberSet) -> bool:
        """Whether a weak seed is surprising as a whole, and not the readers of one article."""
        who = np.array(sorted(members), np.int64)
        targets = growth.targets_of(self.window, who, self.policy.target_share)
        if len(np.unique(self.window.context_of[targets])) < 2:
            return False
        return self.pair_graph.group_surprise(who, targets) >= -math.log10(self.policy.false_discovery_rate)
