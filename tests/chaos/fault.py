"""What a fault is. Each file of faults has a function that lists its own; faults.py has the list of those files."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil
from installation import Installation

Strike = Callable[[Installation, random.Random], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault.

    `strike` raises where the fault did not happen, and returns once everything that was taken away has been given back
    (what `up` restarts by itself aside).
    """

    name: str
    kills: int  # processes killed per strike
    weight: float  # how often, relative to the others
    strike: Strike


def running(installation: Installation, part: str) -> psutil.Process:
    """The process. Another fault of the same volley may have killed it: then its replacement. Raises TimeoutError."""
    deadline = time.monotonic() + 15
    while (process := installation.parts().get(part)) is None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{part} was not restarted within 15 s")
        time.sleep(0.05)
    return process


def kill(process: psutil.Process) -> None:
    """Returns once it is gone. Raises psutil.Error."""
    process.kill()
    process.wait(15)
