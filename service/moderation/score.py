"""From measured signals to a score, two probabilities and one plain sentence. PURE.

    S = -1.5 + 2 lockstep + 2 (devotion - .3) + .5 sum min(4, -log10 p_e)[p_e < .05]
        + 2 max(0, author_share - .5)[>= 4 targets] + .15 min(mean edge -log10 p, 15) + LLR_outcomes

Two questions are kept apart: coordinated? (`probability`, outcomes not in it) and unfounded? (outcomes, and what
no honest volunteer shows: fresh accounts, shared devices, copied texts, one author). Both are logits set by hand;
neither is calibrated yet, and the README says so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from service.model import Disposition, Evidence
from service.moderation.outcomes import Tally, log_likelihood_ratio

BASE = -1.5
OUTCOMES = "outcomes"
_DEVICES = ("fresh_accounts", "shared_fingerprints", "near_duplicate_texts")


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


def surprise(p_value: float | None) -> float:
    """min(4, -log10 p) where p < .05, else 0: what one secondary signal may say at most."""
    if p_value is None or p_value >= 0.05:
        return 0.0
    return min(4.0, -math.log10(max(p_value, 1e-12)))


def judge(structural: Sequence[Evidence], outcomes: Tally, target_count: int, *, prior_unfounded: float, flag_score: float) -> Verdict:
    """Put the outcomes known by now to a cluster's structural evidence.

    Re-scoring on a new outcome is this call again: nothing but the stored evidence is needed, in the window or not.
    """
    structural = [e for e in structural if e.signal != OUTCOMES]
    without = sum(e.contribution for e in structural)
    ratio = log_likelihood_ratio(outcomes.upheld, outcomes.rejected)
    score = without + ratio
    by_signal = {e.signal: e for e in structural}
    author = by_signal["one_author"].value if "one_author" in by_signal else 0.0
    unfounded = log_odds(prior_unfounded) + max(-8.0, min(8.0, ratio)) + 1.3 * sum(surprise(by_signal[s].p_value) for s in _DEVICES if s in by_signal)
    unfounded += 8 * max(0.0, author - 0.5) if target_count >= 4 else 0.0
    disposition: Disposition = "flagged" if score > flag_score else ("reliable" if without > flag_score else "revoked")
    judged = outcomes.upheld + outcomes.rejected
    text = f"People upheld {outcomes.upheld} and rejected {outcomes.rejected} of the {target_count} targets." if judged else "No person has judged any of its targets yet."
    share = outcomes.rejected / judged if judged else 0.0
    told = Evidence(signal=OUTCOMES, value=share, usual=0.4, p_value=None, contribution=ratio, text=text)
    return Verdict(score, sigmoid(without), sigmoid(unfounded), disposition, (*structural, told))


def summarise(reporters: int, targets: int, structural: Sequence[Evidence], outcomes: Tally) -> str:
    """One plain sentence for a list: who, what, how closely, and how it was judged."""
    by_signal = {e.signal: e for e in structural}
    parts = [f"{reporters} accounts complained about the same {targets} targets"]
    burst = by_signal.get("burst")
    if burst is not None:
        parts.append(f"up to {burst.value:.0f} of them within one hour where {burst.usual:.1f} are usual (p {_p(burst.p_value)})")
    for signal, words in (("fresh_accounts", "of the accounts are fresh"), ("shared_fingerprints", "share a rare fingerprint"), ("near_duplicate_texts", "of the texts are near-duplicates")):
        e = by_signal.get(signal)
        if e is not None and surprise(e.p_value) > 0:
            parts.append(f"{e.value:.0%} {words}")
    author = by_signal.get("one_author")
    if author is not None and targets >= 4 and author.value > 0.5:
        parts.append(f"{author.value:.0%} of the targets are by one author")
    judged = outcomes.upheld + outcomes.rejected
    parts.append(f"people upheld {outcomes.upheld} and rejected {outcomes.rejected} of {judged} judged targets" if judged else "not judged yet")
    return "; ".join(parts) + "."


def _p(p_value: float | None) -> str:
    if p_value is None:
        return "unknown"
    return "< 1e-12" if p_value < 1e-12 else f"{p_value:.1g}"
