"""Posting complaints, outcomes and withdrawals: what is answered, what is in the stream afterwards."""

from __future__ import annotations

import asyncio
import gzip
import hmac
import json
import tracemalloc
import zlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from service.settings import Settings
from service.storage.accounts.secret_box import SecretBox
from service.storage.accounts.tenant_settings import change_settings
from service.storage.accounts.tenants import create_key
from service.storage.redis_store import redis_keys, stream
from service.storage.redis_store.assessments import write_progress
from service.storage.redis_store.client import connect
from service.storage.redis_store.redis_identity import agree, user_of
from service.storage.sql.engine import write
from service.storage.sql.schema import ingest_state, tenants
from service.storage.webhooks.sources import add_source
from tests.conftest import Api, RedisClients

JSON = {"content-type": "application/json"}
NDJSON = {"content-type": "application/x-ndjson"}


def complaint(identifier: str = "c-1", **changes: Any) -> dict[str, Any]:
    return {
        "id": identifier,
        "occurred_at": "2021-12-23T14:02:11Z",
        "reporter": {"id": "r-1"},
        "target": {"id": "t-1"},
        **changes,
    }


def stored(api: Api, tenant: str = "default") -> list[str]:
    """The lines in the tenant's stream, in order."""
    entries = stream.read_entries(api.redis.blocking, tenant, "test", 10_000, 10**9)
    return [line.decode() for entry in entries for line in entry.lines.split(b"\n")]


