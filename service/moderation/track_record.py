"""A reporter's track record: how many of their complaints moderators upheld and how many they rejected.

Only people's verdicts count (service/moderation/outcomes.py chooses the one that stands): by automatic removals, every
successful campaign would seem right. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from service.moderation.outcomes import JudgedComplaint, Judgement, standing


@dataclass(frozen=True, slots=True)
class TrackRecord:
    """Numbers of complaints with a verdict; complaints without one are not counted."""

    upheld: int = 0
    rejected: int = 0


def track_record(
    complaints: Iterable[JudgedComplaint], outcomes_by_target: Mapping[int, Sequence[Judgement]]
) -> TrackRecord:
    """Count the verdicts on `complaints`, one by one (see `verdict_on`); the order of both arguments is irrelevant."""
    verdicts = [verdict_on(complaint, outcomes_by_target.get(complaint.target, ())) for complaint in complaints]
    return TrackRecord(verdicts.count("upheld"), verdicts.count("rejected"))


def verdict_on(complaint: JudgedComplaint, outcomes: Sequence[Judgement]) -> str | None:
    """The verdict on this complaint, given all outcomes about its target: "upheld", "rejected" or None.

    An outcome about the complaint alone outranks one about its target. It applies only to an earlier complaint.
    """
    stands = standing(outcomes, complaint.seq) or standing(outcomes, 0)
    return stands.verdict if stands is not None and complaint.time_us < stands.decided_us else None
