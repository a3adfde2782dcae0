"""What bench/detection.py names of the service exists: its results are told apart by the state of that code."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"


def test_the_state_of_the_code_covers_files_that_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCH))  # its scripts import each other as they do when they are started
    runs = importlib.import_module("detection_runs")
    root = BENCH.parent
    assert [name for name in runs.DETECTING if not (root / name).exists()] == []
    assert re.fullmatch(r"[0-9a-f]{10}", runs.state_of_code())
