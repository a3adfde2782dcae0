"""Counts over time as a picture."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.charts.columns import LONGEST, WIDTH, Mark, StackedColumn, column_chart, tick_of
from service.charts.interval import interval

START, STEP = datetime(2026, 11, 1, tzinfo=UTC), timedelta(minutes=10)


def columns(*counts: tuple[int, ...]) -> list[StackedColumn]:
    return [StackedColumn(START + place * STEP, each, f"column {place}") for place, each in enumerate(counts)]


def test_parts_stand_on_each_other_and_zero_draws_nothing() -> None:
    svg = ET.fromstring(column_chart(columns((2, 1), (0, 0), (0, 3)), STEP, "c", "two columns"))
    drawn = [(r.get("class"), float(r.get("y", "")), float(r.get("height", ""))) for r in svg.iter("rect")]
    (_, low_y, low_height), (_, high_y, high_height), _ = drawn
    assert [name for name, _, _ in drawn] == ["part-0", "part-rest", "part-rest"]
    assert high_y + high_height == pytest.approx(low_y, abs=0.02)
    assert low_height == pytest.approx(2 * high_height, abs=0.02)
    assert [t.text for t in svg.iter("title")] == ["two columns", "column 0", "column 2"]


def test_hostile_words_are_text() -> None:
    bad = "<script>alert(1)</script>\"'&"
    svg = column_chart([StackedColumn(START, (1,), bad)], STEP, "c", bad, marks=[Mark(START, "<", bad)], unit=bad)
    assert "<script" not in svg
    assert ET.fromstring(svg).find("title").text == bad  # type: ignore[union-attr]


@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 50)), min_size=1, max_size=60),
    st.integers(60, 40 * 86_400),
)
def test_everything_stays_inside_and_times_do_not_crowd(counts: list[tuple[int, int]], seconds: int) -> None:
    step = timedelta(seconds=seconds)
    drawn = [StackedColumn(START + place * step, each, "x") for place, each in enumerate(counts)]
    svg = ET.fromstring(column_chart(drawn, step, "c", "x", marks=[Mark(START + step / 2, "R", "removed")]))
    height = float(svg.get("viewBox", "").split()[3])
    for rect in svg.iter("rect"):
        x, y, wide, high = (float(rect.get(name, "")) for name in ("x", "y", "width", "height"))
        assert x >= 0 and x + wide <= WIDTH and y >= 0 and y + high <= height
    below = [t for t in svg.iter("text") if t.get("class") == "label middle"]
    assert len(below) <= 22


def test_a_picture_of_nothing_or_of_too_much_is_a_mistake() -> None:
    for wrong in (0, LONGEST + 1):
        with pytest.raises(ValueError, match="columns"):
            column_chart(columns(*([(1,)] * wrong)), STEP, "c", "x")


def test_ticks_are_round_and_few() -> None:
    assert [tick_of(n) for n in (0, 1, 5, 6, 26, 1_001)] == [1, 1, 1, 2, 10, 500]


def test_an_interval_holds_its_estimate() -> None:
    svg = ET.fromstring(interval(0.2, 0.1, 0.4, "i", "20 %"))
    (dot,), ranges = list(svg.iter("circle")), [r for r in svg.iter("rect") if r.get("class") == "range"]
    left, wide = float(ranges[0].get("x", "")), float(ranges[0].get("width", ""))
    assert left < float(dot.get("cx", "")) < left + wide
    with pytest.raises(ValueError):
        interval(0.5, 0.6, 0.7, "i", "x")
