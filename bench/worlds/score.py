"""One scorer for every world and every detector: who is flagged, who should be, and what becomes of the counts.

An account is flagged when it is in a cluster with coordinated_probability π > 0, that is when its complaint weighs less
than one in an independent count, no matter what the cluster is called. Positives are the members of campaigns. The
readers of one disliked author ("watcher") have a column of their own and are left out of the precision beside it.
Worlds are pooled by counts, never by averaging shares, and shares of honest accounts carry Wilson intervals.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import sqrt

from bench.worlds.world import THRESHOLD, World, honest_counts

WATCHER = "watcher"
Z_95 = 1.959964


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster with π > 0 that a detector found."""

    accounts: frozenset[str]
    probability: float  # of coordination
    unfounded_probability: float


@dataclass(frozen=True, slots=True)
class Found:
    """What a detector made of a world."""

    flagged: frozenset[str]
    clusters: tuple[Cluster, ...]
    complaints: dict[str, int]  # by target: the raw count
    independent: dict[str, float]  # by target


@dataclass(slots=True)
class Counts:
    """Counts of one world, or of several added up."""

    worlds: int = 0
    true_flagged: int = 0
    honest_flagged: int = 0  # watchers included
    watchers_flagged: int = 0
    members: int = 0
    flagged_by_kind: Counter[str] = field(default_factory=Counter)  # honest accounts
    accounts_by_kind: Counter[str] = field(default_factory=Counter)
    found_by_campaign: Counter[str] = field(default_factory=Counter)  # flagged members, by kind of campaign
    members_by_campaign: Counter[str] = field(default_factory=Counter)
    removals: int = 0  # honest ones at the threshold
    removals_lost: int = 0
    attacked: int = 0  # campaign targets whose raw count reaches the threshold
    attacked_still: int = 0  # ... and whose independent count does
    attacked_ideal: int = 0  # ... and whose honest complaints, with one for each campaign, do

    @property
    def precision(self) -> float | None:
        """Of all flagged accounts; None where nobody is flagged."""
        return _share(self.true_flagged, self.true_flagged + self.honest_flagged)

    @property
    def precision_without_watchers(self) -> float | None:
        """The same, watchers counted on neither side."""
        return _share(self.true_flagged, self.true_flagged + self.honest_flagged - self.watchers_flagged)

    @property
    def recall(self) -> float | None:
        """Of all campaign members; None where there is no campaign."""
        return _share(self.true_flagged, self.members)

    @property
    def f1(self) -> float | None:
        """Of precision and recall over accounts."""
        return _share(2 * self.true_flagged, self.true_flagged + self.honest_flagged + self.members)

    @property
    def f1_without_watchers(self) -> float | None:
        """The same, watchers counted on neither side."""
        return _share(
            2 * self.true_flagged, self.true_flagged + self.honest_flagged - self.watchers_flagged + self.members
        )

    def __add__(self, other: Counts) -> Counts:
        """Both, count by count."""
        mine, theirs = ({name: getattr(each, name) for name in Counts.__slots__} for each in (self, other))
        return Counts(**{name: mine[name] + theirs[name] for name in mine})


def count(world: World, found: Found) -> Counts:
    """What a detector found in one world, in counts."""
    kinds, campaigns = world.truth.kind_by_account, world.truth.campaigns
    members = world.truth.campaign_members()
    counts = Counts(worlds=1, members=len(members))
    for account, kind in kinds.items():
        flagged = account in found.flagged
        if account in members:
            campaign = campaigns[kind].kind
            counts.members_by_campaign[campaign] += 1
            counts.found_by_campaign[campaign] += flagged
            counts.true_flagged += flagged
        else:
            counts.accounts_by_kind[kind] += 1
            counts.flagged_by_kind[kind] += flagged
            counts.honest_flagged += flagged
            counts.watchers_flagged += flagged and kind == WATCHER
    _count_targets(world, found, members, counts)
    return counts


