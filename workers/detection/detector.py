"""The whole of detection in one object: complaints in, groups out.

A live worker keeps one and ticks it. A sweep, a rebuild and each window of an audit are one tick of the whole window on an
empty one: there is one code path.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import networkx as nx
import numpy as np
import numpy.typing as npt

from service.model import Evidence
from service.policy import Policy
from workers.detection import evidence, growth, pairs
from workers.detection.edges import Edges
from workers.detection.growth import Affinity, MemberSet
from workers.detection.null_model import Floats, fit_affinity, pair_p_values
from workers.detection.structure import structural_evidence
from workers.detection.window import Complaints, Events, Ints, Window


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Reporters that complain together, before outcomes, identity or any person's decision. Keys are the caller's."""

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
class Fitted:
    """What a sweep hands over to the live detector."""

    affinity: Affinity
    pairs_met: int  # m
    first: Ints  # edges as reporter keys
    second: Ints
    p: Floats


class Grown:
    """What a seed grew into, and how much of it is new since."""

    __slots__ = ("members", "new", "pending", "people", "size", "targets")

    def __init__(self, seed: MemberSet, members: MemberSet, targets: Ints) -> None:
        self.members = members
        self.people = np.array(sorted(members or seed), np.int64)  # whose complaints are news of it
        self.targets = targets
        self.size = len(members) * max(len(targets), 1)  # complaints at most: what `pending` is compared with
        self.pending = 0
        self.new = True  # grown in this tick

    def stale(self, share: float) -> bool:
        """Whether so much is new that the group has to be grown again."""
        return self.pending > share * self.size


