"""Which programs bench/peers.py times, what each computes, how each is started, and what is missing to start it."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detection_comparators import toolkit_commands
from world_files import WorldFiles

HERE = Path(__file__).resolve().parent
RUNS = HERE / "peer_runs.py"
JAVA = HERE / "DenseAlertTimes.java"
TOOLKIT_VERSION = "1.5.2"
SWEEP = "sweep"  # ours, to which every other one is compared
LIVE = "live"
DENSEALERT_WINDOWS = {"densealert_60s": 60, "densealert_1d": 86_400, "densealert_14d": 14 * 86_400}
Command = list[str]


def last_object(output: str) -> dict[str, Any]:
    """The JSON object on the last line, empty where there is none."""
    line = (output.strip().splitlines() or [""])[-1]
    if not line.startswith("{"):
        return {}
    found: dict[str, Any] = json.loads(line)
    return found


def mzoom_output(output: str) -> dict[str, Any]:
    """M-Zoom's own figures: its running time, without reading and writing, is of the clock."""
    seconds = re.search(r"Running time: ([\d.]+) seconds", output)
    blocks = output.count("Block: ")
    return {"found": f"{blocks} blocks"} | ({"detect": float(seconds[1])} if seconds else {})


@dataclass(frozen=True, slots=True)
class Inputs:
    """One world as every program takes it: ours as it is, the others' prepared from it."""

    files: WorldFiles
    prepared: Path  # peer_runs.prepare wrote it
    complaints: int


@dataclass(frozen=True, slots=True)
class Peer:
    """A program that is timed. `commands` gets the inputs and an empty folder; of two commands, the first reads."""

    name: str
    computes: str
    commands: Callable[[Inputs, Path], list[Command]]
    found: Callable[[Path], str] | None = None  # what came out, where it is not printed
    start: Command | None = None  # does nothing but start: taken off the detection of a program with two commands
    printed: Callable[[str], dict[str, Any]] = last_object  # what it says about itself


def add_options(parser: argparse.ArgumentParser) -> None:
    """Where the programs of others are."""
    parser.add_argument(
        "--toolkit", type=Path, metavar="PYTHON", help="interpreter that has coordination-network-toolkit"
    )
    for name in ("densealert", "mzoom", "fraudar"):
        parser.add_argument(f"--{name}", type=Path, metavar="FOLDER", help=f"working tree of {SOURCES[name]}")


SOURCES = {
    "densealert": "https://github.com/kijungs/densealert",
    "mzoom": "https://github.com/kijungs/mzoom",
    "fraudar": "https://github.com/rgmining/fraudar",
}


def ours() -> list[Peer]:
    """Our detection over the whole file, and live over its second half."""
    return [
        Peer(
            SWEEP,
            "pairs, a null model fitted on the file, groups with evidence and probabilities; the window is the file",
            lambda inputs, _: [_run(SWEEP, inputs.files.folder)],
        ),
        Peer(
            "audit",
            "`brigadewatch audit`: a sweep of every window of 14 days, clusters over time, counts, the report",
            lambda inputs, fresh: [_audit(inputs.files, fresh)],
            _clusters,
        ),
        Peer(
            LIVE,
            "ticks into a resident window of 14 days, as the detect worker's",
            lambda inputs, _: [_run(LIVE, inputs.files.folder)],
        ),
    ]


def comparators() -> list[Peer]:
    """The methods of bench/worlds/comparators.py: written here from their papers, in numpy."""
    described = {
        "synchrotrap_24h": "SynchroTrap, 24 h, similarity .3: pairs of accounts by Jaccard, components",
        "synchrotrap_1h": "SynchroTrap, 1 h, similarity .4",
        "co_report_1h": "co-report: pairs with two common targets within 1 h, components",
        "co_report_10min": "co-report: pairs with three common targets within 10 min",
    }

    def peer(name: str, computes: str) -> Peer:
        return Peer(name, f"{computes} (our numpy form)", lambda inputs, _: [_run(name, inputs.files.folder)])

    return [peer(name, computes) for name, computes in described.items()]


def published(chosen: argparse.Namespace, built: Path) -> tuple[list[Peer], list[str]]:
    """The programs of others that can be started, and a sentence for each that cannot. Compiles into `built`."""
    peers: list[Peer] = []
    missing: list[str] = []
    for start, lacks in (
        (_toolkit(chosen), _toolkit_lacks(chosen)),
        (_densealert(chosen, built), _densealert_lacks(chosen)),
        (_mzoom(chosen), _java_lacks("mzoom", chosen.mzoom, "MZoom-2.0.jar", ("java",))),
        (_fraudar(chosen), _folder_lacks("fraudar", chosen.fraudar, "fraudar/export/greedy.py")),
    ):
        if lacks:
            missing.append(lacks)
        else:
            peers += start
    if any(peer.name in DENSEALERT_WINDOWS for peer in peers):
        subprocess.run(
            ["javac", "-cp", str(chosen.densealert / "DenseAlert-1.0.jar"), "-d", str(built), str(JAVA)], check=True
        )
    return peers, missing


