"""Which clusters share more members than chance would have it: the evidence that two cases continue one another. PURE.

Honest accounts that complain about everything are swept along into many unrelated groups. So an account's chance of
being in a cluster is not the same for all: it grows with the number of other groups that the account is in, where a
campaign counts once, however many clusters it has. (Counted by cluster, the members of a long campaign would be
"everywhere" because of that campaign.) Neither of the two clusters
that are compared counts, nor what is provisionally grouped with them. From these chances follow how many members in
common are expected, and a bound on how likely members in common as telling as these would be: each weighs -ln of its
chance, so that accounts that are seen nowhere else tell most, and those that are everywhere next to nothing. The bound
is Chernoff's for a sum of independent chances that differ, with E[exp(θ weight)] <= 1 + chance^(1 - θ).

A pair is a link when the members in common beyond those expected are a good part of the smaller cluster; it is proven
when it passes a false-discovery bound over all pairs of clusters as well.

Authors do not make links: an author whom many dislike is attacked by many, and honest readers of that author are swept
along each time, so that members and author in common would be one coincidence counted twice. They are shown beside the
links.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from service.moderation.campaigns import grouped

FEWEST, FEWEST_PROVEN = 2, 3  # members in common
LEAST_SHARE = 0.2  # of the smaller cluster, beyond what is expected
FALSE_SHARE = 0.05  # of the links that may be coincidence
# An account that is in no other group is in this share of one more: where only a few clusters are known it is high.
_PRIOR_SEEN, _PRIOR_GROUPS = 0.5, 5.0
# What groups clusters provisionally, before chances are known: honest bycatch is a small part of a cluster.
_OBVIOUS, _OBVIOUS_SHARE = 5, 0.5
_ROUNDS = 2
# 1 - θ of the bounds on chance, of which the lowest is taken
_POWERS = (0.1, 0.2, 0.3, 0.4, 0.5)
_NEAREST = 40  # later clusters of one account that are looked at: what lies beyond is linked through those


@dataclass(frozen=True, slots=True)
class CaseMembers:
    """A cluster, as far as campaigns are concerned."""

    id: str
    first_us: int
    members: frozenset[int]  # without excluded and allow-listed accounts
    takes_part: bool = True  # False: it only shows how often its accounts are in groups


@dataclass(frozen=True, slots=True)
class Link:
    """Two clusters, the earlier first, that share more members than chance explains."""

    first: str
    second: str
    common: int
    first_size: int
    second_size: int
    expected: float  # members in common by chance
    log_p: float  # natural logarithm of the bound on the chance of members as telling
    proven: bool = True  # it passed the false-discovery bound; otherwise it only supports other links

    @property
    def p_value(self) -> float:
        """The bound as a probability."""
        return math.exp(self.log_p)

    @property
    def pair(self) -> tuple[str, str]:
        """Both ids."""
        return self.first, self.second


def measure(cases: Iterable[CaseMembers]) -> list[Link]:
    """All links between the clusters that take part, the strongest first."""
    known = sorted(cases, key=lambda case: (case.first_us, case.id))
    pairs = list(_candidates(known))
    obvious = [
        Link(a.id, b.id, common, len(a.members), len(b.members), 0.0, -float(common))
        for a, b, common in pairs
        if common >= max(_OBVIOUS, _OBVIOUS_SHARE * min(len(a.members), len(b.members)))
    ]
    links = _strongest_first(obvious)
    for _ in range(_ROUNDS):
        links = _tested(known, pairs, grouped(links))
    return links


def _candidates(known: Sequence[CaseMembers]) -> Iterator[tuple[CaseMembers, CaseMembers, int]]:
    """Pairs of clusters that take part and share enough members, through an index of the members."""
    places: dict[int, list[int]] = defaultdict(list)
    for place, case in enumerate(known):
        if case.takes_part:
            for member in case.members:
                places[member].append(place)
    together: Counter[tuple[int, int]] = Counter()
    for several in places.values():
        for start, place in enumerate(several):
            together.update((place, other) for other in islice(several, start + 1, start + 1 + _NEAREST))
    for (place, other), count in together.items():
        a, b = known[place].members, known[other].members
        if count >= FEWEST and len(common := a & b) >= LEAST_SHARE * min(len(a), len(b)):
            yield known[place], known[other], len(common)


def _tested(
    known: Sequence[CaseMembers],
    pairs: Sequence[tuple[CaseMembers, CaseMembers, int]],
    groups: Sequence[Collection[str]],
) -> list[Link]:
    """The pairs that are links, where the clusters of each of `groups` count as one."""
    chances = _Chances(known, groups)
    found = []
    for a, b, common in pairs:
        expected, log_p = chances.of(a, b)
        if common - expected >= LEAST_SHARE * min(len(a.members), len(b.members)):
            found.append(Link(a.id, b.id, common, len(a.members), len(b.members), expected, log_p))
    taking_part = sum(case.takes_part for case in known)
    return _discovered(_strongest_first(found), taking_part * (taking_part - 1) // 2)


def _discovered(links: Sequence[Link], compared: int) -> list[Link]:
    """Benjamini and Hochberg: proven is the longest beginning whose last p is below its rank's part of FALSE_SHARE."""
    passed = 0
    for rank, link in enumerate(links, 1):
        if link.log_p <= math.log(FALSE_SHARE * rank / compared):
            passed = rank
    return [replace(link, proven=rank < passed and link.common >= FEWEST_PROVEN) for rank, link in enumerate(links)]


