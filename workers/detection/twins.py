"""Twins: accounts that do nearly the same thing at nearly the same time, again and again.

Two reporters are twins if what they did within a short time of each other, on several targets, in several contexts and
on several occasions hours apart, makes up at least half of what either did (RULES). Readers of one article meet within
it, not in three; readers of several outrages of one evening meet on that evening. Of a million pairs of honest readers
in the simulated worlds, none were twins within an hour. Twins therefore need no null model. That helps where a brigade
files a large part of all complaints: a null model learned from the same window takes its behaviour for normal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from workers.detection.arrays import Bools, Events, Ints
from workers.detection.pairs import PAIR_BITS, collected, moved_together, neighbours_by_stretch, pair_keys
from workers.detection.sorted_index import are_in, run_starts
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
    degree = window.degree[window.reporter[: window.size]]
    return _by_pair(window, *collected(_active_meetings(window, limit, LAG_MS, degree)))


def twin_pairs(window: Window, limit: int) -> Ints:
    """Pair keys of all twins among complaints that are at most `limit` apart on a target."""
    degree = window.degree[window.reporter[: window.size]]
    meetings = [
        # If half of what either did is common to both, neither did more than twice as much as the other.
        (mine[alike], other[alike])
        for mine, other in _active_meetings(window, limit, max(rule.lag_ms for rule in RULES), degree)
        for one, two in ((degree[mine], degree[other]),)
        for alike in (np.minimum(one, two) >= JACCARD * np.maximum(one, two),)
    ]
    # Who did not meet often enough at the widest lag did not at a smaller one.
    keys = moved_together([pair_keys(window.reporter[mine], window.reporter[other]) for mine, other in meetings])
    keys.sort()
    least = min(rule.meetings for rule in RULES)
    often = keys[least - 1 :]
    often = often[often == keys[: len(often)]]
    pairs: Ints = often[run_starts(often)]
    count = np.searchsorted(keys, pairs, "right") - np.searchsorted(keys, pairs, "left")
    del keys, often
    pairs = pairs[_often(window, pairs, count, least)]
    if not len(pairs):
        return pairs
    mine, other = collected(
        (mine[few], other[few])
        for mine, other in meetings
        for few in (are_in(pair_keys(window.reporter[mine], window.reporter[other]), pairs),)
    )
    lag = np.abs(window.time[mine] - window.time[other])
    found = [_twins(window, rule, mine[lag <= rule.lag_ms], other[lag <= rule.lag_ms]) for rule in RULES]
    return np.unique(np.concatenate(found))


def _often(window: Window, keys: Ints, count: Ints, meetings: int) -> Bools:
    """Which pairs met on so many targets, and on half of what either did."""
    either = window.degree[keys >> PAIR_BITS] + window.degree[keys & 0xFFFFFFFF] - count
    return np.asarray((count >= meetings) & (count >= JACCARD * either))


def _twins(window: Window, rule: Rule, mine: Events, other: Events) -> Ints:
    met = _by_pair(window, mine, other)
    often = _often(window, met.keys, met.count, rule.meetings)
    # Few pairs are left: only their meetings are looked at closely.
    of_these = often[met.which]
    which, mine = met.which[of_these], met.mine[of_these]
    places = np.bincount(np.unique(which << 32 | window.context[mine]) >> 32, minlength=len(met.keys))
    order = np.lexsort((window.time[mine], which))
    pair, time = which[order], window.time[mine][order]
    apart = (pair[1:] == pair[:-1]) & (time[1:] - time[:-1] >= PAUSE_MS)
    occasions = 1 + np.bincount(pair[1:][apart], minlength=len(met.keys))
    return np.asarray(met.keys[often & (places >= rule.places) & (occasions >= rule.occasions)], np.int64)


def _active_meetings(window: Window, limit: int, lag_ms: int, degree: Events) -> Iterator[tuple[Events, Events]]:
    """Meetings of reporters who complained MEETINGS times at least; `degree`: of each complaint's reporter."""
    active = degree >= MEETINGS
    for mine, other in neighbours_by_stretch(window, limit, lag_ms, active):
        both = active[other]
        yield mine[both], other[both]


def _by_pair(window: Window, mine: Events, other: Events) -> TwinMeetings:
    keys, which, count = np.unique(
        pair_keys(window.reporter[mine], window.reporter[other]), return_inverse=True, return_counts=True
    )
    return TwinMeetings(mine, other, which.astype(np.int64), keys, count)
