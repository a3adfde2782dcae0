"""Which step may follow which, what counts, and what the drafts say (DSA Art. 23)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from service.errors import Refused
from service.moderation.misuse import MisuseFacts, Notice, Step, StepTaken, check, facts_of, letter, standing_of

NOW = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
DAYS = 90


def notice(days_ago: float, *, manifest: bool = True, verdict: str | None = "rejected") -> Notice:
    return Notice(
        int(days_ago * 10),
        f"n{days_ago}",
        "t",
        NOW - timedelta(days=days_ago),
        None,
        verdict,
        manifest and bool(verdict),
    )


def taken(step: Step, days_ago: float, until_days: float | None = None) -> StepTaken:
    until = None if until_days is None else NOW + timedelta(days=until_days)
    return StepTaken(step, NOW - timedelta(days=days_ago), until, "ann", 2, 3, DAYS, "grave", "")


THREE = [notice(1), notice(20), notice(30), notice(40, manifest=False)]
WARNED = [taken("warned", 10)]
SUSPENDED = [*WARNED, taken("suspended", 5, 20)]
OVER = [*WARNED, taken("suspended", 5, -1)]
RESTORED = [*SUSPENDED, taken("restored", 1)]
SOON = NOW + timedelta(days=30)


@pytest.mark.parametrize(
    ("step", "steps", "notices"),
    [
        ("warned", [], THREE),
        ("warned", WARNED, THREE),
        ("warned", OVER, THREE),
        ("warned", RESTORED, THREE),
        ("suspended", WARNED, THREE),
        ("restored", SUSPENDED, []),
    ],
)
def test_steps_that_may_follow(step: Step, steps: list[StepTaken], notices: list[Notice]) -> None:
    check(step, steps, notices, now=NOW, days=DAYS, until=SOON, gravity="many")


@pytest.mark.parametrize(
    ("step", "steps", "notices", "why"),
    [
        ("warned", [], [notice(1), notice(2, manifest=False), notice(91)], "1 notice of the last 90 days is marked"),
        ("warned", SUSPENDED, THREE, "a suspension is in force"),
        ("suspended", [], THREE, "needs an earlier warning"),
        ("suspended", SUSPENDED, THREE, "a suspension is in force"),
        ("suspended", OVER, THREE, "needs an earlier warning"),
        ("suspended", RESTORED, THREE, "needs an earlier warning"),
        ("suspended", WARNED, [notice(11), notice(12)], "no notice since the warning"),
        ("restored", [], THREE, "no suspension is in force"),
        ("restored", OVER, THREE, "no suspension is in force"),
    ],
)
def test_steps_that_may_not_follow_say_why(step: Step, steps: list[StepTaken], notices: list[Notice], why: str) -> None:
    with pytest.raises(Refused, match=why):
        check(step, steps, notices, now=NOW, days=DAYS, until=SOON, gravity="many")


@pytest.mark.parametrize("until", [None, NOW, NOW - timedelta(days=1), NOW + timedelta(days=367)])
def test_a_suspension_has_an_end_within_a_year(until: datetime | None) -> None:
    with pytest.raises(Refused, match="an end within the next 366 days"):
        check("suspended", WARNED, THREE, now=NOW, days=DAYS, until=until, gravity="many")


@pytest.mark.parametrize("gravity", ["", " \n"])
def test_a_suspension_says_how_grave_the_misuse_is(gravity: str) -> None:
    with pytest.raises(Refused, match="how grave"):
        check("suspended", WARNED, THREE, now=NOW, days=DAYS, until=SOON, gravity=gravity)


def test_a_text_has_a_bound() -> None:
    with pytest.raises(Refused, match="2,001 characters, at most 2,000"):
        check("suspended", WARNED, THREE, now=NOW, days=DAYS, until=SOON, gravity="many", intention="x" * 2_001)


def test_only_what_a_person_rejected_may_be_marked() -> None:
    told = [notice(1, verdict=verdict).may_be_marked for verdict in ("rejected", "upheld", None)]
    assert told == [True, False, False]


def test_the_facts_are_a_number_and_a_share_of_the_period() -> None:
    facts = facts_of([*THREE, notice(100)], now=NOW, days=DAYS)
    assert (facts.manifest, facts.notices, facts.share) == (3, 4, 0.75)
    assert facts_of([], now=NOW, days=DAYS).share == 0


def test_a_suspension_ends_by_itself() -> None:
    assert [standing_of(steps, NOW) for steps in ([], WARNED, SUSPENDED, OVER, RESTORED)] == [
        *("none", "warned", "suspended", "over", "over")
    ]


def test_the_drafts_name_facts_end_reasons_and_redress() -> None:
    facts = MisuseFacts(3, 4, DAYS)
    warning = letter("warned", facts, until=None)
    assert "4 notices of illegal content" in warning and "found 3 of them manifestly unfounded" in warning
    assert "stop processing" in warning and "out-of-court" in warning
    suspension = letter("suspended", facts, until=SOON, gravity=" drowned others ", intention="to silence")
    assert "Until 2026-12-02 12:00 UTC" in suspension and "How grave it is: drowned others\n" in suspension
    assert "Intention: to silence" in suspension and "court" in suspension
    assert "again" in letter("restored", facts, until=None)
