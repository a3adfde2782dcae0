"""One attempt to deliver an event to one subscriber."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from service.model import moment
from service.notifications.chat_formats import ChatRequest
from service.outbound.addresses import OutboundRefused
from service.webhooks.schedule import retry_after_seconds
from service.webhooks.signing import body_of, signed_headers

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 20.0
GONE = 410
_LONGEST_ERROR = 300


@dataclass(frozen=True, slots=True)
class WebhookMessage:
    """An event on its way to one URL."""

    event_id: str
    type: str
    at_us: int
    data: str  # JSON
    url: str


@dataclass(frozen=True, slots=True)
class Result:
    """The result of an attempt. Without a status there was no answer, and `error` says why."""

    seconds: float
    status: int | None = None
    error: str | None = None
    retry_after_seconds: int | None = None

    @property
    def delivered(self) -> bool:
        """Only 2xx is success; a redirect means that the receiver has moved and its URL has to be changed."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def silent(self) -> bool:
        """There was no answer, or the receiver sent Retry-After."""
        return not self.delivered and (self.status is None or self.retry_after_seconds is not None)

    @property
    def message(self) -> str:
        """Status and error, for people."""
        return " ".join(
            part for part in (f"status {self.status}" if self.status is not None else "", self.error or "") if part
        )


def attempt(client: httpx.Client, message: WebhookMessage, signing_secrets: Sequence[str], now_us: int) -> Result:
    """Post the message once, signed, with the attempt's own time.

    Never raises for what the receiver or the network does.
    """
    body = body_of(message.type, message.at_us, message.data)
    headers = {
        **signed_headers(message.event_id, body, signing_secrets, now_us // 1_000_000),
        "Content-Type": "application/json",
    }
    return post(client, ChatRequest("POST", message.url, body, headers), f"event {message.event_id}", now_us)


def post(client: httpx.Client, request: ChatRequest, what: str, now_us: int) -> Result:
    """Send the request once; `what` names it in the log. Never raises for what the receiver or the network does."""
    began = time.monotonic()
    try:
        # Only the status matters; the body is not read.
        with client.stream(request.method, request.url, content=request.body, headers=request.headers) as answer:
            status, retry_after = answer.status_code, answer.headers.get("retry-after")
    except OutboundRefused as error:
        # the subscriber does not learn which address it was
        log.warning("%s was not sent: %s", what, error)
        return Result(
            time.monotonic() - began,
            error="refused: the URL leads to an address that is not public; the service's operator can allow it",
        )
    except (httpx.TransportError, httpx.InvalidURL, UnicodeError) as error:
        # UnicodeError: the host is not a valid internationalised name
        return Result(time.monotonic() - began, error=f"{type(error).__name__}: {error}"[:_LONGEST_ERROR])
    result = Result(
        time.monotonic() - began, status=status, retry_after_seconds=retry_after_seconds(retry_after, moment(now_us))
    )
    if result.delivered:
        return result
    return Result(
        result.seconds,
        status,
        "redirects are not followed" if 300 <= status < 400 else None,
        result.retry_after_seconds,
    )
