"""Audit worlds with today's detector and score them.

    python -m bench.worlds.run [--generators newspaper network town] [--seeds 1 2] [--sizes 2000 6000 40000]
                               [--organic] [--known | --unknown] [--json FILE]

One line a world, then the honest kinds and the campaigns, pooled, with outcomes and without. Say which seeds a figure
comes from, and never quote one from seeds on which something was tuned.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from dataclasses import asdict, fields, replace
from pathlib import Path

from bench.worlds.catalogue import GENERATORS, draw
from bench.worlds.detection import Auditor
from bench.worlds.score import HEAD, Counts, by_kind, count, headline, pooled
from bench.worlds.world import Wanted


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
    parser.add_argument("--json", type=Path, metavar="FILE", help="the counts of each world, one a line, appended")
    chosen = parser.parse_args()
    views = [known for known in (True, False) if not (chosen.known and not known) and not (chosen.unknown and known)]
    found: dict[tuple[str, int, bool], list[Counts]] = defaultdict(list)
    print(HEAD, flush=True)
    for size in chosen.sizes:
        for name in chosen.generators:
            for seed in chosen.seeds:
                for known, counts in _scored(name, Wanted(seed, size, organic=chosen.organic), views, chosen.json):
                    found[name, size, known].append(counts)
    for known in views:
        for name in chosen.generators:
            several = [c for (n, _, k), counts in found.items() if n == name and k == known for c in counts]
            print(f"\n{headline(f'{name}, all, ' + _words(known), pooled(several))}")
            print(*by_kind(pooled(several)), sep="\n", flush=True)


def _scored(name: str, wanted: Wanted, views: list[bool], out: Path | None) -> list[tuple[bool, Counts]]:
    """One world, audited with outcomes and without as `views` says; the groups are found once."""
    world, auditor, scored = draw(name, wanted), Auditor(), []
    for known in views:
        before = time.process_time()
        seen = world if known else replace(world, outcomes=[])
        counts = count(seen, auditor.audit(seen))
        seconds = time.process_time() - before
        what = f"{name} {wanted.size} s{wanted.seed} {_words(known)}"
        print(headline(what, counts), f" {seconds:.0f} s", flush=True)
        scored.append((known, counts))
        if out is not None:
            values = {each.name: getattr(counts, each.name) for each in fields(counts)}
            line = {"generator": name, "known": known} | asdict(wanted) | {"counts": values}
            with out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
    return scored


def _words(known: bool) -> str:
    return "known" if known else "unknown"


if __name__ == "__main__":
    main()
