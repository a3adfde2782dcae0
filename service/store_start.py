"""Before a process begins: do the stores answer, can Redis be used, and do the two belong together?"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from service.errors import StoreUnavailable
from service.settings import Settings
from service.storage.redis_store.redis_identity import SILENT_SECONDS, ForeignRedis, StillInUse, agree, user_of
from service.storage.redis_store.server_check import all_warnings, require_fit
from service.storage.sql.engine import open_database

T = TypeVar("T")
Say = Callable[[str], None]

log = logging.getLogger(__name__)

DATABASE_SECONDS = 15.0  # that a database may take until it answers: crash recovery of a small server takes some
REDIS_SECONDS = 10.0  # the same for Redis
_LONGER_SECONDS = 5.0  # than SILENT_SECONDS: a process that was killed falls silent meanwhile
_AGAIN_SECONDS = 0.5


def once_the_database_answers(attempt: Callable[[], T], say: Say) -> T:
    """What `attempt` returns, tried again while the database is only just starting. Raises what the last try raised."""
    return _tried_again(
        attempt,
        OperationalError,
        DATABASE_SECONDS,
        lambda error: say(f"the database does not answer ({_reason(error)}); waiting up to {DATABASE_SECONDS:.0f} s"),
    )


def wait_for_redis(url: str, say: Say) -> None:
    """Return once Redis answers, with a warning for each setting that may lose complaints.

    Raises StoreUnavailable after REDIS_SECONDS without an answer, UnfitServer for a server that cannot be used.
    """
    address = f"Redis at REDIS_URL ({_without_password(url)})"
    try:
        _tried_again(
            lambda: _look_at_redis(url, say),
            RedisError,
            REDIS_SECONDS,
            lambda error: say(f"{address} does not answer ({error}); waiting up to {REDIS_SECONDS:.0f} s"),
        )
    except RedisError as error:
        raise StoreUnavailable(f"{address} does not answer ({error}); is it running?") from error


def agree_with(settings: Settings, url: str, say: Say) -> None:
    """`agree_before_start` for the Redis at `url`, with a database connection of its own."""
    engine = open_database(settings.database_url)
    try:
        agree_before_start(replace(settings, redis_url=url), engine, say)
    finally:
        engine.dispose()


def agree_before_start(settings: Settings, engine: Engine, say: Say) -> None:
    """Return once Redis and the database name the same identity; an empty Redis is given a new one, as soon as nobody
    uses another.

    Raises UnfitServer for a server that cannot be used, ForeignRedis if the two do not belong together. A Redis that
    does not answer is left to the processes that run: they try again until it does.
    """
    if settings.redis_url is None:
        return
    user = user_of(settings)
    with Redis.from_url(
        settings.redis_url,
        socket_timeout=settings.redis_timeout_seconds,
        socket_connect_timeout=settings.redis_timeout_seconds,
        retry=Retry(NoBackoff(), 0),
    ) as client:
        try:
            require_fit(client)  # first: an unfit server must not become the one of this database
            _tried_again(
                lambda: agree(engine, client, user),
                StillInUse,
                SILENT_SECONDS + _LONGER_SECONDS,
                lambda error: say(f"Redis is empty, and {error}. Waiting up to {SILENT_SECONDS:.0f} s for them to end"),
            )
        except ForeignRedis:
            raise
        except (RedisError, StoreUnavailable) as error:
            log.warning("Redis is not checked before the start: %s", error)


def _tried_again(
    attempt: Callable[[], T], after: type[Exception], seconds: float, announce: Callable[[Exception], None]
) -> T:
    """What `attempt` returns, tried again `after` such an error for so long; the first one is announced."""
    until, announced = time.monotonic() + seconds, False
    while True:
        try:
            return attempt()
        except after as error:
            if time.monotonic() > until:
                raise
            if not announced:
                announce(error)
            announced = True
        time.sleep(_AGAIN_SECONDS)


def _reason(error: Exception) -> str:
    return str(getattr(error, "orig", error)).strip().partition("\n")[0]


def _look_at_redis(url: str, say: Say) -> None:
    with Redis.from_url(url, socket_connect_timeout=2, socket_timeout=2) as client:
        report = require_fit(client)
    for warning in all_warnings(report):
        say(f"WARNING: {warning}")


def _without_password(url: str) -> str:
    scheme, _, rest = url.rpartition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
