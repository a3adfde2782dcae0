"""A year of campaigns and of unrelated brigades that share honest members: which pairs of clusters are found?

    python -m bench.campaigns_over_a_year [--generators newspaper network town] [--seeds 1] [--size 6000]
                                          [--keep FOLDER]

Two worlds of bench/worlds a month, audited by the real detector with outcomes: its clusters are what is compared, with
the honest accounts that it really sweeps along. Then the worlds become one year. The busiest honest accounts of one
month are, with noise, the busiest of the next, so that who complains about everything does so all year. What the worlds
planted becomes 20 *campaigns* of two to six strikes of one kind, with months of rest, of whose accounts 10 to 35 %
leave before each strike and are replaced; and 20 *brigades* that strike once. As if that were not enough, every brigade
gets some of 15 honest accounts that turn up everywhere, each with a chance of 30 %, and every strike of a campaign with
one of 10 %.

Positive pairs are two clusters of one campaign. The detector catches two that strike at once as one cluster, which can
only be in one group: it counts as the larger part's, and joining it to the other is no mistake where that is at least a
third of it. Prints
precision and recall of the pairs that service/moderation/campaigns.py joins, and every false join. `--keep` remembers
what the detector found, a file a world.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from bench.worlds.catalogue import GENERATORS, draw
from bench.worlds.detection import Auditor
from bench.worlds.world import DAY, Wanted, World
from service.moderation.campaign_links import CaseMembers, Link, measure
from service.moderation.campaigns import grouped

MONTHS, WORLDS_A_MONTH = 12, 2
CAMPAIGNS, BRIGADES = 20, 20
STRIKES = (2, 6)
LEAVING = (0.1, 0.35)
EVERYWHERE, IN_BRIGADES, IN_CAMPAIGNS = 15, 0.3, 0.1
DAY_US = int(DAY * 1e6)


@dataclass(frozen=True, slots=True)
class Strike:
    """What one world planted, and where it belongs in the year."""

    world: int
    name: str
    kind: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Month:
    """One world after detection."""

    strikes: tuple[Strike, ...]
    clusters: tuple[tuple[str, ...], ...]
    complaints: dict[str, int]  # by honest account


@dataclass(slots=True)
class Pairs:
    """Counts of pairs."""

    joined: int = 0
    right: int = 0
    true: int = 0

    def __str__(self) -> str:
        precision = self.right / self.joined if self.joined else float("nan")
        recall = self.right / self.true if self.true else float("nan")
        return f"P {precision:.3f}  R {recall:.3f}  ({self.right} of {self.joined} joined, {self.true} true)"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generators", nargs="+", default=list(GENERATORS), choices=list(GENERATORS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1])
    parser.add_argument("--size", type=int, default=6_000, help="complaints a world")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="remember what the detector found")
    chosen = parser.parse_args()
    everything = Pairs()
    for generator in chosen.generators:
        for seed in chosen.seeds:
            months = [_month(generator, seed, number, chosen) for number in range(MONTHS * WORLDS_A_MONTH)]
            cases, truth = year_of(months, random.Random(f"{generator} {seed}"))
            links = measure(cases)
            counts = _scored(f"{generator} s{seed}", cases, truth, links)
            everything = Pairs(
                everything.joined + counts.joined, everything.right + counts.right, everything.true + counts.true
            )
    print(f"\nall: {everything}")


def _month(generator: str, seed: int, number: int, chosen: argparse.Namespace) -> Month:
    file = None if chosen.keep is None else chosen.keep / f"{generator}-{chosen.size}-{seed}-{number}.json"
    if file is not None and file.exists():
        read = json.loads(file.read_text(encoding="utf-8"))
        strikes = tuple(Strike(number, name, kind, tuple(members)) for name, kind, members in read["strikes"])
        return Month(strikes, tuple(tuple(c) for c in read["clusters"]), read["complaints"])
    print(f"{generator} s{seed}, world {number + 1} of {MONTHS * WORLDS_A_MONTH} ...", file=sys.stderr, flush=True)
    world = draw(generator, Wanted(seed * 1_000 + number, chosen.size))
    month = _detected(world, number)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        strikes = [(s.name, s.kind, s.members) for s in month.strikes]
        kept = {"strikes": strikes, "clusters": month.clusters, "complaints": month.complaints}
        file.write_text(json.dumps(kept), encoding="utf-8")
    return month


def _detected(world: World, number: int) -> Month:
    planted = world.truth.campaigns
    insiders = world.truth.campaign_members()
    complaints = Counter(c["reporter"]["id"] for c in world.complaints if c["reporter"]["id"] not in insiders)
    found = Auditor().audit(world).clusters
    return Month(
        tuple(Strike(number, name, c.kind, c.members) for name, c in sorted(planted.items())),
        tuple(tuple(sorted(cluster.accounts)) for cluster in found),
        dict(complaints),
    )


def year_of(months: Sequence[Month], rng: random.Random) -> tuple[list[CaseMembers], dict[str, tuple[str, ...]]]:
    """The clusters of the year, and the campaigns and brigades that each belongs to."""
    belongs = _assigned([s for month in months for s in month.strikes], rng)
    numbers: dict[str, int] = {}
    names: dict[tuple[int, str], str] = {}  # (world, account) to the account of the year
    rosters: dict[str, list[str]] = {}
    for number, month in enumerate(months):
        busiest = sorted(month.complaints, key=lambda a: (-month.complaints[a] * rng.lognormvariate(0, 0.5), a))
        names |= {(number, account): f"honest-{rank}" for rank, account in enumerate(busiest)}
        for strike in month.strikes:
            whole = belongs.get((number, strike.name), f"{strike.name} of world {number}")
            names |= {(number, a): name for a, name in _struck(rosters, whole, strike.members, rng)}
    cases, truth = [], {}
    for number, month in enumerate(months):
        for place, accounts in enumerate(month.clusters):
            who = {names[number, account] for account in accounts}
            at_us = (number * 365 // len(months)) * DAY_US + place
            wholes = _wholes(month, number, accounts, belongs)
            if wholes:
                share = IN_BRIGADES if all(whole.startswith("brigade") for whole in wholes) else IN_CAMPAIGNS
                who |= {f"everywhere-{n}" for n in range(EVERYWHERE) if rng.random() < share}
            case = f"w{number:02}c{place:02}"
            members = frozenset(numbers.setdefault(name, len(numbers)) for name in sorted(who))
            cases.append(CaseMembers(case, at_us, members))
            truth[case] = wholes
    return cases, truth


def _assigned(strikes: Sequence[Strike], rng: random.Random) -> dict[tuple[int, str], str]:
    """(world, name) of what was planted: the campaign or brigade of the year. What is left over is nothing's."""
    by_kind: dict[str, list[Strike]] = defaultdict(list)
    for strike in rng.sample(list(strikes), len(strikes)):
        by_kind[strike.kind].append(strike)
    belongs: dict[tuple[int, str], str] = {}
    kinds = sorted(by_kind)
    for campaign in range(CAMPAIGNS):
        possible = [kind for kind in kinds if len(by_kind[kind]) >= STRIKES[0]]
        if possible:
            mine = by_kind[rng.choice(possible)]
            for _ in range(min(rng.randint(*STRIKES), len(mine))):
                strike = mine.pop()
                belongs[strike.world, strike.name] = f"campaign {campaign} ({strike.kind})"
    rest = [strike for kind in kinds for strike in by_kind[kind]]
    for brigade, strike in enumerate(rng.sample(rest, min(BRIGADES, len(rest)))):
        belongs[strike.world, strike.name] = f"brigade {brigade} ({strike.kind})"
    return belongs


