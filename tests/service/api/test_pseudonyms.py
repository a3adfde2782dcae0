"""A tenant with pseudonyms: what is stored of a post, and that a platform may ask by its own ids and by what it
read.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from case_world import put_cluster
from conftest import NOW_US, Api, RedisClients

from service.model import moment
from service.settings import read_settings
from service.storage.accounts.secret_box import SecretBox
from service.storage.accounts.tenant_settings import change_settings
from service.storage.accounts.tenants import tenant_id
from service.storage.privacy.privacy_filters import open_privacy_filter
from service.storage.redis_store import redis_keys
from service.storage.sql.engine import write
from service.storage.sql.schema import cluster_complaints, complaints, tenant_settings
from workers import ingest
from workers.resources import Resources

COPIED = "he insults every single reader of this page"


@pytest.fixture
def desk(fake_redis: RedisClients, make_api: Callable[..., Api]) -> Api:
    """The API with a tenant whose reporters get pseudonyms, and another one without."""
    api = make_api(fake_redis)
    api.app.state.api.now = lambda: moment(NOW_US)
    api.key("default"), api.key("plain")
    with write(api.engine) as connection:
        change_settings(connection, tenant_id(api.engine, "default"), actor="test", now_us=0, pseudonyms=True)
    return api


def complaint(identity: str = "c-1", reporter: str = "r/77 é", **more: Any) -> dict[str, Any]:
    return {
        "id": identity,
        "occurred_at": "2026-11-01T10:00:00Z",
        "reporter": {"id": reporter, "fingerprint": "device-9"},
        "target": {"id": "t-1", "author_id": "a-1"},
        "text": COPIED,
        **more,
    }


def stored(desk: Api, tenant: str = "default") -> list[bytes]:
    return [
        line
        for _, fields in desk.redis.blocking.xrange(redis_keys.stream(tenant))
        for line in fields[b"lines"].split(b"\n")
    ]


def archive(desk: Api, tenant: str = "default") -> None:
    ingest.run(tenant, Resources(desk.settings, desk.engine, desk.redis.blocking))


def pseudonym(desk: Api, identity: str, tenant: str = "default") -> str:
    return open_privacy_filter(desk.engine, SecretBox(desk.settings), tenant_id(desk.engine, tenant)).pseudonym(
        identity
    )


@pytest.mark.parametrize("form", ["one", "array", "ndjson"])
def test_nothing_of_the_reporter_reaches_the_stream(desk: Api, form: str) -> None:
    if form == "ndjson":
        answer = desk.post(
            "/v1/complaints", content=json.dumps(complaint()).encode(), headers={"Content-Type": "application/x-ndjson"}
        )
    else:
        answer = desk.post("/v1/complaints", json=complaint() if form == "one" else [complaint()])
    assert answer.status_code == 202
    (line,) = stored(desk)
    assert b"r/77" not in line and b"insults" not in line and b"device-9" not in line
    assert json.loads(line[1:])["reporter"]["id"] == pseudonym(desk, "r/77 é")


def test_without_the_setting_ids_stay_and_words_go_all_the_same(desk: Api) -> None:
    assert desk.post("/v1/complaints", tenant="plain", json=complaint()).status_code == 202
    (line,) = stored(desk, "plain")
    assert json.loads(line[1:])["reporter"] == {"id": "r/77 é", "fingerprint": "device-9", "trusted": False}
    assert b"insults" not in line and b"text_signature" in line


def test_a_platform_asks_by_its_own_id_and_by_the_pseudonym_that_it_read(desk: Api) -> None:
    desk.post("/v1/complaints", json=complaint())
    archive(desk)
    theirs = pseudonym(desk, "r/77 é")
    put_cluster(desk.engine, tenant_id(desk.engine, "default"), "k1", reporters=[theirs, "x", "y"])
    for asked in ("r%2F77%20%C3%A9", theirs):
        found = desk.get(f"/v1/reporters/{asked}")
        assert (found.status_code, found.json()["id"], found.json()["complaints"]) == (200, theirs, 1)
    for asked in ("r/77 é", theirs):
        first = desk.get("/v1/clusters", params={"reporter": asked, "limit": 1})
        assert [item["id"] for item in first.json()["items"]] == ["k1"]
    assert desk.get("/v1/clusters", params={"reporter": "r/78"}).json()["items"] == []
    assert desk.get(f"/v1/reporters/{pseudonym(desk, 'r/77 é', 'plain')}").status_code == 404
    assert desk.get(f"/v1/reporters/{theirs}", tenant="plain").status_code == 404


def test_a_cursor_goes_on_with_the_filter_in_either_form(desk: Api) -> None:
    theirs = pseudonym(desk, "r/77 é")
    for name in ("k1", "k2"):
        put_cluster(desk.engine, tenant_id(desk.engine, "default"), name, reporters=[theirs, "x", "y"])
    first = desk.get("/v1/clusters", params={"reporter": "r/77 é", "limit": 1}).json()
    for again in ({}, {"reporter": "r/77 é"}, {"reporter": theirs}):
        following = desk.get("/v1/clusters", params={"cursor": first["next_cursor"], **again})
        assert [item["id"] for item in following.json()["items"]] == ["k2"], following.text
    assert desk.get("/v1/clusters", params={"cursor": first["next_cursor"], "reporter": "x"}).status_code == 400


@pytest.mark.parametrize("form", ["own", "pseudonym"])
def test_a_moderator_excludes_by_either_id(desk: Api, form: str) -> None:
    theirs = pseudonym(desk, "ann")
    put_cluster(desk.engine, tenant_id(desk.engine, "default"), "k1", reporters=[theirs, "x", "y", "z"])
    named = "ann" if form == "own" else theirs
    answer = desk.post(
        "/v1/clusters/k1/decisions",
        json={"verdict": "coordinated", "reason_code": "brigade", "excluded_reporters": [named], "version": 1},
    )
    assert answer.status_code == 201, answer.text
    assert sorted(answer.json()["reporters"]) == ["x", "y", "z"]
    assert desk.get("/v1/clusters/k1/decisions").json()["items"][0]["excluded_reporters"] == [theirs]


def test_the_same_complaint_again_is_a_repeat_and_other_words_are_a_conflict(desk: Api) -> None:
    desk.post("/v1/complaints", json=[complaint(), complaint("c-2", reporter="bob")])
    with write(desk.engine) as connection:
        change_settings(
            connection, tenant_id(desk.engine, "default"), actor="test", now_us=0, pseudonyms=False, keep_text=True
        )
    desk.app.state.api.privacy_filters.forget(tenant_id(desk.engine, "default"))
    desk.post("/v1/complaints", json=[complaint(), complaint("c-2", reporter="bob", text=COPIED + " again")])
    archive(desk)
    state = desk.get("/v1/pipeline").json()
    assert (state["archived"], state["duplicates"], state["conflicting"]) == (4, 1, 1)


def test_answers_show_complaints_without_what_stands_in_place_of_the_words(desk: Api) -> None:
    desk.post("/v1/complaints", json=complaint())
    archive(desk)
    owner, theirs = tenant_id(desk.engine, "default"), pseudonym(desk, "r/77 é")
    put_cluster(desk.engine, owner, "k1", reporters=[theirs, "x", "y"], targets=["t-1"])
    with write(desk.engine) as connection:
        row = connection.execute(complaints.select()).one()
        connection.execute(
            cluster_complaints.insert().values(
                cluster_id="k1",
                row_key=row.row_key,
                tenant_id=owner,
                reporter_key=row.reporter_key,
                target_key=row.target_key,
                occurred_us=row.occurred_us,
                exempt=False,
            )
        )
    (item,) = desk.get("/v1/clusters/k1/complaints").json()["items"]
    assert item["complaint"]["reporter"]["id"] == theirs
    assert item["complaint"]["text"] is None and not {"text_hash", "text_signature"} & set(item["complaint"])


def test_the_key_lies_sealed_and_what_cannot_be_opened_stores_nothing_by_weaker_rules(
    desk: Api, fake_redis: RedisClients, make_api: Callable[..., Api]
) -> None:
    desk.post("/v1/complaints", json=complaint())
    with desk.engine.connect() as connection:
        sealed = connection.scalar(tenant_settings.select().with_only_columns(tenant_settings.c.pseudonym_key))
    assert sealed is not None and sealed.startswith("gAAAA")
    locked_out = make_api(fake_redis, read_settings(desk.settings.data, {"BRIGADEWATCH_SECRET_KEY": "ab" * 32}))
    locked_out.keys.update(desk.keys)
    answer = locked_out.post("/v1/complaints", json=complaint("c-9"))
    assert (answer.status_code, "key" in answer.json()["detail"]) == (503, True)
    assert len(stored(desk)) == 1
