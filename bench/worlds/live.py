"""How well are targets protected live, without hindsight, when the raw count reaches the threshold and an hour later?

    python -m bench.worlds.live [--generators newspaper network town] [--seeds 1 2] [--sizes 2000 6000] [--unknown]
                                [--hours-per-sweep 1] [--tick-seconds 60] [--json FILE] [--from FILE ...]

Complaints go through the live worker's own steps (live_worker.py): ticks, sweeps every hour of the stream, outcomes
when they are decided. Counted are the campaign targets that only campaigns remove: the raw count reaches 8, honest
complaints with one for each campaign do not. Protected is a target whose independent count is below 8 at that moment,
and an hour later.

The oracle knows a campaign, and with it all of its accounts, once they have complained about a fourth target. What it
does not protect could only be guessed from one, two or three targets. "of oracle" is the share that we protect of what
it protects.

The service ticks twice a second; a tick here is a minute of the stream, so that "at once" sees up to a minute more.
Sweeps cost nearly all of the time: --hours-per-sweep 6 where a world is large.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from bench.worlds.catalogue import GENERATORS, draw
from bench.worlds.live_worker import LiveWorker
from bench.worlds.score import wilson
from bench.worlds.world import HOUR, THRESHOLD, Truth, Wanted, World, honest_counts

LATER = HOUR
ORACLE_KNOWS = 4  # targets of a campaign until an oracle knows it
LARGEST_TICK = 1_000  # complaints


@dataclass(slots=True)
class Crossing:
    """A target that only campaigns bring to the threshold: was it protected, and could it have been?"""

    generator: str
    seed: int
    size: int
    target: str
    kind: str  # of the campaign with most complaints there by that moment
    at: float  # seconds since START
    protected: bool
    oracle: bool
    protected_later: bool
    oracle_later: bool


class Oracle:
    """Knows a campaign from its fourth target on."""

    def __init__(self, truth: Truth) -> None:
        self._campaigns = truth.campaigns
        self._aimed_at = {name: frozenset(campaign.targets) for name, campaign in truth.campaigns.items()}
        self._campaign_of = {a: name for name, campaign in truth.campaigns.items() for a in campaign.members}
        self._reached: dict[str, set[str]] = defaultdict(set)
        self._filed: dict[str, Counter[str]] = defaultdict(Counter)  # by target, by campaign ("" for honest people)

    def see(self, account: str, target: str) -> None:
        """One more complaint."""
        name = self._campaign_of.get(account, "")
        self._filed[target][name] += 1
        if name and target in self._aimed_at[name]:
            self._reached[name].add(target)

    def raw(self, target: str) -> int:
        """Complaints so far."""
        return self._filed[target].total()

    def count(self, target: str) -> int:
        """Complaints so far, with one for each campaign that is known by now."""
        return sum(1 if self.knows(name) else filed for name, filed in self._filed[target].items())

    def knows(self, name: str) -> bool:
        """Whether the campaign has reached enough targets."""
        return len(self._reached[name]) >= ORACLE_KNOWS

    def kind(self, target: str) -> str:
        """The kind of the campaign with most complaints about the target so far."""
        filed = {name: count for name, count in self._filed[target].items() if name}
        return self._campaigns[max(sorted(filed), key=filed.__getitem__)].kind


def carried_by_campaigns(world: World) -> frozenset[str]:
    """The targets that only campaigns bring to the threshold: honest complaints and one for each campaign do not."""
    raw = Counter(complaint["target"]["id"] for complaint in world.complaints)
    honest = honest_counts(world.complaints, world.truth.campaign_members())
    striking = Counter(target for campaign in world.truth.campaigns.values() for target in campaign.targets)
    return frozenset(t for t, many in striking.items() if raw[t] >= THRESHOLD > honest[t] + many)


def ticks(times: Sequence[float], seconds: float, most: int = LARGEST_TICK) -> Iterator[tuple[int, int]]:
    """Rows (first, after the last) of each tick: at most `seconds` from its first complaint to its last."""
    first = 0
    for row, at in enumerate(times):
        if at - times[first] > seconds or row - first >= most:
            yield first, row
            first = row
    if len(times):
        yield first, len(times)


def crossings(
    world: World,
    *,
    hours_per_sweep: float = 1,
    tick_seconds: float = 60,
    progress: Callable[[int, int, int], None] = lambda done, of, sweeps: None,
) -> list[Crossing]:
    """Every such target at the moment its raw count reaches the threshold, and an hour later.

    `progress` is called with complaints done, complaints in all and sweeps so far.
    """
    worker, oracle, wanted = LiveWorker(world, hours_per_sweep * HOUR), Oracle(world.truth), carried_by_campaigns(world)
    rows = list(worker.complaints())
    found: dict[str, Crossing] = {}
    due: list[Crossing] = []

    def look_again(until: float) -> None:
        while due and due[0].at + LATER < until:
            crossing = due.pop(0)
            worker.decide(crossing.at + LATER)
            raw = oracle.raw(crossing.target)
            crossing.protected_later = worker.independent(crossing.target, raw) < THRESHOLD
            crossing.oracle_later = oracle.count(crossing.target) < THRESHOLD

    for first, last in ticks([at for at, _, _ in rows], tick_seconds):
        look_again(rows[first][0])  # nothing happens between two ticks
        worker.tick(first, last)
        progress(last, len(rows), worker.sweeps)
        reached: dict[str, float] = {}
        for at, account, target in rows[first:last]:
            oracle.see(account, target)
            if target in wanted and target not in found and oracle.raw(target) >= THRESHOLD:
                reached.setdefault(target, at)
        for target, at in reached.items():
            protected = worker.independent(target, oracle.raw(target)) < THRESHOLD
            knows = oracle.count(target) < THRESHOLD
            about = (world.generator, world.wanted.seed, world.wanted.size, target, oracle.kind(target), at)
            found[target] = Crossing(*about, protected, knows, protected, knows)
            due.append(found[target])
    look_again(float("inf"))
    return list(found.values())


def report(several: Sequence[Crossing]) -> Iterator[str]:
    """The table as lines: pooled, by generator, and each generator's campaigns."""
    yield f"{'':34} targets   at once  oracle  of oracle   an hour later  oracle  of oracle"
    yield _row("all", several)
    for generator in dict.fromkeys(c.generator for c in several):
        here = [c for c in several if c.generator == generator]
        yield _row(generator, here)
        for kind in sorted({c.kind for c in here}):
            yield _row(f"  {kind}", [c for c in here if c.kind == kind])


