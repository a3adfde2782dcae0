"""When a failed delivery is tried again, and when it is given up. PURE."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from service.model import microseconds

# Standard Webhooks' schedule, ten attempts over some three days: the pauses after the first failure, the second, ...
PAUSES_SECONDS = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
ATTEMPTS = len(PAUSES_SECONDS) + 1
JITTER = (
    0.1  # a pause is up to so much shorter or longer, so that deliveries that failed together are not repeated together
)
LONGEST_RETRY_AFTER_SECONDS = 86_400
REST_SECONDS = 300  # the longest time that nothing is sent to a receiver that does not answer
_SECOND_US = 1_000_000
_SECONDS = re.compile(r"([0-9]+)(?:\.([0-9]+))?")


def next_attempt_us(attempts: int, now_us: int, *, retry_after_seconds: int | None, spread: float) -> int | None:
    """When to try again after `attempts` failures; None: that was the last one.

    Never before the receiver's Retry-After. `spread` is a draw from [-1, 1].
    """
    if attempts >= ATTEMPTS:
        return None
    pause = PAUSES_SECONDS[attempts - 1] * (1 + JITTER * spread)
    return now_us + int(max(pause, retry_after_seconds or 0) * _SECOND_US)


def rest_until_us(silences: int, now_us: int, *, retry_after_seconds: int | None) -> int:
    """Until when nothing is sent to a receiver that did not answer, or sent Retry-After, `silences` times in a row.

    Other deliveries would fail too, so one is tried every five minutes, instead of one for each event.
    """
    pause = min(PAUSES_SECONDS[min(silences, len(PAUSES_SECONDS)) - 1], REST_SECONDS)
    return now_us + max(pause, retry_after_seconds or 0) * _SECOND_US


def retry_after_seconds(header: str | None, now: datetime) -> int | None:
    """The receiver's Retry-After (seconds, or a date) in seconds from now, at most a day; None if it is
    missing or not valid.
    """
    if header is None:
        return None
    text = header.strip()
    if found := _SECONDS.fullmatch(text):  # chat services also send fractions, which the standard does not know
        return min(int(found[1][:9]) + bool(found[2]), LONGEST_RETRY_AFTER_SECONDS)
    try:
        at = parsedate_to_datetime(text[:64])
    except (ValueError, OverflowError):
        return None
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    seconds = (microseconds(at) - microseconds(now)) // _SECOND_US
    return min(max(seconds, 0), LONGEST_RETRY_AFTER_SECONDS)
