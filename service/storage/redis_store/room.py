"""The limits of what may wait, and the answer to a caller who meets one."""

from __future__ import annotations

from service.errors import Overloaded

BACKLOG_RETRY_SECONDS = 5  # Retry-After for a client when too much waits
NO_LIMIT = 10**15
FULL, UNANALYSED = 0, -1  # the append script's answers in place of a position: too much is not archived, not analysed


def no_room(answer: int, max_items: int, max_unanalysed: int) -> Overloaded:
    """What to raise for a batch that was given no position: FULL or UNANALYSED."""
    if answer == UNANALYSED:
        return Overloaded(
            f"{max_unanalysed} items wait to be analysed, which is the limit: complaints are taken again as the"
            " analysis goes on; withdrawals and outcomes are taken now",
            retry_after_seconds=BACKLOG_RETRY_SECONDS,
            cause="unanalysed",
        )
    return Overloaded(
        f"{max_items} items are waiting to be archived, which is the limit: try again later",
        retry_after_seconds=BACKLOG_RETRY_SECONDS,
    )
