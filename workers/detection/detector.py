"""The whole of detection in one object: complaints in, groups out.

A live worker keeps one and ticks it. A sweep, a rebuild and each window of an audit are one tick of the whole window on
an empty one: there is one code path.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import networkx as nx
import numpy as np
import numpy.typing as npt

from service.moderation.signals.signal import ContextSource
from service.policy import Policy
from workers.detection import contexts, pairs
from workers.detection.arrays import Events, Floats, Ints
from workers.detection.authors import author_groups
from workers.detection.contexts import Inferred
from workers.detection.crossings import crossing_pairs
from workers.detection.grouping import Grouping
from workers.detection.groups import Group
from workers.detection.growth import Affinity, MemberSet
from workers.detection.in_step import InStep
from workers.detection.known_clusters import KnownClusters
from workers.detection.null_model import fit_affinity, pair_p_values
from workers.detection.pair_store import PairStore
from workers.detection.seed_growth import Lead
from workers.detection.seeds import components
from workers.detection.shared_crowds import shared_crowds
from workers.detection.sorted_index import AT_ONCE
from workers.detection.swept_pairs import PairSweep, SweptPairs, in_numpy
from workers.detection.threads import pool_of
from workers.detection.twins import SURPRISE, twin_pairs
from workers.detection.window import Complaints, Window

LARGEST_LIST = 400  # reporters: a larger set of people who share crowds is the whole community
LARGEST_CROSSING = 200  # reporters: a larger component of crossing pairs is the whole community, not a group


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a sweep passes to the live detector. Reporters and targets are the caller's keys."""

    affinity: Affinity
    pairs_met: int  # m
    first: Ints  # edges as reporter keys
    second: Ints
    p: Floats
    leads: tuple[Lead, ...]
    crossing_first: Ints  # pairs that meet across contexts, as reporter keys
    crossing_second: Ints
    crossing_p: Floats
    hot_slices: int
    contexts: Inferred | None  # None: they were given, or there is nothing to infer from


