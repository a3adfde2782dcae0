"""Are the probabilities true? Predicted against observed shares, over the groups of many worlds.

    python -m bench.worlds.calibration [--generators newspaper network town] [--seeds 1 2] [--sizes 2000 6000]
                                       [--organic] [--days-apart 3] [--json FILE] [--from FILE ...]

probability             of every group that is measured, before any threshold, in windows three days apart. True by two
                        definitions: "campaign" (half of the accounts in one campaign) and "acts together" (that, or
                        half in one honest kind that acts together by design: labels.TOGETHER).
unfounded_probability   of the clusters as they stood on those days, of which the service says that they act together
                        (flagged or reliable), and of those that truly do; with the outcomes known by that day, and with
                        none. True: half of the accounts in one campaign.

Bins are fixed (0, .1, .3, .5, .7, .9, 1). The error is |mean prediction - observed share| of each bin, weighted by its
groups. Brier stands beside that of the base rate, which predicts the same for every group. --json appends one group a
line; --from pools such files again, without running anything.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from bench.worlds.catalogue import GENERATORS, worlds_of
from bench.worlds.detection import DAYS_APART, Auditor
from bench.worlds.labels import label_of
from bench.worlds.score import wilson
from bench.worlds.standing import StandingClusters
from bench.worlds.world import World

EDGES = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
PROBABILITY, UNFOUNDED = "probability", "unfounded_probability"
KNOWN, UNKNOWN = "outcomes known", "outcomes unknown"


@dataclass(frozen=True, slots=True)
class Forecast:
    """One number that the service gave for one group on one day, and what is true."""

    generator: str
    seed: int
    size: int
    day: float
    number: str  # PROBABILITY or UNFOUNDED
    outcomes: str  # KNOWN or UNKNOWN; "" for PROBABILITY, which outcomes do not change
    predicted: float
    kind: str  # what most accounts are
    is_campaign: bool
    acts_together: bool


@dataclass(frozen=True, slots=True)
class Bin:
    """Forecasts from `low` to below `high` (1 included in the last)."""

    low: float
    high: float
    groups: int
    predicted: float  # mean
    true: int


@dataclass(frozen=True, slots=True)
class Reliability:
    """How far predicted and observed shares lie apart."""

    groups: int
    base_rate: float
    error: float
    brier: float
    brier_of_base_rate: float
    bins: tuple[Bin, ...]  # empty ones left out


def reliability(predicted: Sequence[float], true: Sequence[bool], edges: Sequence[float] = EDGES) -> Reliability:
    """The reliability of forecasts (same length). Raises ValueError without any, or for one outside the edges."""
    p, y = np.asarray(predicted, float), np.asarray(true, float)
    if not len(p):
        raise ValueError("reliability needs at least one forecast")
    if p.min() < edges[0] or p.max() > edges[-1]:
        raise ValueError(f"forecasts reach from {p.min()} to {p.max()}; the bins from {edges[0]} to {edges[-1]}")
    number = np.minimum(np.searchsorted(edges, p, "right") - 1, len(edges) - 2)
    bins = tuple(
        Bin(low, high, int(inside.sum()), float(p[inside].mean()), int(y[inside].sum()))
        for k, (low, high) in enumerate(pairwise(edges))
        if (inside := number == k).any()
    )
    error = sum(b.groups * abs(b.predicted - b.true / b.groups) for b in bins) / len(p)
    base = float(y.mean())
    return Reliability(len(p), base, error, float(((p - y) ** 2).mean()), base * (1 - base), bins)


def forecasts_of(world: World, days_apart: int = DAYS_APART) -> Iterator[Forecast]:
    """Every forecast about the groups of one world."""
    about = (world.generator, world.wanted.seed, world.wanted.size)
    for candidate in Auditor().candidates(world, days_apart):
        label = label_of(candidate.accounts, world.truth)
        truths = (label.kind, label.is_campaign, label.acts_together)
        yield Forecast(*about, candidate.day, PROBABILITY, "", candidate.probability, *truths)
    clusters = StandingClusters(days_apart)
    for outcomes, seen in ((KNOWN, world), (UNKNOWN, replace(world, outcomes=[]))):
        for cluster in clusters.audit(seen):
            label = label_of(cluster.accounts, world.truth)
            truths = (label.kind, label.is_campaign, label.acts_together)
            yield Forecast(*about, cluster.day, UNFOUNDED, outcomes, cluster.unfounded_probability, *truths)


def tables(forecasts: Sequence[Forecast]) -> Iterator[tuple[str, Reliability]]:
    """Every reliability that is asked for, by title: pooled first, then each generator."""
    measures = [
        (f"{PROBABILITY}, true: campaign", PROBABILITY, "", False, "is_campaign"),
        (f"{PROBABILITY}, true: acts together", PROBABILITY, "", False, "acts_together"),
    ]
    for outcomes in (KNOWN, UNKNOWN):
        title = f"{UNFOUNDED}, {outcomes}, true: campaign; clusters that"
        measures.append((f"{title} the service calls coordinated", UNFOUNDED, outcomes, False, "is_campaign"))
        measures.append((f"{title} truly act together", UNFOUNDED, outcomes, True, "is_campaign"))
    generators = list(dict.fromkeys(f.generator for f in forecasts))
    for title, number, outcomes, only_together, truth in measures:
        mine = [
            f
            for f in forecasts
            if f.number == number and f.outcomes == outcomes and (f.acts_together or not only_together)
        ]
        for generator in (None, *generators):
            some = [f for f in mine if generator is None or f.generator == generator]
            if some:
                true = [bool(getattr(f, truth)) for f in some]
                yield f"{title} [{generator or 'all'}]", reliability([f.predicted for f in some], true)


def lines_of(title: str, found: Reliability) -> list[str]:
    """One reliability as text; the bins' observed shares carry Wilson intervals."""
    base = f"base rate {found.base_rate:.2f}: {found.brier_of_base_rate:.3f}"
    lines = [title, f"  {found.groups} groups, error {found.error:.3f}, Brier {found.brier:.3f} ({base})"]
    for b in found.bins:
        low, high = wilson(b.true, b.groups)
        lines.append(
            f"    {b.low:.1f} to {b.high:.1f} {b.groups:6} groups  predicted {b.predicted:.3f}"
            f"  observed {b.true / b.groups:.3f}  ({low:.3f} to {high:.3f})"
        )
    return lines


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generators", nargs="+", default=list(GENERATORS), choices=list(GENERATORS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1])
    parser.add_argument("--sizes", nargs="+", type=int, default=[2_000, 6_000], help="complaints, about")
    parser.add_argument("--organic", action="store_true", help="worlds without campaigns")
    parser.add_argument("--days-apart", type=int, default=DAYS_APART, metavar="DAYS", help="between two windows")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the forecasts, one a line, appended")
    parser.add_argument("--from", dest="files", type=Path, nargs="+", metavar="FILE", help="pool these instead")
    chosen = parser.parse_args()
    forecasts: list[Forecast] = []
    if chosen.files:
        forecasts = [Forecast(**json.loads(line)) for path in chosen.files for line in path.open(encoding="utf-8")]
    else:
        for world in worlds_of(chosen):
            before = time.process_time()
            found = list(forecasts_of(world, chosen.days_apart))
            name = f"{world.generator} {world.wanted.size} s{world.wanted.seed}"
            print(f"{name}: {len(found)} forecasts, {time.process_time() - before:.0f} s", file=sys.stderr, flush=True)
            forecasts += found
            if chosen.json is not None:
                with chosen.json.open("a", encoding="utf-8") as file:
                    file.writelines(json.dumps(asdict(f)) + "\n" for f in found)
    for title, measured in tables(forecasts):
        print(*lines_of(title, measured), "", sep="\n", flush=True)


if __name__ == "__main__":
    main()
