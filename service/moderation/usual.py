"""What is usual in a tenant, measured in its own data: how often complaints are right, how often groups are not. PURE.

With few verdicts the measured shares stay close to what is usual elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from service.moderation.cluster_state import ClusterState
from service.moderation.log_odds import log_odds, sigmoid
from service.moderation.outcomes import Judgement, log_likelihood_ratio, standing

UPHELD_ELSEWHERE, TARGETS_ELSEWHERE = 2.0, 5.0  # what a tenant without verdicts has: 2 of 5 targets upheld
GROUPS_ELSEWHERE = 4.0  # groups that the policy's prior is worth
DIGITS = 2  # of a share: smaller changes re-score no cluster
LOWEST_SHARE, HIGHEST_SHARE = 0.15, 0.85  # outside them, verdicts are about one flood of complaints


@dataclass(frozen=True, slots=True)
class Usual:
    """Shares that a tenant's verdicts are compared with."""

    upheld: float = UPHELD_ELSEWHERE / TARGETS_ELSEWHERE  # of the judged targets of people in no flagged group
    upheld_of_all: float = UPHELD_ELSEWHERE / TARGETS_ELSEWHERE  # of all judged targets
    unfounded: float = 0.5  # of the groups that act together
    known: int = 0  # groups that people ruled on, which `unfounded` is measured on


class Verdicts:
    """The verdicts of people on targets, kept current as outcomes become known."""

    def __init__(self, outcomes: Iterable[Judgement] = ()) -> None:
        self.by_target: dict[int, bool] = {}  # whether the complaints were upheld; those judged first come first
        self._outcomes: dict[int, list[Judgement]] = {}  # of these targets, and of those whose verdict was taken back
        for outcome in outcomes:
            self.add(outcome)

    def add(self, outcome: Judgement) -> None:
        """Take in one more outcome; what no person decided changes nothing, unless it retracts a person's."""
        stands = standing([outcome])
        if outcome.retracts is None and stands is None:
            return
        known = self._outcomes.setdefault(outcome.target, [])
        known.append(outcome)
        if len(known) > 1:
            stands = standing(known)
        if stands is None:
            self.by_target.pop(outcome.target, None)
        else:
            self.by_target[outcome.target] = stands.verdict == "upheld"

    def keep_latest(self, targets: int) -> None:
        """Forget all but so many targets."""
        for target in list(self._outcomes)[: max(0, len(self._outcomes) - targets)]:
            del self._outcomes[target]
            self.by_target.pop(target, None)


def usual_of(verdicts: Mapping[int, bool], clusters: Collection[ClusterState], prior_unfounded: float) -> Usual:
    """Measure a tenant's shares by its verdicts on targets (True: upheld) and on clusters.

    Targets of flagged groups are left out: a campaign that files most of a tenant's complaints must not make it usual
    to be wrong. `prior_unfounded` is the share of unfounded groups to expect before any decision, 0..1.
    """
    suspected = {t for c in clusters if _is_suspected(c) for t in c.author_by_target}
    theirs = [verdicts[target] for target in suspected if target in verdicts]  # few of all, who are counted once
    upheld, judged = sum(verdicts.values()), len(verdicts)
    share = _upheld_share(upheld - sum(theirs), judged - len(theirs))
    known = _known_groups(verdicts, clusters, share, prior_unfounded)
    prior = (sum(known) + GROUPS_ELSEWHERE * prior_unfounded) / (len(known) + GROUPS_ELSEWHERE)
    return Usual(share, _upheld_share(upheld, judged), round(prior, DIGITS), len(known))


def _upheld_share(upheld: int, judged: int) -> float:
    share = (upheld + UPHELD_ELSEWHERE) / (judged + TARGETS_ELSEWHERE)
    return round(min(HIGHEST_SHARE, max(LOWEST_SHARE, share)), DIGITS)


def _known_groups(
    verdicts: Mapping[int, bool], clusters: Collection[ClusterState], usual_upheld: float, prior_unfounded: float
) -> list[float]:
    """For each group that somebody ruled on, how likely it is unfounded: decided cases, and verdicts on its targets."""
    known: list[float] = []
    for cluster in clusters:
        if cluster.disposition == "merged" or (cluster.disposition == "revoked" and cluster.verdict is None):
            continue
        upheld = [verdicts[target] for target in cluster.author_by_target if target in verdicts]
        if cluster.verdict is not None:
            known.append(float(cluster.verdict == "coordinated"))
        elif upheld:
            ratio = log_likelihood_ratio(sum(upheld), len(upheld) - sum(upheld), usual_upheld)
            known.append(sigmoid(log_odds(prior_unfounded) + ratio))
    return known


def _is_suspected(cluster: ClusterState) -> bool:
    return cluster.verdict == "coordinated" or (
        cluster.verdict is None and cluster.disposition in ("flagged", "held_back")
    )