def is_problem(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail", "errors"} <= set(body)
    assert body["status"] == status
    return body


def test_one_complaint_is_accepted_and_in_the_stream(api: Api) -> None:
    answer = api.post("/v1/complaints", json=complaint())
    assert answer.status_code == 202
    assert answer.json() == {
        "accepted": 1,
        "rejected": [],
        "rejected_count": 0,
        "position": 1,
        "notes": [],
        "notes_count": 0,
    }
    assert stored(api) == [
        'c{"id":"c-1","occurred_at":"2021-12-23T14:02:11Z","reporter":{"id":"r-1","trusted":false},"target":{"id":"t-1"}}'
    ]


def test_an_array_and_ndjson_are_accepted_and_positions_go_on(api: Api) -> None:
    assert api.post("/v1/complaints", json=[complaint("a"), complaint("b")]).json()["position"] == 2
    lines = b"\n".join(json.dumps(complaint(str(n))).encode() for n in range(500)) + b"\n"
    assert (
        api.post(
            "/v1/complaints", content=lines, headers={"content-type": "Application/X-NDJSON; charset=utf-8"}
        ).json()["position"]
        == 502
    )
    assert len(stored(api)) == 502


def test_outcomes_and_withdrawals_go_the_same_way(api: Api) -> None:
    outcome = {"id": "o-1", "target_id": "t-1", "decided_at": "2021-12-24T08:30:00+01:00", "verdict": "upheld"}
    assert api.post("/v1/outcomes", json=outcome).json()["position"] == 1
    assert api.request("DELETE", "/v1/complaints/c-1").json() == {
        "accepted": 1,
        "rejected": [],
        "rejected_count": 0,
        "position": 2,
    }
    assert stored(api) == [
        'o{"id":"o-1","target_id":"t-1","decided_at":"2021-12-24T07:30:00Z","verdict":"upheld","decided_by":"person"}',
        'w{"id":"c-1"}',
    ]


@pytest.mark.parametrize(
    "identifier", [".", "..", "a/brief", "assess", "%", "%2F", "😀", "a b+c", "é" * 128, "?x=1#y", "&;="]
)
def test_every_permitted_id_can_be_withdrawn(api: Api, identifier: str) -> None:
    escaped = "".join(f"%{byte:02X}" for byte in identifier.encode()).encode()
    answer = api.request("DELETE", "/", raw_path=b"/v1/complaints/" + escaped)
    assert answer.status_code == 202, answer.text
    assert json.loads(stored(api)[0][1:]) == {"id": identifier}


@pytest.mark.parametrize("escaped", [b"%FF", b"%C3", b"%00", b"%C2%85", b"%ED%A0%80", b"x" * 129])
def test_what_could_be_no_id_is_refused_with_a_pointer(api: Api, escaped: bytes) -> None:
    body = is_problem(api.request("DELETE", "/", raw_path=b"/v1/complaints/" + escaped), 422)
    assert body["errors"][0]["pointer"] == "/id"
    assert stored(api) == []


def test_valid_lines_are_kept_and_the_others_listed(api: Api) -> None:
    lines = [
        json.dumps(complaint("a")).encode(),
        b"{",
        b"",
        b"\xff\xff",
        json.dumps(complaint("b", extra=1)).encode(),
        json.dumps(complaint("c")).encode(),
    ]
    answer = api.post("/v1/complaints", content=b"\n".join(lines), headers=NDJSON)
    assert answer.status_code == 202
    body = answer.json()
    assert (body["accepted"], body["rejected_count"], body["position"]) == (2, 3, 2)
    assert [(r["line"], r["id"], r["pointer"]) for r in body["rejected"]] == [
        (2, None, ""),
        (4, None, ""),
        (5, "b", "/extra"),
    ]
    assert [json.loads(line[1:])["id"] for line in stored(api)] == ["a", "c"]


def test_of_many_refusals_a_hundred_are_listed(api: Api) -> None:
    body = is_problem(api.post("/v1/complaints", content=b"{}\n" * 300, headers=NDJSON), 422)
    assert (len(body["errors"]), body["rejected_count"]) == (100, 300)


def test_one_invalid_object_names_its_field_and_no_line(api: Api) -> None:
    body = is_problem(api.post("/v1/complaints", json=complaint(target={"id": "t", "a/b": []})), 422)
    assert body["errors"] == [{"id": "c-1", "detail": body["errors"][0]["detail"], "pointer": "/target/a~1b"}]
    assert stored(api) == []


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"", JSON, 400),
        (b"", NDJSON, 400),
        (b"{", JSON, 400),
        (b"\xff\xfe\x00", JSON, 400),
        (b"[" * 90_000, JSON, 400),
        (b'{"a":' * 90_000, JSON, 400),
        (b'{"a":' * 200_000, JSON, 413),
        (b"9" * 6_000, JSON, 400),
        (b"[]", JSON, 422),
        (b"5", JSON, 422),
        (b"null", JSON, 422),
        (b"NaN", JSON, 422),
        (b"\n\n", NDJSON, 422),
        (b"{" * 200_000, NDJSON, 422),
        (b"[" + b"{}," * 1_000 + b"{}]", JSON, 413),
        (b"{}\n" * 10_001, NDJSON, 413),
        (b" " * (8 * 1024 * 1024 + 1), JSON, 413),
        (b"{}", {"content-type": "text/plain"}, 415),
        (b"{}", {"content-type": ""}, 415),
        (b"{}", {}, 415),
        (b"a=1", {"content-type": "application/x-www-form-urlencoded"}, 415),
        (b"{}", {**JSON, "content-encoding": "br"}, 415),
        (b"{}", {**JSON, "content-encoding": "gzip, gzip"}, 415),
        (b"no gzip", {**JSON, "content-encoding": "gzip"}, 400),
        (b"", {**JSON, "content-encoding": "gzip"}, 400),
        (gzip.compress(b""), {**JSON, "content-encoding": "gzip"}, 400),
        (gzip.compress(json.dumps(complaint()).encode())[:-5], {**JSON, "content-encoding": "gzip"}, 400),
        (gzip.compress(json.dumps(complaint()).encode()) + b"garbage", {**JSON, "content-encoding": "gzip"}, 400),
        (gzip.compress(b" ") * 2_000, {**JSON, "content-encoding": "gzip"}, 400),
        (gzip.compress(b"0" * 9_000_000), {**JSON, "content-encoding": "gzip"}, 413),
        (gzip.compress(b"0" * 200_000_000, 9), {**JSON, "content-encoding": "gzip"}, 413),
        (zlib.compress(b"{}"), {**JSON, "content-encoding": "gzip"}, 400),
    ],
    ids=map(str, count()),  # the bytes are long, and those of gzip hold the time
)
def test_a_bad_document_is_refused_as_the_contract_says(
    api: Api, content: bytes, headers: dict[str, str], status: int
) -> None:
    is_problem(api.post("/v1/complaints", content=content, headers=headers), status)
    is_problem(api.post("/v1/outcomes", content=content, headers=headers), status)
    assert stored(api) == []


