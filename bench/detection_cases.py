"""Worlds with honest groups that closely resemble a brigade, for the two parts of detection that no other world tests.

*watch*: a brigade and ten volunteers on the same author. The volunteers report his bad comments and the brigade his
harmless ones, and both report some of the same comments in the same hours. *readers*: forty regulars who all read one
popular article and report four of its ten heated comments each within an evening; four friends among them also read
other things together, so that growing a group from the friends reaches the readers. The usual honest crowds are present
as well, but no other campaign.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from detection_adversaries import DAY, generator

CASES = 4  # of each in a world
BRIGADE, VOLUNTEERS, READERS, FRIENDS = 20, 10, 40, 4
EACH, SHARED = 12, 4  # targets of the brigade's own and of the volunteers' own; targets of both
HEATED, ELSEWHERE = 10, 5  # comments of the article; what the friends report together in other articles


def write(folder: Path, out: Path, seed: int, organic: int) -> None:
    """Generate the world of this seed into `out`."""
    module = generator(folder)
    world = module.World(seed, organic, 28)
    for kind in module.NEG[:4]:
        for k in range(3):
            world.hard_negative(kind, k)
    for k in range(CASES):
        _watched_author(world, k)
        _popular_article(world, k)
    module.export(world.frame(), {"rep": world.truth_rep, "tgt": world.truth_tgt, "days": 28}, str(out), seed)


def _watched_author(world: Any, k: int) -> None:
    rng, label, start = world.rng, f"brigade_{k}", world.rng.uniform(5, world.days - 12) * DAY
    span = (world.c_t > start) & (world.c_t < start + 9 * DAY)
    count = np.bincount(world.c_auth[span])
    needed = 2 * EACH + SHARED
    good = np.flatnonzero((count >= needed) & (count < 120))
    theirs = np.flatnonzero(span & (world.c_auth == (rng.choice(good) if len(good) else count.argmax())))
    chosen = rng.choice(theirs, min(needed, len(theirs)), replace=False)
    own, watched, both = np.split(chosen, [EACH, 2 * EACH])
    brigade = world.new_reps(BRIGADE, ages=start, fresh_frac=0.0, fp_share=0.0)
    volunteers = world.new_reps(VOLUNTEERS, fp_share=0.0)
    for target in (*own, *both):
        called = world.c_t[target] + rng.lognormal(np.log(4 * 3_600), 0.7)
        who = brigade[rng.random(BRIGADE) < 0.75]
        world.add(who, np.full(len(who), target), called + rng.exponential(1_800, len(who)), label, 1)
    for target in (*watched, *both):
        seen = world.c_t[target] + rng.lognormal(np.log(4 * 3_600), 0.7)
        who = volunteers[rng.random(VOLUNTEERS) < 0.7]
        world.add(who, np.full(len(who), target), seen + rng.uniform(0, 5_400, len(who)), f"watch_{k}", 0)
    for reporter in brigade:
        world.truth_rep[int(reporter)] = label
    for target in (*own, *both):
        world.truth_tgt[int(target)] = label
    world.violate[own] = rng.random(len(own)) < 0.1
    world.violate[watched] = rng.random(len(watched)) < 0.96
    world.violate[both] = rng.random(len(both)) < 0.5


def _popular_article(world: Any, k: int) -> None:
    rng = world.rng
    article = rng.choice(
        np.flatnonzero((world.a_t > 2 * DAY) & (world.a_t < (world.days - 8) * DAY) & (np.diff(world.off) > 40))
    )
    comments = rng.choice(np.arange(world.off[article], world.off[article + 1]), HEATED, replace=False)
    # who report other things as well
    readers = rng.choice(np.flatnonzero((world.act > 2) & (world.act < 20)), READERS, replace=False)
    evening = world.a_t[article] + 6 * 3_600
    for reader in readers:
        mine = rng.choice(comments, int(rng.integers(3, 6)), replace=False)
        world.add(
            np.full(len(mine), reader),
            mine,
            np.maximum(evening + rng.uniform(0, 3 * 3_600), world.c_t[mine] + 30) + rng.exponential(90, len(mine)),
            f"readers_{k}",
            0,
        )
    friends = readers[:FRIENDS]
    for target in world.innocent(ELSEWHERE, evening, evening + 5 * DAY):
        world.add(
            friends,
            np.full(FRIENDS, target),
            world.c_t[target] + 3_600 + rng.exponential(1_800, FRIENDS),
            f"readers_{k}",
            0,
        )
