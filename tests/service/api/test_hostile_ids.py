"""Ids that mean something to somebody: Redis' keys, SQL, paths, headers, logs. They are ids here, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
import redis
import sqlalchemy as sa
from sqlalchemy import Engine

from service.errors import Refused
from service.settings import Settings
from service.storage.accounts.tenants import KEY_PREFIX, create_tenant, ensure_tenant
from service.storage.sql import schema
from tests.conftest import Api, RedisClients
from tests.service.api.test_submissions import is_problem
from workers import detect, ingest
from workers.resources import Resources

IDS = [
    "a:b",
    "bw:other:stream",
    "{a}",
    "{}",
    "*",
    "a b",
    "a%2Fb",
    "%",
    "%00",
    "a/b",
    "a/brief",
    "..",
    ".",
    "../../other",
    "a?b=c",
    "a#b",
    "a;b",
    "a&b",
    "a+b",
    "a\\b",
    "é",
    "e\u0301",
    "\u202eabc",
    "\u2028",
    "😀",
    "' OR 1=1 --",
    "'; DROP TABLE complaints; --",
    '"',
    "`id`",
    "$(id)",
    "${jndi:ldap://x}",
    "{{7*7}}",
    "%s%n",
    "<script>alert(1)</script>",
    "=1+1",
    "c{",
    "a,b",
    "-1",
    "null",
    "0x41",
    "😀" * 128,
    "x" * 128,
    "\ufeff",
    "\U000e0041",
]
NO_IDS = ["", "a\nb", "a\rb", "a\0b", "\x1b[31m", "\x7f", "\x85", "x" * 129, "😀" * 129]


@pytest.fixture
def desk(make_api: Callable[..., Api], real_redis: RedisClients) -> Api:
    return make_api(real_redis)


def complaint(number: int, identifier: str) -> dict[str, Any]:
    target = {
        "id": identifier,
        "author_id": identifier,
        "context_id": identifier,
        "attributes": {identifier: identifier},
    }
    return {
        "id": identifier,
        "occurred_at": f"2021-12-23T14:02:{number:02}Z",
        "reporter": {"id": identifier},
        "target": target,
    }


def test_they_come_through_all_the_way_and_are_asked_for_again(desk: Api, settings: Settings, engine: Engine) -> None:
    desk.key("other")
    before = {key: desk.redis.blocking.dump(key) for key in desk.redis.blocking.scan_iter("*other*")}
    documents = [complaint(number, identifier) for number, identifier in enumerate(IDS)]
    answer = desk.post("/v1/complaints", json=documents)
    assert (answer.status_code, answer.json()["rejected"]) == (202, [])
    for work in (ingest, detect):
        work.run("default", Resources(settings, engine, desk.redis.blocking))
    with engine.connect() as connection:
        rows = connection.execute(
            sa.select(schema.complaints.c.id, schema.complaints.c.reporter_id, schema.complaints.c.target_id).order_by(
                schema.complaints.c.occurred_us
            )
        ).all()
    assert [tuple(row) for row in rows] == [(identifier,) * 3 for identifier in IDS], (
        "nothing was normalised, cut or taken for something else"
    )
    for identifier in IDS:
        path = f"/v1/targets/{quote(identifier, safe='')}"
        found = desk.get(path, raw_path=path.encode())
        assert (found.status_code, found.json()["target_id"], found.json()["complaints"]) == (200, identifier, 1), (
            identifier
        )
        path = f"/v1/reporters/{quote(identifier, safe='')}"
        assert desk.get(path, raw_path=path.encode()).json()["complaints"] == 1
        assert (
            desk.get(
                "/v1/clusters", params={"reporter": identifier, "target": identifier, "author": identifier}
            ).json()["items"]
            == []
        )
        assert all("\n" not in value and "\r" not in value for value in found.headers.values())
    items = desk.post("/v1/targets/assess", json={"target_ids": IDS}).json()["items"]
    assert [(item["target_id"], item["complaints"]) for item in items] == [(identifier, 1) for identifier in IDS]
    assert {key: desk.redis.blocking.dump(key) for key in desk.redis.blocking.scan_iter("*other*")} == before


def test_no_id_is_part_of_a_key_in_redis(desk: Api, settings: Settings, engine: Engine) -> None:
    desk.post("/v1/complaints", json=[complaint(number, identifier) for number, identifier in enumerate(IDS)])
    for identifier in IDS:
        path = f"/v1/complaints/{quote(identifier, safe='')}"
        assert desk.request("DELETE", path, raw_path=path.encode()).status_code == 202
    ingest.run("default", Resources(settings, engine, desk.redis.blocking))
    names = {key.decode() for key in desk.redis.blocking.scan_iter("*")}
    ours = ("bw:default:", "bw:identity", "bw:waiting", "bw:dirty", "bw:write-probe", "bw:metrics:", "rq:")
    assert names and all(name.startswith(ours) for name in names), names
    for name in names:
        if desk.redis.blocking.type(name) == b"hash":
            assert not set(desk.redis.blocking.hkeys(name)) & {identifier.encode() for identifier in IDS}, (
                "targets are keys of a fixed length there"
            )


@pytest.mark.parametrize("identifier", NO_IDS)
def test_what_is_no_id_is_refused_wherever_it_stands(desk: Api, identifier: str) -> None:
    refused = is_problem(desk.post("/v1/complaints", json={**complaint(1, "x"), "id": identifier}), 422)
    assert refused["errors"][0]["pointer"] == "/id"
    assert (
        is_problem(desk.post("/v1/complaints", json={**complaint(1, "x"), "target": {"id": identifier}}), 422)[
            "errors"
        ][0]["pointer"]
        == "/target/id"
    )
    if identifier:
        for noun in ("targets", "reporters", "clusters", "subscriptions"):
            path = f"/v1/{noun}/{quote(identifier, safe='')}"
            assert is_problem(desk.get(path, raw_path=path.encode()), 422)
    assert desk.get("/v1/clusters", params={"target": identifier}).status_code == 422


@pytest.mark.parametrize("name", [*IDS, *NO_IDS, "Default", "a_b", "a.b", "ä", "default\n", " default", "x" * 41])
def test_no_tenant_is_called_so(engine: Engine, name: str) -> None:
    for make in (create_tenant, ensure_tenant):
        if name in ("-1", "null", "0x41"):  # odd, and harmless: letters, digits and hyphens
            continue
        with pytest.raises(Refused, match="is not a valid tenant name"):
            make(engine, name, 0)


def test_a_raw_path_with_anything_in_it_is_answered_as_a_problem_or_an_id(desk: Api) -> None:
    for raw in (
        b"/v1/targets/%ff",
        b"/v1/targets/%c0%af",
        b"/v1/targets/%ed%a0%80",
        b"/v1/targets/\xf0\x9f\x98\x80",
        b"/v1/targets/%",
        b"/v1/targets/%zz",
        b"/v1/targets/a;b=c",
        b"//v1/targets/a",
        b"/v1//targets/a",
        b"/V1/targets/a",
        b"/v1/targets/a/../b",
    ):
        answer = desk.get("/v1/targets/a", raw_path=raw)
        assert answer.status_code in (200, 404, 422), (raw, answer.status_code)
        json.loads(answer.content)


def test_junk_without_a_key_touches_neither_database_nor_redis(desk: Api, engine: Engine) -> None:
    statements: list[str] = []
    sa.event.listen(
        engine, "before_cursor_execute", lambda connection, cursor, statement, *_: statements.append(statement)
    )

    def asked(client: redis.Redis) -> int:
        return sum(
            int(stat["calls"])
            for name, stat in client.info("commandstats").items()
            if name not in ("cmdstat_info", "cmdstat_client|setinfo")
        )

    before = asked(desk.redis.blocking)
    junk = [
        "",
        "Basic YTpi",
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Bearer bw_",
        "Bearer bw_" + "x" * 42,
        "Bearer bw_" + "x" * 44,
        "Bearer bw_" + "é" * 20,
        "Bearer ' OR 1=1 --",
        "Bearer " + "x" * 8_000,
        "bearer null",
    ]
    for header in junk:
        for method, path in (
            ("GET", "/v1/targets/a"),
            ("POST", "/v1/complaints"),
            ("GET", "/v1/clusters"),
            ("DELETE", "/v1/reporters/a"),
            ("POST", "/v1/subscriptions"),
        ):
            answer = desk.request(
                method,
                path,
                headers={"Authorization": header.encode("latin-1")},
                key="",
                **({"content": b"{}"} if method == "POST" else {}),
            )
            assert answer.status_code == 401, (header, path, answer.status_code)
    for path in (
        "/v1/nothing",
        "/v1/webhooks/discourse/guess",
        "/v1/webhooks/discourse/src_" + "0" * 47,
        "/healthz",
        "/openapi.json",
        "/docs",
    ):
        assert desk.request(
            "POST" if "webhooks" in path else "GET",
            path,
            content=b"{}",
            headers={"Content-Type": "application/json", "Authorization": ""},
            key="",
        ).status_code in (200, 401, 404)
    assert (statements, asked(desk.redis.blocking)) == ([], before)


def test_a_key_that_could_be_one_costs_one_question_by_its_hash(desk: Api, engine: Engine) -> None:
    asked: list[tuple[str, Any]] = []
    sa.event.listen(
        engine,
        "before_cursor_execute",
        lambda connection, cursor, statement, parameters, *_: asked.append((statement, parameters)),
    )
    guess = KEY_PREFIX + "x" * 43
    assert desk.get("/v1/targets/a", key=guess).status_code == 401
    asked = [one for one in asked if one[0] != "BEGIN" and not one[0].startswith("PRAGMA busy_timeout")]
    assert len(asked) == 1 and re.search(r"hash = [?%]", asked[0][0]) and guess not in str(asked), (
        "compared inside an index of hashes: time tells nothing about the key"
    )


def test_the_api_is_framed_by_nobody_and_runs_nothing(desk: Api) -> None:
    for path in (
        "/v1/targets/a",
        "/v1/nothing",
        "/docs",
        "/openapi.json",
        "/healthz",
        "/static-offline-docs/swagger-ui.css",
    ):
        headers = desk.get(path).headers
        assert headers["x-frame-options"] == "DENY" and headers["x-content-type-options"] == "nosniff", path
        assert (
            "frame-ancestors 'none'" in headers["content-security-policy"]
            and "default-src 'none'" in headers["content-security-policy"]
        )
        assert len(headers.get_list("content-security-policy")) == 1
    assert "script" not in desk.get("/v1/targets/a").headers["content-security-policy"]
    assert len(desk.get("/console/sign-in").headers.get_list("content-security-policy")) == 1