def _count_targets(world: World, found: Found, members: frozenset[str], counts: Counts) -> None:
    for target in world.truth.honest_removals:
        counts.removals += 1
        counts.removals_lost += found.independent[target] < THRESHOLD
    honest = honest_counts(world.complaints, members)
    campaigns: Counter[str] = Counter(t for c in world.truth.campaigns.values() for t in c.targets)
    for target, striking in campaigns.items():
        if found.complaints[target] >= THRESHOLD:
            counts.attacked += 1
            counts.attacked_still += found.independent[target] >= THRESHOLD
            counts.attacked_ideal += honest[target] + striking >= THRESHOLD


def pooled(several: Iterable[Counts]) -> Counts:
    """The counts of several worlds as one."""
    return sum(several, Counts())


def wilson(hits: int, of: int, z: float = Z_95) -> tuple[float, float]:
    """The Wilson interval of a share (Wilson 1927), 95 % unless another z is given; (0, 1) of nothing."""
    if of == 0:
        return 0.0, 1.0
    share = hits / of
    middle = share + z * z / (2 * of)
    width = z * sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return max(0.0, (middle - width) / (1 + z * z / of)), min(1.0, (middle + width) / (1 + z * z / of))


def headline(name: str, counts: Counts) -> str:
    """One line of the table whose head is `HEAD`."""
    return (
        f"{name:42} {_text(counts.precision)} {_text(counts.precision_without_watchers)} {_text(counts.recall)} "
        f"{_text(counts.f1)} {counts.honest_flagged - counts.watchers_flagged:6} {counts.watchers_flagged:8} "
        f"{counts.removals_lost:5} of {counts.removals:<5} "
        f"{counts.attacked_still:4} of {counts.attacked:<4} (ideal {counts.attacked_ideal})"
    )


HEAD = (
    f"{'world':42} {'P':>5} {'P*':>5} {'R':>5} {'F1':>5} {'honest':>6} {'watchers':>8} {'removals lost':>14} "
    f"campaign targets still >= {THRESHOLD}\n{'':42} (P*: without watchers; honest and watchers: accounts flagged)"
)


def by_kind(counts: Counts) -> list[str]:
    """Lines about each honest kind, then about each kind of campaign."""
    lines = []
    for kind, accounts in sorted(counts.accounts_by_kind.items()):
        hits = counts.flagged_by_kind[kind]
        low, high = wilson(hits, accounts)
        lines.append(
            f"  {kind:20} {hits:5} of {accounts:<6} flagged  {hits / accounts:6.1%}  ({low:.1%} to {high:.1%})"
        )
    for kind, accounts in sorted(counts.members_by_campaign.items()):
        hits = counts.found_by_campaign[kind]
        low, high = wilson(hits, accounts)
        lines.append(
            f"  {kind:20} {hits:5} of {accounts:<6} found    {hits / accounts:6.1%}  ({low:.1%} to {high:.1%})"
        )
    return lines


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _text(share: float | None) -> str:
    return "    –" if share is None else f"{share:5.3f}"


def side_by_side(rows: Mapping[str, Counts]) -> list[str]:
    """Lines that compare detectors on the same worlds: precision, recall and F1, then recall by kind of campaign."""
    width = max(len(name) for name in rows)
    lines = [f"{'':{width}}     P     R    F1    P*   F1*  honest flagged"]
    for name, counts in rows.items():
        shares = (
            counts.precision,
            counts.recall,
            counts.f1,
            counts.precision_without_watchers,
            counts.f1_without_watchers,
        )
        flagged = f"{counts.honest_flagged:7} of {counts.accounts_by_kind.total()}"
        lines.append(f"{name:{width}} {' '.join(_text(share) for share in shares)} {flagged}")
    kinds = sorted(frozenset[str]().union(*(counts.members_by_campaign for counts in rows.values())))
    lines += ["", "recall by campaign: " + ", ".join(f"[{number}] {name}" for number, name in enumerate(rows, 1))]
    lines.append(f"  {'':20} {'accounts':>8} " + " ".join(f"{f'[{number}]':>5}" for number in range(1, len(rows) + 1)))
    for kind in kinds:
        found = [_share(c.found_by_campaign[kind], c.members_by_campaign[kind]) for c in rows.values()]
        accounts = max(c.members_by_campaign[kind] for c in rows.values())
        lines.append(f"  {kind:20} {accounts:8} {' '.join(_text(share) for share in found)}")
    return lines
