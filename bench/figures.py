"""What every measurement prints: the machine, and each figure beside its bar."""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Sequence


def parser_of(documentation: str | None) -> argparse.ArgumentParser:
    """A parser with the option that all measurements share."""
    parser = argparse.ArgumentParser(description=documentation, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--quick",
        action="store_true",
        help="a small form of some seconds that shows that the measurement runs; its figures say little",
    )
    return parser


def print_machine() -> None:
    """Cores, load and Python: a figure without them says nothing."""
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    print(
        f"machine: {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, load {load}",
        flush=True,
    )


def quantile(values: Sequence[float], share: float) -> float:
    """The value that `share` of them lie at or below (nearest rank); ValueError for none."""
    if not values:
        raise ValueError("no values: a quantile of nothing was asked for")
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def show(
    measure: str,
    value: float,
    *,
    at_most: float | None = None,
    at_least: float | None = None,
    unit: str = "",
    digits: int = 1,
    quick: bool = False,
) -> bool:
    """Print one figure, with its bar where it has one; True when it has none or meets it.

    The quick form is not held to bars.
    """
    met, bar = True, ""
    for limit, sign, holds in (
        (at_most, "<=", at_most is None or value <= at_most),
        (at_least, ">=", at_least is None or value >= at_least),
    ):
        if limit is not None:
            met = met and holds
            bar = f"bar {sign} {limit:,g}{unit}" + ("" if quick else "  met" if holds else "  MISSED")
    print(f"{measure:64} {value:>12,.{digits}f}{unit:3} {bar}".rstrip(), flush=True)
    return met
