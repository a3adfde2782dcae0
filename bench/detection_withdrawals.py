"""Flag and withdraw: accounts complain, the count removes the target, and then they withdraw. What does that hide?

A file for `audit` has no withdrawals, so the live worker's own steps (detection_live.Live) process the adversaries'
world: the accounts of its plain groups withdraw each complaint some time after the count has reached the threshold, or
after the last complaint if it never does. A withdrawn complaint leaves the window and no longer counts; undoing the
removal that it caused is up to the platform.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import mean
from typing import Any

from detection_live import HOUR_MS, THRESHOLD, Live
from detection_runs import Read

from service.storage.sql.hashing import key_of

# hours
DELAYS: dict[str, float | None] = {
    "never": None,
    "after a day": 24,
    "after 6 h": 6,
    "after 1 h": 1,
    "after 10 min": 1 / 6,
}
TICK, SWEEP_HOURS = 20, 6
KIND = "plain"


@dataclass(slots=True)
class _Watch:
    """What is seen of the withdrawing groups on the way."""

    # by target: below the threshold at the moment the count reaches it
    at_once: dict[int, bool] = field(default_factory=dict)
    standing: dict[int, int] = field(default_factory=dict)  # by target: complaints that stand an hour after
    flagged_ever: set[int] = field(default_factory=set)
    days_flagged: Counter[int] = field(default_factory=Counter)  # by reporter: days at whose end it was flagged


def withdrawn_after(world: Read, truth: Mapping[str, Any], hours: float | None) -> dict[str, float]:
    """Protection and exposure where complaints are withdrawn so long after the count has done its work; None: never."""
    members = {key_of(r) for r, name in truth["campaign_of_reporter"].items() if name.startswith(f"{KIND}_")}
    aimed = {key_of(t) for t, name in truth["campaign_of_target"].items() if name.startswith(f"{KIND}_")}
    plan = _withdrawals(world, members, aimed, hours)
    live, watch, count = Live(world, SWEEP_HOURS * HOUR_MS), _Watch(), Counter[int]()
    c = world.history.complaints
    target_of = dict(zip(c.seq.tolist(), c.target.tolist(), strict=True))
    gone, days, look = set[int](), 0, list[tuple[int, int]]()
    for first in range(0, len(c), TICK):
        last = min(first + TICK, len(c))
        now = live.tick(first, last)
        for target, moment in zip(c.target[first:last].tolist(), c.time_ms[first:last].tolist(), strict=True):
            count[target] += 1
            if target in aimed and target not in watch.at_once and count[target] >= THRESHOLD:
                watch.at_once[target] = live.independent(target, count[target]) < THRESHOLD
                heapq.heappush(look, (moment + HOUR_MS, target))
        due = []
        while plan and plan[0][0] <= now:
            due.append(heapq.heappop(plan)[1])
        if due:
            live.withdraw(due)
            gone.update(due)
            count.subtract(target_of[seq] for seq in due)
        while look and look[0][0] <= now:
            _, target = heapq.heappop(look)
            watch.standing[target] = count[target]
        flagged = _flagged(live) & members
        watch.flagged_ever |= flagged
        if now // (24 * HOUR_MS) > days:
            days = now // (24 * HOUR_MS)
            watch.days_flagged.update(flagged)
    return {
        "accounts": float(len(members)),
        "targets": float(len(watch.at_once)),
        "at_once": mean(watch.at_once.values()),
        "flagged_ever": len(watch.flagged_ever) / len(members),
        "flagged_at_end": len(_flagged(live) & members) / len(members),
        "days_flagged": sum(watch.days_flagged.values()) / len(members),
        "standing_hour_later": mean(watch.standing.values()) if watch.standing else 0.0,
        "withdrawn": float(len(gone)),
    }


def _flagged(live: Live) -> set[int]:
    return {r for s in live.states.values() if s.disposition in ("flagged", "held_back") for r in s.members}


def _withdrawals(world: Read, members: set[int], aimed: set[int], hours: float | None) -> list[tuple[int, int]]:
    """A heap of (when in ms, seq): each of the members' complaints on their targets, so long after it and after the
    count was reached.
    """
    if hours is None:
        return []
    c = world.history.complaints
    theirs: dict[int, list[tuple[int, int]]] = defaultdict(list)  # by target: (time, seq) of the members' complaints
    times: dict[int, list[int]] = defaultdict(list)  # by target: of everybody's
    for seq, moment, reporter, target in zip(
        c.seq.tolist(), c.time_ms.tolist(), c.reporter.tolist(), c.target.tolist(), strict=True
    ):
        if target in aimed:
            times[target].append(moment)
            if reporter in members:
                theirs[target].append((moment, seq))
    plan = []
    for target, mine in theirs.items():
        every = times[target]
        done = every[THRESHOLD - 1] if len(every) >= THRESHOLD else max(moment for moment, _ in mine)
        plan += [(int(max(moment, done) + hours * HOUR_MS), seq) for moment, seq in mine]
    heapq.heapify(plan)
    return plan