def test_gzip_is_inflated_whatever_its_members(api: Api) -> None:
    lines = [json.dumps(complaint(str(n), text="x" * 2_000)).encode() + b"\n" for n in range(300)]
    whole = gzip.compress(b"".join(lines))
    members = b"".join(gzip.compress(b"".join(lines[start : start + 50])) for start in range(0, 300, 50))
    for body in (whole, members):
        assert (
            api.post("/v1/complaints", content=body, headers={**NDJSON, "content-encoding": "gzip"}).json()["accepted"]
            == 300
        )


def test_a_clock_that_runs_ahead_is_told_so(api: Api) -> None:
    ahead = (datetime.now(UTC) + timedelta(minutes=7)).isoformat()
    body = api.post("/v1/complaints", json=[complaint("a"), complaint("b", occurred_at=ahead)]).json()
    assert (body["accepted"], body["rejected"][0]["pointer"], body["rejected"][0]["line"]) == (1, "/occurred_at", 2)


def test_ids_of_ten_kilobytes_and_surrogates_cost_themselves_only(api: Api) -> None:
    body = api.post(
        "/v1/complaints",
        content=json.dumps(
            [complaint("x" * 10_000), complaint("\ud800"), complaint("good"), complaint("n", text="\udfff")]
        ),
        headers=JSON,
    ).json()
    assert [(r["line"], r["id"], r["pointer"]) for r in body["rejected"]] == [
        (1, None, "/id"),
        (2, None, "/id"),
    ]
    assert body["accepted"] == 2
    assert [(note["line"], note["id"], note["pointer"]) for note in body["notes"]] == [(4, "n", "/text")]


def test_an_optional_field_that_cannot_be_used_is_a_note_and_the_complaint_is_stored(api: Api) -> None:
    zero = complaint(reporter={"id": "r-1", "account_created_at": "0001-01-01T00:00:00Z"})  # Go's zero time
    lines = [complaint("good"), zero, {**complaint("cut"), "reason": "x" * 80}, {**complaint(), "id": 5, "reason": 5}]
    answer = api.post("/v1/complaints", content="\n".join(map(json.dumps, lines)), headers=NDJSON).json()
    assert (answer["accepted"], answer["rejected_count"], answer["notes_count"]) == (3, 1, 2)
    assert answer["notes"][1] == {
        "line": 3,
        "id": "cut",
        "detail": "cut from 80 to 64 characters",
        "pointer": "/reason",
    }
    reporter = {"id": "r-1", "trusted": False}
    assert [json.loads(line[1:]) for line in stored(api)] == [
        complaint("good", reporter=reporter),
        complaint("c-1", reporter=reporter),
        complaint("cut", reporter=reporter, reason="x" * 64),
    ]
    single = api.post("/v1/complaints", json=zero).json()["notes"]
    assert [set(note) for note in single] == [{"id", "detail", "pointer"}]


@pytest.mark.parametrize("headers", [JSON, NDJSON])
def test_a_byte_order_mark_loses_nothing(api: Api, headers: dict[str, str]) -> None:
    answer = api.post("/v1/complaints", content=b"\xef\xbb\xbf" + json.dumps(complaint()).encode(), headers=headers)
    assert (answer.status_code, answer.json()["accepted"], answer.json()["rejected_count"]) == (202, 1, 0)
    wide = api.post("/v1/complaints", content=json.dumps(complaint()).encode("utf-16"), headers=headers)
    assert "UTF-16" in is_problem(wide, 400)["detail"]
    asked = api.post("/v1/targets/assess", content=b'\xef\xbb\xbf{"target_ids": ["t-1"]}', headers=JSON)
    assert asked.status_code == 200


def test_the_document_takes_what_the_service_takes_of_optional_fields(api: Api) -> None:
    schemas = api.get("/openapi.json").json()["components"]["schemas"]
    optional = {
        (name, field): part
        for name in ("Complaint", "Reporter", "Target")
        for field, part in schemas[name]["properties"].items()
        if field not in schemas[name]["required"]
    }
    assert len(optional) == 15
    for place, part in optional.items():
        anything = part["anyOf"][-1]
        assert set(anything) == {"description"}, place
        assert "with a note" in anything["description"]


