"""What one connection may take of the process: time, bytes of a head, requests that queue, and a place among the
others.

uvicorn bounds none of it: a connection that never sends a request, a head of a gigabyte, a body of one byte a second
and somebody who never reads the answer are all kept for as long as the other side likes. This is its protocol with
bounds. What is too slow or too much gets a problem (400, 408, 414, 431) where no answer has begun, and then the
connection ends, for the app as if the client had left.

One timer a connection looks now and then, so that a request costs no timer of its own: a cut comes up to a tenth of
`wait_seconds` late.
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

SAY_EVERY_SECONDS = 10.0  # at most one log line about what was cut: anybody can cause any number
CUT = "cut"  # in a request's state: with which status its client was sent away
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much a connection may take.

    The longest permitted requests (an id of 128 code points in a path, a cursor of 8,192 characters) are far below.
    """

    wait_seconds: float = 10.0  # for a request's head to be complete, and for its body to begin to come
    bytes_a_second: int = 16 * 1024  # a body gets another second for each so many bytes that came
    body_seconds: float = 60.0  # for a body, however it comes
    write_seconds: float = 30.0  # that an answer waits for somebody to read on
    head_bytes: int = 32 * 1024  # path, query and fields
    url_bytes: int = 16 * 1024
    fields: int = 100
    queued: int = 16  # requests sent behind one that is not answered yet
    unread_bytes: int = 16 * 1024 * 1024  # of a body that was answered before it was read
    connections: int = 8_000  # of the process; beyond it the one that has waited longest for its request goes


@dataclass(slots=True)
class _Shared:
    """What the connections of one server have in common."""

    bounds: Bounds
    # those without a request under way, the longest waiting first
    waiting: dict[BoundedConnection, None] = field(default_factory=dict)
    said_at: float = -SAY_EVERY_SECONDS
    unsaid: int = 0


class _Over(Exception):
    """Ends the parser's work on what was refused."""