def _row(name: str, some: Sequence[Crossing]) -> str:
    at_once = [c.protected for c in some if c.oracle]
    later = [c.protected_later for c in some if c.oracle_later]
    low, high = wilson(sum(later), len(later))
    return (
        f"{name:34} {len(some):7}   {_share([c.protected for c in some])}   {_share([c.oracle for c in some])}"
        f"  {_share(at_once)}          {_share([c.protected_later for c in some])}"
        f"   {_share([c.oracle_later for c in some])}  {_share(later)} ({sum(later)} of {len(later)};"
        f" {low:.1%} to {high:.1%})"
    )


def _share(values: Sequence[bool]) -> str:
    return f"{sum(values) / len(values):7.1%}" if values else "      –"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generators", nargs="+", default=list(GENERATORS), choices=list(GENERATORS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1])
    parser.add_argument("--sizes", nargs="+", type=int, default=[2_000, 6_000], help="complaints, about")
    parser.add_argument("--unknown", action="store_true", help="without outcomes")
    parser.add_argument(
        "--hours-per-sweep", type=float, default=1, metavar="HOURS", help="of the stream; 1 as deployed"
    )
    parser.add_argument("--tick-seconds", type=float, default=60, metavar="SECONDS", help="of the stream")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the targets, one a line, appended")
    parser.add_argument("--from", dest="files", type=Path, nargs="+", metavar="FILE", help="pool these instead")
    chosen = parser.parse_args()
    several: list[Crossing] = []
    if chosen.files:
        several = [Crossing(**json.loads(line)) for path in chosen.files for line in path.open(encoding="utf-8")]
    else:
        for world in _worlds(chosen):
            name, before = f"{world.generator} {world.wanted.size} s{world.wanted.seed}", time.process_time()
            found = crossings(
                world,
                hours_per_sweep=chosen.hours_per_sweep,
                tick_seconds=chosen.tick_seconds,
                progress=_progress(name, before),
            )
            seconds = time.process_time() - before
            print(f"{name}: {len(found)} targets, {seconds:.0f} s", file=sys.stderr, flush=True)
            several += found
            if chosen.json is not None:
                with chosen.json.open("a", encoding="utf-8") as file:
                    file.writelines(json.dumps(asdict(crossing)) + "\n" for crossing in found)
    print(*report(several), sep="\n")


def _progress(name: str, began: float) -> Callable[[int, int, int], None]:
    tenths = 0

    def progress(done: int, of: int, sweeps: int) -> None:
        nonlocal tenths
        if 10 * done // of > tenths:
            tenths = 10 * done // of
            seconds = time.process_time() - began
            print(
                f"{name}: {done:,} of {of:,} complaints, {sweeps} sweeps, {seconds:.0f} s", file=sys.stderr, flush=True
            )

    return progress


def _worlds(chosen: argparse.Namespace) -> Iterable[World]:
    for size in chosen.sizes:
        for name in chosen.generators:
            for seed in chosen.seeds:
                world = draw(name, Wanted(seed, size))
                yield replace(world, outcomes=[]) if chosen.unknown else world


if __name__ == "__main__":
    main()
