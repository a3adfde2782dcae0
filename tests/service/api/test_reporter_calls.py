"""Reporters over HTTP."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from case_world import at_text, at_us, put_cluster, put_complaint, put_outcome
from conftest import Api, RedisClients

from service.storage.accounts.tenants import tenant_id
from service.storage.sql import schema
from service.storage.sql.engine import write

HOSTILE = "..%2F..%2Fetc%3Fx=%25%F0%9F%98%80"


@pytest.fixture
def desk(fake_redis: RedisClients, make_api: Callable[..., Api]) -> Api:
    return make_api(fake_redis)


def test_a_reporter_has_a_history_a_reputation_and_clusters(desk: Api) -> None:
    desk.key("default")
    owner = tenant_id(desk.engine, "default")
    put_complaint(desk.engine, owner, 1, "../../etc?x=%😀", "t1", hours=1)
    put_outcome(desk.engine, owner, 2, "t1", "rejected", hours=3)
    put_cluster(desk.engine, owner, "k1", reporters=["../../etc?x=%😀"])
    with write(desk.engine) as connection:
        connection.execute(
            sa.update(schema.ingest_state).where(schema.ingest_state.c.tenant_id == owner).values(watermark_us=at_us(1))
        )
    answer = desk.get(f"/v1/reporters/{HOSTILE}")
    assert answer.status_code == 200
    document = answer.json()
    assert document["clusters"] == [
        {
            "id": "k1",
            "kind": "repeat",
            "disposition": "flagged",
            "status": "open",
            "probability": 0.9,
            "first_at": at_text(0),
            "last_at": at_text(1),
        }
    ]
    del document["clusters"]
    reputation = document.pop("reputation")
    assert (reputation["mean"], reputation["upheld"], reputation["rejected"]) == (0.4, 0, 1)
    assert 0 < reputation["low"] < 0.4 < reputation["high"] < 1
    assert document == {
        "id": "../../etc?x=%😀",
        "first_at": at_text(1),
        "last_at": at_text(1),
        "complaints": 1,
        "standing": 1,
        "repeats": 0,
        "withdrawn": 0,
        "machine": 0,
        "targets": 1,
        "upheld": 0,
        "rejected": 1,
        "cluster_count": 1,
    }


def test_the_reputation_is_null_while_nobody_has_judged(desk: Api) -> None:
    desk.key("default")
    owner = tenant_id(desk.engine, "default")
    put_complaint(desk.engine, owner, 1, "ann", "t1", hours=1)
    put_outcome(desk.engine, owner, 2, "t1", "upheld", hours=3, decided_by="automatic")
    assert desk.get("/v1/reporters/ann").json()["reputation"] is None


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
