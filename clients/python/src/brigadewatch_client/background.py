"""An event loop on a thread of its own, for calls from code that has none.

A thread is what bounds the whole of a blocking call: nothing else ends the lookup of a name, or a server that trickles
bytes.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import threading
import weakref
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from brigadewatch_client.asynchronous import AsyncClient
from brigadewatch_client.errors import Unreachable

T = TypeVar("T")
_GRACE_SECONDS = 0.05  # the loop's own bound comes first, with the better words


class Background:
    """A client that lives on the loop of a thread. Both start with the first call, and again in a forked child."""

    def __init__(self, make: Callable[[], AsyncClient]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._running: tuple[asyncio.AbstractEventLoop, AsyncClient] | None = None
        self._end: weakref.finalize[Any, Background] | None = None
        _living.add(self)

    def run(self, call: Callable[[AsyncClient], Coroutine[Any, Any, T]], within: float | None) -> T:
        """The result of `call`. Raises Unreachable after `within` seconds (None: `call` has its own limit)."""
        loop, client = self._started()
        future = asyncio.run_coroutine_threadsafe(call(client), loop)
        try:
            return future.result(None if within is None else within + _GRACE_SECONDS)
        except concurrent.futures.CancelledError:
            raise Unreachable("the client was closed in the middle of the call") from None
        except concurrent.futures.TimeoutError:
            if future.done():
                raise
            future.cancel()
            raise Unreachable(f"no answer within {within:g} s") from None
        except BaseException:
            future.cancel()  # an interrupt: nobody waits for it any more
            raise

    def close(self) -> None:
        """End the thread. A later call begins another."""
        with self._lock:
            if self._end is not None:
                self._end()
            self._running = self._end = None

    def forget(self) -> None:
        """In a forked child: the thread stayed with the parent, and the lock may have been held by one."""
        self._lock = threading.Lock()
        if self._end is not None:
            self._end.detach()
        _abandoned.append(self._running)  # its sockets are the parent's too: nothing may close them from here
        self._running = self._end = None

    def _started(self) -> tuple[asyncio.AbstractEventLoop, AsyncClient]:
        with self._lock:
            if self._running is None:
                client, loop = self._make(), asyncio.new_event_loop()
                thread = threading.Thread(target=_turn, args=(loop,), name="brigadewatch-client", daemon=True)
                thread.start()
                self._running = loop, client
                self._end = weakref.finalize(self, _stop, loop, client, thread)
            return self._running


def _turn(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.close()


def _stop(loop: asyncio.AbstractEventLoop, client: AsyncClient, thread: threading.Thread) -> None:
    async def end() -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await client.aclose()
        loop.stop()

    if not loop.is_closed():
        asyncio.run_coroutine_threadsafe(end(), loop)
        if thread is not threading.current_thread():
            thread.join(1.0)


def _forget_all() -> None:
    for background in list(_living):
        background.forget()


_abandoned: list[object] = []
_living: weakref.WeakSet[Background] = weakref.WeakSet()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
