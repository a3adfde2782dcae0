"""How a reporter's complaints were judged."""

from __future__ import annotations

from service.moderation.outcomes import JudgedComplaint
from service.moderation.track_record import TrackRecord, track_record
from service.storage.complaints.feed import FeedOutcome


def outcome(
    number: int, verdict: str | None, decided_us: int, decided_by: str = "person", complaint: int = 0
) -> FeedOutcome:
    return FeedOutcome(number, f"o{number}", 1, decided_us, verdict, None, decided_by, complaint)


def judged(*outcomes: FeedOutcome, filed_us: int = 5) -> TrackRecord:
    return track_record([JudgedComplaint(7, 1, filed_us)], {1: list(outcomes)})


def test_nobody_judged_is_in_neither_number() -> None:
    assert judged() == judged(outcome(1, None, 9)) == TrackRecord(0, 0)


def test_automatic_outcomes_teach_nothing() -> None:
    assert judged(outcome(1, "upheld", 9, "automatic")) == TrackRecord(0, 0)


def test_only_complaints_filed_before_the_decision_are_judged_by_it() -> None:
    assert judged(outcome(1, "upheld", 9), filed_us=8) == TrackRecord(1, 0)
    assert judged(outcome(1, "upheld", 9), filed_us=9) == TrackRecord(0, 0)


def test_the_latest_wins_and_an_appeal_beats_a_person() -> None:
    assert judged(outcome(1, "upheld", 9), outcome(2, "rejected", 10)) == TrackRecord(0, 1)
    assert judged(outcome(1, "upheld", 9, "appeal"), outcome(2, "rejected", 10)) == TrackRecord(1, 0)


def test_an_outcome_about_one_complaint_concerns_that_one_alone() -> None:
    assert judged(outcome(1, "upheld", 9, complaint=8)) == TrackRecord(0, 0)
    assert judged(outcome(1, "upheld", 9, complaint=7), outcome(2, "rejected", 10)) == TrackRecord(1, 0)


def test_each_complaint_counts_for_itself() -> None:
    assert track_record(
        [JudgedComplaint(1, 1, 0), JudgedComplaint(2, 2, 0), JudgedComplaint(3, 3, 0)],
        {1: [outcome(1, "upheld", 9)], 2: [outcome(2, "rejected", 9)]},
    ) == TrackRecord(1, 1)
