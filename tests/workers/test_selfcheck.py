"""The daily self-check, in a town with brigades."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flow import Newspaper
from sqlalchemy import Engine
from worlds import document, draw_town

from service.settings import Settings
from service.storage.redis_store import redis_keys
from workers import selfcheck


@pytest.fixture
def paper(fake_redis: Any, engine: Engine, settings: Settings) -> Iterator[Newspaper]:
    newspaper = Newspaper(fake_redis, engine, settings)
    yield newspaper
    newspaper.forgets()


def told(paper: Newspaper, name: str) -> float:
    value: Any = paper.redis.hget(redis_keys.tallies(paper.name), name)
    return float(value)


def test_beside_real_brigades_nothing_false_is_found_and_their_members_are_left_out(paper: Newspaper) -> None:
    town = draw_town(2)
    paper.posts([document(r) for r in town.rows], batch=1_000)
    paper.sweeps()
    selfcheck.run(paper.name, paper.resources)
    assert told(paper, "selfcheck_false_clusters") == 0
    assert 0 < told(paper, "selfcheck_complaints") < len(town.rows)


def test_a_tenant_without_complaints_is_checked_without_fuss(paper: Newspaper) -> None:
    selfcheck.run(paper.name, paper.resources)
    assert told(paper, "selfcheck_complaints") == 0