class BoundedConnection(HttpToolsProtocol):
    """One connection. A server takes `within(bounds)` as its `http`."""

    shared: ClassVar[_Shared]

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._bounds = self.shared.bounds
        # Since when something is waited for; None: it is not.
        self._head_since: float | None = None
        self._body_since: float | None = None
        self._write_since: float | None = None
        self._closing_since: float | None = None
        self._in_head = False  # its first byte has come
        self._head_raw = self._url_size = self._fields_size = self._field_count = 0
        self._body_raw = self._body_size = self._unread_size = 0
        self._over = False  # whatever still comes is not looked at
        self._timer: asyncio.TimerHandle | None = None

    # Called by the transport.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request; where there are too many of us, at the cost of whoever has waited longest."""
        super().connection_made(transport)
        self._await_head()
        self._timer = self.loop.call_later(self._bounds.wait_seconds, self._look)
        if len(self.connections) > self._bounds.connections:
            self._say(
                f"more than {self._bounds.connections} connections: the one that waited longest for a request was"
                " closed"
            )
            next(iter(self.shared.waiting)).transport.abort()  # at worst this one itself

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget everything."""
        if self._timer is not None:
            self._timer.cancel()
        self.shared.waiting.pop(self, None)
        self._over = True
        self._forget_queue()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came, and refuse what the parser holds back without end."""
        if self._over:
            return
        self._unset_keepalive_if_required()
        if self._in_head:
            self._head_raw += len(data)
        elif self._body_since is not None:
            self._body_raw += len(data)
        try:
            self.parser.feed_data(data)
            # A field that does not end, and what stands between the parts of a body (extensions, trailers), are in no
            # callback yet.
            if self._in_head and self._head_raw > self._bounds.head_bytes:
                self._refuse(431, f"the request's head has more than {self._bounds.head_bytes} bytes")
            if (
                self._body_since is not None
                and self._body_raw - self._body_size > self._bounds.head_bytes + 8 * self._body_size
            ):
                self._refuse(400, "next to nothing of this body is content")
        except httptools.HttpParserUpgrade:
            pass  # as HTTP allows: answered as if it had not been asked for
        except _Over:
            pass
        except httptools.HttpParserError:
            if not self._over:
                self._cut(400, "this is no HTTP request")

    def pause_writing(self) -> None:
        """Nobody reads the answer for now."""
        self._write_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """Somebody does again."""
        self._write_since = None
        super().resume_writing()

    # Called by the parser. What they raise ends its work.

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        if self.cycle is not None:  # a first request has the connection's own time
            self._await_head()
        self._in_head = True
        self._head_raw = self._url_size = self._fields_size = self._field_count = 0

    def on_url(self, url: bytes) -> None:
        """A part of path and query."""
        self._url_size += len(url)
        if self._url_size > self._bounds.url_bytes:
            self._refuse(414, f"path and query have more than {self._bounds.url_bytes} bytes")
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head, or one behind the body."""
        self._field_count += 1
        self._fields_size += len(name) + len(value) + 4
        if self._field_count > self._bounds.fields:
            self._refuse(431, f"the request has more than {self._bounds.fields} fields")
        if self._fields_size + self._url_size > self._bounds.head_bytes:
            self._refuse(431, f"the request's head has more than {self._bounds.head_bytes} bytes")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The request is known; its body, if any, is waited for."""
        self.shared.waiting.pop(self, None)
        self._in_head, self._head_since = False, None
        self._body_since, self._body_raw, self._body_size, self._unread_size = self.loop.time(), 0, 0, 0
        super().on_headers_complete()
        if len(self.pipeline) > self._bounds.queued:
            self._refuse(400, f"more than {self._bounds.queued} requests were sent without waiting for an answer")

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._body_size += len(body)
        if self.cycle.response_complete:
            self._unread_size += len(body)
            if self._unread_size > self._bounds.unread_bytes:
                self._refuse(413, "the body goes on although it was answered")
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is here as a whole."""
        self._body_since = None
        super().on_message_complete()
        if self.cycle.response_complete:
            self._await_head()

    # Called by what answers.

    def on_response_complete(self) -> None:
        """The next request may come."""
        super().on_response_complete()
        if self.cycle.response_complete and self._body_since is None and not self._in_head:
            self._await_head()

    def _await_head(self) -> None:
        self._head_since = self.loop.time()
        self.shared.waiting.pop(self, None)
        self.shared.waiting[self] = None

    def _look(self) -> None:
        """Cut what has taken too long; otherwise look again when it may have."""
        now, grain = self.loop.time(), self._bounds.wait_seconds / 10
        due = now + grain
        if self.transport.is_closing():
            self._end_closing(now)
        else:
            if self.flow.read_paused:  # nothing can come now, and that is our own doing
                self._head_since = None if self._head_since is None else self._head_since + grain
                self._body_since = None if self._body_since is None else self._body_since + grain
            head_due, body_due, write_due = self._dues()
            if now >= write_due:
                self._say(f"nobody read an answer for {self._bounds.write_seconds:g} s")
                self.transport.abort()
            elif now >= body_due:
                self._cut(
                    408,
                    f"the body came too slowly: {self._body_size} bytes; it has {self._bounds.wait_seconds:g} s, and"
                    f" another for each {self._bounds.bytes_a_second} bytes",
                )
            elif now >= head_due:
                self._cut(
                    408 if self._in_head else None, f"no request was complete within {self._bounds.wait_seconds:g} s"
                )
            else:
                due = min(head_due, body_due, write_due, due)
        self._timer = self.loop.call_at(due, self._look)

    def _dues(self) -> tuple[float, float, float]:
        """Until when a head, a body, and the reading of an answer may take; infinity where none is waited for."""
        bounds, never = self._bounds, float("inf")
        body_seconds = min(bounds.body_seconds, bounds.wait_seconds + self._body_size / bounds.bytes_a_second)
        return (
            never if self._head_since is None else self._head_since + bounds.wait_seconds,
            never if self._body_since is None else self._body_since + body_seconds,
            never if self._write_since is None else self._write_since + bounds.write_seconds,
        )

    def _end_closing(self, now: float) -> None:
        """Closing waits for what is still to be written, and that for somebody who reads it."""
        self._closing_since = now if self._closing_since is None else self._closing_since
        if now - self._closing_since >= self._bounds.wait_seconds:
            self.transport.abort()

    def _refuse(self, status: int, detail: str) -> None:
        self._cut(status, detail)
        raise _Over

    def _cut(self, status: int | None, detail: str) -> None:
        """End the connection, with a problem of that status where that is not in the middle of another answer; without
        one: in silence.
        """
        self._over = True
        self._say(f"a connection was cut: {detail}" if status is None else f"{status}: {detail}")
        cycle: RequestResponseCycle | None = self.cycle
        busy, in_body = cycle is not None and not cycle.response_complete, self._body_since is not None
        # An answer can be given to a request whose body is on its way and that has none yet, or, when nothing is under
        # way, to a head.
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

    def _say(self, text: str) -> None:
        shared, now = self.shared, self.loop.time()
        shared.unsaid += 1
        if now - shared.said_at >= SAY_EVERY_SECONDS:
            log.warning(
                "%s%s",
                text,
                f" (and {shared.unsaid - 1} other connections since the last such line)" if shared.unsaid > 1 else "",
            )
            shared.said_at, shared.unsaid = now, 0


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
