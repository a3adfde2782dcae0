"""Estimate a group's score without some of its members, before they are excluded. PURE.

Signals of the group's own complaints are counted again: lockstep, devotion, span, pace, one author, fresh accounts,
shared fingerprints, near-duplicate texts, and the outcomes. The others (how unlikely the group is by chance, the pairs,
a crowd's slice) need the whole window: they keep the detector's values and are marked as such. Each signal's file in
service/moderation/signals/ defines how it is counted again.
The detector's next run replaces this estimate.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from service.model import Disposition, Evidence, Kind
from service.moderation.outcomes import VerdictTally
from service.moderation.score import JUDGED, judge, usual_in
from service.moderation.signals.prior import PRIOR
from service.moderation.signals.registry import SIGNAL_BY_NAME, contribution_of
from service.moderation.signals.signal import CountedAgain, MemberComplaint
from service.policy import Policy


@dataclass(frozen=True, slots=True)
class RescoredSignal:
    """One signal, for the whole group and for the remaining members."""

    signal: str
    before: Evidence
    after: Evidence
    measured: bool  # False: the detector's value is kept

    @property
    def change(self) -> float:
        """The change of the signal's contribution."""
        return self.after.contribution - self.before.contribution


@dataclass(frozen=True, slots=True)
class Rescored:
    """The score of the group without some of its members."""

    members: int  # remaining
    targets: int  # on which enough of the remaining members complained
    coordination_before: float
    coordination: float
    probability: float
    unfounded_probability: float
    disposition: Disposition  # flagged, reliable or revoked
    too_few: bool  # too few members or targets remain for a group
    rows: tuple[RescoredSignal, ...]


def rescore_without(
    evidence: Sequence[Evidence],
    complaints: Sequence[MemberComplaint],
    left_out: Collection[int],
    elsewhere: Mapping[int, int],
    verdicts: tuple[VerdictTally, VerdictTally],
    kind: Kind,
    policy: Policy,
) -> Rescored:
    """The group's score without the members in `left_out`.

    `evidence` is the group's stored evidence, prior and outcomes included, `complaints` holds all members' complaints
    about its targets, `elsewhere` the number of each member's complaints on other targets, `verdicts` the tallies of
    outcomes for the whole group and for the remaining members. Order is irrelevant.
    """
    out = set(left_out)
    ordered = sorted(complaints, key=lambda c: (c.time_us, c.reporter))
    crowd = Counter(c.target for c in ordered if c.reporter not in out)
    enough = 1 if kind == "one_shot" else 2
    kept = [c for c in ordered if c.reporter not in out and crowd[c.target] >= enough]
    whole, left = CountedAgain(ordered, elsewhere, policy), CountedAgain(kept, elsewhere, policy)
    usual = usual_in(evidence)
    structural = [e for e in evidence if e.signal not in JUDGED]
    after = {e.signal: _counted_again(e, whole, left) for e in structural}
    before = judge(structural, verdicts[0], whole.targets, usual=usual, flag_score=policy.flag_score)
    verdict = judge(
        [after[e.signal] or e for e in structural],
        verdicts[1],
        left.targets,
        usual=usual,
        flag_score=policy.flag_score,
    )
    # Only the stored sentence says how many groups the prior is measured on.
    stored_prior = {e.signal: e for e in evidence if e.signal == PRIOR}
    new = {e.signal: e for e in verdict.evidence} | stored_prior
    too_few = left.members < policy.min_members or left.targets < enough
    return Rescored(
        members=left.members,
        targets=left.targets,
        coordination_before=before.coordination,
        coordination=verdict.coordination,
        probability=verdict.probability,
        unfounded_probability=verdict.unfounded_probability,
        disposition="revoked" if too_few else verdict.disposition,
        too_few=too_few,
        rows=tuple(
            RescoredSignal(
                e.signal,
                stored_prior.get(e.signal, e),
                new[e.signal],
                e.signal in JUDGED or after.get(e.signal) is not None,
            )
            for e in before.evidence
        ),
    )


def _counted_again(e: Evidence, whole: CountedAgain, left: CountedAgain) -> Evidence | None:
    """The signal for the remaining members; None if only the detector can measure it."""
    signal = SIGNAL_BY_NAME.get(e.signal)
    if signal is None or signal.count_again is None:
        return None
    measured = signal.count_again(e, whole, left)
    if measured is None:
        return None
    contribution = contribution_of(e.signal, measured, left.targets, left.policy.weights)
    return e.model_copy(update={"value": measured.value, "p_value": measured.p_value, "contribution": contribution})
