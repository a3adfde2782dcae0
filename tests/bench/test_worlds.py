"""What the worlds of bench/worlds promise: the same seed gives the same world, and the truth is about what happened."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from bench.worlds.catalogue import GENERATORS, draw
from bench.worlds.measures import measure
from bench.worlds.score import Cluster, Counts, Found, count, pooled, wilson
from bench.worlds.world import DAYS, END, ORGANIC, THRESHOLD, Wanted, World, honest_counts, read_world, seconds_of

NAMES = tuple(GENERATORS)
every_generator = pytest.mark.parametrize("name", NAMES)


@cache
def small(name: str, seed: int = 5, size: int = 900) -> World:
    return draw(name, Wanted(seed, size))


@cache
def full(name: str) -> World:
    """A world with every kind that the generator has."""
    generator = GENERATORS[name]
    return draw(name, Wanted(3, 4_000, crowds=tuple(generator.crowds), campaigns=tuple(generator.campaigns)))


@every_generator
def test_the_same_seed_gives_the_same_files(name: str, tmp_path: Path) -> None:
    small(name).write(tmp_path / "one")
    draw(name, Wanted(5, 900)).write(tmp_path / "two")
    for file in ("complaints.ndjson.gz", "outcomes.ndjson.gz", "truth.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


@every_generator
def test_another_seed_gives_another_world(name: str) -> None:
    assert small(name).complaints != draw(name, Wanted(6, 600)).complaints[: len(small(name).complaints)]


@every_generator
def test_a_world_comes_back_from_its_files(name: str, tmp_path: Path) -> None:
    small(name).write(tmp_path)
    assert read_world(tmp_path) == small(name)


@every_generator
def test_unknown_outcomes_change_nothing_but_the_outcomes(name: str) -> None:
    unknown = draw(name, Wanted(5, 900, outcomes=False))
    assert unknown.outcomes == []
    assert unknown.complaints == small(name).complaints
    assert unknown.truth == small(name).truth


@pytest.mark.parametrize("size", [500, 2_000])
@every_generator
def test_the_size_is_what_was_asked_for(name: str, size: int) -> None:
    assert len(draw(name, Wanted(7, size)).complaints) == pytest.approx(size, rel=0.15)


def test_a_thread_is_found_further_back_where_the_last_day_has_no_harmless_comment() -> None:
    """Newspaper, seed 31: in a place of 2,000 complaints, crowds had taken everything written in those 36 hours."""
    campaigns = draw("newspaper", Wanted(31, 2_000)).truth.campaigns
    assert len(campaigns["one thread 1"].targets) >= 6


@every_generator
def test_every_account_has_a_kind_and_every_target_a_truth(name: str) -> None:
    world = full(name)
    assert {c["reporter"]["id"] for c in world.complaints} == world.truth.kind_by_account.keys()
    assert {c["target"]["id"] for c in world.complaints} == world.truth.breaks_rules.keys()


@every_generator
def test_members_of_a_campaign_complained_about_its_targets(name: str) -> None:
    world = full(name)
    filed: dict[str, set[str]] = {}
    for c in world.complaints:
        filed.setdefault(c["reporter"]["id"], set()).add(c["target"]["id"])
    for campaign_name, campaign in world.truth.campaigns.items():
        assert all(filed[member] & set(campaign.targets) for member in campaign.members)
        assert all(any(target in filed[member] for member in campaign.members) for target in campaign.targets)
        assert all(world.truth.kind_by_account[member] in world.truth.campaigns for member in campaign.members)
        assert len(campaign.members) >= 2, campaign_name


@every_generator
def test_every_kind_can_be_had(name: str) -> None:
    world, generator = full(name), GENERATORS[name]
    assert set(generator.honest_kinds) <= set(world.truth.kind_by_account.values())
    assert {campaign.kind for campaign in world.truth.campaigns.values()} == generator.campaigns.keys()


@every_generator
def test_an_organic_world_has_no_campaign(name: str) -> None:
    world = draw(name, Wanted(5, 600, organic=True))
    assert world.truth.campaigns == {}
    assert set(world.truth.kind_by_account.values()) <= {ORGANIC, "viral outrage", *GENERATORS[name].honest_kinds}


@every_generator
def test_honest_removals_are_those_that_reach_the_threshold_without_any_campaign(name: str) -> None:
    world = full(name)
    counted = honest_counts(world.complaints, world.truth.campaign_members())
    assert world.truth.honest_removals == {target for target, n in counted.items() if n >= THRESHOLD}


@every_generator
def test_complaints_are_in_order_inside_the_four_weeks_and_one_of_a_pair(name: str) -> None:
    world = full(name)
    times = [seconds_of(c["occurred_at"]) for c in world.complaints]
    assert times == sorted(times)
    assert 0 <= times[0] <= times[-1] < END
    assert times[-1] - times[0] > (DAYS - 3) * 86_400
    assert max(Counter((c["reporter"]["id"], c["target"]["id"]) for c in world.complaints).values()) == 1


@every_generator
def test_nobody_complains_about_their_own_words(name: str) -> None:
    assert all(c["reporter"]["id"] != c["target"]["author_id"] for c in full(name).complaints)


@every_generator
def test_people_decide_some_later_and_counts_are_marked_automatic(name: str) -> None:
    world = full(name)
    first: dict[str, float] = {}
    for c in world.complaints:
        first.setdefault(c["target"]["id"], seconds_of(c["occurred_at"]))
    assert {o["decided_by"] for o in world.outcomes} <= {"person", "automatic", "appeal"}
    assert all(("verdict" in o) == (o["decided_by"] != "automatic") for o in world.outcomes)
    assert all(seconds_of(o["decided_at"]) > first[o["target_id"]] for o in world.outcomes)
    judged = [o for o in world.outcomes if o["decided_by"] == "person"]
    wrong = sum((o["verdict"] == "upheld") != world.truth.breaks_rules[o["target_id"]] for o in judged)
    assert 0 < wrong < 0.2 * len(judged)
    assert 0.1 < len(judged) / len(first) < 1


def test_generators_differ_in_what_they_measure() -> None:
    measured = {name: measure(full(name).complaints, full(name).outcomes) for name in NAMES}
    assert all(0.01 < m.crowded < 0.25 and 0.2 < m.single < 0.8 for m in measured.values())
    assert len({(m.reporters, m.targets) for m in measured.values()}) == len(NAMES)


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown kind choir"):
        draw("town", Wanted(1, 1_000, crowds=("choir",)))
    with pytest.raises(ValueError, match="choose from 500 to 50000"):
        Wanted(1, 100)
    with pytest.raises(ValueError, match="no campaigns"):
        Wanted(1, 1_000, organic=True, campaigns=("tight",))
    with pytest.raises(ValueError, match="ask for more"):
        draw("newspaper", Wanted(1, 500, crowds=("popular article",) * 9))


def test_a_perfect_detector_scores_one_and_loses_nothing() -> None:
    world = full("town")
    members = world.truth.campaign_members()
    raw = Counter(c["target"]["id"] for c in world.complaints)
    honest = honest_counts(world.complaints, members)
    striking = Counter(t for c in world.truth.campaigns.values() for t in c.targets)
    found = Found(members, (Cluster(members, 1.0, 1.0),), dict(raw), {t: honest[t] + striking[t] for t in raw})
    counts = count(world, found)
    assert (counts.precision, counts.recall, counts.f1) == (1.0, 1.0, 1.0)
    assert counts.removals_lost == 0
    assert counts.attacked_still == counts.attacked_ideal


def test_flagging_everybody_is_counted_by_kind() -> None:
    world = full("network")
    raw = Counter(c["target"]["id"] for c in world.complaints)
    everybody = frozenset(world.truth.kind_by_account)
    counts = count(world, Found(everybody, (), dict(raw), dict.fromkeys(raw, 1.0)))
    assert counts.flagged_by_kind == counts.accounts_by_kind
    assert counts.removals_lost == counts.removals == len(world.truth.honest_removals)
    assert counts.recall == 1.0
    assert counts.precision is not None
    assert counts.precision_without_watchers is not None
    assert counts.precision_without_watchers > counts.precision


def test_pooling_adds_counts() -> None:
    world = small("newspaper")
    raw = Counter(c["target"]["id"] for c in world.complaints)
    one = count(world, Found(frozenset(), (), dict(raw), {t: float(n) for t, n in raw.items()}))
    both = pooled([one, one])
    assert both == replace(one, worlds=2) + replace(one, worlds=0)
    assert both.members == 2 * one.members
    assert pooled([]) == Counts()


@pytest.mark.parametrize(("hits", "of", "low", "high"), [(0, 10, 0.0, 0.278), (5, 10, 0.237, 0.763), (0, 0, 0.0, 1.0)])
def test_wilson_intervals(hits: int, of: int, low: float, high: float) -> None:
    assert list(wilson(hits, of)) == pytest.approx([low, high], abs=1e-3)
