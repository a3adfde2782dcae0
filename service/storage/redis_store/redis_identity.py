"""Which Redis belongs to this database: a random identity that stands in both.

Positions, totals and what waits in a stream mean something only beside the archive that they were counted against. A
second Redis on the same database would hand out positions that are archived already, and a second database on one Redis
would read the other's stream. So every process that accepts, archives or rebuilds first makes sure that both name the
same identity, and does nothing when they do not.

A new installation gets an identity from the first process. A Redis that lost its data has none: it is given a new
one, unless somebody still uses the Redis that the database knows. Who uses which Redis stands in the table
`redis_users`; times in it are the database's, so that hosts need not agree, and a sign of life older (or younger: the
clock was set) than SILENT_SECONDS counts as none. A Redis that was replaced on purpose is adopted:
`brigadewatch redis adopt`.
"""

from __future__ import annotations

import secrets
import socket
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from redis import Redis
from sqlalchemy import Connection, Engine, delete, insert, select, text, update

from service.errors import StoreUnavailable
from service.settings import Settings
from service.storage.redis_store import redis_keys
from service.storage.redis_store.client import as_text, unavailable_when_it_fails
from service.storage.sql.engine import database_now_us, write
from service.storage.sql.schema import redis_identity, redis_users, tenants

SIGN_SECONDS = 5.0  # how often those who use Redis say so
SILENT_SECONDS = 30.0  # from the last sign of life until nobody is believed to use that Redis
_SECOND_US = 1_000_000
_LONGEST_NAME = 300
_KEPT_SECONDS = 86_400  # signs of life of those who are gone
_THE_ROW = redis_identity.c.id == 1


class ForeignRedis(StoreUnavailable):
    """This Redis does not belong to this database. Nothing was read from it or written to it."""


class StillInUse(ForeignRedis):
    """Somebody still uses the Redis that the database knows: another may take its place once they are silent."""


@dataclass(frozen=True, slots=True)
class RedisUser:
    """Who uses a Redis: the processes of one data folder on one host."""

    name: str
    identity: str
    silent_seconds: float


@dataclass(frozen=True, slots=True)
class StoredIdentity:
    """The Redis that the database knows."""

    identity: str
    previous: str | None  # the one before it: what waits there may still be moved
    since_us: int


def user_of(settings: Settings) -> str:
    """How the processes of this data folder on this host are called while they use the Redis of REDIS_URL."""
    parts = urlsplit(settings.redis_url or "")
    address = f"{parts.hostname or ''}:{parts.port or 6379}{parts.path}"
    return f"{settings.data.absolute()} on {socket.gethostname()} with Redis at {address}"[:_LONGEST_NAME]


def agree(engine: Engine, redis: Redis, user: str = "") -> str:
    """The identity that the database and Redis name, given to both if the installation is new or Redis is empty.

    `user` (see `user_of`) no longer uses the Redis that it used before, if this one is empty. Raises ForeignRedis if
    this Redis belongs to another database or another Redis to this one, StillInUse, StoreUnavailable if Redis does not
    answer, SQLAlchemyError if the database does not.
    """
    with unavailable_when_it_fails():
        in_redis = identity_in(redis.get(redis_keys.IDENTITY))
    with engine.connect() as connection:
        known = stored_identity(connection)
        names = list(connection.scalars(select(tenants.c.name))) if in_redis is None else []
    if in_redis is not None:
        return compare(in_redis, known)
    with unavailable_when_it_fails():
        holds_data = bool(names) and bool(redis.exists(*[redis_keys.position(name) for name in names]))
    if known is not None and holds_data:
        raise ForeignRedis(
            "Redis holds data without the identity that this database knows: it was written by another version or is"
            " an old copy. If it is the right one: brigadewatch redis adopt"
        )
    if known is not None and user:
        end_use(engine, user)  # in a transaction of its own: it holds even if others still use the old one
    with write(engine) as connection:
        made = _give(connection, known, user)
    with unavailable_when_it_fails():
        redis.set(redis_keys.IDENTITY, made, nx=True)
        if identity_in(redis.get(redis_keys.IDENTITY)) != made:
            raise ForeignRedis("somebody else has just begun to use this Redis: try again")
    return made


def compare(in_redis: str, known: StoredIdentity | None) -> str:
    """The identity, if both name the same. Raises ForeignRedis."""
    if known is None:
        raise ForeignRedis(
            f"Redis belongs to another database (its identity is {in_redis}, this database has none): set REDIS_URL to"
            " a Redis of this database's own, or empty this one if that database is gone"
        )
    if known.identity != in_redis:
        raise ForeignRedis(
            f"Redis is not the one of this database: its identity is {in_redis}, the database's is {known.identity}."
            " Set REDIS_URL to the right one; if this one replaces it: brigadewatch redis adopt"
        )
    return in_redis


def stored_identity(connection: Connection) -> StoredIdentity | None:
    """The Redis that the database knows; None for a new database."""
    row = connection.execute(select(redis_identity).where(_THE_ROW)).one_or_none()
    return None if row is None else StoredIdentity(row.identity, row.previous, row.since_us)


def require_identity(connection: Connection, identity: str) -> None:
    """Raise ForeignRedis unless the database knows the Redis with this identity. For those who commit what they read
    from it, in their transaction.
    """
    compare(identity, stored_identity(connection))


