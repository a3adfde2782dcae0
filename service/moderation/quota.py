"""The quota of new flags: a storm of campaigns must not bury the moderators.

A tenant gets so many new flags a UTC day of the clusters' `last_at` when first found; the rest is held back
(counted, shown, still discounting). One rule serves both sides: clusters found now and clusters held back
earlier are candidates of the same kind, so a raised limit releases the highest scores first.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Candidate:
    """A cluster that would be flagged if the day has room."""

    id: str
    day: int  # UTC days since 1970 of its last_at when first found
    score: float  # log-odds


def day_of(moment: datetime | int) -> int:
    """The UTC day, in days since 1970, of an aware time or of microseconds since 1970."""
    if isinstance(moment, int):
        return moment // _DAY_US
    return (moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)).days


def admit(candidates: Sequence[Candidate], used_by_day: Mapping[int, int], limit: int) -> set[str]:
    """Which candidates are flagged; the others are held back.

    `used_by_day` counts the flags that a day has given out already, the released ones included (a missing day:
    none). Within a day the highest score goes first, ties by the smaller id. A limit below what is used takes
    nothing back, it only admits nobody. Raises ValueError for a negative limit, a score that is no number, or
    an id that stands twice.
    """
    if limit < 0:
        raise ValueError(f"flags_per_day = {limit} is below 0; 0 holds everything back")
    if len({candidate.id for candidate in candidates}) != len(candidates):
        raise ValueError("a cluster stands twice among the candidates: one would take two places of the quota")
    by_day: dict[int, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        if math.isnan(candidate.score):
            raise ValueError(f"the score of cluster {candidate.id} is no number: it cannot be ranked")
        by_day[candidate.day].append(candidate)
    admitted: set[str] = set()
    for day, found in by_day.items():
        room = max(0, limit - used_by_day.get(day, 0))
        admitted |= {candidate.id for candidate in sorted(found, key=lambda c: (-c.score, c.id))[:room]}
    return admitted
