"""The short form of tests/fuzz/tables.py, and that it would notice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from service.tabular.delimited import DelimitedTable
from tests.fuzz.tables import judged

FEW = 300


def failures(folder: Path, first: int, count: int) -> list[str]:
    return [f"case {n}: {why}" for n in range(first, first + count) if (why := judged(n, folder)[1])]


def test_known_rows_are_read_as_written_or_their_loss_is_said(tmp_path: Path) -> None:
    assert failures(tmp_path, 0, FEW) == []


def test_a_reader_that_drops_rows_without_a_word_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def drop(self: DelimitedTable, done: Any, width: int) -> None:
        kept = [(row, line) for row, line in zip(done.rows, done.at, strict=True) if len(row) == width]
        done.rows, done.at = [row for row, _ in kept], [line for _, line in kept]

    monkeypatch.setattr(DelimitedTable, "_fit", drop)
    assert any(" are missing, 0 rejected" in failure for failure in failures(tmp_path, 0, FEW))
