"""Notices when the wall clock of this host steps: between two looks it must move as the monotonic clock does.

What a step does is said in docs/decisions/052-clocks.md; here it is only recorded, for operators.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from redis import Redis

from service import wall_clock
from service.ops import clock_steps, worker_metrics

log = logging.getLogger(__name__)

STEP_SECONDS = 2.0  # a clock that NTP slews differs by half a millisecond a second


class ClockWatch:
    """The latest look at both clocks."""

    def __init__(
        self, now_us: Callable[[], int] = wall_clock.now_us, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._now_us, self._monotonic = now_us, monotonic
        self._wall_us, self._at = now_us(), monotonic()
        self._counted = False

    def step_seconds(self) -> float | None:
        """By how much the wall clock has stepped since the last look (below 0: back); None if it has not."""
        wall_us, at = self._now_us(), self._monotonic()
        step = (wall_us - self._wall_us) / 1e6 - (at - self._at)
        self._wall_us, self._at = wall_us, at
        return step if abs(step) >= STEP_SECONDS else None

    def look(self, redis: Redis) -> None:
        """Log, count and keep a step. Raises RedisError."""
        step = self.step_seconds()
        if not self._counted:
            self._counted = True
            with worker_metrics.WorkerMetrics(redis, "") as metrics:
                metrics.count(worker_metrics.CLOCK_STEPS, "forward", by=0)  # so that a first step is a rise
        if step is None:
            return
        log.warning(
            "the wall clock of this host stepped %s by %.1f s (or the machine slept): docs/runbook.md says what that"
            " does and what to check",
            "forward" if step > 0 else "back",
            abs(step),
        )
        with worker_metrics.WorkerMetrics(redis, "") as metrics:
            metrics.count(worker_metrics.CLOCK_STEPS, "forward" if step > 0 else "back")
        clock_steps.remember(redis, self._wall_us, step)
