"""Decide how much of the feed one tick reads, and whether a sweep must come first. PURE."""

from __future__ import annotations

from collections.abc import Sequence

from service.policy import Policy
from service.storage.complaints.archive_reader import AnalysisState
from service.storage.complaints.feed_reader import FeedRow
from workers.detection.window import Window

ITEMS_AT_ONCE = 20_000
# how long a tick should take at most, by the speed of the last ones: another tenant's job may come meanwhile
TICK_SECONDS = 0.5
LEAST_ITEMS = 2_000
SECOND_US = 1_000_000


def items_for(items_per_second: float, at_most: int) -> int:
    """How many items to read for a tick that takes half a second."""
    return min(at_most, max(LEAST_ITEMS, int(items_per_second * TICK_SECONDS)))


def stop_after(swept_watermark_us: int | None, policy: Policy) -> int | None:
    """The watermark at which ticks wait for the next sweep, after one that ended at `swept_watermark_us`; None before
    the first.

    It is reached by a row of the feed, however ticks are cut: a sweep of what is archived up to there can begin before
    the ticks arrive (workers/sweep.py).
    """
    return None if swept_watermark_us is None else swept_watermark_us + policy.sweep_backlog_seconds * SECOND_US


def sweep_comes_first(state: AnalysisState, window: Window, policy: Policy) -> bool:
    """Whether ticks have to wait for a sweep: in a backlog, after so much event time (the clock enqueues it)."""
    if state.watermark_us is None:
        return False
    stop_us = stop_after(state.swept_watermark_us, policy)
    if stop_us is None:
        if not window.live:
            return False
        begin_us = (int(window.time[: window.size].min()) + window.origin) * 1000
        stop_us = begin_us + policy.sweep_backlog_seconds * SECOND_US
    return state.watermark_us >= stop_us


def rows_of_one_tick(rows: Sequence[FeedRow], policy: Policy, stop_us: int | None = None) -> list[FeedRow]:
    """The first rows, as many as lie within a tick's span of event time, up to the one whose watermark reaches
    `stop_us`; one row at least.
    """
    taken: list[FeedRow] = []
    low: int | None = None
    high: int | None = None
    for row in rows:
        times = row.batch.complaints["time_us"]
        if len(times):
            low = int(times.min()) if low is None else min(low, int(times.min()))
            high = int(times.max()) if high is None else max(high, int(times.max()))
        if taken and low is not None and high is not None and high - low > policy.tick_span_seconds * SECOND_US:
            break
        # What is removed here may be fed again in the next row: the two are not one tick.
        if taken and (row.batch.removed or taken[-1].batch.removed):
            break
        taken.append(row)
        if stop_us is not None and row.watermark_us is not None and row.watermark_us >= stop_us:
            break
    return taken
