"""What the platform decides: counts at once, people later, not about everything, and sometimes wrongly.

A person rather looks at what many complained about; is wrong now and then; and upholds some harmless targets because so
many complained, as moderators who see nothing but a number do. Removals by count are automatic. Where an appeal is
granted, it says that the automatic removal was wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.worlds.community import Community
from bench.worlds.ledger import Columns
from bench.worlds.world import DAY, END, HOUR, Bools, Floats

MANY = 8  # complaints from which on moderators look sooner, and defer


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision about an item."""

    item: int
    at: float
    action: str
    decided_by: str
    verdict: str | None  # None for what a count decided


def decide(rng: np.random.Generator, community: Community, columns: Columns, breaks: Bools) -> list[Decision]:
    """All decisions of the four weeks, by time."""
    found: list[Decision] = []
    by_item = np.argsort(columns.item, kind="stable")
    for rows in np.split(by_item, np.flatnonzero(np.diff(columns.item[by_item])) + 1):
        item = int(columns.item[rows[0]])
        found += _about(rng, community, item, columns.at[rows], bool(breaks[item]))
    return sorted((d for d in found if d.at < END), key=lambda d: (d.at, d.item))


def _about(rng: np.random.Generator, community: Community, item: int, times: Floats, breaks: bool) -> list[Decision]:
    bound = community.hides_at
    hidden = bound is not None and len(times) >= bound
    found: list[Decision] = []
    if hidden:
        assert bound is not None
        found.append(Decision(item, float(times[bound - 1]) + 1, "removed", "automatic", None))
    many = len(times) >= MANY
    # What a count has hidden seems settled, and is looked at less often than what is still there.
    chance = community.reviewed * (0.7 if hidden else 1.3 if many else 1.0)
    first_seen = float(times[min(len(times), 3) - 1])
    if rng.random() < chance:
        upheld = breaks != bool(rng.random() < community.mistaken)
        if not upheld and many and rng.random() < community.deference:
            upheld = True
        action = "removed" if upheld else "restored" if hidden else "kept"
        at = first_seen + rng.lognormal(np.log(community.review_hours * HOUR), 0.9)
        if hidden:
            at = max(at, found[0].at + rng.exponential(2 * HOUR))
        found.append(Decision(item, at, action, "person", "upheld" if upheld else "rejected"))
    elif hidden and not breaks and rng.random() < community.appeals:
        at = found[0].at + rng.lognormal(np.log(2 * DAY), 0.6)
        found.append(Decision(item, at, "restored", "appeal", "rejected"))
    return found
