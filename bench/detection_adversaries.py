"""Worlds with adversaries who know how detection works, made with the evaluation's own generator.

Each kind is placed twice into an ordinary world with its honest crowds but without its ordinary campaigns. What is
placed and what it costs is documented at each kind; docs/detection-first-worlds.md has the results, good and bad.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

DAY = 86_400.0
INSTANCES = 2
CAMPUS_PRINT = 7  # the fingerprint of one network
# of the affine plane that block designs are lines and points of: 56 accounts, 49 targets, eight complaints on each
ORDER = 7


@dataclass(frozen=True, slots=True)
class Evasion:
    """How a group goes about it, and what that costs it."""

    what: str
    accounts: int
    targets: int
    share: float  # of the accounts that take part at a target
    lag_seconds: float | None  # mean delay after the call; None: anywhere in three days
    decoys: float  # complaints elsewhere for each hit
    cost: str


EVASIONS: dict[str, Evasion] = {
    "plain": Evasion(
        "none of it: 25 accounts, 12 targets, within the hour (what flag and withdraw starts from)",
        25,
        12,
        0.75,
        900,
        0,
        "nothing",
    ),
    "decoy": Evasion(
        "ten decoys a hit, on popular targets", 25, 12, 0.75, 900, 10, "eleven complaints for one that counts"
    ),
    "subset-author": Evasion(
        "random 15 % subsets against one author", 30, 30, 0.15, 3_600, 0, "30 accounts for 4 to 5 complaints a target"
    ),
    "subset-many": Evasion(
        "random 15 % subsets against many", 30, 30, 0.15, 3_600, 0, "30 accounts for 4 to 5 complaints a target"
    ),
    "block-author": Evasion(
        "a block design against one author: no two accounts share two targets",
        ORDER**2 + ORDER,
        ORDER**2,
        1 / ORDER,
        3_600,
        0,
        "56 accounts for just the eight complaints a target that remove it",
    ),
    "block-many": Evasion(
        "a block design against many",
        ORDER**2 + ORDER,
        ORDER**2,
        1 / ORDER,
        3_600,
        0,
        "56 accounts for just the eight complaints a target that remove it",
    ),
    "jitter": Evasion("spread over three days", 25, 12, 0.75, None, 1, "the target stands for days"),
    "loose": Evasion(
        "30 % of 40 accounts, within 6 h",
        40,
        25,
        0.3,
        6 * 3_600,
        1,
        "40 accounts for 12 complaints a target, half a day",
    ),
    "small": Evasion(
        "8 accounts, 6 targets, 60 %", 8, 6, 0.6, 1_800, 1, "below 8 complaints a target: removes nothing by itself"
    ),
    "one-article": Evasion("inside one article", 20, 8, 0.7, 900, 0, "cannot follow anybody to the next article"),
    "farm": Evasion(
        "reputation first: 15 early complaints each about what everybody reports",
        25,
        12,
        0.75,
        900,
        15,
        "sixteen complaints for one that counts, days of honest work",
    ),
    "frame": Evasion(
        "complains beside honest readers, wherever they do", 12, 0, 0.5, 300, 1, "hits only what others report anyway"
    ),
}


def generator(folder: Path) -> ModuleType:
    """The evaluation's worlds.py."""
    found = importlib.util.spec_from_file_location("evaluation_worlds", folder / "worlds.py")
    assert found is not None and found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def write(folder: Path, out: Path, seed: int, organic: int) -> None:
    """Generate the adversaries' world of this seed into `out`."""
    module = generator(folder)
    world = module.World(seed, organic, 28)
    _campus(world)
    for kind in module.NEG[:4]:
        for k in range(3):
            world.hard_negative(kind, k)
    for name, evasion in EVASIONS.items():
        for k in range(INSTANCES):
            (_frame if name == "frame" else _lay)(world, name, evasion, k)
    module.export(world.frame(), {"rep": world.truth_rep, "tgt": world.truth_tgt, "days": 28}, str(out), seed)


def _campus(world: Any) -> None:
    """60 honest accounts behind one address; named by one ordinary complaint each, so that truth.json knows them."""
    members = world.rng.choice(np.flatnonzero(world.act < 50), 60, replace=False)
    world.fp[members] = CAMPUS_PRINT
    _on_popular(world, members, np.full(len(members), 3 * DAY), 20 * DAY, "campus")


