"""Whatever a request waits for, it is answered in time, and what it does afterwards changes nothing."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from conftest import Api, RedisClients
from fastapi import FastAPI, Request
from sqlalchemy import Engine, insert, select
from starlette.responses import Response

from service.api import pipeline
from service.api.deadline import AnsweredInTime
from service.api.problems import answer_to
from service.app import _late
from service.storage.probe import Probe
from service.storage.sql.deadlines import DeadlinePassed
from service.storage.sql.engine import write
from service.storage.sql.schema import tenants

SECONDS = 0.8


def ask(app: Any, method: str, path: str, **arguments: Any) -> httpx.Response:
    async def call() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as client:
            return await client.request(method, path, **arguments)

    return asyncio.run(call())


@pytest.fixture
def late(engine: Engine) -> tuple[FastAPI, list[BaseException | str]]:
    """An app whose routes take longer than they may, and what became of them."""
    app, became = FastAPI(), list[BaseException | str]()
    app.add_middleware(AnsweredInTime, seconds=SECONDS, late=lambda request, failure: answer_to(failure))

    @app.post("/stuck-before")
    def stuck_before() -> None:
        try:
            with write(engine) as connection:
                connection.execute(insert(tenants).values(name="late", created_us=0))
                time.sleep(SECONDS * 2)
        except DeadlinePassed as error:
            became.append(error)
            raise

    @app.post("/stuck-after")
    def stuck_after() -> None:
        with write(engine) as connection:
            connection.execute(insert(tenants).values(name="stored", created_us=0))
        time.sleep(SECONDS * 2)
        became.append("sent")

    @app.post("/slow-body")
    async def slow_body(request: Request) -> Response:
        return Response(await request.body())

    return app, became


def stored(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.scalars(select(tenants.c.name)))


def test_a_change_that_came_too_late_is_not_made_and_the_503_says_so(
    engine: Engine, late: tuple[FastAPI, list[BaseException | str]]
) -> None:
    app, became = late
    answer = ask(app, "POST", "/stuck-before")
    assert answer.status_code == 503 and answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "2"
    assert "nothing was changed" in answer.json()["detail"]
    assert "database" not in answer.json()["detail"], "which was not what took so long"
    assert isinstance(became[0], DeadlinePassed) and stored(engine) == []
    assert "database" not in str(json.loads(bytes(answer_to(became[0]).body))["detail"])


def test_a_change_that_was_made_before_is_not_denied(
    engine: Engine, late: tuple[FastAPI, list[BaseException | str]]
) -> None:
    app, became = late
    answer = ask(app, "POST", "/stuck-after")
    assert (answer.status_code, became, stored(engine)) == (503, ["sent"], ["stored"])
    assert "not known" in answer.json()["detail"] and "look before you try again" in answer.json()["detail"]


def test_a_body_that_takes_long_to_arrive_is_no_fault_of_the_database(
    late: tuple[FastAPI, list[BaseException | str]],
) -> None:
    async def slowly() -> Any:
        for part in (b"a", b"b", b"c", b"d"):
            await asyncio.sleep(SECONDS / 2)
            yield part

    answer = ask(late[0], "POST", "/slow-body", content=slowly())
    assert (answer.status_code, answer.text) == (200, "abcd")


def test_a_page_that_comes_too_late_is_a_page_with_the_headers_of_every_page(
    make_api: Callable[..., Api], fake_redis: RedisClients
) -> None:
    api = make_api(fake_redis)
    app = FastAPI()
    app.state = api.app.state
    app.add_middleware(AnsweredInTime, seconds=SECONDS, late=_late)

    @app.get("/console/clusters")
    async def stuck() -> None:
        await asyncio.sleep(SECONDS * 2)

    answer = ask(app, "GET", "/console/clusters", headers={"Accept": "text/html"})
    assert answer.status_code == 503 and answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["retry-after"] == "2"
    assert "nothing was changed" in answer.text


def test_readiness_is_answered_in_time_and_by_one_thread_while_the_database_hangs(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert pipeline.READY_SECONDS < 2
    monkeypatch.setattr(pipeline, "READY_SECONDS", 0.2)
    answers, asked = threading.Event(), list[int]()

    def hanging() -> str | None:
        asked.append(1)
        answers.wait()
        return None

    context = api.app.state.api
    before, context.database_probe = context.database_probe, Probe("database", hanging)
    try:
        for _ in range(2):
            assert api.get("/readyz").status_code == 503
        assert asked == [1]
        assert api.get("/v1/targets/hot").status_code == 200
    finally:
        answers.set()
        context.database_probe.close()
        context.database_probe = before


def test_a_route_whose_database_is_locked_says_so_in_time(
    make_api: Callable[..., Api], fake_redis: RedisClients, engine: Engine
) -> None:
    """The lock of SQLite's one writer, or of PostgreSQL's row: the one in the way of a webhook subscription."""
    api = make_api(fake_redis)
    key = api.key()
    api.app.user_middleware[:] = [
        replace_seconds(one) if one.cls is AnsweredInTime else one for one in api.app.user_middleware
    ]
    api.app.middleware_stack = None
    body = {"url": "https://example.org/hook", "events": ["cluster.flagged"]}
    with write(engine) as connection:
        connection.execute(select(tenants.c.id).with_for_update())
        began = time.monotonic()
        answer = api.post("/v1/subscriptions", json=body, key=key)
        assert time.monotonic() - began < 15, "30 s without a deadline"
    assert answer.status_code == 503, answer.text
    assert "nothing was changed" in answer.json()["detail"]


def replace_seconds(middleware: Any) -> Any:
    middleware.kwargs = {**middleware.kwargs, "seconds": 1.5}
    return middleware


def test_a_deadline_shorter_than_a_question_may_wait_is_refused(api: Api) -> None:
    from service.settings import read_settings

    assert replace(api.settings).database_timeout_seconds == 10.0
    with pytest.raises(ValueError, match="6 to 120"):
        read_settings(None, {"BRIGADEWATCH_DATABASE_TIMEOUT_SECONDS": "5"})
