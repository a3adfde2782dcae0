"""The columns that detection computes with."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.signedinteger[Any]]
Floats = npt.NDArray[np.floating[Any]]
Bools = npt.NDArray[np.bool_]
Events = Ints  # positions in the window's columns, held in 32 bits


def with_room(column: Events, size: int) -> Events:
    """The column with room for so many rows, and for half as many again where it has to grow."""
    return column if size <= len(column) else stretched(column, max(size, len(column) * 3 // 2), np.int32)


def stretched(column: npt.NDArray[Any], rows: int, kind: type) -> npt.NDArray[Any]:
    """A copy of the column with so many rows; those behind its own are zeros."""
    out = np.zeros((rows, *column.shape[1:]), kind)
    out[: len(column)] = column
    return out
