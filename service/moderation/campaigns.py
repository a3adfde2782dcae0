"""Campaigns: clusters that continue one another over months. From links between clusters, and what people say. PURE.

Groups grow along their strongest proven links. One of them joins two clusters; a group of two or more is only joined
where there are links, proven or not, to at least two of its clusters. So one doubtful link, or one cluster in which two
campaigns were caught together, makes no bridge between them.

What a person said outweighs the links: clusters that are `together` stay in one group and count as one of its clusters
where it grows, so that adding a case to a campaign tears nothing off; clusters that are `apart` never
come into one, whatever joins them. Of two statements about the same clusters the later one counts.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal, Protocol

Relation = Literal["together", "apart"]


class Linked(Protocol):
    """What grouping needs of a link."""

    @property
    def pair(self) -> tuple[str, str]:
        """Both clusters."""

    @property
    def log_p(self) -> float:
        """The smaller, the stronger."""

    @property
    def proven(self) -> bool:
        """Whether it joins; otherwise it only supports."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What a person said about two clusters."""

    cluster_id: str
    other_id: str
    relation: Relation

    @property
    def pair(self) -> frozenset[str]:
        """Both, in no order."""
        return frozenset((self.cluster_id, self.other_id))


def belongs_to_campaigns(disposition: str, verdict: str | None) -> bool:
    """Whether a cluster can be in a campaign: it is flagged, or a person decided that it is coordinated.

    Not where moderators upheld its complaints, or a person cleared it; and not a merged one, which lives on in another.
    """
    if verdict == "not_coordinated" or disposition in ("merged", "reliable"):
        return False
    return disposition == "flagged" or verdict == "coordinated"


def grouped(links: Iterable[Linked], statements: Sequence[Statement] = ()) -> list[frozenset[str]]:
    """The groups of two clusters or more; `statements` in the order in which they were made.

    A cluster that neither a link nor a statement names is in none.
    """
    standing = {statement.pair: statement for statement in statements if len(statement.pair) == 2}
    building = _Building(pair for pair, said in standing.items() if said.relation == "apart")
    for statement in reversed(statements):  # the latest first: it prevails where two together contradict an apart
        if standing.get(statement.pair) is statement and statement.relation == "together":
            building.unite(*sorted(statement.pair))
    building.grow(links)
    return sorted((frozenset(group) for group in building.groups() if len(group) > 1), key=min)


class _Building:
    """Groups while they grow."""

    def __init__(self, apart: Iterable[frozenset[str]]) -> None:
        self._group: dict[str, set[str]] = {}
        self._apart: dict[str, set[str]] = defaultdict(set)
        for pair in apart:
            one, other = sorted(pair)
            self._apart[one].add(other)
            self._apart[other].add(one)
        self._links: dict[int, dict[int, list[Linked]]] = {}  # between groups, by id() of their sets
        self._unit: dict[str, int] = {}

    def groups(self) -> list[set[str]]:
        """As they are now."""
        return list({id(group): group for group in self._group.values()}.values())

    def unite(self, one: str, other: str) -> None:
        """Put both into one group, unless that would bring together what is apart."""
        a, b = self._of(one), self._of(other)
        if a is not b and not self._kept_apart(a, b):
            self._merge(a, b)

    def grow(self, links: Iterable[Linked]) -> None:
        """Join groups along the links, the strongest first."""
        found = list(links)
        self._unit = {one: id(group) for one, group in self._group.items()}
        for link in found:
            a, b = (self._of(one) for one in link.pair)
            if a is not b:
                self._links.setdefault(id(a), {}).setdefault(id(b), []).append(link)
                self._links.setdefault(id(b), {}).setdefault(id(a), []).append(link)
        waiting = [(link.log_p, link.pair) for link in found if link.proven]
        heapq.heapify(waiting)
        while waiting:
            _, (one, other) = heapq.heappop(waiting)
            a, b = self._of(one), self._of(other)
            if a is b or not self._joins(a, b):
                continue
            for link in self._merge(a, b):
                heapq.heappush(waiting, (link.log_p, link.pair))

    def _of(self, cluster: str) -> set[str]:
        return self._group.setdefault(cluster, {cluster})

    def _kept_apart(self, a: set[str], b: set[str]) -> bool:
        small, large = (a, b) if len(a) < len(b) else (b, a)
        return any(not large.isdisjoint(self._apart.get(one, ())) for one in small)

    def _joins(self, a: set[str], b: set[str]) -> bool:
        links = self._links.get(id(a), {}).get(id(b), ())
        ends = {one for link in links for one in link.pair}
        return (
            any(link.proven for link in links)
            and all(len(self._units(ends & group)) >= min(2, len(self._units(group))) for group in (a, b))
            and not self._kept_apart(a, b)
        )

    def _units(self, clusters: Iterable[str]) -> set[int | str]:
        """What a person put together counts as one."""
        return {self._unit.get(one, one) for one in clusters}

    def _merge(self, a: set[str], b: set[str]) -> list[Linked]:
        """Merge the smaller group into the larger; returns a link to each group that may join now and could not before:
        those that the smaller one is linked with.
        """
        if len(a) < len(b):
            a, b = b, a
        mine, theirs = self._links.setdefault(id(a), {}), self._links.pop(id(b), {})
        mine.pop(id(b), None)
        theirs.pop(id(a), None)
        for other, links in theirs.items():
            both = mine[other] = [*mine.get(other, ()), *links]
            back = self._links[other]
            back.pop(id(b), None)
            back[id(a)] = both
        a |= b
        for one in b:
            self._group[one] = a
        return [min(links, key=lambda link: (link.log_p, link.pair)) for links in theirs.values()]


def identified(groups: Sequence[frozenset[str]], stored: Mapping[str, str]) -> dict[str, frozenset[str]]:
    """The groups by campaign id. `stored`: the campaign of each cluster until now.

    A group keeps the id that most of its clusters had; of two groups from one campaign, the one with more of them keeps
    it. The others get an id that follows from their clusters, so that the same group found twice has one id.
    """
    claims = []
    for number, group in enumerate(groups):
        had: dict[str, int] = defaultdict(int)
        for cluster in group:
            if cluster in stored:
                had[stored[cluster]] += 1
        claims += [(-count, campaign, number) for campaign, count in had.items()]
    named: dict[int, str] = {}
    taken: set[str] = set()
    for _, campaign, number in sorted(claims):
        if number not in named and campaign not in taken:
            named[number] = campaign
            taken.add(campaign)
    taken |= set(stored.values())
    for number, group in enumerate(groups):
        if number not in named:
            named[number] = _fresh_id(group, taken)
            taken.add(named[number])
    return {named[number]: group for number, group in enumerate(groups)}


def _fresh_id(group: frozenset[str], taken: set[str]) -> str:
    seed = "\n".join(sorted(group))
    while True:
        fresh = f"cp{blake2b(seed.encode(), digest_size=8).hexdigest()}"
        if fresh not in taken:
            return fresh
        seed += "\n"
