"""Server-sent events: open pages are notified of changes to cases.

While anyone listens, one poller per process reads the database every POLL_SECONDS for all listeners together. A page
passes the time of its rendering (`since`, in microseconds), so that no change before it starts listening is lost.

Messages: `case` {"case", "what", "by", "version", "at_us"}, `what` being flagged, grown or revoked (by the detector),
decided, claimed, unclaimed or noted; and a comment every HEARTBEAT_SECONDS. A stream ends with its session, with the
process, after LONGEST_SECONDS, or when its reader falls behind; browsers then reconnect.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime

from fastapi import APIRouter, Request
from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from service.api.api_context import api_context
from service.api.fair_share import FairShare
from service.console.sign_in import Viewer
from service.model import microseconds
from service.storage.accounts import sessions
from service.storage.cases.recent_changes import OVERLAP_SECONDS, CaseChange, changes_since

POLL_SECONDS = 2.0
HEARTBEAT_SECONDS = 15.0
LONGEST_SECONDS = 900.0
REMEMBERED_SECONDS = 600  # how old a page may be without missing a change
MOST_LISTENERS = 500  # of a process
MOST_OF_SESSION = 12  # more than a browser can show at once
MOST_OF_PERSON = 24
_WAITING = 200  # messages a reader may lag behind
_RETRY_MS = 3_000
_RETRY_WITHOUT_ROOM_MS = 60_000
_SECOND = 1_000_000
log = logging.getLogger(__name__)
router = APIRouter()


@dataclass(eq=False, slots=True)
class _Listener:
    """One open page."""

    tenant_id: int
    user_id: int
    session: str
    since_us: int
    waiting: asyncio.Queue[CaseChange | None] = field(default_factory=lambda: asyncio.Queue(_WAITING))  # None: the end

    def push(self, change: CaseChange) -> None:
        try:
            self.waiting.put_nowait(change)
        except asyncio.QueueFull:
            self.end()

    def end(self) -> None:
        while self.waiting.full():
            self.waiting.get_nowait()
        self.waiting.put_nowait(None)


@dataclass(slots=True)
class _Watch:
    """Recent changes of one tenant that has listeners."""

    recent: deque[CaseChange] = field(default_factory=deque)
    seen_keys: set[str] = field(default_factory=set)  # keys of `recent`
    started: bool = False


class CaseEvents:
    """The listeners of one process and their poller."""

    def __init__(
        self,
        engine: Engine,
        now: Callable[[], datetime],
        *,
        poll_seconds: float = POLL_SECONDS,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
    ) -> None:
        self._engine, self._now = engine, now
        self._poll_seconds, self._heartbeat_seconds = poll_seconds, heartbeat_seconds
        self._listeners: set[_Listener] = set()
        self._places = FairShare(MOST_LISTENERS, MOST_OF_PERSON)
        self._watches: dict[int, _Watch] = {}
        self._poller: asyncio.Task[None] | None = None
        self._closed = False
        self._failing = False

    def __len__(self) -> int:
        return len(self._listeners)

    def has_room(self, tenant_id: int, user_id: int, session: str) -> bool:
        """Whether this session of this person may open another stream."""
        return (
            not self._closed
            and self._places.has_room(tenant_id, user_id)
            and sum(one.session == session for one in self._listeners) < MOST_OF_SESSION
        )

    def close(self) -> None:
        """End every stream, so that the process can shut down."""
        self._closed = True
        for listener in self._listeners:
            listener.end()

    async def listen(self, tenant_id: int, user_id: int, session: str, since_us: int) -> AsyncIterator[bytes]:
        """The bytes of one stream, until it ends: at once where others took the last place in the meantime."""
        if not self.has_room(tenant_id, user_id, session) or not self._places.take(tenant_id, user_id):
            yield f"retry: {_RETRY_WITHOUT_ROOM_MS}\n\n".encode()
            return
        listener = _Listener(tenant_id, user_id, session, since_us)
        self._listeners.add(listener)
        for change in self._join(tenant_id).recent:
            if change.at_us > since_us:
                listener.push(change)
        loop = asyncio.get_running_loop()
        ends = loop.time() + LONGEST_SECONDS
        try:
            yield f"retry: {_RETRY_MS}\n\n".encode()
            while loop.time() < ends:
                try:
                    change_or_end = await asyncio.wait_for(listener.waiting.get(), self._heartbeat_seconds)
                except TimeoutError:
                    yield b": still here\n\n"
                    continue
                if change_or_end is None:
                    return
                yield _message(change_or_end)
        finally:
            self._listeners.discard(listener)
            self._places.give_back(tenant_id, user_id)

    def _join(self, tenant_id: int) -> _Watch:
        if self._poller is None or self._poller.done():
            self._poller = asyncio.get_running_loop().create_task(self._poll())
        return self._watches.setdefault(tenant_id, _Watch())

    async def _poll(self) -> None:
        """Poll and publish until nobody listens."""
        while self._listeners and not self._closed:
            tenant_ids = {one.tenant_id for one in self._listeners}
            now_us = microseconds(self._now())
            try:
                found, alive_sessions = await run_in_threadpool(
                    self._read, tenant_ids, {one.session for one in self._listeners}, now_us
                )
                self._failing = False
            except Exception as error:  # the next round tries again; pages work without events
                if not self._failing:
                    log.warning("cannot read changes for open pages: %s", error)
                self._failing = True
            else:
                self._publish(found, alive_sessions, tenant_ids, now_us)
            await asyncio.sleep(self._poll_seconds)
        self._watches.clear()

    def _read(
        self, tenant_ids: set[int], hashes: set[str], now_us: int
    ) -> tuple[dict[int, list[CaseChange]], set[str]]:
        with self._engine.connect() as connection:
            found = {}
            for tenant_id in tenant_ids:
                watch = self._watches.get(tenant_id)
                seconds = OVERLAP_SECONDS if watch is not None and watch.started else REMEMBERED_SECONDS
                found[tenant_id] = changes_since(connection, tenant_id, now_us - seconds * _SECOND)
            return found, sessions.alive(connection, hashes, now_us)

    def _publish(
        self, found: dict[int, list[CaseChange]], alive_sessions: set[str], tenant_ids: set[int], now_us: int
    ) -> None:
        for tenant_id, changes in found.items():
            watch = self._watches.setdefault(tenant_id, _Watch())
            watch.started = True
            for change in changes:
                if change.key in watch.seen_keys:
                    continue
                watch.seen_keys.add(change.key)
                watch.recent.append(change)
                for listener in self._listeners:
                    if listener.tenant_id == tenant_id and change.at_us > listener.since_us:
                        listener.push(change)
            while watch.recent and watch.recent[0].at_us < now_us - REMEMBERED_SECONDS * _SECOND:
                watch.seen_keys.discard(watch.recent.popleft().key)
        wanted = {one.tenant_id for one in self._listeners}
        for tenant_id in [one for one in self._watches if one not in wanted and one in tenant_ids]:
            del self._watches[tenant_id]
        for listener in [one for one in self._listeners if one.session not in alive_sessions]:
            listener.end()


@router.get("/live")
async def stream(request: Request, person: Viewer, since: int = 0) -> Response:
    """Changes to the tenant's cases from `since` (microseconds) on; 204 (do not reconnect) when there are too many
    streams.
    """
    live: CaseEvents = request.app.state.live
    if not live.has_room(person.tenant_id, person.user_id, person.session.hash):
        return Response(status_code=204)
    since_us = _since(request, since)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(
        live.listen(person.tenant_id, person.user_id, person.session.hash, since_us),
        media_type="text/event-stream",
        headers=headers,
    )


def _since(request: Request, since: int) -> int:
    """The time to start from: this page's last message or its rendering, within what is remembered."""
    last = request.headers.get("last-event-id", "")
    known = int(last) if last.isascii() and last.isdigit() and len(last) < 20 else since
    now_us = microseconds(api_context(request).now())
    return min(max(known or now_us, now_us - REMEMBERED_SECONDS * _SECOND), now_us)


def _message(change: CaseChange) -> bytes:
    data = {"case": change.case, "what": change.what, "by": change.by, "version": change.version, "at_us": change.at_us}
    return f"id: {change.at_us}\nevent: case\ndata: {json.dumps(data)}\n\n".encode()
