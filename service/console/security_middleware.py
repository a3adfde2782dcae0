"""Security headers on every console response, and a size limit on request bodies.

Files are uploaded to one path, and one at a time in a process: while a body is received it lies in a temporary file
without a name, and containers have little room for those.
"""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES = 1 << 20  # forms: a decision may exclude thousands of reporters by name
UPLOAD_PATH = "/console/settings/import/upload"
MAX_UPLOAD_BYTES = 32 << 20  # of a file; larger ones are compressed, or sent with `brigadewatch replay`
_BESIDE_THE_FILE = 64 << 10  # of the form
_UPLOADING = "Another file is being uploaded. Try again in a few seconds."
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src"
    " 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "X-Robots-Tag": "noindex, nofollow",
}


class SecurityMiddleware:
    """ASGI middleware: security headers on every answer, at most MAX_BODY_BYTES in every request, or MAX_UPLOAD_BYTES
    in an upload.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._uploads = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        size, uploading = 0, False
        is_upload = scope["path"] == UPLOAD_PATH
        limit = MAX_UPLOAD_BYTES + _BESIDE_THE_FILE if is_upload else MAX_BODY_BYTES
        announced = Headers(scope=scope).get("content-length", "")

        async def bounded() -> Message:
            nonlocal size, uploading
            if size == 0 and announced.isdigit() and int(announced[:20]) > limit:
                raise _too_large(is_upload)  # before any of it is received
            if is_upload and not uploading:
                if self._uploads:
                    raise HTTPException(429, _UPLOADING, {"Retry-After": "5"})
                self._uploads, uploading = self._uploads + 1, True
            message = await receive()
            size += len(message.get("body", b""))
            if size > limit:
                raise _too_large(is_upload)
            return message

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            await self._app(scope, bounded, guarded)
        finally:
            self._uploads -= uploading


def _too_large(is_upload: bool) -> HTTPException:
    if is_upload:
        said = f"the file is larger than {MAX_UPLOAD_BYTES >> 20} MiB: compress it (gzip or zip) or split it"
        return HTTPException(413, f"{said}, or send it with `brigadewatch replay`; nothing was stored")
    return HTTPException(413, f"the form is larger than {MAX_BODY_BYTES:,} bytes; nothing was saved")
