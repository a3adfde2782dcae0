"""What is measured about single groups of a world: their truth, calibration, and what settle_with leads to."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from bench.worlds import settling
from bench.worlds.calibration import (
    KNOWN,
    PROBABILITY,
    UNFOUNDED,
    UNKNOWN,
    Forecast,
    forecasts_of,
    lines_of,
    reliability,
    tables,
)
from bench.worlds.candidates import lines_of as candidate_lines
from bench.worlds.catalogue import draw
from bench.worlds.labels import label_of
from bench.worlds.settling import Settled, report, settled_of
from bench.worlds.standing import Standing, StandingClusters
from bench.worlds.world import Campaign, Truth, Wanted, World, seconds_of

TRUTH = Truth(
    {"a": "call list 1", "b": "call list 1", "c": "call list 2", "d": "organic", "e": "patrol", "f": "patrol"},
    {"call list 1": Campaign("call list", ("a", "b"), ("x",)), "call list 2": Campaign("call list", ("c",), ("x",))},
    {"x": False},
    frozenset(),
)


@cache
def world() -> World:
    """A small world with a campaign that is found."""
    return draw("newspaper", Wanted(5, 900, crowds=("volunteer",), campaigns=("tight",)))


@cache
def candidates() -> list[dict[str, Any]]:
    return list(candidate_lines(world()))


@cache
def unjudged() -> list[Standing]:
    return StandingClusters().audit(replace(world(), outcomes=[]))


@pytest.mark.parametrize(
    ("accounts", "kind", "is_campaign", "acts_together"),
    [
        ("abd", "call list", True, True),
        ("abde", "call list", True, True),
        ("acd", "call list", False, False),  # two campaigns with a third each
        ("efd", "patrol", False, True),
        ("efdcb", "patrol", False, False),
        ("d", "organic", False, False),
    ],
)
def test_half_of_the_accounts_make_a_group_a_campaign_or_one_that_acts_together(
    accounts: str, kind: str, is_campaign: bool, acts_together: bool
) -> None:
    label = label_of(frozenset(accounts), TRUTH)
    assert (label.kind, label.is_campaign, label.acts_together) == (kind, is_campaign, acts_together)


def test_a_label_says_how_many_accounts_are_what() -> None:
    label = label_of(frozenset("abdef"), TRUTH)
    assert label.parts == {"call list 1": 2, "patrol": 2, "organic": 1}
    assert (label.campaign, label.campaign_share) == ("call list 1", 0.4)
    assert (label.together, label.together_share) == ("patrol", 0.4)


def test_nobody_and_strangers_cannot_be_labelled() -> None:
    with pytest.raises(ValueError, match="at least one account"):
        label_of(frozenset(), TRUTH)
    with pytest.raises(ValueError, match="account z is not in the truth"):
        label_of(frozenset("az"), TRUTH)


def test_reliability_of_forecasts_done_by_hand() -> None:
    found = reliability([0.05, 0.05, 0.6, 0.6, 1.0], [False, True, True, True, True])
    assert [(b.low, b.high, b.groups, b.true) for b in found.bins] == [(0, 0.1, 2, 1), (0.5, 0.7, 2, 2), (0.9, 1, 1, 1)]
    assert found.error == pytest.approx((2 * 0.45 + 2 * 0.4 + 0) / 5)
    assert found.brier == pytest.approx((0.0025 + 0.9025 + 0.16 + 0.16 + 0) / 5)
    assert (found.base_rate, found.brier_of_base_rate) == pytest.approx((0.8, 0.16))


def test_a_forecast_on_an_edge_belongs_to_the_upper_bin() -> None:
    found = reliability([0.0, 0.1, 0.9], [False, False, True])
    assert [(b.low, b.groups) for b in found.bins] == [(0.0, 1), (0.1, 1), (0.9, 1)]


def test_reliability_refuses_what_it_cannot_bin() -> None:
    with pytest.raises(ValueError, match="at least one forecast"):
        reliability([], [])
    with pytest.raises(ValueError, match=r"1\.5"):
        reliability([1.5], [True])


def forecast(number: str, outcomes: str, predicted: float, is_campaign: bool, acts_together: bool) -> Forecast:
    return Forecast("town", 1, 900, 14.0, number, outcomes, predicted, "tight", is_campaign, acts_together)


def test_unfounded_is_judged_among_all_clusters_and_among_those_that_truly_act_together() -> None:
    several = [
        forecast(PROBABILITY, "", 0.95, False, True),
        forecast(UNFOUNDED, UNKNOWN, 0.6, True, True),
        forecast(UNFOUNDED, UNKNOWN, 0.6, False, True),
        forecast(UNFOUNDED, UNKNOWN, 0.6, False, False),
    ]
    found = {title: measured for title, measured in tables(several) if title.endswith("[all]")}
    assert [(m.groups, m.base_rate) for m in found.values()] == [
        (1, 0.0),  # probability: no campaign
        (1, 1.0),  # but acting together
        (3, pytest.approx(1 / 3)),
        (2, 0.5),
    ]
    assert "outcomes unknown" in list(found)[2]
    assert any("observed 0.500" in line for line in lines_of(*list(found.items())[3]))


def test_candidates_of_a_world_carry_signals_verdicts_and_truth() -> None:
    lines = candidates()
    assert json.loads(json.dumps(lines[0]))["signals"] == lines[0]["signals"]
    assert {line["label"]["kind"] for line in lines} >= {"tight"}
    for line in lines:
        assert {"base" if line["kind"] == "repeat" else "slice", "outcomes"} <= line["signals"].keys()
        assert 0 <= line["probability"] <= 1
        assert 0 <= line["breaks_rules"] <= 1
        assert line["upheld"] + line["rejected"] == len(line["judged"]) <= line["targets"]
        assert sum(line["label"]["parts"].values()) == line["accounts"]
        assert len(line["records"]) <= line["accounts"]


def test_only_verdicts_of_that_day_are_known_to_a_candidate() -> None:
    first = min(candidates(), key=lambda line: line["day"])
    start = seconds_of(world().complaints[0]["occurred_at"])
    verdicts: dict[str, str] = {}
    for outcome in world().outcomes:
        if "verdict" in outcome and seconds_of(outcome["decided_at"]) <= start + first["day"] * 86_400:
            verdicts[outcome["target_id"]] = outcome["verdict"]
    assert first["tenant_upheld"] == list(verdicts.values()).count("upheld")
    assert first["tenant_rejected"] == list(verdicts.values()).count("rejected")


def test_forecasts_of_a_world_are_about_both_numbers_with_and_without_outcomes() -> None:
    found = list(forecasts_of(world()))
    assert {(f.number, f.outcomes) for f in found} == {(PROBABILITY, ""), (UNFOUNDED, KNOWN), (UNFOUNDED, UNKNOWN)}
    assert sum(f.number == PROBABILITY for f in found) == len(candidates())
    assert all(0 <= f.predicted <= 1 for f in found)


def test_rejecting_what_a_cluster_names_raises_its_figure_and_upholding_lowers_it() -> None:
    asking = [cluster for cluster in unjudged() if cluster.settle_with]
    assert asking
    for cluster in asking:
        assert cluster.settled({}).unfounded_probability == cluster.unfounded_probability
        wrong, right = (cluster.settled(dict.fromkeys(cluster.settle_with, upheld)) for upheld in (False, True))
        assert right.unfounded_probability < cluster.unfounded_probability < wrong.unfounded_probability
        assert right.probability == wrong.probability == cluster.probability
        assert wrong.flagged


def settled(**changes: Any) -> Settled:
    one = Settled(
        generator="town",
        seed=1,
        size=900,
        day=14.0,
        outcomes=settling.UNKNOWN,
        kind="volunteer",
        is_campaign=False,
        acts_together=True,
        accounts=9,
        mostly_right=True,
        named=2,
        named_right=2,
        before=0.8,
        after=0.1,
        flagged_after=False,
    )
    return replace(one, **changes)


def test_settling_counts_cleared_honest_groups_and_confirmed_campaigns() -> None:
    several = [
        settled(),
        settled(flagged_after=True, after=0.6),
        settled(mostly_right=False, flagged_after=True, after=0.99, named=0),
        settled(is_campaign=True, kind="tight", flagged_after=True, after=0.95),
        settled(is_campaign=True, kind="tight", flagged_after=True, after=0.85),
        settled(is_campaign=True, kind="tight", flagged_after=False, after=0.95),
    ]
    lines = list(report(several))
    assert "6 flagged clusters, 1.7 targets named on average, none by 1" in lines[1]
    assert lines[2].split()[:8] == ["honest,", "mostly", "right", "2", "cleared", "1", "of", "2"]
    assert lines[3].split()[:8] == ["honest,", "mostly", "wrong", "1", "cleared", "0", "of", "1"]
    assert lines[5].strip() == "median unfounded_probability 0.80 before, 0.60 after the verdicts"
    assert lines[6].split()[:6] == ["campaigns", "3", "confirmed", "1", "of", "3"]
    assert lines[7].split()[:4] == ["cleared", "1", "of", "3"]


def test_every_flagged_cluster_of_a_world_is_settled_once_a_day() -> None:
    found = list(settled_of(world(), views=(settling.UNKNOWN,)))
    flagged = [cluster for cluster in unjudged() if cluster.flagged]
    assert [(s.day, s.accounts) for s in found] == [(c.day, len(c.accounts)) for c in flagged]
    assert all(s.named <= 3 and s.named_right <= s.named for s in found)


def test_further_rounds_keep_the_verdicts_of_the_earlier_ones() -> None:
    cluster = max((c for c in unjudged() if c.settle_with), key=lambda c: len(c.targets))
    right = dict.fromkeys(sorted(cluster.targets)[:4], True)
    first, second = ({t: right[t] for t in half} for half in (sorted(right)[:2], sorted(right)[2:]))
    both = cluster.settled(first).settled(second)
    assert both.unfounded_probability == cluster.settled(right).unfounded_probability
    assert both.judged == 4
