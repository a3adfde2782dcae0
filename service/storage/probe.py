"""A check on a thread of its own: a caller waits a little, however long the check takes."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Generic, TypeVar

T = TypeVar("T")
EVERY_SECONDS = 1.0


class Failed(str):
    """Why a check has found nothing: it failed, or goes on."""

    __slots__ = ()


class Probe(Generic[T]):
    """Runs `check` one at a time, and once in `every_seconds` at most, however many ask.

    `wait_for_state` is for checks that return what is wrong (None: nothing).
    """

    def __init__(self, name: str, check: Callable[[], T], every_seconds: float = EVERY_SECONDS) -> None:
        self._check, self._every_seconds = check, every_seconds
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"probe-{name}")
        self._starting = threading.Lock()
        self._running: Future[T] | None = None
        self._begun = 0.0

    async def wait_for_state(self: Probe[str | None], patience_seconds: float) -> str:
        """ "ok", or what is wrong; the loop is not held up."""
        running = self.start()
        done, _ = await asyncio.wait({asyncio.wrap_future(running)}, timeout=patience_seconds)
        found: str | None = result_of(running, 0) if done else _silent(patience_seconds)
        return found or "ok"

    def close(self) -> None:
        """End the thread, after a check that is under way."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def start(self) -> Future[T]:
        """Begin to check, unless a check is under way or was just made."""
        with self._starting:
            running = self._running
            # while a check hangs, no second one is started
            if running is None or (running.done() and time.monotonic() - self._begun >= self._every_seconds):
                self._begun = time.monotonic()
                running = self._running = self._thread.submit(self._check)
            return running


def result_of(running: Future[T], patience_seconds: float) -> T | Failed:
    """What a check that was started has found."""
    patience_seconds = max(0.0, patience_seconds)
    if not wait([running], patience_seconds).done:
        return _silent(patience_seconds)
    try:
        return running.result()
    except Exception as error:  # any error of a driver means: not available
        return Failed(f"{type(error).__name__}: {error}")


def _silent(seconds: float) -> Failed:
    return Failed(f"no answer within {seconds:.1f} s")
