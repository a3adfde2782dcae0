"""A check on a thread of its own: a caller waits a little, however long the check takes."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

EVERY_SECONDS = 1.0


class Probe:
    """Runs `check`, which returns what is wrong (None: nothing), one at a time, and `every_seconds` at most."""

    def __init__(self, name: str, check: Callable[[], str | None], every_seconds: float = EVERY_SECONDS) -> None:
        self._check, self._every_seconds = check, every_seconds
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"probe-{name}")
        self._starting = threading.Lock()
        self._running: Future[str | None] | None = None
        self._begun = 0.0

    def state(self, patience_seconds: float) -> str:
        """ "ok", or what is wrong."""
        try:
            return self.start().result(patience_seconds) or "ok"
        except TimeoutError:
            return _silent(patience_seconds)
        except Exception as error:  # any error of a driver means: not available
            return _failed(error)

    async def wait_for_state(self, patience_seconds: float) -> str:
        """As `state`, without holding up the loop."""
        running = self.start()
        done, _ = await asyncio.wait({asyncio.wrap_future(running)}, timeout=patience_seconds)
        if not done:
            return _silent(patience_seconds)
        try:
            return running.result() or "ok"
        except Exception as error:
            return _failed(error)

    def close(self) -> None:
        """End the thread, after a check that is under way."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def start(self) -> Future[str | None]:
        """Begin to check, unless a check is under way or was just made."""
        with self._starting:
            running = self._running
            # while a check hangs, no second one is started
            if running is None or (running.done() and time.monotonic() - self._begun >= self._every_seconds):
                self._begun = time.monotonic()
                running = self._running = self._thread.submit(self._check)
            return running


def _silent(seconds: float) -> str:
    return f"no answer within {seconds:.1f} s"


def _failed(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
