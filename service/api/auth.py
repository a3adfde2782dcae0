"""Authentication by key: a bearer key, its tenant and its scopes.

Keys are looked up by their SHA-256 (so no comparison leaks how much of one is right), off the event loop. A key that
was found is cached for a few seconds; one that was not is never cached, since a key is valid as soon as the command
that made it has ended. While the database is unavailable, known keys are accepted for longer, so that the question
before a removal, which needs only Redis, is still answered (docs/decisions/044-casework.md).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated

from fastapi import Depends
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request

from service import logs
from service.api.query_parameters import check_query
from service.errors import StoreUnavailable
from service.storage.accounts.tenants import KeyRecord, find_key, is_key

REMEMBERED_SECONDS = 5.0  # how long a revoked key may still work
GRACE_SECONDS = 3_600.0  # how long a key is accepted that was valid when the database last answered
PATIENCE_SECONDS = 0.1  # how long a request with a known key waits for the database: clients give up after 300 ms
LONGEST_SECONDS = 5.0  # how long a request with an unknown key waits for the database
_REMEMBERED_KEYS = 10_000
log = logging.getLogger(__name__)


@dataclass(slots=True)
class _CachedKey:
    """A key that was found: when the database last confirmed it, and when to look it up again."""

    record: KeyRecord
    confirmed: float
    refresh_at: float


class KeyRing:
    """Finds keys, with a short cache of those it found, and a longer one for when the database is unavailable."""

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._clock = clock
        self._known: dict[bytes, _CachedKey] = {}
        self._lookups: dict[bytes, asyncio.Task[KeyRecord | None]] = {}
        self._unavailable = False  # the latest lookup failed

    async def find(self, key: str) -> KeyRecord | None:
        """The key's record, or None for a key that was never made, or was revoked.

        Raises SQLAlchemyError or StoreUnavailable when the database does not answer and the key was not seen valid
        within the last hour.
        """
        digest, now = sha256(key.encode()).digest(), self._clock()
        known = self._known.get(digest)
        if known is not None and known.refresh_at > now:
            return known.record
        usable = known is not None and known.confirmed + GRACE_SECONDS > now
        joined = digest in self._lookups
        task = self._lookups.get(digest) or self._start_lookup(digest, key)
        if known is not None and usable:
            if not task.done() and not joined:
                await asyncio.wait({task}, timeout=PATIENCE_SECONDS)
            if not task.done() or task.exception() is not None:
                return known.record
        await asyncio.wait({task}, timeout=LONGEST_SECONDS)
        if not task.done():
            raise StoreUnavailable(
                f"the database did not answer within {LONGEST_SECONDS:.0f} s, so the key cannot be checked; try again"
            )
        return task.result()

    def _start_lookup(self, digest: bytes, key: str) -> asyncio.Task[KeyRecord | None]:
        """Look the key up, once at a time for each key: threads must not pile up behind one that is stuck."""
        task = asyncio.get_running_loop().create_task(self._look_up(digest, key))
        self._lookups[digest] = task
        task.add_done_callback(lambda done: self._lookup_ended(digest, done))
        return task

    async def _look_up(self, digest: bytes, key: str) -> KeyRecord | None:
        try:
            record = await run_in_threadpool(find_key, self._engine, key)
        except SQLAlchemyError as error:
            known = self._known.get(digest)
            if known is not None:
                known.refresh_at = self._clock() + REMEMBERED_SECONDS
            if not self._unavailable:  # once per outage
                log.warning(
                    "the database does not answer; keys that were valid are accepted for %.0f min: %s",
                    GRACE_SECONDS / 60,
                    error,
                )
            self._unavailable = True
            raise
        self._unavailable = False
        if record is None:
            self._known.pop(digest, None)
            return None
        if len(self._known) >= _REMEMBERED_KEYS:
            self._known.clear()
        now = self._clock()
        self._known[digest] = _CachedKey(record, now, now + REMEMBERED_SECONDS)
        return record

    def _lookup_ended(self, digest: bytes, task: asyncio.Task[KeyRecord | None]) -> None:
        self._lookups.pop(digest, None)
        if not task.cancelled():
            task.exception()  # retrieved, so that asyncio does not warn when no request waited for it


async def authenticate(request: Request, scope: str, *others: str) -> KeyRecord:
    """The request's key. Raises HTTPException: 401 without a valid key, 403 with none of the scopes; then Invalid (422)
    for query parameters that the call does not take.
    """
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    key = key.strip()
    if scheme.lower() != "bearer" or not key:
        raise _unauthorized("no key: send one as `Authorization: Bearer <key>`", 'Bearer realm="brigadewatch"')
    ring: KeyRing = request.app.state.api.key_ring
    # A text without the form of a key cannot be one, so the database is not needed.
    record = await ring.find(key) if is_key(key) else None
    if record is None:
        raise _unauthorized(
            "invalid key: it does not exist or was revoked",
            'Bearer realm="brigadewatch", error="invalid_token"',
        )
    logs.note(tenant=record.tenant, key=record.id)
    if record.scopes.isdisjoint((scope, *others)):
        raise HTTPException(
            403,
            f"the key lacks the scope {scope!r}; it has {', '.join(sorted(record.scopes)) or 'none'}: make one with"
            f" `brigadewatch keys create --scope {scope}`",
        )
    check_query(request)
    return record


def require(scope: str, *others: str) -> Callable[[Request], Awaitable[KeyRecord]]:
    """A FastAPI dependency that returns the key's record, or ends the request with 401, 403 or 422, as `authenticate`
    does.
    """

    async def key(request: Request) -> KeyRecord:
        return await authenticate(request, scope, *others)

    return key


Reading = Annotated[KeyRecord, Depends(require("read"))]
Moderating = Annotated[KeyRecord, Depends(require("moderate"))]
Forgetting = Annotated[KeyRecord, Depends(require("forget", "admin"))]
Administering = Annotated[KeyRecord, Depends(require("admin"))]


def _unauthorized(detail: str, challenge: str) -> HTTPException:
    return HTTPException(401, detail, headers={"WWW-Authenticate": challenge})
