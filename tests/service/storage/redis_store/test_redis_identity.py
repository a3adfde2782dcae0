"""Which Redis belongs to the database: a second Redis, a second database, a Redis that was emptied."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import fakeredis
import pytest
from redis.exceptions import ResponseError
from sqlalchemy import Connection, Engine, update

from service.errors import StoreUnavailable
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


@contextmanager
def meanwhile(engine: Engine, other: Callable[[], object]) -> Iterator[None]:
    """Inside, `other` comes once between the first look at the database and what follows."""
    real = redis_identity.stored_identity

    def then_the_other(connection: Connection, **options: bool) -> Any:
        found = real(connection, **options)
        redis_identity.stored_identity = real
        connection.rollback()
        other()
        return found

    redis_identity.stored_identity = then_the_other
    try:
        yield
    finally:
        redis_identity.stored_identity = real


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
    agree(engine, redis, HERE)
    other_redis.set(redis_keys.position("paper"), 3)  # of a version that knew no identity, or an old copy
    with pytest.raises(ForeignRedis, match="brigadewatch redis adopt"):
        agree(engine, other_redis, THERE)
    assert other_redis.get(redis_keys.IDENTITY) is None


def test_of_two_empty_redis_at_the_same_moment_one_is_taken(engine: Engine, redis: Any, other_redis: Any) -> None:
    """On a new database: the other one comes between a look at the database and what is written there."""
    with meanwhile(engine, lambda: agree(engine, other_redis, THERE)), pytest.raises(StillInUse, match="there"):
        agree(engine, redis, HERE)
    assert redis.get(redis_keys.IDENTITY) is None
    assert other_redis.get(redis_keys.IDENTITY).decode() == known(engine)


@pytest.mark.parametrize("used_before", [False, True])
def test_processes_that_meet_at_one_empty_redis_agree(engine: Engine, redis: Any, used_before: bool) -> None:
    """On a new database, and after Redis lost its data: whoever comes first, both have the same identity."""
    if used_before:
        agree(engine, redis, HERE)
        redis.flushall()
    first: list[str] = []
    with meanwhile(engine, lambda: first.append(agree(engine, redis, HERE))):
        second = agree(engine, redis, HERE)
    assert first == [second] == [known(engine)] == [redis.get(redis_keys.IDENTITY).decode()]


def test_a_redis_that_takes_no_writes_does_not_become_the_one_of_the_database(
    engine: Engine, redis: Any, other_redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = agree(engine, redis, HERE)
    end_use(engine, HERE)

    real = other_redis.execute_command

    def refuses_writes(*words: Any, **options: Any) -> Any:
        if words[0] not in ("MGET", "GET", "EXISTS"):
            raise ResponseError("MISCONF Errors writing to the AOF file")
        return real(*words, **options)

    monkeypatch.setattr(other_redis, "execute_command", refuses_writes)
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="MISCONF"):
            agree(engine, other_redis, THERE)
        with pytest.raises(StoreUnavailable, match="MISCONF"):
            adopt(engine, other_redis)
    assert known(engine) == first


def test_what_was_interrupted_before_redis_knew_goes_on(
    engine: Engine, redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(redis_identity, "_confirm", killed)
        with pytest.raises(KeyboardInterrupt):
            agree(engine, redis, HERE)
    assert redis.get(redis_keys.IDENTITY) is None
    made = known(engine)
    assert agree(engine, redis, THERE) == made, "nobody has to wait for the one that was killed"
    assert redis.keys() == [redis_keys.IDENTITY.encode()]


def test_a_commit_is_taken_from_the_known_redis_alone(engine: Engine, redis: Any) -> None:
    identity = agree(engine, redis, HERE)
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
    assert found == other_redis.get(redis_keys.IDENTITY).decode() == known(engine)
    assert adopt(engine, other_redis) == found, "a second time changes nothing"
    with engine.connect() as connection:
        stored = stored_identity(connection)
    assert stored is not None and stored.previous == first
    with pytest.raises(ForeignRedis):
        agree(engine, redis, HERE)
