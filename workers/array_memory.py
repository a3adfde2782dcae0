"""Where the C library puts large arrays.

glibc keeps arrays of up to 32 MB in its heap, once some were freed. A window that grows array by array then leaves a
hole for each, which nothing larger fits into: a third of its size.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
OWN_BYTES = 1 << 20
MOST_BYTES = 32 << 20  # of an array in the heap: what glibc arrives at by itself, and costs ticks the least


@contextmanager
def no_holes() -> Iterator[None]:
    """Meanwhile each large array has pages of its own, which go back to the system when it is freed; that takes a
    little more time. Changes nothing where the C library is another one (musl, macOS).
    """
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    if library is None or not hasattr(library, "malloc_trim"):
        yield
        return
    library.mallopt(M_MMAP_THRESHOLD, OWN_BYTES)
    try:
        yield
    finally:
        library.mallopt(M_MMAP_THRESHOLD, MOST_BYTES)
        library.mallopt(M_TRIM_THRESHOLD, 2 * MOST_BYTES)
        library.malloc_trim(0)
