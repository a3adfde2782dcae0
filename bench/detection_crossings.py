"""Targets that only a campaign brings to the removal threshold: were they below it by the independent count, and could
they have been? PURE.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean


@dataclass(slots=True)
class Crossing:
    """A target that only a campaign brings to the threshold: was it below by the independent count, and could it have
    been?
    """

    campaign: str
    at_once: bool
    oracle: bool
    later: bool | None = None  # None: the stream ended within the hour
    oracle_later: bool | None = None


def shares(found: Sequence[Crossing]) -> dict[str, float]:
    """Share of the targets below the threshold, at once and later, ours and the oracle's; of those the oracle saves,
    how many we do.
    """
    late = [c for c in found if c.later is not None]
    at_once, later = [c.at_once for c in found if c.oracle], [bool(c.later) for c in late if c.oracle_later]
    return {
        "targets": float(len(found)),
        "at_once": _mean([c.at_once for c in found]),
        "oracle": _mean([c.oracle for c in found]),
        "of_oracle": _mean(at_once),
        "later": _mean([bool(c.later) for c in late]),
        "oracle_later": _mean([bool(c.oracle_later) for c in late]),
        "of_oracle_later": _mean(later),
    }


def _mean(values: Sequence[bool]) -> float:
    return mean(values) if values else float("nan")


def by_kind(found: Sequence[Crossing]) -> dict[str, dict[str, float]]:
    """The shares of each kind of campaign."""
    kinds: dict[str, list[Crossing]] = defaultdict(list)
    for c in found:
        kinds[c.campaign.split("_")[0]].append(c)
    return {kind: shares(some) for kind, some in sorted(kinds.items())}
