"""Which cases a message tells: as they are now, once a day."""

from __future__ import annotations

from service.notifications.digest import (
    FLAGGED,
    GROWN,
    HOLD,
    CaseNow,
    Occurrence,
    occurrence_of,
    select_news,
    survivors,
)

DAY = 86_400_000_000
NOW = 100 * DAY


def now(identity: str, disposition: str = "flagged", status: str = "open", merged_into: str | None = None) -> CaseNow:
    return CaseNow(identity, disposition, status, 14, 20, "They did.", merged_into)


def select(
    *found: Occurrence, cases: list[CaseNow], reported: dict[str, int] | None = None
) -> tuple[list[str], dict[str, str]]:
    known = survivors({one.case_id or "" for one in found}, {one.id: one for one in cases})
    news, refused = select_news(found, known, reported or {}, NOW)
    return [one.case_id for one in news], refused


def test_a_flag_and_the_holds_of_one_case_are_one_message() -> None:
    holds = [Occurrence(f"h{n}", NOW + n, HOLD, "k-1", f"c-{n}") for n in (1, 2, 1)]
    news, refused = select_news([Occurrence("f", NOW, FLAGGED, "k-1"), *holds], {"k-1": now("k-1")}, {}, NOW)
    assert [(one.case_id, one.held, one.grown) for one in news] == [("k-1", ("c-1", "c-2"), False)] and not refused


def test_a_case_is_told_once_a_day_and_again_on_another_day_if_something_happened_since() -> None:
    grown = Occurrence("g", NOW + 5, GROWN, "k-1")
    assert select(grown, cases=[now("k-1")], reported={"k-1": NOW + 1}) == (
        [],
        {"g": "the case was reported earlier on the same day"},
    )
    assert select(grown, cases=[now("k-1")], reported={"k-1": NOW - 1})[0] == ["k-1"]
    late = Occurrence("g", NOW - 9, GROWN, "k-1")  # committed after the message that told it
    assert select(late, cases=[now("k-1")], reported={"k-1": NOW - 1})[1] == {
        "g": "the case was reported after this happened"
    }


def test_what_was_settled_while_it_waited_is_not_reported() -> None:
    for case in (now("k-1", "revoked"), now("k-1", status="decided"), now("k-1", "reliable"), now("k-1", "held_back")):
        assert select(Occurrence("f", NOW, FLAGGED, "k-1"), cases=[case])[0] == []
    assert select(Occurrence("f", NOW, FLAGGED, "k-1"), cases=[]) == ([], {"f": "the case no longer exists"})
    assert select(Occurrence("f", NOW, FLAGGED, None), cases=[now("k-1")])[0] == []
    assert select(Occurrence("h", NOW, HOLD, "k-1", "c"), cases=[now("k-1", "held_back")])[0] == ["k-1"]


def test_a_merged_case_is_told_as_its_survivor_once() -> None:
    cases = [now("k-1", "merged", merged_into="k-2"), now("k-2", "merged", merged_into="k-3"), now("k-3")]
    found = [Occurrence(k, NOW, FLAGGED, k) for k in ("k-1", "k-2", "k-3")]
    assert select(*found, cases=cases)[0] == ["k-3"]
    ring = [now("k-1", "merged", merged_into="k-2"), now("k-2", "merged", merged_into="k-1")]
    assert select(found[0], cases=ring)[0] == []


def test_a_hold_belongs_to_the_case_that_carries_it() -> None:
    data = {"target_id": "c-1", "clusters": [{"id": "k-9"}, {"id": "k-1"}]}
    assert occurrence_of("d", 1, HOLD, data) == Occurrence("d", 1, HOLD, "k-9", "c-1")
    assert occurrence_of("d", 1, HOLD, {"target_id": "c-1", "clusters": []}).case_id is None
    assert occurrence_of("d", 1, FLAGGED, {"cluster_id": "k-1"}) == Occurrence("d", 1, FLAGGED, "k-1")
