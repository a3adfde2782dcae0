"""Measure one sweep of a dense window, and the audit of a history ten times as long at the same density.

    .venv/bin/python bench/sweep.py [--quick]

The sweep runs in a separate process that reads nothing but columns, so its peak memory is that of the sweep. The audits
run on the command line, as a user would start them: reading, windows and the report.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from figures import parser_of, print_machine, show
from world_files import DEMO, WorldFiles, add_options, columns, world

from service.policy import DEFAULT_POLICY
from workers import sweep_codec
from workers.detection.detector import Detector
from workers.machine import cores


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
    """(wall s, CPU s, peak GB) of `brigadewatch audit` on the world with its outcomes."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "service.cli",
                "audit",
                str(files.complaints),
                "--outcomes",
                str(files.outcomes),
                "--out",
                str(Path(folder) / "report.json"),
            ]
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"`brigadewatch audit` of {files.folder} ended with {process.returncode}")
        return time.perf_counter() - started, used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--only", choices=("sweep", "audit"), help="run only this half; default: both")
    add_options(parser)
    chosen = parser.parse_args()
    dense, short, long = (DEMO, DEMO, None) if chosen.quick else ("dense", "d45", "d448")
    print_machine()
    if chosen.only != "audit":
        print_sweep(world(dense, chosen), chosen.quick)
    if chosen.only == "sweep":
        return
    seconds: list[float] = []
    for name in (short, long):
        if name is not None:
            wall, cpu, peak = audit(world(name, chosen))
            seconds.append(wall)
            show(f"audit of {name}, s", wall, at_most=240 if name == long else None)
            show("    of it CPU, s", cpu)
            show("    peak of memory, GB", peak, at_most=2 if name == long else None, digits=2)
    if len(seconds) == 2:
        show("ratio of the two times", seconds[1] / seconds[0], at_most=11)


if __name__ == "__main__":
    if sys.argv[1:2] == ["sweep"]:
        sweep(Path(sys.argv[2]))
    else:
        main()
