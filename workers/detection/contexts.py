"""Infer contexts where a platform gives none, or only useless ones: targets that many reporters visit in one sitting
belong together.

A context that only one target has says nothing about what is read together. An article with a single comment that drew
complaints is like that, and so is every target of a platform that sends the target's own id; where two of three targets
are alone, it is the platform, and such contexts count as not given.

1. Link a reporter's targets k = 1, 2, 3 complaints apart and at most `gap` apart in time; weight = reporters.
2. Twins make no links: two that met at least three times within an hour, on at least half of what either did
   meanwhile. Without that a raid in one sitting would look like one article.
3. Weighted label propagation, targets in order of their first complaint, ties to the smaller label, <= 5 rounds.
4. Gap 30 min; if less than .6 of the complaints lie in contexts of two targets and more, 2 h, then 6 h.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from workers.detection.arrays import Bools, Ints
from workers.detection.pairs import PAIR_BITS, pair_keys
from workers.detection.twins import JACCARD, LAG_MS, MEETINGS, meetings_of
from workers.detection.window import Complaints, Window

GAPS_MS = (1_800_000, 7_200_000, 21_600_000)
COVERAGE, ROUNDS, STEPS = 0.6, 5, 3
TWINS = 2  # with this many twins, a reporter's sittings are those of a group
SHARED = 1 / 3  # of the targets whose context is given have one with another, or a context of one target says nothing
MOSTLY_GIVEN = 0.95  # of the complaints: the rest are their own contexts; below, theirs are inferred


@dataclass(frozen=True, slots=True)
class Inferred:
    """The contexts of a window's targets: as given where that says something, inferred for the others."""

    targets: Ints  # target keys
    labels: Ints  # the context's key: the one that was given, or that of one of its targets
    coverage: float  # share of the complaints in contexts of two targets and more
    largest: float  # share of the complaints in the largest context
    gap_ms: int
    alone: bool = True  # a context that was given for one target alone counts as given


def given_contexts(batch: Complaints) -> tuple[Bools, bool]:
    """Which complaints come with a context that says something; and whether one that a single target has does."""
    # of a target that came with and without: the one that was given
    order = np.lexsort((batch.context == 0, batch.target))
    targets, first = np.unique(batch.target[order], return_index=True)
    context = batch.context[order][first]
    known = context != 0
    _, which, count = np.unique(context, return_inverse=True, return_counts=True)
    shared = known & (count[which] >= 2)
    alone = bool(shared.sum() >= SHARED * known.sum())
    return (known if alone else shared)[np.searchsorted(targets, batch.target)], alone


def share_given(batch: Complaints) -> float:
    """Share of the complaints whose context says something; 1 where there are none."""
    return float(given_contexts(batch)[0].mean()) if len(batch) else 1.0


def without(batch: Complaints, blank: Bools) -> Complaints:
    """The complaints, those marked without a context."""
    return replace(batch, context=np.where(blank, 0, batch.context))


def infer(window: Window, limit: int, *, alone: bool = True) -> Inferred:
    """Label every target of the window with a context; those that have one keep it."""
    links = ~_twins(window, limit)[window.reporter[: window.size]]
    crowd = window.crowd[: len(window.targets)]
    total = max(int(crowd.sum()), 1)
    for gap in GAPS_MS:
        label = _propagated(window, *_links(window, links, gap))
        members = np.bincount(label, minlength=len(label))
        coverage = float(crowd[members[label] >= 2].sum() / total)
        if coverage >= COVERAGE:
            break
    largest = float(np.bincount(label, crowd, len(label)).max(initial=0) / total)
    # A target that is its own context is so under another key: that of a target stands for all that were put together.
    own = np.where(_anchored(window)[label], window.contexts.keys[window.context_of[label]], window.targets.keys[label])
    return Inferred(window.targets.keys.copy(), own, coverage, largest, gap, alone)


def _anchored(window: Window) -> Bools:
    """Which targets have a context that was given."""
    n = len(window.targets)
    return np.asarray(window.contexts.keys[window.context_of[:n]] != ~window.targets.keys[:n])


def continued(window: Window, batch: Complaints, inferred: Inferred) -> Complaints:
    """New complaints with the contexts that their targets have by now.

    A target that is new since the inference joins the context in which its first reporter was just before, within the
    inference's gap; without such a visit it is its own until the next inference.
    """
    batch = labelled(batch, inferred)
    if not inferred.alone:  # what is given for a target that no other shares it with as yet
        batch = without(batch, window.contexts.find(batch.context) < 0)
    blank = np.flatnonzero(batch.context == 0)
    if not len(blank):
        return batch
    context = batch.context
    known = window.targets.find(batch.target[blank])
    seen = known >= 0
    context[blank[seen]] = window.contexts.keys[window.context_of[known[seen]]]
    fresh = blank[~seen]
    fresh = fresh[np.lexsort((batch.reporter[fresh], batch.time_ms[fresh]))]
    targets, first = np.unique(batch.target[fresh], return_index=True)
    if len(targets):
        label = _where_before(
            window, batch.reporter[fresh[first]], batch.time_ms[fresh[first]] - window.origin, inferred.gap_ms
        )
        found = label[np.searchsorted(targets, batch.target[fresh])]
        context[fresh] = np.where(found == 0, 0, found)
    return batch


