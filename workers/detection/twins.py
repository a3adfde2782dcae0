"""Twins: accounts that do nearly the same thing at nearly the same time, again and again.

Two reporters are twins if what they did within a short time of each other, on several targets, in several contexts and
on several occasions hours apart, makes up at least half of what either did (RULES). Readers of one article meet within
it, not in three; readers of several outrages of one evening meet on that evening. Of a million pairs of honest readers
in the simulated worlds, none were twins within an hour. Twins therefore need no null model. That helps where a brigade
files a large part of all complaints: a null model learned from the same window takes its behaviour for normal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workers.detection.arrays import Events, Ints
from workers.detection.pairs import PAIR_BITS, neighbours, pair_keys
from workers.detection.window import Window

LAG_MS, MEETINGS, JACCARD = 3_600_000, 3, 0.5
PAUSE_MS = 21_600_000  # between two occasions: what lies in three of them is no single evening
SURPRISE = 0.5  # -log10 p a member that a group of twins gets: only a tight and devoted one is flagged for that alone


@dataclass(frozen=True, slots=True)
class Rule:
    """How close and how often two reporters have to be to count as twins."""

    lag_ms: int
    meetings: int  # on different targets
    places: int  # contexts
    occasions: int


# The faster two follow each other, the fewer places it takes; those who come a day apart meet more often.
RULES = (Rule(300_000, 3, 2, 3), Rule(LAG_MS, MEETINGS, 3, 3), Rule(86_400_000, 4, 4, 4))


@dataclass(frozen=True, slots=True)
class TwinMeetings:
    """Complaints of two reporters close to each other on one target."""

    mine: Events
    other: Events
    which: Ints  # of each meeting, its place among `keys`
    keys: Ints  # pair keys
    count: Ints  # meetings of each pair


def meetings_of(window: Window, limit: int) -> TwinMeetings:
    """All meetings within an hour, of complaints that are at most `limit` apart on a target, of active reporters."""
    mine, other = _close(window, limit, LAG_MS)
    active = (window.degree[window.reporter[mine]] >= MEETINGS) & (window.degree[window.reporter[other]] >= MEETINGS)
    return _by_pair(window, mine[active], other[active])


def twin_pairs(window: Window, limit: int) -> Ints:
    """Pair keys of all twins among complaints that are at most `limit` apart on a target."""
    mine, other = _close(window, limit, max(rule.lag_ms for rule in RULES))
    # If half of what either did is common to both, neither did more than twice as much as the other.
    one, two = window.degree[window.reporter[mine]], window.degree[window.reporter[other]]
    alike = (np.minimum(one, two) >= JACCARD * np.maximum(one, two)) & (np.minimum(one, two) >= MEETINGS)
    mine, other = mine[alike], other[alike]
    lag = np.abs(window.time[mine] - window.time[other])
    found = [_twins(window, rule, mine[lag <= rule.lag_ms], other[lag <= rule.lag_ms]) for rule in RULES]
    return np.unique(np.concatenate(found))


def _twins(window: Window, rule: Rule, mine: Events, other: Events) -> Ints:
    met = _by_pair(window, mine, other)
    either = window.degree[met.keys >> PAIR_BITS] + window.degree[met.keys & 0xFFFFFFFF] - met.count
    often = (met.count >= rule.meetings) & (met.count >= JACCARD * either)
    # Few pairs are left: only their meetings are looked at closely.
    of_these = often[met.which]
    which, mine = met.which[of_these], met.mine[of_these]
    places = np.bincount(np.unique(which << 32 | window.context[mine]) >> 32, minlength=len(met.keys))
    order = np.lexsort((window.time[mine], which))
    pair, time = which[order], window.time[mine][order]
    apart = (pair[1:] == pair[:-1]) & (time[1:] - time[:-1] >= PAUSE_MS)
    occasions = 1 + np.bincount(pair[1:][apart], minlength=len(met.keys))
    return np.asarray(met.keys[often & (places >= rule.places) & (occasions >= rule.occasions)], np.int64)


def _close(window: Window, limit: int, lag_ms: int) -> tuple[Events, Events]:
    events = np.flatnonzero(~window.gone[: window.size]).astype(np.int32)
    mine, other = neighbours(window, events, limit)
    near = np.abs(window.time[mine] - window.time[other]) <= lag_ms
    return mine[near], other[near]


def _by_pair(window: Window, mine: Events, other: Events) -> TwinMeetings:
    keys, which, count = np.unique(
        pair_keys(window.reporter[mine], window.reporter[other]), return_inverse=True, return_counts=True
    )
    return TwinMeetings(mine, other, which.astype(np.int64), keys, count)
