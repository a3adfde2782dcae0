"""Before a process begins: does Redis answer, can it be used, and is it the one of this database?"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from sqlalchemy import Engine

from service.errors import StoreUnavailable
from service.settings import Settings
from service.storage.redis_store.redis_identity import SILENT_SECONDS, ForeignRedis, StillInUse, agree, user_of
from service.storage.redis_store.server_check import all_warnings, require_fit
from service.storage.sql.engine import open_database

log = logging.getLogger(__name__)

_LONGER_SECONDS = 5.0  # than SILENT_SECONDS: who was killed falls silent meanwhile
_AGAIN_SECONDS = 1.0
REDIS_SECONDS = 10.0  # that a Redis beside us may take until it answers


def agree_before_start(settings: Settings, engine: Engine, say: Callable[[str], None]) -> None:
    """Return once Redis and the database name the same identity; an empty Redis is given a new one. `say` tells people
    why it takes longer.

    Raises ForeignRedis if they do not belong together. A Redis that does not answer is left to those who run: they try
    again until it does.
    """
    if settings.redis_url is None:
        return
    user, until, waiting = user_of(settings), time.monotonic() + SILENT_SECONDS + _LONGER_SECONDS, False
    with Redis.from_url(
        settings.redis_url,
        socket_timeout=settings.redis_timeout_seconds,
        socket_connect_timeout=settings.redis_timeout_seconds,
        retry=Retry(NoBackoff(), 0),
    ) as client:
        while True:
            try:
                agree(engine, client, user)
                return
            except StillInUse as error:
                if time.monotonic() > until:
                    raise
                if not waiting:
                    say(f"Redis is empty, and {error}. Waiting up to {SILENT_SECONDS:.0f} s for them to end")
                waiting = True
            except ForeignRedis:
                raise
            except StoreUnavailable as error:
                log.warning("Redis is not checked before the start: %s", error)
                return
            time.sleep(_AGAIN_SECONDS)


def agree_with(settings: Settings, url: str, say: Callable[[str], None]) -> None:
    """The same for the Redis at `url`, with a database connection of its own."""
    engine = open_database(settings.database_url)
    try:
        agree_before_start(replace(settings, redis_url=url), engine, say)
    finally:
        engine.dispose()


def wait_for_redis(url: str, say: Callable[[str], None]) -> None:
    """Give a Redis that is only just starting, or is held up, a moment. Raises StoreUnavailable, UnfitServer."""
    until, waiting = time.monotonic() + REDIS_SECONDS, False
    while True:
        try:
            return _look_at_redis(url, say)
        except RedisError as error:
            text = f"Redis at REDIS_URL ({_without_password(url)}) does not answer ({error})"
            if time.monotonic() > until:
                raise StoreUnavailable(f"{text}; is it running?") from error
        if not waiting:
            say(f"{text}; waiting up to {REDIS_SECONDS:.0f} s")
        waiting = True
        time.sleep(0.5)


def _look_at_redis(url: str, say: Callable[[str], None]) -> None:
    """Raises UnfitServer for a server that cannot be used, RedisError for one that does not answer; `say` warns."""
    with Redis.from_url(url, socket_connect_timeout=2, socket_timeout=2) as client:
        report = require_fit(client)
    for warning in all_warnings(report):
        say(f"WARNING: {warning}")


def _without_password(url: str) -> str:
    scheme, _, rest = url.rpartition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
