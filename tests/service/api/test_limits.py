"""Rates, the budget of bodies held, and the short memory for keys."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from service.api.auth import REMEMBERED_SECONDS, KeyRing
from service.api.limits import BodyBudget, RateExceeded, Rates
from service.errors import Overloaded
from service.settings import read_settings
from service.storage.accounts.tenant_settings import TenantSettings
from service.storage.accounts.tenants import KeyRecord, create_key, create_tenant, find_key, revoke_key
from service.storage.redis_store.client import connect
from tests.conftest import RedisClients


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def key(number: int, tenant: int = 1, rate: float | None = None) -> KeyRecord:
    return KeyRecord(number, tenant, f"tenant-{tenant}", frozenset({"ingest"}), TenantSettings(rate_per_second=rate))


def charge(rates: Rates, who: KeyRecord, items: int) -> None:
    asyncio.run(rates.charge(who, items))


def test_without_rates_nothing_is_ever_refused() -> None:
    rates = Rates(None, None)
    for _ in range(100):
        rates.admit(key(1))
        charge(rates, key(1), 10_000)


def test_a_large_batch_gets_in_and_is_paid_off_afterwards() -> None:
    clock = Clock()
    rates = Rates(100.0, None, clock)
    rates.admit(key(1))
    charge(rates, key(1), 1_000)
    with pytest.raises(RateExceeded) as refused:
        rates.admit(key(2))  # another key of the same tenant
    assert (refused.value.retry_after_seconds, refused.value.policy, refused.value.quota) == (10, "tenant", 100)
    rates.admit(key(3, tenant=2))
    clock.now += 9.1
    rates.admit(key(1))


def test_a_key_has_a_rate_of_its_own() -> None:
    rates = Rates(None, 1.0, Clock())
    rates.admit(key(1))
    charge(rates, key(1), 1)
    with pytest.raises(RateExceeded, match="this key"):
        rates.admit(key(1))
    rates.admit(key(2))
    charge(rates, key(-5), 1)
    with pytest.raises(RateExceeded, match="this source"):
        rates.admit(key(-5))


def test_a_tenants_own_rate_takes_the_place_of_the_one_for_all_and_holds_once_it_is_changed() -> None:
    rates = Rates(10.0, None, Clock())
    charge(rates, key(1, rate=1_000.0), 500)
    rates.admit(key(1, rate=1_000.0))
    charge(rates, key(1, tenant=2), 500)
    with pytest.raises(RateExceeded, match="more than 10 items"):
        rates.admit(key(1, tenant=2))
    rates.admit(key(1, tenant=2, rate=2_000.0))
    charge(rates, key(1, rate=2.0), 3)
    with pytest.raises(RateExceeded, match="more than 2 items"):
        rates.admit(key(1, rate=2.0))


@given(st.floats(0.1, 1e5), st.lists(st.tuples(st.floats(0, 100), st.integers(1, 10_000)), max_size=30))
def test_in_the_long_run_no_more_than_the_rate_is_let_in(per_second: float, calls: list[tuple[float, int]]) -> None:
    clock = Clock()
    rates = Rates(per_second, None, clock)
    taken, last = 0, 0
    for pause, items in calls:
        clock.now += pause
        try:
            rates.admit(key(1))
        except RateExceeded:
            continue
        charge(rates, key(1), items)
        taken, last = taken + items, items
    assert taken - last <= per_second * (clock.now - 100.0) + max(1.0, per_second) + 1e-6


def test_the_wait_that_is_told_is_long_enough() -> None:
    clock = Clock()
    rates = Rates(3.0, None, clock)
    rates.admit(key(1))
    charge(rates, key(1), 50)
    with pytest.raises(RateExceeded) as refused:
        rates.admit(key(1))
    clock.now += refused.value.retry_after_seconds
    rates.admit(key(1))


def test_what_one_process_lets_in_the_others_know_with_their_next_request(clients: RedisClients) -> None:
    one, other = (Rates(100.0, None, Clock(), clients.asyncio) for _ in range(2))
    clients.run(one.charge(key(1), 1_000))
    with pytest.raises(RateExceeded):
        one.admit(key(1))
    other.admit(key(2))
    clients.run(other.charge(key(2), 500))
    with pytest.raises(RateExceeded) as refused:
        other.admit(key(2))
    assert 13 <= refused.value.retry_after_seconds <= 14  # 1,500 items at 100 a second, less the burst of one
    clients.run(other.charge(key(3, tenant=2), 1))
    other.admit(key(3, tenant=2))
    (name,) = clients.blocking.keys("bw:tenant-1:spent:*")
    assert 14_000 < clients.blocking.pttl(name) <= 15_010


def test_a_debt_ends_with_the_rate_that_it_was_made_at(clients: RedisClients) -> None:
    rates = Rates(0.01, None, Clock(), clients.asyncio)
    clients.run(rates.charge(key(1), 10**9))
    with pytest.raises(RateExceeded) as refused:
        rates.admit(key(1))
    assert refused.value.retry_after_seconds <= 31 * 86_400
    rates.admit(key(1, rate=100.0))


def test_while_redis_is_away_each_process_counts_for_itself(loop: asyncio.AbstractEventLoop) -> None:
    nowhere = connect("redis://127.0.0.1:1/0", 0.3)
    rates = Rates(100.0, None, Clock(), nowhere)
    loop.run_until_complete(rates.charge(key(1), 1_000))
    with pytest.raises(RateExceeded):
        rates.admit(key(1))
    loop.run_until_complete(nowhere.aclose())
    loop.run_until_complete(nowhere.connection_pool.disconnect())


@pytest.mark.parametrize("text", ["0", "-3", "nan", "inf", "many"])
def test_a_rate_that_is_none_is_refused_at_the_start(text: str) -> None:
    with pytest.raises(ValueError, match="BRIGADEWATCH_RATE_PER_KEY"):
        read_settings(environ={"BRIGADEWATCH_RATE_PER_KEY": text})


def test_bodies_share_a_budget_and_give_back_what_they_held() -> None:
    budget = BodyBudget(100)
    with budget.reserve() as mine:
        mine(60)
        with budget.reserve() as theirs, pytest.raises(Overloaded):
            theirs(50)
        assert budget.held == 60
        mine(40)
    assert budget.held == 0


def test_a_revoked_key_works_for_a_few_seconds_at_most_and_a_new_one_at_once(
    engine: Engine, loop: asyncio.AbstractEventLoop
) -> None:
    clock = Clock()
    ring = KeyRing(engine, clock)
    create_tenant(engine, "t", 1)
    assert loop.run_until_complete(ring.find("bw_unknown")) is None
    key = create_key(engine, "t", {"read"}, "", 1)
    record = loop.run_until_complete(ring.find(key))
    assert record is not None
    assert record == find_key(engine, key)
    assert revoke_key(engine, record.id, 2)
    assert loop.run_until_complete(ring.find(key)) == record
    clock.now += REMEMBERED_SECONDS
    assert loop.run_until_complete(ring.find(key)) is None
