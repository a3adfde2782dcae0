"""The generators by name."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import bench.worlds.network as network
import bench.worlds.newspaper as newspaper
import bench.worlds.town as town
from bench.worlds.documents import RULE_QUOTER
from bench.worlds.planning import Plan
from bench.worlds.world import Wanted, World


@dataclass(frozen=True, slots=True)
class Generator:
    """One imagination: how it draws a world, and which kinds it has."""

    draw: Callable[[Wanted], World]
    crowds: Mapping[str, Plan]
    campaigns: Mapping[str, Plan]

    @property
    def honest_kinds(self) -> tuple[str, ...]:
        """Every honest kind that may stand in a truth, ordinary people aside."""
        return *sorted(self.crowds), RULE_QUOTER


GENERATORS: Mapping[str, Generator] = {
    "newspaper": Generator(newspaper.draw, newspaper.CROWDS, newspaper.CAMPAIGNS),
    "network": Generator(network.draw, network.CROWDS, network.CAMPAIGNS),
    "town": Generator(town.draw, town.CROWDS, town.CAMPAIGNS),
}


def draw(name: str, wanted: Wanted) -> World:
    """The world of that generator. Raises ValueError for an unknown generator, crowd or campaign."""
    if name not in GENERATORS:
        raise ValueError(f"unknown generator {name!r}; choose from {', '.join(GENERATORS)}")
    return GENERATORS[name].draw(wanted)


def worlds_of(chosen: argparse.Namespace) -> Iterator[World]:
    """The worlds of the chosen sizes, generators and seeds."""
    for size in chosen.sizes:
        for name in chosen.generators:
            for seed in chosen.seeds:
                yield draw(name, Wanted(seed, size, organic=chosen.organic))
