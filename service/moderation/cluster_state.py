"""A cluster as it is kept between recomputations. PURE.

Times are microseconds since 1970; reporters and targets are keys (service.storage.sql.hashing).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from service.model import Disposition, Evidence, Kind, Status

StandingVerdict = Literal["coordinated", "not_coordinated"]


@dataclass(frozen=True, slots=True)
class Membership:
    """A member's standing complaint on a target of the cluster."""

    seq: int
    reporter: int
    target: int
    time_us: int
    exempt: bool  # trusted reporter or illegal-content notice: never discounted
    verdict: StandingVerdict | None = None  # the decision that was made about this complaint


@dataclass(frozen=True, slots=True)
class ClusterState:
    """A cluster as it is kept. Reporters and targets are keys (service.storage.sql.hashing)."""

    id: str
    kind: Kind
    disposition: Disposition
    status: Status
    members: frozenset[int]  # without the excluded
    excluded: frozenset[int]
    memberships: Mapping[int, Membership]  # by seq, of members and of the excluded
    author_by_target: Mapping[int, int]  # the targets, with the author's key (0 unknown)
    evidence: tuple[Evidence, ...]
    score: float
    probability: float
    unfounded_probability: float
    settle_with: tuple[int, ...]
    summary: str
    policy_version: str
    version: int
    found_us: int  # last_at when first found: the quota's day
    verdict: StandingVerdict | None = None
    decided_reporters: int | None = None
    decided_targets: int | None = None
    merged_into: str | None = None
    split_from: str | None = None
    earlier: str | None = None
    revoked_us: int | None = None
    revoked_because: str | None = None
    trimmed_us: tuple[int, int] | None = None  # (first, last) of its complaints that retention deleted
    # Complaints that are part of acts of the same people, by seq: discounted on their targets, and counted nowhere else
    listed: Mapping[int, Membership] = field(default_factory=dict)

    @property
    def counted(self) -> list[Membership]:
        """The complaints of members that are not excluded."""
        return [m for m in self.memberships.values() if m.reporter in self.members]

    @property
    def discounted(self) -> list[Membership]:
        """The complaints that the cluster takes off the independent count of their targets."""
        return [*self.counted, *(m for m in self.listed.values() if m.reporter in self.members)]

    @property
    def discounted_targets(self) -> set[int]:
        """The targets whose independent count the cluster may lower."""
        return {*self.author_by_target, *(m.target for m in self.listed.values())}

    def discounts_on(self, target: int) -> bool:
        """Whether this is one of the `discounted_targets`."""
        return target in self.author_by_target or any(m.target == target for m in self.listed.values())

    @property
    def first_us(self) -> int:
        """Time of the earliest counted complaint, deleted ones included.

        The earliest of all where every member is excluded; 0 without any.
        """
        return min([*self._trimmed, *self._times], default=0)

    @property
    def last_us(self) -> int:
        """Time of the latest counted complaint, deleted ones included.

        The latest of all where every member is excluded; 0 without any.
        """
        return max([*self._trimmed, *self._times], default=0)

    @property
    def _times(self) -> list[int]:
        return [m.time_us for m in self.counted or self.memberships.values()]

    @property
    def _trimmed(self) -> tuple[int, ...]:
        return self.trimmed_us or ()

    def with_verdict(self, verdict: StandingVerdict | None) -> ClusterState:
        """The cluster with this as the decision that was made about each of its complaints; itself if it was."""
        filed = (*self.memberships.values(), *self.listed.values())
        if all(m.verdict == verdict for m in filed):
            return self
        judged, listed = (
            {seq: replace(m, verdict=verdict) for seq, m in held.items()} for held in (self.memberships, self.listed)
        )
        return replace(self, memberships=judged, listed=listed)

    def without_complaints(self) -> tuple[frozenset[int], frozenset[int]]:
        """Members and targets whose complaints have all been deleted by retention, so that they cannot be scored."""
        if self.trimmed_us is None:
            return frozenset(), frozenset()
        return self.members - {m.reporter for m in self.memberships.values()}, frozenset(
            self.author_by_target.keys() - {m.target for m in self.memberships.values()}
        )

    def reaches_before(self, since_us: int) -> bool:
        """Whether a counted complaint is older than `since_us` or was deleted.

        If so, the complaints since then do not show the whole cluster.
        """
        return self.trimmed_us is not None or any(m.time_us < since_us for m in self.counted)


def is_judged(state: ClusterState) -> bool:
    """Whether the standing decision, or its absence, is about all of the cluster's complaints."""
    return state.status == "decided" or state.verdict is None
