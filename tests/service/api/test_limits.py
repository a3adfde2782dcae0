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
from service.storage.tenants import create_key, create_tenant, find_key, revoke_key


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_without_rates_nothing_is_ever_refused() -> None:
    rates = Rates(None, None)
    for _ in range(100):
        rates.admit(1, 1)
        rates.charge(1, 1, 10_000)


def test_a_large_batch_gets_in_and_is_paid_off_afterwards() -> None:
    clock = Clock()
    rates = Rates(100.0, None, clock)
    rates.admit(1, 1)
    rates.charge(1, 1, 1_000)
    with pytest.raises(RateExceeded) as refused:
        rates.admit(1, 2)  # another key of the same tenant
    assert (refused.value.retry_after_seconds, refused.value.policy, refused.value.quota) == (10, "tenant", 100)
    rates.admit(2, 3)
    clock.now += 9.1
    rates.admit(1, 1)


def test_a_key_has_a_rate_of_its_own() -> None:
    rates = Rates(None, 1.0, Clock())
    rates.admit(1, 1)
    rates.charge(1, 1, 1)
    with pytest.raises(RateExceeded, match="this key"):
        rates.admit(1, 1)
    rates.admit(1, 2)


@given(st.floats(0.1, 1e5), st.lists(st.tuples(st.floats(0, 100), st.integers(1, 10_000)), max_size=30))
def test_in_the_long_run_no_more_than_the_rate_is_let_in(per_second: float, calls: list[tuple[float, int]]) -> None:
    clock = Clock()
    rates = Rates(per_second, None, clock)
    taken, last = 0, 0
    for pause, items in calls:
        clock.now += pause
        try:
            rates.admit(1, 1)
        except RateExceeded:
            continue
        rates.charge(1, 1, items)
        taken, last = taken + items, items
    assert taken - last <= per_second * (clock.now - 100.0) + max(1.0, per_second) + 1e-6


def test_the_wait_that_is_told_is_long_enough() -> None:
    clock = Clock()
    rates = Rates(3.0, None, clock)
    rates.admit(1, 1)
    rates.charge(1, 1, 50)
    with pytest.raises(RateExceeded) as refused:
        rates.admit(1, 1)
    clock.now += refused.value.retry_after_seconds
    rates.admit(1, 1)


def test_bodies_share_a_budget_and_give_back_what_they_held() -> None:
    budget = BodyBudget(100)
    with budget.reserve() as mine:
        mine(60)
        with budget.reserve() as theirs, pytest.raises(Overloaded):
            theirs(50)
        assert budget.held == 60
        mine(40)
    assert budget.held == 0


def test_a_revoked_key_works_for_a_few_seconds_at_most_and_a_new_one_at_once(engine: Engine, loop: asyncio.AbstractEventLoop) -> None:
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
