"""What all measurements print: the machine, and each figure with its bar."""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Sequence


def parser_of(documentation: str | None) -> argparse.ArgumentParser:
    """A parser with the option that all measurements share."""
    parser = argparse.ArgumentParser(description=documentation, formatter_class=_HelpFormatter)
    parser.add_argument(
        "--quick",
        action="store_true",
        help="run a small version for some seconds, which checks that the measurement works; ignore its figures",
    )
    return parser


class _HelpFormatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Shows the defaults of options; leaves the description's lines as they are."""


def print_machine() -> None:
    """Print cores, load and Python, which every figure depends on."""
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    print(
        f"machine: {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, load {load}",
        flush=True,
    )


def quantile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not exceed (nearest rank). Raises ValueError without values."""
    if not values:
        raise ValueError("cannot compute a quantile of no values")
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
    """Print one figure with its bar, if it has one. Returns whether it meets the bar, True without one.

    Quick runs are not compared with bars.
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
