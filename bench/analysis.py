"""Measure the CPU time of live analysis, in µs per complaint, and whether a crowded target makes it more expensive.

    .venv/bin/python bench/analysis.py [--complaints 40000] [--quick]

Part 1: a detector with a window of 60,000 (or 700,000) complaints and the results of a sweep, like that of a detect
worker, processes the following complaints in ticks of 100, 1,000 and 4,000. Detection only, without SQL and Redis,
which bench/end_to_end.py includes.

Part 2: 20,000 complaints by different reporters on one target within an hour, into the smaller window, in ticks of
1,000 and of 250. Some of the reporters are already in the window (a tenth of the crowd; in the hard case half of it,
including most accounts of all campaigns), so that there are pairs and groups to examine. Prints the cost of the last
quarter relative to the first.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from figures import parser_of, print_machine, show
from world_files import DEMO, add_options, columns, part, world

from service.policy import DEFAULT_POLICY
from workers.detection.detector import Detector
from workers.detection.window import UNKNOWN_MS, Complaints

WARM_TICKS, MOST_TICKS = 5, 100
BARS = {"window60k": 100.0, "window700k": 150.0}
CROWD, HOUR_MS = 20_000, 3_600_000


def loaded(c: Complaints, upto: int) -> Detector:
    """A live detector that holds the window before row `upto`, with what a sweep of it found: as a worker after a
    rebuild.
    """
    window_ms = DEFAULT_POLICY.window_seconds * 1000
    first = int(np.searchsorted(c.time_ms, int(c.time_ms[upto - 1]) - window_ms))
    held = part(c, first, upto)
    swept, _ = Detector.sweep(DEFAULT_POLICY, held)
    live = Detector(DEFAULT_POLICY)
    live.load([(held, ())])
    live.adopt(swept.fitted(), int(held.seq.max()))
    live.regroup()
    return live


def ticks(live: Detector, c: Complaints, start: int, count: int, size: int) -> list[float]:
    """CPU seconds of each tick of `size` complaints."""
    spent = []
    for first in range(start, start + count - size + 1, size):
        batch = part(c, first, first + size)
        before = time.process_time()
        live.tick(batch)
        spent.append(time.process_time() - before)
    return spent


def print_ticks(name: str, c: Complaints, count: int, sizes: tuple[int, ...], quick: bool) -> None:
    """µs a complaint at each size of tick, from the same state."""
    begin = len(c.seq) - count - WARM_TICKS * max(sizes)
    for size in sizes:
        some = min(count, size * MOST_TICKS)
        live = loaded(c, begin)
        ticks(live, c, begin, WARM_TICKS * size, size)
        spent = ticks(live, c, begin + WARM_TICKS * size, some, size)
        bar = BARS.get(name) if size == 1_000 else None
        show(
            f"{name}, window {live.window.live:,}, ticks of {size:,}, µs CPU a complaint",
            sum(spent) / len(spent) / size * 1e6,
            at_most=bar,
            quick=quick,
        )
        print(f"    slowest tick {max(spent) * 1e3:.0f} ms; {dict(live.counters)}")


def crowd(c: Complaints, size: int, share_known: float, rng: np.random.Generator) -> Complaints:
    """`size` complaints about one new target within the hour after the last one; `share_known` of the reporters are in
    the window.
    """
    known = np.unique(c.reporter[-60_000:])
    known = rng.choice(known, min(int(size * share_known), len(known)), replace=False)
    new = rng.integers(1, 2**62, size - len(known))
    reporter = rng.permutation(np.concatenate([known, new]))
    at = int(c.time_ms[-1]) + np.sort(rng.integers(0, HOUR_MS, size))
    column = np.full(size, 7, np.int64)
    return Complaints(
        np.arange(size) + int(c.seq[-1]) + 1,
        at,
        reporter,
        column,
        column,
        column,
        np.full(size, UNKNOWN_MS),
        np.zeros(size, np.int64),
        np.zeros(size, bool),
        {},
    )


def print_crowd(c: Complaints, size: int, share_known: float, per_tick: int, quick: bool) -> None:
    """Cost of the four quarters of a crowd on one target."""
    live = loaded(c, len(c.seq))
    spent = ticks(live, crowd(c, size, share_known, np.random.default_rng(1)), 0, size, per_tick)
    quarters = [sum(share) / len(share) / per_tick * 1e6 for share in np.array_split(np.array(spent), 4)]
    name = f"{size:,} on one target, {share_known:.0%} known, ticks of {per_tick:,}"
    show(f"{name}: growth", quarters[-1] / quarters[0], at_most=1.5, digits=2, quick=quick)
    print(
        "    by quarters: "
        + ", ".join(f"{value:.1f}" for value in quarters)
        + f" µs CPU a complaint; groups grown {live.counters['grown']}, pairs joined {live.counters['joined']:,}",
        flush=True,
    )


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument(
        "--complaints",
        type=int,
        default=40_000,
        help="complaints processed at each tick size, in at most 100 ticks",
    )
    parser.add_argument("--only", choices=[*BARS, "crowd"], help="run only this part; default: all")
    add_options(parser)
    chosen: argparse.Namespace = parser.parse_args()
    print_machine()
    if chosen.quick:
        c = columns(world(DEMO, chosen))
        print_ticks(DEMO, c, 5_000, (100, 1_000), True)
        print_crowd(c, 4_000, 0.1, 500, True)
        return
    for name in BARS:
        if chosen.only in (None, name):
            print_ticks(name, columns(world(name, chosen)), chosen.complaints, (100, 1_000, 4_000), False)
    if chosen.only in (None, "crowd"):
        c = columns(world("window60k", chosen))
        for share_known in (0.1, 0.5):
            for per_tick in (1_000, 250):
                print_crowd(c, CROWD, share_known, per_tick, False)


if __name__ == "__main__":
    main()
