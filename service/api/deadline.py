"""One deadline on every request: whatever it waits for, it is answered, with 503 where the time was not enough.

The deadline counts from the last byte of the request's body, and ends with the head of the answer. It holds in the
driver of the database too (service/storage/sql/deadlines.py), which lets the request's thread go. Should something else
hold it up, the 503 goes out all the same, and what the request does later is neither committed nor sent.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.problems import NOTHING_CHANGED, UNKNOWN
from service.errors import StoreUnavailable
from service.storage.sql import deadlines
from service.storage.sql.deadlines import Deadline

MARGIN_SECONDS = 0.5  # the driver gives up before, so that the route itself can answer
log = logging.getLogger(__name__)
LateAnswer = Callable[[Request, StoreUnavailable], ASGIApp]


class AnsweredInTime:
    """ASGI middleware around the routes; `late` makes the answer of a request whose time is over."""

    def __init__(self, app: ASGIApp, seconds: float, late: LateAnswer) -> None:
        self._app, self._seconds, self._late = app, seconds, late

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        one = _Answer(scope, receive, send, self._seconds, self._late)
        try:
            with deadlines.applying(one.deadline):
                await self._app(scope, one.receive, one.send)
        except Exception:
            if not one.ended:
                raise
            log.info("a request that was answered with 503 has ended", exc_info=True)
        finally:
            await one.close()


class _Answer:
    """One request: its timer, and who answers it."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, seconds: float, late: LateAnswer) -> None:
        self._scope, self._receive, self._send, self._seconds, self._late = scope, receive, send, seconds, late
        self._loop = asyncio.get_running_loop()
        self.deadline = Deadline(seconds - MARGIN_SECONDS)
        self._timer: asyncio.TimerHandle | None = self._loop.call_later(seconds, self._end)
        self._ending: asyncio.Task[None] | None = None

    @property
    def ended(self) -> bool:
        """Whether the time was over before an answer began."""
        return self._ending is not None

    async def receive(self) -> Message:
        """The next part of the body: its sender is given its own time (bounded_protocol.py)."""
        self._stop_timer()
        message = await self._receive()
        if message["type"] == "http.request" and self._ending is None:
            self.deadline.restart(self._seconds - MARGIN_SECONDS)
            self._timer = self._loop.call_later(self._seconds, self._end)
        return message

    async def send(self, message: Message) -> None:
        """Pass the answer on, unless the 503 has gone out."""
        if self._ending is not None:
            return
        if message["type"] == "http.response.start":
            self._stop_timer()
            self.deadline.lift()
        await self._send(message)

    async def close(self) -> None:
        """The request has ended."""
        self._stop_timer()
        if self._ending is not None:
            await self._ending

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end(self) -> None:
        self._timer = None
        self._ending = self._loop.create_task(self._answer(maybe_changed=self.deadline.end()))

    async def _answer(self, *, maybe_changed: bool) -> None:
        failure = StoreUnavailable(
            f"not finished within {self._seconds:g} s; {UNKNOWN if maybe_changed else NOTHING_CHANGED}"
        )
        await self._late(Request(self._scope), failure)(self._scope, self._receive, self._send)
