"""The question before a removal while the database is away or detection lags, at the tenant's own threshold, and asked
again for nothing.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest
from conftest import Api, RedisClients
from outages import take_away
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from service.api import auth
from service.api.auth import GRACE_SECONDS, REMEMBERED_SECONDS, KeyRing
from service.errors import StoreUnavailable
from service.moderation.assessment import ClusterPart, summarise
from service.settings import Settings
from service.storage.accounts.policy_overrides import set_overrides
from service.storage.accounts.tenants import KeyRecord, create_key, create_tenant, find_key, revoke_key, tenant_id
from service.storage.redis_store.assessments import write_memberships, write_progress, write_totals
from service.storage.sql.engine import write
from service.storage.sql.hashing import key_of

CERTAIN = summarise([ClusterPart("k-1", 1.0, 0.9, 0.9, True, set(range(10)))])


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def asked(api: Api, clock: Clock) -> Api:
    """An API whose key was seen, with a target that a cluster carries."""
    api.app.state.api.key_ring = KeyRing(api.engine, clock)
    assert api.get("/v1/targets/anything").status_code == 200
    write_totals(api.redis.blocking, "default", {key_of("hot"): 12, key_of("calm"): 9})
    write_memberships(api.redis.blocking, "default", {key_of("hot"): CERTAIN})
    return api


def test_a_known_key_asks_on_while_the_database_is_away_until_the_grace_has_passed(asked: Api, clock: Clock) -> None:
    back = take_away(asked.engine)
    clock.now += REMEMBERED_SECONDS
    assert asked.get("/v1/targets/hot").json()["recommendation"] == "hold"
    assert asked.post("/v1/targets/assess", json={"target_ids": ["hot"]}).json()["items"][0]["complaints"] == 12
    assert asked.get("/v1/clusters").status_code == 503, "what needs the database says so"
    clock.now += GRACE_SECONDS - REMEMBERED_SECONDS - 1
    assert asked.get("/v1/targets/hot").status_code == 200
    clock.now += 2 + REMEMBERED_SECONDS
    assert asked.get("/v1/targets/hot").status_code == 503
    back()
    assert asked.get("/v1/targets/hot").status_code == 200


def test_a_key_that_was_never_seen_is_not_believed_in_an_outage(asked: Api) -> None:
    other = asked.key("default", "read")
    back = take_away(asked.engine)
    assert asked.get("/v1/targets/hot", key=other).status_code == 503
    assert asked.get("/v1/targets/hot", key="bw_" + "x" * 43).status_code == 503
    back()
    assert asked.get("/v1/targets/hot", key=other).status_code == 200
    assert asked.get("/v1/targets/hot", key="bw_" + "x" * 43).status_code == 401


def test_a_key_revoked_during_an_outage_ends_with_it(asked: Api, clock: Clock) -> None:
    record = find_key(asked.engine, asked.key())
    assert record is not None
    back = take_away(asked.engine)
    clock.now += REMEMBERED_SECONDS
    assert asked.get("/v1/targets/hot").status_code == 200
    back()
    assert revoke_key(asked.engine, record.id, 5)
    clock.now += REMEMBERED_SECONDS
    assert asked.get("/v1/targets/hot").status_code == 401


def test_a_database_that_hangs_holds_nobody_up_who_is_known(
    engine: Engine, clock: Clock, loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_tenant(engine, "t", 1)
    key = create_key(engine, "t", ["read"], "", 1)
    ring = KeyRing(engine, clock)
    assert loop.run_until_complete(ring.find(key)) is not None
    answers, asked = threading.Event(), list[str]()

    def hanging(engine: Engine, key: str) -> KeyRecord | None:
        asked.append(key)
        answers.wait(30)
        return find_key(engine, key)

    monkeypatch.setattr(auth, "find_key", hanging)
    monkeypatch.setattr(auth, "LONGEST_SECONDS", 0.05)
    clock.now += REMEMBERED_SECONDS
    for _ in range(20):
        assert loop.run_until_complete(ring.find(key)) is not None
    with pytest.raises(StoreUnavailable, match="did not answer"):
        loop.run_until_complete(ring.find("bw_other"))
    assert asked == [key, "bw_other"], "one question at a time for each key: threads do not pile up"
    answers.set()
    clock.now += GRACE_SECONDS * 2

    async def settled() -> KeyRecord | None:
        while ring._lookups:
            await asyncio.gather(*ring._lookups.values(), return_exceptions=True)
        return await ring.find(key)

    assert loop.run_until_complete(settled()) is not None


def test_a_failed_look_up_that_nobody_waits_for_warns_of_nothing(
    engine: Engine, clock: Clock, loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = KeyRing(engine, clock)

    def broken(engine: Engine, key: str) -> KeyRecord | None:
        raise OperationalError("select", {}, Exception("gone"))

    monkeypatch.setattr(auth, "find_key", broken)
    with pytest.raises(OperationalError):
        loop.run_until_complete(ring.find("bw_x"))
    assert not ring._lookups


def test_the_tenants_own_threshold_counts_where_none_is_named(asked: Api, clock: Clock) -> None:
    assert asked.get("/v1/targets/hot").json()["recommendation"] == "hold"
    with write(asked.engine) as connection:
        set_overrides(connection, tenant_id(asked.engine, "default"), {"default_threshold": 13}, by="ann", now_us=1)
    clock.now += REMEMBERED_SECONDS
    assert asked.get("/v1/targets/hot").json()["recommendation"] == "none"
    assert asked.post("/v1/targets/assess", json={"target_ids": ["hot"]}).json()["items"][0]["recommendation"] == "none"
    assert asked.get("/v1/targets/hot?threshold=8").json()["recommendation"] == "hold"
    assert (
        asked.post("/v1/targets/assess", json={"target_ids": ["hot"], "threshold": 8}).json()["items"][0][
            "recommendation"
        ]
        == "hold"
    )


def test_what_waits_for_detection_is_said_and_the_rest_answered(asked: Api) -> None:
    asked.redis.blocking.incrby("bw:default:position", 500)
    write_progress(asked.redis.blocking, "default", analysed=0, as_of_us=1_795_000_000_000_000)
    body = asked.get("/v1/targets/hot").json()
    assert body["pending"] and body["complaints"] == 12 and body["recommendation"] == "hold"
    assert body["as_of"].startswith("2026-11-18")


def test_a_question_asked_again_costs_no_body(asked: Api) -> None:
    first = asked.get("/v1/targets/hot")
    tag = first.headers["etag"]
    assert tag.startswith('"') and first.headers["cache-control"] == "private, no-cache"
    again = asked.get("/v1/targets/hot", headers={"if-none-match": tag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    for named in (f'"x", W/{tag}', "*", f"{tag} , y"):
        assert asked.get("/v1/targets/hot", headers={"if-none-match": named}).status_code == 304
    for other in ('"x"', tag.strip('"'), "", "W/", '"' * 500, ","):
        assert asked.get("/v1/targets/hot", headers={"if-none-match": other}).status_code == 200


def test_the_tag_stands_for_all_of_the_answer_but_its_time(asked: Api) -> None:
    tag = asked.get("/v1/targets/hot").headers["etag"]
    assert asked.get("/v1/targets/hot").headers["etag"] == tag, "as_of moved, and nothing else"
    assert asked.get("/v1/targets/hot?threshold=8").headers["etag"] == tag
    others = {
        asked.get(path).headers["etag"]
        for path in ("/v1/targets/hot?threshold=13", "/v1/targets/calm", "/v1/targets/hot2")
    }
    assert len(others | {tag}) == 4
    write_totals(asked.redis.blocking, "default", {key_of("hot"): 13})
    changed = asked.get("/v1/targets/hot", headers={"if-none-match": tag})
    assert changed.status_code == 200 and changed.headers["etag"] != tag
    asked.redis.blocking.incrby("bw:default:position", 1)
    assert asked.get("/v1/targets/hot", headers={"if-none-match": changed.headers["etag"]}).status_code == 200, (
        "pending is part of the answer"
    )


def test_a_304_is_no_leak_between_tenants(asked: Api) -> None:
    tag = asked.get("/v1/targets/hot").headers["etag"]
    answer = asked.get("/v1/targets/hot", tenant="other", headers={"if-none-match": tag})
    assert (answer.status_code, answer.json()["complaints"]) == (200, 0)


def test_the_answer_of_one_process_is_the_answer_of_another(
    asked: Api, make_api: Callable[..., Api], fake_redis: RedisClients, settings: Settings
) -> None:
    tag = asked.get("/v1/targets/hot").headers["etag"]
    other = make_api(fake_redis, settings)
    assert other.get("/v1/targets/hot", key=asked.key(), headers={"if-none-match": tag}).status_code == 304
