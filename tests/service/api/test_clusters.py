"""Clusters over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from typing import Any
from urllib.parse import quote

import networkx as nx
import pytest
import sqlalchemy as sa
from case_world import START, at_text, put_cluster, put_complaint, put_decision
from conftest import Api, RedisClients
from fakeredis import FakeAsyncRedis

from service.model import Cluster
from service.storage.accounts.tenants import tenant_id
from service.storage.redis_store import redis_keys
from service.storage.sql import schema

NOW = START + timedelta(days=1)


@pytest.fixture
def desk(fake_redis: RedisClients, make_api: Callable[..., Api]) -> Api:
    """The API with two tenants, at a fixed time."""
    api = make_api(fake_redis)
    api.key("default")
    api.key("other")
    api.app.state.api.now = lambda: NOW
    return api


def owner(desk: Api, tenant: str = "default") -> int:
    return tenant_id(desk.engine, tenant)


def decide(desk: Api, cluster_id: str = "k1", **fields: Any) -> Any:
    return desk.post(
        f"/v1/clusters/{cluster_id}/decisions",
        json={"verdict": "coordinated", "reason_code": "brigade", "version": 1, **fields},
    )


def following(answer: Any) -> str:
    """The path of the answer's Link rel=next."""
    target, relation = answer.headers["link"].split("; ")
    assert relation == 'rel="next"'
    return str(target.strip("<>"))


def test_a_list_holds_items_without_ids_of_members(desk: Api) -> None:
    put_cluster(desk.engine, owner(desk), "k1", settle_with='["t1"]')
    put_cluster(desk.engine, owner(desk), "k2", status="decided")
    answer = desk.get("/v1/clusters")
    assert answer.status_code == 200
    assert answer.json()["next_cursor"] is None
    assert "link" not in answer.headers
    (item,) = answer.json()["items"]
    assert not {"reporters", "targets"} & set(item)
    assert (
        item["id"],
        item["reporter_count"],
        item["first_at"],
        item["settle_with"],
        item["evidence"][0]["signal"],
    ) == ("k1", 3, at_text(0), ["t1"], "lockstep")


def test_pages_follow_the_link_with_the_filters_left_out_repeated_or_another_limit(desk: Api) -> None:
    for i in range(7):
        put_cluster(desk.engine, owner(desk), f"k{i}", score=i, status="decided")
    first = desk.get("/v1/clusters?status=decided&sort=-score&limit=2")
    assert [item["id"] for item in first.json()["items"]] == ["k6", "k5"]
    second = desk.get(following(first))
    assert [item["id"] for item in second.json()["items"]] == ["k4", "k3"]
    cursor = second.json()["next_cursor"]
    rest = desk.get(f"/v1/clusters?limit=100&cursor={cursor}&sort=-score&status=decided&disposition=flagged")
    assert ([item["id"] for item in rest.json()["items"]], rest.json()["next_cursor"]) == (["k2", "k1", "k0"], None)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("status=any", "status"),
        ("sort=-last_at", "sort"),
        ("kind=repeat", "kind"),
        ("since=2026-11-01T00:00:00Z", "since"),
        ("min_score=1", "min_score"),
    ],
)
def test_a_cursor_with_other_filters_is_400_and_names_what_differs(desk: Api, asked: str, told: str) -> None:
    for i in range(2):
        put_cluster(desk.engine, owner(desk), f"k{i}")
    cursor = desk.get("/v1/clusters?sort=-score&limit=1").json()["next_cursor"]
    answer = desk.get(f"/v1/clusters?cursor={cursor}&{asked}")
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert told in answer.json()["detail"]


@pytest.mark.parametrize("cursor", ["", "x", "AAAAAAAAAAAA", "%FF", "W10", quote("ü" * 50), "a" * 8000])
def test_a_garbled_cursor_is_400_in_every_list(desk: Api, cursor: str) -> None:
    put_cluster(desk.engine, owner(desk), "k1")
    for path in ("/v1/clusters", "/v1/clusters/k1/complaints", "/v1/clusters/k1/decisions"):
        assert desk.get(f"{path}?cursor={cursor}").status_code == 400, path


