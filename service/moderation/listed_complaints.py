"""Complaints that are part of another one's act (`part_of`): a report that names a post and its account. PURE.

Detection does not compare them, so no group is found by them. Where it finds a group otherwise, they are discounted
with it, or the group would only have to name another target beside the one that it was found on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from service.moderation.cluster_state import Membership


@dataclass(frozen=True, slots=True)
class ListedComplaint:
    """A standing complaint that is part of an act."""

    filed: Membership
    act_target: int | None  # what the act is about; None: that complaint is deleted


ListedByReporter = Mapping[int, Sequence[ListedComplaint]]


def by_reporter(listed: Iterable[ListedComplaint]) -> dict[int, list[ListedComplaint]]:
    """The complaints by reporter key."""
    found: dict[int, list[ListedComplaint]] = {}
    for one in listed:
        found.setdefault(one.filed.reporter, []).append(one)
    return found


def listed_with(
    memberships: Iterable[Membership],
    reporters: Collection[int],
    targets: Collection[int],
    listed: ListedByReporter,
    *,
    enough: float | None,
) -> list[Membership]:
    """Those of the complaints `listed` that are a group's.

    Its members' on its own targets; those of the acts that are in the group already; and all about a target that at
    least `enough` members list (None: however many do).
    """
    acts = {(m.reporter, m.target) for m in memberships}
    mine = [one for reporter in reporters for one in listed.get(reporter, ())]
    crowds = Counter(one.filed.target for one in mine)
    return [
        one.filed
        for one in mine
        if one.filed.target in targets
        or (one.filed.reporter, one.act_target) in acts
        or (enough is not None and crowds[one.filed.target] >= enough)
    ]
