"""Before a process begins: is this Redis the one of this database?"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy import Engine

from service.errors import StoreUnavailable
from service.settings import Settings
from service.storage.redis_store.redis_identity import SILENT_SECONDS, ForeignRedis, StillInUse, agree, user_of

log = logging.getLogger(__name__)

_LONGER_SECONDS = 5.0  # than SILENT_SECONDS: who was killed falls silent meanwhile
_AGAIN_SECONDS = 1.0


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
