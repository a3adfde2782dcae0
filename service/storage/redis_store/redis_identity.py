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
from sqlalchemy import Connection, Engine, delete, insert, select, update

from service.errors import StoreUnavailable
from service.settings import Settings
from service.storage.redis_store import redis_keys
from service.storage.redis_store.client import Script, as_text, unavailable_when_it_fails
from service.storage.sql.engine import database_now_us, insert_rows, write
from service.storage.sql.schema import redis_identity, redis_users, tenants

SIGN_SECONDS = 5.0  # how often those who use Redis say so
SILENT_SECONDS = 30.0  # from the last sign of life until nobody is believed to use that Redis
_SECOND_US = 1_000_000
_LONGEST_NAME = 300
_KEPT_SECONDS = 86_400  # signs of life of those who are gone
_THE_ROW = redis_identity.c.id == 1
# KEYS: the identity, the proposed one. ARGV: what to propose.
_PROPOSE = Script("""
local identity = redis.call('GET', KEYS[1])
if identity then return identity end
redis.call('SET', KEYS[2], ARGV[1], 'NX')
return redis.call('GET', KEYS[2])
""")


class ForeignRedis(StoreUnavailable):
    """This Redis does not belong to this database. Nothing was read from it or written to it."""


class StillInUse(ForeignRedis):
    """Somebody still uses the Redis that the database knows: another may take its place once they are silent."""


@dataclass(frozen=True, slots=True)
class RedisUser:
    """Who uses a Redis: the processes of one data folder on one host."""

    name: str
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


def agree(engine: Engine, redis: Redis, user: str) -> str:
    """The identity that the database and Redis name, given to both if the installation is new or Redis is empty.

    `user` (see `user_of`) no longer uses the Redis that it used before, if this one is empty. Raises ForeignRedis if
    this Redis belongs to another database or another Redis to this one, StillInUse, StoreUnavailable if Redis does not
    answer or takes no writes, SQLAlchemyError if the database does not.
    """
    with unavailable_when_it_fails():
        in_redis, proposed = map(identity_in, redis.mget([redis_keys.IDENTITY, redis_keys.PROPOSED_IDENTITY]))
    with engine.connect() as connection:
        known = stored_identity(connection)
        names = list(connection.scalars(select(tenants.c.name))) if in_redis is None else []
    if in_redis is not None:
        return compare(in_redis, known)
    with unavailable_when_it_fails():
        if known is not None and names and redis.exists(*[redis_keys.position(name) for name in names]):
            raise ForeignRedis(
                "Redis holds data without the identity that this database knows: it was written by another version or"
                " is an old copy. If it is the right one: brigadewatch redis adopt"
            )
    if known is not None and known.identity != proposed:  # otherwise somebody was interrupted before `_confirm`
        end_use(engine, user)
        with engine.connect() as connection:
            _refuse_if_in_use(connection, known.identity)  # before anything is written to Redis; `_settle` decides
    return adopt(engine, redis, user)


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


def stored_identity(connection: Connection, *, lock: bool = False) -> StoredIdentity | None:
    """The Redis that the database knows; None for a new database. `lock`: nobody changes it in this transaction."""
    statement = select(redis_identity).where(_THE_ROW)
    row = connection.execute(statement.with_for_update() if lock else statement).one_or_none()
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
    found = [RedisUser(name, (now_us - seen_us) / _SECOND_US) for name, seen_us in rows]
    return [one for one in found if abs(one.silent_seconds) < SILENT_SECONDS]


def adopt(engine: Engine, redis: Redis, user: str | None = None) -> str:
    """Make this Redis the one of the database, whatever either named before; returns its identity. `user` uses it from
    now on.

    Nothing is moved or rebuilt here. Raises StillInUse while somebody uses the Redis that the database knew, and
    StoreUnavailable if Redis does not answer or takes no writes.
    """
    identity = _propose(redis)
    _settle(engine, identity, user)
    _confirm(redis, identity)
    return identity


def _propose(redis: Redis) -> str:
    """The identity that this Redis has or, for all who ask at once, shall have. It is written there before the database
    knows it: a Redis that takes no writes gets none.
    """
    names = [redis_keys.IDENTITY, redis_keys.PROPOSED_IDENTITY]
    with unavailable_when_it_fails():
        return as_text(_PROPOSE.run(redis, names, [secrets.token_hex(16)]))


def _settle(engine: Engine, identity: str, user: str | None) -> None:
    """Make it the one that the database knows, unless somebody uses another; `user` uses it from now on."""
    with write(engine) as connection:
        now_us = database_now_us(connection)
        columns = ("id", "identity", "since_us")
        insert_rows(connection, redis_identity, columns, [(1, identity, now_us)], "ON CONFLICT DO NOTHING")
        known = stored_identity(connection, lock=True)
        if known is not None and known.identity != identity:
            _refuse_if_in_use(connection, known.identity)
            values = {"identity": identity, "previous": known.identity, "since_us": now_us}
            connection.execute(update(redis_identity).where(_THE_ROW).values(values))
        if user is not None:
            _write_sign(connection, user, identity)


def _confirm(redis: Redis, identity: str) -> None:
    """Give Redis the identity that the database knows by now; again if it was interrupted, by whoever comes next."""
    with unavailable_when_it_fails(), redis.pipeline(transaction=True) as pipeline:
        pipeline.set(redis_keys.IDENTITY, identity)
        pipeline.delete(redis_keys.PROPOSED_IDENTITY)
        pipeline.execute()


def _refuse_if_in_use(connection: Connection, identity: str) -> None:
    living = users(connection, identity)
    if living:
        names = "; ".join(one.name for one in living)
        raise StillInUse(
            f"the database was used with another Redis less than {SILENT_SECONDS:.0f} s ago, by {names}. Stop those"
            f" processes, or set REDIS_URL to the Redis that they use"
        )


def _write_sign(connection: Connection, user: str, identity: str) -> None:
    now_us = database_now_us(connection)
    connection.execute(
        delete(redis_users).where(
            (redis_users.c.name == user) | (redis_users.c.seen_us < now_us - _KEPT_SECONDS * _SECOND_US)
        )
    )
    connection.execute(insert(redis_users).values(name=user, identity=identity, seen_us=now_us))


def identity_in(answer: Any) -> str | None:
    """The identity in Redis' answer; None: it has none."""
    return None if answer is None else as_text(answer)
