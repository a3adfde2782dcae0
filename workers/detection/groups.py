"""From pairs to groups: seeds of every tier, grown, merged, measured; only what changed is done again."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

import networkx as nx
import numpy as np
import numpy.typing as npt

from service.model import Evidence, Kind
from service.moderation.score import coordination
from service.policy import Policy
from workers.detection import evidence, growth, pairs, surprise
from workers.detection.arrays import Events, Floats, Ints
from workers.detection.growth import Affinity, MemberSet
from workers.detection.one_shot import MINIMUM, SPANS_MS, Slice, one_shots
from workers.detection.pair_store import PairStore
from workers.detection.seeds import weak_seeds
from workers.detection.structure import slice_evidence, structural_evidence
from workers.detection.window import Window

Tier = Literal["strong", "weak", "crossing", "author", "twins"]
LARGEST_WEAK_GRAPH = 20_000  # pairs; beyond it weak seeds are looked for at sweeps only
FAILED_SHARE = 0.25  # of what a seed that became no group has complained about: so much news makes it worth another try
BONDED: tuple[Tier, ...] = ("author", "twins")  # leads that bring their own surprise
VERY_LARGE = 80  # members; half a dozen more complaints do not make such a group more or less of a surprise
FAR_BELOW = -3.0  # log-odds of being coordinated
OVERLAP_WITH_STRONG = 0.5  # a group of a weaker tier that mostly repeats a strong one adds nothing


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Reporters that complain together, before outcomes, identity or any person's decision. Keys are the caller's."""

    kind: Kind
    reporters: frozenset[int]
    targets: frozenset[int]
    seq: Ints  # the members' complaints on the targets, in time order, and who, what, when
    reporter: Ints
    target: Ints
    time_ms: Ints
    exempt: npt.NDArray[np.bool_]
    evidence: tuple[Evidence, ...]  # structural; outcomes are put to it by service.moderation.score.judge
    author_by_target: dict[int, int]  # keys; 0 unknown


@dataclass(frozen=True, slots=True)
class Lead:
    """A seed that only a sweep finds; it lasts until the next one. Members are the caller's keys."""

    tier: Tier
    members: frozenset[int]
    surprise: float  # -log10 p a member


class Grown:
    """What a seed grew into, and how much of it is new since."""

    __slots__ = ("flagged", "members", "new", "pending", "people", "size", "targets")

    def __init__(self, seed: MemberSet, members: MemberSet, targets: Ints) -> None:
        self.members = members
        self.people = np.array(sorted(members or seed), np.int64)  # whose complaints are news of it
        # what became no group draws nobody in: only its own people are news
        self.targets = targets if members else targets[:0]
        self.size = len(members or seed) * max(len(targets), 1)  # complaints at most: what `pending` is compared with
        self.pending = 0
        self.new = True  # grown in this tick
        self.flagged = False  # measured as coordinated, alone or with others

    def stale(self, share: float) -> bool:
        """Whether so much is new that the group has to be grown again; what became no group at all waits for more."""
        return self.pending > (share if self.members else max(share, FAILED_SHARE)) * self.size


