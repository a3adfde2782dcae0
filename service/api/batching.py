"""Concurrent posts share writes: what comes in while a write is under way goes out with the next one.

A single item waits for nobody when nothing is under way. Single items of one tenant become one stream entry
together; a batch stays an entry of its own. Everything of one tenant goes out in order of arrival.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from service import logs
from service.errors import Overloaded
from service.storage.redis_store import stream
from service.storage.redis_store.stream import AsyncRedis, StreamBatch

_BYTES_PER_WRITE = 16 * 1024 * 1024  # a write is one script call; Redis serves nobody else meanwhile
_ITEMS_PER_ENTRY = 1_000  # single items that share an entry


@dataclass(slots=True)
class _Waiting:
    n: int
    lines: bytes
    position: asyncio.Future[int]
    request: str  # its id, for the logs


class StreamWriter:
    """Appends to tenants' streams, one write of a tenant at a time."""

    def __init__(self, client: AsyncRedis, max_items: int) -> None:
        self._client = client
        self._max_items = max_items
        self._waiting: dict[str, deque[_Waiting]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def append(self, tenant: str, n: int, lines: bytes) -> int:
        """The position of the last of these `n` items, once they are in the stream.

        Raises what stream.append raises, and Overloaded when there was no room. A caller that is cancelled leaves
        its items to be written: it cannot know any more.
        """
        mine = _Waiting(n, lines, asyncio.get_running_loop().create_future(), logs.current_id() or "")
        self._waiting.setdefault(tenant, deque()).append(mine)
        if tenant not in self._tasks:
            self._tasks[tenant] = asyncio.create_task(self._drain(tenant))
        return await mine.position

    async def close(self) -> None:
        """Wait for the writes that are under way."""
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
            StreamBatch(sum(w.n for w in entry), b"\n".join([w.lines for w in entry]), _requests(entry))
            for entry in entries
        ]
        try:
            last = await stream.append(self._client, tenant, batches, self._max_items)
        except Exception as error:  # each caller gets it: nothing of this write is known to be taken
            for waiting in (w for entry in entries for w in entry if not w.position.done()):
                waiting.position.set_exception(error)
            return
        for entry, batch, end in zip(entries, batches, last, strict=True):
            position = 0 if end is None else end - batch.n
            for waiting in entry:
                position += waiting.n
                if waiting.position.done():
                    continue  # cancelled: its client has gone
                if end is None:
                    waiting.position.set_exception(
                        Overloaded(
                            f"{self._max_items} items wait to be archived already: try again",
                            retry_after_seconds=stream.BACKLOG_RETRY_SECONDS,
                        )
                    )
                else:
                    waiting.position.set_result(position)


def _requests(entry: list[_Waiting]) -> str:
    return ",".join([w.request for w in entry[: logs.MOST_COLLECTED] if w.request])


def _entries(waiting: deque[_Waiting]) -> list[list[_Waiting]]:
    """What goes out with the next write: groups that each become one entry."""
    entries: list[list[_Waiting]] = []
    size = 0
    while waiting and (not entries or size + len(waiting[0].lines) <= _BYTES_PER_WRITE):
        new = waiting.popleft()
        size += len(new.lines)
        if new.n == 1 and entries and entries[-1][-1].n == 1 and len(entries[-1]) < _ITEMS_PER_ENTRY:
            entries[-1].append(new)
        else:
            entries.append([new])
    return entries
