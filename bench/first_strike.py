"""What is known at the eighth complaint of a group that nobody has seen: the one-shot tier on one new target.

    python -m bench.first_strike [--generators newspaper network town] [--seeds 11 12 13 14] [--sizes 2000 6000]

Fourteen accounts complain about one new comment, a second apart, in a live detector that holds a world up to the
evening of its 20th day. Counted is in how many worlds the crowd is coordinated in the tick of its eighth complaint, and
of its fourteenth: when nothing speaks against them but their simultaneity; when all accounts are three days old; when
they share seven devices; when they use one wording of fourteen words; and when honest people do the same with one of
those signs in four of them.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from bench.in_step import NEW, Planted, Town, columns_of, part
from bench.worlds.catalogue import GENERATORS
from bench.worlds.world import DAY, Wanted
from service.intake.text_fingerprints import signature_of
from service.moderation.score import coordination
from service.policy import DEFAULT_POLICY
from workers.detection.window import Complaints

SIZE, LOOKS = 14, (8, 14)
WORDS = "please take this down at once he insults everybody here every single day again"


@dataclass(frozen=True, slots=True)
class Strike:
    """How many of the fourteen show each sign."""

    new: int = 0
    devices: int = 0
    copies: int = 0


STRIKES = {
    "no sign": Strike(),
    "all three days old": Strike(new=SIZE),
    "all on shared devices": Strike(devices=SIZE),
    "all with one wording": Strike(copies=SIZE),
    "honest, four of fourteen are new": Strike(new=4),
    "honest, four share devices": Strike(devices=4),
    "honest, four copy": Strike(copies=4),
}


def complaints(town: Town, strike: Strike) -> Complaints:
    """The fourteen complaints."""
    who = np.arange(SIZE)
    zeros = np.zeros(SIZE, np.int64)
    c = columns_of(Planted(who, zeros, zeros, who.astype(float)), int(town.held.seq.max()) + 1_000_000, 0.001)
    age = np.where(who < strike.new, 3 * DAY, 500 * DAY) * 1000
    texts = {int(seq): signature_of(WORDS) for seq in c.seq[: strike.copies].tolist()}
    return replace(
        c,
        created_ms=c.time_ms - age.astype(np.int64),
        fingerprint=np.where(who < strike.devices, NEW + who // 2, NEW + 100 + who),
        texts={seq: signature for seq, signature in texts.items() if signature is not None},
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generators", nargs="+", default=list(GENERATORS), choices=list(GENERATORS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[11, 12, 13, 14])
    parser.add_argument("--sizes", nargs="+", type=int, default=[2_000, 6_000])
    chosen = parser.parse_args()
    found: Counter[tuple[str, int]] = Counter()
    worlds = 0
    for size in chosen.sizes:
        for name in chosen.generators:
            for seed in chosen.seeds:
                print(f"{name} {size} s{seed}", file=sys.stderr, flush=True)
                town = Town(name, Wanted(seed, size))
                worlds += 1
                for kind, strike in STRIKES.items():
                    live, mine = town.live(), complaints(town, strike)
                    for k in range(SIZE):
                        groups = live.tick(part(mine, np.arange(k, k + 1)))
                        known = any(
                            coordination(g.evidence) > DEFAULT_POLICY.flag_score and NEW in g.targets for g in groups
                        )
                        if k + 1 in LOOKS:
                            found[kind, k + 1] += known
    print(f"{'worlds in which the crowd is coordinated, of ' + str(worlds):50} at the 8th  at the 14th")
    for kind in STRIKES:
        print(f"{kind:50} {found[kind, 8]:10}  {found[kind, 14]:11}")


if __name__ == "__main__":
    main()
