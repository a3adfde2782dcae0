"""How many members of a known group have to come to a target until it is the group's?

    python -m bench.known_members [--generators newspaper network town] [--seeds 11 12 13 14] [--size 6000]

The first half of each world (14 days) is swept; every group on several targets is then taken for known, and its members
are looked for in the second half, where nothing of the first is in the window any more. Printed is on how many targets
two, three or four of them suffice: for campaigns that are coordinated, for honest groups that are, and for honest
groups that nearly are (log-odds from -4 to 0). What does a returning campaign lose, and what do people who were nearly
flagged?
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from bench.worlds.catalogue import GENERATORS, draw
from bench.worlds.detection import read
from bench.worlds.world import DAY, START, Wanted
from service.moderation.score import coordination
from service.policy import DEFAULT_POLICY, Policy
from workers.detection.detector import Detector
from workers.detection.groups import Group
from workers.detection.known_clusters import KnownCluster, KnownClusters
from workers.detection.returned_members import ReturnedMembers
from workers.detection.window import Window

LEAST = (2, 3, 4)
NEARLY = -4.0  # log-odds
CAMPAIGN, HONEST, NEARLY_HONEST = "campaigns", "honest, coordinated", "honest, nearly coordinated"


def targets_of(window: Window, group: Group, policy: Policy) -> int:
    """On how many targets of the window the group's members have returned."""
    known, none = KnownClusters(), np.empty(0, np.int32)
    known.keep("k", KnownCluster(group.reporters, 0))
    found = ReturnedMembers(policy, window, known).update(none, none, [], whole=True)
    return sum(len(back.targets) for back in found)


def counted(name: str, wanted: Wanted) -> Iterator[tuple[str, int, int]]:
    """(kind, members that suffice, targets) of each group of one world."""
    world = draw(name, wanted)
    history, _ = read(world)
    middle = int(np.searchsorted(history.complaints.time_ms, (START.timestamp() + 14 * DAY) * 1000))
    window = Window(DEFAULT_POLICY.window_seconds * 1000, tuple(s * 1000 for s in DEFAULT_POLICY.lag_scales))
    window.append(history.between(middle, len(history.complaints.time_ms)))
    members = world.truth.campaign_members()
    for group in Detector.sweep(DEFAULT_POLICY, history.between(0, middle))[1]:
        score = coordination(group.evidence)
        if group.kind != "repeat" or score <= NEARLY:
            continue
        guilty = 2 * sum(history.reporter_ids[r] in members for r in group.reporters) >= len(group.reporters)
        kind = (CAMPAIGN if guilty else HONEST) if score > 0 else NEARLY_HONEST
        if score <= 0 and guilty:
            continue
        for least in LEAST:
            yield kind, least, targets_of(window, group, replace(DEFAULT_POLICY, min_members=least))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generators", nargs="+", default=list(GENERATORS), choices=list(GENERATORS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[11, 12, 13, 14])
    parser.add_argument("--size", type=int, default=6_000)
    chosen = parser.parse_args()
    targets: Counter[tuple[str, int]] = Counter()
    groups: Counter[str] = Counter()
    for name in chosen.generators:
        for seed in chosen.seeds:
            print(f"{name} s{seed}", file=sys.stderr, flush=True)
            for kind, least, found in counted(name, Wanted(seed, chosen.size)):
                targets[kind, least] += found
                groups[kind] += least == LEAST[0]
    for kind in (CAMPAIGN, HONEST, NEARLY_HONEST):
        line = ", ".join(f"{least}: {targets[kind, least]}" for least in LEAST)
        print(f"{kind:28} {groups[kind]:3} groups; targets by how many suffice: {line}")


if __name__ == "__main__":
    main()
