"""Choose up to three targets whose review settles soonest whether a group's complaints are unfounded.

The model of outcomes (service/moderation/outcomes.log_likelihood_ratio) knows abusive groups and fair ones. A(u, r) and
F(u, r) are how likely each has u upheld and r rejected targets. With w the cluster's unfounded_probability by now, the
next k verdicts are upheld i times with probability

    P(i) = C(k, i) [w A(u+i, r+k-i) / A(u, r) + (1 - w) F(u+i, r+k-i) / F(u, r)]

and each i has its posterior. To the model all unreviewed targets are equal. It gives the number of reviews needed, or
none if no verdict would change anything. Targets with the most complaints by members come first, since their verdicts
cover most complaints; among equals, removed targets come first, since a review may also correct a wrong removal. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from service.moderation.log_odds import log_odds, sigmoid
from service.moderation.outcomes import (
    ABUSIVE,
    JudgedComplaint,
    Judgement,
    VerdictTally,
    evidence_of,
    fair_evidence,
    not_retracted,
    tally,
)
from service.moderation.signals.outcomes import ratio

MOST = 3  # targets named
SETTLED = 0.1, 0.9  # outside these bounds, the question counts as answered
IDLE = 0.001  # a smaller expected change is not worth a review
_NEARLY = 1e-9  # a probability of 0 or 1 has no log-odds

Floats = npt.NDArray[np.float64]


def settle_with(
    complaints: Iterable[JudgedComplaint],
    outcomes_by_target: Mapping[int, Sequence[Judgement]],
    reviewed: VerdictTally,
    unfounded_probability: float,
    usual_upheld: float,
) -> tuple[int, ...]:
    """The targets to review first, at most three; none if all are reviewed or no verdict would change anything.

    `complaints` holds the members' complaints about the cluster's targets, `reviewed` their tally,
    `unfounded_probability` the cluster's present value. A target whose complaints all came after its verdict counts as
    unreviewed, as in the tally. The number is the smallest that more likely than not brings the probability outside 0.1
    to 0.9, or three if that is out of reach. Order is irrelevant.
    """
    complaints_by_target: dict[int, list[JudgedComplaint]] = {}
    for complaint in complaints:
        complaints_by_target.setdefault(complaint.target, []).append(complaint)
    unjudged = [
        t
        for t, mine in complaints_by_target.items()
        if not outcomes_by_target.get(t) or tally(mine, outcomes_by_target).unjudged
    ]
    looks = looks_needed(unfounded_probability, reviewed, min(MOST, len(unjudged)), usual_upheld)
    ranked = sorted(
        unjudged, key=lambda t: (-len(complaints_by_target[t]), not _removed(outcomes_by_target.get(t, ())), t)
    )
    return tuple(ranked[:looks])


def looks_needed(unfounded_probability: float, reviewed: VerdictTally, available: int, usual_upheld: float) -> int:
    """How many further verdicts more likely than not settle the question.

    `available` if that many are not enough, 0 if no verdict would change anything.
    """
    if not available or expected_change(unfounded_probability, reviewed, available, usual_upheld) < IDLE:
        return 0
    low, high = SETTLED
    for looks in range(1, available):
        weight, posterior = forecast(unfounded_probability, reviewed, looks, usual_upheld)
        if float(weight[(posterior < low) | (posterior > high)].sum()) > 0.5:
            return looks
    return available


def expected_change(unfounded_probability: float, reviewed: VerdictTally, looks: int, usual_upheld: float) -> float:
    """E |posterior - now| over the verdicts on `looks` further targets."""
    weight, posterior = forecast(unfounded_probability, reviewed, looks, usual_upheld)
    return float((weight * np.abs(posterior - unfounded_probability)).sum())


def forecast(
    unfounded_probability: float, reviewed: VerdictTally, looks: int, usual_upheld: float
) -> tuple[Floats, Floats]:
    """The probability of 0..looks upheld among the next `looks` verdicts, and the unfounded_probability after each.

    Raises ValueError for a probability outside 0..1 or fewer than one look.
    """
    if not 0 <= unfounded_probability <= 1:
        raise ValueError(f"unfounded_probability = {unfounded_probability} is outside 0..1")
    if looks < 1:
        raise ValueError(f"{looks} looks: at least 1 is needed to forecast a verdict")
    now = log_odds(min(max(unfounded_probability, _NEARLY), 1 - _NEARLY))
    upheld = np.arange(looks + 1)
    rejected = looks - upheld
    ways = np.array([math.comb(looks, i) for i in range(looks + 1)], float)
    up, down = reviewed.upheld, reviewed.rejected
    abusive = np.exp(evidence_of(*ABUSIVE, up + upheld, down + rejected) - evidence_of(*ABUSIVE, up, down))
    fair = np.exp(fair_evidence(up + upheld, down + rejected, usual_upheld) - fair_evidence(up, down, usual_upheld))
    weight = ways * (sigmoid(now) * abusive + sigmoid(-now) * fair)
    before = ratio(up, down, usual_upheld)
    posterior = np.array(
        [sigmoid(now - before + ratio(up + i, down + looks - i, usual_upheld)) for i in range(looks + 1)]
    )
    return weight, posterior


def _removed(outcomes: Iterable[Judgement]) -> bool:
    """Whether the target's latest action is a removal, by a person or automatic."""
    acts = [o for o in not_retracted(outcomes) if o.action is not None and o.complaint == 0]
    return bool(acts) and max(acts, key=lambda o: (o.decided_us, o.id)).action == "removed"
