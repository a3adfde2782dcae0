"""Convert detection's groups to the form that clusters are kept in. PURE."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from service.model import Evidence, Kind
from service.moderation.cluster_state import Membership
from service.moderation.listed_complaints import ListedByReporter, listed_with
from service.policy import DEFAULT_POLICY, Policy
from workers.detection.groups import Group


@dataclass(frozen=True, slots=True, eq=False)
class AdaptedGroup:
    """A group as service.moderation.cluster_identity.DetectedGroup describes it."""

    kind: Kind
    reporters: frozenset[int]
    memberships: tuple[Membership, ...]
    evidence: tuple[Evidence, ...]
    author_by_target: Mapping[int, int]
    continues: str | None = None
    listed: tuple[Membership, ...] = ()


@dataclass(frozen=True, slots=True)
class GroupExemptions:
    """What makes complaints exempt, or not, beside what the feed says of them."""

    allowed: Collection[int] = ()  # reporters whose complaints all are
    by_seq: Mapping[int, bool] = field(default_factory=dict)  # of complaints about which the registry decides

    def with_exemption(self, filed: Membership) -> Membership:
        """The complaint as it counts."""
        exempt = filed.reporter in self.allowed or self.by_seq.get(filed.seq, filed.exempt)
        return filed if exempt == filed.exempt else replace(filed, exempt=exempt)


def seqs_by(group: Group, reporters: Collection[int]) -> list[int]:
    """The complaints of the group that these reporters filed, by seq."""
    if not reporters:
        return []
    mine = np.isin(group.reporter, np.fromiter(reporters, np.int64, len(reporters)))
    found: list[int] = group.seq[mine].tolist()
    return found


def found_group(
    group: Group,
    exemptions: GroupExemptions = GroupExemptions(),
    listed: ListedByReporter | None = None,
    policy: Policy = DEFAULT_POLICY,
) -> AdaptedGroup:
    """The group with its complaints one by one; times to the millisecond, as the window holds them.

    `listed`: the complaints of the window that are part of others' acts.
    """
    columns = (group.seq, group.reporter, group.target, group.time_ms * 1000, group.exempt)
    memberships = tuple(Membership(*row) for row in zip(*(c.tolist() for c in columns), strict=True))
    if exemptions.allowed or exemptions.by_seq:
        memberships = tuple(map(exemptions.with_exemption, memberships))
    return AdaptedGroup(
        group.kind,
        group.reporters,
        memberships,
        group.evidence,
        group.author_by_target,
        group.continues,
        _listed(group, memberships, exemptions, listed, policy) if listed else (),
    )


def _listed(
    group: Group,
    memberships: tuple[Membership, ...],
    exemptions: GroupExemptions,
    listed: ListedByReporter,
    policy: Policy,
) -> tuple[Membership, ...]:
    # as many as bring a known group's members together on a target (workers/detection/returned_members.py)
    enough = max(policy.min_members, policy.target_share * len(group.reporters)) if group.kind == "repeat" else None
    mine = listed_with(memberships, group.reporters, group.author_by_target, listed, enough=enough)
    return tuple(map(exemptions.with_exemption, mine))
