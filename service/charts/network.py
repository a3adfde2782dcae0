"""A cluster's graph with coordinates for every node: for a canvas in the console, and as SVG on paper. PURE.

Reporters and targets are in two columns, in the order of the lockstep chart, so that the two can be compared. The
co-report graph has a force-directed layout (networkx, with a fixed seed, so that the same cluster always looks the
same): reporters who share many targets are close together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import networkx as nx
from markupsafe import Markup

from service.charts.words import cut
from service.moderation.graphs import Tie, View, draw

NODES = {"bipartite": 400, "co-report": 250}  # drawn at most; the most connected are kept
EDGES = 6_000  # drawn at most, the heaviest
SEED, ROUNDS = 20_211_223, 60
_WIDTH, _HEIGHT, _MARGIN = 720, 520, 24


@dataclass(frozen=True, slots=True)
class Node:
    """One reporter or target and its place, both in 0..1."""

    kind: str  # reporter | target
    id: str
    x: float
    y: float
    complaints: int


@dataclass(frozen=True, slots=True)
class Network:
    """A drawn graph; edges are (index of a node, index of another, weight), the lightest first, so that the heaviest
    lie on top.
    """

    view: View
    nodes: tuple[Node, ...]
    edges: tuple[tuple[int, int, int], ...]
    nodes_left_out: int
    edges_left_out: int | None  # None: not counted


def network_of(ties: Iterable[Tie], view: View, reporters: Sequence[str], targets: Sequence[str]) -> Network:
    """The graph of these ties; `reporters` and `targets` give the order in the lockstep chart (others come last)."""
    picture = draw(ties, view, node_limit=NODES[view])
    graph = picture.graph
    weighted: list[tuple[str, str, int]] = [
        (one, other, int(data["weight"])) for one, other, data in graph.edges(data=True)
    ]
    heaviest = sorted(weighted, key=lambda edge: (-edge[2], edge[0], edge[1]))[:EDGES]
    dropped = graph.number_of_edges() - len(heaviest)
    places = _columns(graph, reporters, targets) if view == "bipartite" else _forces(graph)
    names = list(graph.nodes)
    index = {name: k for k, name in enumerate(names)}
    nodes = tuple(
        Node(data["kind"], data["name"], *places[name], complaints=data["complaints"])
        for name, data in graph.nodes(data=True)
    )
    edges = tuple((index[one], index[other], weight) for one, other, weight in reversed(heaviest))
    left_out = picture.truncated.edges
    return Network(view, nodes, edges, picture.truncated.nodes, None if left_out is None else left_out + dropped)


def _columns(graph: nx.Graph[str], reporters: Sequence[str], targets: Sequence[str]) -> dict[str, tuple[float, float]]:
    places = {}
    for kind, x, order in (("reporter", 0.0, reporters), ("target", 1.0, targets)):
        rank = {name: k for k, name in enumerate(order)}
        column = sorted(
            (name for name, data in graph.nodes(data=True) if data["kind"] == kind),
            key=lambda name: (rank.get(name.partition(":")[2], len(rank)), name),
        )
        for k, name in enumerate(column):
            places[name] = (x, (k + 0.5) / len(column))
    return places


def _forces(graph: nx.Graph[str]) -> dict[str, tuple[float, float]]:
    if graph.number_of_nodes() < 2:
        return dict.fromkeys(graph.nodes, (0.5, 0.5))
    raw = nx.spring_layout(graph, weight="weight", seed=SEED, iterations=ROUNDS)
    low = [min(float(at[axis]) for at in raw.values()) for axis in (0, 1)]
    span = [max(max(float(at[axis]) for at in raw.values()) - low[axis], 1e-9) for axis in (0, 1)]
    return {
        name: (round((float(at[0]) - low[0]) / span[0], 4), round((float(at[1]) - low[1]) / span[1], 4))
        for name, at in raw.items()
    }


def network_svg(network: Network, name: str) -> Markup:
    """The picture as SVG with classes for the page's style.

    `name` starts the ids inside: plain letters and digits, unique on the page.
    """
    if network.view == "bipartite":
        description = (
            f"Reporters on the left and targets on the right, {len(network.edges)} lines for who complained about what"
        )
    else:
        description = (
            f"{len(network.nodes)} reporters; {len(network.edges)} lines join those who complained about the same"
            " targets"
        )
    left, right = (170, _WIDTH - 170) if network.view == "bipartite" else (_MARGIN, _WIDTH - _MARGIN)
    tall = (
        max(
            _HEIGHT,
            13 * max((sum(n.kind == kind for n in network.nodes) for kind in ("reporter", "target")), default=0),
        )
        if network.view == "bipartite"
        else _HEIGHT
    )
    spots = [
        (round(left + n.x * (right - left), 1), round(_MARGIN + n.y * (tall - 2 * _MARGIN), 1)) for n in network.nodes
    ]
    parts = [
        Markup(
            '<svg class="network" role="img" aria-labelledby="{0}-t" width="{1}" height="{2}" viewBox="0 0 {1}'
            ' {2}"><title id="{0}-t">{3}</title>'
        ).format(name, _WIDTH, tall, description)
    ]
    most = max((weight for _, _, weight in network.edges), default=1)
    for level in range(3):  # three strengths, one path each: thousands of elements would make the page slow
        path = "".join(
            f"M{spots[one][0]:g} {spots[one][1]:g}L{spots[other][0]:g} {spots[other][1]:g}"
            for one, other, weight in network.edges
            if min(2, int(3 * weight / (most + 1))) == level
        )
        if path:
            parts.append(Markup('<path class="edge edge{}" d="{}"/>').format(level, path))
    for node, (x, y) in zip(network.nodes, spots, strict=True):
        if node.kind == "target":
            parts.append(
                Markup('<rect class="node target" x="{}" y="{}" width="9" height="9"/>').format(x - 4.5, y - 4.5)
            )
        else:
            parts.append(Markup('<circle class="node reporter" cx="{}" cy="{}" r="4.5"/>').format(x, y))
        if network.view == "bipartite":
            at, kind = (x - 9, "label end id") if node.kind == "reporter" else (x + 9, "label id")
            parts.append(Markup('<text class="{}" x="{}" y="{}">{}</text>').format(kind, at, y + 4, cut(node.id)))
    return Markup("").join([*parts, Markup("</svg>")])
