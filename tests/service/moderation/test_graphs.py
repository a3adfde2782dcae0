"""Pictures of a cluster."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from io import BytesIO

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.moderation import graphs
from service.moderation.graphs import Picture, Tie, draw, graphml, node_link

START = datetime(2026, 11, 1, tzinfo=UTC)
ids = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=6)


def tie(reporter: str, target: str, complaints: int = 1, minute: int = 0) -> Tie:
    at = START + timedelta(minutes=minute)
    return Tie(reporter, target, complaints, at, at)


TRIANGLE = [
    tie("ann", "t1", minute=1),
    tie("bob", "t1", minute=5),
    tie("ann", "t2", minute=9),
    tie("bob", "t2", minute=7),
    tie("cyd", "t1", minute=3),
    tie("cyd", "t3", 2),
]


def read(picture: Picture) -> nx.Graph:
    return nx.read_graphml(BytesIO(graphml(picture, cluster="k1", view="bipartite")))


def test_the_bipartite_view_joins_reporters_and_their_targets() -> None:
    picture = draw(TRIANGLE, "bipartite", node_limit=500)
    assert picture.graph.nodes["reporter:cyd"] == {
        "kind": "reporter",
        "name": "cyd",
        "complaints": 3,
        "first_at": "2026-11-01T00:00:00Z",
        "last_at": "2026-11-01T00:03:00Z",
    }
    assert picture.graph.nodes["target:t1"]["complaints"] == 3
    assert picture.graph.edges["reporter:cyd", "target:t3"]["weight"] == 2
    assert (picture.graph.number_of_nodes(), picture.graph.number_of_edges()) == (6, 6)
    assert (picture.truncated.nodes, picture.truncated.edges) == (0, 0)


def test_the_co_report_view_weighs_pairs_by_the_targets_they_share() -> None:
    picture = draw(TRIANGLE, "co-report", node_limit=500)
    edges = {frozenset(edge[:2]): edge[2] for edge in picture.graph.edges(data=True)}
    assert {pair: data["weight"] for pair, data in edges.items()} == {
        frozenset({"reporter:ann", "reporter:bob"}): 2,
        frozenset({"reporter:ann", "reporter:cyd"}): 1,
        frozenset({"reporter:bob", "reporter:cyd"}): 1,
    }
    both = edges[frozenset({"reporter:ann", "reporter:bob"})]
    # when the second of the two had complained
    assert (both["first_at"], both["last_at"]) == ("2026-11-01T00:05:00Z", "2026-11-01T00:09:00Z")


def test_the_most_connected_are_kept_and_the_rest_is_counted() -> None:
    bipartite = draw(TRIANGLE, "bipartite", node_limit=3)
    assert list(bipartite.graph) == ["target:t1", "reporter:cyd", "reporter:ann"]
    assert (bipartite.truncated.nodes, bipartite.truncated.edges) == (3, 4)
    together = draw(TRIANGLE, "co-report", node_limit=2)
    assert sorted(together.graph) == ["reporter:ann", "reporter:bob"]
    assert (together.truncated.nodes, together.truncated.edges) == (1, 2)


def test_a_reporter_and_a_target_of_one_name_are_two_nodes() -> None:
    assert sorted(draw([tie("x", "x")], "bipartite", node_limit=9).graph) == ["reporter:x", "target:x"]


def test_nobody_gives_an_empty_picture_in_every_form() -> None:
    for view in ("bipartite", "co-report"):
        picture = draw([], view, node_limit=1)  # type: ignore[arg-type]
        assert (picture.graph.number_of_nodes(), picture.truncated.nodes, picture.truncated.edges) == (0, 0, 0)
        assert read(picture).number_of_nodes() == 0


def test_edges_are_bounded_and_the_heaviest_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphs, "EDGE_LIMIT", 1)
    picture = draw(TRIANGLE, "co-report", node_limit=9)
    assert list(picture.graph.edges(data="weight")) == [("reporter:ann", "reporter:bob", 2)]
    assert picture.truncated.edges == 2


def test_a_crowd_on_one_target_is_drawn_in_bounds_and_says_that_pairs_were_not_counted() -> None:
    crowd = [tie(f"r{i:05}", "viral") for i in range(5_000)]
    picture = draw(crowd, "co-report", node_limit=2_000)
    assert (picture.graph.number_of_nodes(), picture.graph.number_of_edges()) == (2_000, graphs.EDGE_LIMIT)
    assert (picture.truncated.nodes, picture.truncated.edges) == (3_000, None)
    assert "truncated_edges" not in read(picture).graph


def test_a_limit_of_no_node_is_refused() -> None:
    with pytest.raises(ValueError, match="node_limit = 0"):
        draw([], "bipartite", node_limit=0)


def test_what_is_left_out_stands_in_both_exports() -> None:
    picture = draw(TRIANGLE, "bipartite", node_limit=3)
    assert node_link(picture, cluster="k1")["graph"] == {"cluster": "k1", "truncated": {"nodes": 3, "edges": 4}}
    assert (
        read(picture).graph.items()
        >= {"cluster": "k1", "view": "bipartite", "truncated_nodes": 3, "truncated_edges": 4}.items()
    )


def test_characters_that_xml_cannot_hold_are_escaped_and_never_taken_for_another_id() -> None:
    names = ["a\ufffe", "a\\ufffe", "a\uffff", "<b>&\"'", "]]>", "\u2028", "😀"]
    picture = draw([tie(name, "t") for name in names], "bipartite", node_limit=99)
    back = read(picture)
    assert back.number_of_nodes() == len(names) + 1
    assert back.nodes["reporter(escaped):a\\ufffe"]["name"] == "a\\ufffe"
    assert back.nodes["reporter:a\\ufffe"]["name"] == "a\\ufffe"  # the id that really is so
    assert back.nodes["reporter:<b>&\"'"]["name"] == "<b>&\"'"


ties = st.lists(
    st.builds(tie, st.sampled_from("abcde") | ids, st.sampled_from("uvw") | ids, st.integers(1, 3), st.integers(0, 90)),
    unique_by=lambda t: (t.reporter, t.target),
    max_size=14,
)


@settings(max_examples=60)
@given(ties, st.sampled_from(["bipartite", "co-report"]), st.integers(1, 12), st.randoms())
def test_pictures_are_order_free_bounded_and_survive_both_exports(
    drawn: list[Tie], view: graphs.View, node_limit: int, random: object
) -> None:
    picture = draw(drawn, view, node_limit=node_limit)
    shuffled = list(drawn)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    data = node_link(picture, cluster="k")
    assert node_link(draw(shuffled, view, node_limit=node_limit), cluster="k") == data
    whole = draw(drawn, view, node_limit=99)
    assert picture.graph.number_of_nodes() == min(node_limit, whole.graph.number_of_nodes())
    assert picture.truncated.nodes == whole.graph.number_of_nodes() - picture.graph.number_of_nodes()
    assert picture.truncated.edges == whole.graph.number_of_edges() - picture.graph.number_of_edges()
    assert nx.utils.graphs_equal(
        nx.node_link_graph(json.loads(json.dumps(data)), edges="edges"), nx.Graph(picture.graph, **data["graph"])
    )
    back = read(picture)
    assert (back.number_of_nodes(), back.number_of_edges()) == (
        picture.graph.number_of_nodes(),
        picture.graph.number_of_edges(),
    )
