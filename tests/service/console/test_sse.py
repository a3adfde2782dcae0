"""Pages that stay open hear what happens to cases."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from case_world import put_cluster
from conftest import Api
from console_world import Visitor, put_user, sign_in
from listening import listening

from service.console import sse as live_module
from service.console.sse import CaseEvents
from service.model import DecisionRequest, microseconds
from service.moderation.events import Event
from service.storage.accounts import users
from service.storage.cases import case_decisions, claims
from service.storage.sql import schema
from service.storage.sql.engine import write
from service.storage.webhooks import outbox

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


class World:
    """One tenant with cases, and somebody who listens."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.visitor = sign_in(api)
        self.engine = api.engine
        self.now = NOW
        with self.engine.connect() as connection:
            self.session = connection.scalar(sa.select(schema.sessions.c.hash)) or ""
        with write(self.engine) as connection:
            connection.execute(
                sa.update(schema.sessions).values(
                    created_us=microseconds(NOW),
                    seen_us=microseconds(NOW),
                    expires_us=microseconds(NOW + timedelta(days=7)),
                )
            )
        self.live = CaseEvents(self.engine, lambda: self.now, poll_seconds=0.01, heartbeat_seconds=0.05)

    def found(self, case: str, version: int = 1, tenant_id: int = 1, type: str = "cluster.flagged") -> None:
        with write(self.engine) as connection:
            outbox.record(
                connection,
                tenant_id,
                [Event(type, f"{case}/{version}", {"cluster_id": case, "version": version})],
                microseconds(self.now),
            )

    def stream(
        self, since: datetime = NOW - timedelta(seconds=30), tenant_id: int = 1
    ) -> AsyncIterator[dict[str, Any]]:
        return messages(self.live.listen(tenant_id, 1, self.session, microseconds(since)))


async def messages(stream: AsyncIterator[bytes]) -> AsyncIterator[dict[str, Any]]:
    async for part in stream:
        for line in part.decode().splitlines():
            if line.startswith("data: "):
                yield json.loads(line[6:])


async def first(count: int, stream: AsyncIterator[dict[str, Any]]) -> list[dict[str, Any]]:
    return [await asyncio.wait_for(anext(stream), 5) for _ in range(count)]


@pytest.fixture
def world(api: Api) -> World:
    return World(api)


@pytest.fixture
def run(world: World) -> Callable[[Coroutine[Any, Any, Any]], Any]:
    return world.api.redis.run


def test_a_page_is_notified_of_new_cases_and_of_peoples_actions(world: World, run: Callable[..., Any]) -> None:
    put_cluster(world.engine, 1, "k-1")

    async def go() -> list[dict[str, Any]]:
        stream = world.stream()
        world.found("k-1")
        heard = await first(1, stream)
        with write(world.engine) as connection:
            claims.claim(connection, 1, ["k-1"], by="ben", now=world.now)
        heard += await first(1, stream)
        with write(world.engine) as connection:
            asked = DecisionRequest(verdict="not_coordinated", reason_code="outrage", version=1)
            case_decisions.record_decision(
                connection, 1, "k-1", asked, decision_id="d-1", by="ben", now=world.now + timedelta(seconds=1)
            )
        heard += await first(1, stream)
        world.now += timedelta(seconds=2)
        world.found("k-2", 7)
        return heard + await first(1, stream)

    heard = run(go())
    assert [(one["case"], one["what"], one["by"], one["version"]) for one in heard] == [
        ("k-1", "flagged", "detector", 1),
        ("k-1", "claimed", "ben", None),
        ("k-1", "decided", "ben", 2),
        ("k-2", "flagged", "detector", 7),
    ]


def test_changes_since_the_page_was_rendered_are_sent_and_nothing_older(world: World, run: Callable[..., Any]) -> None:
    world.found("old")
    world.now += timedelta(seconds=60)
    world.found("missed")

    async def go() -> list[dict[str, Any]]:
        early = await first(1, world.stream(NOW + timedelta(seconds=30)))
        # and again to a second page, from memory
        return early + await first(1, world.stream(NOW + timedelta(seconds=30)))

    assert [one["case"] for one in run(go())] == ["missed", "missed"]


def test_changes_of_another_tenant_are_never_sent(world: World, run: Callable[..., Any]) -> None:
    put_user(world.api, "olga", tenant="other")

    async def go() -> list[dict[str, Any]]:
        stream = world.stream()
        world.found("theirs", tenant_id=2)
        world.found("ours")
        return await first(1, stream)

    assert [one["case"] for one in run(go())] == ["ours"]


