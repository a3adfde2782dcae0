"""Protection measured live: ticks, what an oracle knows, and which targets count."""

from __future__ import annotations

import pytest

from bench.worlds.catalogue import draw
from bench.worlds.live import Crossing, Oracle, carried_by_campaigns, crossings, report, ticks
from bench.worlds.world import THRESHOLD, Campaign, Truth, Wanted, World


def truth_of(*campaigns: tuple[str, str, str]) -> Truth:
    """Campaigns as (name, members, targets), each a letter."""
    return Truth(
        {member: name for name, members, _ in campaigns for member in members},
        {name: Campaign("tight", tuple(members), tuple(targets)) for name, members, targets in campaigns},
        {},
        frozenset(),
    )


@pytest.mark.parametrize(
    ("times", "most", "expected"),
    [
        ([], 9, []),
        ([0, 60, 61], 9, [(0, 2), (2, 3)]),
        ([0, 30, 90, 91], 9, [(0, 2), (2, 4)]),
        ([0, 0, 0], 2, [(0, 2), (2, 3)]),
    ],
)
def test_a_tick_spans_a_minute_at_most(times: list[float], most: int, expected: list[tuple[int, int]]) -> None:
    assert list(ticks(times, 60, most)) == expected


def test_the_oracle_knows_a_campaign_from_its_fourth_target_on() -> None:
    oracle = Oracle(truth_of(("one", "ab", "wxyz")))
    for target in "wxy":
        oracle.see("a", target)
        oracle.see("b", target)
        oracle.see("honest", target)
    assert not oracle.knows("one")
    assert (oracle.raw("w"), oracle.count("w")) == (3, 3)
    oracle.see("a", "q")  # not aimed at: a member's private complaint tells nothing
    assert not oracle.knows("one")
    oracle.see("a", "z")
    assert oracle.knows("one")
    assert (oracle.raw("w"), oracle.count("w")) == (3, 2)


def test_the_oracle_counts_one_for_each_campaign_that_it_knows() -> None:
    oracle = Oracle(truth_of(("one", "ab", "wxyz"), ("two", "cd", "w")))
    for target in "xyzw":
        oracle.see("a", target)
    for account in "bcd":
        oracle.see(account, "w")
    assert (oracle.raw("w"), oracle.count("w")) == (4, 3)  # one, and both of two


def complaint(account: str, target: str) -> dict[str, dict[str, str]]:
    return {"reporter": {"id": account}, "target": {"id": target}}


def test_only_targets_that_no_honest_count_would_remove_are_measured() -> None:
    members = "abcdefgh"
    truth = truth_of(("one", members, "xyz"))
    filed = [complaint(member, target) for member in members for target in "xyz"][:-1]  # z has seven
    filed += [complaint(f"honest {n}", "y") for n in range(THRESHOLD - 1)]  # with one for the campaign: eight
    filed += [complaint(f"honest {n}", "x") for n in range(THRESHOLD - 2)]
    assert carried_by_campaigns(World("by hand", Wanted(1), filed, [], truth)) == {"x"}


def test_a_world_is_followed_live_from_its_first_complaint_to_its_last() -> None:
    world = draw("newspaper", Wanted(6, 800, crowds=(), campaigns=("tight",)))
    done: list[tuple[int, int, int]] = []
    found = crossings(world, hours_per_sweep=48, progress=lambda *state: done.append(state))
    assert {c.target for c in found} == carried_by_campaigns(world)
    assert all(c.kind == "tight" for c in found)
    assert done[-1][:2] == (800, 800)
    assert 2 <= done[-1][2] <= 15  # sweeps in four weeks
    assert any(c.protected_later for c in found)
    assert all(c.oracle_later for c in found if c.oracle)


def test_the_table_shows_the_share_of_what_the_oracle_protects() -> None:
    several = [
        Crossing(
            "town", 1, 900, "x", "tight", 0.0, protected=True, oracle=True, protected_later=True, oracle_later=True
        ),
        Crossing(
            "town", 1, 900, "y", "tight", 1.0, protected=True, oracle=False, protected_later=True, oracle_later=True
        ),
        Crossing(
            "town", 1, 900, "z", "slow", 2.0, protected=False, oracle=True, protected_later=False, oracle_later=True
        ),
    ]
    lines = list(report(several))
    assert lines[1].split()[:8] == ["all", "3", "66.7%", "66.7%", "50.0%", "66.7%", "100.0%", "66.7%"]
    assert [line.split()[0] for line in lines[2:]] == ["town", "slow", "tight"]
