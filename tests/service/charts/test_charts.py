"""SVG of the raster and the burst."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta

import pytest

from service.charts.burst import Burst, burst_chart
from service.charts.lockstep import LAGS, Cell, Lockstep, TargetColumn, lag_class, raster, swatch
from service.charts.words import columns_of, cut, lasting, visible

AT = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
THREE = (Cell(0, 0, 0), Cell(1, 0, 200), Cell(1, 2, 90_000))
HOSTILE = '"><script>alert(1)</script><!-- &amp;'


def lockstep(reporters=("ann", "bob"), columns=3, cells=THREE):  # type: ignore[no-untyped-def]
    return Lockstep(
        tuple(reporters),
        tuple(TargetColumn(k + 1, AT + timedelta(hours=20 * k)) for k in range(columns)),
        tuple(cells),
        0,
        0,
    )


def burst(members=(0, 9, 0, 1), others=(1, 0, 0, 0), usual_high=2):  # type: ignore[no-untyped-def]
    return Burst(AT, tuple(members), tuple(others), 0.4, usual_high)


def texts(svg: str) -> list[str]:
    return [e.text or "" for e in ET.fromstring(svg).iter("text")]


def marks(svg: str) -> dict[str, int]:
    """Marks by class."""
    return {e.get("class", ""): e.get("d", "").count("M") for e in ET.fromstring(svg).iter("path")}


@pytest.mark.parametrize(
    "svg",
    [
        raster(lockstep(), "a"),
        raster(lockstep(columns=1, cells=(Cell(0, 0, 0), Cell(1, 0, 60))), "a"),
        burst_chart(burst(), "a"),
    ],
)
def test_a_picture_is_well_formed_and_says_in_words_what_it_shows(svg: str) -> None:
    root = ET.fromstring(svg)
    title = root.find("title")
    assert title is not None
    assert title.text
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == title.get("id")


def test_every_complaint_is_one_mark_of_the_class_of_its_lag() -> None:
    assert marks(raster(lockstep(), "a")) == {"lag0": 2, "lag3": 1}


def test_a_mark_lies_in_the_row_and_column_of_its_complaint() -> None:
    svg = raster(lockstep(cells=(Cell(1, 2, 0),)), "a")
    ground = next(e for e in ET.fromstring(svg).iter("rect"))
    x0, y0, width, height = (float(ground.get(k, "")) for k in ("x", "y", "width", "height"))
    x, y, wide, high = map(
        float,
        re.match(r"M([\d.]+) ([\d.]+)h([\d.]+)v([\d.]+)", next(ET.fromstring(svg).iter("path")).get("d", "")).groups(),
    )  # type: ignore[union-attr]
    assert x0 + 2 * width / 3 <= x <= x + wide <= x0 + width
    assert y0 + height / 2 <= y <= y + high <= y0 + height


def test_a_later_mark_is_smaller_so_that_nothing_hangs_on_colour() -> None:
    sides = [float(re.search(r"h([\d.]+)v", swatch(k))[1]) for k in range(len(LAGS))]  # type: ignore[index]
    assert sides == sorted(sides, reverse=True)
    assert len(set(sides)) == len(LAGS)


@pytest.mark.parametrize(("seconds", "k"), [(0, 0), (300, 0), (300.1, 1), (3600, 1), (86_400, 2), (1e9, 3)])
def test_lags_have_their_upper_bounds_inside(seconds: float, k: int) -> None:
    assert lag_class(seconds) == k


def test_names_of_reporters_are_text_and_never_markup() -> None:
    svg = raster(lockstep((HOSTILE, "bob")), "a")
    assert {e.tag for e in ET.fromstring(svg).iter()} <= {"svg", "title", "rect", "text", "line", "path"}
    assert any(text.startswith('"><script>') for text in texts(svg))


def test_many_reporters_are_numbered_instead_of_named() -> None:
    svg = raster(lockstep([f"account{k}" for k in range(41)], cells=()), "a")
    assert not any("account" in text for text in texts(svg))
    assert {"1", "10", "40"} <= set(texts(svg))


def test_a_new_day_is_marked_once_and_named_where_there_is_room() -> None:
    svg = raster(lockstep(columns=30), "a")
    days = {(AT + timedelta(hours=20 * k)).date() for k in range(30)}
    assert sum(e.get("class") == "day" for e in ET.fromstring(svg).iter("line")) == len(days)
    named = [text for text in texts(svg) if "Mar" in text]
    assert named[0] == "2 Mar"
    assert 1 < len(named) < len(days)


def test_a_crowd_on_one_target_is_spread_over_time() -> None:
    svg = raster(lockstep([f"r{k}" for k in range(5)], 1, [Cell(k, 0, 600 * k) for k in range(5)]), "a")
    assert marks(svg) == {"lag0": 1, "lag1": 4}
    assert [text for text in texts(svg) if text.startswith("+")] == ["+10 min", "+20 min", "+30 min", "+40 min"]
    across = [float(x) for x in re.findall(r"M([\d.]+) ", svg)]
    assert across == sorted(across)
    assert len(set(across)) == 5


def test_a_crowd_within_one_moment_is_drawn_too() -> None:
    assert marks(raster(lockstep(columns=1, cells=(Cell(0, 0, 0), Cell(1, 0, 0))), "a")) == {"lag0": 2}


def test_bars_are_as_high_as_the_axis_says() -> None:
    root = ET.fromstring(burst_chart(burst(), "a"))
    bars = [e for e in root.iter("rect") if e.get("class") == "bar"]
    assert [round(float(b.get("height", "")) / 120 * 10) for b in bars] == [9, 1]
    assert sum(1 for _ in root.iter("circle")) == 1
    band = next(e for e in root.iter("rect") if e.get("class") == "usual")
    assert float(band.get("height", "")) == pytest.approx(120 * 2 / 10)


@pytest.mark.parametrize("highest", [1, 4, 5, 6, 49, 51, 999, 123_456])
def test_the_axis_has_few_ticks_and_reaches_the_highest(highest: int) -> None:
    svg = burst_chart(burst(members=(highest, 0, 0, 0)), "a")
    ticks = [int(e.text or "") for e in ET.fromstring(svg).iter("text") if e.get("class") == "label end"]
    assert len(ticks) <= 6
    assert max(ticks) >= highest


def test_a_burst_without_any_complaint_is_an_empty_plot() -> None:
    assert 'class="bar"' not in burst_chart(burst(members=(0, 0), others=(0, 0), usual_high=0), "a")


@pytest.mark.parametrize("hidden", ["\u202e", "\u200b", "\u2066", "\ufeff", "\u2028", "\x07", "\ud800", "\ue000"])
def test_characters_that_hide_or_reorder_are_shown_by_their_code(hidden: str) -> None:
    shown = visible(f"a{hidden}b")
    assert shown == f"a\\u{{{ord(hidden):x}}}b"
    shown.encode()


def test_letters_of_every_script_stay_as_they_are() -> None:
    for text in ("r-77", "Zoë", "日本", "עברית", "🐟", "a b"):
        assert visible(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("short", "short"),
        ("x" * 18, "x" * 18),
        ("x" * 19, "x" * 17 + "…"),
        ("日" * 9, "日" * 9),
        ("日" * 10, "日" * 8 + "…"),
    ],
)
def test_long_names_are_cut_by_the_room_they_take(text: str, expected: str) -> None:
    assert cut(text) == expected
    assert columns_of(cut(text)) <= 18


def test_a_cut_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="width = 1"):
        cut("abc", 1)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (90, "1.5 min"),
        (3600, "1 h"),
        (5400, "1.5 h"),
        (45_000, "12 h"),
        (1_209_600, "14 d"),
    ],
)
def test_lengths_of_time_are_told_in_the_largest_unit(seconds: float, told: str) -> None:
    assert lasting(seconds) == told
