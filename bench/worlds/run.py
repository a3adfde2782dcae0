"""Audit worlds with today's detector and score them.

    python -m bench.worlds.run [--generators newspaper network town] [--seeds 1 2] [--sizes 2000 6000 40000]
                               [--organic] [--known | --unknown] [--comparators] [--json FILE]

One line a world, then the honest kinds and the campaigns, pooled, with outcomes and without. Say which seeds a figure
comes from, and never quote one from seeds on which something was tuned.

With --comparators, SynchroTrap, co-report and burst (comparators.py) look at the same worlds. A table a generator and
size shows all of them, and the last lines say where our F1 is below that of SynchroTrap 24 h or of co-report. A P* or
F1* leaves out the watchers.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path

from bench.worlds.catalogue import GENERATORS, draw
from bench.worlds.comparators import COMPARATORS, TO_BEAT, actions_of
from bench.worlds.detection import Auditor
from bench.worlds.score import HEAD, Counts, Found, by_kind, count, headline, pooled, side_by_side
from bench.worlds.world import Wanted, World

OURS = {True: "known", False: "unknown"}  # our detector, with outcomes and without


@dataclass(frozen=True, slots=True)
class Scored:
    """What one detector made of one world."""

    generator: str
    wanted: Wanted
    detector: str  # one of OURS or COMPARATORS
    counts: Counts
    seconds: float  # CPU

    def as_json(self) -> str:
        """One line of the JSON output."""
        values = {each.name: getattr(self.counts, each.name) for each in fields(self.counts)}
        about = {"generator": self.generator, "detector": self.detector} | asdict(self.wanted)
        if self.detector in OURS.values():
            about["known"] = self.detector == OURS[True]
        return json.dumps(about | {"seconds": round(self.seconds, 2), "counts": values})


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generators", nargs="+", default=list(GENERATORS), choices=list(GENERATORS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1])
    parser.add_argument("--sizes", nargs="+", type=int, default=[2_000, 6_000])
    parser.add_argument("--organic", action="store_true", help="worlds without campaigns")
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--known", action="store_true", help="with outcomes only")
    only.add_argument("--unknown", action="store_true", help="without outcomes only")
    parser.add_argument("--comparators", action="store_true", help="SynchroTrap, co-report and burst beside ours")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the counts of each world, one a line, appended")
    chosen = parser.parse_args()
    views = [known for known in OURS if not (chosen.known and not known) and not (chosen.unknown and known)]
    scored: list[Scored] = []
    print(HEAD, flush=True)
    for size in chosen.sizes:
        for name in chosen.generators:
            for seed in chosen.seeds:
                print(f"{name} {size} s{seed} ...", file=sys.stderr, flush=True)
                for one in _scored(name, Wanted(seed, size, organic=chosen.organic), views, chosen.comparators):
                    scored.append(one)
                    print(
                        headline(f"{name} {size} s{seed} {one.detector}", one.counts),
                        f" {one.seconds:.0f} s",
                        flush=True,
                    )
                    if chosen.json is not None:
                        with chosen.json.open("a", encoding="utf-8") as file:
                            file.write(one.as_json() + "\n")
    for known in views:
        for name in chosen.generators:
            several = pooled(s.counts for s in scored if s.generator == name and s.detector == OURS[known])
            print(f"\n{headline(f'{name}, all, {OURS[known]}', several)}")
            print(*by_kind(several), sep="\n", flush=True)
    if chosen.comparators:
        _compare(scored, chosen.generators, chosen.sizes, [OURS[known] for known in views])


def _scored(name: str, wanted: Wanted, views: list[bool], comparators: bool) -> Iterator[Scored]:
    """One world, audited with outcomes and without as `views` says; the groups are found once."""
    world, auditor = draw(name, wanted), Auditor()

    def scored(detector: str, detect: Callable[[], Found]) -> Scored:
        before = time.process_time()
        counts = count(world, detect())
        return Scored(name, wanted, detector, counts, time.process_time() - before)

    for known in views:
        seen: World = world if known else replace(world, outcomes=[])
        yield scored(OURS[known], partial(auditor.audit, seen))
    if comparators:
        actions = actions_of(world)
        for detector, detect in COMPARATORS.items():
            yield scored(detector, partial(detect, actions))


def _compare(scored: list[Scored], generators: list[str], sizes: list[int], ours: list[str]) -> None:
    behind = []
    for size in sizes:
        for name in generators:
            here = [s for s in scored if s.generator == name and s.wanted.size == size]
            rows = {d: pooled(s.counts for s in here if s.detector == d) for d in (*ours, *COMPARATORS)}
            print(f"\n{name} {size}, {rows[ours[0]].worlds} worlds", *side_by_side(rows), sep="\n", flush=True)
            for mine in ours:
                for theirs in TO_BEAT:
                    if (rows[mine].f1 or 0) < (rows[theirs].f1 or 0):
                        behind.append(f"  {name} {size}, {mine}: {rows[mine].f1:.3f}, {theirs}: {rows[theirs].f1:.3f}")
    print("\nF1 below a comparator's:", *(behind or ["  nowhere"]), sep="\n", flush=True)


if __name__ == "__main__":
    main()
