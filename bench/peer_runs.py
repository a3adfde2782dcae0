"""What bench/peers.py starts, each in a process of its own: our detection, other methods in Python, and the peers'
input files.

    python bench/peer_runs.py RUN FOLDER...

Each prints a JSON object as its last line; `detect` is CPU seconds without reading and start, `found` says what came
out.
"""

from __future__ import annotations

import csv
import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from service.policy import DAY, DEFAULT_POLICY, Policy
from workers.audit.files import READ_AS_IT_IS, Reading
from workers.audit.history import Collector
from workers.audit.shared_reading import ReadingTask, read_keyed
from workers.detection.detector import Detector
from workers.detection.window import Complaints
from workers.machine import cores

TICKS = {1_000: 1_000_000, 100: 1_000_000, 1: 2_000}  # complaints a tick, and at most so many complaints in all


def standing(folder: Path) -> Complaints:
    """The world's complaints, read as `audit` reads them."""
    collector = Collector(DEFAULT_POLICY.text_min_words)
    task = ReadingTask(datetime.now(UTC), READ_AS_IT_IS, None, DEFAULT_POLICY.text_min_words, ())
    for batch in read_keyed(folder / "complaints.ndjson.gz", task, Reading(), lambda _: None, processes=1):
        collector.take(batch.complaints)
    history, _ = collector.history()
    return history.complaints


def covering(c: Complaints) -> Policy:
    """The default policy with a window that holds all of `c`: other methods look at the whole file, too."""
    days = int(c.time_ms[-1] - c.time_ms[0]) // (DAY * 1000) + 1
    return replace(DEFAULT_POLICY, window_seconds=max(days * DAY, DEFAULT_POLICY.window_seconds))


def sweep(folder: Path) -> dict[str, Any]:
    """Read the world and sweep all of it."""
    held = [standing(folder)]
    policy, before = covering(held[0]), time.process_time()
    detector, groups = Detector.sweep(policy, held.pop(), threads=cores())  # popped, as the sweep worker does
    return {
        "detect": time.process_time() - before,
        "found": f"{len(groups)} groups in {detector.window.live:,} standing complaints",
    }


def live(folder: Path) -> dict[str, Any]:
    """µs CPU a complaint of ticks over the second half of the world (ticks of 1: over the first 2,000 of it), and what
    a sweep of the window before it costs.
    """
    from analysis import loaded, ticks

    c = standing(folder)
    begin = len(c) // 2
    window_ms = DEFAULT_POLICY.window_seconds * 1000
    first = int(np.searchsorted(c.time_ms, int(c.time_ms[begin - 1]) - window_ms))
    before = time.process_time()
    Detector.sweep(DEFAULT_POLICY, _rows(c, first, begin), threads=cores())
    swept = time.process_time() - before
    microseconds = {}
    for size, most in TICKS.items():
        detector = loaded(c, begin)
        spent = ticks(detector, c, begin, min(most, len(c) - begin), size)
        microseconds[size] = sum(spent) / (len(spent) * size) * 1e6
    hours = int(c.time_ms[-1] - c.time_ms[begin]) / 3_600_000
    return {
        "microseconds": microseconds,
        "window": begin - first,
        "sweep": swept,
        "sweeps": hours * 3600 / DEFAULT_POLICY.sweep_every_seconds / (len(c) - begin) * swept * 1e6,
        "complaints": len(c) - begin,
    }


def _rows(c: Complaints, first: int, last: int) -> Complaints:
    from world_files import part

    return part(c, first, last)


def comparator(folder: Path, name: str) -> dict[str, Any]:
    """One of bench/worlds/comparators.py on the world."""
    from bench.worlds.comparators import Actions, actions_of, co_report, synchrotrap
    from bench.worlds.world import DAY, HOUR, MINUTE, Truth, Wanted, World, read_lines

    methods: dict[str, Callable[[Actions], list[frozenset[int]]]] = {
        "synchrotrap_24h": partial(synchrotrap, within=DAY, similarity=0.3, matches=3),
        "synchrotrap_1h": partial(synchrotrap, within=HOUR, similarity=0.4, matches=3),
        "co_report_1h": partial(co_report, within=HOUR, common=2),
        "co_report_10min": partial(co_report, within=10 * MINUTE, common=3),
    }
    complaints = read_lines(folder / "complaints.ndjson.gz")
    actions = actions_of(World("", Wanted(1), complaints, [], Truth({}, {}, {}, frozenset())))
    before = time.process_time()
    clusters = methods[name](actions)
    return {"detect": time.process_time() - before, "found": f"{len(clusters)} clusters"}


def fraudar(package: Path, edges: Path) -> dict[str, Any]:
    """One block by the authors' greedy algorithm with logarithmic weights, as their run_greedy.py calls it."""
    sys.path.insert(0, str(package))
    greedy = import_module("fraudar.export").greedy

    matrix = greedy.readData(str(edges))
    before = time.process_time()
    (reporters, targets), score = greedy.logWeightedAveDegree(matrix)
    return {
        "detect": time.process_time() - before,
        "found": f"1 block of {len(reporters):,} × {len(targets):,}, score {score:.2f}",
    }


def prepare(folder: Path, out: Path) -> dict[str, Any]:
    """Write the world's complaints in the peers' formats: numbers for names, in order of time."""
    from detection_comparators import TOOLKIT_COLUMNS, toolkit_row

    from bench.worlds.world import read_lines

    reporters: dict[str, int] = {}
    targets: dict[str, int] = {}
    rows = [
        (
            int(datetime.fromisoformat(one["occurred_at"]).timestamp()),
            reporters.setdefault(one["reporter"]["id"], len(reporters)),
            targets.setdefault(one["target"]["id"], len(targets)),
        )
        for one in read_lines(folder / "complaints.ndjson.gz")
    ]
    rows.sort(key=lambda row: row[0])
    out.mkdir(parents=True, exist_ok=True)
    with (out / "toolkit.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(TOOLKIT_COLUMNS)
        table.writerows(toolkit_row(number, r, t, at) for number, (at, r, t) in enumerate(rows))
    (out / "stream.csv").write_text("".join(f"{r},{t},{at // 3600},1,{at}\n" for at, r, t in rows))
    (out / "tensor.csv").write_text("".join(f"{r},{t},{at // 3600},1\n" for at, r, t in rows))
    (out / "edges.txt").write_text("".join(f"{r} {t}\n" for _, r, t in rows))
    return {"complaints": len(rows), "reporters": len(reporters), "targets": len(targets)}


def main() -> None:
    name, *rest = sys.argv[1:]
    runs: dict[str, Callable[..., dict[str, Any]]] = {
        "sweep": sweep,
        "live": live,
        "fraudar": fraudar,
        "prepare": prepare,
    }
    if name in runs:
        result = runs[name](*map(Path, rest))
    else:
        result = comparator(Path(rest[0]), name)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
