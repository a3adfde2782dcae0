"""From a seed of validated pairs to a group: who else complains about the same targets in the same hours?"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

import networkx as nx
import numpy as np
from scipy.special import bdtrc, betainc, pdtrc

from service.policy import Policy
from workers.detection.arrays import Events, Floats, Ints
from workers.detection.sorted_index import are_in
from workers.detection.window import Window

MemberSet = frozenset[int]
CHANCE_TARGET = 0.01  # p above which a target does not belong to the group
CHANCE_SHARE = 0.05  # of the targets that a group is measured on
MOST_TRAFFIC = 0.5  # of the traffic of its days; a group that files more of it explains every target by itself
QUIET = 500  # complaints in a window: with fewer by others, nobody knows how popular a target is


@dataclass(frozen=True, slots=True)
class Affinity:
    """The fitted gamma of the null model."""

    shape: float
    rate: float


@dataclass(frozen=True, slots=True)
class TargetTraffic:
    """The complaints of everyone on a group's targets, within the hours in which its members complained there."""

    targets: Ints
    events: Events
    by_member: np.ndarray[tuple[int], np.dtype[np.bool_]]  # which of the events are the members' own


def targets_of(window: Window, members: Ints, share: float) -> Ints:
    """Targets that at least max(2, share of the members) complained about, and more of them than chance brings there.

    Members spread over popular targets (readers, or decoys laid on purpose) meet on some of them anyway: with D
    complaints in all, a target that drew n of the window's N expects D n / N of them.
    """
    events, shared, count, _ = _shared_targets(window, members, share)
    expected = len(events) * window.crowd[shared] / max(window.live, 1)
    return np.asarray(shared[pdtrc(count - 1, expected) < CHANCE_TARGET], np.int64)


def measured_targets(window: Window, members: Ints, share: float) -> Ints:
    """The targets that a group is measured on: at most CHANCE_SHARE of them are shared by chance (Benjamini-Hochberg
    over all targets that it touched).

    Each of the n complaints on a target is a member's with the probability of the members' share in the traffic of
    their own days. Accounts that file a thousand decoy complaints within a week meet on a hundred popular targets, and
    their share of the traffic explains all of those. Where they file most of the traffic, as in a raid at night, it
    would explain everything: then the question is whether others' complaints explain that they met on this target.
    """
    events, shared, count, touched = _shared_targets(window, members, share)
    if not len(shared):
        return shared
    of_traffic, crowd = _traffic_share(window, events), window.crowd[shared].astype(np.int64)
    p = (
        bdtrc(count - 1, crowd, of_traffic)
        if of_traffic <= MOST_TRAFFIC
        else pdtrc(count - 1, expected_members(window, len(events), crowd - count))
    )
    in_order = np.sort(p)
    passing = in_order[in_order <= CHANCE_SHARE * np.arange(1, len(p) + 1) / touched]
    return shared[p <= min(passing[-1], CHANCE_TARGET)] if len(passing) else shared[:0]


def _shared_targets(window: Window, members: Ints, share: float) -> tuple[Events, Ints, Ints, int]:
    """The members' complaints; the targets of max(2, share) of them, by how many; how many targets they touched
    in all.
    """
    _, events = window.runs(window.by_pair, members)
    targets, count = np.unique(window.target[events], return_counts=True)
    shared = count >= max(2, share * len(members))
    return events, targets[shared].astype(np.int64), count[shared], len(targets)


def expected_members(window: Window, filed: int, others: Ints) -> Floats:
    """How many of a group's `filed` complaints chance brings to targets that `others` outside the group complained
    about, each complaint choosing by what these choose: one more on every target, so that a new one is possible.
    """
    elsewhere = max(window.live - filed + len(window.targets), QUIET)
    return np.asarray(filed * (others + 1) / elsewhere, np.float64)


def _traffic_share(window: Window, events: Events) -> float:
    """What share of all complaints within half a day of one of these are of these, mean over them."""
    everyone = window.hourly()
    mine = np.bincount(window.hour_of(events), minlength=len(everyone))
    day = np.ones(25)
    share = np.convolve(mine, day, "same") / np.maximum(np.convolve(everyone, day, "same"), 1)
    return min(1.0, float((share * mine).sum() / max(mine.sum(), 1)))


