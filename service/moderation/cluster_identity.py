"""Match recomputed groups with the stored clusters that they continue. PURE.

A group keeps the id of the stored cluster with which it shares most members, if they share enough (`common_people`). A
group that is the best match for several clusters merges them, and the oldest id survives. If several groups share
members with one cluster, the one with most in common keeps the id (a split).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Protocol

from service.model import Evidence, Kind
from service.moderation.cluster_state import ClusterState, Membership

CROWD_SHARE = 0.5  # a crowd with this share of its accounts in a known group is part of that group


class DetectedGroup(Protocol):
    """A group of one run, times in microseconds since 1970 (workers.group_adapter makes it of detection's)."""

    @property
    def kind(self) -> Kind: ...
    @property
    def reporters(self) -> frozenset[int]: ...
    @property
    def memberships(self) -> tuple[Membership, ...]: ...
    @property
    def evidence(self) -> tuple[Evidence, ...]: ...
    @property
    def author_by_target(self) -> Mapping[int, int]: ...
    @property
    def listed(self) -> tuple[Membership, ...]:
        """Complaints that are part of its acts (ClusterState.listed)."""

    @property
    def continues(self) -> str | None:
        """Id of the stored cluster whose members these are, if that is how they were found."""


def overlaps(group: DetectedGroup, present: Mapping[str, ClusterState], share: float) -> dict[str, int]:
    """Number of members shared with each stored cluster that the group may continue, by cluster id."""
    common = {
        state.id: common_people(group.kind, group.reporters, group.author_by_target.keys(), state, share)
        for state in present.values()
    }
    return {identity: count for identity, count in common.items() if count}


def common_people(kind: Kind, people: Set[int], targets: Set[int], state: ClusterState, share: float) -> int:
    """How many people a group shares with a cluster that it may continue; 0 if it cannot continue it.

    At least `share` of the smaller one's people must be in both; members excluded by a decision are included.
    """
    if kind != state.kind:
        return 0  # a crowd on one target is not the group that hits many, though they share accounts
    if kind == "one_shot" and targets != state.author_by_target.keys():
        return 0  # nor is it the crowd on another target, which would lose its discount
    known = state.members | state.excluded
    common = len(people & known)
    return common if common >= share * min(len(people), len(known)) else 0


def returned(group: DetectedGroup, left: Iterable[ClusterState], share: float) -> dict[str, int]:
    """Number of members shared with each of the clusters that have `left` the window and that the group continues.

    At least `share` of the group's people must be members of one: a few in common do not bring an old cluster back.
    """
    if group.kind != "repeat":
        return {}
    common = {s.id: len(group.reporters & s.members) for s in left if not group.reporters.isdisjoint(s.members)}
    return {identity: count for identity, count in common.items() if count >= share * len(group.reporters)}


def age(state: ClusterState) -> tuple[int, str]:
    """Sorts clusters by when they were found, ties by id."""
    return state.found_us, state.id


def owners(groups: Sequence[DetectedGroup], shared: Sequence[dict[str, int]]) -> dict[str, int]:
    """Which group (by its place) keeps each stored id: the one with most members in common.

    A group may own several ids; it then merges these clusters.
    """
    best: dict[str, int] = {}
    for k in range(len(groups)):
        for identity, common in shared[k].items():
            held = best.get(identity)
            if held is None or common > shared[held][identity]:
                best[identity] = k
    return best


def survivor_of(
    k: int, shared: dict[str, int], owner: Mapping[str, int], present: Mapping[str, ClusterState]
) -> tuple[str | None, list[str]]:
    """The id that group k continues, and the others that merge into it: the oldest survives."""
    mine = sorted((identity for identity in shared if owner[identity] == k), key=lambda i: age(present[i]))
    return (mine[0], mine[1:]) if mine else (None, [])


def is_part_of_known_group(crowd: DetectedGroup, states: Mapping[str, ClusterState]) -> bool:
    """Whether a crowd on one target belongs to a group that is known from several targets.

    The group's other targets may have left the window.
    """
    return any(belongs_to(crowd.reporters, crowd.author_by_target.keys(), s) for s in states.values())


def belongs_to(people: Set[int], targets: Set[int], group: ClusterState) -> bool:
    """Whether a crowd on one target is part of a standing group: its target and half of its people are the group's."""
    return (
        group.kind == "repeat"
        and group.disposition not in ("merged", "revoked")
        and targets <= group.author_by_target.keys()
        and len(people & (group.members | group.excluded)) >= CROWD_SHARE * len(people)
    )
