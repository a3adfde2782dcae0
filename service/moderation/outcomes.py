"""How outcomes bear on a cluster. PURE.

Only outcomes decided by a person or on appeal count. The latest decision about a target wins (ties: the larger id), an
appeal outranks a person, and a decision only applies to complaints filed before it. An outcome that another one about
the same target retracts counts as if it had never been sent, whichever of the two came first; what a retraction takes
back stays taken back, even if the retraction is itself retracted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
from scipy.special import betaln

Counts = npt.NDArray[np.signedinteger[Any]]
Floats = npt.NDArray[np.float64]


class Retractable(Protocol):
    """Anything that another of its kind may take back."""

    @property
    def id(self) -> str: ...
    @property
    def retracts(self) -> str | None: ...


class Judgement(Retractable, Protocol):
    """An outcome from any source (service.storage.complaints.feed.FeedOutcome, an audit's file)."""

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
TEACHING = frozenset(_RANK)  # who decided, where a verdict says something about the complaints
_Outcome = TypeVar("_Outcome", bound=Retractable)


def not_retracted(outcomes: Iterable[_Outcome]) -> list[_Outcome]:
    """Those that count among all outcomes of one target, in their order.

    A part of a target's outcomes is not enough: the outcome that retracts may be about the whole target, and the
    retracted one about a single complaint.
    """
    known = list(outcomes)
    retracted = {o.retracts for o in known if o.retracts is not None}
    return [o for o in known if o.id not in retracted] if retracted else known


def standing(outcomes: Iterable[Judgement], complaint: int | None = None) -> Judgement | None:
    """The outcome that counts among all of one target; None if no person gave a verdict that stands.

    `complaint` selects those about one complaint (its seq) or about the whole target (0).
    """
    taught = [
        o
        for o in not_retracted(outcomes)
        if o.decided_by in _RANK and o.verdict is not None and complaint in (None, o.complaint)
    ]
    if len(taught) < 2:  # nearly always
        return taught[0] if taught else None
    return max(taught, key=lambda o: (_RANK[o.decided_by], o.decided_us, o.id))


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
        known = not_retracted(outcomes_by_target.get(target, ()))
        if not known:
            continue
        whole, singly = standing(known, 0), any(o.complaint for o in known)
        good = bad = 0
        for complaint in mine:
            alone = standing(known, complaint.seq) if singly else None
            verdict = alone or whole
            if verdict is None or complaint.time_us >= verdict.decided_us:
                continue
            good, bad = good + (verdict.verdict == "upheld"), bad + (verdict.verdict == "rejected")
        upheld += good >= bad and good > 0
        rejected += bad > good
    return VerdictTally(upheld, rejected, len(complaints_by_target) - upheld - rejected)


ABUSIVE, GOOD = (1.0, 9.0), (4.0, 2.0)  # shapes of the Beta distributions of the share upheld
USUAL_WEIGHT = 8.0  # targets: how closely a group that complains like everybody keeps to the tenant's share


def log_likelihood_ratio(upheld: float, rejected: float, usual_upheld: float) -> float:
    """ln of how much better an abusive group explains the verdicts than a fair one.

    A fair group is as likely to be a good one, Beta(4, 2), as one whose complaints are upheld as often as everybody's
    in this tenant, `usual_upheld` (a share, 0..1): where a third of the judged targets are upheld, a group that is
    right about a third of its own is like everybody, not abusive.
    """
    return float(evidence_of(*ABUSIVE, upheld, rejected) - fair_evidence(upheld, rejected, usual_upheld))


def evidence_of(a: float, b: float, upheld: float | Counts, rejected: float | Counts) -> Floats:
    """ln of the probability of these verdicts, in a given order, if the share upheld is drawn from Beta(a, b)."""
    return np.asarray(betaln(a + upheld, b + rejected) - betaln(a, b))


def fair_evidence(upheld: float | Counts, rejected: float | Counts, usual_upheld: float) -> Floats:
    """The same for a fair group."""
    a, b = USUAL_WEIGHT * usual_upheld, USUAL_WEIGHT * (1 - usual_upheld)
    both = np.logaddexp(evidence_of(*GOOD, upheld, rejected), evidence_of(a, b, upheld, rejected))
    return np.asarray(both - np.log(2))