class Detector:
    """The resident window with everything derived from it."""

    def __init__(self, policy: Policy, known: KnownClusters | None = None, threads: int = 1) -> None:
        """`known`: clusters whose members are recognised when they return; whoever holds them keeps them true.

        `threads`: how many may share one calculation.
        """
        self.policy = policy
        self.window = Window(policy.window_seconds * 1000, tuple(s * 1000 for s in policy.lag_scales), threads)
        self.met = pairs.MetBefore()
        self.edges = PairStore(policy.weak_p)
        self.grouping = Grouping(policy, self.window, self.edges, known or KnownClusters())
        self.in_step = InStep(self.window)
        self.inferred: Inferred | None = None
        # (latest seq, pairs met so far) after each tick since the last handover
        self._met_by_seq: list[tuple[int, int]] = []

    @property
    def counters(self) -> Counter[str]:
        """Counters since the start."""
        return self.grouping.counters

    @property
    def affinity(self) -> Affinity:
        """The null model's gamma."""
        return self.grouping.pairs.affinity

    @property
    def pairs_met(self) -> int:
        """m: distinct pairs that met in the window."""
        return self.grouping.pairs.tests

    @property
    def graph(self) -> nx.Graph[int]:
        """The validated co-reports."""
        return self.grouping.pairs.graph

    def tick(self, batch: Complaints, removed: npt.ArrayLike = ()) -> list[Group]:
        """Take in what is new and give back all groups as they stand now; unchanged groups are the same objects."""
        if self.inferred is not None:
            batch = contexts.continued(self.window, batch, self.inferred)
        elif batch.context.any():
            self.grouping.measurement.contexts = "given"
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
        self.grouping.seeds.in_step = self._in_step()
        return self.grouping.update(events, gone)

    @classmethod
    def sweep(
        cls, policy: Policy, batch: Complaints, pair_sweep: PairSweep = in_numpy, threads: int = 1
    ) -> tuple[Detector, list[Group]]:
        """One tick of the whole window on an empty detector: fits the null model first, and sees every pair.

        `pair_sweep` may compute what the pairs come to elsewhere, with the same result. A large window is swept in so
        many `threads`.
        """
        self = cls(policy, threads=threads)
        if not len(batch):
            return self, []
        given, alone = contexts.given_contexts(batch)
        batch = contexts.without(batch, ~given)
        self.grouping.measurement.contexts = "given"
        if given.mean() < contexts.MOSTLY_GIVEN:
            self.window.append(batch)
            inferred = contexts.infer(self.window, policy.neighbours, alone=alone)
            self = cls(policy, threads=threads)
            self.inferred = inferred
            batch = contexts.labelled(batch, inferred)
            self.grouping.measurement.contexts = _source_of(inferred)
        swept = pair_sweep(policy, batch)  # before the window is filled: both need memory
        events = self.window.append(batch)
        del batch  # its caller may not need it any more either
        self.window.count_all()
        if swept is None:
            self._sweep_pairs(events)
        else:
            self._take_over(swept)
        self._follow_leads()
        return self, self.grouping.update(events, events[:0], whole=True)

    def _sweep_pairs(self, events: Events) -> None:
        policy = self.policy
        met = pairs.meet(self.window, events, policy.neighbours, None, policy.fit_sample)
        self._count(met)
        self.grouping.pairs.affinity = Affinity(
            *fit_affinity(self.window, met.sample_first, met.sample_second, (policy.default_shape, policy.default_rate))
        )
        self._analyse(met.first, met.second)

    def _take_over(self, swept: SweptPairs) -> None:
        self._add(swept.pairs_met, swept.cut, swept.joined)
        self.grouping.pairs.affinity = swept.affinity
        keys, at = self._numbered(swept.first, swept.second)
        self.edges.update(keys, swept.p[at])
        keys, at = self._numbered(swept.near_first, swept.near_second)
        self.in_step.look_at(keys >> pairs.PAIR_BITS, keys & 0xFFFFFFFF, swept.near[at])

    def _follow_leads(self) -> None:
        """The seeds that pairs with a small p do not show; most of them need the whole window."""
        window, least, keys = self.window, self.policy.min_members, self.window.reporters.keys
        # In little windows threads would mostly wait for each other.
        with pool_of(window.threads if window.live > AT_ONCE else 1) as pool:
            crowds = pool.submit(shared_crowds, window)
            twins = pool.submit(self._twins)
            authors = pool.submit(author_groups, window)
            crossing, p = pool.submit(crossing_pairs, window, self.policy.neighbours).result()
        self.grouping.pairs.cross(crossing, p)
        # As in the other tiers, pairs that pass on their own seed on their own.
        validated, _ = self.edges.validated(self.pairs_met, self.policy.false_discovery_rate)
        parts = components(crossing[~np.isin(crossing, validated)], least)
        self.grouping.seeds.leads = [
            *(
                Lead("crossing", frozenset(keys[sorted(part)].tolist()), 0.0)
                for part in parts
                if len(part) <= LARGEST_CROSSING
            ),
            *(
                Lead("crowds", frozenset(keys[sorted(part)].tolist()), 0.0)
                for part in crowds.result()
                if least <= len(part) <= LARGEST_LIST
            ),
            *(
                Lead("twins", frozenset(keys[sorted(part)].tolist()), SURPRISE)
                for part in twins.result()
                if len(part) <= LARGEST_CROSSING
            ),
            *self._in_step(),
            *(
                Lead("author", frozenset(keys[sorted(group.members)].tolist()), group.surprise)
                for group in authors.result()
            ),
        ]

    def _in_step(self) -> list[Lead]:
        keys = self.window.reporters.keys
        return [Lead("in_step", frozenset(keys[sorted(part)].tolist()), SURPRISE) for part in self.in_step.sets()]

    def _twins(self) -> list[MemberSet]:
        """Without contexts that were given, the readers of one article would be twins as well."""
        return (
            components(twin_pairs(self.window, self.policy.neighbours), self.policy.min_members)
            if self.grouping.measurement.contexts == "given"
            else []
        )

    def load(self, parts: Iterable[tuple[Complaints, Sequence[int]]]) -> None:
        """Take complaints into an empty window without analysing them (a rebuild): their pairs come from `adopt`.

        Beside each part, the seqs of earlier parts that no longer stand.
        """
        for batch, removed in parts:
            if self.inferred is not None:
                batch = contexts.labelled(batch, self.inferred)
            elif batch.context.any():
                self.grouping.measurement.contexts = "given"
            if removed:
                self.window.remove(removed)
            self.window.append(batch)
        pairs.mark_all(self.window, self.policy.neighbours, self.met)

    def fitted(self) -> Fitted:
        """What the next live detector needs of this sweep."""
        keys = self.window.reporters.keys
        first, second = self.edges.keys >> pairs.PAIR_BITS, self.edges.keys & 0xFFFFFFFF
        crossing, crossing_p = self.grouping.pairs.crossing
        return Fitted(
            self.affinity,
            self.pairs_met,
            keys[first],
            keys[second],
            self.edges.p,
            tuple(self.grouping.seeds.leads),
            keys[crossing >> pairs.PAIR_BITS],
            keys[crossing & 0xFFFFFFFF],
            crossing_p,
            self.grouping.crowds.hot_slices,
            self.inferred,
        )

    def adopt(self, fitted: Fitted, since_seq: int) -> None:
        """Take over a sweep; pairs of reporters with complaints after `since_seq` keep their own p."""
        window, grouping = self.window, self.grouping
        grouping.pairs.affinity, grouping.seeds.leads = fitted.affinity, list(fitted.leads)
        grouping.crowds.hot_slices = fitted.hot_slices
        self.inferred = fitted.contexts
        grouping.measurement.contexts = "given"
        if fitted.contexts is not None:
            window.relabel(fitted.contexts.targets, fitted.contexts.labels)
            grouping.measurement.contexts = _source_of(fitted.contexts)
        rows = slice(0, window.size)
        newer = np.unique(window.reporter[rows][(window.seq[rows] > since_seq) & ~window.gone[rows]])
        keep_mine = np.zeros(max(len(window.reporters), 1), bool)
        keep_mine[newer] = True
        mine = keep_mine[self.edges.keys >> pairs.PAIR_BITS] | keep_mine[self.edges.keys & 0xFFFFFFFF]
        theirs, at = self._numbered(fitted.first, fitted.second)
        own = ~keep_mine[theirs >> pairs.PAIR_BITS] & ~keep_mine[theirs & 0xFFFFFFFF]
        keys, p = self.edges.keys[mine], self.edges.p[mine]
        self.edges.replace(np.concatenate([keys, theirs[own]]), np.concatenate([p, fitted.p[at][own]]))
        self.edges.drop_inactive(window.degree)
        crossing, at = self._numbered(fitted.crossing_first, fitted.crossing_second)
        grouping.pairs.cross(crossing, fitted.crossing_p[at])
        self.in_step.look_again(self.policy.size_strata)
        grouping.seeds.in_step = self._in_step()
        seen = max((met for seq, met in self._met_by_seq if seq <= since_seq), default=0)
        grouping.pairs.tests = fitted.pairs_met + self.counters["pairs_met"] - seen
        self._met_by_seq = [(0, seen), *(x for x in self._met_by_seq if x[0] > since_seq)]
        grouping.forget()

    def _numbered(self, first: Ints, second: Ints) -> tuple[Ints, Ints]:
        """Pair keys of reporter keys that this window knows, and which of the pairs they are."""
        a, b = self.window.reporters.find(first), self.window.reporters.find(second)
        known = np.flatnonzero((a >= 0) & (b >= 0))
        return pairs.pair_keys(a[known], b[known]), known

    def regroup(self) -> list[Group]:
        """All groups again, as after a sweep's handover."""
        return self.grouping.regroup()

    def _count(self, met: pairs.Meetings) -> None:
        self._add(met.new_pairs, met.cut, len(met.first))

    def _add(self, new_pairs: int, cut: int, joined: int) -> None:
        self.grouping.pairs.tests += new_pairs
        self.counters["pairs_met"] += new_pairs
        self.counters["cut"] += cut
        self.counters["joined"] += joined

    def _analyse(self, first: Ints, second: Ints) -> None:
        joined = pairs.join(self.window, first, second, self.policy.size_strata)
        p = pair_p_values(self.window, joined, self.policy.size_strata, self.affinity.shape, self.affinity.rate)
        self.edges.update(pairs.pair_keys(joined.first, joined.second), p)
        self.in_step.look(joined)

    def _rescore(self, keys: Ints) -> None:
        first, second = keys >> pairs.PAIR_BITS, keys & 0xFFFFFFFF
        self.edges.update(keys, np.ones(len(keys)))
        self._analyse(first, second)


def _source_of(inferred: Inferred) -> ContextSource:
    return "inferred" if inferred.coverage > 0 else "none"
