"""uvicorn's HTTP protocol with bounds on each connection: time, bytes of the header, queued requests, and the number of
connections.

uvicorn has none: a connection that never sends a request, a header of a gigabyte, a body of one byte per second and a
client that never reads the answer are all kept for as long as the client likes. Here, a request that is too slow or too
large gets a problem (400, 408, 413, 414, 431) if no answer has begun, and then the connection is closed; the app sees a
client that has disconnected.

One timer per connection checks from time to time, so that a request needs no timer of its own: a connection is closed
up to a tenth of `wait_seconds` late.

uvicorn documents none of what this class builds on, so pyproject.toml caps it at the tested minor version, and
tests/service/api/test_uvicorn_canary.py names what is missing in a new one. Used of `HttpToolsProtocol`: the attributes
`loop`, `parser`, `transport`, `flow`, `connections`, `pipeline` (a deque of cycle and app), `cycle`, `scope`, `url` and
`headers` (names in lower case); the method `_unset_keepalive_if_required`; the callbacks overridden here, and that
uvicorn calls them. Used of `RequestResponseCycle`: `response_started`, `response_complete`, `disconnected`,
`message_event` and `scope`. Used of `FlowControl`: `read_paused`.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, ClassVar

import httptools
from pydantic_core import to_json
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from service.api.request_head import fault_of_head

LOG_EVERY_SECONDS = 10.0  # at most one log line per so many seconds: clients can cause any number
CUT = "cut"  # in a request's state: the status with which the connection was closed
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits of a connection.

    The longest permitted requests (an id of 128 code points in a path, a cursor of 8,192 characters) are far below.
    """

    wait_seconds: float = 10.0  # for a request's header to be complete, and for its body to begin
    bytes_a_second: int = 16 * 1024  # a body gets another second for every so many bytes received
    body_seconds: float = 60.0  # for a body, at any speed
    write_seconds: float = 30.0  # for the client to go on reading an answer
    head_bytes: int = 32 * 1024  # path, query and header fields
    url_bytes: int = 16 * 1024
    fields: int = 100
    queued: int = 16  # requests that are sent before the previous one is answered
    parts: int = 16_384  # that a body arrives in (chunks), and one more for every 64 bytes: each is work of its own
    unread_bytes: int = 16 * 1024 * 1024  # of a body that goes on after its answer
    connections: int = 8_000  # of the process; above it the one that has waited longest for a request is closed


@dataclass(slots=True)
class _Shared:
    """What the connections of one server have in common."""

    bounds: Bounds
    # those without a current request, the one that has waited longest first
    waiting: dict[BoundedConnection, None] = field(default_factory=dict)
    logged_at: float = -LOG_EVERY_SECONDS
    unlogged: int = 0


class _Refused(Exception):
    """Stops the parser after a refusal."""


