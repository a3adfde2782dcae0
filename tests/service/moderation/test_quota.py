"""The quota of new flags."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.model import microseconds
from service.moderation.quota import Candidate, admit, day_of

candidates = st.lists(
    st.builds(
        Candidate,
        id=st.text("abcdefgh", min_size=1, max_size=3),
        day=st.integers(0, 3),
        score=st.integers(-3, 3).map(float),
    ),
    unique_by=lambda c: c.id,
    max_size=12,
)
used = st.dictionaries(st.integers(0, 3), st.integers(0, 6))


def test_the_highest_scores_get_the_day_s_room() -> None:
    found = [
        Candidate("low", 5, 1.0),
        Candidate("high", 5, 9.0),
        Candidate("mid", 5, 4.0),
        Candidate("other-day", 6, 0.1),
    ]
    assert admit(found, {5: 1}, 3) == {"high", "mid", "other-day"}


def test_equal_scores_go_by_the_smaller_id() -> None:
    assert admit([Candidate("b", 0, 1.0), Candidate("a", 0, 1.0)], {}, 1) == {"a"}


def test_a_raised_quota_releases_what_was_held_back() -> None:
    storm = [Candidate(f"c{i}", 0, float(i)) for i in range(5)]
    first = admit(storm, {}, 2)
    held = [c for c in storm if c.id not in first]
    assert admit(held, {0: 2}, 2) == set()
    assert admit(held, {0: 2}, 4) == {"c2", "c1"}


def test_a_lowered_quota_admits_nobody_and_zero_holds_everything_back() -> None:
    assert admit([Candidate("a", 0, 1.0)], {0: 7}, 3) == set()
    assert admit([Candidate("a", 0, 1.0)], {}, 0) == set()


def test_the_day_is_utc_whatever_the_offset() -> None:
    late = datetime.fromisoformat("1970-01-02T23:30:00-01:00")
    assert day_of(late) == day_of(microseconds(late.astimezone(UTC))) == 2
    assert day_of(-1) == -1


@pytest.mark.parametrize(
    ("found", "limit", "message"),
    [
        ([], -1, "below 0"),
        ([Candidate("a", 0, 1), Candidate("a", 1, 1)], 5, "twice"),
        ([Candidate("a", 0, float("nan"))], 5, "is NaN"),
    ],
)
def test_what_cannot_be_ranked_is_refused(found: list[Candidate], limit: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        admit(found, {}, limit)


@given(candidates, used, st.integers(0, 6), st.randoms())
def test_days_are_filled_exactly_by_the_best_in_any_order(
    found: list[Candidate], used_by_day: dict[int, int], limit: int, random: object
) -> None:
    admitted = admit(found, used_by_day, limit)
    shuffled = list(found)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert admit(shuffled, used_by_day, limit) == admitted
    for day in range(4):
        of_day = [c for c in found if c.day == day]
        inside, outside = [c for c in of_day if c.id in admitted], [c for c in of_day if c.id not in admitted]
        assert len(inside) == min(len(of_day), max(0, limit - used_by_day.get(day, 0)))
        assert not inside or not outside or min(c.score for c in inside) >= max(c.score for c in outside)


@given(candidates, used, st.integers(0, 6))
def test_a_higher_limit_never_takes_a_flag_away(
    found: list[Candidate], used_by_day: dict[int, int], limit: int
) -> None:
    assert admit(found, used_by_day, limit) <= admit(found, used_by_day, limit + 1)
