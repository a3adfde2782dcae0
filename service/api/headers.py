"""Security headers of every answer of the API, in case a browser opens one: no framing, no type guessing, no scripts.

The console sets its own (service/console/security_middleware.py). The interactive documentation is a page with a script
and may run it.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_COMMON = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
_PLAIN = [*_COMMON, (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")]
_DOCUMENTATION = [
    *_COMMON,
    (
        b"content-security-policy",
        (
            b"default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self'"
            b" data:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        ),
    ),
]


class SafeHeaders:
    """ASGI middleware that adds the headers to every answer outside the console."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/console"):
            await self._app(scope, receive, send)
            return
        added = _DOCUMENTATION if scope["path"].startswith("/docs") else _PLAIN

        async def safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *added]
            await send(message)

        await self._app(scope, receive, safely)
