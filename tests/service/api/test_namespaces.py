"""Two installations of one platform in one tenant: nothing of either is lost, and every call takes the ids of both."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from conftest import NOW_US, Api, RedisClients

from service.model import moment
from service.storage.accounts.secret_box import SecretBox
from service.storage.accounts.tenant_settings import change_settings
from service.storage.accounts.tenants import tenant_id
from service.storage.privacy.privacy_filters import open_privacy_filter
from service.storage.redis_store import redis_keys
from service.storage.sql import schema
from service.storage.sql.engine import write
from service.storage.webhooks.sources import Source, add_source
from tests.service.api.test_submissions import is_problem
from tests.service.platforms.payloads import STANDARD_SECRET, discourse, encoded, headers, score, standard
from workers import erase, ingest
from workers.resources import Resources

SECRET = "secret of the house"
JSON = {"content-type": "application/json"}


@pytest.fixture
def desk(fake_redis: RedisClients, make_api: Callable[..., Api]) -> Api:
    api = make_api(fake_redis)
    api.app.state.api.now = lambda: moment(NOW_US)
    api.key("default")
    (api.settings.data / "secret.key").write_text("5a" * 32)
    return api


def connect(desk: Api, platform: str = "discourse", secret: str = SECRET, **fields: Any) -> Source:
    with write(desk.engine) as connection:
        return add_source(
            connection,
            desk.app.state.api.box,
            tenant_id(desk.engine, "default"),
            platform,
            secret=secret,
            now_us=NOW_US,
            **fields,
        )


def deliver(desk: Api, source: Source, document: Any) -> Any:
    body = encoded(document)
    answer = desk.redis.run(
        desk.client.post(source.path, content=body, headers={**JSON, **headers(source.platform, SECRET, body)})
    )
    assert answer.status_code == 202, answer.text
    return answer.json()


def complaint(identity: str = "1", reporter: str = "501", target: str = "31", **fields: Any) -> dict[str, Any]:
    return {
        "id": identity,
        "occurred_at": "2026-11-01T10:00:00Z",
        "reporter": {"id": reporter},
        "target": {"id": target, "author_id": "99"},
        **fields,
    }


def stored(desk: Api) -> list[tuple[str, dict[str, Any]]]:
    """The kind and content of what is in the stream."""
    return [
        (line[:1].decode(), json.loads(line[1:]))
        for _, fields in desk.redis.blocking.xrange(redis_keys.stream("default"))
        for line in fields[b"lines"].split(b"\n")
    ]


def archive(desk: Api) -> dict[str, int]:
    """Archive everything; the standing complaints by target."""
    ingest.run("default", Resources(desk.settings, desk.engine, desk.redis.blocking))
    with desk.engine.connect() as connection:
        rows = connection.execute(
            sa.select(schema.complaints.c.content).where(schema.complaints.c.state == schema.STANDING)
        ).scalars()
        targets = [json.loads(row)["target"]["id"] for row in rows]
    return {target: targets.count(target) for target in targets}


def flags(post: int, *users: int, **fields: Any) -> Any:
    scores = [score(n, user, f"2026-11-01T10:0{n}:00.000Z") for n, user in enumerate(users, 1)]
    return discourse(*scores, post_id=post, **fields)


def test_a_second_forum_with_the_same_numbers_loses_nothing(desk: Api) -> None:
    first, second = connect(desk), connect(desk, namespace="forum2")
    assert deliver(desk, first, flags(901, 101, 102, 103))["accepted"] == 3
    assert deliver(desk, second, flags(31, 101, 102, 103))["accepted"] == 3
    assert deliver(desk, second, flags(31, 101, 102, 103, status=2, version=1))["accepted"] == 4
    kept, decided = stored(desk)[3][1], stored(desk)[-1]
    assert (kept["id"], kept["reporter"]["id"]) == ("forum2:1", "forum2:101")
    assert (kept["target"]["author_id"], kept["target"]["context_id"]) == ("forum2:600", "forum2:77")
    assert kept["target"]["url"] == "https://forum.example/t/bread/77/9"
    assert decided[0] == "o"
    assert (decided[1]["id"], decided[1]["target_id"]) == ("forum2:reviewable/41/000001/2", "forum2:31")
    assert archive(desk) == {"901": 3, "forum2:31": 3}
    with desk.engine.connect() as connection:
        duplicates = connection.execute(sa.select(schema.ingest_state.c.duplicates)).scalar_one()
    assert duplicates == 3  # what the second forum's third post said again, and nothing of the first forum's


@pytest.mark.parametrize(("target", "query"), [("forum2:31", ""), ("31", "?namespace=forum2")])
def test_targets_are_asked_about_by_either_form(desk: Api, target: str, query: str) -> None:
    deliver(desk, connect(desk, namespace="forum2"), flags(31, 101, 102, 103))
    one = desk.get(f"/v1/targets/{quote(target)}{query}").json()
    assert (one["target_id"], one["unseen"]) == ("forum2:31", 3)
    assert desk.get("/v1/targets/31").json()["unseen"] == 0
    brief = desk.get(f"/v1/targets/{quote(target)}/brief{query}").json()
    assert brief["target_id"] == "forum2:31" and brief["assessment"]["unseen"] == 3
    several = desk.post(f"/v1/targets/assess{query}", json={"target_ids": [target, "no-such", target]}).json()["items"]
    assert [item["unseen"] for item in several] == [3, 0, 3]
    assert several[0]["target_id"] == several[2]["target_id"] == "forum2:31"


@pytest.mark.parametrize("form", ["application/json", "application/x-ndjson"])
def test_a_post_with_a_namespace_meets_what_its_source_brings(desk: Api, form: str) -> None:
    deliver(desk, connect(desk, namespace="forum2"), flags(31, 101))
    posted = desk.request(
        "POST",
        "/v1/complaints?namespace=forum2&assess=true",
        content=json.dumps(complaint("7", "502")).encode(),
        headers={"content-type": form},
    )
    assert posted.status_code == 202
    assert [(one["target_id"], one["unseen"]) for one in posted.json()["assessments"]] == [("forum2:31", 2)]
    again = desk.post("/v1/complaints", json=complaint("forum2:7", "forum2:502", "forum2:31"))
    assert again.status_code == 202
    document = {"id": "o1", "target_id": "31", "decided_at": "2026-11-01T11:00:00Z", "verdict": "upheld"}
    document |= {"complaint_id": "7", "retracts": "o0"}
    assert desk.post("/v1/outcomes?namespace=forum2", json=document).status_code == 202
    assert stored(desk)[-1][1] == {
        **document,
        "decided_by": "person",
        "id": "forum2:o1",
        "target_id": "forum2:31",
        "complaint_id": "forum2:7",
        "retracts": "forum2:o0",
    }
    assert desk.request("DELETE", "/v1/complaints/7?namespace=forum2").status_code == 202
    assert stored(desk)[-1] == ("w", {"id": "forum2:7"})
    assert archive(desk) == {"forum2:31": 1}


def test_bare_ids_are_what_they_were(desk: Api) -> None:
    desk.post("/v1/complaints", json=complaint())
    assert stored(desk)[0][1] == {**complaint(), "reporter": {"id": "501", "trusted": False}}
    assert desk.get("/v1/targets/31").json()["target_id"] == "31"


def test_an_id_that_gets_too_long_is_asked_about_by_the_platforms_own(desk: Api) -> None:
    long = "x" * 128
    assert desk.post("/v1/complaints?namespace=a-forum", json=complaint(long, long, long)).status_code == 202
    kept = stored(desk)[0][1]
    assert kept["id"] == kept["reporter"]["id"] == kept["target"]["id"] != long and len(kept["id"]) == 128
    assert desk.get(f"/v1/targets/{long}?namespace=a-forum").json()["unseen"] == 1
    assert desk.get(f"/v1/targets/{kept['id']}").json()["unseen"] == 1
    assert desk.get(f"/v1/targets/{long}").json()["unseen"] == 0
    is_problem(desk.post("/v1/complaints?namespace=a-forum", json=complaint(long + "x")), 422)


@pytest.mark.parametrize("namespace", ["", "Forum", "a:b", "-a", "x" * 33, "a%00", "a&namespace=a"])
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/targets/31", None),
        ("GET", "/v1/targets/31/brief", None),
        ("POST", "/v1/targets/assess", {"target_ids": ["31"]}),
        ("POST", "/v1/complaints", complaint()),
        ("POST", "/v1/outcomes", {"id": "o", "target_id": "t", "decided_at": "2026-11-01T10:00:00Z", "action": "kept"}),
        ("DELETE", "/v1/complaints/1", None),
        ("GET", "/v1/reporters/501", None),
        ("DELETE", "/v1/reporters/501", None),
    ],
)
def test_what_cannot_be_a_namespace_is_refused(desk: Api, method: str, path: str, body: Any, namespace: str) -> None:
    answer = desk.request(method, f"{path}?namespace={namespace}", json=body)
    problem = is_problem(answer, 422)
    assert [error["pointer"] for error in problem["errors"]] == ["/namespace"]
    assert "%" in namespace or "&" in namespace or "1 to 32 lowercase letters, digits and hyphens" in problem["detail"]
    assert stored(desk) == []


def test_a_signed_post_is_under_the_namespace_of_its_source_which_nobody_else_chooses(desk: Api) -> None:
    made = connect(desk, "generic", STANDARD_SECRET, namespace="forum2")
    body = json.dumps(complaint()).encode()
    signed = {**JSON, **standard(STANDARD_SECRET, "msg_1", NOW_US // 1_000_000, body), "webhook-source": made.id}

    def post(query: str) -> Any:
        return desk.redis.run(
            desk.client.post(f"/v1/complaints{query}", content=body, headers={"X-Request-ID": "test", **signed})
        )

    # The signature does not cover the query: whoever has seen one post could send it again under other ids.
    is_problem(post("?namespace=forum3"), 422)
    assert stored(desk) == []
    valid, signed["webhook-signature"] = signed["webhook-signature"], "v1,AAAA"
    is_problem(post("?namespace=forum3"), 401)
    signed["webhook-signature"] = valid
    assert post("").status_code == 202
    assert [body["id"] for _, body in stored(desk)] == ["forum2:1"]


@pytest.mark.parametrize("form", ["own", "prefixed", "pseudonym"])
def test_a_reporter_is_found_and_erased_by_every_form_of_the_id(desk: Api, form: str) -> None:
    number, box = tenant_id(desk.engine, "default"), SecretBox(desk.settings)
    with write(desk.engine) as connection:
        change_settings(connection, number, actor="test", now_us=0, pseudonyms=True)
    desk.app.state.api.privacy_filters.forget(number)
    source = connect(desk, namespace="forum2")
    desk.post("/v1/complaints", json=complaint("c", "101"))  # another forum's 101
    deliver(desk, source, flags(31, 101))
    archive(desk)
    pseudonym = open_privacy_filter(desk.engine, box, number).pseudonym("forum2:101")
    path = {"own": "101?namespace=forum2", "prefixed": "forum2%3A101", "pseudonym": f"{pseudonym}?namespace=forum2"}
    history = desk.get(f"/v1/reporters/{path[form]}")
    assert (history.status_code, history.json()["id"], history.json()["complaints"]) == (200, pseudonym, 1)
    erased = desk.request("DELETE", f"/v1/reporters/{path[form]}", key=desk.key("default", "forget", "ingest", "read"))
    assert erased.status_code == 202
    erase.run("default", Resources(desk.settings, desk.engine, desk.redis.blocking))
    assert desk.get("/v1/reporters/101").json()["complaints"] == 1
    assert desk.get(f"/v1/reporters/{path[form]}").status_code == 404
    with desk.engine.connect() as connection:
        contents = " ".join(connection.execute(sa.select(schema.complaints.c.content)).scalars())
    assert pseudonym not in contents and "forum2:1" in contents
    is_problem(desk.post("/v1/complaints?namespace=forum2", json=complaint("9", "101")), 422)


def test_a_source_shows_its_namespace(desk: Api) -> None:
    connect(desk, namespace="forum2"), connect(desk)
    assert {item["namespace"] for item in desk.get("/v1/sources").json()["items"]} == {"forum2", None}
