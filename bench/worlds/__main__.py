"""Draw a world into a folder, or describe what the generators draw.

python -m bench.worlds NAME --seed 1 --size 6000 --out FOLDER
python -m bench.worlds --describe [--size 6000] [--data FOLDER]   beside the real events in FOLDER, if there are any
python -m bench.worlds --kinds                                    what each generator has, and what it is modelled on
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

from bench.worlds.catalogue import GENERATORS, draw
from bench.worlds.measures import measure, table
from bench.worlds.planning import Plan
from bench.worlds.world import Wanted, World, read_lines

ROOT = Path(__file__).resolve().parent.parent.parent


def kinds_table(world: World) -> list[str]:
    """How many accounts of each kind complained, and how often."""
    filed = Counter(world.truth.kind_by_account[c["reporter"]["id"]] for c in world.complaints)
    accounts = Counter(world.truth.kind_by_account.values())
    lines = [f"{'kind':24}{'accounts':>10}{'complaints':>12}{'targets':>9}"]
    for kind, count in accounts.most_common():
        if kind not in world.truth.campaigns:
            lines.append(f"{kind:24}{count:>10,}{filed[kind]:>12,}")
    for name, campaign in world.truth.campaigns.items():
        lines.append(f"{name:24}{len(campaign.members):>10,}{filed[name]:>12,}{len(campaign.targets):>9,}  campaign")
    return lines


def _describe(seed: int, size: int, data: Path) -> None:
    columns = {}
    for name in GENERATORS:
        world = draw(name, Wanted(seed, size))
        columns[name] = measure(world.complaints, world.outcomes)
    for path in sorted(data.glob("*.ndjson.gz")):
        columns[path.name.split(".")[0]] = measure(read_lines(path))
    print(*table(columns), sep="\n")


def _description(plan: Plan) -> str:
    return " ".join((plan.draw.__doc__ or "Part of how everybody here behaves: see the module.").split())


def _kinds() -> None:
    for name, generator in GENERATORS.items():
        print(f"{name}: {' '.join((sys.modules[generator.draw.__module__].__doc__ or '').split())}\n")
        for title, plans in (("honest kinds", generator.crowds), ("campaigns", generator.campaigns)):
            print(f"  {title}")
            for kind, plan in plans.items():
                print(f"    {kind}: {_description(plan)}")
        print()


def main() -> int:
    """The command line; 2 for arguments that make no sense."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?", choices=list(GENERATORS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--size", type=int, default=6_000, help="complaints, about")
    parser.add_argument("--out", type=Path, metavar="FOLDER")
    parser.add_argument("--unknown", action="store_true", help="no outcomes")
    parser.add_argument("--organic", action="store_true", help="no campaigns")
    parser.add_argument("--crowds", metavar="KIND,KIND", help="these honest kinds, and no others")
    parser.add_argument("--campaigns", metavar="KIND,KIND", help="these campaigns, and no others")
    parser.add_argument("--describe", action="store_true")
    parser.add_argument("--kinds", action="store_true")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", metavar="FOLDER")
    chosen = parser.parse_args()
    if chosen.kinds:
        _kinds()
        return 0
    if chosen.describe:
        _describe(chosen.seed, chosen.size, chosen.data)
        return 0
    if chosen.name is None or chosen.out is None:
        parser.error("a NAME and --out FOLDER are needed, or --describe, or --kinds")
    named = [
        None if text is None else tuple(filter(None, text.split(","))) for text in (chosen.crowds, chosen.campaigns)
    ]
    try:
        world = draw(chosen.name, Wanted(chosen.seed, chosen.size, not chosen.unknown, chosen.organic, *named))
    except ValueError as error:
        parser.error(str(error))
    world.write(chosen.out)
    print(f"{chosen.out}: {len(world.complaints):,} complaints, {len(world.outcomes):,} outcomes\n")
    print(*kinds_table(world), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
