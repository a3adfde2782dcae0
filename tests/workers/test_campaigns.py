"""The campaigns job: what plans it, what it leaves behind, and that nothing is lost that changes while it measures."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from case_world import put_cluster
from conftest import RedisClients
from flow import Newspaper
from sqlalchemy import Engine
from worlds import document, draw_town

from service.moderation.campaign_links import CaseMembers, measure
from service.settings import Settings
from service.storage.cases import campaign_groups
from service.storage.cases.campaign_groups import WORK
from service.storage.detection import allow_list
from service.storage.redis_store.leases import held
from service.storage.sql import schema, timers
from service.storage.sql.engine import write
from workers import campaigns

WEEK = 7 * 24.0
FAR_US = 10**17


@pytest.fixture
def paper(fake_redis: RedisClients, engine: Engine, settings: Settings) -> Iterator[Newspaper]:
    newspaper = Newspaper(fake_redis, engine, settings)
    for place in range(3):
        put_cluster(engine, newspaper.id, f"k{place}", reporters=[f"r{n}" for n in range(12)], first=place * WEEK)
    yield newspaper
    newspaper.forgets()


def planned(paper: Newspaper) -> bool:
    with paper.engine.connect() as connection:
        return (WORK, paper.name) in timers.due(connection, FAR_US)


def belonging(paper: Newspaper) -> dict[str, str]:
    with paper.engine.connect() as connection:
        return campaign_groups.belonging(connection, paper.id)


def runs(paper: Newspaper) -> None:
    campaigns.run(paper.name, paper.resources)


def test_it_groups_and_is_done_and_a_second_run_changes_nothing(paper: Newspaper) -> None:
    with write(paper.engine) as connection:
        campaign_groups.plan(connection, paper.id, 0)
    assert planned(paper)
    runs(paper)
    found = belonging(paper)
    assert found.keys() == {"k0", "k1", "k2"} and len(set(found.values())) == 1
    assert not planned(paper)
    with paper.engine.connect() as connection:
        before = connection.execute(sa.select(schema.campaigns)).all()
    runs(paper)
    with paper.engine.connect() as connection:
        assert connection.execute(sa.select(schema.campaigns)).all() == before
        assert connection.scalar(sa.select(sa.func.count()).select_from(schema.campaign_links)) == 3


def test_another_worker_at_it_is_left_alone(paper: Newspaper) -> None:
    with held(paper.redis, WORK, paper.name):
        runs(paper)
    assert belonging(paper) == {}


def test_what_changes_while_it_measures_is_measured_again(paper: Newspaper, monkeypatch: pytest.MonkeyPatch) -> None:
    def meanwhile(cases: Any) -> Any:
        put_cluster(paper.engine, paper.id, "k3", reporters=[f"r{n}" for n in range(12)], first=5 * WEEK)
        return measure(cases)

    monkeypatch.setattr(campaigns, "measure", meanwhile)
    runs(paper)
    assert planned(paper) and "k3" not in belonging(paper)
    monkeypatch.undo()
    runs(paper)
    assert not planned(paper) and "k3" in belonging(paper)


def test_a_decision_plans_it_and_takes_a_cleared_case_out(paper: Newspaper) -> None:
    runs(paper)
    paper.decides("k1", "not_coordinated")
    assert planned(paper)
    runs(paper)
    assert belonging(paper).keys() == {"k0", "k2"}


def test_a_changed_allow_list_plans_it(paper: Newspaper) -> None:
    runs(paper)
    with write(paper.engine) as connection:
        allow_list.allow(connection, paper.id, "r1", note=None, by="ann", now_us=1)
    assert planned(paper)


def test_clusters_that_detection_changes_plan_it(paper: Newspaper) -> None:
    assert not planned(paper)
    paper.posts([document(row) for row in draw_town(2, brigades=2).rows], batch=500)
    paper.sweeps()
    assert paper.groups("flagged") and planned(paper)


def test_ten_thousand_clusters_are_measured_in_seconds() -> None:
    """Through an index of the members: all pairs would be fifty million."""
    cases = []
    for campaign in range(1_000):
        for strike in range(10):
            own = range(campaign * 100 + strike, campaign * 100 + strike + 20)
            honest = {10**6 + (campaign * 7 + strike * 13 + n) % 300 for n in range(3)}
            cases.append(CaseMembers(f"c{campaign:03}.{strike}", strike, frozenset(own) | honest))
    began = time.process_time()
    found = measure(cases)
    assert time.process_time() - began < 40
    assert len(found) > 30_000 and all(link.first.split(".")[0] == link.second.split(".")[0] for link in found)
