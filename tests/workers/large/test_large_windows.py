"""Which windows go to DuckDB, and the folder that it spills into."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from worlds import columns, draw_town

from service.errors import Refused
from service.policy import DEFAULT_POLICY
from service.settings import read_settings
from workers.detection.detector import Detector
from workers.large import large_windows
from workers.large.large_windows import LargeWindows
from workers.large.working_folder import PREFIX, working_folder

BATCH = columns(draw_town(1, complaints=200).rows)
AUTO = LargeWindows(Path("nowhere"), 1_000, 512 * 2**20)


def test_windows_above_the_bound_are_for_duckdb_and_others_are_not() -> None:
    assert [AUTO.takes(size) for size in (0, 999, 1_000, 10**8)] == [False, False, True, True]
    assert replace(AUTO, engine="duckdb").takes(1)
    assert not replace(AUTO, engine="numpy").takes(10**8)


def test_without_duckdb_one_line_names_the_extra_and_numpy_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(large_windows, "find_spec", lambda name: None)
    large_windows._say_missing.cache_clear()
    caplog.set_level(logging.WARNING)
    assert AUTO(DEFAULT_POLICY, BATCH) is None and not caplog.records
    bound = replace(AUTO, at_least=len(BATCH))
    assert bound(DEFAULT_POLICY, BATCH) is bound(DEFAULT_POLICY, BATCH) is None
    [line] = caplog.messages
    assert "brigadewatch[large]" in line
    with pytest.raises(Refused, match=r"not installed: pip install 'brigadewatch\[large\]'"):
        replace(AUTO, engine="duckdb")(DEFAULT_POLICY, BATCH)


def test_a_sweep_of_a_large_window_is_the_same_and_leaves_nothing_behind(tmp_path: Path) -> None:
    large = LargeWindows(tmp_path / "data" / "large", 1, 512 * 2**20)
    there, groups = Detector.sweep(DEFAULT_POLICY, BATCH, large)
    here, expected = Detector.sweep(DEFAULT_POLICY, BATCH)
    assert [g.reporters for g in groups] == [g.reporters for g in expected] and len(groups)
    assert there.edges.p.tolist() == here.edges.p.tolist()
    assert not list(large.folder.iterdir())
    assert large.folder.stat().st_mode & 0o777 == 0o700


def test_too_little_memory_is_said_with_the_bound(tmp_path: Path) -> None:
    little = LargeWindows(tmp_path, 1, 2**20)
    with pytest.raises(Refused, match=r"complaints with 0\.00 GiB of memory and the disk of .*Out of Memory"):
        little(DEFAULT_POLICY, BATCH)
    assert not list(tmp_path.iterdir())


def test_what_a_killed_process_left_is_removed_and_what_is_in_use_is_not(tmp_path: Path) -> None:
    code = (
        "import sys, signal, pathlib; from workers.large.working_folder import working_folder\n"
        "with working_folder(pathlib.Path(sys.argv[1])) as folder:\n"
        "    (folder / 'spilled').write_text('x'); print(folder, flush=True); sys.stdin.read()"
    )
    root = Path(__file__).parents[3]
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        left = Path(other.stdout.readline().strip())
        assert left.name.startswith(PREFIX) and left.stat().st_mode & 0o777 == 0o700
        with working_folder(tmp_path) as mine:
            assert {left, mine} == set(tmp_path.iterdir())
        other.send_signal(signal.SIGKILL)
    assert list(tmp_path.iterdir()) == [left]
    with pytest.raises(RuntimeError), working_folder(tmp_path) as mine:
        assert list(tmp_path.iterdir()) == [mine]
        raise RuntimeError
    assert not list(tmp_path.iterdir())


def test_the_settings_name_bound_memory_and_folder(tmp_path: Path) -> None:
    chosen = {"BRIGADEWATCH_LARGE_WINDOW": "5000", "BRIGADEWATCH_LARGE_MEMORY_BYTES": str(2**30)}
    assert large_windows.of_settings(read_settings(tmp_path, chosen)) == LargeWindows(tmp_path / "large", 5_000, 2**30)
    assert large_windows.of_settings(read_settings(tmp_path, {})).at_least == 2_000_000
    for name, value in (("BRIGADEWATCH_LARGE_WINDOW", "0"), ("BRIGADEWATCH_LARGE_MEMORY_BYTES", "1e6")):
        with pytest.raises(ValueError, match=rf"{name} is '{value}'; expected"):
            read_settings(tmp_path, {name: value})
