"""Pairs of reporters who complained about the same targets close in time.

A viral target would cost k^2 pairs; each complaint is therefore paired with the K latest before it only,
and what that cut is counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from workers.detection.arrays import Bools, Events, Ints
from workers.detection.sorted_index import AT_ONCE, portions, run_starts, spread
from workers.detection.threads import in_threads, sort_in_place
from workers.detection.window import TIME_BITS, TIME_MASK, Window

PAIR_BITS = 32
MET_BITS = 24


@dataclass(frozen=True, slots=True)
class Meetings:
    """New meetings of a tick, as distinct pairs (first < second, dense reporter numbers)."""

    first: Ints
    second: Ints
    new_pairs: int  # distinct pairs that met for the first time, those of one-time reporters included
    sample_first: Ints  # a uniform sample of all distinct pairs (sweeps only): what the affinity is fitted on
    sample_second: Ints
    cut: int  # earlier complaints on the same target within the largest scale that were not paired


@dataclass(frozen=True, slots=True)
class Joined:
    """Pairs with two meetings or more, and what is known of each."""

    first: Ints
    second: Ints
    # X by scale and stratum: (pairs, scales, strata), cumulative in both; in as few bytes as they fit into
    meetings: npt.NDArray[Any]
    elsewhere: Ints  # Y: same context, other targets
    single: int  # pairs of the input with exactly one meeting


class MetBefore:
    """A byte table of hashed pairs that have met already.

    A false yes costs one needless join, never a wrong result; there is no false no.
    """

    __slots__ = ("_table",)

    def __init__(self) -> None:
        self._table: npt.NDArray[np.uint8] | None = None  # sweeps never look into it

    def check_and_mark(self, keys: Ints) -> Bools:
        """Which of the distinct keys were marked before; all are marked after."""
        slot = (keys.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(64 - MET_BITS)
        if self._table is None:
            self._table = np.zeros(1 << MET_BITS, np.uint8)
        before = self._table[slot] > 0
        self._table[slot] = 1
        return np.asarray(before)


def pair_keys(a: Ints, b: Ints) -> Ints:
    """One integer a pair, the smaller number first."""
    return np.minimum(a, b).astype(np.int64) << PAIR_BITS | np.maximum(a, b)


def pairs_among(keys: Ints, people: Ints) -> Ints:
    """Which of the pairs, whose keys are sorted, are of two of these people: places in `keys`, ascending. Looks at the
    people's pairs alone: a large window has millions of others.
    """
    people = np.sort(people).astype(np.int64)
    _, place = spread(np.searchsorted(keys, people << PAIR_BITS), np.searchsorted(keys, (people + 1) << PAIR_BITS))
    return place[np.isin(keys[place] & 0xFFFFFFFF, people)]


def neighbours(window: Window, events: Events, limit: int, *, after: bool = False) -> tuple[Events, Events]:
    """Each event with the up to `limit` complaints before it (or after it) on its target within the largest scale."""
    index, reach = window.by_target, int(window.scales[-1])
    place = _places(window, events)
    step, left, mine, other = (1 if after else -1), events, [], []
    for k in range(1, limit + 1):
        at = place + step * k
        inside = (at >= 0) & (at < len(index.events))
        left, place, at = left[inside], place[inside], at[inside]
        beside = index.events[at]
        close = (
            (window.target[beside] == window.target[left])
            & (np.abs(window.time[beside] - window.time[left]) <= reach)
            & (window.time[beside] >= window.since)
        )
        left, place = left[close], place[close]
        if not len(left):
            break
        mine.append(left)
        other.append(beside[close])
    if not mine:
        return np.empty(0, np.int32), np.empty(0, np.int32)
    return np.concatenate(mine), np.concatenate(other)


def all_neighbours(window: Window, limit: int, lag_ms: int, of: Bools | None = None) -> Iterator[tuple[Events, Events]]:
    """What `neighbours` finds of the whole window, at most `lag_ms` apart: each complaint with the one before it, then
    each with the one before that, and so on. With `of`, a mask over events: of these complaints only.

    In the target index the k-th before a complaint stands k places before it, so that nothing has to be looked up.
    """
    keys, events = _by_target(window)
    reach = min(lag_ms, int(window.scales[-1]))
    before = np.empty(len(events), np.int32)
    for start in range(0, len(events), AT_ONCE):
        before[start : start + AT_ONCE] = _within_reach(window, keys, start, reach)
    del keys
    place = np.flatnonzero(before if of is None else of[events] & (before > 0)).astype(np.int32)
    before = before[place]
    yield from _steps(events, place, before, limit)


def neighbours_by_stretch(
    window: Window, limit: int, lag_ms: int, of: Bools | None = None
) -> Iterator[tuple[Events, Events]]:
    """The same in another order, stretch by stretch of the target index: takes memory that does not grow with the
    window.
    """
    keys, events = _by_target(window)
    reach = min(lag_ms, int(window.scales[-1]))
    for start in range(0, len(events), AT_ONCE):
        before = _within_reach(window, keys, start, reach)
        place = np.flatnonzero(before if of is None else of[events[start : start + len(before)]] & (before > 0))
        yield from _steps(events, (start + place).astype(np.int32), before[place], limit)


def _by_target(window: Window) -> tuple[Ints, Events]:
    """The target index of the window, without what is older."""
    keys, events = window.by_target.keys, window.by_target.events
    inside = (keys & TIME_MASK) >= window.since
    return (keys, events) if inside.all() else (keys[inside], events[inside])


def _within_reach(window: Window, keys: Ints, start: int, reach: int) -> Events:
    """For AT_ONCE places of that index: how many complaints stand before each on its target, at most `reach` apart."""
    part = keys[start : start + AT_ONCE]
    earliest = part & ~TIME_MASK | np.maximum((part & TIME_MASK) - reach, window.since)
    return np.asarray(np.arange(start, start + len(part)) - np.searchsorted(keys, earliest, "left"), np.int32)


def _steps(events: Events, place: Events, before: Events, limit: int) -> Iterator[tuple[Events, Events]]:
    for k in range(1, limit + 1):
        near = before >= k
        place, before = place[near], before[near]
        if not len(place):
            return
        yield events[place], events[place - k]


def collected(parts: Iterable[tuple[Events, Events]]) -> tuple[Events, Events]:
    """All of those at once."""
    mine, other = zip((np.empty(0, np.int32),) * 2, *parts, strict=True)
    return np.concatenate(mine), np.concatenate(other)


def _places(window: Window, events: Events) -> Ints:
    """Where each event stands in the target index."""
    index = window.by_target
    at = np.searchsorted(index.keys, window.target[events].astype(np.int64) << TIME_BITS | window.time[events], "left")
    wrong = np.flatnonzero(index.events[at] != events)
    while len(wrong):  # complaints in the same millisecond share a key
        at[wrong] += 1
        wrong = wrong[index.events[at[wrong]] != events[wrong]]
    return np.asarray(at, np.int64)


def meet(window: Window, events: Events, limit: int, met: MetBefore | None, sample: int = 0) -> Meetings:
    """The pairs that the new `events` bring together and that may have met twice.

    `met` is None for a sweep: all events are new, and two meetings show in the events themselves; then up to
    `sample` of all distinct pairs are drawn as well.
    """
    if met is None:
        events = window.by_target.events  # the same, in the order in which each search begins where the last one ended
    cut = int(np.maximum(_earlier(window, events) - limit, 0).sum())
    if met is None:
        return _meet_all(window, limit, sample, cut)
    mine, other = neighbours(window, events, limit)
    # A late arrival slips in before complaints that are already there.
    newest = window.time[events] < window.watermark
    follows, late = neighbours(window, events[newest], limit, after=True)
    old = late < events[0]
    mine, other = np.concatenate([mine, follows[old]]), np.concatenate([other, late[old]])
    u, w = window.reporter[mine], window.reporter[other]
    both = (window.degree[u] > 1) & (window.degree[w] > 1)
    alone = int(len(u) - both.sum())
    keys, times = np.unique(pair_keys(u[both], w[both]), return_counts=True)
    _mark_first_complaints(window, events, limit, met)
    known = met.check_and_mark(keys)
    again, none = keys[known | (times > 1)], np.empty(0, np.int64)
    return Meetings(again >> PAIR_BITS, again & 0xFFFFFFFF, alone + int((~known).sum()), none, none, cut)


def _meet_all(window: Window, limit: int, sample: int, cut: int) -> Meetings:
    """All pairs of the window; a pair with a one-time reporter meets once, so each of its meetings is a pair."""
    parts, lone = list[Ints](), list[Ints]()
    several = (window.degree > 1)[window.reporter[: window.size]]
    for mine, other in all_neighbours(window, limit, int(window.scales[-1])):
        both = several[mine] & several[other]
        parts.append(pair_keys(window.reporter[mine[both]], window.reporter[other[both]]))
        mine, other = mine[~both], other[~both]
        order = ascending(mine, window.size)  # by time: the sample does not depend on the numbers of targets
        lone.append(pair_keys(window.reporter[mine[order]], window.reporter[other[order]]))
    keys, alone = moved_together(parts), moved_together(lone)
    sort_in_place(window.threads, keys)  # the largest array of a sweep: nothing of its size is made besides
    first = run_starts(keys)
    again = keys[~first]
    again = again[run_starts(again)]
    distinct = int(np.count_nonzero(first))
    places = drawn_places(distinct + len(alone), sample)
    drawn = np.concatenate(
        [_marked_at(keys, first, places[places < distinct]), alone[places[places >= distinct] - distinct]]
    )
    met = distinct + len(alone)
    return Meetings(again >> PAIR_BITS, again & 0xFFFFFFFF, met, drawn >> PAIR_BITS, drawn & 0xFFFFFFFF, cut)


def ascending(distinct: Events, size: int) -> Ints:
    """The order in which these rows, out of so many, ascend."""
    if len(distinct) * 16 < size:
        return np.argsort(distinct)
    place = np.full(size, -1, np.int64)
    place[distinct] = np.arange(len(distinct))
    return place[place >= 0]


def moved_together(parts: list[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """The parts as one array; each is freed as soon as it is copied."""
    whole = np.empty(sum(map(len, parts)), parts[0].dtype if parts else np.int64)
    end = len(whole)
    while parts:
        part = parts.pop()
        whole[end - len(part) : end] = part
        end -= len(part)
    return whole


def _marked_at(keys: Ints, marked: Bools, places: Ints) -> Ints:
    """The keys at these places (sorted) among the marked ones."""
    found, before = [np.empty(0, np.int64)], 0
    for start in range(0, len(keys), AT_ONCE):
        here = keys[start : start + AT_ONCE][marked[start : start + AT_ONCE]]
        low, high = np.searchsorted(places, (before, before + len(here)))
        found.append(here[places[low:high] - before])
        before += len(here)
    return np.concatenate(found)


def drawn_places(total: int, sample: int) -> Ints:
    """Which of so many pairs make a uniform sample: places among them, those with one-time reporters being the last."""
    if total <= sample:
        return np.arange(total)
    return np.sort(np.random.default_rng(0).choice(total, sample, replace=False))


def mark_all(window: Window, limit: int, met: MetBefore) -> None:
    """Remember all meetings of the window, whose complaints were loaded, not analysed: the rebuild."""
    for mine, other in neighbours_by_stretch(window, limit, int(window.scales[-1])):
        u, w = window.reporter[mine], window.reporter[other]
        both = (window.degree[u] > 1) & (window.degree[w] > 1)
        met.check_and_mark(pair_keys(u[both], w[both]))


def _mark_first_complaints(window: Window, events: Events, limit: int, met: MetBefore) -> None:
    """Earlier meetings of reporters who now complain for the second time: one-time reporters are skipped until then."""
    r = window.reporter[events]
    turned = np.unique(r[window.degree[r] > 1])
    share = (
        np.bincount(np.searchsorted(turned, r[window.degree[r] > 1]), minlength=len(turned))
        if len(turned)
        else np.empty(0, np.int64)
    )
    turned = turned[window.degree[turned] - share == 1]  # had exactly one before this tick
    if not len(turned):
        return
    _, earlier = window.runs(window.by_pair, turned)
    earlier = earlier[earlier < events[0]]
    for after in (False, True):
        mine, other = neighbours(window, earlier, limit, after=after)
        seen = other < events[0]
        met.check_and_mark(np.unique(pair_keys(window.reporter[mine[seen]], window.reporter[other[seen]])))


def _earlier(window: Window, events: Events) -> Ints:
    """Complaints on the same target at most the largest scale before each event."""
    base, time = window.target[events].astype(np.int64) << TIME_BITS, window.time[events]
    low = np.searchsorted(window.by_target.keys, base | np.maximum(time - int(window.scales[-1]), window.since), "left")
    return np.asarray(np.searchsorted(window.by_target.keys, base | time, "left") - low, np.int64)


def join(window: Window, first: Ints, second: Ints, strata: tuple[int, ...]) -> Joined:
    """Count the meetings of each pair at every scale and rarity, and how often the two were in one context otherwise.

    Not limited to the K latest: once a pair is looked at, all its complaints in the window are.
    """
    complaints = np.minimum(window.degree[first], window.degree[second]) + 1
    parts = in_threads(
        window.threads,
        lambda part: _join_chunk(window, first[part], second[part], np.array(strata, np.int64)),
        list(portions(complaints, AT_ONCE)) or [slice(0)],
    )
    return Joined(
        np.concatenate([p.first for p in parts]),
        np.concatenate([p.second for p in parts]),
        np.concatenate([p.meetings for p in parts]),
        np.concatenate([p.elsewhere for p in parts]),
        sum(p.single for p in parts),
    )


def _join_chunk(window: Window, first: Ints, second: Ints, strata: Ints) -> Joined:
    scales = window.scales
    owner, mine, theirs = shared_targets(window, first, second)
    lag = np.abs(window.time[mine] - window.time[theirs])
    close = lag <= scales[-1]
    count = np.bincount(owner[close], minlength=len(first))
    twice = count >= 2
    shape = (int(twice.sum()), len(scales), len(strata) + 1)
    if not shape[0]:
        return Joined(first[:0], second[:0], np.zeros(shape, np.uint8), first[:0], int((count == 1).sum()))
    number = np.cumsum(twice) - 1
    use = close & twice[owner]
    mine, theirs, lag = mine[use], theirs[use], lag[use]
    pair, later = number[owner[use]], np.where(window.time[mine] >= window.time[theirs], mine, theirs)
    size = window.counts(later)[:, len(scales) - 1]
    cell = (pair * shape[1] + np.searchsorted(scales, lag)) * shape[2] + np.searchsorted(strata, size)
    meetings = np.bincount(cell, minlength=shape[0] * shape[1] * shape[2]).reshape(shape).cumsum(1).cumsum(2)
    meetings = meetings.astype(np.min_scalar_type(int(meetings.max())))  # of millions of pairs, 25 numbers each
    first, second = first[twice], second[twice]
    everywhere = np.bincount(number[owner[twice[owner]]], minlength=shape[0])
    elsewhere = np.maximum(shared_contexts(window, first, second) - everywhere, 0)
    return Joined(first, second, meetings, elsewhere, int((count == 1).sum()))


def shared_targets(window: Window, first: Ints, second: Ints) -> tuple[Ints, Events, Events]:
    """Every target that both of a pair complained about: (pair, event of one, event of the other)."""
    swap = window.degree[first] > window.degree[second]
    short, long = np.where(swap, second, first), np.where(swap, first, second)
    owner, mine = window.runs(window.by_pair, short)
    theirs = window.find_pairs(long[owner], window.target[mine].astype(np.int64))
    hit = theirs >= 0
    return owner[hit], mine[hit], theirs[hit]


def shared_contexts(window: Window, first: Ints, second: Ints) -> Ints:
    """Sum over contexts of n_u(a) * n_w(a) for each pair: every way in which the two were in one place."""
    swap = window.degree[first] > window.degree[second]
    short, long = np.where(swap, second, first), np.where(swap, first, second)
    index = window.by_reporter_context
    low = np.searchsorted(index.keys, short << 32, "left")
    owner, place = spread(low, np.searchsorted(index.keys, (short + 1) << 32, "left"))
    alive = ~window.gone[index.events[place]]
    owner, place = owner[alive], place[alive]
    keys = index.keys[place]
    starts = np.flatnonzero(run_starts(owner) | run_starts(keys))  # one search a context, however many complaints
    owner, keys, count = owner[starts], keys[starts], np.diff(starts, append=len(keys))
    share = window.context_share(long[owner], keys & 0xFFFFFFFF)
    return np.bincount(owner, count * share, len(first)).astype(np.int64)
