"""Leases and epochs, on both kinds of Redis."""

from __future__ import annotations

import time
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from sqlalchemy import Engine

from service.errors import LostLease, UnknownTenant
from service.storage.accounts.tenants import create_tenant
from service.storage.redis_store import redis_keys
from service.storage.redis_store.leases import Lease, held, take_epoch
from service.storage.sql.schema import analysis_state, ingest_state


def test_one_holds_a_lease_and_gives_it_back(clients: Any) -> None:
    redis = clients.blocking
    first, second = Lease(redis, "ingest", "paper"), Lease(redis, "ingest", "paper")
    assert first.take() and not second.take() and not first.take()
    assert Lease(redis, "detect", "paper").take()
    second.release()
    assert not second.take()
    first.release()
    assert second.take()


def test_a_lease_runs_out_unless_renewed_and_is_then_lost(clients: Any) -> None:
    redis = clients.blocking
    lease = Lease(redis, "ingest", "paper", ttl_ms=60_000)
    lease.take()
    assert lease.renew() and 0 < redis.pttl(lease.key) <= 60_000
    redis.delete(lease.key)
    other = Lease(redis, "ingest", "paper")
    assert other.take()
    assert not lease.renew()
    with pytest.raises(LostLease):
        lease.check()
    lease.release()
    assert redis.exists(other.key), "the release of a lost lease leaves its new holder alone"


def test_a_block_renews_beside_itself_and_releases_at_its_end(clients: Any) -> None:
    redis = clients.blocking
    with held(redis, "ingest", "paper", ttl_ms=3_000) as lease:
        assert lease is not None
        with held(redis, "ingest", "paper") as second:
            assert second is None
        left, before = redis.pttl(lease.key), 3_001
        while left <= before:  # until it was renewed; nobody renews what has ended
            assert left > 0
            time.sleep(0.01)
            left, before = redis.pttl(lease.key), left
        lease.check()
    assert not redis.exists(redis_keys.lease("ingest", "paper"))


def test_a_block_that_raises_releases_too(clients: Any) -> None:
    with pytest.raises(RuntimeError), held(clients.blocking, "ingest", "paper"):
        raise RuntimeError
    assert not clients.blocking.exists(redis_keys.lease("ingest", "paper"))


def test_work_does_not_fail_when_redis_is_unreachable_while_renewing_and_releasing(
    clients: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: Any, **__: Any) -> None:
        raise RedisConnectionError("gone")

    with monkeypatch.context() as patched, held(clients.blocking, "ingest", "paper", ttl_ms=300) as lease:
        assert lease is not None
        for call in ("execute_command", "evalsha"):
            patched.setattr(clients.blocking, call, unreachable)
        time.sleep(0.15)
        lease.check()


def test_epochs_rise_by_one_for_each_state_apart(engine: Engine) -> None:
    number = create_tenant(engine, "paper", 0)
    assert [take_epoch(engine, ingest_state, number) for _ in range(3)] == [1, 2, 3]
    assert take_epoch(engine, analysis_state, number) == 1
    with pytest.raises(UnknownTenant):
        take_epoch(engine, ingest_state, number + 1)
