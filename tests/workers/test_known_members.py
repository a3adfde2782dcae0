"""Members of groups whose complaints are discounted, as Redis knows them before any tick."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from cluster_states import cluster_state
from conftest import RedisClients
from flow import Newspaper, swept_town
from sqlalchemy import Engine
from worlds import document, draw_town

from service.moderation.cluster_discounts import discounts_members
from service.settings import Settings
from service.storage.accounts.secret_box import SecretBox
from service.storage.detection import allow_list
from service.storage.privacy.privacy_filters import open_privacy_filter
from service.storage.redis_store import redis_keys, unseen
from service.storage.sql.engine import write
from service.storage.sql.hashing import key_of
from workers import detect, rebuild_redis
from workers.detection.known_clusters import KnownCluster, KnownClusters

TOWN = draw_town(2)
BRIGADE = frozenset(f"r{r}" for r in TOWN.brigades[0])


@pytest.fixture
def paper(fake_redis: RedisClients, engine: Engine, settings: Settings) -> Iterator[Newspaper]:
    with swept_town(fake_redis, engine, settings, TOWN.rows) as newspaper:
        yield newspaper


def known(paper: Newspaper, *reporters: str) -> set[str]:
    """Those of the reporters whom Redis recognises, as the append script looks them up."""
    secret = open_privacy_filter(paper.engine, SecretBox(paper.resources.settings), paper.id).key
    stored = paper.redis.smembers(redis_keys.known_members(paper.name))
    return {reporter for reporter in reporters if unseen.marker(secret)("t", reporter)[8:] in stored}


def everybody() -> list[str]:
    return sorted({f"r{row.reporter}" for row in TOWN.rows})


def members(paper: Newspaper) -> set[str]:
    keys = {key for cluster in paper.clusters().values() if discounts_members(cluster) for key in cluster.members}
    return {reporter for reporter in everybody() if key_of(reporter) in keys}


def test_the_members_of_flagged_groups_and_nobody_else(paper: Newspaper) -> None:
    assert known(paper, *everybody()) == members(paper)
    assert len(members(paper) & BRIGADE) >= 0.8 * len(BRIGADE)


def test_a_decision_makes_them_known_or_not(paper: Newspaper) -> None:
    (cluster,) = paper.clusters()
    wrong = paper.decides(cluster, "not_coordinated")
    detect.run(paper.name, paper.resources)
    assert known(paper, *everybody()) == set()
    paper.decides(cluster, "not_coordinated", reverses=wrong)
    detect.run(paper.name, paper.resources)
    assert known(paper, *everybody()) == members(paper) != set()
    out = min(members(paper))
    paper.decides(cluster, "coordinated", excluded_reporters=[out])
    detect.run(paper.name, paper.resources)
    assert known(paper, *everybody()) == members(paper) and out not in members(paper)


def test_whom_an_administrator_trusts_is_not_known(paper: Newspaper) -> None:
    trusted = min(members(paper))
    with write(paper.engine) as connection:
        allow_list.allow(connection, paper.id, trusted, note=None, by="ann", now_us=paper.resources.now_us())
    detect.run(paper.name, paper.resources)
    assert known(paper, *everybody()) == members(paper) - {trusted}
    with write(paper.engine) as connection:
        allow_list.disallow(connection, paper.id, trusted, by="ann", now_us=paper.resources.now_us())
    detect.run(paper.name, paper.resources)
    assert known(paper, *everybody()) == members(paper)


def test_a_rebuild_and_a_new_worker_write_what_sql_says(paper: Newspaper) -> None:
    expected = members(paper)
    paper.redis.delete(redis_keys.known_members(paper.name))
    rebuild_redis.rebuild_redis(paper.name, paper.resources)
    assert known(paper, *everybody()) == expected
    paper.redis.sadd(redis_keys.known_members(paper.name), b"somebody")
    paper.forgets()
    paper.posts([{**document(TOWN.rows[0]), "id": "new"}])
    assert known(paper, *everybody()) == expected
    assert paper.redis.scard(redis_keys.known_members(paper.name)) == len(expected)


def test_who_is_in_two_groups_leaves_with_the_second() -> None:
    known = KnownClusters()
    for identity in ("k1", "k2"):
        known.keep(identity, KnownCluster(frozenset({1, 2}), 0))
    assert (known.take_touched(), known.members()) == ({1, 2}, {1, 2})
    known.drop("k1")
    assert (known.take_touched(), known.members()) == ({1, 2}, {1, 2})
    known.keep("k2", KnownCluster(frozenset({2, 3}), 0))
    assert (known.take_touched(), known.members()) == ({1, 3}, {2, 3})
    known.drop("k2")
    assert (known.take_touched(), known.members()) == ({2, 3}, set())
    assert known.take_touched() == set()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"disposition": "held_back"}, True),
        ({"disposition": "reliable"}, False),
        ({"disposition": "revoked"}, False),
        ({"disposition": "merged"}, False),
        ({"disposition": "reliable", "verdict": "coordinated", "status": "decided"}, True),
        ({"verdict": "not_coordinated", "status": "decided"}, False),
        ({"verdict": "not_coordinated", "status": "open"}, True),
        ({"kind": "one_shot"}, False),
    ],
)
def test_whose_further_complaints_are_likely_to_be_discounted(changes: dict[str, Any], expected: bool) -> None:
    state = replace(cluster_state("k1", members={1, 2, 3}), **changes)
    assert discounts_members(state) == expected
