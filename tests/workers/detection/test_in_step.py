"""Accounts in step: found in the tick that holds their fifth target, and people who read the same list are not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from worlds import DAY, HOUR, MINUTE, START_MS, Row, columns, draw_town

from service.moderation.score import coordination
from service.policy import DEFAULT_POLICY
from workers.detection import in_step
from workers.detection.detector import Detector
from workers.detection.groups import Group
from workers.detection.in_step import MEMBERS, InStep
from workers.detection.pairs import join
from workers.detection.window import Window

POLICY = DEFAULT_POLICY
TOWN = draw_town(4, brigades=0).rows
GANG = range(900_000, 900_014)


def strikes(
    targets: int,
    *,
    lag: float = 1.0,
    apart: float = 10 * MINUTE,
    people: Sequence[int] = GANG,
    context: Callable[[int], int] = lambda target: 70_000,
) -> list[Row]:
    """These accounts on so many new targets, each within `lag` seconds of the target's moment."""
    rng = np.random.default_rng(1)
    return [
        Row(0, who, 60_000 + k, 8 * DAY + k * apart + rng.uniform(0, lag), context(k))
        for k in range(targets)
        for who in people
    ]


def clicks(people: int, within: float, between: float, seed: int, targets: int = 10) -> list[Row]:
    """People who come within so many seconds and go down one list, each at a speed of their own."""
    rng = np.random.default_rng(seed)
    rows = []
    for who in range(people):
        steps = between * rng.lognormal(0, np.log(1.6)) * rng.lognormal(0, np.log(1.8), targets)
        for target, at in enumerate((8 * DAY + rng.uniform(0, within) + np.cumsum(steps)).tolist()):
            if rng.random() < 0.9:
                rows.append(Row(0, 900_000 + who, 60_000 + target, at, 70_000))
    return rows


def in_order(rows: Sequence[Row], first: int = 1) -> list[Row]:
    return [replace(row, seq=k) for k, row in enumerate(sorted(rows, key=lambda r: r.at), first)]


def window_of(rows: Sequence[Row]) -> Window:
    window = Window(POLICY.window_seconds * 1000, tuple(s * 1000 for s in POLICY.lag_scales))
    window.append(columns(in_order(rows)))
    return window


def sets_of(rows: Sequence[Row]) -> list[set[int]]:
    window = window_of(rows)
    found = InStep(window)
    one, two = np.triu_indices(len(window.reporters), 1)
    found.look(join(window, one, two, POLICY.size_strata))
    return [set(window.reporters.keys[sorted(part)].tolist()) for part in found.sets()]


def coordinated(groups: Sequence[Group]) -> list[frozenset[int]]:
    return [g.reporters for g in groups if coordination(g.evidence) > POLICY.flag_score]


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        (strikes(5), [set(GANG)]),
        (strikes(4), []),
        (strikes(5, lag=5), [set(GANG)]),
        (strikes(8, lag=60), []),
        (strikes(5, apart=0.1), [set(GANG)]),  # all at once
        (strikes(5, people=GANG[:MEMBERS]), [set(GANG[:MEMBERS])]),
        (strikes(5, people=GANG[: MEMBERS - 1]), []),
    ],
)
def test_it_takes_five_targets_six_people_and_seconds(rows: list[Row], found: list[set[int]]) -> None:
    assert sets_of([*TOWN, *rows]) == found


def test_whoever_does_much_else_is_not_in_step() -> None:
    busy = [Row(0, GANG[0], 80_000 + k, 3 * DAY + k * HOUR, 80_000 + k) for k in range(6)]
    assert sets_of([*TOWN, *strikes(5), *busy[:5]]) == [set(GANG)], "five of ten"
    assert sets_of([*TOWN, *strikes(5), *busy]) == [set(GANG[1:])]


def test_people_who_were_there_once_by_chance_do_not_hide_the_others() -> None:
    """Each of six strangers is in step with one member only, which would make them a part of the component."""
    rows = strikes(10)
    shadows = [
        replace(row, reporter=910_000 + GANG.index(row.reporter), at=row.at + 4)
        for row in rows
        if row.reporter in GANG[:6] and row.target % 2
    ]
    (found,) = sets_of([*TOWN, *rows, *shadows])
    assert set(GANG) <= found


@pytest.mark.parametrize("seed", range(10))
def test_people_who_click_their_way_down_a_list_of_spam_are_not(seed: int) -> None:
    assert sets_of([*TOWN, *clicks(50, 10 * MINUTE, 15, seed)]) == []
    assert sets_of([*TOWN, *clicks(50, 2 * MINUTE, 15, seed)]) == []


def test_where_the_clock_knows_minutes_only_nobody_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """In whole minutes, people who report a wave of spam within two minutes would be in perfect step."""
    start = START_MS / 1000
    rows = [*TOWN, *clicks(50, 2 * MINUTE, 15, 1)]
    whole = [replace(r, at=(start + r.at) // 60 * 60 - start) for r in rows]
    assert sets_of(whole) == []
    monkeypatch.setattr(in_step, "COARSE_MS", 10**15)
    assert sets_of(whole) != [] == sets_of(rows)


@pytest.mark.parametrize("context", [lambda target: 70_000, lambda target: 70_000 + target, lambda target: 0])
def test_a_group_that_nobody_has_seen_is_coordinated_in_the_tick_of_its_fifth_target(
    context: Callable[[int], int],
) -> None:
    """In one thread, over articles, and where no context is given."""
    town = [replace(r, context=r.context if context(0) else 0) for r in TOWN]
    detector, rows = Detector(POLICY), in_order([*town, *strikes(7, context=context)])
    before = [r for r in rows if r.target < 60_000]
    detector.tick(columns(before))
    found = []
    for target in range(60_000, 60_007):
        found.append(coordinated(detector.tick(columns([r for r in rows if r.target == target]))))
    assert found == [[]] * 4 + [[frozenset(GANG)]] * 3


def test_a_sweep_finds_them_as_well_and_passes_them_on() -> None:
    rows = in_order([*TOWN, *strikes(5)])
    sweep, groups = Detector.sweep(POLICY, columns(rows))
    assert coordinated(groups) == [frozenset(GANG)]
    assert [lead.members for lead in sweep.fitted().leads if lead.tier == "in_step"] == [frozenset(GANG)]
    rebuilt = Detector(POLICY)
    rebuilt.load([(columns(rows), ())])
    rebuilt.adopt(sweep.fitted(), rows[-1].seq)
    assert coordinated(rebuilt.regroup()) == [frozenset(GANG)]


def test_what_is_withdrawn_is_no_step() -> None:
    detector, rows = Detector(POLICY), in_order([*TOWN, *strikes(5)])
    assert coordinated(detector.tick(columns(rows))) == [frozenset(GANG)]
    last = [r.seq for r in rows if r.target == 60_004]
    assert coordinated(detector.tick(columns([]), last)) == []


def test_a_group_that_files_nearly_all_there_is_does_not_hide_itself() -> None:
    detector, rows = Detector(POLICY), in_order([*TOWN[:100], *strikes(20)])
    assert coordinated(detector.tick(columns(rows))) == [frozenset(GANG)]
