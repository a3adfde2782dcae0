"""One line and one count a request: which route, what came of it, how long it took, under which id.

The id is the one of the header X-Request-ID, where that is fit to be written down (letters, digits, `.`, `_`, `-`; 64
at most), else a new one. It is given back in the same header, also with failures, which name it as `request_id`.
"""

from __future__ import annotations

import asyncio
import logging
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import logs

HEADER = "X-Request-ID"
CLIENT_GONE = 499  # nobody was answered: the connection had been closed
_CAUSE_BY_STATUS = {408: "slow-body", 413: "large-body", 429: "backlog"}
_PROBES = ("/healthz", "/readyz")
log = logging.getLogger("request")


class AccessLog:
    """ASGI middleware that begins the line and writes it; the routers inside share its scope."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        line = logs.begin(Headers(scope=scope).get(HEADER))
        began, status, answered = time.perf_counter(), 500, 0.0

        async def heard(message: Message) -> None:
            nonlocal status, answered
            if message["type"] == "http.response.start":
                status, answered = message["status"], time.perf_counter() - began
                MutableHeaders(scope=message).setdefault(HEADER, line.id)
            await send(message)

        try:
            await self._app(scope, receive, heard)
        except asyncio.CancelledError:
            status = status if answered else CLIENT_GONE
            raise
        finally:
            ended = time.perf_counter() - began
            _tell(scope, line, status, answered or ended, ended)


def route_of(scope: Scope) -> str:
    """The route's template, never a path: ids are in paths."""
    path = getattr(scope.get("route"), "path", None)
    root: str = scope.get("root_path", "")
    if not isinstance(path, str) or not path or path == root:
        return f"{root}/(none)" if root else "(none)"
    return root + path


def _tell(scope: Scope, line: logs.LogLine, status: int, answered: float, ended: float) -> None:
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
        if ended - answered > 1.0:  # a stream, or somebody who reads slowly
            facts["whole_ms"] = round(ended * 1e3)
        log.log(level, "request", extra={"facts": facts})
