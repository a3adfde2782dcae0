"""Measure the pairs of a window in numpy against the same in DuckDB, and a whole sweep with either.

    .venv/bin/python bench/large.py [--quick] [--worlds DIR] [--only NAME] [--memory GIB]

Each run has a process of its own, which reads nothing but columns; of each window numpy and DuckDB take turns. The
window of eleven million is a site of 62,000, many times over, each copy with people and targets of its own.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from figures import parser_of, print_machine, show
from world_files import DEMO, WorldFiles, add_options, columns, world

from service.policy import DEFAULT_POLICY
from workers import sweep_codec
from workers.detection.detector import Detector
from workers.detection.swept_pairs import in_numpy
from workers.detection.window import Complaints
from workers.large.large_windows import LargeWindows
from workers.machine import cores

WINDOWS = {"dense": ("dense", 1), "million": ("million16", 1), "eleven": ("site", 178)}  # world, copies
STEP = 0x9E3779B97F4A7C1  # between the keys of two copies
MEGABYTE = 2**20


def copies(c: Complaints, count: int) -> Complaints:
    """The complaints `count` times over: other people, targets, contexts and authors each, and a second apart."""
    number = np.repeat(np.arange(count, dtype=np.int64), len(c))

    def keys(column: Any) -> Any:
        every = np.tile(column, count)
        return np.where(every == 0, 0, every + number * np.int64(STEP))  # wraps around: any 64-bit integer is a key

    with np.errstate(over="ignore"):
        return Complaints(
            np.arange(len(number)),
            np.tile(c.time_ms, count) + number * 1000,
            *(keys(column) for column in (c.reporter, c.target, c.context, c.author)),
            *(np.tile(column, count) for column in (c.created_ms, c.fingerprint, c.exempt)),
            {},
        )


def measured(folder: Path, count: int, engine: str, memory_gib: float) -> dict[str, Any]:
    """A whole sweep with that engine."""
    held = [columns(WorldFiles(folder.name, folder))]
    if count > 1:
        held.append(copies(held.pop(), count))
    spilled, stop = [0], threading.Event()
    with tempfile.TemporaryDirectory() as temporary:
        watcher = threading.Thread(target=_watch, args=(Path(temporary), spilled, stop))
        watcher.start()
        large = LargeWindows(Path(temporary), 1, int(memory_gib * 2**30), "duckdb")
        pair_seconds = [0.0]

        def pair_sweep(policy: Any, batch: Complaints) -> Any:
            began = time.perf_counter()
            found = large(policy, batch)
            pair_seconds[0] = time.perf_counter() - began
            return found

        before, wall, cpu = _peak(), time.perf_counter(), time.process_time()
        # Popped, as the sweep worker does.
        chosen = pair_sweep if engine == "duckdb" else in_numpy
        detector, groups = Detector.sweep(DEFAULT_POLICY, held.pop(), chosen, cores())
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        stop.set()
        watcher.join()
    edges, shape = detector.edges, detector.affinity
    found = hashlib.blake2b(edges.keys.tobytes() + edges.p.tobytes(), digest_size=8).hexdigest()
    return {
        "wall": wall,
        "cpu": cpu,
        "peak": _peak(),
        "before": before,
        "spilled": spilled[0],
        "pairs": pair_seconds[0],
        "complaints": detector.window.live,
        # What has to be the same.
        "result": [detector.pairs_met, detector.counters["joined"], len(edges.keys), found, shape.shape, shape.rate],
        "handed": hashlib.blake2b(sweep_codec.pack(detector.fitted()), digest_size=8).hexdigest(),
        "groups": len(groups),
    }


def _peak() -> float:
    """Most memory so far, GB."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / MEGABYTE


def _watch(folder: Path, most: list[int], stop: threading.Event) -> None:
    while not stop.wait(0.5):
        sizes = [_size(Path(at) / name) for at, _, names in os.walk(folder) for name in names]
        most[0] = max(most[0], sum(sizes))


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:  # gone meanwhile
        return 0


def compare(name: str, files: WorldFiles, count: int, memory_gib: float, engines: list[str], quick: bool) -> None:
    """Run both engines on one window, in turn, and print."""
    columns(files)  # laid out by this process, so that the others only load them
    runs = {}
    for engine in engines:
        command = [sys.executable, __file__, "run", str(files.folder), str(count), engine, str(memory_gib)]
        runs[engine] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        run = runs[engine]
        large, duck = name == "eleven", engine == "duckdb"
        show(
            f"{name}, {run['complaints']:,} complaints, whole sweep, {engine}, s",
            run["wall"],
            at_most=(300 if large and duck else 12 if name == "dense" and not duck else None),
            quick=quick,
        )
        show("    of it CPU, s", run["cpu"])
        show(
            f"    peak of memory ({run['before']:.2f} before), GB",
            run["peak"],
            at_most=(4 if large and duck else 0.9 if name == "dense" and not duck else None),
            digits=2,
            quick=quick,
        )
        if duck:
            show("    the pairs, s", run["pairs"])
            show("    spilled to disk, GB", run["spilled"] / 2**30, digits=2)
        print(f"    m, candidates, edges, their digest, a, b: {run['result']}; {run['groups']} groups", flush=True)
    if len(runs) == 2:
        same = all(runs["numpy"][what] == runs["duckdb"][what] for what in ("result", "handed", "groups"))
        print(f"    both the same, what is handed over included: {'yes' if same else 'NO'}")
        ratios = ", ".join(
            f"{what} {runs['duckdb'][what] / runs['numpy'][what]:.2f}" for what in ("wall", "cpu", "peak")
        )
        print(f"    DuckDB / numpy: {ratios}", flush=True)
        if not same:
            sys.exit(1)


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--only", choices=tuple(WINDOWS), help="one window; default: all")
    parser.add_argument("--engine", choices=("numpy", "duckdb"), help="one engine; default: both in turn")
    parser.add_argument("--memory", type=float, default=1.5, metavar="GIB", help="DuckDB's limit")
    add_options(parser)
    chosen = parser.parse_args()
    print_machine()
    engines = [chosen.engine] if chosen.engine else ["numpy", "duckdb"]
    if chosen.quick:
        compare("demo three times", world(DEMO, chosen), 3, 0.5, engines, True)
        return
    for name, (of, count) in WINDOWS.items():
        if chosen.only in (None, name):
            compare(name, world(of, chosen), count, chosen.memory, engines, False)


if __name__ == "__main__":
    if sys.argv[1:2] == ["run"]:
        print(json.dumps(measured(Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4], float(sys.argv[5]))))
    else:
        main()
