"""One line and one count a request, under an id that follows what was posted."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from conftest import Api, RedisClients
from starlette.types import Receive, Scope, Send

from service.api.access_log import AccessLog
from service.api.api_context import MetricsSink
from service.ops.observations import LIMITS, Observations
from service.settings import Settings
from service.storage.redis_store import redis_keys, stream

COMPLAINT = {
    "id": "c-1",
    "occurred_at": "2026-11-18T10:00:00Z",
    "reporter": {"id": "person-77"},
    "target": {"id": "comment-5"},
}


class Seen(MetricsSink):
    def __init__(self) -> None:
        self.requests: list[tuple[str, str, int]] = []
        self.causes: list[str] = []

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        assert 0 <= seconds < 60
        self.requests.append((method, route, status))

    def limited(self, cause: str) -> None:
        self.causes.append(cause)


@pytest.fixture
def seen(api: Api) -> Seen:
    api.app.state.observe = made = Seen()
    return made


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[dict[str, Any]]]:
    caplog.set_level(logging.DEBUG)
    return lambda: [{"level": record.levelno, **record.facts} for record in caplog.records if record.name == "request"]  # type: ignore[attr-defined]


def test_an_id_follows_what_was_posted_into_the_stream_and_comes_back(
    api: Api, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    answer = api.post("/v1/complaints", json=COMPLAINT, headers={"X-Request-ID": "edge-4711.a_B"})
    assert answer.status_code == 202 and answer.headers["x-request-id"] == "edge-4711.a_B"
    (entry,) = stream.read_entries(api.redis.blocking, "default", "test", 10)
    assert entry.requests == "edge-4711.a_B"
    (line,) = lines()
    assert line.pop("ms") >= 0
    assert line == {
        "level": logging.INFO,
        "method": "POST",
        "route": "/v1/complaints",
        "status": 202,
        "tenant": "default",
        "key": 1,
        "accepted": 1,
        "rejected": 0,
        "position": 1,
    }


def test_posts_that_share_an_entry_are_all_named_in_it(api: Api) -> None:
    async def together() -> None:
        import asyncio

        key = {"Authorization": f"Bearer {api.key()}"}
        posts = [
            api.client.post(
                "/v1/complaints", json={**COMPLAINT, "id": f"c-{n}"}, headers={**key, "X-Request-ID": f"r-{n}"}
            )
            for n in range(9)
        ]
        assert all(answer.status_code == 202 for answer in await asyncio.gather(*posts))

    api.key()
    api.redis.run(together())
    entries = stream.read_entries(api.redis.blocking, "default", "test", 10)
    assert sorted(request for entry in entries for request in entry.requests.split(",")) == [f"r-{n}" for n in range(9)]


@pytest.mark.parametrize("asked", ["", "a b", "ä", "x" * 65, "a,b", "<script>"])
def test_an_id_that_is_unfit_to_be_written_down_is_replaced(api: Api, asked: str) -> None:
    made = api.get("/healthz", headers={"X-Request-ID": asked.encode("latin-1")}).headers["x-request-id"]
    assert made != asked and len(made) == 16


def test_every_failure_names_the_request(api: Api, seen: Seen, lines: Callable[[], list[dict[str, Any]]]) -> None:
    async def broken(*arguments: Any) -> int:
        raise RuntimeError("inside")

    api.app.state.api.writer.append = broken
    for n, (status, ask) in enumerate(
        [
            (401, lambda h: api.get("/v1/clusters", key="no", headers=h)),
            (404, lambda h: api.get("/v1/clusters/k1", headers=h)),
            (404, lambda h: api.get("/v1/person-77", headers=h)),
            (422, lambda h: api.post("/v1/complaints", json={}, headers=h)),
            (405, lambda h: api.get("/v1/complaints", headers=h)),
            (500, lambda h: api.post("/v1/complaints", json=COMPLAINT, headers=h)),
        ]
    ):
        answer = ask({"X-Request-ID": f"r-{n}"})
        assert answer.status_code == status
        assert answer.json()["request_id"] == answer.headers["x-request-id"] == f"r-{n}"
    assert [line["level"] for line in lines()] == [logging.INFO] * 5 + [logging.WARNING]
    assert seen.requests == [
        ("GET", "/v1/clusters", 401),
        ("GET", "/v1/clusters/{id}", 404),
        ("GET", "(none)", 404),
        ("POST", "/v1/complaints", 422),
        ("GET", "/v1/complaints", 405),
        ("POST", "/v1/complaints", 500),
    ]


def test_routes_are_counted_and_told_and_never_paths(
    api: Api, seen: Seen, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    for path in (
        "/v1/targets/comment%2F5",
        "/v1/reporters/person-77",
        "/v1/clusters?reporter=person-77",
        "/console/nothing-person-77",
        "/console/sign-in?next=/console/reporters/person-77",
        "/console/static/person-77.css",
        "/person-77",
    ):
        api.get(path)
    assert [route for _, route, _ in seen.requests] == [
        "/v1/targets/{id}",
        "/v1/reporters/{id}",
        "/v1/clusters",
        "/console/(none)",
        "/console/sign-in",
        "/console/static/{name:path}",
        "(none)",
    ]
    told = str(lines())
    assert "person-77" not in told and "comment" not in told


def test_what_was_refused_by_a_limit_is_counted_by_cause(
    api: Api, make_api: Callable[..., Api], fake_redis: RedisClients, seen: Seen, settings: Settings
) -> None:
    from dataclasses import replace

    small = make_api(fake_redis, replace(settings, max_stream_items=1, max_body_bytes=2_000, rate_per_tenant=50.0))
    small.app.state.observe = seen
    small.keys = api.keys
    assert small.post("/v1/complaints", json=COMPLAINT).status_code == 202
    assert small.post("/v1/complaints", json={**COMPLAINT, "id": "c-2"}).status_code == 429
    assert (
        small.post("/v1/complaints", content=b"x" * 3_000, headers={"Content-Type": "application/json"}).status_code
        == 413
    )
    assert small.post("/v1/complaints", json=[{}] * 200).status_code == 422
    assert small.post("/v1/complaints", json=COMPLAINT).status_code == 429
    assert seen.causes == ["backlog", "large-body", "tenant-rate"]
    assert set(seen.causes) <= set(LIMITS)


def test_health_is_told_in_detail_only(api: Api, lines: Callable[[], list[dict[str, Any]]]) -> None:
    api.get("/healthz")
    assert [line["level"] for line in lines()] == [logging.DEBUG]


def test_who_went_away_unanswered_is_told_as_499(lines: Callable[[], list[dict[str, Any]]], loop: Any) -> None:
    import asyncio

    class App:
        state = type("State", (), {"observe": Seen()})()

    async def waits(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.Event().wait()

    async def cancelled() -> None:
        task = asyncio.ensure_future(
            AccessLog(waits)({"type": "http", "method": "GET", "headers": [], "app": App}, None, None)
        )  # type: ignore[arg-type]
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    loop.run_until_complete(cancelled())
    assert [(line["status"], line["route"]) for line in lines()] == [(499, "(none)")]
    assert App.state.observe.requests == [("GET", "(none)", 499)]


def test_what_a_served_process_counts_with_has_every_call_that_routes_make() -> None:
    calls = {name for name in vars(MetricsSink) if not name.startswith("_")}
    assert calls == {name for name in vars(Observations) if not name.startswith("_")}


def test_the_position_is_what_the_archive_goes_by(api: Api, lines: Callable[[], list[dict[str, Any]]]) -> None:
    api.post("/v1/complaints", json=[{**COMPLAINT, "id": f"c-{n}"} for n in range(3)])
    assert lines()[-1]["position"] == 3 == int(api.redis.blocking.get(redis_keys.position("default")))