def _toolkit(chosen: argparse.Namespace) -> list[Peer]:
    def peer(name: str, seconds: int, weight: int) -> Peer:
        return Peer(
            name,
            f"coordination-network-toolkit {TOOLKIT_VERSION}, co-retweet within {seconds:,} s, weight ≥ {weight}: the"
            " pairs",
            lambda inputs, fresh: toolkit_commands(
                chosen.toolkit, fresh / "network.db", inputs.prepared / "toolkit.csv", seconds, weight
            ),
            _edges,
            [str(chosen.toolkit), "-m", "coordination_network_toolkit", "-", "compute", "--help"],
        )

    return [peer("toolkit_60s", 60, 2), peer("toolkit_1h", 3_600, 3)]  # windows as bench/detection_comparators.py's


def _edges(fresh: Path) -> str:
    with closing(sqlite3.connect(fresh / "network.db")) as database:
        (pairs,) = database.execute("SELECT count(*) FROM co_retweet_network WHERE user_1 < user_2").fetchone()
    return f"{pairs:,} pairs"


def _densealert(chosen: argparse.Namespace, built: Path) -> list[Peer]:
    def peer(name: str, seconds: int) -> Peer:
        return Peer(
            name,
            f"DenseAlert (the authors' Java), window {seconds:,} s: one dense subtensor of reporter × target × hour,"
            " updated with every complaint",
            lambda inputs, _: [
                [
                    "java",
                    "-cp",
                    f"{built}:{chosen.densealert / 'DenseAlert-1.0.jar'}",
                    "DenseAlertTimes",
                    str(inputs.prepared / "stream.csv"),
                    str(seconds),
                    str(inputs.complaints // 2),
                ]
            ],
        )

    return [peer(name, seconds) for name, seconds in DENSEALERT_WINDOWS.items()]


def _mzoom(chosen: argparse.Namespace) -> list[Peer]:
    return [
        Peer(
            "mzoom",
            "M-Zoom 2.0 (the authors' Java), geometric density: three dense subtensors of reporter × target × hour",
            lambda inputs, fresh: [
                [
                    "java",
                    "-cp",
                    str(chosen.mzoom / "MZoom-2.0.jar"),
                    "mzoom.MZoom",
                    str(inputs.prepared / "tensor.csv"),
                    str(fresh),
                    *("3", "geo", "3"),  # modes, density and blocks; the last two as in the authors' demonstration
                ]
            ],
            printed=mzoom_output,
        )
    ]


def _fraudar(chosen: argparse.Namespace) -> list[Peer]:
    return [
        Peer(
            "fraudar",
            "FRAUDAR (the authors' Python, as rgmining keeps it), logarithmic weights: one dense block of reporter ×"
            " target",
            lambda inputs, _: [_run("fraudar", chosen.fraudar.resolve(), inputs.prepared / "edges.txt")],
        )
    ]


def _toolkit_lacks(chosen: argparse.Namespace) -> str:
    how = (
        f"`python -m venv T; T/bin/pip install coordination-network-toolkit=={TOOLKIT_VERSION}` and --toolkit"
        " T/bin/python"
    )
    if chosen.toolkit is None:
        return f"coordination-network-toolkit is not timed: no --toolkit was given; {how}"
    asked = "from importlib.metadata import version; print(version('coordination-network-toolkit'))"
    try:
        found = subprocess.run([str(chosen.toolkit), "-c", asked], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        return f"coordination-network-toolkit is not timed: {chosen.toolkit} does not have it ({error}); {how}"
    if found.stdout.strip() != TOOLKIT_VERSION:
        return (
            f"coordination-network-toolkit is not timed: {chosen.toolkit} has {found.stdout.strip()}, and"
            f" {TOOLKIT_VERSION} is needed; {how}"
        )
    return ""


def _densealert_lacks(chosen: argparse.Namespace) -> str:
    return _java_lacks("densealert", chosen.densealert, "DenseAlert-1.0.jar", ("java", "javac"))


def _java_lacks(name: str, folder: Path | None, jar: str, programs: tuple[str, ...]) -> str:
    absent = [program for program in programs if shutil.which(program) is None]
    if absent:
        return (
            f"{name} is not timed: {' and '.join(absent)} cannot be found; install a JDK (Debian: apt-get install"
            " default-jdk-headless)"
        )
    return _folder_lacks(name, folder, jar)


def _folder_lacks(name: str, folder: Path | None, file: str) -> str:
    how = f"`git clone {SOURCES[name]} F` and --{name} F"
    if folder is None:
        return f"{name} is not timed: no --{name} was given; {how}"
    if not (folder / file).exists():
        return f"{name} is not timed: {folder / file} does not exist; {how}"
    return ""


def _run(name: str, *paths: Path) -> Command:
    return [sys.executable, str(RUNS), name, *map(str, paths)]


def _clusters(fresh: Path) -> str:
    clusters = json.loads((fresh / "report.json").read_text(encoding="utf-8"))["clusters"]
    return f"{len(clusters)} clusters"


def _audit(files: WorldFiles, fresh: Path) -> Command:
    report = fresh / "report.json"
    return [sys.executable, "-m", "service.cli", "audit", str(files.complaints), "--out", str(report)]
