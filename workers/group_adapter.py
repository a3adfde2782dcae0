"""Convert detection's groups to the form that clusters are kept in. PURE."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

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


def found_group(
    group: Group,
    allowed: Collection[int] = (),
    listed: ListedByReporter | None = None,
    policy: Policy = DEFAULT_POLICY,
) -> AdaptedGroup:
    """The group with its complaints one by one; times to the millisecond, as the window holds them.

    Those of `allowed` reporters are exempt. `listed`: the complaints of the window that are part of others' acts.
    """
    exempt = (
        group.exempt | np.isin(group.reporter, np.fromiter(allowed, np.int64, len(allowed)))
        if allowed
        else group.exempt
    )
    columns = (group.seq, group.reporter, group.target, group.time_ms * 1000, exempt)
    memberships = tuple(Membership(*row) for row in zip(*(c.tolist() for c in columns), strict=True))
    return AdaptedGroup(
        group.kind,
        group.reporters,
        memberships,
        group.evidence,
        group.author_by_target,
        group.continues,
        _listed(group, memberships, allowed, listed, policy) if listed else (),
    )


def _listed(
    group: Group,
    memberships: tuple[Membership, ...],
    allowed: Collection[int],
    listed: ListedByReporter,
    policy: Policy,
) -> tuple[Membership, ...]:
    # as many as bring a known group's members together on a target (workers/detection/returned_members.py)
    enough = max(policy.min_members, policy.target_share * len(group.reporters)) if group.kind == "repeat" else None
    mine = listed_with(memberships, group.reporters, group.author_by_target, listed, enough=enough)
    return tuple(replace(m, exempt=True) if m.reporter in allowed else m for m in mine)