def trouble_of_pair(engine: Engine, redis: Redis) -> str | None:
    """Why the two do not belong together; None: they do, or neither has an identity yet. Raises RedisError and
    SQLAlchemyError.
    """
    in_redis = identity_in(redis.get(redis_keys.IDENTITY))
    with engine.connect() as connection:
        known = stored_identity(connection)
    if in_redis is None:
        return None if known is None else "Redis is empty: its data is being rebuilt from the database"
    try:
        compare(in_redis, known)
    except ForeignRedis as error:
        return str(error)
    return None


def sign(engine: Engine, in_redis: str | None, user: str) -> None:
    """Say that `user` uses the Redis of this identity; None: that it is empty, so that nobody waits for this user.

    Raises ForeignRedis unless the database knows that Redis.
    """
    with write(engine) as connection:
        known = stored_identity(connection)
        if in_redis is None or known is None or known.identity != in_redis:
            connection.execute(delete(redis_users).where(redis_users.c.name == user))
        else:
            _write_sign(connection, user, in_redis)
    if in_redis is None:
        raise ForeignRedis("Redis is empty: its data is being rebuilt from the database")
    compare(in_redis, known)


def end_use(engine: Engine, user: str) -> None:
    """`user` ends: nobody has to wait for it to fall silent."""
    with write(engine) as connection:
        connection.execute(delete(redis_users).where(redis_users.c.name == user))


def users(connection: Connection, identity: str) -> list[RedisUser]:
    """Who has used the Redis of this identity within SILENT_SECONDS."""
    now_us = database_now_us(connection)
    rows = connection.execute(
        select(redis_users.c.name, redis_users.c.seen_us)
        .where(redis_users.c.identity == identity)
        .order_by(redis_users.c.name)
    )
    found = [RedisUser(name, identity, (now_us - seen_us) / _SECOND_US) for name, seen_us in rows]
    return [one for one in found if abs(one.silent_seconds) < SILENT_SECONDS]


def adopt(engine: Engine, redis: Redis) -> StoredIdentity:
    """Make this Redis the one of the database, whatever either named before; returns the new state.

    Nothing is moved or rebuilt here. Raises StillInUse while somebody uses the Redis that the database knew, and
    ForeignRedis when somebody else changes it at the same time.
    """
    with unavailable_when_it_fails():
        redis.set(redis_keys.IDENTITY, _new(), nx=True)
        mine = identity_in(redis.get(redis_keys.IDENTITY))
    assert mine is not None
    with write(engine) as connection:
        known = _locked(connection)
        if known is None:
            _insert(connection, mine)
        elif known.identity != mine:
            _refuse_if_in_use(connection, known.identity)
            _replace(connection, known, mine)
    with engine.connect() as connection:
        found = stored_identity(connection)
    if found is None or found.identity != mine:
        raise ForeignRedis("somebody else has just adopted another Redis: look at `brigadewatch redis status`")
    return found


def _give(connection: Connection, known: StoredIdentity | None, user: str) -> str:
    """A new identity for a Redis that has none."""
    made = _new()
    now = _locked(connection)
    if now != known:
        raise ForeignRedis("the database has just been given another Redis: try again")
    if now is None:
        _insert(connection, made)
    else:
        _refuse_if_in_use(connection, now.identity)
        _replace(connection, now, made)
    if user:
        _write_sign(connection, user, made)
    return made


def _refuse_if_in_use(connection: Connection, identity: str) -> None:
    living = users(connection, identity)
    if living:
        names = "; ".join(one.name for one in living)
        raise StillInUse(
            f"the database was used with another Redis less than {SILENT_SECONDS:.0f} s ago, by {names}. Stop those"
            f" processes, or set REDIS_URL to the Redis that they use"
        )


def _locked(connection: Connection) -> StoredIdentity | None:
    row = connection.execute(select(redis_identity).where(_THE_ROW).with_for_update()).one_or_none()
    return None if row is None else StoredIdentity(row.identity, row.previous, row.since_us)


def _insert(connection: Connection, identity: str) -> None:
    statement = text(
        "INSERT INTO redis_identity (id, identity, since_us) VALUES (1, :identity, :now) ON CONFLICT (id) DO NOTHING"
    )
    if connection.execute(statement, {"identity": identity, "now": database_now_us(connection)}).rowcount != 1:
        raise ForeignRedis("the database has just been given another Redis: try again")


def _replace(connection: Connection, known: StoredIdentity, identity: str) -> None:
    connection.execute(
        update(redis_identity)
        .where(_THE_ROW)
        .values(identity=identity, previous=known.identity, since_us=database_now_us(connection))
    )


def _write_sign(connection: Connection, user: str, identity: str) -> None:
    now_us = database_now_us(connection)
    connection.execute(
        delete(redis_users).where(
            (redis_users.c.name == user) | (redis_users.c.seen_us < now_us - _KEPT_SECONDS * _SECOND_US)
        )
    )
    connection.execute(insert(redis_users).values(name=user, identity=identity, seen_us=now_us))


def _new() -> str:
    return secrets.token_hex(16)


def identity_in(answer: Any) -> str | None:
    """The identity in Redis' answer; None: it has none."""
    return None if answer is None else as_text(answer)
