"""What members' verdicts elsewhere say about a group, and how little they may say."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from service.moderation.outcomes import JudgedComplaint
from service.moderation.score import BENEFIT
from service.moderation.signals.record import BOUND, record_evidence
from service.storage.complaints.feed import FeedOutcome

NOW = 1_000_000


def told(
    verdicts_by_member: Sequence[Sequence[str]], *, others: int = 0, own: Sequence[int] = (), usual: float = 0.4
) -> tuple[float, float, str] | None:
    """(share rejected, contribution, text) of members with these verdicts, each on a target of its own."""
    complaints, outcomes, target = {}, {}, 0
    for member, verdicts in enumerate(verdicts_by_member):
        complaints[member] = []
        for verdict in verdicts:
            target += 1
            complaints[member].append(JudgedComplaint(target, target, NOW - 1))
            outcomes[target] = [FeedOutcome(0, f"o{target}", target, NOW, verdict, None, "person", 0)]
    found = record_evidence(complaints, own, outcomes, dict.fromkeys(outcomes, 1 + others), NOW, usual)
    return None if found is None else (found.value, found.contribution, found.text)


def test_without_judged_complaints_elsewhere_there_is_no_record() -> None:
    assert told([[], []]) is None
    assert told([["upheld"], ["rejected"]], own=[1, 2]) is None


def test_members_who_were_right_elsewhere_speak_for_the_group_and_the_other_way_round() -> None:
    right, wrong = told([["upheld"] * 3] * 5), told([["rejected"] * 3] * 5)
    assert right is not None and wrong is not None
    assert right[0] == 0 and right[1] < 0 and wrong[0] == 1 and wrong[1] > 0
    assert (
        wrong[2]
        == "On other targets, moderators upheld 0 and rejected 15 complaints by 5 members; complaints that many others"
        " also made count little."
    )


def test_a_long_history_of_one_member_is_one_voice() -> None:
    one = told([["upheld"] * 200, *[["rejected"]] * 4])
    assert one is not None and round(one[0], 9) == 0.8 and one[1] > 0


def test_reputation_farmed_on_what_everybody_reports_says_nothing() -> None:
    farmed = told([["upheld"] * 5] * 25, others=10_000)
    assert farmed is not None and abs(farmed[1]) < 0.1


@given(st.lists(st.lists(st.sampled_from(["upheld", "rejected"]), max_size=6), max_size=8))
def test_a_record_alone_neither_clears_nor_drowns(verdicts: list[list[str]]) -> None:
    found = told(verdicts)
    assert found is None or (abs(found[1]) <= BOUND < BENEFIT and 0 <= found[0] <= 1)
