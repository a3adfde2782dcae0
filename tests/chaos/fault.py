"""What a fault is. Each file of faults has a function that lists its own; faults.py has the list of those files."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from installation import Installation

Strike = Callable[[Installation, random.Random], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault.

    `strike` returns once everything that was taken away has been given back (what `up` restarts by itself aside).
    """

    name: str
    kills: int  # processes killed per strike
    weight: float  # how often, relative to the others
    strike: Strike