class BoundedConnection(HttpToolsProtocol):
    """One connection. A server takes `within(bounds)` as its `http`."""

    shared: ClassVar[_Shared]

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._bounds = self.shared.bounds
        # Since when it waits for something; None: it does not.
        self._head_since: float | None = None
        self._body_since: float | None = None
        self._write_since: float | None = None
        self._closing_since: float | None = None
        self._in_head = False  # its first byte has arrived
        self._head_raw = self._url_size = self._fields_size = self._field_count = 0
        self._body_raw = self._body_size = self._body_parts = self._unread_size = 0
        self._over = False  # further data is ignored
        self._timer: asyncio.TimerHandle | None = None

    # Called by the transport.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start to wait for a request; close the connection that has waited longest if there are too many."""
        super().connection_made(transport)
        self._await_head()
        self._timer = self.loop.call_later(self._bounds.wait_seconds, self._check)
        if len(self.connections) > self._bounds.connections:
            self._log(f"more than {self._bounds.connections} connections: closed the one that had waited longest")
            next(iter(self.shared.waiting)).transport.abort()  # possibly this one itself

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer and drop queued requests."""
        if self._timer is not None:
            self._timer.cancel()
        self.shared.waiting.pop(self, None)
        self._over = True
        self._forget_queue()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse the data, and refuse what no callback would ever see."""
        if self._over:
            return
        self._unset_keepalive_if_required()
        if self._in_head:
            self._head_raw += len(data)
        elif self._body_since is not None:
            self._body_raw += len(data)
        try:
            self.parser.feed_data(data)
            # A field that does not end, and what is between the chunks of a body (extensions, trailers), have not
            # reached any callback yet.
            if self._in_head and self._head_raw > self._bounds.head_bytes:
                self._refuse(431, f"request header is larger than {self._bounds.head_bytes} bytes")
            if (
                self._body_since is not None
                and self._body_raw - self._body_size > self._bounds.head_bytes + 8 * self._body_size
            ):
                self._refuse(400, "body consists almost entirely of chunk extensions or trailers")
        except httptools.HttpParserUpgrade:
            pass  # as HTTP allows: answered as if no upgrade had been requested
        except _Refused:
            pass
        except httptools.HttpParserError:
            if not self._over:
                self._cut(400, "not a valid HTTP request")

    def pause_writing(self) -> None:
        """The client does not read the answer at the moment."""
        self._write_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """The client reads again."""
        self._write_since = None
        super().resume_writing()

    # Called by the parser; an exception stops it.

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        if self.cycle is not None:  # the first request has been waited for since the connection was made
            self._await_head()
        self._in_head = True
        self._head_raw = self._url_size = self._fields_size = self._field_count = 0

    def on_url(self, url: bytes) -> None:
        """A part of path and query."""
        self._url_size += len(url)
        if self._url_size > self._bounds.url_bytes:
            self._refuse(414, f"path and query are longer than {self._bounds.url_bytes} bytes")
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the header, or a trailer after the body."""
        self._field_count += 1
        self._fields_size += len(name) + len(value) + 4
        if self._field_count > self._bounds.fields:
            self._refuse(431, f"request has more than {self._bounds.fields} header fields")
        if self._fields_size + self._url_size > self._bounds.head_bytes:
            self._refuse(431, f"request header is larger than {self._bounds.head_bytes} bytes")
        if self._in_head:  # a trailer must not become a field of the header, which a proxy may have looked through
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The header is complete; wait for the body, if any."""
        fault = fault_of_head(self.parser.get_http_version(), self.url, self.headers)
        if fault is not None:
            self._refuse(400, fault)
        self.shared.waiting.pop(self, None)
        self._in_head, self._head_since = False, None
        super().on_headers_complete()  # raises for a target without a path: it is no request, and is answered here
        self._body_since = self.loop.time()
        self._body_raw = self._body_size = self._body_parts = self._unread_size = 0
        if len(self.pipeline) > self._bounds.queued:
            self._refuse(400, f"more than {self._bounds.queued} requests were sent before the first was answered")

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._body_size += len(body)
        self._body_parts += 1
        if self._body_parts > self._bounds.parts + self._body_size // 64:
            self._refuse(400, "body arrives in chunks of a few bytes: send larger ones")
        if self.cycle.response_complete:
            self._unread_size += len(body)
            if self._unread_size > self._bounds.unread_bytes:
                self._refuse(413, "body continues after it was answered")
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is complete."""
        self._body_since = None
        super().on_message_complete()
        if self.cycle.response_complete:
            self._await_head()

    # Called by the cycle that answers.

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        if self.cycle.response_complete and self._body_since is None and not self._in_head:
            self._await_head()

    def _await_head(self) -> None:
        self._head_since = self.loop.time()
        self.shared.waiting.pop(self, None)
        self.shared.waiting[self] = None

    def _check(self) -> None:
        """Close the connection if something took too long; otherwise check again when it may have."""
        now, grain = self.loop.time(), self._bounds.wait_seconds / 10
        due = now + grain
        if self.transport.is_closing():
            self._end_closing(now)
        else:
            if self.flow.read_paused:  # we paused reading, so the client is not to blame
                self._head_since = None if self._head_since is None else self._head_since + grain
                self._body_since = None if self._body_since is None else self._body_since + grain
            head_due, body_due, write_due = self._deadlines()
            if now >= write_due:
                self._log(f"a client did not read its answer for {self._bounds.write_seconds:g} s")
                self.transport.abort()
            elif now >= body_due:
                self._cut(
                    408,
                    f"body arrived too slowly ({self._body_size} bytes so far): it may take"
                    f" {self._bounds.wait_seconds:g} s, and 1 s more for every {self._bounds.bytes_a_second} bytes",
                )
            elif now >= head_due:
                self._cut(
                    408 if self._in_head else None,
                    f"request header was not complete within {self._bounds.wait_seconds:g} s",
                )
            else:
                due = min(head_due, body_due, write_due, due)
        self._timer = self.loop.call_at(due, self._check)

    def _deadlines(self) -> tuple[float, float, float]:
        """When a header, a body and the reading of an answer are due; infinity if not waited for."""
        bounds, never = self._bounds, float("inf")
        body_seconds = min(bounds.body_seconds, bounds.wait_seconds + self._body_size / bounds.bytes_a_second)
        return (
            never if self._head_since is None else self._head_since + bounds.wait_seconds,
            never if self._body_since is None else self._body_since + body_seconds,
            never if self._write_since is None else self._write_since + bounds.write_seconds,
        )

    def _end_closing(self, now: float) -> None:
        """Closing waits until everything is written, and that for a client that reads."""
        self._closing_since = now if self._closing_since is None else self._closing_since
        if now - self._closing_since >= self._bounds.wait_seconds:
            self.transport.abort()

    def _refuse(self, status: int, detail: str) -> None:
        self._cut(status, detail)
        raise _Refused

    def _cut(self, status: int | None, detail: str) -> None:
        """Close the connection, with a problem of that status unless another answer has begun; without a status:
        silently.
        """
        self._over = True
        self._log(f"a connection was closed: {detail}" if status is None else f"{status}: {detail}")
        cycle: RequestResponseCycle | None = self.cycle
        busy, in_body = cycle is not None and not cycle.response_complete, self._body_since is not None
        # A request can be answered if its body is still arriving and no answer has begun; a header, if there is no
        # other request.
        if status is not None and not self.pipeline and busy == in_body and not (busy and self.cycle.response_started):
            self.transport.write(_problem(status, detail))
        self._forget_queue()
        if busy:
            self.cycle.scope.setdefault("state", {})[CUT] = status
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()

    def _forget_queue(self) -> None:
        for cycle, _ in self.pipeline:
            cycle.disconnected = True
        self.pipeline.clear()

    def _log(self, text: str) -> None:
        shared, now = self.shared, self.loop.time()
        shared.unlogged += 1
        if now - shared.logged_at >= LOG_EVERY_SECONDS:
            log.warning(
                "%s%s",
                text,
                f" (and {shared.unlogged - 1} other connections since the previous line)"
                if shared.unlogged > 1
                else "",
            )
            shared.logged_at, shared.unlogged = now, 0


def within(bounds: Bounds) -> type[BoundedConnection]:
    """The class of one server's connections."""
    return type("BoundedConnection", (BoundedConnection,), {"shared": _Shared(bounds)})


def _problem(status: int, detail: str) -> bytes:
    phrase = HTTPStatus(status).phrase
    body = to_json({"type": "about:blank", "title": phrase, "status": status, "detail": detail, "errors": []})
    head = (
        f"HTTP/1.1 {status} {phrase}\r\ncontent-type: application/problem+json\r\ncontent-length:"
        f" {len(body)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode("ascii") + body
