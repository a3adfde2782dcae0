"""Nothing is accepted or answered by a Redis that is not the one of the database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, update

from service.api import redis_guard
from service.storage.redis_store import redis_keys
from service.storage.redis_store.redis_identity import agree, user_of
from service.storage.sql.engine import write
from service.storage.sql.schema import redis_identity, redis_users
from tests.conftest import Api

COMPLAINT = {"id": "a", "occurred_at": "2026-11-01T00:00:00Z", "reporter": {"id": "r"}, "target": {"id": "t"}}
READS = ["/v1/targets/t", "/v1/targets/t/brief", "/v1/pipeline"]


def statuses(api: Api) -> list[int]:
    return [api.post("/v1/complaints", json=COMPLAINT).status_code, *[api.get(path).status_code for path in READS]]


def look(api: Api) -> None:
    api.redis.run(api.app.state.api.redis_guard.look())


def test_all_is_well(api: Api) -> None:
    assert statuses(api) == [202, 200, 200, 200]


def test_a_redis_of_another_identity_is_refused_in_the_same_moment(api: Api) -> None:
    assert statuses(api) == [202, 200, 200, 200]
    agreed = api.app.state.api.redis_guard.identity()
    api.redis.blocking.set(redis_keys.IDENTITY, "f" * 32)  # as if the server behind the name had been exchanged
    before = api.redis.blocking.xlen(redis_keys.stream("default"))
    assert api.post("/v1/complaints", json=COMPLAINT).status_code == 503, "the script compares, not only the next look"
    assert api.redis.blocking.xlen(redis_keys.stream("default")) == before
    look(api)
    assert statuses(api) == [503, 503, 503, 503]
    answer = api.post("/v1/complaints", json=COMPLAINT)
    assert "f" * 32 in answer.json()["detail"]
    answer = api.get("/readyz", key="")
    assert answer.status_code == 503
    assert "f" * 32 not in answer.text and agreed not in answer.text, "anybody may ask"


def test_asking_for_readiness_costs_redis_nothing_and_a_look_is_not_believed_for_long(
    make_api: Callable[..., Api], real_redis: Any
) -> None:
    api = make_api(real_redis)
    guard = api.app.state.api.redis_guard

    def written() -> int:
        calls: int = real_redis.blocking.info("commandstats").get("cmdstat_set", {}).get("calls", 0)
        return calls

    look(api)
    before = written()
    assert [api.get("/readyz", key="").status_code for _ in range(50)] == [200] * 50
    assert written() - before < 25, "the guard's own looks, one a second"
    real_redis.blocking.config_set("maxmemory", 1)
    try:
        look(api)
        assert api.get("/readyz", key="").status_code == 503
    finally:
        real_redis.blocking.config_set("maxmemory", 0)
    look(api)
    assert guard.state() == "ok"
    guard._looked_at -= redis_guard.BELIEVED_SECONDS  # as if Redis held up every look since
    assert "no answer" in guard.state()


def test_a_database_that_was_given_another_redis_is_noticed(api: Api) -> None:
    with write(api.engine) as connection:
        connection.execute(update(redis_identity).values(identity="e" * 32))
    api.app.state.api.redis_guard._signed_at = -1e9
    look(api)
    assert statuses(api) == [503, 503, 503, 503]
    with api.engine.connect() as connection:
        assert connection.scalars(select(redis_users.c.name)).all() == [], "it no longer says that it uses a Redis"


def test_an_emptied_redis_is_used_again_once_it_has_an_identity(api: Api) -> None:
    assert statuses(api)[0] == 202
    api.redis.blocking.flushall()
    look(api)
    assert statuses(api) == [503, 503, 503, 503]
    agree(api.engine, api.redis.blocking, user_of(api.settings))
    look(api)
    assert statuses(api) == [202, 200, 200, 200], "nothing was archived: the tenant begins again"


def test_while_the_database_is_away_complaints_are_accepted_and_a_new_redis_is_not(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard = api.app.state.api.redis_guard

    def away(*_: Any) -> None:
        from sqlalchemy.exc import OperationalError

        raise OperationalError("", {}, Exception())

    monkeypatch.setattr("service.api.redis_guard.sign", away)
    guard._signed_at = -1e9
    look(api)
    assert api.post("/v1/complaints", json=COMPLAINT).status_code == 202
    api.redis.blocking.set(redis_keys.IDENTITY, "f" * 32)
    look(api)
    assert api.post("/v1/complaints", json=COMPLAINT).status_code == 503


def test_nothing_is_appended_while_the_position_is_behind_the_archive(api: Api) -> None:
    for n in range(3):
        assert api.post("/v1/complaints", json={**COMPLAINT, "id": str(n)}).status_code == 202
    api.redis.blocking.set(redis_keys.position("default"), 1)  # Redis fell back to an older state
    api.redis.blocking.hset(redis_keys.progress("default"), "archived", 3)
    assert api.post("/v1/complaints", json=COMPLAINT).status_code == 503
    api.redis.blocking.set(redis_keys.position("default"), 3)
    assert api.post("/v1/complaints", json=COMPLAINT).status_code == 202


def test_the_pipeline_does_not_call_pending_nothing_while_positions_are_behind(
    make_api: Callable[..., Api], real_redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from service.storage.sql.schema import ingest_state

    api = make_api(real_redis)
    assert api.post("/v1/complaints", json=COMPLAINT).status_code == 202
    with write(api.engine) as connection:
        connection.execute(update(ingest_state).values(archived_position=9))
    assert api.get("/v1/pipeline").status_code == 503


def test_the_watch_outlives_an_error_that_nobody_expected(
    make_api: Callable[..., Api], fake_redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.api.redis_guard.LOOK_SECONDS", 0.01)
    api = make_api(fake_redis)
    looks, again = list[None](), asyncio.Event()

    async def fails() -> None:
        looks.append(None)
        if len(looks) > 1:
            again.set()
        raise AttributeError("writelines")  # as the Redis client says where a connection ends while it begins

    api.app.state.api.redis_guard.look = fails
    api.redis.run(asyncio.wait_for(again.wait(), 30))