def test_a_cursor_of_one_list_or_cluster_is_refused_by_another(desk: Api) -> None:
    for cluster_id in ("k1", "k2"):
        put_cluster(desk.engine, owner(desk), cluster_id)
        for seq in (1, 2):
            put_decision(desk.engine, owner(desk), cluster_id, f"{cluster_id}-{seq}")
    cursor = desk.get("/v1/clusters/k1/decisions?limit=1").json()["next_cursor"]
    assert desk.get(f"/v1/clusters/k1/decisions?cursor={cursor}").json()["items"][0]["id"] == "k1-2"
    for path in ("/v1/clusters/k2/decisions", "/v1/clusters/k1/complaints", "/v1/clusters"):
        assert desk.get(f"{path}?cursor={cursor}").status_code == 400, path


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("disposition=nice", "/disposition"),
        ("status=flagged", "/status"),
        ("status=any,open", "/status"),
        ("disposition=", "/disposition"),
        ("kind=any", "/kind"),
        ("sort=last_at", "/sort"),
        ("limit=0", "/limit"),
        ("limit=101", "/limit"),
        ("limit=x", "/limit"),
        ("min_score=nan", "/min_score"),
        ("since=yesterday", "/since"),
        ("since=2026-11-01T00:00:00", "/since"),
        ("since=2026-11-02T00:00:00Z&until=2026-11-02T00:00:00Z", "/since"),
        ("reporter=", "/reporter"),
        ("target=%00", "/target"),
        ("author=" + "x" * 129, "/author"),
    ],
)
def test_a_parameter_that_does_not_fit_is_422_with_its_pointer(desk: Api, query: str, pointer: str) -> None:
    answer = desk.get(f"/v1/clusters?{query}")
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.json()["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {"k1"}),
        ("disposition=any", {"k1", "k2"}),
        ("disposition=flagged,held_back", {"k1", "k2"}),
        ("disposition=flagged&disposition=held_back", {"k1", "k2"}),
        ("disposition=any&status=any", {"k1", "k2", "k3"}),
        ("status=decided", {"k3"}),
        ("disposition=any&kind=one_shot", {"k2"}),
        ("min_score=5", {"k1"}),
        ("min_score=5.1", set()),
        (f"reporter={quote('a/b')}", {"k1"}),
        (f"target={quote('..')}", {"k1"}),
        (f"author={quote('ä😀')}", {"k1"}),
        ("reporter=nobody", set()),
        ("since=2026-11-01T01:00:00Z", {"k1"}),
        ("since=2026-11-01T01:00:01Z", set()),
        ("until=2026-11-01T00:00:00Z", set()),
        ("until=2026-11-01T02:00:00%2B01:59", {"k1"}),
    ],
)
def test_filters(desk: Api, query: str, found: set[str]) -> None:
    put_cluster(desk.engine, owner(desk), "k1", reporters=["a/b"], targets=[".."], author="ä😀")
    put_cluster(desk.engine, owner(desk), "k2", disposition="held_back", kind="one_shot")
    put_cluster(desk.engine, owner(desk), "k3", status="decided", score=1)
    put_cluster(desk.engine, owner(desk, "other"), "theirs", reporters=["a/b"], targets=[".."], author="ä😀")
    answer = desk.get(f"/v1/clusters?{query}")
    assert {item["id"] for item in answer.json()["items"]} == found


def test_one_cluster_has_its_members_and_a_merged_one_still_answers(desk: Api) -> None:
    put_cluster(desk.engine, owner(desk), "k1", reporters=["r2", "r10", "r1"], disposition="merged", merged_into="k0")
    answer = desk.get("/v1/clusters/k1")
    assert answer.status_code == 200
    assert Cluster.model_validate_json(answer.content).reporters == ["r1", "r10", "r2"]
    assert answer.json()["merged_into"] == "k0"


@pytest.mark.parametrize("rest", ["", "/graph", "/graph?format=graphml", "/complaints", "/decisions"])
def test_another_tenant_s_cluster_answers_byte_for_byte_like_one_that_never_was(desk: Api, rest: str) -> None:
    put_cluster(desk.engine, owner(desk, "other"), "theirs")
    theirs, none = desk.get(f"/v1/clusters/theirs{rest}"), desk.get(f"/v1/clusters/nosuch{rest}")
    assert (theirs.status_code, theirs.content) == (404, none.content)
    assert set(theirs.headers.items()) == set(none.headers.items())
    assert desk.get(f"/v1/clusters/theirs{rest}", tenant="other").status_code == 200


