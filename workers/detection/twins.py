"""Twins: accounts that do nearly the same thing at nearly the same time, in several places.

Two reporters are twins if, within an hour of each other, they complained about at least three targets in three
contexts, on three occasions hours apart, and these make up at least half of each one's complaints. Readers of one
article meet within it, not in three; readers of several outrages of one evening meet on that evening. Of a million
pairs of honest readers in the simulated worlds, none were twins. Twins therefore need no null model. That helps where a
brigade files a large part of all complaints: a null model learned from the same window takes its behaviour for normal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workers.detection.arrays import Events, Ints
from workers.detection.pairs import PAIR_BITS, neighbours, pair_keys
from workers.detection.window import Window

LAG_MS, MEETINGS, PLACES, OCCASIONS, JACCARD = 3_600_000, 3, 3, 3, 0.5
PAUSE_MS = 21_600_000  # between two occasions: what lies in three of them is no single evening
SURPRISE = 0.5  # -log10 p a member that a group of twins gets: only a tight and devoted one is flagged for that alone


@dataclass(frozen=True, slots=True)
class TwinMeetings:
    """Complaints of two reporters within an hour of each other on one target, of reporters who did enough to be
    twins.
    """

    mine: Events
    other: Events
    which: Ints  # of each meeting, its place among `keys`
    keys: Ints  # pair keys
    count: Ints  # meetings of each pair


def meetings_of(window: Window, limit: int) -> TwinMeetings:
    """All such meetings among complaints that are at most `limit` apart on a target."""
    events = np.flatnonzero(~window.gone[: window.size]).astype(np.int32)
    mine, other = neighbours(window, events, limit)
    near = np.abs(window.time[mine] - window.time[other]) <= LAG_MS
    near &= (window.degree[window.reporter[mine]] >= MEETINGS) & (window.degree[window.reporter[other]] >= MEETINGS)
    mine, other = mine[near], other[near]
    keys, which, count = np.unique(
        pair_keys(window.reporter[mine], window.reporter[other]), return_inverse=True, return_counts=True
    )
    return TwinMeetings(mine, other, which.astype(np.int64), keys, count)


def twin_pairs(window: Window, limit: int) -> Ints:
    """Pair keys of all twins among complaints that are at most `limit` apart on a target."""
    met = meetings_of(window, limit)
    mine, which, keys, meetings = met.mine, met.which, met.keys, met.count
    places = np.bincount(np.unique(which << 32 | window.context[mine]) >> 32, minlength=len(keys))
    order = np.lexsort((window.time[mine], which))
    pair, time = which[order], window.time[mine][order]
    apart = (pair[1:] == pair[:-1]) & (time[1:] - time[:-1] >= PAUSE_MS)
    occasions = 1 + np.bincount(pair[1:][apart], minlength=len(keys))
    either = window.degree[keys >> PAIR_BITS] + window.degree[keys & 0xFFFFFFFF] - meetings
    return np.asarray(
        keys[(meetings >= MEETINGS) & (places >= PLACES) & (occasions >= OCCASIONS) & (meetings >= JACCARD * either)],
        np.int64,
    )
