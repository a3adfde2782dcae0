"""The pairs of a window as a graph, and how surprising a set of reporters is against them."""

from __future__ import annotations

import networkx as nx
import numpy as np

from service.policy import Policy
from workers.detection import pairs, surprise
from workers.detection.arrays import Floats, Ints
from workers.detection.growth import Affinity, MemberSet
from workers.detection.null_model import pair_p_values
from workers.detection.pair_store import PairStore
from workers.detection.window import Window


class PairGraph:
    """Validated co-reports of one window, kept up to date from the pair store."""

    def __init__(self, policy: Policy, window: Window, edges: PairStore) -> None:
        self.policy, self.window, self.edges = policy, window, edges
        self.graph: nx.Graph[int] = nx.Graph()  # validated co-reports
        self.affinity = Affinity(policy.default_shape, policy.default_rate)
        self.tests = 0  # distinct pairs that met: the number of tests
        self.crossing: tuple[Ints, Floats] = np.empty(0, np.int64), np.empty(0)
        self.components: list[MemberSet] = []  # connected, of the smallest group's size at least
        self._validated: tuple[Ints, Floats] = np.empty(0, np.int64), np.empty(0)

    def cross(self, keys: Ints, p: Floats) -> None:
        """Set the pairs that meet across contexts: they count as the best pair of a group."""
        order = np.argsort(keys)
        self.crossing = keys[order], p[order]

    def refresh(self) -> Ints:
        """Bring the graph up to date; the keys of the validated pairs. Few edges change in a tick: only they do."""
        keys, p = self.edges.validated(self.tests, self.policy.false_discovery_rate)
        old_keys, old_p = self._validated
        if np.array_equal(keys, old_keys) and np.array_equal(p, old_p):
            return keys
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
        self.components = [
            frozenset(c) for c in nx.connected_components(self.graph) if len(c) >= self.policy.min_members
        ]
        return keys

    def mean_surprise(self, members: MemberSet) -> float:
        """Mean -log10 p of the validated pairs among the members; 0 without any."""
        weights = [d["surprise"] for _, _, d in self.graph.subgraph(members).edges(data=True)]
        return float(np.mean(weights)) if weights else 0.0

    def group_surprise(self, who: Ints, targets: Ints) -> float:
        """-log10 p of the members meeting on the targets as they do (workers/detection/surprise.py)."""
        return surprise.group_surprise(
            self.window, who, targets, self._best_pair(who), self.tests, self.affinity, self.policy
        )

    def _best_pair(self, who: Ints) -> tuple[int, int, float] | None:
        """The pair of members with the smallest p, against what people outside the group did."""
        by_key = np.argsort(self.window.reporters.keys[who])  # the window's own numbers depend on who came first
        ends = who[by_key[: surprise.MEMBERS_WEIGHED]]
        one, two = np.triu_indices(len(ends), 1)
        joined = pairs.join(self.window, ends[one], ends[two], self.policy.size_strata)
        p = pair_p_values(
            self.window, joined, self.policy.size_strata, self.affinity.shape, self.affinity.rate, group=who
        )
        keys = pairs.pair_keys(joined.first, joined.second)
        crossing, crossing_p = self.crossing
        inside = pairs.pairs_among(crossing, who)
        return surprise.best_pair(
            self.window, np.concatenate([keys, crossing[inside]]), np.concatenate([p, crossing_p[inside]])
        )