class Groups:
    """The groups of one window."""

    def __init__(self, policy: Policy, window: Window, edges: PairStore) -> None:
        self.policy, self.window, self.edges = policy, window, edges
        self.graph: nx.Graph[int] = nx.Graph()  # validated co-reports
        self.counters: Counter[str] = Counter()
        self.affinity = Affinity(policy.default_shape, policy.default_rate)
        self.tests = 0  # distinct pairs that met: what every p is one of
        self.leads: list[Lead] = []
        self.contexts = "none"  # told, inferred or none: what the negative control has to look at
        self.hot_slices = 0  # crowded slices in the window, as of the last sweep
        self.crossing: tuple[Ints, Floats] = np.empty(0, np.int64), np.empty(0)
        self._validated: tuple[Ints, Floats] = np.empty(0, np.int64), np.empty(0)
        self.strong: list[MemberSet] = []
        self._weak: list[MemberSet] = []
        self._cut: list[MemberSet] = []  # those of them that are communities of a large component, as of the last sweep
        self.grown: dict[tuple[Tier, MemberSet], Grown] = {}
        self._measured: dict[MemberSet, Group | None] = {}
        self._surprises: dict[MemberSet, float] = {}
        self._one_shots: dict[int, Group] = {}  # by target
        self._usual_fresh: float | None = None  # of this tick, once it was asked for

    def forget(self) -> None:
        """Grow and measure everything anew at the next update."""
        self.grown.clear()
        self._measured.clear()
        self._surprises.clear()
        self._one_shots.clear()

    def cross(self, keys: Ints, p: Floats) -> None:
        """Pairs that meet across contexts: they count as the best pair of a group."""
        order = np.argsort(keys)
        self.crossing = keys[order], p[order]

    def update(self, events: Events, gone: Events, *, whole: bool = False) -> list[Group]:
        """All groups as they stand now; unchanged ones are the same objects.

        `events` came, `gone` left by withdrawal. `whole`: look at every seed and every target (a sweep).
        """
        self._refresh_graph(whole)
        self._note_arrivals(events, gone)
        grown = self._grow_all()
        self.grown = grown
        merged = growth.merge({g.members for g in grown.values() if g.members}, self.policy.merge_share)
        fresh = {g.members for g in grown.values() if g.new and g.members}
        self._usual_fresh = None
        measured: dict[MemberSet, Group | None] = {}
        for members in merged:
            if members in self._measured and not any(members >= m for m in fresh):
                measured[members] = self._extended(members, events)
            else:
                measured[members] = self._hopeless(members) or self._measure(members)
        self._measured = measured
        coordinated = frozenset().union(
            *(m for m, g in measured.items() if g is not None and coordination(g.evidence) > self.policy.flag_score)
        )
        for known in grown.values():
            known.new, known.flagged = False, bool(known.members) and known.members <= coordinated
        self._update_one_shots(events, gone, whole)
        found = [g for g in measured.values() if g is not None]
        return found + self._own_one_shots(found)

    # --- seeds

    def _refresh_graph(self, whole: bool) -> None:
        """The graph of validated pairs and the seeds; few edges change in a tick, so only those are touched."""
        keys, p = self.edges.validated(self.tests, self.policy.false_discovery_rate)
        old_keys, old_p = self._validated
        if not (np.array_equal(keys, old_keys) and np.array_equal(p, old_p)):
            for key in np.setdiff1d(old_keys, keys, assume_unique=True).tolist():
                self.graph.remove_edge(key >> pairs.PAIR_BITS, key & 0xFFFFFFFF)
            at = np.searchsorted(old_keys, keys)
            same = at < len(old_keys)
            same[same] = (old_keys[at[same]] == keys[same]) & (old_p[at[same]] == p[same])
            weight = -np.log10(np.maximum(p[~same], 1e-300))
            self.graph.add_weighted_edges_from(
                (
                    (key >> pairs.PAIR_BITS, key & 0xFFFFFFFF, s)
                    for key, s in zip(keys[~same].tolist(), weight.tolist(), strict=True)
                ),
                weight="surprise",
            )
            self.graph.remove_nodes_from([n for n, d in list(self.graph.degree) if d == 0])
            self._validated = keys, p
            self.strong = [
                frozenset(c) for c in nx.connected_components(self.graph) if len(c) >= self.policy.min_members
            ]
        if whole or (self.edges.changed and len(self.edges.keys) <= LARGEST_WEAK_GRAPH):
            small, self._cut = weak_seeds(self.edges, keys, self.policy.min_members, None if whole else self._cut)
            self._weak = list(dict.fromkeys([*small, *self._cut]))
            self.edges.changed = False

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
        """Whether a coordinated group has turned to one of these: a target is protected from the moment that is
        known.
        """
        if not len(targets):
            return False
        owner, events = self.window.runs(self.window.by_target, targets)
        count = np.bincount(owner[np.isin(self.window.reporter[events], known.people)], minlength=len(targets))
        return bool((count >= max(2, self.policy.target_share * len(known.people))).any())

    def _grow_all(self) -> dict[tuple[Tier, MemberSet], Grown]:
        in_seeds = frozenset().union(*self.strong)
        grown: dict[tuple[Tier, MemberSet], Grown] = {}
        for seed in self.strong:
            grown["strong", seed] = self._known("strong", seed) or self._grow("strong", seed, in_seeds - seed)
        strong = frozenset().union(*(g.members for g in grown.values()))
        weaker: list[tuple[Tier, MemberSet]] = [("weak", s) for s in self._weak]
        for lead in self.leads:
            numbers = self.window.reporters.find(np.fromiter(lead.members, np.int64, len(lead.members)))
            weaker.append((lead.tier, frozenset(numbers[numbers >= 0].tolist())))
        for tier, seed in weaker:
            if len(seed & strong) >= OVERLAP_WITH_STRONG * len(seed) or len(seed) < self.policy.min_members:
                continue
            grown[tier, seed] = self._known(tier, seed) or self._grow(tier, seed, frozenset(), strong)
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

    def _grow(self, tier: Tier, seed: MemberSet, barred: MemberSet, strong: MemberSet = frozenset()) -> Grown:
        self.counters["grown"] += 1
        members = growth.grow(self.window, seed, barred, self.affinity, self.policy)
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
        """A weak seed has to be surprising as a whole, and not the readers of one article."""
        who = np.array(sorted(members), np.int64)
        targets = growth.targets_of(self.window, who, self.policy.target_share)
        if len(np.unique(self.window.context_of[targets])) < 2:
            return False
        return self._surprise(who, targets) >= -math.log10(self.policy.false_discovery_rate)

    def _surprise(self, who: Ints, targets: Ints) -> float:
        return surprise.group_surprise(
            self.window, who, targets, self._best_pair(who), self.tests, self.affinity, self.policy
        )

    def _hopeless(self, members: MemberSet) -> Group | None:
        """A very large group that was far from being one, and of which a twentieth at most has changed: a crowd of
        readers until the next sweep.
        """
        if len(members) < VERY_LARGE:
            return None
        known = self._alike(members, (m for m, group in self._measured.items() if group is not None))
        group = None if known is None else self._measured[known]
        return group if group is not None and coordination(group.evidence) < FAR_BELOW else None

    def _lasting_surprise(self, members: MemberSet, who: Ints, targets: Ints) -> float:
        """The group's surprise.

        It is the dearest signal: a very large group keeps it until the next sweep, while a twentieth at most has
        changed.
        """
        if len(members) < VERY_LARGE:
            return self._surprise(who, targets)
        known = self._alike(members, self._surprises)
        if known is None:
            known = members
            self._surprises[known] = self._surprise(who, targets)
        return self._surprises[known]

    def _alike(self, members: MemberSet, known: Iterable[MemberSet]) -> MemberSet | None:
        """The first of the known groups from which so few differ that it need not be grown anew."""
        share = self.policy.regrow_share
        return next((m for m in known if len(m ^ members) <= share * min(len(m), len(members))), None)

    def _best_pair(self, who: Ints) -> tuple[int, int, float] | None:
        keys, p = self.edges.within(who)
        crossing, crossing_p = self.crossing
        inside = np.isin(crossing >> pairs.PAIR_BITS, who) & np.isin(crossing & 0xFFFFFFFF, who)
        return surprise.best_pair(
            self.window, np.concatenate([keys, crossing[inside]]), np.concatenate([p, crossing_p[inside]])
        )

    # --- measuring

    def _extended(self, members: MemberSet, events: Events) -> Group | None:
        """A known group with the tick's complaints of its members on its targets."""
        group = self._measured[members]
        if group is None or not len(events):
            return group
        window = self.window
        mine = events[np.isin(window.reporter[events], np.fromiter(members, np.int64, len(members)))]
        mine = (
            mine[[k in group.targets for k in window.targets.keys[window.target[mine]].tolist()]] if len(mine) else mine
        )
        if not len(mine):
            return group
        return replace(
            group,
            seq=np.concatenate([group.seq, window.seq[mine]]),
            reporter=np.concatenate([group.reporter, window.reporters.keys[window.reporter[mine]]]),
            target=np.concatenate([group.target, window.targets.keys[window.target[mine]]]),
            time_ms=np.concatenate([group.time_ms, window.time[mine] + window.origin]),
            exempt=np.concatenate([group.exempt, window.exempt[mine]]),
        )

    def _measure(self, members: MemberSet) -> Group | None:
        window, who = self.window, np.array(sorted(members), np.int64)
        targets = growth.aims_among(window, who, self.policy.target_share)
        if len(targets) < 2 or len(who) < self.policy.min_members:
            return None
        weights = [d["surprise"] for _, _, d in self.graph.subgraph(members).edges(data=True)]
        weighed = min(len(who), surprise.MEMBERS_WEIGHED)
        lead = max(
            (x.surprise for x in self.leads if x.tier in BONDED and self._mostly(x.members, members)), default=0.0
        )
        group = float(np.clip(max(self._lasting_surprise(members, who, targets) / weighed, lead), -1, 4))
        measured = evidence.measure(
            window,
            who,
            targets,
            float(np.mean(weights)) if weights else 0.0,
            group,
            self.contexts,
            self._fresh_share(),
            self.policy,
        )
        _, events = window.runs(window.by_pair, who)
        events = events[np.isin(window.target[events], targets)]
        self.counters["measured"] += 1
        return self._named(
            "repeat", who, targets, events, structural_evidence(measured, len(who), len(targets), self.policy.weights)
        )

    def _fresh_share(self) -> float:
        """What share of complaints comes from fresh accounts: a look at the whole window, once a tick at most."""
        if self._usual_fresh is None:
            self._usual_fresh = evidence.fresh_share(self.window, self.policy.fresh_account_seconds * 1000)
        return self._usual_fresh

    def _mostly(self, keys: frozenset[int], members: MemberSet) -> bool:
        own = {int(k) for k in self.window.reporters.keys[np.fromiter(members, np.int64, len(members))].tolist()}
        return len(keys & own) >= 0.5 * len(keys)

    def _named(self, kind: Kind, who: Ints, targets: Ints, events: Events, signals: tuple[Evidence, ...]) -> Group:
        window = self.window
        events = events[np.lexsort((window.target[events], window.reporter[events], window.time[events]))]
        target_keys = window.targets.keys[targets]
        authors = window.authors.keys[window.author_of[targets]]
        return Group(
            kind,
            frozenset(window.reporters.keys[who].tolist()),
            frozenset(target_keys.tolist()),
            window.seq[events],
            window.reporters.keys[window.reporter[events]],
            window.targets.keys[window.target[events]],
            window.time[events] + window.origin,
            window.exempt[events],
            signals,
            dict(zip(target_keys.tolist(), authors.tolist(), strict=True)),
        )

    # --- one target, one time

    def _update_one_shots(self, events: Events, gone: Events, whole: bool) -> None:
        if whole:
            touched = np.flatnonzero(self.window.crowd[: len(self.window.targets)] >= MINIMUM).astype(np.int64)
            self.hot_slices = len(touched) * len(SPANS_MS)
        else:
            targets = np.unique(self.window.target[np.concatenate([events, gone])])
            touched = targets[self.window.crowd[targets] >= MINIMUM].astype(np.int64)
        if not len(touched):
            return
        found = {
            s.target: s
            for s in one_shots(
                self.window,
                touched,
                self._fresh_share(),
                max(self.hot_slices, len(touched) * len(SPANS_MS)),
                self.policy,
            )
        }
        for target in touched.tolist():
            if target in found:
                self._one_shots[target] = self._crowd(found[target])
            elif whole:
                self._one_shots.pop(target, None)

    def _crowd(self, found: Slice) -> Group:
        window = self.window
        targets = np.array([found.target], np.int64)
        burst = evidence.burst(window, found.carriers, targets, found.events)
        known = self._one_shots.get(found.target)
        group = self._named("one_shot", found.carriers, targets, found.events, slice_evidence(found, burst))
        return (
            known
            if known is not None and known.reporters == group.reporters and np.array_equal(known.seq, group.seq)
            else group
        )

    def _own_one_shots(self, repeat: Iterable[Group]) -> list[Group]:
        """Crowds that are not, by half or more, members of groups that hit several targets."""
        members = frozenset().union(*(g.reporters for g in repeat))
        alive = {t: g for t, g in self._one_shots.items() if self.window.crowd[t]}
        self._one_shots = alive
        return [g for g in alive.values() if len(g.reporters & members) < 0.5 * len(g.reporters)]
