"""One sweep: what it reads, what it leaves, and that it is not done twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from conftest import RedisClients
from flow import Newspaper
from sqlalchemy import Engine, select
from worlds import DAY, Row, columns, document, draw_town

from service.policy import DEFAULT_POLICY
from service.settings import Settings
from service.storage.redis_store import redis_keys
from service.storage.sql import schema
from workers import sweep, sweep_codec
from workers.detection.detector import Detector
from workers.detection.swept_pairs import SweptPairs
from workers.large import large_windows
from workers.large.pair_sweep import pairs_of


@pytest.fixture
def paper(fake_redis: RedisClients, engine: Engine, settings: Settings) -> Iterator[Newspaper]:
    newspaper = Newspaper(fake_redis, engine, settings)
    yield newspaper
    newspaper.forgets()


def rows_of(paper: Newspaper) -> list[object]:
    with paper.engine.connect() as connection:
        return list(
            connection.execute(
                select(schema.sweeps).where(schema.sweeps.c.tenant_id == paper.id).order_by(schema.sweeps.c.id)
            )
        )


def test_it_leaves_what_a_detector_of_the_whole_window_fits(paper: Newspaper) -> None:
    town = draw_town(2)
    paper.posts([document(r) for r in town.rows], batch=300)
    sweep.run(paper.name, paper.resources)
    *_, row = rows_of(paper)  # ticks may have waited for others on the way
    assert (row.seq, row.position) == (len(town.rows), len(town.rows))  # type: ignore[attr-defined]
    expected = Detector.sweep(DEFAULT_POLICY, columns(town.rows))[0].fitted()
    told = sweep_codec.unpack(row.payload)  # type: ignore[attr-defined]
    assert told.pairs_met == expected.pairs_met and len(told.p) == len(expected.p)
    assert sorted(told.p.tolist()) == pytest.approx(sorted(expected.p.tolist()))
    assert told.affinity.shape == pytest.approx(expected.affinity.shape, rel=1e-6)
    assert paper.redis.sismember(redis_keys.TENANTS_DIRTY, paper.name), "so that it is taken over soon"


def test_a_window_above_the_bound_of_the_settings_is_compared_in_duckdb_and_hands_on_the_same(
    fake_redis: RedisClients, engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    town, asked = draw_town(2), []
    documents = [document(r) for r in town.rows]

    def noted(*given: Any) -> SweptPairs:
        asked.append(pairs_of(*given))
        return asked[-1]

    monkeypatch.setattr(large_windows, "pairs_of", noted)
    payloads = []
    for name, bound in (("small", 10**6), ("large", len(documents))):
        paper = Newspaper(fake_redis, engine, replace(settings, large_window=bound), name)
        paper.posts(documents, batch=1_000)
        sweep.run(name, paper.resources)
        payloads.append(rows_of(paper)[-1].payload)  # type: ignore[attr-defined]
        paper.forgets()
    assert payloads[0] == payloads[1]
    assert len(asked) == 1
    assert not list((settings.data / "large").iterdir())


def test_only_the_window_is_swept_and_only_what_stands(paper: Newspaper) -> None:
    paper.posts(
        [
            document(r)
            for r in [
                Row(1, 1, 1, 0),
                Row(2, 2, 1, 60),
                Row(3, 3, 2, 20 * DAY),
                Row(4, 4, 2, 20 * DAY + 60),
                Row(5, 5, 2, 20 * DAY + 120),
            ]
        ],
        batch=2,
    )
    paper.posts([{"withdraws": "c5"}])
    sweep.run(paper.name, paper.resources)
    row = rows_of(paper)[-1]
    assert sweep_codec.unpack(row.payload).pairs_met == 1  # type: ignore[attr-defined]
    assert row.position == 6  # type: ignore[attr-defined]


def test_the_same_sweep_is_not_done_twice_and_an_older_one_is_cleared_away(paper: Newspaper) -> None:
    for k in range(1, 5):
        paper.posts([document(Row(k, k, 1, k * 60))])
        sweep.run(paper.name, paper.resources)
        sweep.run(paper.name, paper.resources)
        paper.sweeps()
        assert paper.analysis().swept_seq == paper.archived_seq()
    assert len(rows_of(paper)) <= 2
    finished = [row.finished_us for row in rows_of(paper)]  # type: ignore[attr-defined]
    assert finished == sorted(set(finished))


def test_a_tenant_without_a_complaint_can_be_swept(paper: Newspaper) -> None:
    paper.sweeps()
    assert paper.analysis().swept_position == 0
    assert paper.clusters() == {}


def test_while_another_sweeps_nothing_is_done(paper: Newspaper) -> None:
    paper.redis.set(redis_keys.lease("sweep", paper.name), "another")
    sweep.run(paper.name, paper.resources)
    assert rows_of(paper) == []
