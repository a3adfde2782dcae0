"""A reporter's track record: how many of the complaints that people judged were upheld, how many rejected?

Only people teach (service/moderation/outcomes.py says which outcome stands): automatic removals would call every
successful campaign right. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from service.moderation.outcomes import JudgedComplaint, Judgement, standing


@dataclass(frozen=True, slots=True)
class TrackRecord:
    """Judged complaints; those that nobody has judged are in neither number."""

    upheld: int = 0
    rejected: int = 0


def track_record(
    complaints: Iterable[JudgedComplaint], outcomes_by_target: Mapping[int, Sequence[Judgement]]
) -> TrackRecord:
    """Count the judged among `complaints`, each for itself (see `verdict_on`); the order of both is irrelevant."""
    verdicts = [verdict_on(complaint, outcomes_by_target.get(complaint.target, ())) for complaint in complaints]
    return TrackRecord(verdicts.count("upheld"), verdicts.count("rejected"))


def verdict_on(complaint: JudgedComplaint, outcomes: Sequence[Judgement]) -> str | None:
    """How people judged this complaint, given all outcomes about its target: "upheld", "rejected" or None.

    An outcome about the complaint alone goes before one about its target, and judges only what was filed before it.
    """
    alone = standing(outcome for outcome in outcomes if outcome.complaint == complaint.seq)
    stands = alone or standing(outcome for outcome in outcomes if outcome.complaint == 0)
    return stands.verdict if stands is not None and complaint.time_us < stands.decided_us else None
