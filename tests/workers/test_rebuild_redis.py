"""A Redis that lost its data is filled from SQL, and no position is handed out twice."""

from __future__ import annotations

from typing import Any

import pytest
from archive_lines import complaint, withdrawal
from pipeline_world import Paper
from sqlalchemy import Engine, insert, update

from service.settings import Settings
from service.storage.complaints.dead_letters import list_dead_letters, retry
from service.storage.redis_store import redis_keys, stream
from service.storage.sql.engine import write
from service.storage.sql.hashing import field_of, key_of
from service.storage.sql.schema import analysis_state, targets
from workers import ingest, rebuild_redis


@pytest.fixture
def paper(clients: Any, engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Paper:
    """With a stand-in for the memberships, which have tests of their own."""
    monkeypatch.setattr(
        rebuild_redis,
        "write_all_memberships",
        lambda connection, redis, tenant, number: redis.set("seen", str(redis.exists(redis_keys.position(tenant)))),
    )
    return Paper(clients, engine, settings)


def archived(paper: Paper) -> None:
    """Two targets with a complaint each, one with none left."""
    paper.accepts(
        complaint("a", target="t"),
        complaint("b", target="u"),
        complaint("c", target="v", reporter="x"),
        withdrawal("c"),
    )
    ingest.run(paper.name, paper.resources)
    with write(paper.engine) as connection:
        connection.execute(update(analysis_state).values(analysed_position=3, as_of_us=77))


def total(paper: Paper, target: str) -> int:
    return int(paper.redis.hget(redis_keys.totals(paper.name), field_of(key_of(target))) or 0)


def test_everything_is_back_and_the_position_comes_last(paper: Paper) -> None:
    archived(paper)
    paper.redis.flushall()
    with pytest.raises(stream.PositionAbsent):
        paper.accepts(complaint("d"))
    rebuild_redis.run(paper.name, paper.resources)
    assert (total(paper, "t"), total(paper, "u"), total(paper, "v")) == (1, 1, 0)
    assert (paper.progress("archived"), paper.progress("analysed"), paper.progress("as_of_us")) == (4, 3, 77)
    assert paper.redis.get("seen") == b"0", "nobody could ask before all was there"
    assert paper.accepts(complaint("d", reporter="z")) == 5
    ingest.run(paper.name, paper.resources)
    assert paper.archived_ids() == ["a", "b", "c", "d"]


def test_for_an_hour_clients_may_hold_positions_that_were_lost(paper: Paper) -> None:
    paper.redis.flushall()
    rebuild_redis.run(paper.name, paper.resources)
    assert not paper.redis.exists(redis_keys.restored(paper.name)), "a new tenant: no position was answered yet"
    archived(paper)
    paper.redis.flushall()
    rebuild_redis.run(paper.name, paper.resources)
    assert 3_500 < paper.redis.ttl(redis_keys.restored(paper.name)) <= 3_600


def test_a_working_redis_is_left_alone(paper: Paper) -> None:
    archived(paper)
    paper.redis.hset(redis_keys.totals(paper.name), field_of(key_of("t")), 41)
    rebuild_redis.run(paper.name, paper.resources)
    assert total(paper, "t") == 41
    assert rebuild_redis.rebuild_redis(paper.name, paper.resources) == 4
    assert total(paper, "t") == 1


def test_a_position_never_falls_behind_the_archive_or_what_waits_in_the_stream(paper: Paper) -> None:
    archived(paper)
    paper.redis.set(redis_keys.position(paper.name), 2)  # a Redis that fell back to an older state
    rebuild_redis.run(paper.name, paper.resources)
    assert int(paper.redis.get(redis_keys.position(paper.name))) == 4
    paper.accepts(complaint("d", reporter="y"), complaint("e", reporter="z"))
    paper.redis.delete(redis_keys.position(paper.name))
    rebuild_redis.run(paper.name, paper.resources)
    assert int(paper.redis.get(redis_keys.position(paper.name))) == 6
    ingest.run(paper.name, paper.resources)
    assert paper.state().archived_position == 6


def test_a_letter_that_was_on_its_way_when_redis_was_lost_is_dead_again(paper: Paper) -> None:
    paper.accepts(complaint("a"), b"cx")
    for _ in range(6):
        try:
            ingest.run(paper.name, paper.resources)
        except ValueError:
            continue
    retry(paper.engine, paper.redis, paper.name, paper.id, 5)
    paper.redis.flushall()
    rebuild_redis.run(paper.name, paper.resources)
    with paper.engine.connect() as connection:
        (letter,) = list_dead_letters(connection, paper.id)
    assert (letter.position, letter.resent_us) == (2, None)
    assert int(paper.redis.get(redis_keys.position(paper.name))) == 2


def test_more_targets_than_are_written_at_once_are_all_restored(paper: Paper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuild_redis, "TARGETS_AT_ONCE", 7)
    with write(paper.engine) as connection:
        connection.execute(
            insert(targets), [{"tenant_id": paper.id, "target_key": key, "complaints": 3} for key in range(-50, 50)]
        )
    paper.redis.flushall()
    rebuild_redis.run(paper.name, paper.resources)
    assert paper.redis.hlen(redis_keys.totals(paper.name)) == 100


def test_a_tenant_without_anything_begins_at_zero(paper: Paper) -> None:
    paper.redis.flushall()
    rebuild_redis.run(paper.name, paper.resources)
    assert paper.redis.get(redis_keys.position(paper.name)) == b"0"
    assert paper.progress("as_of_us") > 0
