"""Which Redis belongs to the database: a second Redis, a second database, a Redis that was emptied."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import fakeredis
import pytest
from sqlalchemy import Engine, update

from service.storage.accounts.tenants import create_tenant
from service.storage.redis_store import redis_identity, redis_keys
from service.storage.redis_store.redis_identity import (
    SILENT_SECONDS,
    ForeignRedis,
    StillInUse,
    adopt,
    agree,
    end_use,
    require_identity,
    sign,
    stored_identity,
    users,
)
from service.storage.sql.engine import migrate, open_database, write
from service.storage.sql.schema import redis_users

HERE, THERE = "/data on here with Redis at a:6379/0", "/data on there with Redis at b:6379/0"


@pytest.fixture
def redis() -> Any:
    return fakeredis.FakeRedis()


@pytest.fixture
def other_redis() -> Any:
    return fakeredis.FakeRedis(server=fakeredis.FakeServer())


@pytest.fixture
def other_engine(make_database: Callable[..., str]) -> Iterator[Engine]:
    opened = open_database(make_database())
    migrate(opened)
    yield opened
    opened.dispose()


def known(engine: Engine) -> str:
    with engine.connect() as connection:
        found = stored_identity(connection)
    assert found is not None
    return found.identity


def later(engine: Engine, seconds: float) -> None:
    """As if so much time had passed since every sign of life."""
    with write(engine) as connection:
        connection.execute(update(redis_users).values(seen_us=redis_users.c.seen_us - int(seconds * 1_000_000)))


def test_a_new_installation_and_one_of_an_earlier_version_are_given_an_identity(engine: Engine, redis: Any) -> None:
    create_tenant(engine, "paper", 0)
    redis.set(redis_keys.position("paper"), 7)  # of the earlier version
    first = agree(engine, redis, HERE)
    assert first == known(engine) == redis.get(redis_keys.IDENTITY).decode()
    assert agree(engine, redis, THERE) == first, "another host with the same Redis"


def test_a_second_redis_is_refused_while_the_first_is_used_and_takes_over_after_thirty_silent_seconds(
    engine: Engine, redis: Any, other_redis: Any
) -> None:
    first = agree(engine, redis, HERE)
    with pytest.raises(StillInUse, match="on here with Redis at a:6379"):
        agree(engine, other_redis, THERE)
    later(engine, SILENT_SECONDS - 1)
    with pytest.raises(StillInUse):
        agree(engine, other_redis, THERE)
    assert other_redis.keys() == []
    later(engine, 1)
    second = agree(engine, other_redis, THERE)
    assert second != first
    with pytest.raises(ForeignRedis, match=f"{first}.*{second}"):
        agree(engine, redis, HERE)


def test_a_sign_of_life_from_the_future_is_none(engine: Engine, redis: Any, other_redis: Any) -> None:
    agree(engine, redis, HERE)
    later(engine, -3_600)  # the clock was set back
    agree(engine, other_redis, THERE)


def test_an_emptied_redis_is_filled_at_once_if_nobody_uses_another(engine: Engine, redis: Any) -> None:
    first = agree(engine, redis, HERE)
    redis.flushall()
    assert agree(engine, redis, HERE) != first


def test_two_hosts_with_one_emptied_redis_wait_for_each_other_only_until_both_have_seen_it(
    engine: Engine, redis: Any
) -> None:
    first = agree(engine, redis, HERE)
    sign(engine, first, THERE)
    redis.flushall()
    with pytest.raises(StillInUse, match="there"):
        agree(engine, redis, HERE)
    with pytest.raises(ForeignRedis, match="being rebuilt"):
        sign(engine, None, THERE)
    second = agree(engine, redis, HERE)
    sign(engine, second, THERE)
    with engine.connect() as connection:
        assert [user.name for user in users(connection, second)] == [HERE, THERE]


def test_who_ends_is_not_waited_for(engine: Engine, redis: Any, other_redis: Any) -> None:
    agree(engine, redis, HERE)
    end_use(engine, HERE)
    agree(engine, other_redis, THERE)


def test_two_databases_do_not_share_a_redis(engine: Engine, other_engine: Engine, redis: Any) -> None:
    agree(engine, redis, HERE)
    with pytest.raises(ForeignRedis, match="another database"):
        agree(other_engine, redis, THERE)
    with pytest.raises(ForeignRedis, match="another database"):
        sign(other_engine, redis.get(redis_keys.IDENTITY).decode(), THERE)


def test_data_without_an_identity_is_refused_once_the_database_knows_its_redis(
    engine: Engine, redis: Any, other_redis: Any
) -> None:
    create_tenant(engine, "paper", 0)
    agree(engine, redis)
    other_redis.set(redis_keys.position("paper"), 3)  # of a version that knew no identity, or an old copy
    with pytest.raises(ForeignRedis, match="brigadewatch redis adopt"):
        agree(engine, other_redis)
    assert other_redis.get(redis_keys.IDENTITY) is None


def test_a_database_that_was_just_given_another_redis_gives_nothing(
    engine: Engine, redis: Any, other_redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two empty Redis at the same moment, on a new database."""
    real = redis_identity.stored_identity

    def then_another_comes(connection: Any) -> Any:
        found = real(connection)
        monkeypatch.setattr(redis_identity, "stored_identity", real)
        connection.rollback()
        agree(engine, other_redis, THERE)
        return found

    monkeypatch.setattr(redis_identity, "stored_identity", then_another_comes)
    with pytest.raises(ForeignRedis, match="try again"):
        agree(engine, redis, HERE)
    assert redis.get(redis_keys.IDENTITY) is None
    with pytest.raises(StillInUse):
        agree(engine, redis, HERE)


def test_a_commit_is_taken_from_the_known_redis_alone(engine: Engine, redis: Any) -> None:
    identity = agree(engine, redis)
    with write(engine) as connection:
        require_identity(connection, identity)
        with pytest.raises(ForeignRedis):
            require_identity(connection, "0" * 32)


def test_another_redis_is_adopted_on_purpose_and_never_from_under_somebody(
    engine: Engine, redis: Any, other_redis: Any
) -> None:
    first = agree(engine, redis, HERE)
    with pytest.raises(StillInUse):
        adopt(engine, other_redis)
    assert known(engine) == first
    later(engine, SILENT_SECONDS)
    found = adopt(engine, other_redis)
    assert (found.identity, found.previous) == (other_redis.get(redis_keys.IDENTITY).decode(), first)
    assert adopt(engine, other_redis) == found, "a second time changes nothing"
    with pytest.raises(ForeignRedis):
        agree(engine, redis, HERE)
