"""Who asks: a bearer key, its tenant and its scopes.

Keys are looked up by their SHA-256 (so no comparison leaks how much of one is right), off the event loop. A key that was
found is remembered for a few seconds; one that was not is never remembered, since a key is valid as soon as
the command that made it has ended.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from hashlib import sha256

from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request

from service.storage.tenants import KeyRecord, find_key

REMEMBERED_SECONDS = 5.0  # how long a revoked key may still work
_REMEMBERED_KEYS = 10_000
_LONGEST_KEY = 256


class KeyRing:
    """Finds keys, with a short memory for those it found."""

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._clock = clock
        self._known: dict[bytes, tuple[float, KeyRecord]] = {}

    async def find(self, key: str) -> KeyRecord | None:
        """The key's record, or None for a key that nobody made (or that was revoked)."""
        digest, now = sha256(key.encode()).digest(), self._clock()
        known = self._known.get(digest)
        if known is not None and known[0] > now:
            return known[1]
        record = await run_in_threadpool(find_key, self._engine, key)
        if record is None:
            self._known.pop(digest, None)
            return None
        if len(self._known) >= _REMEMBERED_KEYS:
            self._known.clear()
        self._known[digest] = (now + REMEMBERED_SECONDS, record)
        return record


async def authenticate(request: Request, scope: str) -> KeyRecord:
    """The key that the request carries. Raises HTTPException: 401 without a valid one, 403 without the scope."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    key = key.strip()
    # Only what a header can carry as text reaches the lookup: find_key encodes it as UTF-8.
    if scheme.lower() != "bearer" or not 0 < len(key) <= _LONGEST_KEY or not key.isascii():
        raise _unauthorized("send a key as `Authorization: Bearer <key>`", 'Bearer realm="brigadewatch"')
    ring: KeyRing = request.app.state.parts.key_ring
    record = await ring.find(key)
    if record is None:
        raise _unauthorized("this key is not valid: it was never made, or it was revoked", 'Bearer realm="brigadewatch", error="invalid_token"')
    if scope not in record.scopes:
        raise HTTPException(403, f"this key has no scope {scope!r}, only {', '.join(sorted(record.scopes)) or 'none'}: make one with `brigadewatch keys create --scope {scope}`")
    return record


def require(scope: str) -> Callable[[Request], Awaitable[KeyRecord]]:
    """A FastAPI dependency that gives the key's record, or ends the call with 401 or 403."""

    async def key(request: Request) -> KeyRecord:
        return await authenticate(request, scope)

    return key


def _unauthorized(detail: str, challenge: str) -> HTTPException:
    return HTTPException(401, detail, headers={"WWW-Authenticate": challenge})
