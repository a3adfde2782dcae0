"""Several detect workers on one queue: each tenant is one's, evenly, and another's as soon as that one is gone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from conftest import RedisClients
from flow import Newspaper
from sqlalchemy import Engine
from worlds import document, draw_town

from service.errors import LostLease
from service.settings import Settings
from service.storage.redis_store import redis_keys
from service.storage.redis_store.job_queue import waiting_jobs
from workers import detect
from workers.resident_windows import ResidentWindows
from workers.tenant_assignment import TenantAssignment

TENANTS = ("art", "books", "city", "debate", "essays")


def workers(clients: RedisClients, count: int) -> list[TenantAssignment]:
    found = [TenantAssignment(clients.blocking) for _ in range(count)]
    for one in found:
        one.beat()
    return found


def rounds(hosts: Sequence[TenantAssignment], tenants: Sequence[str], times: int = 3) -> dict[str, list[int]]:
    """Who says that a tenant is its own, after every job has come to every worker a few times."""
    for _ in range(times):
        for tenant in tenants:
            for host in hosts:
                host.has(tenant)
    return {tenant: [number for number, host in enumerate(hosts) if host.has(tenant)] for tenant in tenants}


def test_a_worker_alone_has_every_tenant_and_writes_nothing_down(clients: RedisClients) -> None:
    (alone,) = workers(clients, 1)
    assert all(alone.has(tenant) for tenant in TENANTS)
    assert not clients.blocking.exists(redis_keys.HOMES)


@pytest.mark.parametrize(("hosts", "shares"), [(2, [2, 3]), (3, [1, 2, 2]), (7, [0, 0, 1, 1, 1, 1, 1])])
def test_each_tenant_is_one_workers_and_they_are_shared_out_evenly(
    clients: RedisClients, hosts: int, shares: list[int]
) -> None:
    has = rounds(workers(clients, hosts), TENANTS)
    assert all(len(owners) == 1 for owners in has.values())
    counts = Counter(owner for (owner,) in has.values())
    assert sorted(counts.get(number, 0) for number in range(hosts)) == shares


def test_whoever_has_a_tenant_keeps_it_while_nothing_changes(clients: RedisClients) -> None:
    hosts = workers(clients, 2)
    before = rounds(hosts, TENANTS)
    assert rounds(hosts, TENANTS, times=20) == before


def test_the_tenants_of_one_that_left_are_the_others_at_once(clients: RedisClients) -> None:
    hosts = workers(clients, 3)
    rounds(hosts, TENANTS)
    hosts[0].leave()
    has = rounds(hosts[1:], TENANTS)
    assert all(len(owners) == 1 for owners in has.values())


def test_a_silent_one_loses_its_tenants_and_an_emptied_redis_shares_them_out_anew(clients: RedisClients) -> None:
    speaking, silent = workers(clients, 2)
    rounds([speaking, silent], TENANTS)
    clients.blocking.zadd(redis_keys.DETECTORS, {silent.name: 1})  # its last beat is long ago
    assert all(speaking.has(tenant) for tenant in TENANTS)
    clients.blocking.flushdb()
    for host in (speaking, silent):
        host.beat()
    assert all(len(owners) == 1 for owners in rounds([speaking, silent], TENANTS).values())


def test_one_that_comes_gets_its_share(clients: RedisClients) -> None:
    hosts = workers(clients, 2)
    rounds(hosts, TENANTS)
    late = TenantAssignment(clients.blocking)
    late.beat()
    has = rounds([*hosts, late], TENANTS)
    counts = Counter(owner for (owner,) in has.values())
    assert sorted(counts.values()) == [1, 2, 2]


def test_a_job_of_anothers_tenant_is_put_back_and_its_window_forgotten(
    fake_redis: RedisClients, engine: Engine, settings: Settings
) -> None:
    paper = Newspaper(fake_redis, engine, settings)
    town = draw_town(2)
    paper.posts([document(row) for row in town.rows[:200]], batch=200)
    assert paper.resident() is not None
    before = paper.analysis()
    mine, other = TenantAssignment(fake_redis.blocking), TenantAssignment(fake_redis.blocking)
    for one in (mine, other):
        one.beat()
    assert other.has(paper.name)
    paper.resources.kept(ResidentWindows).assignment = mine
    with pytest.raises(LostLease, match="another worker"):
        detect.run(paper.name, paper.resources)
    assert paper.resident() is None
    assert paper.analysis() == before
    assert waiting_jobs(fake_redis.blocking)["detect"] == 1
    paper.resources.kept(ResidentWindows).assignment = other
    detect.run(paper.name, paper.resources)
    assert paper.resident() is not None
    paper.forgets()
