"""Does settle_with keep its promise? Decide the targets that it names, rightly, and judge the cluster again.

    python -m bench.worlds.settling [--generators newspaper network town] [--seeds 1 2] [--sizes 2000 6000] [--organic]
                                    [--known | --unknown] [--rounds 1] [--days-apart 3] [--json FILE] [--from FILE ...]

A world is audited with the outcomes known by each day, and without any. Every cluster that is flagged at moments three
days apart names one to three targets. A person decides these, each as it truly is (the complaints about a target are
right when it breaks the rules), and the cluster is judged again, each on its own:

honest     cleared: no longer flagged. Groups most of whose targets break the rules, and the others, stand apart: true
           verdicts speak for the first and against the second, which are wrong though nobody called them.
campaigns  confirmed: still flagged, with an unfounded_probability of at least .9; cleared: no longer flagged.

A cluster that names no target is counted as it stands. With --rounds 3, those that stay flagged are asked up to three
times, as a moderator would who goes on; `named` then counts all targets. --json appends one cluster a line; --from
pools such files again, without running anything.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median

from bench.worlds.catalogue import GENERATORS, worlds_of
from bench.worlds.detection import DAYS_APART
from bench.worlds.labels import label_of
from bench.worlds.score import wilson
from bench.worlds.standing import Standing, StandingClusters
from bench.worlds.world import World

CONFIRMED = 0.9  # unfounded_probability
KNOWN, UNKNOWN = "outcomes known", "outcomes unknown"


@dataclass(frozen=True, slots=True)
class Settled:
    """One flagged cluster of one day, before and after the verdicts that it asked for."""

    generator: str
    seed: int
    size: int
    day: float
    outcomes: str  # KNOWN or UNKNOWN
    kind: str  # what most accounts are
    is_campaign: bool
    acts_together: bool
    accounts: int
    mostly_right: bool  # more than half of its targets break the rules
    named: int  # targets
    named_right: int  # of which so many break the rules
    before: float  # unfounded_probability
    after: float
    flagged_after: bool

    @property
    def confirmed(self) -> bool:
        """Whether it is flagged and certain after the verdicts."""
        return self.flagged_after and self.after >= CONFIRMED


def settled_of(
    world: World, views: Sequence[str] = (KNOWN, UNKNOWN), *, days_apart: int = DAYS_APART, rounds: int = 1
) -> Iterator[Settled]:
    """Every flagged cluster of one world on those days."""
    clusters = StandingClusters(days_apart)
    for outcomes in views:
        for cluster in clusters.audit(world if outcomes == KNOWN else replace(world, outcomes=[])):
            if cluster.flagged:
                yield _settled(world, outcomes, cluster, rounds)


def _settled(world: World, outcomes: str, cluster: Standing, rounds: int) -> Settled:
    label, breaks = label_of(cluster.accounts, world.truth), world.truth.breaks_rules
    verdicts: dict[str, bool] = {}
    after = cluster
    for _ in range(rounds):
        named = {target: breaks[target] for target in after.settle_with}
        if not named or not after.flagged:
            break
        after = after.settled(named)
        verdicts |= named
    return Settled(
        world.generator,
        world.wanted.seed,
        world.wanted.size,
        cluster.day,
        outcomes,
        label.kind,
        label.is_campaign,
        label.acts_together,
        len(cluster.accounts),
        2 * sum(breaks[target] for target in cluster.targets) > len(cluster.targets),
        len(verdicts),
        sum(verdicts.values()),
        cluster.unfounded_probability,
        after.unfounded_probability,
        after.flagged,
    )


def report(several: Sequence[Settled]) -> Iterator[str]:
    """The tables as lines: outcomes known and unknown, each pooled and by generator."""
    for outcomes in (KNOWN, UNKNOWN):
        mine = [s for s in several if s.outcomes == outcomes]
        if not mine:
            continue
        yield f"{outcomes}"
        for generator in (None, *dict.fromkeys(s.generator for s in mine)):
            here = [s for s in mine if generator is None or s.generator == generator]
            yield from _rows(generator or "all", here)
        yield "  by kind, all generators"
        by_kind: dict[str, list[Settled]] = defaultdict(list)
        for one in mine:
            by_kind[f"{'campaign' if one.is_campaign else 'honest'}: {one.kind}"].append(one)
        for kind, some in sorted(by_kind.items()):
            wanted = sum(s.confirmed if s.is_campaign else not s.flagged_after for s in some)
            what = "confirmed" if some[0].is_campaign else "cleared"
            yield f"    {kind:32} {len(some):4} clusters  {_share(wanted, len(some), what)}"
        yield ""


def _rows(title: str, here: Sequence[Settled]) -> Iterator[str]:
    named = [s.named for s in here]
    average = f"{sum(named) / len(named):.1f} targets named on average"
    yield f"  {title}: {len(here)} flagged clusters, {average}, none by {named.count(0)}"
    honest, campaigns = [s for s in here if not s.is_campaign], [s for s in here if s.is_campaign]
    for kind, some in (
        ("honest, mostly right", [s for s in honest if s.mostly_right]),
        ("honest, mostly wrong", [s for s in honest if not s.mostly_right]),
        ("honest, all", honest),
    ):
        yield f"    {kind:22} {len(some):4}  {_share(sum(not s.flagged_after for s in some), len(some), 'cleared')}"
    yield f"    {'':22} {'':4}  {_medians(honest)}"
    confirmed, cleared = sum(s.confirmed for s in campaigns), sum(not s.flagged_after for s in campaigns)
    yield f"    {'campaigns':22} {len(campaigns):4}  {_share(confirmed, len(campaigns), 'confirmed')}"
    yield f"    {'':22} {'':4}  {_share(cleared, len(campaigns), 'cleared')}"
    yield f"    {'':22} {'':4}  {_medians(campaigns)}"


def _medians(some: Sequence[Settled]) -> str:
    if not some:
        return "median unfounded_probability: –"
    before, after = median(s.before for s in some), median(s.after for s in some)
    return f"median unfounded_probability {before:.2f} before, {after:.2f} after the verdicts"


def _share(hits: int, of: int, what: str) -> str:
    low, high = wilson(hits, of)
    return f"{what} {hits:4} of {of:<4} " + (f"{hits / of:6.1%} ({low:.1%} to {high:.1%})" if of else "")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generators", nargs="+", default=list(GENERATORS), choices=list(GENERATORS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1])
    parser.add_argument("--sizes", nargs="+", type=int, default=[2_000, 6_000], help="complaints, about")
    parser.add_argument("--organic", action="store_true", help="worlds without campaigns")
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--known", action="store_true", help="with outcomes only")
    only.add_argument("--unknown", action="store_true", help="without outcomes only")
    parser.add_argument("--rounds", type=int, default=1, help="how often a cluster is asked for targets")
    parser.add_argument("--days-apart", type=int, default=DAYS_APART, metavar="DAYS", help="between two moments")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the clusters, one a line, appended")
    parser.add_argument("--from", dest="files", type=Path, nargs="+", metavar="FILE", help="pool these instead")
    chosen = parser.parse_args()
    views = [KNOWN] if chosen.known else [UNKNOWN] if chosen.unknown else [KNOWN, UNKNOWN]
    several: list[Settled] = []
    if chosen.files:
        several = [Settled(**json.loads(line)) for path in chosen.files for line in path.open(encoding="utf-8")]
    else:
        for world in worlds_of(chosen):
            before = time.process_time()
            found = list(settled_of(world, views, days_apart=chosen.days_apart, rounds=chosen.rounds))
            name = f"{world.generator} {world.wanted.size} s{world.wanted.seed}"
            print(f"{name}: {len(found)} clusters, {time.process_time() - before:.0f} s", file=sys.stderr, flush=True)
            several += found
            if chosen.json is not None:
                with chosen.json.open("a", encoding="utf-8") as file:
                    file.writelines(json.dumps(asdict(s)) + "\n" for s in found)
    print(*report(several), sep="\n")


if __name__ == "__main__":
    main()
