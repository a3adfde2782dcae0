"""Which crowds and campaigns a world has: what was named, or what a community of that size has room for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from bench.worlds.place import Place

TURNS = ((25_000, 3), (10_000, 2), (0, 1))  # complaints from which on a kind may occur so often in four weeks
CROWDS_SHARE, CAMPAIGNS_SHARE = 0.32, 0.15  # of all complaints, at most, where nothing was named


@dataclass(frozen=True, slots=True)
class Plan:
    """One kind of crowd or campaign. `draw` gets the place and the name of this occurrence."""

    draw: Callable[[Place, str], None]
    cost: float  # complaints of one occurrence at scale 1, roughly
    least: int = 500  # complaints of the smallest world that has it unasked
    once: bool = False  # whether one occurrence is all of it


def choose(
    plans: Mapping[str, Plan], named: tuple[str, ...] | None, place: Place, share: float, rng: np.random.Generator
) -> list[str]:
    """Names of kinds, with repetitions, that fill about `share` of the world's complaints; or exactly `named`.

    Raises ValueError for a name that the generator does not have.
    """
    if named is not None:
        unknown = sorted(set(named) - plans.keys())
        if unknown:
            raise ValueError(f"unknown kind {', '.join(unknown)}; this generator has {', '.join(sorted(plans))}")
        return list(named)
    room = share * place.size
    chosen: list[str] = []
    turns = next(most for least, most in TURNS if place.size >= least)
    for turn in range(turns):
        for name in rng.permutation(sorted(plans)).tolist():
            plan = plans[name]
            cost = plan.cost * place.scale
            if cost <= min(room, 0.6 * share * place.size) and place.size >= plan.least and not (turn and plan.once):
                chosen.append(name)
                room -= cost
    return chosen


def populate(place: Place, crowds: Mapping[str, Plan], campaigns: Mapping[str, Plan], *, excess: float) -> None:
    """Plant honest crowds and campaigns, then file the ordinary complaints that are missing, `excess` times as many.

    Raises ValueError when what was named does not fit into the size that was asked for.
    """
    wanted, ledger = place.ledger.wanted, place.ledger
    for name in choose(crowds, wanted.crowds, place, CROWDS_SHARE, place.rng):
        crowds[name].draw(place, name)
    if not wanted.organic:
        _plant_campaigns(place, choose(campaigns, wanted.campaigns, place, CAMPAIGNS_SHARE, place.rng), campaigns)
    planned = ledger.planned()
    if planned > 1.1 * wanted.size:
        raise ValueError(f"the kinds that were named file {planned} complaints; size is {wanted.size}, ask for more")
    place.ordinary(int(excess * max(0, wanted.size - planned)) + 50)


def _plant_campaigns(place: Place, kinds: list[str], plans: Mapping[str, Plan]) -> None:
    """Campaigns with the names "call list 1", "call list 2" and so on."""
    count: dict[str, int] = {}
    for kind in kinds:
        count[kind] = count.get(kind, 0) + 1
        name = f"{kind} {count[kind]}"
        place.ledger.kind_of_campaign[name] = kind
        plans[kind].draw(place, name)
