"""Rows by key are those that a dictionary would give, however many keys come at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.detection import rows_by_key
from workers.detection.rows_by_key import RowsByKey

KEYS = st.integers(-(2**63), 2**63 - 1) | st.integers(-5, 5)


@given(st.lists(st.lists(KEYS, unique=True, max_size=8), max_size=8), st.lists(KEYS, max_size=8), st.integers(0, 6))
def test_keys_get_rows_in_the_order_in_which_they_come(batches: list[list[int]], asked: list[int], least: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows_by_key, "_LEAST_RECENT", least)  # sorted in now and then
        found, right = RowsByKey(), dict[int, int]()
        for batch in batches:
            new = [position for position, key in enumerate(batch) if key not in right]
            right.update({batch[position]: row for row, position in enumerate(new, len(right))})
            assert found.add(batch) == new
            assert len(found) == len(right)
    assert list(found) == list(right)
    asked += [*right][:4]
    assert found.rows(np.array(asked, np.int64)).tolist() == [right.get(key, -1) for key in asked]
    assert [found.get(key) for key in asked] == [right.get(key) for key in asked]


def test_some_of_the_keys_keep_their_rows() -> None:
    found = RowsByKey()
    found.add([50, -3, 7, 2**63 - 1])
    left = found.only(np.array([7, 2**63 - 1, 8, 7], np.int64))
    assert list(left) == [7, 2**63 - 1]
    assert [left.get(key) for key in (50, 7, 2**63 - 1)] == [None, 2, 3]
    assert len(found) == 4
