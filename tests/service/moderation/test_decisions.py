"""What moderators' words make of a case."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import Refused, StaleVersion
from service.model import Decision, DecisionRequest
from service.moderation.decisions import (
    DECIDED_NOT_COORDINATED,
    Case,
    Unfit,
    decide,
    effective_status,
    in_force,
    reason_of_verdict,
    standing,
)

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
OPEN = Case(
    id="k1",
    version=3,
    changed_by="detector",
    disposition="flagged",
    status="open",
    verdict=None,
    snooze_until=None,
    revoked_at=None,
    revoked_because=None,
    merged_into=None,
    members=frozenset("abcdef"),
    excluded=frozenset(),
    target_count=7,
    decided_reporters=None,
    decided_targets=None,
)


class Desk:
    """A case with its log: decisions are made one after another, each on the current version."""

    def __init__(self, case: Case = OPEN) -> None:
        self.case, self.log, self.now = case, list[Decision](), NOW

    def reason(self) -> str | None:
        return reason_of_verdict(self.log, self.case.verdict, self.case.id)

    def say(self, verdict: str, **fields: Any) -> Decision:
        self.now += timedelta(minutes=1)
        request = DecisionRequest(
            **{"verdict": verdict, "reason_code": "other", "version": self.case.version, **fields}  # type: ignore[arg-type]
        )
        self.case, entry = decide(
            self.case, self.log, request, decision_id=f"d{len(self.log) + 1}", by="ann", now=self.now
        )
        self.log.append(entry)
        return entry


def test_coordinated_decides_a_flagged_case_and_remembers_its_size() -> None:
    desk = Desk()
    entry = desk.say("coordinated")
    assert (desk.case.status, desk.case.verdict, desk.case.disposition) == ("decided", "coordinated", "flagged")
    assert (desk.case.version, desk.case.changed_by) == (4, "ann")
    assert (desk.case.decided_reporters, desk.case.decided_targets) == (6, 7)
    assert (entry.version, entry.at, entry.by) == (3, desk.now, "ann")


@pytest.mark.parametrize("before", ["held_back", "reliable", "revoked"])
def test_coordinated_flags_whatever_the_detector_thought(before: Any) -> None:
    desk = Desk(replace(OPEN, disposition=before, revoked_because="no longer seen" if before == "revoked" else None))
    desk.say("coordinated")
    assert (desk.case.disposition, desk.case.revoked_because) == ("flagged", None)


def test_not_coordinated_revokes_and_says_that_a_person_did() -> None:
    desk = Desk()
    desk.say("not_coordinated")
    assert (desk.case.disposition, desk.case.status, desk.case.revoked_because, desk.case.revoked_at) == (
        "revoked",
        "decided",
        DECIDED_NOT_COORDINATED,
        desk.now,
    )


def test_taking_not_coordinated_back_flags_again() -> None:
    desk = Desk()
    first = desk.say("not_coordinated")
    desk.say("not_coordinated", reverses=first.id)
    assert desk.case == replace(OPEN, version=5, changed_by="ann")


def test_what_the_detector_revoked_stays_revoked_when_a_person_takes_the_verdict_back() -> None:
    desk = Desk(replace(OPEN, disposition="revoked", revoked_at=NOW, revoked_because="its complaints were upheld"))
    first = desk.say("not_coordinated")
    desk.say("not_coordinated", reverses=first.id)
    assert (desk.case.disposition, desk.case.revoked_because, desk.case.status) == (
        "revoked",
        "its complaints were upheld",
        "open",
    )


def test_a_reversal_with_another_verdict_puts_that_verdict_in_its_place() -> None:
    desk = Desk()
    first = desk.say("coordinated", excluded_reporters=["a"])
    desk.say("not_coordinated", reverses=first.id)
    assert (desk.case.verdict, desk.case.disposition, desk.case.excluded) == ("not_coordinated", "revoked", frozenset())
    desk.say("escalated", reverses="d2")
    # d2 gone: d1 is in force again
    assert (desk.case.verdict, desk.case.status, desk.case.disposition) == ("coordinated", "escalated", "flagged")


def test_undoing_an_undo_brings_everything_back() -> None:
    desk = Desk()
    desk.say("coordinated", excluded_reporters=["a", "b"])
    decided = desk.case
    desk.say("coordinated", reverses="d1")
    assert (desk.case.status, desk.case.verdict, desk.case.excluded, desk.case.decided_reporters) == (
        "open",
        None,
        frozenset(),
        None,
    )
    desk.say("coordinated", reverses="d2")
    assert replace(desk.case, version=decided.version) == decided


def test_taking_the_second_verdict_back_leaves_the_first() -> None:
    desk = Desk()
    desk.say("coordinated")
    desk.say("not_coordinated")
    desk.say("not_coordinated", reverses="d2")
    assert (desk.case.verdict, desk.case.status, desk.case.disposition) == ("coordinated", "decided", "flagged")


def test_escalation_and_snooze_leave_the_verdict_standing() -> None:
    desk = Desk()
    desk.say("coordinated")
    desk.say("escalated")
    assert (desk.case.status, desk.case.verdict) == ("escalated", "coordinated")
    desk.say("snoozed", snooze_until=NOW + timedelta(days=1))
    assert (desk.case.status, desk.case.verdict, desk.case.decided_reporters) == ("snoozed", "coordinated", 6)


def test_a_snooze_that_ran_out_is_an_open_case() -> None:
    until = NOW + timedelta(hours=1)
    assert effective_status("snoozed", until, NOW) == "snoozed"
    assert effective_status("snoozed", until, until) == "open"
    assert effective_status("decided", until, until) == "decided"


def test_a_snooze_that_has_passed_can_still_be_taken_back() -> None:
    desk = Desk()
    until = NOW + timedelta(minutes=2)
    desk.say("snoozed", snooze_until=until)
    desk.now += timedelta(days=1)
    desk.say("snoozed", snooze_until=until, reverses="d1")
    assert (desk.case.status, desk.case.snooze_until) == ("open", None)


def test_a_snooze_into_the_past_is_refused_with_its_pointer() -> None:
    with pytest.raises(Unfit, match="must be later than now") as refusal:
        Desk().say("snoozed", snooze_until=NOW)
    assert refusal.value.pointer == "/snooze_until"


def test_only_members_can_be_excluded() -> None:
    with pytest.raises(Unfit, match="'stranger' is not a member") as refusal:
        Desk().say("coordinated", excluded_reporters=["a", "stranger"])
    assert refusal.value.pointer == "/excluded_reporters/1"


def test_the_excluded_stay_out_through_later_decisions_and_count_no_more() -> None:
    desk = Desk()
    desk.say("escalated", excluded_reporters=["b", "a", "b"])
    desk.say("coordinated", excluded_reporters=["a", "c"])
    assert (desk.case.excluded, desk.case.reporter_count, desk.case.decided_reporters) == (frozenset("abc"), 3, 3)
    assert desk.log[0].excluded_reporters == ["a", "b"]
    desk.say("coordinated", reverses="d2")
    assert desk.case.excluded == frozenset("ab")  # the first decision keeps them out


def test_a_stale_version_says_who_was_first() -> None:
    desk = Desk()
    desk.say("coordinated")
    with pytest.raises(StaleVersion, match="version 4, changed by ann") as stale:
        desk.say("not_coordinated", version=3)
    assert (stale.value.current_version, stale.value.changed_by) == (4, "ann")
    assert len(desk.log) == 1


def test_a_merged_cluster_names_its_survivor() -> None:
    with pytest.raises(Refused, match="merged into k0: decide on k0"):
        Desk(replace(OPEN, disposition="merged", merged_into="k0")).say("coordinated", version=99)


def test_a_reversal_needs_a_decision_of_this_cluster_that_is_in_force() -> None:
    desk = Desk()
    with pytest.raises(Unfit, match="has no decision d9") as refusal:
        desk.say("coordinated", reverses="d9")
    assert refusal.value.pointer == "/reverses"
    desk.say("coordinated")
    desk.say("coordinated", reverses="d1")
    with pytest.raises(Unfit, match="reversed already"):
        desk.say("coordinated", reverses="d1")


@pytest.mark.parametrize("undoing", ["other", "patrol", "brigade"])
def test_the_reason_that_stands_is_the_one_that_was_given_however_often_it_was_undone(undoing: str) -> None:
    desk = Desk()
    last = desk.say("coordinated", reason_code="brigade")
    for undone in (True, False, True, False, True, False):
        last = desk.say("coordinated", reason_code=undoing, reverses=last.id)
        assert desk.reason() == (None if undone else "brigade")
    between = desk.say("not_coordinated", reason_code="patrol")
    assert desk.reason() == "patrol"
    desk.say("escalated", reason_code="duplicate")
    assert desk.reason() == "patrol", "what moves a case gives no verdict"
    desk.say("not_coordinated", reason_code=undoing, reverses=between.id)
    assert desk.reason() == "brigade"
    opposite = desk.say("not_coordinated", reason_code="outrage", reverses="d1")
    assert desk.reason() == "outrage", "a reversal with another verdict gives its own reason"
    desk.say("not_coordinated", reason_code=undoing, reverses=opposite.id)
    assert desk.reason() == "brigade"


def test_a_merged_cluster_keeps_the_reason_of_its_own_verdict() -> None:
    desk = Desk()
    mine = desk.say("coordinated", reason_code="brigade")
    absorbed = desk.say("coordinated", reason_code="other")
    absorbed = desk.log[1] = absorbed.model_copy(update={"cluster_id": "k2"})
    assert desk.reason() == "brigade"
    desk.say("coordinated", reverses=mine.id)
    assert desk.reason() == "other", "what was decided about the part still stands"
    desk.say("coordinated", reverses="d3")
    assert desk.reason() == "brigade"
    log = [absorbed, mine.model_copy(update={"verdict": "not_coordinated", "reason_code": "patrol"})]
    assert reason_of_verdict(log, "coordinated", "k1") == "other", "of the verdict that stands, not of another"


def test_a_note_with_a_nul_is_refused() -> None:
    with pytest.raises(Unfit) as refusal:
        Desk().say("coordinated", note="a\0b")
    assert refusal.value.pointer == "/note"


def test_a_case_that_the_detector_reopened_is_not_decided_again_by_a_snooze() -> None:
    desk = Desk()
    desk.say("coordinated")
    desk.case = replace(
        desk.case, status="open", members=desk.case.members | {"g", "h"}, version=5, changed_by="detector"
    )
    desk.say("snoozed", snooze_until=NOW + timedelta(days=1))
    # growth is still measured from the verdict
    assert (desk.case.status, desk.case.decided_reporters) == ("snoozed", 6)


def test_an_empty_log_is_an_open_case() -> None:
    assert (standing([]).status, standing([]).verdict, standing([]).excluded) == ("open", None, frozenset())


@st.composite
def logs(draw: st.DrawFn) -> Desk:
    desk = Desk()
    for _ in range(draw(st.integers(0, 8))):
        live = [decision.id for decision in in_force(desk.log)]
        verdict = draw(st.sampled_from(["coordinated", "not_coordinated", "escalated", "snoozed"]))
        desk.say(
            verdict,
            reason_code=draw(st.sampled_from(["brigade", "patrol", "outrage", "other"])),
            excluded_reporters=draw(st.lists(st.sampled_from("abcdef"), max_size=2)),
            snooze_until=desk.now + timedelta(days=draw(st.integers(1, 3))) if verdict == "snoozed" else None,
            reverses=draw(st.none() | st.sampled_from(live)) if live else None,
        )
    return desk


@given(logs())
def test_the_case_is_what_its_log_folds_to(desk: Desk) -> None:
    folded = standing(desk.log)
    assert (desk.case.status, desk.case.verdict, desk.case.excluded, desk.case.snooze_until) == (
        folded.status,
        folded.verdict,
        folded.excluded,
        folded.snooze_until,
    )
    assert desk.case.version == OPEN.version + len(desk.log)
    assert desk.case.disposition == ("revoked" if folded.verdict == "not_coordinated" else "flagged")
    assert (desk.case.decided_reporters is None) == (folded.verdict is None)
    assert desk.reason() == next((one.reason_code for one in desk.log if one.id == folded.verdict_from), None)


@given(
    logs(),
    st.sampled_from(["coordinated", "not_coordinated", "escalated"]),
    st.lists(st.sampled_from("abcdef"), max_size=3),
)
def test_a_decision_and_its_undo_leave_the_case_as_it_was(desk: Desk, verdict: str, excluded: list[str]) -> None:
    before = desk.case
    entry = desk.say(verdict, excluded_reporters=excluded)
    desk.say(verdict, reverses=entry.id)
    unchanged = replace(
        desk.case,
        version=before.version,
        changed_by=before.changed_by,
        revoked_at=before.revoked_at,
        decided_reporters=before.decided_reporters,
    )
    assert unchanged == before
