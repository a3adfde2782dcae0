"""Convert detection's groups to the form that clusters are kept in. PURE."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from service.model import Evidence, Kind
from service.moderation.cluster_state import Membership
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


def found_group(group: Group, allowed: Collection[int] = ()) -> AdaptedGroup:
    """The group with its complaints one by one; times to the millisecond, as the window holds them.

    Those of `allowed` reporters are exempt.
    """
    exempt = (
        group.exempt | np.isin(group.reporter, np.fromiter(allowed, np.int64, len(allowed)))
        if allowed
        else group.exempt
    )
    columns = (group.seq, group.reporter, group.target, group.time_ms * 1000, exempt)
    memberships = tuple(Membership(*row) for row in zip(*(c.tolist() for c in columns), strict=True))
    return AdaptedGroup(
        group.kind, group.reporters, memberships, group.evidence, group.author_by_target, group.continues
    )