def target_traffic(window: Window, members: Ints, targets: Ints, margin_ms: int) -> TargetTraffic:
    """The complaints on the targets within the members' hours, `margin_ms` wider at both ends."""
    owner, events = window.runs(window.by_target, targets)
    member = np.isin(window.reporter[events], members)
    time = window.time[events]
    start = np.searchsorted(owner, np.arange(len(targets)))
    low = np.minimum.reduceat(np.where(member, time, np.iinfo(np.int64).max // 2), start) - margin_ms
    high = np.maximum.reduceat(np.where(member, time, -1), start) + margin_ms
    inside = (time >= low[owner]) & (time <= high[owner])
    return TargetTraffic(targets, events[inside], member[inside])


def grow(window: Window, seed: Iterable[int], seeds: Ints, affinity: Affinity, policy: Policy) -> MemberSet:
    """The seed plus everyone who complains about its targets more often than chance, minus members who do not.

    Nobody is taken in who is in another of the `seeds` (the members of all of them, sorted): a brigade and a patrol
    that watch the same author must not become one. Empty if fewer than `policy.min_members` remain or no two targets
    are shared.
    """
    own = members = np.array(sorted(seed), np.int64)
    for _ in range(policy.growth_rounds):
        targets = targets_of(window, members, policy.target_share)
        if len(targets) < 2:
            return frozenset()
        traffic = target_traffic(window, members, targets, policy.growth_margin_seconds * 1000)
        found, counts = np.unique(window.reporter[traffic.events], return_counts=True)
        found, counts, candidates = found[counts >= 2].astype(np.int64), counts[counts >= 2], len(found)
        p = member_p(window, traffic, found, counts, affinity)
        shut = are_in(found, seeds) & ~are_in(found, own)
        admitted = (p * candidates < policy.growth_p) & ~shut
        grown = found[admitted | np.isin(found, members)]
        if len(grown) < policy.min_members:
            return frozenset()
        if np.array_equal(grown, members):
            break
        members = grown
    return frozenset(members.tolist())


def member_p(window: Window, traffic: TargetTraffic, reporters: Ints, counts: Ints, affinity: Affinity) -> Floats:
    """P(X >= counts) for each reporter: that many complaints in the `traffic` by chance, given the control.

    The control is the reporter's complaints in the same contexts about other targets.
    """
    n = max(window.live, 1)
    chance = (int((~traffic.by_member).sum()) + len(traffic.targets)) / n
    contexts = np.unique(window.context_of[traffic.targets])
    elsewhere = max(0, int(window.context_crowd[contexts].sum()) - int(window.crowd[traffic.targets].sum())) / n
    owner, events = window.runs(window.by_pair, reporters)
    control = np.isin(window.context[events], contexts) & ~np.isin(window.target[events], traffic.targets)
    y = np.bincount(owner[control], minlength=len(reporters))
    return admission_p(counts, y, window.degree[reporters].astype(float), chance, elsewhere, affinity)


def admission_p(
    counts: Ints | int, control: Ints | int, degree: Floats | float, chance: float, elsewhere: float, affinity: Affinity
) -> Floats:
    """P(X >= counts) of reporters with `degree` complaints, `control` of them in the same contexts on other targets.

    `chance` is the share of all complaints that other people's complaints on the targets make up in the members' hours;
    `elsewhere` is the share of those in the same contexts about other targets.
    """
    mu = degree * chance
    return np.asarray(betainc(counts, affinity.shape + control, mu / (mu + affinity.rate + degree * elsewhere)))


def merge(groups: Iterable[MemberSet], share: float) -> list[MemberSet]:
    """Groups that share at least `share` of the smaller's members are one, until no two do; neither order nor names
    matter.
    """
    merged = set(groups)
    while True:
        holders: dict[int, list[MemberSet]] = defaultdict(list)
        for group in merged:
            for member in group:
                holders[member].append(group)
        common = Counter(pair for held in holders.values() for pair in combinations(held, 2))
        alike: nx.Graph[MemberSet] = nx.Graph()
        alike.add_nodes_from(merged)
        alike.add_edges_from((a, b) for (a, b), n in common.items() if n >= share * min(len(a), len(b)))
        if not alike.number_of_edges():
            return sorted(merged, key=lambda g: (-len(g), min(g, default=0)))
        merged = {frozenset().union(*part) for part in nx.connected_components(alike)}