def _struck(
    rosters: dict[str, list[str]], whole: str, members: Sequence[str], rng: random.Random
) -> Iterator[tuple[str, str]]:
    """The accounts of a strike with their names in the year: some have left since the last one, others are new."""
    before = rosters.get(whole, [])
    staying = [one for one in before if rng.random() >= rng.uniform(*LEAVING)]
    present = rng.sample(staying, min(len(staying), len(members)))
    fresh = [f"{whole}/{len(before)}.{n}.{rng.random():.6f}" for n in range(len(members) - len(present))]
    rosters[whole] = [*staying, *fresh]
    yield from zip(rng.sample(list(members), len(members)), [*present, *fresh], strict=True)


def _wholes(month: Month, number: int, accounts: Sequence[str], belongs: dict[tuple[int, str], str]) -> tuple[str, ...]:
    """The campaigns and brigades that at least a third of the accounts belong to, the largest part first."""
    parts = [
        (
            len(set(strike.members) & set(accounts)),
            belongs.get((number, strike.name), f"brigade: {strike.name} {number}"),
        )
        for strike in month.strikes
    ]
    return tuple(whole for size, whole in sorted(parts, reverse=True) if 3 * size >= len(accounts))


def _scored(name: str, cases: Sequence[CaseMembers], truth: dict[str, tuple[str, ...]], links: Sequence[Link]) -> Pairs:
    counts, false = Pairs(), []
    evidence = {frozenset(link.pair): link for link in links}
    group_of = {case: number for number, group in enumerate(grouped(links)) for case in group}
    for pair in combinations(sorted(truth), 2):
        joined = pair[0] in group_of and group_of[pair[0]] == group_of.get(pair[1])
        shared = [whole for whole in truth[pair[0]] if whole in truth[pair[1]]]
        if shared and not any(whole.startswith("campaign") for whole in shared):
            continue  # two clusters of one brigade's only strike: rightly joined, and no campaign's
        true = bool(shared) and truth[pair[0]][0] == truth[pair[1]][0]
        counts.joined += joined
        counts.true += true or (joined and bool(shared))
        counts.right += joined and bool(shared)
        if joined and not shared:
            link = evidence.get(frozenset(pair))
            why = "" if link is None else f": {link.common} in common, {link.expected:.1f} by chance"
            wholes = [" and ".join(sorted(truth[case])) or "honest accounts" for case in pair]
            false.append(f"  {pair[0]} {wholes[0]} + {pair[1]} {wholes[1]}{why}")
    found = {whole for wholes in truth.values() for whole in wholes}
    campaigns = sum(whole.startswith("campaign") for whole in found)
    honest = sum(not wholes for wholes in truth.values())
    print(f"{name}: {len(cases)} clusters of {campaigns} campaigns and {len(found) - campaigns} brigades,")
    print(f"  {honest} of honest accounts: {counts}")
    print(*(false or ["  no false joins"]), sep="\n", flush=True)
    return counts


if __name__ == "__main__":
    main()
