"""From measured signals to a score, two probabilities and one plain sentence. PURE.

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

from scipy.stats import binom

from service.model import Disposition, Evidence
from service.moderation.outcomes import VerdictTally, log_likelihood_ratio

OUTCOMES = "outcomes"
COORDINATION = ("base", "lockstep", "devotion", "group", "span", "slice")  # the signals that answer the first question
AIM = "aim_"  # prefix of the signals that say what the targets have in common
AIM_TOLD = 0.5  # share of the targets: rarer aims are in the evidence, one sentence has no room for them
DEVICES = ("fresh_accounts", "shared_fingerprints", "near_duplicate_texts")
FLAG_PRIOR = 1.64  # log-odds; the share of dishonest groups in the worlds: five to one
DEVICE_WEIGHT, AUTHOR_WEIGHT = 1.3, 8.0
USUAL_SHARE = 0.05  # of accounts that share a rare fingerprint, and of texts that have a near-duplicate
TEXTS_COMPARED = 80  # near-duplicates are sought among so many texts of a cluster: k^2 comparisons
FEWEST_TEXTS, FEWEST_AUTHORED = 3, 4  # texts; targets, below which one author says nothing
OUTCOME_BOUND = 8.0  # one signal may not drown all others


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


def fresh_chance(usual: float) -> float:
    """The share of fresh accounts that chance has to explain, where `usual` of all complaints come from such."""
    return min(1.0, max(0.25, 3 * usual))


def tail(hits: int, total: int, chance: float) -> float:
    """P(at least so many of `total` by chance)."""
    return float(binom.sf(hits - 1, total, chance)) if hits else 1.0


def device_contribution(p_value: float | None) -> float:
    """What fresh accounts, shared fingerprints or near-duplicate texts add."""
    return DEVICE_WEIGHT * surprise(p_value)


def author_contribution(share: float, targets: int) -> float:
    """What it adds that one author wrote so large a share of the targets."""
    return AUTHOR_WEIGHT * max(0.0, share - 0.5) if targets >= FEWEST_AUTHORED else 0.0


def percent(share: float) -> str:
    """A share as people read it."""
    if 0 < share < 1e-4:
        return "less than 0.01 %"
    return f"{100 * share:.0f} %" if share >= 0.01 or not share else f"{100 * share:.2g} %"


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
    """Put the outcomes known by now to a cluster's structural evidence.

    Re-scoring on a new outcome is this call again: nothing but the stored evidence is needed, in the window or not.
    """
    structural = [e for e in structural if e.signal != OUTCOMES]
    coordinated = coordination(structural)
    beside = sum(e.contribution for e in structural if e.signal not in COORDINATION)
    ratio = max(-OUTCOME_BOUND, min(OUTCOME_BOUND, log_likelihood_ratio(outcomes.upheld, outcomes.rejected)))
    unfounded = FLAG_PRIOR + beside + ratio
    disposition: Disposition = (
        "revoked" if coordinated <= flag_score else ("flagged" if unfounded > flag_score else "reliable")
    )
    judged = outcomes.upheld + outcomes.rejected
    text = (
        f"People upheld {outcomes.upheld} and rejected {outcomes.rejected} of the {target_count} targets."
        if judged
        else "No person has judged any of its targets yet."
    )
    share = outcomes.rejected / judged if judged else 0.0
    told = Evidence(signal=OUTCOMES, value=share, usual=0.4, p_value=None, contribution=ratio, text=text)
    return Verdict(
        coordinated + beside + ratio,
        sigmoid(coordinated),
        sigmoid(unfounded - FLAG_PRIOR + log_odds(prior_unfounded)),
        disposition,
        (*structural, told),
    )


def summarise(reporters: int, targets: int, structural: Sequence[Evidence], outcomes: VerdictTally) -> str:
    """One plain sentence for a list: who, what, how closely, and how it was judged."""
    by_signal = {e.signal: e for e in structural}
    parts = [
        f"{reporters} accounts complained about the same {targets} targets"
        if targets > 1
        else f"{reporters} accounts complained about one target"
    ]
    burst = by_signal.get("burst")
    if burst is not None:
        usual = (
            "none is" if burst.usual < 0.05 else "one is" if round(burst.usual, 1) == 1 else f"{burst.usual:.1f} are"
        )
        parts.append(f"up to {burst.value:.0f} of them within one hour, where {usual} usual")
    for signal, words in (
        ("fresh_accounts", "of the accounts are fresh"),
        ("shared_fingerprints", "share a rare fingerprint"),
        ("near_duplicate_texts", "of the texts are near-duplicates"),
    ):
        e = by_signal.get(signal)
        if e is not None and surprise(e.p_value) > 0:
            parts.append(f"{percent(e.value)} {words}")
    aim = summary_clause(structural)
    if aim is not None:
        parts.append(aim)
    author = by_signal.get("one_author")
    told = by_signal.get(f"{AIM}author")
    if (
        author is not None
        and author_contribution(author.value, targets) > 0
        and (told is None or summary_clause([told]) != aim)
    ):
        parts.append(f"{percent(author.value)} of the targets are by one author")
    judged = outcomes.upheld + outcomes.rejected
    parts.append(
        f"people upheld {outcomes.upheld} and rejected {outcomes.rejected} of {judged} judged targets"
        if judged
        else "not judged yet"
    )
    return "; ".join(parts) + "."


def summary_clause(evidence: Sequence[Evidence]) -> str | None:
    """The strongest aim in words, without a full stop: what half of the targets or more have in common; None where
    nothing is.
    """
    aims = [e for e in evidence if e.signal.startswith(AIM) and e.value >= AIM_TOLD]
    strongest = min(aims, key=lambda e: (1.0 if e.p_value is None else e.p_value, e.usual, e.signal), default=None)
    return None if strongest is None else strongest.text.removesuffix(".")