def test_an_outcome_may_retract_another_one_and_say_nothing_else(api: Api) -> None:
    outcome = {"id": "o-2", "target_id": "t-1", "decided_at": "2021-12-24T07:30:00Z"}
    assert api.post("/v1/outcomes", json={**outcome, "retracts": "o-1"}).status_code == 202
    assert (
        api.post("/v1/outcomes", json={**outcome, "id": "o-3", "retracts": None, "action": "kept"}).status_code == 202
    )
    assert [json.loads(line[1:]) for line in stored(api)] == [
        {**outcome, "retracts": "o-1", "decided_by": "person"},
        {**outcome, "id": "o-3", "action": "kept", "decided_by": "person"},
    ]
    nothing = api.post("/v1/outcomes", json={**outcome, "retracts": None}).json()
    assert nothing["errors"][0]["detail"].endswith("an outcome needs at least one of verdict, action and retracts")
    own = api.post("/v1/outcomes", json={**outcome, "verdict": "upheld", "retracts": "o-2"}).json()
    assert "retracts must be the id of another outcome" in own["errors"][0]["detail"]
    for value in ("", "x" * 129, 7, ["o-1"]):
        refused = api.post("/v1/outcomes", json={**outcome, "verdict": "upheld", "retracts": value})
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/retracts")


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.binary(max_size=60),
        ANY_JSON.map(lambda value: json.dumps(value).encode()),
        ANY_JSON.map(lambda value: json.dumps(complaint(target=value)).encode()),
    ),
    st.sampled_from([JSON, NDJSON]),
    st.booleans(),
)
def test_whatever_is_posted_is_never_a_500(api: Api, content: bytes, headers: dict[str, str], zipped: bool) -> None:
    answer = api.post(
        "/v1/complaints",
        content=gzip.compress(content) if zipped else content,
        headers={**headers, "content-encoding": "gzip"} if zipped else headers,
    )
    assert answer.status_code in (202, 400, 422), (answer.status_code, answer.text)
    answer.json()


def test_without_a_key_nothing_is_taken(api: Api) -> None:
    read_only = api.key("default", "read")
    for key, status in (("", 401), ("nonsense", 401), ("bw_" + "x" * 5_000, 401), (read_only, 403)):
        body = is_problem(api.post("/v1/complaints", json=complaint(), key=key), status)
        assert "ingest" in body["detail"] or status == 401
    anonymous = api.redis.run(api.client.post("/v1/complaints", json=complaint()))
    is_problem(anonymous, 401)
    assert anonymous.headers["www-authenticate"].startswith("Bearer")
    strange = api.redis.run(
        api.client.post("/v1/complaints", json=complaint(), headers=[(b"authorization", b"Bearer \xff\xfe")])
    )
    is_problem(strange, 401)
    assert stored(api) == []


def test_a_key_works_as_soon_as_it_is_made(api: Api) -> None:
    is_problem(api.post("/v1/complaints", json=complaint(), key="bw_later"), 401)
    assert api.post("/v1/complaints", json=complaint(), tenant="fresh").status_code == 202


def test_tenants_have_streams_of_their_own(api: Api) -> None:
    api.post("/v1/complaints", json=complaint("a"), tenant="one")
    assert api.post("/v1/complaints", json=complaint("b"), tenant="two").json()["position"] == 1
    assert len(stored(api, "one")) == len(stored(api, "two")) == 1
    assert api.redis.blocking.smembers(redis_keys.TENANTS_WAITING) == {b"one", b"two"}


def test_a_full_stream_is_429_and_says_when_to_come_back(
    make_api: Callable[..., Api], fake_redis: RedisClients, settings: Settings
) -> None:
    api = make_api(fake_redis, replace(settings, max_stream_items=5))
    assert api.post("/v1/complaints", json=[complaint(str(n)) for n in range(5)]).status_code == 202
    answer = api.post("/v1/complaints", json=complaint("more"))
    is_problem(answer, 429)
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.headers["ratelimit"].endswith(f"t={answer.headers['retry-after']}")
    assert "ratelimit-policy" in answer.headers
    assert len(stored(api)) == 5


