"""A case's graphs with places for their nodes."""

from __future__ import annotations

import time
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta

import pytest

from service.charts.network import EDGES, NODES, Network, network_of, network_svg
from service.moderation.graphs import Tie

AT = datetime(2026, 3, 2, tzinfo=UTC)
HOSTILE = '"><script>alert(1)</script>'


def ties(people: int, targets: int) -> list[Tie]:
    return [
        Tie(f"r{w}", f"t{t}", 1, AT + timedelta(days=t), AT + timedelta(days=t))
        for t in range(targets)
        for w in range(people)
    ]


def drawn(view: str, people: int = 4, targets: int = 3) -> Network:
    return network_of(ties(people, targets), view, [f"r{w}" for w in range(people)], [f"t{t}" for t in range(targets)])  # type: ignore[arg-type]


def test_reporters_and_targets_stand_in_two_columns_in_the_raster_s_order() -> None:
    found = drawn("bipartite")
    left = [n.id for n in sorted(found.nodes, key=lambda n: n.y) if n.kind == "reporter"]
    assert (
        left == ["r0", "r1", "r2", "r3"]
        and {n.x for n in found.nodes if n.kind == "reporter"} == {0.0}
        and {n.x for n in found.nodes if n.kind == "target"} == {1.0}
    )
    assert len(found.edges) == 12 and found.nodes_left_out == 0 and found.edges_left_out == 0


def test_the_same_cluster_always_looks_the_same_whatever_the_order_of_its_complaints() -> None:
    mine = ties(9, 4)
    one, other = (network_of(some, "co-report", (), ()) for some in (mine, mine[::-1]))
    assert one == other and all(0 <= n.x <= 1 and 0 <= n.y <= 1 for n in one.nodes)


@pytest.mark.parametrize("view", ["bipartite", "co-report"])
def test_a_large_case_is_bounded_says_what_is_left_out_and_is_quick(view: str) -> None:
    began = time.perf_counter()
    found = drawn(view, 500, 60)
    assert time.perf_counter() - began < 12, "a second alone; other tests share the machine"
    assert len(found.nodes) <= NODES[view] and len(found.edges) <= EDGES and found.nodes_left_out > 0


@pytest.mark.parametrize("view", ["bipartite", "co-report"])
def test_the_svg_is_well_formed_and_ids_are_text(view: str) -> None:
    mine = [Tie(f"{HOSTILE}{w}", f"{HOSTILE}{t}", 1, AT, AT) for t in range(3) for w in range(3)]
    svg = network_svg(network_of(mine, view, (), ()), "n1")  # type: ignore[arg-type]
    root = ET.fromstring(svg)
    assert root.find("title") is not None and not list(root.iter("script")) and "<script" not in svg


@pytest.mark.parametrize("view", ["bipartite", "co-report"])
def test_one_or_none_is_drawn_too(view: str) -> None:
    for some in ([], ties(1, 1)):
        network_svg(network_of(some, view, (), ()), "n1")  # type: ignore[arg-type]