def test_another_tenant_s_cluster_cannot_be_decided_and_looks_unknown(desk: Api) -> None:
    put_cluster(desk.engine, owner(desk, "other"), "theirs")
    theirs, none = decide(desk, "theirs"), decide(desk, "nosuch")
    assert (theirs.status_code, theirs.content) == (404, none.content)
    with desk.engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(schema.decisions)) == 0


@pytest.mark.parametrize(
    "path",
    [
        "/v1/clusters/%2E%2E",
        "/v1/clusters/a%2Fgraph",
        "/v1/clusters/" + "%F0%9F%98%80" * 128,
        "/v1/clusters/%22%27%3B--",
    ],
)
def test_ids_that_are_none_of_ours_are_not_found(desk: Api, path: str) -> None:
    assert (desk.get(path).status_code, desk.get(path).json()["detail"]) == (404, "no such cluster")


def test_scopes_are_asked_for(desk: Api) -> None:
    put_cluster(desk.engine, owner(desk), "k1")
    reader, ingester = desk.key("default", "read"), desk.key("default", "ingest")
    assert desk.get("/v1/clusters", key=reader).status_code == 200
    assert desk.get("/v1/clusters", key=ingester).status_code == 403
    assert desk.post("/v1/clusters/k1/decisions", key=reader, content=b"not even read").status_code == 403
    assert desk.post("/v1/clusters/k1/decisions", key="nobody", content=b"not even read").status_code == 401


def test_complaints_are_listed_as_they_were_accepted(desk: Api) -> None:
    put_cluster(desk.engine, owner(desk), "k1", reporters=["r1"], targets=["t1"])
    put_complaint(desk.engine, owner(desk), 1, "r1", "t1", hours=1, cluster="k1")
    put_complaint(desk.engine, owner(desk), 2, "r1", "t1", hours=2, cluster="k1", state=schema.WITHDRAWN)
    first = desk.get("/v1/clusters/k1/complaints?limit=1")
    (item,) = first.json()["items"]
    assert (
        item["complaint"]["id"],
        item["complaint"]["occurred_at"],
        item["complaint"]["text"],
        item["withdrawn"],
    ) == ("c1", at_text(1), "<b>rude</b>", False)
    (second,) = desk.get(following(first)).json()["items"]
    assert (second["complaint"]["id"], second["withdrawn"]) == ("c2", True)


@pytest.fixture
def drawn(desk: Api) -> Api:
    put_cluster(desk.engine, owner(desk), "k1", reporters=["ann", "bob", "x\ufffe"], targets=["t/1", "t2"])
    for seq, (reporter, target) in enumerate(
        [("ann", "t/1"), ("bob", "t/1"), ("ann", "t2"), ("bob", "t2"), ("x\ufffe", "t2")]
    ):
        put_complaint(desk.engine, owner(desk), seq, reporter, target, hours=seq, cluster="k1")
    return desk


def test_the_graph_reads_back_into_networkx(drawn: Api) -> None:
    data = drawn.get("/v1/clusters/k1/graph").json()
    graph = nx.node_link_graph(data, edges="edges")
    assert (graph.number_of_nodes(), graph.number_of_edges()) == (5, 5)
    assert graph.nodes["target:t/1"] == {
        "kind": "target",
        "name": "t/1",
        "complaints": 2,
        "first_at": at_text(0),
        "last_at": at_text(1),
    }
    assert data["graph"] == {"cluster": "k1", "view": "bipartite", "truncated": {"nodes": 0, "edges": 0}}