def test_too_much_that_is_not_analysed_is_429_for_complaints_and_holds_up_no_withdrawal(
    make_api: Callable[..., Api], real_redis: RedisClients, settings: Settings
) -> None:
    api = make_api(real_redis, replace(settings, max_unanalysed_items=5))
    assert api.post("/v1/complaints", json=[complaint(str(n)) for n in range(5)]).status_code == 202
    write_progress(api.redis.blocking, "default", archived=5)
    answer = api.post("/v1/complaints", json=complaint("more"))
    is_problem(answer, 429)
    assert "wait to be analysed" in answer.json()["detail"] and answer.headers["retry-after"] == "5"
    headers = {"Authorization": f"Bearer {api.key()}"}

    async def at_once() -> list[int]:
        calls = [api.client.delete(f"/v1/complaints/{n}", headers=headers) for n in range(5)]
        calls += [api.client.post("/v1/complaints", json=complaint(f"x{n}"), headers=headers) for n in range(5)]
        return [answer.status_code for answer in await asyncio.gather(*calls)]

    # also where they share a write with complaints that are refused
    assert api.redis.run(at_once()) == [202] * 5 + [429] * 5
    write_progress(api.redis.blocking, "default", archived=10, analysed=10)
    assert api.post("/v1/complaints", json=complaint("more")).status_code == 202


def test_a_tenant_over_its_rate_waits_and_others_do_not(
    make_api: Callable[..., Api], fake_redis: RedisClients, settings: Settings
) -> None:
    api = make_api(fake_redis, replace(settings, rate_per_tenant=10.0))
    # let in, and in debt
    assert api.post("/v1/complaints", json=[complaint(str(n)) for n in range(100)]).status_code == 202
    answer = api.post("/v1/complaints", json=complaint("more"))
    is_problem(answer, 429)
    assert 8 <= int(answer.headers["retry-after"]) <= 10
    assert answer.headers["ratelimit-policy"] == '"tenant";q=10;w=1'
    assert api.post("/v1/complaints", json=complaint(), tenant="other").status_code == 202


def test_a_tenant_that_its_operator_limits_is_told_so_by_the_webhooks_path_too(
    make_api: Callable[..., Api], fake_redis: RedisClients, settings: Settings
) -> None:
    used = replace(settings, secret_keys=("ab" * 32,))
    api, secret, body = make_api(fake_redis, used), "hook-secret", b'{"ping": "OK"}'
    api.key("default")
    with write(api.engine) as connection:
        number = int(connection.scalar(select(tenants.c.id).where(tenants.c.name == "default")) or 0)
        change_settings(connection, number, actor="test", now_us=1, rate_per_second=5.0)
        source = add_source(connection, SecretBox(used), number, "discourse", secret=secret, now_us=1)
    signed = {
        "X-Discourse-Event-Signature": "sha256=" + hmac.digest(secret.encode(), body, "sha256").hex(),
        "X-Discourse-Event": "ping",
        "Content-Type": "application/json",
    }
    api.keys.clear()  # looked up again: the rate comes with the key
    assert (
        api.post(
            "/v1/complaints",
            json=[complaint(str(n)) for n in range(50)],
            key=create_key(api.engine, "default", ["ingest"], "k", 1),
        ).status_code
        == 202
    )
    answer = api.post(source.path, content=body, headers=signed, key="")
    is_problem(answer, 429)
    assert (
        answer.headers["ratelimit-policy"] == '"tenant";q=5;w=1'
        and answer.headers["ratelimit"].startswith('"tenant";r=0;t=')
        and int(answer.headers["retry-after"]) > 5
    )


def test_an_unreachable_redis_is_503_and_nothing_is_acknowledged(
    make_api: Callable[..., Api], loop: asyncio.AbstractEventLoop
) -> None:
    nowhere = RedisClients(None, connect("redis://127.0.0.1:1/0", 0.3), loop, None)
    api = make_api(nowhere)
    for answer in (
        api.post("/v1/complaints", json=complaint()),
        api.request("DELETE", "/v1/complaints/c"),
        api.get("/v1/targets/t"),
        api.get("/v1/pipeline"),
        api.get("/readyz"),
    ):
        is_problem(answer, 503)
        assert int(answer.headers["retry-after"]) >= 1
    loop.run_until_complete(nowhere.asyncio.aclose())


