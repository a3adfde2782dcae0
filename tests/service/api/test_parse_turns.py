"""Turns for reading what platforms post: two at once, one of a tenant, and none that waits for ever."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from service.api.parse_turns import ParseTurns
from service.errors import Overloaded
from service.platforms.items import Item
from service.storage.accounts.tenants import KeyRecord
from service.storage.sql.engine import write
from service.storage.sql.schema import sources
from tests.conftest import Api
from tests.service.api.test_submissions import is_problem
from tests.service.api.test_webhooks import Counted, post, prepared, source
from tests.service.platforms.payloads import encoded, hexdigest
from tests.service.platforms.test_generic import DOCUMENT, MAPPING, changed
from tests.service.platforms.test_json_paths import mapping_of

SECRET = "secret of the house"
BEARER = {"authorization": f"Bearer {SECRET}"}


def test_a_tenant_has_one_turn_and_leaves_the_other_to_others() -> None:
    async def tried() -> list[str]:
        turns, done, end = ParseTurns(at_once=2, wait_seconds=5.0), list[str](), asyncio.Event()

        async def read(tenant: int, name: str) -> None:
            async with turns.of(tenant):
                done.append(name)
                if tenant == 1:
                    await end.wait()

        greedy = [asyncio.create_task(read(1, f"greedy {n}")) for n in range(5)]
        await asyncio.sleep(0)
        await asyncio.wait_for(asyncio.gather(*(read(tenant, "other") for tenant in (2, 3, 4))), 2)
        assert done == ["greedy 0", "other", "other", "other"]
        end.set()
        await asyncio.gather(*greedy)
        assert not turns._of_tenant  # nothing is remembered of those who are gone
        return done

    assert len(asyncio.run(tried())) == 8


def test_who_gets_no_turn_in_time_is_told_to_come_back_and_holds_nothing() -> None:
    async def tried() -> None:
        turns = ParseTurns(at_once=1, wait_seconds=0.05)
        async with turns.of(1):
            for tenant in (1, 2):
                with pytest.raises(Overloaded, match="send it again"):
                    async with turns.of(tenant):
                        raise AssertionError("it had a turn")
        async with turns.of(1):
            pass
        async with turns.of(2):
            pass
        assert not turns._of_tenant

    asyncio.run(tried())


def test_a_stored_field_map_that_is_not_valid_any_more_stops_posts_aloud(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    counted = api.app.state.observe = Counted()
    prepared(api)
    made = source(api, "generic", mapping=MAPPING)
    stored = json.dumps(changed(items="$['events','more'][*]"))
    with write(api.engine) as connection:
        connection.execute(sources.update().values(mapping=stored))
    body = encoded(DOCUMENT)
    answer = post(api, made.path, body, {"x-signature": f"sha256={hexdigest(SECRET, body)}"})
    assert "connected the platform with another" in is_problem(answer, 503)["detail"]
    assert answer.headers["retry-after"] and counted.results == [("generic", "unusable")]
    assert "2 selectors in one pair of brackets" in caplog.text
    listed = api.redis.run(api.client.get("/v1/sources", headers={"Authorization": f"Bearer {api.key()}"}))
    assert "2 selectors" in listed.json()["items"][0]["last_error"]
    is_problem(post(api, made.path, body, {"x-signature": "sha256=" + "0" * 64}), 401)


def test_what_was_read_in_vain_is_paid_for_by_its_size_and_all_of_the_work_is_done_in_a_turn(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared(api)
    charged, turns = list[int](), api.app.state.api.parse_turns

    async def charge(key: KeyRecord, cost: int) -> None:
        charged.append(cost)

    api.app.state.api.rates.charge = charge
    reads = Item.read

    def read(self: Item, *given: Any) -> Any:
        assert turns._of_tenant, "items are made in the turn"
        return reads(self, *given)

    monkeypatch.setattr(Item, "read", read)
    made = source(api, "generic", mapping=mapping_of("$[*]"))
    good = {"id": "a", "at": "2026-11-22T11:00:00Z", "by": "r", "post": "t", "more": "x" * 5_000}
    body = encoded([good])
    answers = [post(api, made.path, body, BEARER).json() for _ in range(2)]
    assert [(one["accepted"], one["repeated"]) for one in answers] == [(1, False), (0, True)]
    assert charged == [1, 1 + len(body) // 1024], "the repeated one by its size"
    invalid = encoded([{**good, "at": "never"}])
    assert post(api, made.path, invalid, BEARER).status_code == 422
    assert charged[2:] == [1 + len(invalid) // 1024]
    with write(api.engine) as connection:
        connection.execute(sources.update().values(mapping=json.dumps(mapping_of("$['a','b'][*]"))))
    unreadable = b"{" * 9_000  # the field map comes first
    assert post(api, made.path, unreadable, BEARER).status_code == 503
    assert charged[3:] == [1 + len(unreadable) // 1024]


@pytest.mark.parametrize(
    ("items", "body", "status"),
    [
        ("$[*]", b"[" + b",".join([b"[[]]"] * 1_600_000) + b"]", 413),
        ("$" + "[*]" * 3, b"[" + b",".join([b"[[0]]"] * 99_000) + b"]", 202),
        ("$[*]", b"[" + b",".join([b"[[0]]"] * 99_000) + b"]", 413),
        ("$[*]", b"[" * 100_000, 400),
    ],
)
def test_a_hostile_payload_is_refused_and_paid_for_and_the_next_one_is_read(
    api: Api, items: str, body: bytes, status: int
) -> None:
    prepared(api)
    charged = list[int]()

    async def charge(key: KeyRecord, cost: int) -> None:
        charged.append(cost)

    api.app.state.api.rates.charge = charge
    made = source(api, "generic", mapping=mapping_of(items))
    answer = post(api, made.path, body, BEARER)
    assert answer.status_code == status
    if status == 202:
        assert answer.json()["accepted"] == 0
    assert charged == [1 + len(body) // 1024]
    good: Any = {"id": "a", "at": "2026-11-22T11:00:00Z", "by": "r", "post": "t"}
    for _ in range(items.count("*")):
        good = [good]
    taken = post(api, made.path, encoded(good), BEARER)
    assert (taken.status_code, taken.json()["accepted"]) == (202, 1)