def _strongest_first(links: Iterable[Link]) -> list[Link]:
    return sorted(links, key=lambda link: (link.log_p, link.pair))


class _Chances:
    """How often each account is in groups."""

    def __init__(self, known: Sequence[CaseMembers], groups: Sequence[Collection[str]]) -> None:
        self._group: dict[str, str] = {one: min(group) for group in groups for one in group}
        members: dict[str, set[int]] = defaultdict(set)
        for case in known:
            members[self._group.get(case.id, case.id)] |= case.members
        self._members: Mapping[str, set[int]] = members
        self._seen = Counter(member for group in members.values() for member in group)
        self._mean = sum(len(case.members) for case in known) / max(1, len(known))
        self._often = {member: self._share(seen - 1, len(members) - 2) for member, seen in self._seen.items()}
        self._sums = {
            case.id: tuple(
                sum(math.pow(self._often[member], power) for member in case.members) for power in (1.0, *_POWERS)
            )
            for case in known
        }

    def of(self, a: CaseMembers, b: CaseMembers) -> tuple[float, float]:
        """How many members in common are expected by chance, and the natural logarithm of a bound on the chance of
        members in common as telling as these; of a's members in b or b's in a, whichever tells less.
        """
        common = a.members & b.members
        other = self._group.get(b.id, b.id)
        own = 1 if self._group.get(a.id, a.id) == other else 2  # groups of theirs
        often = [self._share(self._seen[member] - own, len(self._members) - own) for member in common]
        surplus = sum(self._often[member] for member in common) - sum(often)  # of what counts the other's group
        surprise = -sum(map(math.log, often))
        found = [
            self._one_way(case, len(into.members) / self._mean, len(common), surplus, surprise)
            for case, into in ((a, b), (b, a))
        ]
        return max(expected for expected, _ in found), max(log_p for _, log_p in found)

    def _one_way(
        self, case: CaseMembers, size: float, common: int, surplus: float, surprise: float
    ) -> tuple[float, float]:
        """For the members of one in another that is `size` times as large as most."""
        everyone, *sums = self._sums[case.id]
        telling = max(0.0, surprise - common * math.log(size))
        bounds = [
            math.pow(size, power) * whole - (1 - power) * telling for power, whole in zip(_POWERS, sums, strict=True)
        ]
        return min(float(len(case.members)), (everyone - surplus) * size), min(0.0, *bounds)

    @staticmethod
    def _share(seen: int, groups: int) -> float:
        return (max(0, seen) + _PRIOR_SEEN) / (max(0, groups) + _PRIOR_GROUPS)
