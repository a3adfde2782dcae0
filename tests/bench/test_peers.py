"""bench/peers.py: what a program used is measured to its end, the peers get the file's complaints, ratios keep to
their round.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bench.worlds.catalogue import draw
from bench.worlds.world import Wanted

BENCH = Path(__file__).resolve().parents[2] / "bench"


def module(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCH))  # its scripts import each other as they do when they are started
    return importlib.import_module(name)


def used(limit: int, output: Path, program: str) -> dict[str, Any]:
    command = [str(BENCH / "resources_used.py"), str(limit), str(output), sys.executable, "-c", program]
    printed = subprocess.run([sys.executable, *command], check=True, capture_output=True, text=True).stdout
    figures: dict[str, Any] = json.loads(printed)
    return figures


def test_the_memory_and_the_output_of_a_command_are_its_own(tmp_path: Path) -> None:
    figures = used(60, tmp_path / "output", "held = b'x' * 150_000_000; print(len(held))")
    assert figures["code"] == 0
    assert 0.14 < figures["gigabytes"] < 0.3
    assert (tmp_path / "output").read_text() == "150000000\n"


def test_a_command_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    figures = used(1, tmp_path / "output", "import time; time.sleep(60)")
    assert figures["code"] is None
    assert figures["wall"] < 30


def test_a_command_that_fails_says_so(tmp_path: Path) -> None:
    assert used(60, tmp_path / "output", "raise SystemExit('no such file')")["code"] == 1
    assert (tmp_path / "output.err").read_text() == "no such file\n"


def test_every_peer_gets_every_complaint_in_order_of_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = draw("newspaper", Wanted(3, 600))
    world.write(tmp_path / "world")
    prepared = tmp_path / "prepared"
    counted = module("peer_runs", monkeypatch).prepare(tmp_path / "world", prepared)
    assert counted["complaints"] == len(world.complaints)
    assert counted["reporters"] == len({one["reporter"]["id"] for one in world.complaints})
    stream = [tuple(map(int, line.split(","))) for line in (prepared / "stream.csv").read_text().splitlines()]
    seconds = [row[4] for row in stream]
    assert seconds == sorted(seconds)
    assert all(row[2] == row[4] // 3600 and row[3] == 1 for row in stream)
    assert (prepared / "edges.txt").read_text().splitlines() == [f"{row[0]} {row[1]}" for row in stream]
    assert len((prepared / "tensor.csv").read_text().splitlines()) == len(stream)
    toolkit = (prepared / "toolkit.csv").read_text().splitlines()
    assert toolkit[1] == f"m0,{stream[0][0]},{stream[0][0]},t{stream[0][1]},,,{seconds[0]},"
    assert len(toolkit) == 1 + len(stream)


def test_a_ratio_is_of_one_round_and_of_figures_that_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    peers = module("peers", monkeypatch)
    theirs = [peers.Run(cpu=4.0, detection=None), peers.Run(cpu=9.0, detection=6.0)]
    base = [peers.Run(cpu=2.0, detection=1.0), peers.Run(cpu=3.0, detection=2.0)]
    assert peers.ratios(theirs, base, "cpu") == [2.0, 3.0]
    assert peers.ratios(theirs, base, "detection") == [3.0]
    assert peers.spread([2.0, 3.0]) == "2.50 (2.00–3.00)"


def test_what_is_missing_is_named_with_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = module("peer_programs", monkeypatch)
    chosen = Namespace(toolkit=tmp_path / "none", densealert=tmp_path, mzoom=tmp_path, fraudar=None)
    found, missing = programs.published(chosen, tmp_path)
    assert found == []
    assert len(missing) == 4
    assert all("not timed" in sentence and ("install" in sentence or "git clone" in sentence) for sentence in missing)