def _on_popular(world: Any, who: Any, since: Any, span: float, label: str) -> None:
    """Ordinary complaints of these reporters, one a row, about what everybody reports within `span` seconds after
    `since`.
    """
    hot = np.flatnonzero((world.c_t > float(np.min(since))) & (world.c_t < float(np.min(since)) + span))
    weight = (world.a_pop[world.c_art] * world.c_heat)[hot]
    chosen = world.rng.choice(hot, len(who), p=weight / weight.sum())
    world.add(who, chosen, world.c_t[chosen] + world.rng.lognormal(np.log(5 * 3_600), 1, len(who)), label, 0)


def _lay(world: Any, name: str, evasion: Evasion, k: int) -> None:
    rng, label, start = world.rng, f"{name}_{k}", world.rng.uniform(5, world.days - 12) * DAY
    accounts = world.new_reps(evasion.accounts, ages=start, fresh_frac=0.0, fp_share=0.0)
    targets = _targets(world, name, evasion.targets, start)
    hits = 0
    lines = _lines_through_points() if name.startswith("block") else None
    for k, target in enumerate(targets):
        who = accounts[lines[k]] if lines is not None else accounts[rng.random(evasion.accounts) < evasion.share]
        called = world.c_t[target] + rng.lognormal(np.log(4 * 3_600), 0.7)
        lag = (
            rng.uniform(0, 3 * DAY, len(who))
            if evasion.lag_seconds is None
            else rng.exponential(evasion.lag_seconds, len(who))
        )
        world.add(who, np.full(len(who), target), called + lag, label, 1)
        hits += len(who)
    if name == "farm":
        _on_popular(
            world, np.repeat(accounts, int(evasion.decoys)), np.array([start - 5 * DAY]), 5 * DAY, f"{label}_camo"
        )
    elif evasion.decoys:
        _on_popular(
            world, rng.choice(accounts, int(hits * evasion.decoys)), np.array([start]), 10 * DAY, f"{label}_camo"
        )
    _tell(world, label, accounts, targets)


def _lines_through_points() -> list[list[int]]:
    """The affine plane of order ORDER: the numbers of the lines through each point.

    Two lines meet in one point at most.
    """
    q = ORDER
    return [[slope * q + (y - slope * x) % q for slope in range(q)] + [q * q + x] for x in range(q) for y in range(q)]


def _targets(world: Any, name: str, number: int, start: float) -> Any:
    rng = world.rng
    if name == "one-article":
        article = rng.choice(
            np.flatnonzero((world.a_t > start) & (world.a_t < start + 5 * DAY) & (np.diff(world.off) > 30))
        )
        return rng.choice(np.arange(world.off[article], world.off[article + 1]), number, replace=False)
    author = None
    if name.endswith("-author"):
        inside = (world.c_t > start) & (world.c_t < start + 10 * DAY) & (world.c_bad < 0.25)
        count = np.bincount(world.c_auth[inside])
        good = np.flatnonzero((count >= number) & (count < 120))
        author = rng.choice(good) if len(good) else count.argmax()
    return world.innocent(number, start, start + 10 * DAY, author)


def _frame(world: Any, name: str, evasion: Evasion, k: int) -> None:
    """Accounts that turn up within minutes wherever eight honest readers complain, so that these look like members."""
    rng, label, start = world.rng, f"{name}_{k}", world.rng.uniform(5, world.days - 12) * DAY
    who, what, when, labels = (np.concatenate([part[column] for part in world.ev]) for column in range(4))
    inside = (when > start) & (when < start + 10 * DAY) & (labels == "org")
    readers, count = np.unique(who[inside], return_counts=True)
    victims = rng.choice(readers[(count >= 4) & (count <= 12)], 8, replace=False)
    theirs = np.flatnonzero(inside & np.isin(who, victims))
    accounts = world.new_reps(evasion.accounts, ages=start, fresh_frac=0.0, fp_share=0.0)
    for row in theirs:
        mine = accounts[rng.random(evasion.accounts) < evasion.share]
        world.add(
            mine, np.full(len(mine), what[row]), when[row] + rng.exponential(evasion.lag_seconds, len(mine)), label, 1
        )
    _on_popular(world, victims, np.array([start]), 10 * DAY, f"framed_{k}")  # names them in truth.json
    _tell(world, label, accounts, np.unique(what[theirs]))


def _tell(world: Any, label: str, accounts: Any, targets: Any) -> None:
    for reporter in accounts:
        world.truth_rep[int(reporter)] = label
    for target in targets:
        world.truth_tgt[int(target)] = label
    world.violate[targets] = world.rng.random(len(targets)) < 0.1
