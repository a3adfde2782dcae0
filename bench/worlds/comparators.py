"""Detectors of the literature and of common practice, beside which ours is scored: they see who, what and when. PURE.

Each is written from its definition and judged by the same scorer. None of them looks at outcomes, contexts, devices or
texts; none says how sure it is. Their independent count takes one complaint for all of a cluster's members on a target.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from bench.worlds.score import Cluster, Found
from bench.worlds.world import DAY, HOUR, MINUTE, Bools, Floats, Ints, World, seconds_of

SMALLEST = 3  # accounts in a cluster: two are easily a coincidence
BURST = 10  # reporters an hour on one target


@dataclass(frozen=True, slots=True)
class Actions:
    """The complaints of a world by target, then by time: parallel columns of numbers."""

    account: Ints
    target: Ints
    at: Floats  # seconds
    account_names: list[str]
    target_names: list[str]


def actions_of(world: World) -> Actions:
    """The complaints of a world; a reporter's later ones about the same target are left out."""
    accounts: dict[str, int] = {}
    targets: dict[str, int] = {}
    first: dict[tuple[int, int], float] = {}
    for complaint in world.complaints:
        account = accounts.setdefault(complaint["reporter"]["id"], len(accounts))
        target = targets.setdefault(complaint["target"]["id"], len(targets))
        at = seconds_of(complaint["occurred_at"])
        first[account, target] = min(at, first.get((account, target), at))
    columns = np.array([(account, target, at) for (account, target), at in first.items()], float).reshape(-1, 3)
    order = np.lexsort((columns[:, 0], columns[:, 2], columns[:, 1]))
    account, target = columns[order, 0].astype(np.int64), columns[order, 1].astype(np.int64)
    return Actions(account, target, columns[order, 2], list(accounts), list(targets))


def synchrotrap(actions: Actions, *, within: float, similarity: float, matches: int) -> list[frozenset[int]]:
    """Clusters of accounts by SynchroTrap (Cao, Yang, Yu, Palow: CCS 2014, sections 3 and 4).

    An action is (account, target, time); two actions match when the target is the same and the times are at most
    `within` seconds apart. The similarity of two accounts is Jaccard's over all targets: matching actions divided by
    the union of both accounts' actions. Pairs of at least `similarity` and `matches` matching actions are linked;
    single linkage makes clusters of them.
    """
    first, second, met = co_reports(actions, within)
    filed = np.bincount(actions.account, minlength=len(actions.account_names))
    alike = met >= similarity * (filed[first] + filed[second] - met)
    linked = alike & (met >= matches)
    return components(first[linked], second[linked])


def co_report(actions: Actions, *, within: float, common: int) -> list[frozenset[int]]:
    """Clusters of accounts that share at least `common` targets at most `within` seconds apart.

    The co-sharing network of Pacheco et al. (ICWSM 2021) with a threshold on its weight, as practitioners use it.
    """
    first, second, met = co_reports(actions, within)
    return components(first[met >= common], second[met >= common])


def co_reports(actions: Actions, within: float) -> tuple[Ints, Ints, Ints]:
    """Pairs of accounts (first < second) and on how many targets both complained at most `within` seconds apart."""
    n = len(actions.at)
    if not n:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int64)
    earliest = _first_within(actions, within)
    many = np.arange(n) - earliest
    later = np.repeat(np.arange(n), many)
    earlier = later - 1 - (np.arange(len(later)) - np.repeat(np.cumsum(many) - many, many))
    one, other = actions.account[later], actions.account[earlier]
    accounts = len(actions.account_names)
    pairs, met = np.unique(np.minimum(one, other) * accounts + np.maximum(one, other), return_counts=True)
    return pairs // accounts, pairs % accounts, met


def bursts(actions: Actions) -> dict[int, frozenset[int]]:
    """By target: the accounts that complained within an hour in which at least `BURST` accounts did."""
    n = len(actions.at)
    earliest = _first_within(actions, HOUR)
    marks = np.zeros(n + 1, np.int64)
    ends = np.flatnonzero(np.arange(n) - earliest + 1 >= BURST)
    np.add.at(marks, earliest[ends], 1)
    np.add.at(marks, ends + 1, -1)
    hot: Bools = np.cumsum(marks)[:-1] > 0
    found: dict[int, set[int]] = defaultdict(set)
    for target, account in zip(actions.target[hot].tolist(), actions.account[hot].tolist(), strict=True):
        found[target].add(account)
    return {target: frozenset(accounts) for target, accounts in found.items()}


