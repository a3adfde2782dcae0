"""How surprising is a group as a whole? The weak tier's measure, and the group's own evidence everywhere."""

from __future__ import annotations

import math

import numpy as np

from service.policy import Policy
from workers.detection.growth import Affinity, aim_of, member_p, targets_of
from workers.detection.null_model import Floats
from workers.detection.pairs import PAIR_BITS
from workers.detection.window import Ints, Window

MEMBERS_WEIGHED = 60  # of a larger group the first so many; the mean a member is what counts


def group_surprise(window: Window, members: Ints, best: tuple[int, int, float] | None, tests: int, affinity: Affinity, policy: Policy) -> float:
    """-log10 p of the best pair among `tests`, plus what every further member adds given those before, each paying for its candidates.

    `best` is (reporter, reporter, -log10 p) of the pair inside with the smallest p; None: no pair was ever close, 0.
    """
    if best is None:
        return 0.0
    first, second, surprise = best
    total, done = surprise - math.log10(max(tests, 1)), [first, second]
    for reporter in _by_overlap(window, members, first, second)[: MEMBERS_WEIGHED - 2]:
        gain = _gain(window, reporter, np.array(done, np.int64), affinity, policy)
        if gain is not None:
            total += gain
            done.append(reporter)
    return total


def _by_overlap(window: Window, members: Ints, first: int, second: int) -> list[int]:
    """The other members, those who share most targets with `first` before the others."""
    rest = members[(members != first) & (members != second)]
    _, own = window.runs(window.by_pair, np.array([first]))
    owner, events = window.runs(window.by_pair, rest)
    shared = np.bincount(owner[np.isin(window.target[events], window.target[own])], minlength=len(rest))
    # Ties by the caller's key: the window's own numbers depend on who came first.
    return [int(r) for r in rest[np.lexsort((window.reporters.keys[rest], -shared))]]


def _gain(window: Window, reporter: int, done: Ints, affinity: Affinity, policy: Policy) -> float | None:
    """What a reporter adds to those that are in already; None if it never hits what two of them hit."""
    targets = targets_of(window, done, 0.0)
    if not len(targets):
        return None
    aim = aim_of(window, done, targets, policy.growth_margin_seconds * 1000)
    who = window.reporter[aim.hits]
    hits = int((who == reporter).sum())
    if not hits:
        return None
    candidates = max(1, int((~aim.by_member).sum()))
    p = float(member_p(window, aim, np.array([reporter], np.int64), np.array([hits]), affinity)[0])
    return max(0.0, -math.log10(max(p, 1e-12)) - math.log10(candidates))


def span(window: Window, members: Ints, targets: Ints) -> float:
    """Share of the members whose complaints on the targets lie in two contexts or more.

    Readers of one popular article stay below a half, campaigns that follow their victims lie above three quarters.
    """
    owner, events = window.runs(window.by_pair, members)
    inside = np.isin(window.target[events], targets)
    places = np.unique(owner[inside].astype(np.int64) << 32 | window.context[events][inside])
    count = np.bincount((places >> 32).astype(np.int64), minlength=len(members))
    return float((count >= 2).mean()) if len(members) else 0.0


def best_pair(window: Window, keys: Ints, p: Floats) -> tuple[int, int, float] | None:
    """The pair with the smallest p as (reporter, reporter, -log10 p); ties by the caller's keys."""
    if not len(keys):
        return None
    ties = keys[p == p.min()]
    ends = np.sort(np.stack([window.reporters.keys[ties >> PAIR_BITS], window.reporters.keys[ties & 0xFFFFFFFF]]), axis=0)
    key = int(ties[np.lexsort((ends[1], ends[0]))[0]])
    first, second = sorted((key >> PAIR_BITS, key & 0xFFFFFFFF), key=lambda r: int(window.reporters.keys[r]))
    return first, second, -math.log10(max(float(p.min()), 1e-300))
