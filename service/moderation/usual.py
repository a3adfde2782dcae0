"""What is usual in a tenant, measured in its own data: how often complaints are right, how often groups are not. PURE.

With few verdicts the measured shares stay close to what is usual elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from service.moderation.cluster_state import ClusterState
from service.moderation.outcomes import Judgement, standing

UPHELD_ELSEWHERE, TARGETS_ELSEWHERE = 2.0, 5.0  # what a tenant without verdicts has: 2 of 5 targets upheld
GROUPS_ELSEWHERE = 4.0  # groups that the policy's prior is worth
OUTCOMES = "outcomes"  # the signal (service/moderation/signals/outcomes.py)
LOWEST_SHARE, HIGHEST_SHARE = 0.15, 0.85  # outside them, verdicts are about one flood of complaints


@dataclass(frozen=True, slots=True)
class Usual:
    """Shares that a tenant's verdicts are compared with."""

    upheld: float = UPHELD_ELSEWHERE / TARGETS_ELSEWHERE  # of the judged targets of people in no flagged group
    unfounded: float = 0.5  # of the groups that act together
    known: int = 0  # groups that people ruled on, which `unfounded` is measured on


def usual_of(verdicts: Mapping[int, bool], clusters: Collection[ClusterState], prior_unfounded: float) -> Usual:
    """Measure a tenant's shares by its verdicts on targets (True: upheld) and on clusters.

    Targets of flagged groups are left out: a campaign that files most of a tenant's complaints must not make it usual
    to be wrong. `prior_unfounded` is the share of unfounded groups to expect before any decision, 0..1.
    """
    suspected = {t for c in clusters if _is_suspected(c) for t in c.author_by_target}
    others = [upheld for target, upheld in verdicts.items() if target not in suspected]
    share = (sum(others) + UPHELD_ELSEWHERE) / (len(others) + TARGETS_ELSEWHERE)
    known = _known_groups(clusters, prior_unfounded)
    return Usual(
        min(HIGHEST_SHARE, max(LOWEST_SHARE, share)),
        (sum(known) + GROUPS_ELSEWHERE * prior_unfounded) / (len(known) + GROUPS_ELSEWHERE),
        len(known),
    )


def _known_groups(clusters: Collection[ClusterState], prior_unfounded: float) -> list[float]:
    """For each group that somebody ruled on, how likely it is unfounded: decided cases, and verdicts on its targets."""
    known: list[float] = []
    for cluster in clusters:
        if cluster.disposition in ("merged", "revoked") and cluster.verdict is None:
            continue
        reviewed = next((e.contribution for e in cluster.evidence if e.signal == OUTCOMES), 0.0)
        if cluster.verdict is not None:
            known.append(float(cluster.verdict == "coordinated"))
        elif reviewed:
            known.append(1 / (1 + math.exp(-reviewed - math.log(prior_unfounded / (1 - prior_unfounded)))))
    return known


def verdicts_on(targets: Iterable[int], outcomes: Mapping[int, Sequence[Judgement]]) -> dict[int, bool]:
    """Whether people upheld the complaints about each target; targets without a verdict are left out."""
    found = ((target, standing(outcomes.get(target, ()))) for target in targets)
    return {target: outcome.verdict == "upheld" for target, outcome in found if outcome is not None}


def _is_suspected(cluster: ClusterState) -> bool:
    return cluster.verdict == "coordinated" or (
        cluster.verdict is None and cluster.disposition in ("flagged", "held_back")
    )
