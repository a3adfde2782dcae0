"""Pictures of one cluster as networkx graphs: who complained about what, and who complained together.

Two views. Bipartite: reporters and targets, an edge where one complained about the other. Co-report: reporters
alone, an edge for every two that share targets of the cluster, its weight the number shared. Both are
bounded: the most connected nodes are kept and then the heaviest edges, ties by name, so that the same
cluster gives the same picture; what was left out is counted. Coordinates are added by service/charts/network.py.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import Any, Literal

import networkx as nx
import numpy as np
from scipy import sparse

View = Literal["bipartite", "co-report"]
EDGE_LIMIT = 20_000  # of one picture: 2,000 reporters of one target alone would make two million pairs
# above this number of encounters between two reporters, omitted pairs are not counted (it would take over a second)
COUNTED_PAIRS = 2_000_000
# XML 1.0 cannot represent these two; it can represent every other character that an id may contain.
_NOT_XML = {"\ufffe": "\\ufffe", "\uffff": "\\uffff"}


@dataclass(frozen=True, slots=True)
class Tie:
    """One reporter's complaints about one target."""

    reporter: str
    target: str
    complaints: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Truncated:
    """What a picture leaves out; `edges` is None where counting all would cost too much."""

    nodes: int
    edges: int | None


@dataclass(frozen=True, slots=True)
class Picture:
    """A graph, and what it leaves out. Nodes are named `reporter:<id>` and `target:<id>`."""

    graph: nx.Graph[str]
    truncated: Truncated


def draw(ties: Iterable[Tie], view: View, *, node_limit: int) -> Picture:
    """The cluster's picture with at most `node_limit` nodes and EDGE_LIMIT edges; the order of ties is irrelevant.

    Raises ValueError for a limit below 1.
    """
    if node_limit < 1:
        raise ValueError(f"node_limit = {node_limit} must be at least 1")
    ordered = sorted(ties, key=lambda tie: (tie.reporter, tie.target))
    return _bipartite(ordered, node_limit) if view == "bipartite" else _co_report(ordered, node_limit)


def _bipartite(ties: Sequence[Tie], node_limit: int) -> Picture:
    ties_by_node: dict[tuple[str, str], list[Tie]] = defaultdict(list)
    for tie in ties:
        ties_by_node["reporter", tie.reporter].append(tie)
        ties_by_node["target", tie.target].append(tie)
    ranked = sorted(ties_by_node, key=lambda node: (-len(ties_by_node[node]), -_complaints(ties_by_node[node]), node))
    kept = set(ranked[:node_limit])
    graph: nx.Graph[str] = nx.Graph()
    for node in ranked[:node_limit]:
        graph.add_node(f"{node[0]}:{node[1]}", **_node(node[0], node[1], ties_by_node[node]))
    drawn = sorted(
        (tie for tie in ties if ("reporter", tie.reporter) in kept and ("target", tie.target) in kept),
        key=lambda tie: (-tie.complaints, tie.reporter, tie.target),
    )
    for tie in drawn[:EDGE_LIMIT]:
        graph.add_edge(
            f"reporter:{tie.reporter}",
            f"target:{tie.target}",
            weight=tie.complaints,
            first_at=_text(tie.first_at),
            last_at=_text(tie.last_at),
        )
    return Picture(graph, Truncated(len(ranked) - len(kept), len(ties) - graph.number_of_edges()))


