"""Concurrent posts share writes: what arrives during a write goes out with the next one.

A single item does not wait if no write is running. Single items of one tenant become one stream entry
together; a batch stays an entry of its own. A tenant's items go out in order of arrival.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from service import logs
from service.storage.redis_store import stream
from service.storage.redis_store.client import AsyncRedis
from service.storage.redis_store.room import FULL, NO_LIMIT, UNANALYSED, no_room
from service.storage.redis_store.stream import StreamBatch

_BYTES_PER_WRITE = 16 * 1024 * 1024  # a write is one script call, during which Redis serves nothing else
_ITEMS_PER_ENTRY = 1_000  # single items that share an entry


@dataclass(slots=True)
class _Waiting:
    n: int
    lines: bytes
    marks: bytes
    position: asyncio.Future[int]
    request: str  # its id, for the logs


class StreamWriter:
    """Appends to tenants' streams, one write per tenant at a time."""

    def __init__(
        self, client: AsyncRedis, identity: Callable[[], str], max_items: int, max_unanalysed: int = NO_LIMIT
    ) -> None:
        """`identity`: the one that Redis must have; may raise StoreUnavailable."""
        self._client = client
        self._identity = identity
        self._max_items, self._max_unanalysed = max_items, max_unanalysed
        self._waiting: dict[str, deque[_Waiting]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def append(self, tenant: str, n: int, lines: bytes, marks: bytes = b"") -> int:
        """The position of the last of these `n` items, once they are in the stream.

        `marks` are those of the complaints among them (service/storage/redis_store/unseen.py).
        Raises what stream.append raises, and Overloaded when there is no room. If the caller is cancelled, its items
        are written all the same.
        """
        mine = _Waiting(n, lines, marks, asyncio.get_running_loop().create_future(), logs.current_id() or "")
        self._waiting.setdefault(tenant, deque()).append(mine)
        if tenant not in self._tasks:
            self._tasks[tenant] = asyncio.create_task(self._drain(tenant))
        return await mine.position

    async def close(self) -> None:
        """Wait for the writes that are running."""
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _drain(self, tenant: str) -> None:
        try:
            while self._waiting.get(tenant):
                await self._write(tenant, _entries(self._waiting[tenant]))
        finally:
            del self._tasks[tenant]
            for left in self._waiting.pop(tenant, ()):
                left.position.cancel()

    async def _write(self, tenant: str, entries: list[list[_Waiting]]) -> None:
        batches = [
            StreamBatch(
                sum(w.n for w in entry),
                b"\n".join([w.lines for w in entry]),
                _requests(entry),
                b"".join([w.marks for w in entry]),
            )
            for entry in entries
        ]
        try:
            last = await stream.append(
                self._client, tenant, batches, self._max_items, self._max_unanalysed, identity=self._identity()
            )
        except Exception as error:  # every caller gets it: none of this write is known to be stored
            for waiting in (w for entry in entries for w in entry if not w.position.done()):
                waiting.position.set_exception(error)
            return
        for entry, batch, end in zip(entries, batches, last, strict=True):
            position = end - batch.n
            for waiting in entry:
                position += waiting.n
                if waiting.position.done():
                    continue  # cancelled: its client has disconnected
                if end in (FULL, UNANALYSED):
                    waiting.position.set_exception(no_room(end, self._max_items, self._max_unanalysed))
                else:
                    waiting.position.set_result(position)


def _requests(entry: list[_Waiting]) -> str:
    return ",".join([w.request for w in entry[: logs.MOST_COLLECTED] if w.request])


def _entries(waiting: deque[_Waiting]) -> list[list[_Waiting]]:
    """The items of the next write, in groups that each become one stream entry."""
    entries: list[list[_Waiting]] = []
    size = 0
    while waiting and (not entries or size + len(waiting[0].lines) <= _BYTES_PER_WRITE):
        new = waiting.popleft()
        size += len(new.lines)
        last = entries[-1] if entries else None
        # a withdrawal is not refused with a complaint beside it
        alike = last is not None and last[-1].n == new.n == 1 and bool(last[-1].marks) == bool(new.marks)
        if last is not None and alike and len(last) < _ITEMS_PER_ENTRY:
            last.append(new)
        else:
            entries.append([new])
    return entries
