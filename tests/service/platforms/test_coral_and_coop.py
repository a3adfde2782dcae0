"""Coral's webhook, which only wakes; Coop's report requests and callbacks."""

from __future__ import annotations

from typing import Any

import pytest

from service.intake.privacy_filter import PrivacyFilter
from service.platforms.payload import Unusable
from tests.service.platforms.payloads import coop, coop_ignored, coral
from tests.service.platforms.reading import NOW, read, taken

# As in roostorg/coop@1c1f54d, docs/api/actions.md.
ACTION = {
    "item": {"id": "m-88", "typeId": "message"},
    "action": {"id": "delete"},
    "policies": [{"id": "harassment", "name": "Harassment", "penalty": "LOW"}],
    "rules": [],
    "custom": {},
    "actorEmail": "moderator@mail.example",
    "actorNote": "plain",
    "creator": {"id": "u-1", "typeId": "account"},
}


def test_a_comment_in_the_queue_wakes_the_poller_and_is_no_complaint() -> None:
    delivery = read("coral", coral())
    assert delivery.wakes and delivery.items == [] and delivery.key == coral()["id"]


def test_a_comment_that_left_the_queue_wakes_it_too_and_decides_nothing_here() -> None:
    delivery = read("coral", coral("COMMENT_LEFT_MODERATION_QUEUE", status="REJECTED"))
    assert delivery.wakes and delivery.items == []  # who decided is not in it; the poller reads that


def test_other_events_wake_nobody() -> None:
    delivery = read("coral", coral("STORY_CREATED"))
    assert not delivery.wakes and delivery.items == [] and len(delivery.notes) == 1


def test_a_coop_report_is_a_complaint_with_an_id_of_its_own() -> None:
    (item,) = taken(read("coop", coop()))
    assert item["id"].startswith("report/") and len(item["id"]) < 64
    assert {name: value for name, value in item.items() if name != "id"} == {
        "kind": "c",
        "occurred_at": "2024-05-03T10:00:00Z",
        "reporter": {"id": "u-12", "trusted": False},
        "target": {"id": "m-88", "kind": "message"},
        "reason": "harassment",
        "text": "he calls me names",
    }
    assert taken(read("coop", coop(additionalItems=[{"id": "x"}])))[0]["id"] == item["id"]
    for other in (
        {"reportedAt": "2024-05-03T10:00:01.000Z"},
        {"reporter": {"kind": "user", "typeId": "account", "id": "u-13"}},
        {"reportedForReason": {"policyId": "spam"}},
    ):
        assert taken(read("coop", coop(**other)))[0]["id"] != item["id"]


def test_without_the_tenants_key_nobody_tries_reporters_against_the_id_of_a_coop_report() -> None:
    (item,) = read("coop", coop()).items
    keys = [PrivacyFilter(bytes([n]) * 32, pseudonyms=True) for n in (1, 2)]
    ids = [item.read(NOW, privacy_filter).id for privacy_filter in keys]
    assert len({*ids, item.id}) == 3 and all(one.startswith("report/") for one in ids)
    assert ids[0] == item.read(NOW, PrivacyFilter(bytes([1]) * 32)).id, (
        "the same when pseudonyms are turned on or off: it comes again"
    )


def test_illegal_material_is_a_notice_and_what_no_user_sent_a_machines() -> None:
    assert taken(read("coop", coop(reportedForReason={"csam": True})))[0]["notice_type"] == "illegal_content"
    assert taken(read("coop", coop(reporter={"kind": "rule", "id": "r"})))[0]["machine"] is True


@pytest.mark.parametrize(
    ("changes", "by"),
    [({}, "person"), ({"rules": [{"id": "r1", "name": "spam"}]}, "automatic"), ({"actorEmail": None}, "automatic")],
)
def test_an_action_under_a_policy_is_an_outcome(changes: dict[str, Any], by: str) -> None:
    (item,) = taken(read("coop", {**ACTION, **changes}))
    assert (item["target_id"], item["verdict"], item["decided_by"]) == ("m-88", "upheld", by)


@pytest.mark.parametrize(
    ("decision", "verdict", "action"), [("ACCEPT", "rejected", "restored"), ("REJECT", "upheld", None)]
)
def test_an_appeals_decision_is_an_outcome_on_appeal(decision: str, verdict: str, action: str | None) -> None:
    (item,) = taken(
        read(
            "coop", {"appealId": "a-1", "item": {"id": "m-88"}, "appealedBy": {"id": "u-1"}, "appealDecision": decision}
        )
    )
    assert (item["id"], item["verdict"], item.get("action"), item["decided_by"]) == (
        "appeal/a-1",
        verdict,
        action,
        "appeal",
    )


def test_that_a_moderator_found_no_violation_is_an_outcome() -> None:
    (item,) = taken(read("coop", coop_ignored()))
    assert item["id"].startswith("ignore/")
    assert {name: value for name, value in item.items() if name != "id"} == {
        "kind": "o",
        "target_id": "m-88",
        "decided_at": "2026-11-22T12:00:00Z",
        "verdict": "rejected",
        "action": "kept",
        "decided_by": "person",
    }
    assert taken(read("coop", coop_ignored(data={"text": "edited"}))) == [item]
    assert taken(read("coop", coop_ignored(ncmecMedia=[{"id": "p", "typeId": "photo"}]))) == [item]
    for other in ({"id": "m-89"}, {"typeId": "post"}):
        assert taken(read("coop", coop_ignored(**other)))[0]["id"] != item["id"]
    assert taken(read("coop", coop_ignored(id={"$": 1}))) == []


@pytest.mark.parametrize(
    "document",
    [
        coop(creator={"id": "u-9", "typeId": "account"}),
        coop(reportedItem={"id": "m-88", "typeId": "message", "creator": {"id": "u-9", "typeId": "account"}}),
    ],
)
def test_the_author_is_the_creator_where_the_platform_adds_it(document: dict[str, Any]) -> None:
    (item,) = taken(read("coop", document))
    assert item["target"] == {"id": "m-88", "kind": "message", "author_id": "u-9"}
    assert item["id"] == taken(read("coop", coop()))[0]["id"]


def test_nobodys_mail_passes_the_edge() -> None:
    assert "mail.example" not in str([taken(read("coop", document)) for document in (coop(), coop_ignored(), ACTION)])


def test_what_says_too_little_is_said() -> None:
    for document in ({**ACTION, "policies": []}, {"appealId": "a", "actionedItem": {"id": "m"}}):
        delivery = read("coop", document)
        assert delivery.items == [] and len(delivery.notes) == 1


@pytest.mark.parametrize(
    ("platform", "document"),
    [
        ("coral", []),
        ("coral", {"type": 1}),
        ("coop", []),
        ("coop", {}),
        ("coop", {"appealDecision": "MAYBE"}),
        ("coop", {"appealDecision": []}),
        ("coop", {"id": "m-88", "data": {}}),
        ("coop", coop_ignored(reporter={"id": "u-1"})),
    ],
)
def test_what_they_never_send_is_refused(platform: str, document: object) -> None:
    with pytest.raises(Unusable):
        read(platform, document)
