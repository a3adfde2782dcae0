"""Comparators: what other methods flag in the same world, from the evaluation's baselines and a published toolkit.

None of them uses outcomes or contexts, so each runs once per world.
"""

from __future__ import annotations

import csv
import importlib.util
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from world_files import WorldFiles, need

TITLES = {
    "burst_10_per_hour": "burst, 10 an hour",
    "projection_k3_10min": "co-report k ≥ 3, 10 min",
    "projection_k2_1h": "co-report k ≥ 2, 1 h",
    "synchrotrap_1h": "SynchroTrap 1 h",
    "synchrotrap_24h": "SynchroTrap 24 h",
    "toolkit_60s": "coordination-network-toolkit, 60 s, weight ≥ 2",
    "toolkit_1h": "coordination-network-toolkit, 1 h, weight ≥ 3",
    "fraudar_12_blocks": "FRAUDAR, 12 blocks",
}
TOOLKIT = {"toolkit_60s": (60, 2), "toolkit_1h": (3_600, 3)}  # window in s (60 is its default), smallest edge weight
TOOLKIT_COLUMNS = ("message_id", "user_id", "username", "repost_id", "reply_id", "message", "timestamp", "urls")
FRAUDAR = "fraudar_12_blocks"
SMALLEST = 3  # accounts in a component, as the other projections have it


def baselines(folder: Path) -> ModuleType:
    """The evaluation's baselines.py; ends the program where what it needs is missing."""
    need("numpy", "pandas", "sklearn", "igraph", "leidenalg")
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))  # it imports its neighbours by bare name
    found = importlib.util.spec_from_file_location("baselines", folder / "baselines.py")
    assert found is not None and found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def detectors(module: ModuleType, toolkit: Path | None) -> dict[str, Callable[[Any], dict[str, Any]]]:
    """The comparators by name: a frame of complaints in, clusters out."""
    found: dict[str, Callable[[Any], dict[str, Any]]] = dict(module.DETECTORS)
    for name, (seconds, weight) in TOOLKIT.items() if toolkit is not None else ():
        assert toolkit is not None
        found[name] = lambda frame, seconds=seconds, weight=weight, python=toolkit: _toolkit(
            module, frame, python, seconds, weight
        )
    return found


def slow(module: ModuleType) -> dict[str, Callable[[Any], dict[str, Any]]]:
    """FRAUDAR, which takes minutes a world."""
    return {FRAUDAR: lambda frame: module.D.det_fraudar(frame, 12, 1.2)}


def reports(
    module: ModuleType, files: WorldFiles, chosen: dict[str, Callable[[Any], dict[str, Any]]]
) -> dict[str, Any]:
    """The report of each comparator on the world, in the audit's format."""
    frame = module.read(str(files.folder), False)
    return {name: module.report(frame, detect(frame)) for name, detect in chosen.items()}


def toolkit_row(number: int, reporter: int, target: int, seconds: int) -> list[str | int]:
    """A complaint as the toolkit reads it (`TOOLKIT_COLUMNS`): a retweet of its target."""
    return [f"m{number}", reporter, reporter, f"t{target}", "", "", seconds, ""]


def toolkit_commands(python: Path, base: Path, table: Path, seconds: int, weight: int) -> list[list[str]]:
    """Two commands: the first reads `table` into the database `base`, the second computes the co-retweet network."""
    run = [str(python), "-m", "coordination_network_toolkit", str(base)]
    return [
        [*run, "preprocess", "--format", "csv", str(table)],
        [*run, "compute", "co_retweet", "--time_window", str(seconds), "--min_edge_weight", str(weight)],
    ]


def _toolkit(module: ModuleType, frame: Any, python: Path, seconds: int, weight: int) -> dict[str, Any]:
    """coordination-network-toolkit's co-retweet network, a complaint being a retweet of its target; components are
    clusters.
    """
    columns = module.D.codes(frame)
    with tempfile.TemporaryDirectory() as folder:
        table, base = Path(folder) / "complaints.csv", Path(folder) / "network.db"
        with table.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(TOOLKIT_COLUMNS)
            for k, (reporter, target, moment) in enumerate(
                zip(columns["r"].tolist(), columns["v"].tolist(), columns["t"].tolist(), strict=True)
            ):
                writer.writerow(toolkit_row(k, reporter, target, int(moment)))
        for command in toolkit_commands(python, base, table, seconds, weight):
            subprocess.run(command, check=True, capture_output=True)
        with closing(sqlite3.connect(base)) as database:
            edges = database.execute("SELECT user_1, user_2 FROM co_retweet_network WHERE user_1 <> user_2").fetchall()
    pairs = np.array([(int(a), int(b)) for a, b in edges], np.int64).reshape(-1, 2)
    parts = module.D.comps(columns["nR"], pairs[:, 0], pairs[:, 1], SMALLEST)
    clusters = [{"r": part, "t": np.empty(0, int), "score": float(len(part))} for part in parts]
    found: dict[str, Any] = module.D.pack(columns, clusters, np.zeros(columns["nR"]))
    return found