class Detector:
    """The resident window with everything derived from it."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.window = Window(policy.window_seconds * 1000, tuple(s * 1000 for s in policy.lag_scales))
        self.met = pairs.MetBefore()
        self.edges = Edges(policy.weak_p)
        self.affinity = Affinity(policy.default_shape, policy.default_rate)
        self.pairs_met = 0
        self.graph: nx.Graph[int] = nx.Graph()  # validated co-reports
        self.counters: Counter[str] = Counter()
        self._met_by_seq: list[tuple[int, int]] = []  # (latest seq, pairs met so far) after each tick since the last handover
        self._validated: tuple[Ints, Floats] = np.empty(0, np.int64), np.empty(0)
        self._seeds: list[MemberSet] = []  # components of the graph
        self._grown: dict[MemberSet, Grown] = {}
        self._measured: dict[MemberSet, Group | None] = {}

    # --- one tick

    def tick(self, batch: Complaints, removed: npt.ArrayLike = ()) -> list[Group]:
        """Take in what is new and give back all groups as they stand now; unchanged groups are the same objects."""
        events = self.window.append(batch)
        # After the arrivals: they may compact the columns, which would move what was just found.
        gone = self.window.remove(removed) if np.size(removed) else np.empty(0, np.int32)
        events = events[~self.window.gone[events]]
        if len(gone):
            self._rescore(self.edges.of(np.unique(self.window.reporter[gone]).astype(np.int64)))
        if len(events):
            met = pairs.meet(self.window, events, self.policy.neighbours, self.met)
            self._count(met)
            self._met_by_seq.append((int(batch.seq.max()), self.counters["pairs_met"]))
            self._analyse(met.first, met.second)
        self.edges.drop_inactive(self.window.degree)
        return self._groups(events, gone)

    @classmethod
    def sweep(cls, policy: Policy, batch: Complaints) -> tuple[Detector, list[Group]]:
        """One tick of the whole window on an empty detector: fits the affinity first, and sees every pair."""
        self = cls(policy)
        events = self.window.append(batch)
        if not len(events):
            return self, []
        met = pairs.meet(self.window, events, policy.neighbours, None, policy.fit_sample)
        self._count(met)
        self.affinity = Affinity(*fit_affinity(self.window, met.sample_first, met.sample_second, (policy.default_shape, policy.default_rate)))
        self._analyse(met.first, met.second)
        return self, self._groups(events, events[:0])

    def load(self, batch: Complaints) -> None:
        """Take complaints in without analysing them (a rebuild): their pairs come from `adopt`."""
        events = self.window.append(batch)
        pairs.mark_all(self.window, events, self.policy.neighbours, self.met)

    def fitted(self) -> Fitted:
        """What the next live detector needs of this sweep."""
        keys = self.window.reporters.keys
        first, second = self.edges.keys >> pairs.PAIR_BITS, self.edges.keys & 0xFFFFFFFF
        return Fitted(self.affinity, self.pairs_met, keys[first], keys[second], self.edges.p)

    def adopt(self, fitted: Fitted, since_seq: int) -> None:
        """Take a sweep's affinity, pair count and edges; pairs of reporters with complaints after `since_seq` keep their own."""
        window = self.window
        self.affinity = fitted.affinity
        first, second = window.reporters.find(fitted.first), window.reporters.find(fitted.second)
        rows = slice(0, window.size)
        newer = np.unique(window.reporter[rows][(window.seq[rows] > since_seq) & ~window.gone[rows]])
        keep_mine = np.zeros(max(len(window.reporters), 1), bool)
        keep_mine[newer] = True
        mine = keep_mine[self.edges.keys >> pairs.PAIR_BITS] | keep_mine[self.edges.keys & 0xFFFFFFFF]
        known = (first >= 0) & (second >= 0)
        known[known] = ~keep_mine[first[known]] & ~keep_mine[second[known]]
        keys, p = self.edges.keys[mine], self.edges.p[mine]
        self.edges = Edges(self.policy.weak_p)
        self.edges.update(np.concatenate([keys, pairs.pair_keys(first[known], second[known])]), np.concatenate([p, fitted.p[known]]))
        self.edges.drop_inactive(window.degree)
        seen = max((met for seq, met in self._met_by_seq if seq <= since_seq), default=0)
        self.pairs_met = fitted.pairs_met + self.counters["pairs_met"] - seen
        self._met_by_seq = [(0, seen), *(x for x in self._met_by_seq if x[0] > since_seq)]
        self._grown.clear()
        self._measured.clear()

    def regroup(self) -> list[Group]:
        """All groups anew, as after a sweep's handover."""
        none = np.empty(0, np.int32)
        return self._groups(none, none)

    def _count(self, met: pairs.Meetings) -> None:
        self.pairs_met += met.new_pairs
        self.counters["pairs_met"] += met.new_pairs
        self.counters["cut"] += met.cut
        self.counters["joined"] += len(met.first)

    def _analyse(self, first: Ints, second: Ints) -> None:
        joined = pairs.join(self.window, first, second, self.policy.size_strata)
        p = pair_p_values(self.window, joined, self.policy.size_strata, self.affinity.shape, self.affinity.rate)
        self.edges.update(pairs.pair_keys(joined.first, joined.second), p)

    def _rescore(self, keys: Ints) -> None:
        first, second = keys >> pairs.PAIR_BITS, keys & 0xFFFFFFFF
        self.edges.update(keys, np.ones(len(keys)))
        self._analyse(first, second)

    # --- groups

    def _groups(self, events: Events, gone: Events) -> list[Group]:
        self._refresh_graph()
        self._note_arrivals(events, gone)
        in_seeds = frozenset().union(*self._seeds)
        usual_fresh: float | None = None
        grown: dict[MemberSet, Grown] = {}
        for seed in self._seeds:
            known = self._grown.get(seed) or self._former(seed)
            if known is None or known.stale(self.policy.regrow_share):
                members = growth.grow(self.window, seed, in_seeds - seed, self.affinity, self.policy)
                known = Grown(seed, members, self._targets(members or seed))
                self.counters["grown"] += 1
            grown[seed] = known
        self._grown = grown
        merged = growth.merge({g.members for g in grown.values() if g.members}, self.policy.merge_share)
        fresh = {g.members for g in grown.values() if g.new}
        measured: dict[MemberSet, Group | None] = {}
        for members in merged:
            if members in self._measured and not any(members >= m for m in fresh):
                measured[members] = self._extended(members, events)
                continue
            if usual_fresh is None:
                usual_fresh = evidence.fresh_share(self.window, self.policy.fresh_account_seconds * 1000)
            measured[members] = self._measure(members, usual_fresh)
        self._measured = measured
        for known in grown.values():
            known.new = False
        return [g for g in measured.values() if g is not None]

    def _refresh_graph(self) -> None:
        """The graph of validated pairs and its components; few edges change in a tick, so only those are touched."""
        keys, p = self.edges.validated(self.pairs_met, self.policy.false_discovery_rate)
        old_keys, old_p = self._validated
        if np.array_equal(keys, old_keys) and np.array_equal(p, old_p):
            return
        for key in np.setdiff1d(old_keys, keys, assume_unique=True).tolist():
            self.graph.remove_edge(key >> pairs.PAIR_BITS, key & 0xFFFFFFFF)
        at = np.searchsorted(old_keys, keys)
        same = at < len(old_keys)
        same[same] = (old_keys[at[same]] == keys[same]) & (old_p[at[same]] == p[same])
        surprise = -np.log10(np.maximum(p[~same], 1e-300))
        self.graph.add_weighted_edges_from(
            ((key >> pairs.PAIR_BITS, key & 0xFFFFFFFF, s) for key, s in zip(keys[~same].tolist(), surprise.tolist(), strict=True)), weight="surprise")
        self.graph.remove_nodes_from([n for n, d in list(self.graph.degree) if d == 0])
        self._validated = keys, p
        self._seeds = [frozenset(c) for c in nx.connected_components(self.graph) if len(c) >= self.policy.min_members]

    def _note_arrivals(self, events: Events, gone: Events) -> None:
        """Count what is new about each known group: complaints of its members, and on its targets."""
        if not self._grown or not len(events) + len(gone):
            return
        both = np.concatenate([events, gone])
        who, what = self.window.reporter[both], self.window.target[both]
        for known in self._grown.values():
            known.pending += int((np.isin(what, known.targets) | np.isin(who, known.people)).sum())
            known.pending += known.size if len(gone) and np.isin(self.window.reporter[gone], known.people).any() else 0

    def _former(self, seed: MemberSet) -> Grown | None:
        """What a slightly different seed grew into, while the difference is too small to matter."""
        for old, known in self._grown.items():
            if not seed.isdisjoint(old):
                different = len(seed ^ old)
                if different <= self.policy.regrow_share * min(len(seed), len(old)):
                    known.pending += different
                    return known
        return None

    def _targets(self, members: MemberSet) -> Ints:
        return growth.targets_of(self.window, np.array(sorted(members), np.int64), self.policy.target_share)

    def _extended(self, members: MemberSet, events: Events) -> Group | None:
        """A known group with the tick's complaints of its members on its targets."""
        group = self._measured[members]
        if group is None or not len(events):
            return group
        window = self.window
        mine = events[np.isin(window.reporter[events], np.fromiter(members, np.int64, len(members)))]
        mine = mine[[k in group.targets for k in window.targets.keys[window.target[mine]].tolist()]] if len(mine) else mine
        if not len(mine):
            return group
        return replace(
            group, seq=np.concatenate([group.seq, window.seq[mine]]), reporter=np.concatenate([group.reporter, window.reporters.keys[window.reporter[mine]]]),
            target=np.concatenate([group.target, window.targets.keys[window.target[mine]]]), time_ms=np.concatenate([group.time_ms, window.time[mine] + window.origin]),
            exempt=np.concatenate([group.exempt, window.exempt[mine]]),
        )

    def _measure(self, members: MemberSet, usual_fresh: float) -> Group | None:
        window, who = self.window, np.array(sorted(members), np.int64)
        targets = growth.targets_of(window, who, self.policy.target_share)
        if len(targets) < 2 or len(who) < self.policy.min_members:
            return None
        weights = [d["surprise"] for _, _, d in self.graph.subgraph(members).edges(data=True)]
        measured = evidence.measure(window, who, targets, float(np.mean(weights)) if weights else 0.0, usual_fresh, self.policy)
        _, events = window.runs(window.by_pair, who)
        events = events[np.isin(window.target[events], targets)]
        events = events[np.lexsort((window.target[events], window.reporter[events], window.time[events]))]
        self.counters["measured"] += 1
        return self._named(who, targets, events, structural_evidence(measured, len(who), len(targets)))

    def _named(self, who: Ints, targets: Ints, events: Events, signals: tuple[Evidence, ...]) -> Group:
        window = self.window
        target_keys = window.targets.keys[targets]
        authors = window.authors.keys[window.author_of[targets]]
        return Group(
            frozenset(window.reporters.keys[who].tolist()), frozenset(target_keys.tolist()), window.seq[events], window.reporters.keys[window.reporter[events]],
            window.targets.keys[window.target[events]], window.time[events] + window.origin, window.exempt[events], signals,
            dict(zip(target_keys.tolist(), authors.tolist(), strict=True)),
        )