def test_the_graph_in_graphml_holds_hostile_ids_and_says_what_was_left_out(drawn: Api) -> None:
    answer = drawn.get("/v1/clusters/k1/graph?format=graphml&view=co-report&node_limit=2")
    assert answer.headers["content-type"] == "application/graphml+xml"
    graph = nx.read_graphml(BytesIO(answer.content))
    assert dict(graph.nodes(data="name")) == {"reporter:ann": "ann", "reporter:bob": "bob"}
    assert graph.edges["reporter:ann", "reporter:bob"]["weight"] == 2
    assert (graph.graph["truncated_nodes"], graph.graph["truncated_edges"]) == (1, 2)
    whole = nx.read_graphml(BytesIO(drawn.get("/v1/clusters/k1/graph?format=graphml").content))
    assert "reporter(escaped):x\\ufffe" in whole


@pytest.mark.parametrize("query", ["node_limit=0", "node_limit=2001", "format=svg", "view=all"])
def test_a_graph_out_of_bounds_is_422(drawn: Api, query: str) -> None:
    assert drawn.get(f"/v1/clusters/k1/graph?{query}").status_code == 422


def test_a_decision_answers_201_with_the_cluster_and_wakes_the_analysis(desk: Api) -> None:
    put_cluster(desk.engine, owner(desk), "k1", reporters=["r1", "r2", "r3"])
    answer = decide(desk, excluded_reporters=["r2"], note="the usual ones")
    assert answer.status_code == 201
    cluster = Cluster.model_validate_json(answer.content)
    assert (cluster.status, cluster.version, cluster.reporters, cluster.reporter_count) == (
        "decided",
        2,
        ["r1", "r3"],
        2,
    )
    assert desk.redis.run(desk.redis.asyncio.smembers(redis_keys.TENANTS_DIRTY)) in ({b"default"}, {"default"})
    (entry,) = desk.get("/v1/clusters/k1/decisions").json()["items"]
    assert (entry["verdict"], entry["by"], entry["note"], entry["excluded_reporters"], entry["version"]) == (
        "coordinated",
        "test",
        "the usual ones",
        ["r2"],
        1,
    )
    assert desk.get("/v1/clusters?reporter=r2").json()["items"] == []


def test_a_decision_on_an_old_version_is_409_with_the_current_one_and_who_changed_it(desk: Api) -> None:
    put_cluster(desk.engine, owner(desk), "k1")
    assert decide(desk).status_code == 201
    answer = decide(desk, verdict="not_coordinated")
    assert answer.status_code == 409
    assert (answer.json()["current_version"], answer.json()["changed_by"]) == (2, "test")
    assert "version 2, changed by test" in answer.json()["detail"]


def test_an_undo_takes_back_verdict_and_exclusions_and_stays_in_the_log(desk: Api) -> None:
    put_cluster(desk.engine, owner(desk), "k1")
    before = desk.get("/v1/clusters/k1").json()
    decide(desk, verdict="not_coordinated", excluded_reporters=["r1"])
    (first,) = desk.get("/v1/clusters/k1/decisions").json()["items"]
    answer = decide(desk, verdict="not_coordinated", reverses=first["id"], version=2)
    assert answer.status_code == 201
    assert answer.json() == {**before, "version": 3}
    assert [entry["reverses"] for entry in desk.get("/v1/clusters/k1/decisions").json()["items"]] == [None, first["id"]]
    again = decide(desk, verdict="not_coordinated", reverses=first["id"], version=3)
    assert (again.status_code, again.json()["errors"][0]["pointer"]) == (422, "/reverses")


def test_a_snoozed_cluster_leaves_the_list_until_its_time(desk: Api) -> None:
    put_cluster(desk.engine, owner(desk), "k1")
    assert decide(desk, verdict="snoozed", snooze_until="2026-11-03T00:00:00+00:00").json()["status"] == "snoozed"
    assert desk.get("/v1/clusters").json()["items"] == []
    desk.app.state.api.now = lambda: START + timedelta(days=2)
    assert [item["status"] for item in desk.get("/v1/clusters").json()["items"]] == ["open"]


