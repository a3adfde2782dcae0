"""Reporters over HTTP."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from case_world import at_text, put_cluster, put_complaint, put_outcome
from conftest import Api, RedisClients

from service.storage.tenants import tenant_id

HOSTILE = "..%2F..%2Fetc%3Fx=%25%F0%9F%98%80"


@pytest.fixture
def desk(fake_redis: RedisClients, make_api: Callable[..., Api]) -> Api:
    return make_api(fake_redis)


def test_a_reporter_has_a_history_and_clusters_and_no_reputation_while_unknown(desk: Api) -> None:
    desk.key("default")
    owner = tenant_id(desk.engine, "default")
    put_complaint(desk.engine, owner, 1, "../../etc?x=%😀", "t1", hours=1)
    put_outcome(desk.engine, owner, 2, "t1", "rejected", hours=3)
    put_cluster(desk.engine, owner, "k1", reporters=["../../etc?x=%😀"])
    answer = desk.get(f"/v1/reporters/{HOSTILE}")
    assert answer.status_code == 200
    document = answer.json()
    assert document["clusters"] == [{"id": "k1", "kind": "repeat", "disposition": "flagged", "status": "open", "probability": 0.9, "first_at": at_text(0), "last_at": at_text(1)}]
    del document["clusters"]
    assert document == {
        "id": "../../etc?x=%😀", "first_at": at_text(1), "last_at": at_text(1), "complaints": 1, "standing": 1, "repeats": 0, "withdrawn": 0, "machine": 0, "targets": 1,
        "upheld": 0, "rejected": 1, "reputation": None, "cluster_count": 1,
    }


def test_another_tenant_s_reporter_answers_byte_for_byte_like_one_that_never_was(desk: Api) -> None:
    desk.key("default")
    desk.key("other")
    put_complaint(desk.engine, tenant_id(desk.engine, "other"), 1, "theirs", "t1")
    theirs, none = desk.get("/v1/reporters/theirs"), desk.get("/v1/reporters/nobody")
    assert (theirs.status_code, theirs.content) == (404, none.content)
    assert set(theirs.headers.items()) == set(none.headers.items())
    assert desk.get("/v1/reporters/theirs", tenant="other").status_code == 200


def test_what_can_be_no_id_is_422_and_reading_needs_its_scope(desk: Api) -> None:
    assert desk.get("/v1/reporters/%FF").status_code == 422
    assert desk.get("/v1/reporters/r1", key=desk.key("default", "ingest")).status_code == 403
