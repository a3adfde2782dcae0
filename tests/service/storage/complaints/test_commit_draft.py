"""The rules of one commit, without a database: which complaint of a reporter stands, and what detection gets."""

from __future__ import annotations

import pytest

from service.intake.privacy_filter import PrivacyFilter
from service.model import JsonObject
from service.policy import DEFAULT_POLICY
from service.storage.complaints.commit_draft import (
    ArchivedItems,
    CommitDraft,
    ComplaintRow,
    Item,
    add_items,
    add_totals,
    changed_targets,
    differing_fields,
    settle,
    touched_pairs,
)
from service.storage.sql.hashing import key_of
from service.storage.sql.schema import REPEAT, STANDING, WITHDRAWN

TARGET, REPORTER = key_of("t"), key_of("r")


def draft_after(seq: int = 10, watermark_us: int | None = None) -> CommitDraft:
    return CommitDraft(1, DEFAULT_POLICY, PrivacyFilter(), seq, watermark_us, 0, "0-0", None)


def complaint(identity: str, minute: int = 0) -> Item:
    body: JsonObject = {
        "id": identity,
        "occurred_at": f"2027-01-01T00:{minute:02}:00Z",
        "reporter": {"id": "r"},
        "target": {"id": "t"},
    }
    return "c", body, identity, 1


def archived(seq: int, identity: str, state: int, occurred_us: int = 0) -> ComplaintRow:
    return ComplaintRow(seq, identity, occurred_us, 1, REPORTER, TARGET, state, False, identity, None)


def none_archived() -> ArchivedItems:
    return ArchivedItems({}, set(), {})


def test_of_two_new_complaints_of_one_reporter_the_earlier_stands_and_is_fed() -> None:
    draft = draft_after()
    add_items(draft, [complaint("later", 5), complaint("earlier", 1)], none_archived())
    settle(draft, touched_pairs(draft), {})
    assert {row.id: row.state for row in draft.complaints.values()} == {"later": REPEAT, "earlier": STANDING}
    assert [row.id for row in draft.fed] == ["earlier"] and not draft.removed
    add_totals(draft, changed_targets(draft), {TARGET: 4})
    assert draft.totals == [(TARGET, 5)]


def test_an_earlier_complaint_that_comes_later_takes_over_without_changing_the_total() -> None:
    draft = draft_after()
    stood = archived(3, "stood", STANDING, occurred_us=2**60)
    add_items(draft, [complaint("earlier")], none_archived())
    settle(draft, touched_pairs(draft), {(TARGET, REPORTER): [stood]})
    assert draft.changes == [(REPEAT, 3)]
    assert [row.id for row in draft.fed] == ["earlier"] and draft.removed == [stood]
    assert changed_targets(draft) == []


def test_withdrawing_the_standing_complaint_promotes_the_earliest_repeat() -> None:
    draft = draft_after()
    stood, second, third = (archived(n, f"c{n}", STANDING if n == 1 else REPEAT, occurred_us=n) for n in (1, 2, 3))
    add_items(draft, [("w", {"id": "c1"}, "", 1)], ArchivedItems({"c1": stood}, set(), {}))
    settle(draft, touched_pairs(draft), {(TARGET, REPORTER): [third, stood, second]})
    assert draft.changes == [(WITHDRAWN, 1), (STANDING, 2)]
    assert draft.removed == [stood] and draft.fed == [second]
    assert changed_targets(draft) == []


def test_a_complaint_that_was_withdrawn_before_it_came_never_stands() -> None:
    draft = draft_after()
    add_items(draft, [complaint("a")], ArchivedItems({}, {"a"}, {}))
    settle(draft, touched_pairs(draft), {})
    assert draft.complaints["a"].state == WITHDRAWN and not draft.fed and changed_targets(draft) == []


def test_a_complaint_older_than_the_window_counts_but_is_not_fed() -> None:
    draft = draft_after(watermark_us=2**60)
    add_items(draft, [complaint("late")], none_archived())
    settle(draft, touched_pairs(draft), {})
    assert draft.late == 1 and not draft.fed and changed_targets(draft) == [TARGET]


def test_an_unknown_kind_of_item_is_named_in_the_error() -> None:
    with pytest.raises(ValueError, match="must be c, o or w, not 'x'"):
        add_items(draft_after(), [("x", {"id": "a"}, "", 1)], none_archived())


def test_fields_that_differ_are_named_with_their_path() -> None:
    first = {"id": "a", "reporter": {"id": "r", "trusted": True}, "text": "x", "n": 1}
    assert differing_fields(
        first, {"id": "a", "reporter": {"id": "r", "trusted": False}, "reason": "y", "n": True}
    ) == ["n", "reason", "reporter.trusted", "text"]
    assert differing_fields(first, dict(first)) == []
