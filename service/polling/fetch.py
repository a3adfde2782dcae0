"""One request of a poll, and its failures as text for the source's last error."""

from __future__ import annotations

import math
from datetime import datetime
from email.utils import parsedate_to_datetime

import httpx

from service.errors import BrigadewatchError, TooMany
from service.intake.items import parsed
from service.intake.json_bounds import MAX_VALUES_OF_PAYLOAD
from service.outbound.addresses import OutboundRefused
from service.platforms.poll_protocol import Ask

MAX_BYTES = 8 * 1024 * 1024  # a page of a hundred reports with their texts is below one
TIMEOUT_SECONDS = 8.0  # jobs of other tenants wait behind this one
LONGEST_RETRY_AFTER_SECONDS = 3_600.0


class PollFailed(BrigadewatchError):
    """The platform did not return its list. `result` is the metric's label."""

    def __init__(self, message: str, result: str, retry_after_seconds: float = 0.0) -> None:
        super().__init__(message)
        self.result = result
        self.retry_after_seconds = retry_after_seconds


class Absent(PollFailed):
    """404, 501: the path does not exist."""


def fetch(client: httpx.Client, url: str, ask: Ask, authorization: str, now: datetime) -> object:
    """The parsed answer. Raises PollFailed, whose text never contains the secret."""
    address = url.rstrip("/") + ask.path
    headers = {"Authorization": authorization, "Accept": "application/json"}
    try:
        if ask.body is None:
            answer = client.get(address, params=list(ask.query), headers=headers)
        else:
            answer = client.post(address, params=list(ask.query) or None, json=ask.body, headers=headers)
    except OutboundRefused as error:
        raise PollFailed(str(error), "refused") from None
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, UnicodeError) as error:
        raise PollFailed(f"no answer: {type(error).__name__}: {error}"[:300], "unreachable") from None
    status = answer.status_code
    if status in (404, 501):  # 501: an XRPC server that does not know the method
        raise Absent(f"{status}: the path does not exist", "refused")
    if status in (401, 403):
        raise PollFailed(
            f"{status}: the platform rejected the token; set another one with `brigadewatch sources rotate`",
            "unauthorized",
        )
    if status in (429, 503):
        wait = retry_after(answer.headers.get("retry-after"), now)
        raise PollFailed(
            f"{status}: the platform is busy; the poll is repeated later",
            "limited" if status == 429 else "failed",
            wait,
        )
    # A GraphQL server says what is wrong in a body, whatever the status.
    if not 200 <= status < 300 and not (status == 400 and ask.body is not None):
        raise PollFailed(f"the platform answered with status {status}", "failed")
    try:
        return parsed(answer.content, MAX_VALUES_OF_PAYLOAD)
    except TooMany as error:
        raise PollFailed(f"the answer has {error}", "unreadable") from None
    except ValueError:
        raise PollFailed(
            f"the answer ({len(answer.content)} bytes, status {status}) is not valid JSON", "unreadable"
        ) from None


def retry_after(value: str | None, now: datetime) -> float:
    """The seconds that a Retry-After names (a number, or a date), at most an hour; 0 if it is missing or not valid."""
    if value is None:
        return 0.0
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value) - now).total_seconds()
        except (ValueError, TypeError, OverflowError):  # not a date, or one without a time zone
            return 0.0
    return min(max(0.0, seconds), LONGEST_RETRY_AFTER_SECONDS) if math.isfinite(seconds) else 0.0
