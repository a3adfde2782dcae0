"""From measured signals to a score and two probabilities. PURE.

Two questions are kept apart, each a sum of log-odds:

    coordinated?  S_c = base + lockstep + devotion + group + span        (outcomes are not in it)
    unfounded?    S_u = prior + LLR_outcomes + devices + one author + members' record      given that it is coordinated

`probability` is sigmoid(S_c), `unfounded_probability` is sigmoid(S_u) with the tenant's prior; the score is the sum of
all that is shown, by which moderators sort. A cluster is flagged when both answers are above the bound, where the
second begins at FLAG_PRIOR: as long as nothing speaks for its complaints, a coordinated group is shown. A group whose
complaints people found right is "reliable".
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from service.model import Disposition, Evidence
from service.moderation.outcomes import VerdictTally
from service.moderation.signals import outcomes as outcomes_signal
from service.moderation.signals.registry import COORDINATION

FLAG_PRIOR = 1.64  # log-odds; the share of dishonest groups in the worlds: five to one


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a cluster stands, outcomes included."""

    score: float
    probability: float
    unfounded_probability: float
    disposition: Disposition  # flagged, reliable or revoked (score at or below the bound)
    evidence: tuple[Evidence, ...]  # the structural ones, then outcomes


def log_odds(probability: float) -> float:
    """The logit; `probability` strictly between 0 and 1."""
    return math.log(probability / (1 - probability))


def sigmoid(x: float) -> float:
    """The inverse of log_odds, safe for large |x|."""
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def coordination(evidence: Iterable[Evidence]) -> float:
    """S_c: log-odds of being coordinated."""
    return sum(e.contribution for e in evidence if e.signal in COORDINATION)


def judge(
    structural: Sequence[Evidence],
    outcomes: VerdictTally,
    target_count: int,
    *,
    prior_unfounded: float,
    flag_score: float,
) -> Verdict:
    """Score a cluster by its structural evidence and the outcomes known by now.

    `target_count` is the cluster's, `prior_unfounded` a probability, `flag_score` in log-odds. Re-scoring on a new
    outcome is this call again: nothing but the stored evidence is needed, in the window or not.
    """
    structural = [e for e in structural if e.signal != outcomes_signal.OUTCOMES]
    reviewed = outcomes_signal.evidence(outcomes, target_count)
    coordinated = coordination(structural)
    beside = sum(e.contribution for e in structural if e.signal not in COORDINATION)
    unfounded = FLAG_PRIOR + beside + reviewed.contribution
    disposition: Disposition = (
        "revoked" if coordinated <= flag_score else ("flagged" if unfounded > flag_score else "reliable")
    )
    return Verdict(
        coordinated + beside + reviewed.contribution,
        sigmoid(coordinated),
        sigmoid(unfounded - FLAG_PRIOR + log_odds(prior_unfounded)),
        disposition,
        (*structural, reviewed),
    )