def components(first: Ints, second: Ints) -> list[frozenset[int]]:
    """Connected components of at least `SMALLEST` accounts, by their smallest account."""
    parent: dict[int, int] = {}

    def root(account: int) -> int:
        parent.setdefault(account, account)
        while parent[account] != account:
            parent[account] = account = parent[parent[account]]
        return account

    for one, other in zip(first.tolist(), second.tolist(), strict=True):
        low, high = sorted((root(one), root(other)))
        parent[high] = low
    groups: dict[int, set[int]] = defaultdict(set)
    for account in parent:
        groups[root(account)].add(account)
    return [frozenset(groups[least]) for least in sorted(groups) if len(groups[least]) >= SMALLEST]


def found_in_pairs(actions: Actions, clusters: Iterable[frozenset[int]]) -> Found:
    """The clusters as the scorer takes them: on every target, all members of one count as one complaint."""
    several = list(clusters)
    cluster_of = {account: number for number, members in enumerate(several) for account in members}
    on_target = Counter(
        (cluster_of[account], target)
        for account, target in zip(actions.account.tolist(), actions.target.tolist(), strict=True)
        if account in cluster_of
    )
    return _found(actions, several, on_target)


def found_in_bursts(actions: Actions, by_target: Mapping[int, frozenset[int]]) -> Found:
    """The bursts as the scorer takes them: on its own target, each counts as one complaint."""
    on_target = {(number, target): len(accounts) for number, (target, accounts) in enumerate(by_target.items())}
    return _found(actions, list(by_target.values()), on_target)


def _found(actions: Actions, clusters: list[frozenset[int]], on_target: Mapping[tuple[int, int], int]) -> Found:
    """`on_target`: complaints of each cluster (by number) on each target."""
    names = actions.account_names
    raw = np.bincount(actions.target, minlength=len(actions.target_names)).tolist()
    independent = [float(complaints) for complaints in raw]
    for (_, target), complaints in on_target.items():
        independent[target] -= complaints - 1
    named = tuple(Cluster(frozenset(names[account] for account in members), 1.0, 1.0) for members in clusters)
    return Found(
        frozenset().union(*(cluster.accounts for cluster in named)),
        named,
        dict(zip(actions.target_names, raw, strict=True)),
        dict(zip(actions.target_names, independent, strict=True)),
    )


def _first_within(actions: Actions, within: float) -> Ints:
    """For each complaint: the first one on its target that is at most `within` seconds earlier."""
    n = len(actions.at)
    starts = np.searchsorted(actions.target, actions.target)  # of each complaint's target
    # Every target gets a stretch of time of its own, so that one search does for all.
    since = actions.at - actions.at.min(initial=0.0)
    stretch = since.max(initial=0.0) + 2 * within + 1
    line = actions.target * stretch + since
    slack = 1e-6 * max(1.0, within)  # sums of floats: a gap of exactly `within` counts
    return np.maximum(np.searchsorted(line, line - within - slack), starts) if n else np.empty(0, np.int64)


SYNCHROTRAP_DAY, SYNCHROTRAP_HOUR = "SynchroTrap 24 h", "SynchroTrap 1 h"
CO_REPORT_3, CO_REPORT_2 = "co-report k>=3 10 min", "co-report k>=2 1 h"


def _pairs(detect: Callable[[Actions], list[frozenset[int]]]) -> Callable[[Actions], Found]:
    return lambda actions: found_in_pairs(actions, detect(actions))


COMPARATORS: Mapping[str, Callable[[Actions], Found]] = {
    SYNCHROTRAP_DAY: _pairs(partial(synchrotrap, within=DAY, similarity=0.3, matches=3)),
    SYNCHROTRAP_HOUR: _pairs(partial(synchrotrap, within=HOUR, similarity=0.4, matches=3)),
    CO_REPORT_3: _pairs(partial(co_report, within=10 * MINUTE, common=3)),
    CO_REPORT_2: _pairs(partial(co_report, within=HOUR, common=2)),
    "burst 10 an hour": lambda actions: found_in_bursts(actions, bursts(actions)),
}
TO_BEAT = (SYNCHROTRAP_DAY, CO_REPORT_3, CO_REPORT_2)  # whose F1 ours has to reach in every kind of world
