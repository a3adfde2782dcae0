"""Seeds: sets of reporters that may grow into groups."""

from __future__ import annotations

import networkx as nx
import numpy as np
import scipy.sparse as sp

from workers.detection.arrays import Ints
from workers.detection.growth import MemberSet
from workers.detection.pair_store import PairStore
from workers.detection.pairs import PAIR_BITS

LARGEST_SEED = 60  # a larger component of weak pairs is cut into communities


def components(keys: Ints, smallest: int) -> list[MemberSet]:
    """Connected components of pairs, of at least `smallest` reporters."""
    if not len(keys):
        return []
    nodes, where = np.unique(np.concatenate([keys >> PAIR_BITS, keys & 0xFFFFFFFF]), return_inverse=True)
    matrix = sp.coo_matrix(
        (np.ones(len(keys), np.int8), (where[: len(keys)], where[len(keys) :])), shape=(len(nodes), len(nodes))
    )
    count, label = sp.csgraph.connected_components(matrix, directed=False)
    order = np.argsort(label, kind="stable")
    parts = np.split(nodes[order], np.cumsum(np.bincount(label, minlength=count))[:-1])
    return [frozenset(part.tolist()) for part in parts if len(part) >= smallest]


def in_triangles(keys: Ints) -> Ints:
    """The pairs that close a triangle with two other pairs: a single weak pair may be chance, three that agree are a
    lead.
    """
    if len(keys) < 3:
        return keys[:0]
    nodes, where = np.unique(np.concatenate([keys >> PAIR_BITS, keys & 0xFFFFFFFF]), return_inverse=True)
    u, w = where[: len(keys)], where[len(keys) :]
    matrix = sp.coo_matrix(
        (np.ones(2 * len(keys), np.int32), (np.r_[u, w], np.r_[w, u])), shape=(len(nodes), len(nodes))
    ).tocsr()
    third = np.asarray((matrix @ matrix)[u, w]).ravel()
    return keys[third >= 1]


def weak_seeds(
    edges: PairStore, validated: Ints, smallest: int, cut: list[MemberSet] | None
) -> tuple[list[MemberSet], list[MemberSet]]:
    """Components of weak pairs in triangles, with the validated pairs that hold them together; and the communities that
    large ones are cut into.

    A component without a weak pair is a strong seed and not among them. With `cut`, earlier communities, large
    components are not cut again: small brigades are small components, and the large component of readers changes at
    every tick.
    """
    closed = in_triangles(edges.keys)
    weak = closed[~np.isin(closed, validated)]
    if not len(weak):
        return [], []
    ends = set((weak >> PAIR_BITS).tolist()) | set((weak & 0xFFFFFFFF).tolist())
    pairs = np.union1d(weak, validated)
    parts = [part for part in components(pairs, smallest) if not part.isdisjoint(ends)]
    if cut is None:
        cut = [
            community for part in parts if len(part) > LARGEST_SEED for community in _communities(part, pairs, smallest)
        ]
    return [part for part in parts if len(part) <= LARGEST_SEED], cut


def _communities(part: MemberSet, keys: Ints, smallest: int) -> list[MemberSet]:
    members = np.fromiter(part, np.int64, len(part))
    inside = keys[np.isin(keys >> PAIR_BITS, members)]
    graph: nx.Graph[int] = nx.Graph()
    graph.add_edges_from(zip((inside >> PAIR_BITS).tolist(), (inside & 0xFFFFFFFF).tolist(), strict=True))
    return [frozenset(c) for c in nx.community.louvain_communities(graph, seed=0) if len(c) >= smallest]
