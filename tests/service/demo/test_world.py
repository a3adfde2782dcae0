"""The demo's world: same seed same world, documents that the service accepts, and what was planted is in it."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from service.demo.campaigns import CAMPAIGNS, MORE_CAMPAIGNS
from service.demo.documents import World
from service.demo.newspaper import DAYS, REMOVAL_COUNT, START
from service.demo.world import draw_world, draw_world_until
from service.model import Complaint, Outcome

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def world() -> World:
    return draw_world(7, 6_000)


def test_the_same_seed_gives_the_same_world(world: World) -> None:
    again = draw_world(7, 6_000)
    assert again.complaints == world.complaints
    assert again.outcomes == world.outcomes
    assert draw_world(8, 6_000).complaints != world.complaints


def test_the_service_accepts_every_document(world: World) -> None:
    for document in world.complaints:
        Complaint.model_validate_json(json.dumps(document))
    for document in world.outcomes:
        Outcome.model_validate_json(json.dumps(document))
    assert len({c["id"] for c in world.complaints}) == len(world.complaints)
    assert len({o["id"] for o in world.outcomes}) == len(world.outcomes)


def test_documents_are_sorted_by_time_and_lie_within_the_28_days(world: World) -> None:
    times = [datetime.fromisoformat(c["occurred_at"]) for c in world.complaints]
    assert times == sorted(times)
    assert times[0] >= START
    assert (times[-1] - START).days < DAYS
    decided = [o["decided_at"] for o in world.outcomes]
    assert decided == sorted(decided)


def test_another_start_time_moves_the_same_world(world: World) -> None:
    moved = draw_world(7, 6_000, START + timedelta(days=100))
    assert [c["id"] for c in moved.complaints] == [c["id"] for c in world.complaints]
    for before, after in (
        (world.complaints[0]["occurred_at"], moved.complaints[0]["occurred_at"]),
        (world.outcomes[-1]["decided_at"], moved.outcomes[-1]["decided_at"]),
    ):
        assert datetime.fromisoformat(after) - datetime.fromisoformat(before) == timedelta(days=100)


def test_the_demos_world_ends_now_with_an_attack_under_way() -> None:
    for end in (datetime(2026, 11, 29, 0, 0, 5, tzinfo=UTC), datetime(2026, 11, 29, 23, 20, tzinfo=UTC)):
        world = draw_world_until(7, 6_000, end)
        times = [datetime.fromisoformat(c["occurred_at"]) for c in world.complaints]
        assert timedelta(0) <= end - times[-1] < timedelta(minutes=10)
        assert all(datetime.fromisoformat(o["decided_at"]) < end for o in world.outcomes)
        targets = {target for target, name in world.campaign_by_target.items() if name == "attack under way"}
        attack = [
            at for at, c in zip(times, world.complaints, strict=True) if c["target"]["id"] in targets and end - at < DAY
        ]
        assert len(targets) == 10 and len(attack) > 100
        assert min(attack) > end - timedelta(hours=12) and max(attack) > end - timedelta(minutes=15)


def test_a_large_demo_world_has_more_campaigns_and_honest_groups_that_are_hardly_reviewed() -> None:
    world = draw_world_until(7, 20_000, datetime(2026, 11, 29, 20, 0, tzinfo=UTC))
    assert {plan.name for plan in MORE_CAMPAIGNS} < set(world.campaign_by_account.values())
    of_groups = {"readers of one offender", "helpers' chat", "school class"}
    assert set(world.group_by_account.values()) == of_groups < set(world.crowd_by_target.values())
    assert not world.group_by_account.keys() & world.campaign_by_account.keys()
    targets = [target for target, crowd in world.crowd_by_target.items() if crowd in of_groups]
    judged = {o["target_id"]: o["verdict"] for o in world.outcomes if o["decided_by"] == "person"}
    reviewed = [judged[target] for target in targets if target in judged]
    assert 0 < len(reviewed) < 0.5 * len(targets) and reviewed.count("upheld") > 0.5 * len(reviewed)
    assert not draw_world_until(7, 9_000, datetime(2026, 11, 29, 20, 0, tzinfo=UTC)).group_by_account


def test_no_account_complains_before_it_was_created(world: World) -> None:
    for complaint in world.complaints:
        assert complaint["reporter"]["account_created_at"] < complaint["occurred_at"]


def test_all_four_campaigns_complain_about_their_targets(world: World) -> None:
    hits = Counter(
        world.campaign_by_account[c["reporter"]["id"]]
        for c in world.complaints
        if world.campaign_by_account.get(c["reporter"]["id"])
        == world.campaign_by_target.get(c["target"]["id"])
        is not None
    )
    for plan in CAMPAIGNS:
        assert hits[plan.name] >= 0.6 * plan.accounts * plan.targets * plan.share


def test_nearly_all_campaign_targets_are_removed_by_count(world: World) -> None:
    counts = Counter(c["target"]["id"] for c in world.complaints)
    removed = {o["target_id"] for o in world.outcomes if o["decided_by"] == "automatic"}
    assert removed == {target for target, count in counts.items() if count >= REMOVAL_COUNT}
    hit = [target for target in world.campaign_by_target if target in removed]
    assert len(hit) >= 0.9 * len(world.campaign_by_target)


def test_moderators_rule_on_three_fifths_of_the_targets_and_mostly_uphold_the_patrol(world: World) -> None:
    judged = {o["target_id"]: o["verdict"] for o in world.outcomes if o["decided_by"] == "person"}
    about = {c["target"]["id"] for c in world.complaints}
    assert 0.5 < len(judged) / len(about) < 0.7
    patrol = [
        judged[target] for target, crowd in world.crowd_by_target.items() if crowd == "patrol" and target in judged
    ]
    assert patrol.count("upheld") > 0.85 * len(patrol) > 0


def test_the_world_has_about_as_many_complaints_as_requested() -> None:
    assert len(draw_world(3, 25_000).complaints) == pytest.approx(25_000, rel=0.1)


def test_a_world_too_small_for_its_campaigns_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2,000"):
        draw_world(1, 1_999)


def test_articles_have_titles_and_addresses_comments_addresses_and_a_few_are_images(world: World) -> None:
    by_context: dict[str, set[tuple[str, str]]] = {}
    for one in world.complaints:
        target = one["target"]
        by_context.setdefault(target["context_id"], set()).add((target["context_title"], target["context_url"]))
    assert all(len(said) == 1 for said in by_context.values())
    addresses = {one["target"]["id"]: one["target"]["url"] for one in world.complaints}
    assert all(address.startswith("https://news.example/") for address in addresses.values())
    assert len(set(addresses.values())) == len(addresses)
    images = sum(address.endswith(".jpg") for address in addresses.values())
    assert 0.005 < images / len(addresses) < 0.04


def test_the_demo_has_notices_of_illegal_content_of_which_several_of_one_reader_were_rejected() -> None:
    world = draw_world_until(7, 9_000, datetime(2026, 11, 24, 12, tzinfo=UTC))
    notices = [one for one in world.complaints if one.get("notice_type") == "illegal_content"]
    assert 0.01 < len(notices) / len(world.complaints) < 0.08
    assert not {one["reporter"]["id"] for one in notices} & world.campaign_by_account.keys()
    rejected = {one["target_id"] for one in world.outcomes if one.get("verdict") == "rejected"}
    by_reader = Counter(one["reporter"]["id"] for one in notices if one["target"]["id"] in rejected)
    assert max(by_reader.values()) >= 3
    assert not any("notice_type" in one for one in draw_world(7, 6_000).complaints)
