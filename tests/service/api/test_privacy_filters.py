"""How long an API process goes by the settings that it read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from service.api import privacy_filters
from service.api.auth import GRACE_SECONDS
from service.api.privacy_filters import PrivacyFilters
from service.errors import StoreUnavailable
from service.intake.privacy_filter import PrivacyFilter
from service.settings import Settings
from service.storage.accounts.secret_box import SecretBox
from service.storage.accounts.tenant_settings import change_settings
from service.storage.accounts.tenants import create_tenant
from service.storage.privacy.privacy_filters import REMEMBERED_SECONDS, open_privacy_filter
from service.storage.sql.engine import write


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ring(engine: Engine, settings: Settings, clock: Clock) -> PrivacyFilters:
    return PrivacyFilters(engine, SecretBox(settings), clock)


def away(*_: Any) -> PrivacyFilter:
    raise OperationalError("select", {}, Exception("gone"))


def test_a_change_is_seen_after_five_seconds_and_at_once_where_it_was_made(
    ring: PrivacyFilters, engine: Engine, clock: Clock, loop: asyncio.AbstractEventLoop
) -> None:
    number = create_tenant(engine, "paper", 0)
    run: Callable[[], PrivacyFilter] = lambda: loop.run_until_complete(ring.of(number))  # noqa: E731
    first = run()
    assert not first.pseudonyms and not first.keep_text
    with write(engine) as connection:
        change_settings(connection, number, actor="test", now_us=1, pseudonyms=True)
    clock.now += REMEMBERED_SECONDS - 0.1
    assert run() is first
    clock.now += 0.2
    assert run().pseudonyms and run().key == first.key
    with write(engine) as connection:
        change_settings(connection, number, actor="test", now_us=1, pseudonyms=False)
    ring.forget(number)
    assert not run().pseudonyms


def test_while_the_database_is_away_what_was_read_within_the_hour_holds(
    ring: PrivacyFilters, engine: Engine, clock: Clock, loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = create_tenant(engine, "paper", 0)
    first = loop.run_until_complete(ring.of(number))
    monkeypatch.setattr(privacy_filters, "open_privacy_filter", away)
    clock.now += GRACE_SECONDS - 1
    assert loop.run_until_complete(ring.of(number)) is first
    clock.now += GRACE_SECONDS
    with pytest.raises(OperationalError):
        loop.run_until_complete(ring.of(number))
    monkeypatch.undo()
    assert loop.run_until_complete(ring.of(number)).key == first.key


def test_many_that_ask_at_once_cost_one_look(
    ring: PrivacyFilters,
    engine: Engine,
    settings: Settings,
    loop: asyncio.AbstractEventLoop,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    number, asked = create_tenant(engine, "paper", 0), []

    def counted(*arguments: Any) -> PrivacyFilter:
        asked.append(arguments)
        return open_privacy_filter(*arguments)

    async def many() -> list[PrivacyFilter]:
        return await asyncio.gather(*(ring.of(number) for _ in range(50)))

    monkeypatch.setattr(privacy_filters, "open_privacy_filter", counted)
    assert len({privacy_filter.key for privacy_filter in loop.run_until_complete(many())}) == len(asked) == 1


def test_a_key_that_cannot_be_opened_is_no_reason_to_store_by_weaker_rules(
    ring: PrivacyFilters, engine: Engine, settings: Settings, clock: Clock, loop: asyncio.AbstractEventLoop
) -> None:
    number = create_tenant(engine, "paper", 0)
    loop.run_until_complete(ring.of(number))
    (settings.data / "secret.key").write_text("ab" * 32)
    strange = PrivacyFilters(engine, SecretBox(settings), clock)
    with pytest.raises(StoreUnavailable, match="own key cannot be read"):
        loop.run_until_complete(strange.of(number))
