"""The sweeps of an audit's windows: one after the other, or several at once in processes of their own.

No window's sweep needs another's, so the groups are the same either way, and they come in the order of the windows.
"""

from __future__ import annotations

import gc
import logging
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice

from service.policy import Policy
from workers.audit.history import ComplaintHistory
from workers.audit.several_processes import context_here, ended_from_outside, stay_with_parent
from workers.detection.detector import Detector
from workers.detection.groups import Group
from workers.detection.swept_pairs import PairSweep, in_numpy
from workers.large.large_windows import LargeEngine

log = logging.getLogger(__name__)

Rows = tuple[int, int]  # the first row of a window, and the one behind its last
Swept = tuple[Counter[str], list[Group]]  # what the sweep counted, and its groups
Sweeps = Callable[[Policy, ComplaintHistory, Sequence[Rows]], Iterator[Swept]]

WORTH_PROCESSES = 100_000  # complaints over all windows: fewer are swept before a second process has begun
AHEAD = 2  # windows a process that are swept before their groups are asked for: bounds memory


def sweeps_in(processes: int, large: LargeEngine | None = None) -> Sweeps:
    """Sweeps in so many processes at once; small histories in this one, and histories with large windows: each of those
    takes every core, and memory for one.
    """

    def chosen(policy: Policy, history: ComplaintHistory, windows: Sequence[Rows]) -> Iterator[Swept]:
        at_once, sizes = min(processes, len(windows)), [last - first for first, last in windows]
        if large is not None and large.takes(max(sizes, default=0)):
            return sweeps_here(policy, history, windows, large, processes)
        if at_once < 2 or sum(sizes) < WORTH_PROCESSES:
            return sweeps_here(policy, history, windows, threads=processes)
        return _sweeps_beside(policy, history, windows, at_once)

    return chosen


def sweeps_here(
    policy: Policy,
    history: ComplaintHistory,
    windows: Sequence[Rows],
    pair_sweep: PairSweep = in_numpy,
    threads: int = 1,
) -> Iterator[Swept]:
    """Sweep each window in this process, when its groups are asked for."""
    for first, last in windows:
        detector, groups = Detector.sweep(policy, history.between(first, last), pair_sweep, threads)
        yield detector.counters, groups


def _sweeps_beside(
    policy: Policy, history: ComplaintHistory, windows: Sequence[Rows], processes: int
) -> Iterator[Swept]:
    try:
        pool = ProcessPoolExecutor(processes, context_here(), _begin, (policy, history))
    except (OSError, ImportError, NotImplementedError) as error:  # no shared memory, as in some sandboxes
        log.info("windows are swept in one process, since several cannot work together here: %s", error)
        yield from sweeps_here(policy, history, windows)
        return
    left, under_way = iter(windows), deque[Future[Swept]]()
    try:
        # Collecting garbage writes to every object, and each process has a copy of what it or this one writes to.
        gc.freeze()
        under_way.extend(pool.submit(_sweep, rows) for rows in islice(left, processes * AHEAD))  # forks all of them
        while under_way:
            found = under_way.popleft().result()
            under_way.extend(pool.submit(_sweep, rows) for rows in islice(left, 1))
            yield found
    except BrokenProcessPool as error:
        raise ended_from_outside(processes) from error
    finally:
        gc.unfreeze()
        pool.shutdown(cancel_futures=True)


_given: tuple[Policy, ComplaintHistory] | None = None  # of a process that sweeps


def _begin(policy: Policy, history: ComplaintHistory) -> None:
    global _given
    _given = policy, history
    stay_with_parent()


def _sweep(rows: Rows) -> Swept:
    assert _given is not None  # _begin ran before
    policy, history = _given
    return next(sweeps_here(policy, history, [rows]))
