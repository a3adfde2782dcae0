"""SynchroTrap, co-report and burst on complaints whose clusters and counts can be found by hand."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from bench.worlds.catalogue import draw
from bench.worlds.comparators import (
    CO_REPORT_3,
    COMPARATORS,
    SYNCHROTRAP_DAY,
    Actions,
    actions_of,
    bursts,
    co_report,
    co_reports,
    components,
    found_in_bursts,
    found_in_pairs,
    synchrotrap,
)
from bench.worlds.score import Counts, Found, count, side_by_side
from bench.worlds.world import HOUR, MINUTE, START, Campaign, Truth, Wanted, World

Filed = tuple[str, str, float]  # account, target, seconds


def world_of(filed: list[Filed], truth: Truth | None = None) -> World:
    complaints = [
        {
            "id": f"c{number}",
            "occurred_at": (START + timedelta(seconds=at)).isoformat(),
            "reporter": {"id": account},
            "target": {"id": target},
        }
        for number, (account, target, at) in enumerate(sorted(filed, key=lambda one: one[2]))
    ]
    return World("by hand", Wanted(1), complaints, [], truth or Truth({}, {}, {}, frozenset()))


def actions(*filed: Filed) -> Actions:
    return actions_of(world_of(list(filed)))


def pairs(of: Actions, within: float) -> dict[frozenset[str], int]:
    first, second, met = co_reports(of, within)
    assert (first < second).all()
    names = of.account_names
    return {
        frozenset({names[a], names[b]}): n
        for a, b, n in zip(first.tolist(), second.tolist(), met.tolist(), strict=True)
    }


def named(of: Actions, clusters: list[frozenset[int]]) -> list[list[str]]:
    return sorted(sorted(of.account_names[account] for account in members) for members in clusters)


def test_two_accounts_meet_once_for_each_target_they_share_in_time() -> None:
    here = actions(
        ("ann", "x", 0), ("bob", "x", 600), ("cid", "x", 601),
        ("ann", "y", 5_000), ("bob", "y", 5_000),
        ("cid", "z", 5_000), ("ann", "z", 9_000),
    )  # fmt: skip
    assert pairs(here, 600) == {frozenset({"ann", "bob"}): 2, frozenset({"bob", "cid"}): 1}
    assert pairs(here, 601)[frozenset({"ann", "cid"})] == 1
    assert pairs(here, 4_000)[frozenset({"ann", "cid"})] == 2


def test_nobody_meets_across_targets_or_without_complaints() -> None:
    assert pairs(actions(("ann", "x", 0), ("bob", "y", 0)), 1e9) == {}
    assert pairs(actions(), 60) == {}
    assert bursts(actions()) == {}


def test_a_second_complaint_about_the_same_target_is_left_out() -> None:
    here = actions(("ann", "x", 0), ("ann", "x", 900), ("bob", "x", 1_000))
    assert len(here.at) == 2
    assert pairs(here, 600) == {}


def test_synchrotrap_divides_matching_actions_by_the_union() -> None:
    filed = [(account, target, 10.0 * n) for n, target in enumerate("xyz") for account in ("ann", "bob", "cid")]
    filed += [("ann", "p", 50_000), ("bob", "q", 50_000), ("bob", "r", 50_000)]  # ann 4, bob 5, cid 3 actions
    here = actions(*filed)
    # ann and bob: 3 / (4 + 5 - 3) = .5; ann and cid: 3 / 4; bob and cid: 3 / 5
    assert named(here, synchrotrap(here, within=HOUR, similarity=0.5, matches=3)) == [["ann", "bob", "cid"]]
    assert named(here, synchrotrap(here, within=HOUR, similarity=0.6, matches=3)) == [["ann", "bob", "cid"]]  # by cid
    assert named(here, synchrotrap(here, within=HOUR, similarity=0.61, matches=3)) == []  # a pair is no cluster
    assert named(here, synchrotrap(here, within=HOUR, similarity=0.5, matches=4)) == []


def test_co_report_asks_for_enough_common_targets() -> None:
    filed = [(account, target, 0.0) for target in "xy" for account in ("ann", "bob", "cid")] + [("dan", "x", 0.0)]
    here = actions(*filed)
    assert named(here, co_report(here, within=60, common=1)) == [["ann", "bob", "cid", "dan"]]
    assert named(here, co_report(here, within=60, common=2)) == [["ann", "bob", "cid"]]
    assert named(here, co_report(here, within=60, common=3)) == []


def test_components_follow_chains_and_drop_pairs() -> None:
    # 0-1, 1-3, 3-2 is one chain, 4-5 a pair
    assert components(np.array([0, 3, 1, 4]), np.array([1, 2, 3, 5])) == [frozenset({0, 1, 2, 3})]


def test_ten_reporters_within_an_hour_are_a_burst() -> None:
    crowd = [(f"r{n}", "x", n * 400.0) for n in range(10)]  # the tenth exactly an hour after the first
    assert crowd[-1][2] == HOUR
    early, late = ("early", "x", -1.0), ("late", "x", HOUR + 500)
    elsewhere = [(f"r{n}", "y", 0.0) for n in range(9)]
    here = actions(*crowd, early, late, *elsewhere)
    found = {here.target_names[target]: members for target, members in bursts(here).items()}
    # an hour from `early` holds r0 to r8 and itself, an hour up to `late` r2 to r9 and itself: ten, and nine
    assert {here.account_names[a] for a in found["x"]} == {"early", *(f"r{n}" for n in range(10))}
    assert "y" not in found


def test_the_members_of_a_cluster_count_as_one_complaint_on_every_target() -> None:
    filed = [(account, target, 0.0) for target in "xyz" for account in ("ann", "bob", "cid")]
    here = actions(*filed, ("ann", "w", 9e5), ("dan", "w", 9e5), ("dan", "x", 9e5))
    found = found_in_pairs(here, co_report(here, within=60, common=3))
    assert found.flagged == {"ann", "bob", "cid"}
    assert found.complaints == {"x": 4, "y": 3, "z": 3, "w": 2}
    assert found.independent == {"x": 2.0, "y": 1.0, "z": 1.0, "w": 2.0}


def test_a_burst_counts_as_one_complaint_on_its_own_target_alone() -> None:
    crowd = [(f"r{n}", "x", n * 60.0) for n in range(12)]
    here = actions(*crowd, ("r0", "y", 0.0), ("r1", "y", 0.0), ("late", "x", 1e6))
    found = found_in_bursts(here, bursts(here))
    assert found.independent == {"x": 2.0, "y": 2.0}
    assert len(found.flagged) == 12
    assert [len(cluster.accounts) for cluster in found.clusters] == [12]


def test_every_comparator_answers_for_every_target_of_a_drawn_world() -> None:
    world = draw("town", Wanted(5, 900))
    raw = {c["target"]["id"] for c in world.complaints}
    for detect in COMPARATORS.values():
        found = detect(actions_of(world))
        assert found.complaints.keys() == found.independent.keys() == raw
        assert all(1 <= found.independent[target] <= found.complaints[target] for target in raw)
        assert count(world, found).members == len(world.truth.campaign_members())


def test_f1_without_watchers_counts_them_on_neither_side() -> None:
    counts = Counts(worlds=1, true_flagged=6, honest_flagged=4, watchers_flagged=3, members=10)
    assert counts.f1 == pytest.approx(12 / 20)
    assert counts.f1_without_watchers == pytest.approx(12 / 17)


def test_detectors_are_compared_by_their_shares_and_by_kind_of_campaign() -> None:
    truth = Truth(
        {"ann": "tight 1", "bob": "tight 1", "cid": "organic"},
        {"tight 1": Campaign("tight", ("ann", "bob"), ("x",))},
        {"x": False},
        frozenset(),
    )
    world = world_of([(account, "x", 0.0) for account in ("ann", "bob", "cid")], truth)
    one = Found(frozenset({"ann", "cid"}), (), {"x": 3}, {"x": 2.0})
    lines = side_by_side({"mine": count(world, one), SYNCHROTRAP_DAY: count(world, one), CO_REPORT_3: Counts()})
    assert lines[1].split() == ["mine", "0.500", "0.500", "0.500", "0.500", "0.500", "1", "of", "1"]
    assert lines[-1].split() == ["tight", "2", "0.500", "0.500", "–"]


def test_ten_minutes_are_a_limit_that_still_counts() -> None:
    here = actions(*((name, "x", n * 10 * MINUTE) for n, name in enumerate(("ann", "bob", "cid"))))
    assert pairs(here, 10 * MINUTE) == {frozenset({"ann", "bob"}): 1, frozenset({"bob", "cid"}): 1}
