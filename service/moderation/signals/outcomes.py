"""Outcomes: how did moderators rule on the group's targets? PURE.

Measured whenever an outcome arrives (service/moderation/score.judge), not by the detector.
"""

from __future__ import annotations

from service.model import Evidence
from service.moderation.outcomes import VerdictTally, log_likelihood_ratio
from service.moderation.signals.signal import Signal

OUTCOMES = "outcomes"
BOUND = 8.0  # log-odds; one signal must not outweigh all others


def ratio(upheld: float, rejected: float, usual_upheld: float) -> float:
    """The bounded contribution of the verdicts to the log-odds of "unfounded"."""
    return max(-BOUND, min(BOUND, log_likelihood_ratio(upheld, rejected, usual_upheld)))


def evidence(outcomes: VerdictTally, targets: int, usual_upheld: float) -> Evidence:
    """The signal of a cluster with `targets` targets, in a tenant that upholds `usual_upheld` (0..1) of the others."""
    reviewed = outcomes.upheld + outcomes.rejected
    if reviewed:
        clause = verdicts(outcomes)
        open_ones = targets - reviewed
        rest = f"; {open_ones} of {targets} targets are not reviewed yet" if open_ones > 0 else ""
        text = f"{clause[:1].upper()}{clause[1:]}{rest}."
    else:
        text = "Moderators have not reviewed any of its targets yet."
    return Evidence(
        signal=OUTCOMES,
        value=outcomes.rejected / reviewed if reviewed else 0.0,
        usual=1 - usual_upheld,
        p_value=None,
        contribution=ratio(outcomes.upheld, outcomes.rejected, usual_upheld),
        text=text,
    )


def verdicts(outcomes: VerdictTally, *, acting_together: bool = True) -> str:
    """The verdicts as a clause, such as "moderators rejected the complaints on all 4 targets reviewed".

    Without any it says that the group acts together, if it does.
    """
    upheld, rejected = outcomes.upheld, outcomes.rejected
    reviewed = upheld + rejected
    if not reviewed:
        return "acting together, not judged yet" if acting_together else "not judged yet"
    if upheld and rejected:
        rest = "the other" if upheld == 1 else "the others"
        return f"moderators rejected the complaints on {rejected} of {reviewed} targets reviewed and upheld {rest}"
    ruling = "rejected" if rejected else "upheld"
    where = "the one target reviewed" if reviewed == 1 else f"all {reviewed} targets reviewed"
    return f"moderators {ruling} the complaints on {where}"


SIGNAL = Signal(name=OUTCOMES, title="Moderators’ decisions", question="unfounded", unit="share")