def test_one_poller_serves_all_listeners_and_stops_when_there_are_none(
    world: World, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[int] = []
    real = live_module.changes_since
    monkeypatch.setattr(
        live_module,
        "changes_since",
        lambda connection, tenant_id, since_us: reads.append(tenant_id) or real(connection, tenant_id, since_us),
    )

    async def go() -> None:
        raw = [world.live.listen(1, 1, world.session, 0) for _ in range(12)]
        for stream in raw:
            await anext(stream)
        assert len(world.live) == 12
        await asyncio.gather(*(anext(stream) for stream in raw))  # a heartbeat each, some 0.05 s later
        assert len(reads) <= 10
        for stream in raw:
            await stream.aclose()  # type: ignore[attr-defined]
        poller = world.live._poller
        assert poller is not None
        await asyncio.wait_for(poller, 5)

    run(go())
    assert len(world.live) == 0


def test_a_stream_ends_with_its_session_and_with_the_process(world: World, run: Callable[..., Any]) -> None:
    async def rest(stream: AsyncIterator[bytes]) -> None:
        async for _ in stream:
            pass

    async def go() -> None:
        listening = asyncio.ensure_future(rest(world.live.listen(1, 1, world.session, 0)))
        await asyncio.sleep(0)
        with write(world.engine) as connection:
            users.disable_user(connection, users.find_user(connection, 1, "anna"), actor="test", now_us=1)
        await asyncio.wait_for(listening, 5)
        other = world.live.listen(1, 1, world.session, 0)
        await anext(other)
        world.live.close()
        await asyncio.wait_for(rest(other), 5)
        assert not world.live.has_room(1, 1, world.session)

    run(go())


def test_a_reader_that_falls_behind_is_disconnected(
    world: World, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def go() -> int:
        stream = world.live.listen(1, 1, world.session, microseconds(NOW - timedelta(seconds=30)))
        await anext(stream)
        for number in range(live_module._WAITING + 50):
            world.found(f"k-{number}")
        received = 0
        await asyncio.sleep(0.2)
        async for part in stream:
            received += part.count(b"event: case")
        return received

    assert run(asyncio.wait_for(go(), 20)) < live_module._WAITING


def test_a_failing_database_is_polled_again(
    world: World, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    real, failures = live_module.changes_since, iter([True, True])

    def shaky(*arguments: Any) -> Any:
        if next(failures, False):
            raise OSError("no database")
        return real(*arguments)

    monkeypatch.setattr(live_module, "changes_since", shaky)

    async def go() -> list[dict[str, Any]]:
        stream = world.stream()
        world.found("k-1")
        return await first(1, stream)

    assert [one["case"] for one in run(go())] == ["k-1"]


def test_the_number_of_streams_is_limited(world: World, run: Callable[..., Any]) -> None:
    async def go() -> None:
        streams = [world.live.listen(1, 1, world.session, 0) for _ in range(live_module.MOST_OF_SESSION)]
        for stream in streams:
            assert world.live.has_room(1, 1, world.session)
            await anext(stream)
        assert not world.live.has_room(1, 1, world.session)
        assert world.live.has_room(1, 1, "another one")
        for stream in streams:
            await stream.aclose()  # type: ignore[attr-defined]

    run(go())


def test_one_person_and_one_tenant_leave_streams_for_others(world: World, run: Callable[..., Any]) -> None:
    async def go() -> None:
        streams = []

        async def take(tenant_id: int, user_id: int, sessions_each: int) -> int:
            taken = 0
            for session in range(sessions_each):
                for _ in range(live_module.MOST_OF_SESSION):
                    if not world.live.has_room(tenant_id, user_id, f"{tenant_id}/{user_id}/{session}"):
                        break
                    streams.append(world.live.listen(tenant_id, user_id, f"{tenant_id}/{user_id}/{session}", 0))
                    await anext(streams[-1])
                    taken += 1
            return taken

        assert await take(1, 1, 42) == live_module.MOST_OF_PERSON, "42 sign-ins of one viewer"
        greedy = [await take(1, person, 2) for person in range(2, 60)]
        assert len(world.live) == live_module.MOST_LISTENERS // 2 and greedy[-1] == 0
        assert await take(2, 1_001, 2) == live_module.MOST_OF_PERSON, "another tenant's people are served"
        assert sum([await take(3, person, 2) for person in range(2_000, 2_060)]) > 100
        for stream in streams:
            await stream.aclose()  # type: ignore[attr-defined]
        assert world.live.has_room(1, 1, "1/1/0")

    run(go())


def test_streams_that_were_let_in_at_once_are_counted_when_they_begin(world: World, run: Callable[..., Any]) -> None:
    async def go() -> list[bytes]:
        streams = [world.live.listen(1, 1, f"s{number % 10}", 0) for number in range(live_module.MOST_OF_PERSON + 3)]
        begun = [await anext(stream) for stream in streams]
        for stream in streams:
            await stream.aclose()  # type: ignore[attr-defined]
        return begun

    begun = run(go())
    assert begun.count(b"retry: 3000\n\n") == live_module.MOST_OF_PERSON and begun.count(b"retry: 60000\n\n") == 3
    assert len(world.live) == 0


def test_the_stream_works_over_a_real_connection_with_only_the_cookie(api: Api) -> None:
    anna = sign_in(api)
    assert Visitor(api).get("/console/live").status_code == 303
    with listening(api.app) as port:
        cookie = "; ".join(f"{name}={value}" for name, value in anna.cookies.items())
        with httpx.stream(
            "GET", f"http://127.0.0.1:{port}/console/live", headers={"Cookie": cookie}, timeout=10
        ) as answer:
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/event-stream")
            lines = answer.iter_lines()
            assert next(lines) == "retry: 3000"
            with write(api.engine) as connection:
                outbox.record(
                    connection,
                    1,
                    [Event("cluster.flagged", "k-9/1", {"cluster_id": "k-9", "version": 1})],
                    microseconds(datetime.now(UTC)),
                )
            assert next(line for line in lines if line.startswith("data: ")).startswith(
                'data: {"case": "k-9", "what": "flagged"'
            )
        api.app.state.live.close()
