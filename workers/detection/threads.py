"""Independent parts of one calculation in several threads: numpy lets others run while it works.

Such work changes nothing that the other parts read, and gives the same result in any number of threads. The threads end
with the calculation, so that no fork meets them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from workers.detection.arrays import Ints

MOST = 4  # each thread holds arrays of its own

Part = TypeVar("Part")
Result = TypeVar("Result")


def pool_of(threads: int) -> ThreadPoolExecutor:
    """So many threads, MOST at the most; they end with its `with` block."""
    return ThreadPoolExecutor(min(threads, MOST))


def in_threads(threads: int, work: Callable[[Part], Result], parts: Sequence[Part]) -> list[Result]:
    """The result of `work` for each part, in their order."""
    at_once = min(threads, len(parts))
    if at_once < 2:
        return [work(part) for part in parts]
    with pool_of(at_once) as pool:
        return list(pool.map(work, parts))


def sort_in_place(threads: int, keys: Ints) -> None:
    """Sort an array that may be too large to be copied."""
    if threads < 2 or not len(keys):
        keys.sort()
        return
    middle = len(keys) // 2
    keys.partition(middle)
    in_threads(2, lambda half: half.sort(), [keys[:middle], keys[middle:]])
