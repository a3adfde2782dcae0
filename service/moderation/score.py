"""Turn measured signals into a score and two probabilities. PURE.

Two questions are answered separately, each by a sum of log-odds:

    coordinated?  S_c = base + lockstep + devotion + group + span + pace      (outcomes are not in it)
    unfounded?    S_u = prior + LLR_outcomes + devices + members' record      given that it is coordinated

`probability` is sigmoid(S_c), `unfounded_probability` is sigmoid(S_u). S_c is the coordination score: a cluster is
flagged when it is above the bound (`flag_score`), unless its complaints are right at seven to one or better (BENEFIT),
whatever the bound: then it is "reliable". The sum of all contributions is the priority, by which moderators sort; it is
called `score` in the API and in SQL. So a coordinated group is shown while nobody has reviewed its targets, in a
tenant whose groups are not known to be mostly right.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from service.model import Disposition, Evidence
from service.moderation.log_odds import sigmoid
from service.moderation.outcomes import VerdictTally
from service.moderation.signals import outcomes as outcomes_signal
from service.moderation.signals import prior
from service.moderation.signals.registry import COORDINATION
from service.moderation.usual import Usual

JUDGED = frozenset({prior.PRIOR, outcomes_signal.OUTCOMES})  # signals that `judge` measures itself
BENEFIT = 2.0  # log-odds: a group that acts together is cleared if it is right at seven to one
BENEFIT_OF_ONE_TARGET = 1.3  # of a crowd on one target, on which there can be one verdict only


@dataclass(frozen=True, slots=True)
class Verdict:
    """A cluster's scores and disposition, outcomes included."""

    coordination: float  # S_c, which the bound is for
    score: float  # the priority: S_c + S_u
    probability: float
    unfounded_probability: float
    disposition: Disposition  # flagged, reliable or revoked (coordination at or below the bound)
    evidence: tuple[Evidence, ...]  # the structural ones, then the prior and outcomes


def coordination(evidence: Iterable[Evidence]) -> float:
    """S_c: log-odds of being coordinated."""
    return sum(e.contribution for e in evidence if e.signal in COORDINATION)


def usual_in(evidence: Iterable[Evidence]) -> Usual:
    """The shares a stored cluster was compared with; the defaults for what its evidence does not say.

    How many groups the prior is measured on is in its sentence alone: `known` stays 0.
    """
    stored = {e.signal: e for e in evidence}
    usual = Usual()
    if prior.PRIOR in stored:
        usual = replace(usual, unfounded=stored[prior.PRIOR].value)
    if outcomes_signal.OUTCOMES in stored:
        usual = replace(usual, upheld=1 - stored[outcomes_signal.OUTCOMES].usual)
    return usual


def judge(
    structural: Sequence[Evidence],
    outcomes: VerdictTally,
    target_count: int,
    *,
    usual: Usual,
    flag_score: float,
) -> Verdict:
    """Score a cluster by its structural evidence and the outcomes known by now.

    `target_count` is the cluster's, `usual` the tenant's, `flag_score` in log-odds. To update the score after a new
    outcome, call it again: it needs only the stored evidence, even if complaints have left the window.
    """
    structural = [e for e in structural if e.signal not in JUDGED]
    before, reviewed = prior.evidence(usual), outcomes_signal.evidence(outcomes, target_count, usual.upheld)
    coordinated = coordination(structural)
    beside = sum(e.contribution for e in structural if e.signal not in COORDINATION)
    unfounded = beside + before.contribution + reviewed.contribution
    benefit = BENEFIT if target_count > 1 else BENEFIT_OF_ONE_TARGET
    disposition: Disposition = (
        "revoked" if coordinated <= flag_score else ("flagged" if unfounded + benefit > 0 else "reliable")
    )
    return Verdict(
        coordinated,
        coordinated + unfounded,
        sigmoid(coordinated),
        sigmoid(unfounded),
        disposition,
        (*structural, before, reviewed),
    )
