"""How outcomes bear on a cluster. PURE.

Only outcomes decided by a person or on appeal count. The latest decision about a target wins (ties: the larger id), an
appeal outranks a person, and a decision only applies to complaints filed before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from scipy.special import betaln


class Judgement(Protocol):
    """An outcome from any source (service.storage.complaints.feed.FeedOutcome, an audit's file)."""

    @property
    def id(self) -> str: ...
    @property
    def target(self) -> int: ...
    @property
    def decided_us(self) -> int: ...
    @property
    def verdict(self) -> str | None: ...
    @property
    def action(self) -> str | None: ...
    @property
    def decided_by(self) -> str: ...
    @property
    def complaint(self) -> int: ...


@dataclass(frozen=True, slots=True)
class JudgedComplaint:
    """One complaint of a cluster's member on one of its targets."""

    seq: int
    target: int
    time_us: int


@dataclass(frozen=True, slots=True)
class VerdictTally:
    """Moderators' verdicts on the targets of a cluster."""

    upheld: int
    rejected: int
    unjudged: int


_RANK = {"person": 0, "appeal": 1}


def standing(outcomes: Iterable[Judgement]) -> Judgement | None:
    """The outcome that counts among those of one target (or one complaint); None if no person gave a verdict."""
    taught = [o for o in outcomes if o.decided_by in _RANK and o.verdict is not None]
    return max(taught, key=lambda o: (_RANK[o.decided_by], o.decided_us, o.id), default=None)


def tally(complaints: Iterable[JudgedComplaint], outcomes_by_target: Mapping[int, Iterable[Judgement]]) -> VerdictTally:
    """Targets upheld, rejected and unjudged, each counted once.

    A verdict about a target applies to the complaints filed before it. A verdict about one complaint applies to that
    one alone and outranks the target's. Where the verdicts on a target's complaints differ, the majority counts; a tie
    counts as upheld.
    """
    complaints_by_target: dict[int, list[JudgedComplaint]] = {}
    for complaint in complaints:
        complaints_by_target.setdefault(complaint.target, []).append(complaint)
    upheld = rejected = 0
    for target, mine in complaints_by_target.items():
        known = list(outcomes_by_target.get(target, ()))
        if not known:
            continue
        whole = standing(o for o in known if o.complaint == 0)
        good = bad = 0
        for complaint in mine:
            alone = (
                standing(o for o in known if o.complaint == complaint.seq) if any(o.complaint for o in known) else None
            )
            verdict = alone or whole
            if verdict is None or complaint.time_us >= verdict.decided_us:
                continue
            good, bad = good + (verdict.verdict == "upheld"), bad + (verdict.verdict == "rejected")
        upheld += good >= bad and good > 0
        rejected += bad > good
    return VerdictTally(upheld, rejected, len(complaints_by_target) - upheld - rejected)


def log_likelihood_ratio(upheld: float, rejected: float) -> float:
    """ln of how much better an abusive cluster, Beta(1, 4), explains the verdicts than a fair one, Beta(4, 2)."""
    abusive = betaln(1 + upheld, 4 + rejected) - betaln(1, 4)
    fair = betaln(4 + upheld, 2 + rejected) - betaln(4, 2)
    return float(abusive - fair)