def _co_report(ties: Sequence[Tie], node_limit: int) -> Picture:
    ties_by_reporter: dict[str, list[Tie]] = defaultdict(list)
    reporters_by_target: dict[str, int] = defaultdict(int)
    for tie in ties:
        ties_by_reporter[tie.reporter].append(tie)
        reporters_by_target[tie.target] += 1
    # Connected: how often a reporter met another on a target, which is the sum of its edges' weights.
    meetings = {
        reporter: sum(reporters_by_target[tie.target] - 1 for tie in own) for reporter, own in ties_by_reporter.items()
    }
    ranked = sorted(
        ties_by_reporter, key=lambda reporter: (-meetings[reporter], -_complaints(ties_by_reporter[reporter]), reporter)
    )
    kept = ranked[:node_limit]
    graph: nx.Graph[str] = nx.Graph()
    for reporter in kept:
        graph.add_node(f"reporter:{reporter}", **_node("reporter", reporter, ties_by_reporter[reporter]))
    first, second, shared = _pairs(kept, ties_by_reporter)
    # pairs come by rank of their reporters, which decides ties
    heaviest = np.argsort(-shared, kind="stable")[:EDGE_LIMIT]
    for i, j, weight in zip(
        first[heaviest].tolist(), second[heaviest].tolist(), shared[heaviest].tolist(), strict=True
    ):
        together = _together(ties_by_reporter[kept[i]], ties_by_reporter[kept[j]])
        graph.add_edge(
            f"reporter:{kept[i]}",
            f"reporter:{kept[j]}",
            weight=weight,
            first_at=_text(min(together)),
            last_at=_text(max(together)),
        )
    left_out: int | None = len(first) - len(heaviest)
    if len(kept) < len(ranked):
        left_out = (
            len(_pairs(ranked, ties_by_reporter)[0]) - len(heaviest)
            if sum(n * (n - 1) // 2 for n in reporters_by_target.values()) <= COUNTED_PAIRS
            else None
        )
    return Picture(graph, Truncated(len(ranked) - len(kept), left_out))


def _pairs(reporters: Sequence[str], ties_by_reporter: Mapping[str, Sequence[Tie]]) -> tuple[Any, Any, Any]:
    """Indexes i < j into `reporters`, in that order, and the number of targets that the two share (>= 1)."""
    column_by_target: dict[str, int] = {}
    rows, columns = [], []
    for row, reporter in enumerate(reporters):
        for tie in ties_by_reporter[reporter]:
            rows.append(row)
            columns.append(column_by_target.setdefault(tie.target, len(column_by_target)))
    incidence = sparse.csr_array(
        (np.ones(len(rows), np.int64), (rows, columns)), shape=(len(reporters), len(column_by_target))
    )
    product = incidence @ incidence.T
    product.sort_indices()
    shared = product.tocoo()
    above = shared.row < shared.col
    return shared.row[above], shared.col[above], shared.data[above]


def _together(one: Iterable[Tie], other: Iterable[Tie]) -> list[datetime]:
    """For each target of both, when the second of the two had complained."""
    first_by_target = {tie.target: tie.first_at for tie in one}
    return [max(first_by_target[tie.target], tie.first_at) for tie in other if tie.target in first_by_target]


def _complaints(ties: Iterable[Tie]) -> int:
    return sum(tie.complaints for tie in ties)


def _node(kind: str, name: str, ties: Sequence[Tie]) -> dict[str, Any]:
    return {
        "kind": kind,
        "name": name,
        "complaints": _complaints(ties),
        "first_at": _text(min(tie.first_at for tie in ties)),
        "last_at": _text(max(tie.last_at for tie in ties)),
    }


def _text(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def node_link(picture: Picture, **about: str) -> dict[str, Any]:
    """The picture as networkx node-link data with the keys nodes and edges; `about` and the count of what is left out
    are in `graph`.

    `networkx.node_link_graph(data, edges="edges")` reads it back.
    """
    data: dict[str, Any] = nx.node_link_data(picture.graph, edges="edges")
    data["graph"] = {**about, "truncated": {"nodes": picture.truncated.nodes, "edges": picture.truncated.edges}}
    return data


def graphml(picture: Picture, **about: str) -> bytes:
    """The picture as GraphML in UTF-8; `about`, truncated_nodes and truncated_edges (absent: not counted) are graph
    attributes.

    A name with one of the two characters that XML cannot represent (U+FFFE, U+FFFF) is written with backslash
    escapes and its node is marked `reporter(escaped):`, so that it cannot be mistaken for another name.
    """
    written: nx.Graph[str] = nx.Graph()
    written.graph.update({key: _xml(value) for key, value in about.items()}, truncated_nodes=picture.truncated.nodes)
    if picture.truncated.edges is not None:
        written.graph["truncated_edges"] = picture.truncated.edges
    written.add_nodes_from(
        (_xml_node(node), {**data, "name": _xml(data["name"])}) for node, data in picture.graph.nodes(data=True)
    )
    written.add_edges_from(
        (_xml_node(one), _xml_node(other), data) for one, other, data in picture.graph.edges(data=True)
    )
    out = BytesIO()
    # the standard library's writer: the same with and without lxml
    nx.readwrite.graphml.write_graphml_xml(written, out)
    return out.getvalue()


def _xml(text: str) -> str:
    if not any(character in text for character in _NOT_XML):
        return text
    text = text.replace("\\", "\\\\")
    for character, escaped in _NOT_XML.items():
        text = text.replace(character, escaped)
    return text


def _xml_node(node: str) -> str:
    kind, _, name = node.partition(":")
    escaped = _xml(name)
    return node if escaped == name else f"{kind}(escaped):{escaped}"
