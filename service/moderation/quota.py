"""The quota of new flags, so that a wave of campaigns does not overwhelm the moderators.

A tenant gets a limited number of new flags per UTC day, which is the day of a cluster's `last_at` when first found. The
other clusters are held back: counted, shown, and still discounting. New clusters and those held back earlier compete
alike, so a raised limit releases the highest scores first.
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
    """Choose the candidates that are flagged; the others are held back.

    `used_by_day` counts the flags already given out per day, released ones included (a missing day: none). Within a day
    the highest score goes first, ties by the smaller id. If the limit is below the number already used, no flag is
    withdrawn, but no candidate is admitted either. Raises ValueError for a negative limit, a NaN score or a duplicate
    id.
    """
    if limit < 0:
        raise ValueError(f"flags_per_day = {limit} is below 0; 0 holds everything back")
    if len({candidate.id for candidate in candidates}) != len(candidates):
        raise ValueError("a cluster appears twice among the candidates: it would use the quota twice")
    by_day: dict[int, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        if math.isnan(candidate.score):
            raise ValueError(f"the score of cluster {candidate.id} is NaN: it cannot be ranked")
        by_day[candidate.day].append(candidate)
    admitted: set[str] = set()
    for day, found in by_day.items():
        room = max(0, limit - used_by_day.get(day, 0))
        admitted |= {candidate.id for candidate in sorted(found, key=lambda c: (-c.score, c.id))[:room]}
    return admitted
