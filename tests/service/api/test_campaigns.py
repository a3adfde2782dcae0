"""Campaigns over HTTP: list, one, and what people say about them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from case_world import put_cluster, put_complaint
from conftest import Api, RedisClients

from service.moderation.campaign_links import measure
from service.storage.accounts.tenants import tenant_id
from service.storage.cases import campaign_groups
from service.storage.sql.engine import write

WEEK = 7 * 24.0


@pytest.fixture
def api(fake_redis: RedisClients, make_api: Callable[..., Api]) -> Api:
    """Two strikes of one campaign, a case of others, and one whose complaints were upheld."""
    made = make_api(fake_redis)
    made.key("default")
    number = tenant_id(made.engine, "default")
    people = [f"r{n}" for n in range(12)]
    put_cluster(made.engine, number, "k1", reporters=people, author="anna")
    put_cluster(made.engine, number, "k2", reporters=people[2:], author="anna", first=9 * WEEK, last=9 * WEEK + 1)
    put_cluster(made.engine, number, "x1", reporters=[f"s{n}" for n in range(6)], first=WEEK)
    put_cluster(made.engine, number, "good", reporters=[f"g{n}" for n in range(6)], disposition="reliable")
    put_complaint(made.engine, number, 1, "r3", "t1", cluster="k1")
    with write(made.engine) as connection:
        links = measure(campaign_groups.members_of_cases(connection, number))
        campaign_groups.store_links(connection, number, links)
        campaign_groups.group_again(connection, number, now_us=1)
    return made


def only(api: Api) -> Any:
    (item,) = api.get("/v1/campaigns").json()["items"]
    return item


def says(api: Api, relation: str, cluster: str, *others: str, **more: Any) -> Any:
    body = {"relation": relation, "cluster_id": cluster, "other_ids": list(others), **more}
    return api.post("/v1/campaigns/statements", json=body)


def test_the_list_and_the_document_agree_and_clusters_name_their_campaign(api: Api) -> None:
    item = only(api)
    document = api.get(f"/v1/campaigns/{item['id']}").json()
    assert {name: document[name] for name in item} == item
    assert [one["id"] for one in document["clusters"]] == ["k1", "k2"]
    assert (document["reporter_count"], document["author_count"]) == (12, 1)
    assert document["authors"] == [{"id": "anna", "clusters": 2, "targets": 2}]
    assert document["reporters"][0] == {"id": "r10", "clusters": 2}
    (link,) = document["links"]
    assert (link["common"], link["first_size"], link["second_size"]) == (10, 12, 10) and link["p_value"] < 0.01
    assert [week["clusters"] for week in document["weeks"]] == [{"k1": 1}]
    assert api.get("/v1/clusters/k1").json()["campaign"] == item["id"]
    named = {one["id"]: one["campaign"] for one in api.get("/v1/clusters").json()["items"]}
    assert named == {"k1": item["id"], "k2": item["id"], "x1": None}


def test_a_person_joins_and_splits_at_once_and_undoes_it_by_saying_the_opposite(api: Api) -> None:
    campaign = only(api)["id"]
    joined = says(api, "together", "x1", "k1", "k2", note="same chat room")
    assert joined.status_code == 201
    assert joined.json() == {"changed": [{"id": campaign, "before": ["k1", "k2"], "after": ["k1", "k2", "x1"]}]}
    assert says(api, "together", "x1", "k1", "k2").json() == {"changed": []}
    statements = api.get(f"/v1/campaigns/{campaign}").json()["statements"]
    assert {(s["other_id"], s["relation"], s["note"]) for s in statements} == {
        ("k1", "together", "same chat room"),
        ("k2", "together", "same chat room"),
    }
    assert says(api, "apart", "x1", "k1", "k2").status_code == 201
    assert says(api, "apart", "k1", "k2").json() == {"changed": [{"id": campaign, "before": ["k1", "k2"], "after": []}]}
    ended = api.get(f"/v1/campaigns/{campaign}").json()
    assert ended["ended_at"] is not None and ended["clusters"] == []
    assert api.get("/v1/campaigns").json()["items"] == []


@pytest.mark.parametrize(
    ("others", "status", "says_so"),
    [
        (["nobody"], 404, "no such cluster"),
        (["good"], 422, "neither flagged nor decided"),
        (["x1"], 422, "itself"),
        ([], 422, "other_ids"),
    ],
)
def test_what_cannot_be_joined_is_refused_with_a_reason(api: Api, others: list[str], status: int, says_so: str) -> None:
    answer = says(api, "together", "x1", *others)
    assert answer.status_code == status and says_so in answer.text


def test_joining_needs_the_scope_that_decides(api: Api) -> None:
    body = {"relation": "apart", "cluster_id": "k1", "other_ids": ["k2"]}
    assert api.post("/v1/campaigns/statements", key=api.key("default", "read"), json=body).status_code == 403


def test_an_unknown_campaign_is_not_found(api: Api) -> None:
    assert api.get("/v1/campaigns/cp0").status_code == 404