def test_after_redis_lost_its_data_nothing_is_taken_until_it_is_rebuilt(api: Api) -> None:
    assert api.post("/v1/complaints", json=complaint("a")).status_code == 202
    with write(api.engine) as connection:
        connection.execute(update(ingest_state).values(archived_position=1, last_seq=1))
    api.redis.blocking.flushall()
    is_problem(api.post("/v1/complaints", json=complaint("b")), 503)
    is_problem(api.get("/v1/targets/t-1"), 503)
    agree(api.engine, api.redis.blocking, user_of(api.settings))
    stream.initialise_position(api.redis.blocking, "default", 1)
    api.redis.run(api.app.state.api.redis_guard.look())
    assert api.post("/v1/complaints", json=complaint("b")).json()["position"] == 2


def test_concurrent_single_posts_share_writes_and_keep_positions_of_their_own(
    make_api: Callable[..., Api], real_redis: RedisClients
) -> None:
    api = make_api(real_redis)
    api.post("/v1/complaints", json=complaint("first"))
    headers = {"Authorization": f"Bearer {api.key()}"}

    async def many() -> list[int]:
        answers = await asyncio.gather(
            *(api.client.post("/v1/complaints", json=complaint(str(n)), headers=headers) for n in range(200))
        )
        return [answer.json()["position"] for answer in answers]

    positions = api.redis.run(many())
    assert sorted(positions) == list(range(2, 202))
    assert stream.waiting(api.redis.blocking, "default") < 100
    by_position = {position: str(n) for n, position in enumerate(positions)}
    by_position[1] = "first"
    assert [json.loads(line[1:])["id"] for line in stored(api)] == [by_position[position] for position in range(1, 202)]


def test_a_client_that_gives_up_harms_nobody(make_api: Callable[..., Api], real_redis: RedisClients) -> None:
    api = make_api(real_redis)
    writer = api.app.state.api.writer
    api.post("/v1/complaints", json=complaint("first"))

    async def some_give_up() -> list[Any]:
        tasks = [asyncio.ensure_future(writer.append("default", 1, b"w%d" % n)) for n in range(10)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    answers = api.redis.run(some_give_up())
    assert all(isinstance(answer, asyncio.CancelledError) for answer in answers[::2])
    assert all(isinstance(answer, int) for answer in answers[1::2])
    api.redis.run(writer.close())


def test_an_unknown_path_and_a_wrong_method_are_problems_too(api: Api) -> None:
    is_problem(api.get("/v1/nothing"), 404)
    is_problem(api.get("/v1/complaints/"), 404)
    is_problem(api.request("DELETE", "/v1/complaints/"), 404)
    answer = api.get("/v1/complaints")
    is_problem(answer, 405)
    assert answer.headers["allow"] == "POST"
    is_problem(api.request("OPTIONS", "/v1/targets/t"), 405)
    for path, methods in (
        ("/v1/subscriptions/s", "GET, PATCH, DELETE, HEAD"),
        ("/v1/targets/assess", "GET, POST, HEAD"),
        ("/v1/clusters/k/decisions", "GET, POST, HEAD"),
        ("/v1/reporters/r", "GET, DELETE, HEAD"),
    ):
        assert api.request("PUT", path).headers["allow"] == methods, "of all routes of the path, not of the first one"


def test_an_unexpected_failure_tells_nothing_about_the_inside(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    async def broken(*arguments: Any) -> int:
        raise RuntimeError("secret of the house")

    api.app.state.api.writer.append = broken
    answer = api.post("/v1/complaints", json=complaint())
    is_problem(answer, 500)
    assert "secret" not in answer.text
    assert "secret of the house" in caplog.text


def test_a_gzip_bomb_is_refused_without_being_held(api: Api) -> None:
    bomb = gzip.compress(bytes(200 * 1024 * 1024))
    tracemalloc.start()
    try:
        for form in ("application/json", "application/x-ndjson"):
            is_problem(
                api.post("/v1/complaints", content=bomb, headers={"Content-Type": form, "Content-Encoding": "gzip"}),
                413,
            )
        assert tracemalloc.get_traced_memory()[1] < 32 * 1024 * 1024
    finally:
        tracemalloc.stop()
    assert api.app.state.api.bodies.held == 0
