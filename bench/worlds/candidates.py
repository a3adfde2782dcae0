"""Write every group that the detector measures, before any threshold, with its truth: what weights are fitted on.

    python -m bench.worlds.candidates --out FILE [--generators newspaper network town] [--seeds 11 12]
                                      [--sizes 2000 6000] [--organic] [--days-apart 3]

One JSON object a line, one line a group of a window; windows of 14 days end three days apart, since a day later mostly
the same groups stand there again. Each line says which world and day it is from, and what was known by that day:

signals      by name: value, usual, p_value and contribution (log-odds, today's weights), records and outcomes included
judged       targets of the group that a person decided: upheld, complaints by members before it, complaints by anybody
records      of each member with any: verdicts on complaints about other targets, plain, and with all complaints about a
             target sharing one unit
tenant_*     targets with a verdict in the whole tenant
label        the kind most accounts belong to, and both truths: `is_campaign` (half of the accounts in one campaign)
             and `acts_together` (that, or half in one honest kind that acts together by design: labels.TOGETHER)
breaks_rules share of the group's targets that truly break the rules, decided or not

Outcomes are always those that the world knows; a fit for unknown outcomes leaves out `judged`, `upheld`, `rejected`,
`records`, `tenant_*` and the signals "record" and "outcomes".
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.worlds.catalogue import GENERATORS, draw
from bench.worlds.detection import DAYS_APART, Auditor, Candidate
from bench.worlds.labels import label_of
from bench.worlds.world import Wanted, World


def line_of(world: World, candidate: Candidate) -> dict[str, Any]:
    """One group as it is written."""
    label, broken = label_of(candidate.accounts, world.truth), world.truth.breaks_rules
    measured = asdict(candidate) | {
        "accounts": len(candidate.accounts),
        "targets": len(candidate.targets),
        "breaks_rules": sum(broken[target] for target in candidate.targets) / len(candidate.targets),
    }
    truths = {"is_campaign": label.is_campaign, "acts_together": label.acts_together}
    return {
        "generator": world.generator,
        "seed": world.wanted.seed,
        "size": world.wanted.size,
        "organic": world.wanted.organic,
        **measured,
        "label": asdict(label) | truths,
    }


def lines_of(world: World, days_apart: int = DAYS_APART) -> Iterator[dict[str, Any]]:
    """Every group of one world."""
    return (line_of(world, candidate) for candidate in Auditor().candidates(world, days_apart))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="overwritten")
    parser.add_argument("--generators", nargs="+", default=list(GENERATORS), choices=list(GENERATORS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1])
    parser.add_argument("--sizes", nargs="+", type=int, default=[2_000, 6_000], help="complaints, about")
    parser.add_argument("--organic", action="store_true", help="worlds without campaigns")
    parser.add_argument("--days-apart", type=int, default=DAYS_APART, metavar="DAYS", help="between two windows")
    chosen = parser.parse_args()
    with chosen.out.open("w", encoding="utf-8") as file:
        for size in chosen.sizes:
            for name in chosen.generators:
                for seed in chosen.seeds:
                    before = time.process_time()
                    world = draw(name, Wanted(seed, size, organic=chosen.organic))
                    lines = list(lines_of(world, chosen.days_apart))
                    file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
                    file.flush()
                    campaigns = sum(line["label"]["is_campaign"] for line in lines)
                    seconds = time.process_time() - before
                    print(
                        f"{name} {size} s{seed}: {len(lines)} groups, {campaigns} of campaigns, {seconds:.0f} s",
                        file=sys.stderr,
                        flush=True,
                    )


if __name__ == "__main__":
    main()