def _where_before(window: Window, reporters: Ints, time: Ints, gap: int) -> Ints:
    """The context (key) of each reporter's latest complaint at most `gap` before; 0 without one."""
    label = np.zeros(len(reporters), np.int64)
    number = window.reporters.find(reporters)
    known = np.flatnonzero(number >= 0)
    owner, events = window.runs(window.by_pair, number[known])
    lag = time[known][owner] - window.time[events]
    near = (lag >= 0) & (lag <= gap)
    owner, events, lag = owner[near], events[near], lag[near]
    latest = np.lexsort((-lag, owner))  # the last of equal owners is the latest complaint
    label[known[owner[latest]]] = window.contexts.keys[window.context[events[latest]]]
    return label


def labelled(batch: Complaints, inferred: Inferred) -> Complaints:
    """The complaints with the contexts that their targets were given; targets that have none keep what is given."""
    order = np.argsort(inferred.targets)
    at = np.searchsorted(inferred.targets[order], batch.target)
    known = at < len(order)
    known[known] = inferred.targets[order][at[known]] == batch.target[known]
    context = batch.context.copy()
    context[known] = inferred.labels[order][at[known]]
    return replace(batch, context=context)


def _links(window: Window, use: Bools, gap: int) -> tuple[Ints, Ints, Ints]:
    """(target, target, reporters) of all targets that somebody visited in one sitting."""
    events = np.flatnonzero(use & ~window.gone[: window.size])
    events = events[np.lexsort((window.time[events], window.reporter[events]))]
    r, t, v = window.reporter[events], window.time[events], window.target[events].astype(np.int64)
    first, second = [], []
    for k in range(1, STEPS + 1):
        near = (r[k:] == r[:-k]) & (t[k:] - t[:-k] <= gap) & (v[k:] != v[:-k])
        first.append(v[:-k][near])
        second.append(v[k:][near])
    keys, weight = np.unique(pair_keys(np.concatenate(first), np.concatenate(second)), return_counts=True)
    return keys >> PAIR_BITS, keys & 0xFFFFFFFF, weight


def _propagated(window: Window, one: Ints, other: Ints, weight: Ints) -> Ints:
    n = len(window.targets)
    beside: list[list[tuple[int, int]]] = [[] for _ in range(n)]
    for a, b, w in zip(one.tolist(), other.tolist(), weight.tolist(), strict=True):
        beside[a].append((b, w))
        beside[b].append((a, w))
    order = _by_first_complaint(window)
    # A label is a target's place in time, so that names play no part in ties.
    place = np.empty(n, np.int64)
    place[order] = np.arange(n)
    anchored = _anchored(window)
    if anchored.any():  # all targets of a context that was given have its first one's label, for good
        first = np.full(len(window.contexts), n)
        context = window.context_of[:n][anchored]
        np.minimum.at(first, context, place[anchored])
        place[anchored] = first[context]
    label = place.tolist()
    movable = order[~anchored[order]].tolist()
    for _ in range(ROUNDS):
        changed = 0
        for target in movable:
            votes: dict[int, int] = {}
            for neighbour, w in beside[target]:
                votes[label[neighbour]] = votes.get(label[neighbour], 0) + w
            if votes:
                best = max(votes.items(), key=lambda vote: (vote[1], -vote[0]))[0]
                changed += best != label[target]
                label[target] = best
        if not changed:
            break
    return np.asarray(order[np.array(label, np.int64)] if n else np.empty(0, np.int64))


def _by_first_complaint(window: Window) -> Ints:
    first = np.full(len(window.targets), np.iinfo(np.int64).max)
    alive = np.flatnonzero(~window.gone[: window.size])
    np.minimum.at(first, window.target[alive], window.time[alive])
    return np.argsort(first, kind="stable")


def _twins(window: Window, limit: int) -> Bools:
    """Reporters with so many twins that their sittings say nothing about articles."""
    met = meetings_of(window, limit)
    twin = np.zeros(len(window.reporters), bool)
    often = met.count >= MEETINGS
    if not often.any():
        return twin
    low, high = np.full(len(met.keys), np.iinfo(np.int64).max), np.full(len(met.keys), -1)
    first, second = window.time[met.mine], window.time[met.other]
    np.minimum.at(low, met.which, np.minimum(first, second))
    np.maximum.at(high, met.which, np.maximum(first, second))
    keys, count, low, high = met.keys[often], met.count[often], low[often] - LAG_MS, high[often] + LAG_MS
    u, w = keys >> PAIR_BITS, keys & 0xFFFFFFFF
    between = _complaints_between(window)
    jaccard = count / np.maximum(between(u, low, high) + between(w, low, high) - count, 1)
    ends = np.concatenate([u[jaccard >= JACCARD], w[jaccard >= JACCARD]])
    twin[np.flatnonzero(np.bincount(ends, minlength=len(twin)) >= TWINS)] = True
    return twin


def _complaints_between(window: Window):  # type: ignore[no-untyped-def]
    events = np.flatnonzero(~window.gone[: window.size])
    keys = np.sort(window.reporter[events].astype(np.int64) << 38 | window.time[events])

    def count(reporter: Ints, low: Ints, high: Ints) -> Ints:
        base = reporter.astype(np.int64) << 38
        return np.asarray(
            np.searchsorted(keys, base | np.minimum(high, (1 << 38) - 1), "right")
            - np.searchsorted(keys, base | np.maximum(low, 0), "left"),
            np.int64,
        )

    return count
