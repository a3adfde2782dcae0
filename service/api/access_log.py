"""The access log: one line and one count per request, with route, status, duration and request id.

The id is that of the header X-Request-ID if it is safe to log (letters, digits, `.`, `_`, `-`; 64 at most), otherwise a
new one. It is returned in the same header, and as `request_id` in problems.
"""

from __future__ import annotations

import asyncio
import logging
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import logs

HEADER = "X-Request-ID"
CLIENT_GONE = 499  # no answer was sent: the connection had been closed
_CAUSE_BY_STATUS = {408: "slow-body", 413: "large-body", 429: "backlog"}
_PROBES = ("/healthz", "/readyz")
log = logging.getLogger("request")


class AccessLog:
    """ASGI middleware that starts and writes the line; the routers inside share its scope."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        line = logs.begin(Headers(scope=scope).get(HEADER))
        began, status, answered = time.perf_counter(), 500, 0.0

        async def observed(message: Message) -> None:
            nonlocal status, answered
            if message["type"] == "http.response.start":
                status, answered = message["status"], time.perf_counter() - began
                MutableHeaders(scope=message).setdefault(HEADER, line.id)
            await send(message)

        try:
            await self._app(scope, receive, observed)
        except asyncio.CancelledError:
            status = status if answered else CLIENT_GONE
            raise
        finally:
            ended = time.perf_counter() - began
            _write_line(scope, line, status, answered or ended, ended)


def route_of(scope: Scope) -> str:
    """The route's template, never the path, which contains ids."""
    path = getattr(scope.get("route"), "path", None)
    root: str = scope.get("root_path", "")
    if not isinstance(path, str) or not path or path == root:
        return f"{root}/(none)" if root else "(none)"
    return root + path


def _write_line(scope: Scope, line: logs.LogLine, status: int, answered: float, ended: float) -> None:
    route, method = route_of(scope), scope["method"]
    observe = getattr(scope["app"].state, "observe", None)
    if observe is not None:
        observe.answered(method, route, status, answered)
        cause = line.facts.get("cause") or _CAUSE_BY_STATUS.get(status)
        if cause:
            observe.limited(cause)
    level = logging.WARNING if status >= 500 else logging.DEBUG if route in _PROBES and status == 200 else logging.INFO
    if log.isEnabledFor(level):
        facts = {"method": method, "route": route, "status": status, "ms": round(answered * 1e3, 2), **line.pairs()}
        if ended - answered > 1.0:  # a stream, or a client that reads slowly
            facts["whole_ms"] = round(ended * 1e3)
        log.log(level, "request", extra={"facts": facts})
