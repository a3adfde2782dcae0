"""What is usual in a tenant, measured in its own data: how often complaints are right, how often groups are not. PURE.

With few verdicts the measured shares stay close to what is usual elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from service.moderation.cluster_state import ClusterState
from service.moderation.outcomes import Judgement, standing

UPHELD_ELSEWHERE, TARGETS_ELSEWHERE = 2.0, 5.0  # what a tenant without verdicts has: 2 of 5 targets upheld
GROUPS_ELSEWHERE = 4.0  # decided groups that the policy's prior is worth
LOWEST_SHARE, HIGHEST_SHARE = 0.15, 0.85  # outside them, verdicts are about one flood of complaints


@dataclass(frozen=True, slots=True)
class Usual:
    """Shares that a tenant's verdicts are compared with."""

    upheld: float = UPHELD_ELSEWHERE / TARGETS_ELSEWHERE  # of the judged targets of people in no flagged group
    unfounded: float = 0.5  # of the groups that act together
    decided: int = 0  # groups decided by moderators, which `unfounded` is measured on


def usual_of(verdicts: Mapping[int, bool], clusters: Collection[ClusterState], prior_unfounded: float) -> Usual:
    """Measure a tenant's shares by its verdicts on targets (True: upheld) and on clusters.

    Targets of flagged groups are left out: a campaign that files most of a tenant's complaints must not make it usual
    to be wrong. `prior_unfounded` is the share of unfounded groups to expect before any decision, 0..1.
    """
    suspected = {t for c in clusters if _is_suspected(c) for t in c.author_by_target}
    others = [upheld for target, upheld in verdicts.items() if target not in suspected]
    share = (sum(others) + UPHELD_ELSEWHERE) / (len(others) + TARGETS_ELSEWHERE)
    decided = [c.verdict == "coordinated" for c in clusters if c.verdict is not None and c.disposition != "merged"]
    return Usual(
        min(HIGHEST_SHARE, max(LOWEST_SHARE, share)),
        (sum(decided) + GROUPS_ELSEWHERE * prior_unfounded) / (len(decided) + GROUPS_ELSEWHERE),
        len(decided),
    )


def verdicts_on(targets: Iterable[int], outcomes: Mapping[int, Sequence[Judgement]]) -> dict[int, bool]:
    """Whether people upheld the complaints about each target; targets without a verdict are left out."""
    found = ((target, standing(outcomes.get(target, ()))) for target in targets)
    return {target: outcome.verdict == "upheld" for target, outcome in found if outcome is not None}


def _is_suspected(cluster: ClusterState) -> bool:
    return cluster.verdict == "coordinated" or (
        cluster.verdict is None and cluster.disposition in ("flagged", "held_back")
    )
