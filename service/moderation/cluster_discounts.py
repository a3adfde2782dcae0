"""How much clusters take off the independent count of each target. PURE.

The link between stored clusters (cluster_state.py) and the independent count (assessment.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from service.moderation.assessment import ClusterPart, TargetSummary, discount_probability
from service.moderation.assessment import summarise as summarise_target
from service.moderation.cluster_state import ClusterState, Membership


def discounts_members(state: ClusterState) -> bool:
    """Whether the further complaints of its members are likely to be discounted, for as long as the cluster is kept: it
    is known from several targets, and coordinated and unfounded with some probability.
    """
    return state.kind == "repeat" and _pi(state) > 0


def _pi(state: ClusterState) -> float:
    """π by the decision that stands, otherwise by the model: growth has reopened the case, or nobody has decided."""
    standing = state.verdict if state.status != "open" else None
    return discount_probability(state.disposition, standing, state.probability, state.unfounded_probability)


def parts_by_target(state: ClusterState) -> dict[int, ClusterPart]:
    """The cluster's part on each of its targets, and of those that its acts list, as the independent count needs it.

    A decision applies to the complaints it was made about. Once growth has reopened the case, later complaints are
    discounted by the model. On a target with both kinds, "not coordinated" exempts the complaints it was made about,
    and "coordinated" applies to all if it was made about at least half of them.
    """
    standing = state.verdict if state.status != "open" else None
    model = _pi(state)
    on_target: dict[int, list[Membership]] = defaultdict(list)
    for membership in state.discounted:
        on_target[membership.target].append(membership)
    parts = {}
    for target, mine in on_target.items():
        counts_in_full = [m.exempt or (standing is None and m.verdict == "not_coordinated") for m in mine]
        free = sum(counts_in_full)
        certain = standing is None and 2 * sum(m.verdict == "coordinated" for m in mine) >= len(mine) - free > 0
        parts[target] = ClusterPart(
            state.id,
            state.probability,
            state.unfounded_probability,
            1.0 if certain else model,
            state.disposition == "flagged",
            reporters=frozenset(m.reporter for m, full in zip(mine, counts_in_full, strict=True) if not full),
            exempt=free,
        )
    return parts


def summaries(states: Iterable[ClusterState], targets: Collection[int] | None = None) -> dict[int, TargetSummary]:
    """The clusters' discounts by target, for all targets or for `targets` only.

    Merged clusters count through their survivor.
    """
    parts: dict[int, list[ClusterPart]] = defaultdict(list)
    for state in states:
        if state.disposition == "merged":
            continue
        for target, part in parts_by_target(state).items():
            if targets is None or target in targets:
                parts[target].append(part)
    return {target: summarise_target(mine) for target, mine in parts.items()}
