"""What the case page draws, as values."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

from service.console.chart_data import (
    BINS,
    bins_of,
    delay,
    in_span,
    raster_data,
    raster_of,
    raster_rows,
    shared_traits_of,
    signals_of,
    time_line_data,
    time_line_of,
)
from service.model import Evidence, microseconds
from service.moderation.cluster_state import Membership

T0 = microseconds(datetime(2026, 3, 2, 6, 0, tzinfo=UTC))
SECOND, HOUR = 1_000_000, 3_600_000_000
NAMES = {k: f"r{k}" for k in range(1_000)}
TARGETS = {k: f"t{k}" for k in range(1_000)}


def filed(*rows: tuple[int, int, float], exempt: tuple[int, ...] = ()) -> list[Membership]:
    return [
        Membership(seq, who, what, T0 + round(seconds * SECOND), seq in exempt)
        for seq, (who, what, seconds) in enumerate(rows)
    ]


def test_raster_rows_and_columns_are_ordered_by_time_and_lags_start_at_the_first_complaint_of_a_member() -> None:
    raster = raster_of(filed((2, 7, 0), (1, 7, 40), (1, 5, 7_200), (2, 5, 7_260)), frozenset({1, 2}), NAMES, TARGETS)
    assert (raster.reporters, raster.targets) == ((2, 1), (7, 5))
    assert list(zip(raster.rows, raster.columns, raster.lags, strict=True)) == [
        (0, 0, 0),
        (0, 1, 60),
        (1, 0, 40),
        (1, 1, 0),
    ]
    assert raster.soon_share == 1.0


def test_an_excluded_reporter_is_drawn_but_does_not_start_a_targets_clock() -> None:
    mine = filed((9, 5, -600), (1, 5, 0), (2, 5, 5), (9, 6, 900))
    raster = raster_of(mine, frozenset({1, 2}), NAMES, TARGETS)
    data = raster_data(raster, NAMES, TARGETS, frozenset({9}))
    assert raster.targets == (5, 6), "a target of nobody but the excluded comes last"
    assert data["excluded"] == [data["reporters"].index("r9")] and -600 in data["lags"]
    assert delay(-600) == "10 min before" and delay(0) == "first" and delay(90) == "+1.5 min"


def test_exempt_cells_are_listed_by_index() -> None:
    raster = raster_of(filed((1, 5, 0), (2, 5, 5), exempt=(1,)), frozenset({1, 2}), NAMES, TARGETS)
    (cell,) = raster.exempt
    assert raster.rows[cell] == raster.reporters.index(2)


def test_a_raster_of_500_reporters_and_60_targets_is_fast_and_small() -> None:
    mine = filed(*((w, t, t * 3_600 + w) for t in range(60) for w in range(500)))
    began = time.perf_counter()
    text = json.dumps(
        raster_data(raster_of(mine, frozenset(range(500)), NAMES, TARGETS), NAMES, TARGETS, frozenset()),
        separators=(",", ":"),
    )
    assert time.perf_counter() - began < 5, "0.3 s alone; other tests share the machine"
    assert len(text) < 500_000


def test_the_table_of_the_raster_has_every_cell() -> None:
    raster = raster_of(filed((2, 7, 0), (1, 7, 40), (1, 5, 7_200)), frozenset({1, 2}), NAMES, TARGETS)
    assert [(row.number, row.key, row.cells) for row in raster_rows(raster)] == [
        (1, 2, ((1, 0.0),)),
        (2, 1, ((1, 40.0), (2, 0.0))),
    ]


def test_the_timeline_counts_everyone_in_intervals_of_a_round_length() -> None:
    mine = filed(*((w, 5, w * 30) for w in range(20)))
    line = time_line_of(mine, frozenset(range(20)), [T0 + HOUR // 60, T0 + 40 * HOUR], (), 100)
    seconds, parts = bins_of(line)
    assert seconds == 60 and sum(b.members for b in parts) == 20 and sum(b.others for b in parts) == 1
    assert line.usual_per_hour == 3 / 40 and not line.others_left_out
    assert time_line_data(line)["others_ms"][0] == line.others_us[0] // 1000


def test_the_normal_rate_is_the_detectors_figure_if_it_measured_one() -> None:
    evidence = [Evidence(signal="burst", value=9, usual=0.4, p_value=1e-9, contribution=0, text="")]
    assert time_line_of(filed((1, 5, 0)), frozenset({1}), [T0], evidence, 100).usual_per_hour == 0.4
    nobody = time_line_of([], frozenset(), [], (), 100)
    assert nobody.usual_per_hour == 0 and bins_of(nobody)[1] == []


def test_a_long_campaign_has_at_most_the_maximum_number_of_intervals() -> None:
    line = time_line_of(filed(*((1, t, t * 86_400 * 40) for t in range(30))), frozenset({1}), [], (), 100)
    assert len(bins_of(line)[1]) <= BINS


def evidence(signal: str, contribution: float, value: float = 0.5, text: str = "") -> Evidence:
    return Evidence(signal=signal, value=value, usual=0.1, p_value=None, contribution=contribution, text=text)


def test_signals_are_ordered_by_strength_with_their_share_of_the_score() -> None:
    rows = signals_of(
        [
            evidence("base", -10),
            evidence("lockstep", 2),
            evidence("span", 6),
            evidence("outcomes", -2),
            evidence("burst", 0, 12),
            evidence("aim_author", 0),
            evidence("novel_signal", 0),
        ]
    )
    assert [r.name for r in rows] == ["span", "lockstep", "outcomes", "base", "burst", "novel_signal"]
    assert (
        [round(r.share, 2) for r in rows[:4]] == [0.3, 0.1, 0.1, 0.5]
        and rows[0].value == "50 %"
        and rows[4].value == "12"
    )
    assert {r.name: r.question for r in rows} == {
        "span": "coordinated",
        "lockstep": "coordinated",
        "base": "coordinated",
        "outcomes": "unfounded",
        "burst": "shown",
        "novel_signal": "shown",
    }
    assert rows[5].title == "Novel signal" and signals_of([]) == []


def test_shared_traits_are_separate_from_signals_and_ordered_by_share() -> None:
    assert [
        a.title
        for a in shared_traits_of(
            [evidence("aim_author", 0, 0.3), evidence("aim_word", 0, 0.9), evidence("lockstep", 1)]
        )
    ] == ["Word", "Author"]


def test_a_span_of_time_is_half_open() -> None:
    at = datetime(2026, 3, 2, tzinfo=UTC)
    assert in_span(at, at, None) and not in_span(at, None, at) and not in_span(None, None, None)
