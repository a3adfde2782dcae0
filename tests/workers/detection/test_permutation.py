"""The shuffled window of the self-check."""

from __future__ import annotations

import numpy as np
from worlds import Row, columns

from workers.detection.permutation import permuted_within_contexts

ROWS = [
    Row(k, reporter, target, 60.0 * k, context=target // 10 + 1, created=-86_400.0 * reporter)
    for k, (reporter, target) in enumerate([(r, t) for r in range(1, 12) for t in range(r, r + 30, 3)], 1)
]


def test_everybody_stays_in_the_context_and_brings_the_own_account_along() -> None:
    before, after = columns(ROWS), permuted_within_contexts(columns(ROWS), seed=1)
    age = dict(zip(before.reporter.tolist(), before.created_ms.tolist(), strict=True))
    assert all(age[r] == c for r, c in zip(after.reporter.tolist(), after.created_ms.tolist(), strict=True))
    for context in np.unique(before.context).tolist():
        here = before.reporter[before.context == context].tolist()
        assert set(after.reporter[after.context == context].tolist()) <= set(here)
    assert not np.array_equal(after.reporter, before.reporter[np.isin(before.seq, after.seq)])


def test_a_reporter_stands_once_on_a_target_and_times_and_targets_are_untouched() -> None:
    before, after = columns(ROWS), permuted_within_contexts(columns(ROWS), seed=2)
    assert len(set(zip(after.reporter.tolist(), after.target.tolist(), strict=True))) == len(after)
    kept = np.isin(before.seq, after.seq)
    assert np.array_equal(before.target[kept], after.target) and np.array_equal(before.time_ms[kept], after.time_ms)


def test_the_same_seed_gives_the_same_window() -> None:
    assert np.array_equal(
        permuted_within_contexts(columns(ROWS), 3).reporter, permuted_within_contexts(columns(ROWS), 3).reporter
    )
