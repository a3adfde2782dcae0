"""Many values in parts, each for one command or statement."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")

IDS_AT_ONCE = 400  # in a statement


def parts(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """The values in order, in lists of `size`; the last one may be shorter."""
    iterator = iter(values)
    while part := list(islice(iterator, size)):
        yield part
