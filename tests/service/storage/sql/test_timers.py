"""When a job is due."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine

from service.storage.accounts.tenants import create_tenant
from service.storage.sql import timers
from service.storage.sql.engine import write


@pytest.fixture
def tenant(engine: Engine) -> int:
    return create_tenant(engine, "paper", 0)


def test_the_earliest_asked_for_holds(engine: Engine, tenant: int) -> None:
    with write(engine) as connection:
        for due_us in (50, 70, 30, 60):
            timers.at_latest(connection, tenant, "deliver", due_us)
        timers.at_latest(connection, tenant, "poll", 40)
        assert timers.due(connection, 29) == []
        assert timers.due(connection, 30) == [("deliver", "paper")]
        assert timers.due(connection, 40) == [("deliver", "paper"), ("poll", "paper")]


def test_a_job_moves_its_time_both_ways_and_takes_it_off(engine: Engine, tenant: int) -> None:
    with write(engine) as connection:
        timers.move_to(connection, tenant, "deliver", 30)
        timers.move_to(connection, tenant, "deliver", 90)
        assert timers.due(connection, 89) == []
        timers.move_to(connection, tenant, "deliver", 10)
        assert timers.due(connection, 10) == [("deliver", "paper")]
        timers.move_to(connection, tenant, "deliver", None)
        timers.move_to(connection, tenant, "deliver", None)
        assert timers.due(connection, 10**18) == []


def test_several_that_ask_at_once_lose_nothing(engine: Engine, tenant: int) -> None:
    def ask(due_us: int) -> None:
        with write(engine) as connection:
            timers.at_latest(connection, tenant, "deliver", due_us)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(ask, range(100, 120)))
    with engine.connect() as connection:
        assert timers.due(connection, 99) == []
        assert timers.due(connection, 100) == [("deliver", "paper")]
