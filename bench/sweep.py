"""Measure one sweep of a dense window, and the audit of a history ten times as long at the same density.

    .venv/bin/python bench/sweep.py [--quick] [--only sweep|audit|ten]

The sweep runs in a separate process that reads nothing but columns, so its peak memory is that of the sweep. The audits
run on the command line, as a user would start them: reading, windows and the report.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil
from figures import parser_of, print_machine, show
from world_files import DEMO, WorldFiles, add_options, columns, world

from service.policy import DEFAULT_POLICY
from workers import sweep_codec
from workers.detection.detector import Detector
from workers.machine import cores

EVERY = 4  # s between two looks at memory: one holds up what it looks at


def sweep(folder: Path) -> None:
    """One tick of the whole world on an empty detector; prints its figures."""
    held = [columns(WorldFiles(folder.name, folder))]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wall, cpu = time.perf_counter(), time.process_time()
    detector, groups = Detector.sweep(DEFAULT_POLICY, held.pop(), threads=cores())  # as the sweep worker does
    size = len(sweep_codec.pack(detector.fitted()))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        wall,
        cpu,
        before / 2**20,
        peak / 2**20,
        detector.window.live,
        detector.pairs_met,
        len(groups),
        size,
        detector.counters["cut"],
        detector.affinity.shape,
        detector.affinity.rate,
    )


def print_sweep(files: WorldFiles, quick: bool) -> None:
    """Run it and print."""
    columns(files)  # laid out by this process, so that the other one only loads them
    printed = subprocess.run(
        [sys.executable, __file__, "sweep", str(files.folder)], check=True, capture_output=True, text=True
    ).stdout.split()
    wall, cpu, before, peak, live, met, groups, size, cut, shape, rate = map(float, printed)
    show(f"sweep of {live:,.0f} complaints ({files.name}), s", wall, at_most=90, quick=quick)
    show("    of it CPU, s", cpu)
    show(
        f"    peak of memory ({before:.2f} GB of it before, libraries and columns), GB",
        peak,
        at_most=4,
        digits=2,
        quick=quick,
    )
    print(
        f"    {met:,.0f} pairs met, {cut:,.0f} cut at the cap, {groups:.0f} groups, a = {shape:.3f}, b = {rate:.3f},"
        f" {size / 1e6:.1f} MB handed over"
    )


def audit(files: WorldFiles) -> tuple[float, float, float]:
    """(wall s, CPU s, peak GB of all its processes together) of `brigadewatch audit` on the world with its outcomes."""
    with tempfile.TemporaryDirectory() as folder:
        report = str(Path(folder) / "report.json")
        command = [sys.executable, "-m", "service.cli", "audit", str(files.complaints)]
        started = time.perf_counter()
        process = psutil.Popen(
            [*command, "--outcomes", str(files.outcomes), "--out", report], stdout=subprocess.DEVNULL
        )
        over, peak = threading.Event(), list[int]()
        watching = threading.Thread(target=watch, args=(process, over, peak))
        watching.start()
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        over.set()
        watching.join()
        if code := os.waitstatus_to_exitcode(status):
            raise RuntimeError(f"`brigadewatch audit` of {files.folder} ended with {code}")
        return wall, used.ru_utime + used.ru_stime, max(peak, default=0) / 2**30


def watch(process: psutil.Process, over: threading.Event, seen: list[int]) -> None:
    """Note the memory of a process and all below it now and then; what several share counts once."""
    while True:
        with suppress(psutil.Error):  # a sum without one that has just ended is none
            every = (process, *process.children(recursive=True))
            seen.append(sum(each.memory_full_info().pss for each in every))
        if over.wait(EVERY):
            return


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--only", choices=("sweep", "audit", "ten"), help="run one part; ten: an audit of ten million")
    add_options(parser)
    chosen = parser.parse_args()
    print_machine()
    if chosen.only == "ten":
        print_audit(world("d448x10", chosen), at_most=720, gigabytes=4)
        return
    if chosen.only != "audit":
        print_sweep(world(DEMO if chosen.quick else "dense", chosen), chosen.quick)
    if chosen.only == "sweep":
        return
    if chosen.quick:
        print_audit(world(DEMO, chosen))
        return
    first, second = print_audit(world("d45", chosen)), print_audit(world("d448", chosen), at_most=60, gigabytes=2)
    show("ratio of the two times", second / first)


def print_audit(files: WorldFiles, *, at_most: float | None = None, gigabytes: float | None = None) -> float:
    """Audit a world and print the figures; returns the wall time in s."""
    wall, cpu, peak = audit(files)
    show(f"audit of {files.name}, s", wall, at_most=at_most)
    show("    of it CPU, s", cpu)
    show("    peak of memory, all processes, GB", peak, at_most=gigabytes, digits=2)
    return wall


if __name__ == "__main__":
    if sys.argv[1:2] == ["sweep"]:
        sweep(Path(sys.argv[2]))
    else:
        main()
