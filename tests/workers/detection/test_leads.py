"""Seeds that need the whole window: twins at three paces, and targets that draw the same people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from worlds import DAY, HOUR, MINUTE, Row, columns

from service.policy import DEFAULT_POLICY
from workers.detection import pairs, surprise
from workers.detection.arrays import Ints
from workers.detection.detector import Detector
from workers.detection.null_model import expectations, pair_p_values
from workers.detection.pair_graph import PairGraph
from workers.detection.pair_store import PairStore
from workers.detection.pairs import PAIR_BITS, Joined, join
from workers.detection.shared_crowds import shared_crowds
from workers.detection.twins import twin_pairs
from workers.detection.window import Window

POLICY = DEFAULT_POLICY


def window_of(rows: Sequence[Row]) -> Window:
    window = Window(POLICY.window_seconds * 1000, tuple(s * 1000 for s in POLICY.lag_scales))
    window.append(columns([replace(row, seq=k) for k, row in enumerate(sorted(rows, key=lambda r: r.at), 1)]))
    return window


def readers(size: int, targets: int = 60, seed: int = 1) -> list[Row]:
    """Complaints of readers, four targets an article, each about a target once."""
    rng = np.random.default_rng(seed)
    who, what = rng.integers(size // 3, size=size).tolist(), rng.integers(targets, size=size).tolist()
    drawn = zip(who, what, rng.uniform(0, 13 * DAY, size).tolist(), strict=True)
    once = {(who, what): Row(0, 10_000 + who, 20_000 + what, at, 30_000 + what // 4) for who, what, at in drawn}
    return list(once.values())


def followed(lag: float, targets: int, *, apart: float = DAY, places: int | None = None) -> list[Row]:
    """Two reporters on so many targets, the second a lag behind the first; in so many contexts (None: each its own)."""
    return [
        Row(
            0, who, 100 + k, k * apart + (lag if who == 2 else 0.0), context=200 + (k if places is None else k % places)
        )
        for k in range(targets)
        for who in (1, 2)
    ]


@pytest.mark.parametrize(
    ("rows", "twins"),
    [
        (followed(10, 3, places=2), True),  # within five minutes: three targets in two contexts
        (followed(10, 3, places=1), False),
        (followed(50 * MINUTE, 3), True),  # within an hour: three in three
        (followed(50 * MINUTE, 3, places=2), False),
        (followed(20 * HOUR, 4), True),  # within a day: four in four
        (followed(20 * HOUR, 3), False),
        (followed(25 * HOUR, 8), False),
        (followed(10, 3, apart=5 * HOUR), False),  # one evening is no three occasions
    ],
)
def test_twins_follow_each_other_again_and_again(rows: list[Row], twins: bool) -> None:
    window = window_of([*rows, *readers(60)])
    found = twin_pairs(window, POLICY.neighbours)
    keys = window.reporters.keys
    pairs = [{int(keys[k >> PAIR_BITS]), int(keys[k & 0xFFFFFFFF])} for k in found.tolist()]
    assert pairs == ([{1, 2}] if twins else [])


def test_who_does_much_else_is_nobodys_twin() -> None:
    busy = [Row(0, 2, 900 + k, k * HOUR, context=950 + k) for k in range(5)]
    assert len(twin_pairs(window_of([*followed(10, 4), *busy[:4]]), POLICY.neighbours)) == 1  # 4 of 8
    assert len(twin_pairs(window_of([*followed(10, 4), *busy]), POLICY.neighbours)) == 0  # 4 of 9


def called(pool: int, targets: int, share: float, *, contexts: bool = True) -> list[Row]:
    """A list of accounts of which each call reaches a random part, within half an hour."""
    rng = np.random.default_rng(4)
    calls = [(k, np.flatnonzero(rng.random(pool) < share).tolist()) for k in range(targets)]
    return [
        Row(0, 1 + who, 100 + k, DAY * (1 + k) + 40.0 * place, context=200 + (k if contexts else 0))
        for k, reached in calls
        for place, who in enumerate(reached)
    ]


def people(window: Window, members: Iterable[int]) -> set[int]:
    return set(window.reporters.keys[sorted(members)].tolist())


def test_targets_that_share_a_quarter_of_a_list_lead_to_it() -> None:
    rows = called(60, 10, 0.25)
    window = window_of([*rows, *readers(4_000, targets=400)])
    (members,) = shared_crowds(window)
    mine = people(window, members)
    often = {who for who in range(1, 61) if sum(row.reporter == who for row in rows) >= 2}
    assert mine == often, "whoever came to two targets, and no reader"


def test_crowds_are_the_same_however_many_targets_are_compared_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    window = window_of([*called(60, 10, 0.25), *readers(4_000, targets=400)])
    at_once = shared_crowds(window)
    monkeypatch.setattr("workers.detection.shared_crowds.STEPS", 50)
    assert len(at_once) == 1
    assert shared_crowds(window) == at_once


def test_the_same_people_in_one_context_are_its_readers() -> None:
    assert shared_crowds(window_of([*called(60, 10, 0.25, contexts=False), *readers(4_000, targets=400)])) == []


@pytest.mark.parametrize("seed", range(5))
def test_readers_lead_nowhere(seed: int) -> None:
    assert shared_crowds(window_of(readers(1_500, targets=120, seed=seed))) == []


def test_the_lead_is_passed_to_the_live_detector_and_found() -> None:
    rows = sorted([*called(60, 10, 0.25), *readers(4_000, targets=400)], key=lambda r: r.at)
    detector, groups = Detector.sweep(POLICY, columns([replace(row, seq=k) for k, row in enumerate(rows, 1)]))
    assert any(lead.tier == "crowds" for lead in detector.fitted().leads)
    assert max((len(g.reporters) for g in groups), default=0) >= 30


def test_what_a_group_does_together_is_not_what_is_usual_on_its_targets() -> None:
    rows = [Row(0, 1 + k, 100, DAY + k * MINUTE, context=200) for k in range(10)]
    window = window_of([*rows, *(Row(0, 500 + k, 100, DAY + k * MINUTE + 1, context=200) for k in range(4))])
    group = np.sort(window.reporters.find(np.arange(1, 11))).astype(np.int64)
    whole, _ = expectations(window, group[:1], ())
    beside, _ = expectations(window, group[:1], (), group)
    assert whole[0, -1, 0] == pytest.approx(13 / 14)  # all but the reporter
    assert beside[0, -1, 0] == pytest.approx((4 + 1) / 14)  # four outsiders, and one that the target drew


def test_a_large_group_in_a_village_does_not_hide_itself() -> None:
    gang = [
        Row(0, 1 + k, 100 + t, DAY * (1 + t) + 20.0 * k, context=200 + t)
        for t in range(8)
        for k in range(25)
        if k % 8 != t
    ]
    window = window_of([*gang, *readers(400)])
    who = np.sort(window.reporters.find(np.arange(1, 26))).astype(np.int64)
    one, two = np.triu_indices(len(who), 1)
    joined = join(window, who[one], who[two], POLICY.size_strata)
    fitted = (POLICY.size_strata, 2.0, 1.0)  # a village in which readers follow no topics
    hidden = np.median(pair_p_values(window, joined, *fitted))
    seen = np.median(pair_p_values(window, joined, *fitted, group=who))
    assert seen < 1e-3 < hidden


def test_among_whom_a_large_groups_best_pair_is_sought_does_not_depend_on_who_came_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gang = [Row(0, who, 100 + t, DAY * (1 + t) + who, context=200 + t) for t in range(4) for who in range(1, 91)]
    later = [Row(0, who, 300, 60.0 * who, context=400) for who in range(46, 91)]
    sought: list[set[int]] = []
    for batches in ([gang], [later, gang]):  # in the second window, half of them came first
        window = window_of([])
        for batch in batches:
            window.append(columns(batch))

        def joined(window: Window, first: Ints, second: Ints, strata: tuple[int, ...]) -> Joined:
            sought.append(people(window, first.tolist()) | people(window, second.tolist()))
            return join(window, first, second, strata)

        monkeypatch.setattr(pairs, "join", joined)
        who = np.sort(window.reporters.find(np.arange(1, 91))).astype(np.int64)
        PairGraph(POLICY, window, PairStore(POLICY.weak_p)).group_surprise(who, np.arange(4))
    assert sought[0] == sought[1] and len(sought[0]) == surprise.MEMBERS_WEIGHED
