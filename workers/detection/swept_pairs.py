"""What the pairs of a whole window come to, from wherever they were computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from service.policy import Policy
from workers.detection.arrays import Floats, Ints
from workers.detection.growth import Affinity
from workers.detection.window import Complaints


@dataclass(frozen=True, slots=True)
class SweptPairs:
    """The pairs of a window as a sweep needs them. Reporters are the caller's keys."""

    affinity: Affinity
    pairs_met: int  # m: distinct pairs that met
    joined: int  # of those, the pairs that met twice or more
    cut: int  # as in pairs.Meetings
    first: Ints  # pairs with a p of at most policy.weak_p
    second: Ints
    p: Floats
    near_first: Ints  # pairs that met in_step.MEETINGS times and more within the smallest scale
    near_second: Ints
    near: Ints  # how often they did


PairSweep = Callable[[Policy, Complaints], SweptPairs | None]  # None: the detector computes them itself


def in_numpy(policy: Policy, batch: Complaints) -> None:
    """The detector computes the pairs itself."""