def test_a_merged_cluster_is_409_and_names_the_survivor_at_the_end_of_the_chain(desk: Api) -> None:
    put_cluster(desk.engine, owner(desk), "k3")
    put_cluster(desk.engine, owner(desk), "k2", disposition="merged", merged_into="k3")
    put_cluster(desk.engine, owner(desk), "k1", disposition="merged", merged_into="k2")
    answer = decide(desk)
    assert (answer.status_code, "merged into k3" in answer.json()["detail"]) == (409, True)


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"verdict": "maybe"}, "/verdict"),
        ({"verdict": None}, "/verdict"),
        ({"reason_code": "spam"}, "/reason_code"),
        ({"version": "1"}, "/version"),
        ({"version": -1}, "/version"),
        ({"version": 1.5}, "/version"),
        ({"note": "x" * 4097}, "/note"),
        ({"note": "a\0b"}, "/note"),
        ({"colour": "red"}, "/colour"),
        ({"excluded_reporters": ["r1", "stranger"]}, "/excluded_reporters/1"),
        ({"excluded_reporters": ["r1", ""]}, "/excluded_reporters/1"),
        ({"excluded_reporters": "r1"}, "/excluded_reporters"),
        ({"verdict": "snoozed"}, ""),
        ({"snooze_until": "2027-01-01T00:00:00Z"}, ""),
        ({"verdict": "snoozed", "snooze_until": "2026-11-02T00:00:00Z"}, "/snooze_until"),
        ({"verdict": "snoozed", "snooze_until": "tomorrow"}, "/snooze_until"),
        ({"reverses": "d-1"}, "/reverses"),
    ],
)
def test_a_decision_that_does_not_fit_is_422_with_its_pointer_and_changes_nothing(
    desk: Api, fields: dict[str, Any], pointer: str
) -> None:
    put_cluster(desk.engine, owner(desk), "k1")
    before = desk.get("/v1/clusters/k1").content
    answer = decide(desk, **fields)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert desk.get("/v1/clusters/k1").content == before


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"", {}, 400),
        (b"{", {}, 400),
        (b"[]", {}, 422),
        (b"\xff", {}, 400),
        (b'{"note": "\\ud800"}', {}, 400),
        (b"[" * 20_000, {}, 400),
        (b"[" * 100_000, {}, 413),
        (b"{}", {"content-type": "text/plain"}, 415),
        (b" " * (8 * 1024 * 1024 + 1), {}, 413),
        (b'{"version": ' + b"9" * 5000 + b"}", {}, 400),
    ],
)
def test_a_body_that_is_no_decision_is_4xx(desk: Api, content: bytes, headers: dict[str, str], status: int) -> None:
    put_cluster(desk.engine, owner(desk), "k1")
    answer = desk.post(
        "/v1/clusters/k1/decisions", content=content, headers={"content-type": "application/json", **headers}
    )
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


def test_a_decision_stands_when_redis_does_not_take_the_hint(
    desk: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def refuse(*_: object) -> int:
        raise ConnectionError("gone")

    put_cluster(desk.engine, owner(desk), "k1")
    deaf = FakeAsyncRedis()
    monkeypatch.setattr(deaf, "sadd", refuse)
    desk.app.state.api.redis = deaf
    assert decide(desk).status_code == 201
    assert desk.get("/v1/clusters/k1").json()["status"] == "decided"
    assert "the clock will find it" in caplog.text
    desk.redis.run(deaf.aclose())


def test_every_call_is_described_with_an_example_that_its_own_schema_accepts(desk: Api) -> None:
    document = desk.app.openapi()
    paths = [path for path in document["paths"] if path.startswith(("/v1/clusters", "/v1/reporters"))]
    assert set(paths) >= {
        "/v1/clusters",
        "/v1/clusters/{id}",
        "/v1/clusters/{id}/graph",
        "/v1/clusters/{id}/complaints",
        "/v1/clusters/{id}/decisions",
        "/v1/reporters/{id}",
    }
    for path in paths:
        for operation in document["paths"][path].values():
            success = next(answer for status, answer in operation["responses"].items() if status.startswith("2"))
            assert "example" in success["content"]["application/json"], path
            assert {"404", "422"} & set(operation["responses"])
    Cluster.model_validate_json(
        json.dumps(
            document["paths"]["/v1/clusters/{id}"]["get"]["responses"]["200"]["content"]["application/json"]["example"]
        )
    )
    assert [parameter["name"] for parameter in document["paths"]["/v1/clusters/{id}"]["get"]["parameters"]] == ["id"]
