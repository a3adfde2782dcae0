"""Before `up` begins: a database that is only just starting, or is restarted beside us, is given a moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import OperationalError

from service.errors import StoreUnavailable
from service.storage.redis_store.redis_identity import ForeignRedis

T = TypeVar("T")

DATABASE_SECONDS = 15.0  # crash recovery of a small server takes some
_AGAIN_SECONDS = 0.5


def once_it_answers(attempt: Callable[[], T], say: Callable[[str], None]) -> T:
    """What `attempt` returns, tried again while the database does not answer; `say` tells people why it takes longer.

    Raises what the last attempt raised, once DATABASE_SECONDS are over.
    """
    until, waiting = time.monotonic() + DATABASE_SECONDS, False
    while True:
        try:
            return attempt()
        except ForeignRedis:
            raise  # it answers
        except (OperationalError, StoreUnavailable):
            if time.monotonic() > until:
                raise
        if not waiting:
            say(f"the database does not answer; waiting up to {DATABASE_SECONDS:.0f} s")
        waiting = True
        time.sleep(_AGAIN_SECONDS)
