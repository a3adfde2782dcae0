"""The pairs of a window by SQL against those by numpy: the same numbers to the last bit, and so the same groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pairs_by_numpy import assert_same
from worlds import DAY, HOUR, Row, columns, draw_town

from service.policy import DEFAULT_POLICY, Policy
from workers import sweep_codec
from workers.detection.detector import Detector
from workers.detection.groups import Group
from workers.detection.in_step import MEETINGS
from workers.large.duckdb_tables import DuckTables
from workers.large.pair_sweep import pairs_of

# So few neighbours and so small a sample that the cap cuts and the sample is drawn.
NARROW = replace(DEFAULT_POLICY, neighbours=4, fit_sample=60, window_seconds=int(3 * DAY))
GAPS = (0.0, 0.0, 0.001, 300.0, 300.001, HOUR, 9 * HOUR)  # ties, and lags on either side of a scale


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckTables]:
    with DuckTables(tmp_path_factory.mktemp("spilled"), 512 * 2**20, 1) as opened:
        yield opened


@st.composite
def windows(draw: st.DrawFn) -> list[Row]:
    """Complaints with ties in time, contexts that change on one target or are missing, and negative keys."""
    people, things = draw(st.integers(2, 14)), draw(st.integers(1, 9))
    pairs_drawn = draw(
        st.lists(st.tuples(st.integers(0, people), st.integers(0, things)), unique=True, min_size=1, max_size=90)
    )
    rows, clock = [], 0.0
    for seq, (reporter, target) in enumerate(pairs_drawn, 1):
        clock += draw(st.sampled_from(GAPS))
        context = draw(st.sampled_from((0, -7, 8, 9)))
        rows.append(Row(seq, (reporter - 4) * 3**36, (target - 2) * 5**25, clock, context))
    return rows


@settings(max_examples=25, deadline=None)
@given(windows(), st.sampled_from((1, 4, 32)), st.sampled_from((20, 60, 20_000)))
def test_small_windows_with_ties_are_the_same(
    tables: DuckTables, rows: list[Row], neighbours: int, sample: int
) -> None:
    # Without a floor of p worth keeping, every pair that met twice is compared.
    policy = replace(NARROW, neighbours=neighbours, fit_sample=sample, weak_p=0.1)
    batch = columns(rows)
    assert_same(policy, batch, pairs_of(tables, policy, batch))


@pytest.mark.parametrize("policy", [DEFAULT_POLICY, NARROW, replace(DEFAULT_POLICY, fit_sample=500)])
def test_a_town_is_the_same(tables: DuckTables, policy: Policy) -> None:
    batch = columns(draw_town(3, brigades=2).rows)
    found = pairs_of(tables, policy, batch)
    assert found.joined > 100
    assert_same(policy, batch, found)


def test_pairs_that_met_often_within_minutes_are_handed_on(tables: DuckTables) -> None:
    rows = [Row(0, who, target, target * HOUR + who) for target in range(MEETINGS) for who in (1, 2)]
    rows += [Row(0, 3, target, target * HOUR + 200) for target in range(MEETINGS - 1)]
    found = pairs_of(tables, DEFAULT_POLICY, columns([replace(row, seq=k) for k, row in enumerate(rows, 1)]))
    assert sorted((found.near_first.item(0), found.near_second.item(0))) == [1, 2]
    assert found.near.tolist() == [MEETINGS]


@pytest.mark.parametrize("contexts", [True, False])
def test_a_sweep_has_the_same_groups_and_hands_the_same_on(tables: DuckTables, contexts: bool) -> None:
    """Where contexts are inferred, the pairs are those of the inferred ones."""
    batch = columns([*draw_town(3, brigades=2, contexts=contexts).rows, *in_step()])
    detector, groups = Detector.sweep(DEFAULT_POLICY, batch)
    other, same_groups = Detector.sweep(DEFAULT_POLICY, batch, lambda policy, given: pairs_of(tables, policy, given))
    assert len(groups) > 1 and "in_step" in {lead.tier for lead in detector.fitted().leads}
    assert list(map(told, same_groups)) == list(map(told, groups))
    assert sweep_codec.pack(other.fitted()) == sweep_codec.pack(detector.fitted())
    assert other.counters == detector.counters


def told(group: Group) -> dict[str, object]:
    values = {f.name: getattr(group, f.name) for f in fields(group)}
    return {name: v.tolist() if isinstance(v, np.ndarray) else v for name, v in values.items()}


def in_step() -> Sequence[Row]:
    """Eight accounts that stand within seconds of each other on six targets."""
    return [
        Row(100_000 + 10 * target + who, 800_000 + who, 70_000 + target, 5 * DAY + target * HOUR + who / 3, 60_000)
        for target in range(6)
        for who in range(8)
    ]


class Watched(DuckTables):
    """Notes the largest number of bytes that lay in the folder."""

    def __init__(self, folder: Path, memory_bytes: int) -> None:
        super().__init__(folder, memory_bytes, 1)
        self.folder, self.most = folder, 0

    def store(self, name: str, select: str) -> None:
        super().store(name, select)
        self.most = max(self.most, sum(file.stat().st_size for file in self.folder.iterdir()))


def test_what_does_not_fit_into_memory_is_spilled_and_the_same(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    drawn = np.unique(rng.integers(0, (3_000, 80), (9_000, 2)), axis=0)
    rows = [Row(k, int(who), int(what), float(rng.integers(2 * DAY))) for k, (who, what) in enumerate(drawn, 1)]
    batch = columns(rows)
    with Watched(tmp_path, 24 * 2**20) as little:
        assert_same(DEFAULT_POLICY, batch, pairs_of(little, DEFAULT_POLICY, batch))
    assert little.most > 0 and not list(tmp_path.iterdir())
