"""Orders that are found the quick way, against numpy's own."""

from __future__ import annotations

import numpy as np
import pytest

from workers.detection.pairs import ascending
from workers.detection.sorted_index import in_order


@pytest.mark.parametrize("distinct", [1, 3, 40, 10**6])
@pytest.mark.parametrize("ordered", [True, False])
def test_values_with_ties_stand_as_a_sort_of_all_columns_puts_them(distinct: int, ordered: bool) -> None:
    chance = np.random.default_rng(distinct)
    values, first, second = (chance.integers(0, most, 500) for most in (distinct, 4, 10**9))
    values = np.sort(values) if ordered else values
    assert in_order(values, first, second).tolist() == np.lexsort((second, first, values)).tolist()


def test_nothing_is_in_order() -> None:
    none = np.empty(0, np.int64)
    assert in_order(none, none, none).tolist() == []


@pytest.mark.parametrize("count", [0, 1, 5, 200, 1_000])
def test_few_and_many_rows_ascend(count: int) -> None:
    rows = np.random.default_rng(count).permutation(1_000)[:count].astype(np.int32)
    assert ascending(rows, 1_000).tolist() == np.argsort(rows).tolist()
