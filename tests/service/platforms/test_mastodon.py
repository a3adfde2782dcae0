"""Mastodon's reports: a complaint a status, nobody's addresses, and what closing a report tells."""

from __future__ import annotations

import re
from typing import Any

import pytest

from service.platforms.payload import Unusable
from tests.service.platforms.payloads import account, encoded, mastodon, status
from tests.service.platforms.reading import read, taken

CLOSED = {
    "event": "report.updated",
    "action_taken": True,
    "action_taken_at": "2024-05-03T12:00:00.500Z",
    "updated_at": "2024-05-03T12:00:00.501Z",
    "action_taken_by_account": account("9"),
}


def test_a_report_of_three_statuses_is_three_complaints_and_one_about_the_account_in_the_same_act() -> None:
    items = taken(read("mastodon", mastodon(status("501"), status("502", in_reply_to_id="4"), status("503"))))
    assert [(item["id"], item["target"]["id"]) for item in items] == [
        ("310/501", "501"),
        ("310/502", "502"),
        ("310/503", "503"),
        ("310/account", "account/7001"),
    ]
    assert [item.get("part_of") for item in items] == [None, None, None, "310/501"]
    assert {item["occurred_at"] for item in items} == {"2024-05-03T10:00:00.123000Z"}
    assert items[1] == {
        "kind": "c",
        "id": "310/502",
        "occurred_at": "2024-05-03T10:00:00.123000Z",
        "reporter": {"id": "4001", "account_created_at": "2023-02-01T08:00:00Z", "trusted": False},
        "target": {
            "id": "502",
            "kind": "status",
            "author_id": "7001",
            "url": "https://social.example/@x/502",
            "attributes": {"is_reply": True},
        },
        "reason": "violation",
        "text": "insults in every line",
    }


def test_no_address_of_anybody_passes_the_edge() -> None:
    payload = mastodon(status("501"), **CLOSED)
    sent, kept = encoded(payload).decode(), str(taken(read("mastodon", payload)))
    addresses = set(re.findall(r"[\w.+-]+@[\w-]+\.[\w.]+", sent)) | {
        "198.51.100.7",
        "203.0.113.9",
        "2001:db8::17",
        "let me in",
    }
    assert len(addresses) >= 7
    assert [address for address in addresses if address in kept] == []
    assert "edited" not in kept


def test_a_report_without_statuses_is_about_the_account_and_an_act_of_its_own() -> None:
    (item,) = taken(read("mastodon", mastodon()))
    assert "part_of" not in item
    assert (item["id"], item["target"]["id"], item["target"]["kind"], item["target"]["author_id"]) == (
        "310/account",
        "account/7001",
        "account",
        "7001",
    )


def test_ids_of_statuses_are_enough() -> None:
    assert [
        item["target"]["id"] for item in taken(read("mastodon", mastodon(statuses=None, status_ids=["501", 502])))
    ] == ["501", "502", "account/7001"]


def test_an_account_without_an_id_is_no_target_beside_statuses() -> None:
    items = taken(read("mastodon", mastodon(status("501"), target_account=None)))
    assert [item["id"] for item in items] == ["310/501"]


def test_the_account_is_part_of_what_can_be_named() -> None:
    items = taken(read("mastodon", mastodon(statuses=[{"id": None}, status("502")])))
    assert [(item["id"], item.get("part_of")) for item in items] == [("310/502", None), ("310/account", "310/502")]


def test_collections_are_targets_of_their_own_beside_statuses() -> None:
    """In the shape of REST::CollectionSerializer, since Mastodon's webhooks have no list of collections."""
    collection = {
        "id": "31",
        "url": "https://social.example/@x/collections/31",
        "account_id": "7001",
        "name": "Bakers",
        "items": [{"id": "1", "account_id": "7002", "state": "accepted"}],
    }
    item, account = taken(read("mastodon", mastodon(collections=[collection])))
    assert (account["target"]["id"], account["part_of"]) == ("account/7001", "310/collection/31")
    assert (item["id"], item["target"]) == (
        "310/collection/31",
        {
            "id": "collection/31",
            "kind": "collection",
            "author_id": "7001",
            "url": "https://social.example/@x/collections/31",
        },
    )
    items = taken(read("mastodon", mastodon(status("31"), collections=None, collection_ids=["31", 32])))
    assert [item["target"]["id"] for item in items] == ["31", "collection/31", "collection/32", "account/7001"]
    assert len({item["id"] for item in items}) == 4
    assert taken(read("mastodon", mastodon(collections=[{"id": None}]))) == []


@pytest.mark.parametrize(
    ("fields", "machine"),
    [
        ({"account": account("4001", domain="other.example")}, True),
        ({"account": account("-99")}, True),
        ({"forwarded": True}, False),  # a person here, whose report was also sent to the other server
        ({"forwarded": True, "account": account("4001", domain="other.example")}, True),
    ],
)
def test_a_report_that_came_from_another_server_is_no_persons(fields: dict[str, Any], machine: bool) -> None:
    items = taken(read("mastodon", mastodon(status("501"), **fields)))
    assert [item.get("machine", False) for item in items] == [machine, machine]


def test_a_closed_report_of_an_account_suspended_since_is_upheld_on_each_target_and_the_account_is_gone() -> None:
    *_, first, second, of_account = taken(
        read(
            "mastodon", mastodon(status("501"), status("502"), **CLOSED, target_account=account("7001", suspended=True))
        )
    )
    assert first == {
        "kind": "o",
        "id": "310/501/20240503T120000.500000Z",
        "target_id": "501",
        "decided_at": "2024-05-03T12:00:00.500000Z",
        "verdict": "upheld",
        "action": "removed",
        "decided_by": "person",
    }
    assert (second["target_id"], second["verdict"]) == ("502", "upheld")
    assert (of_account["target_id"], of_account["action"]) == ("account/7001", "removed")
    assert "verdict" not in of_account  # which would say a second time that the report was right


def test_a_closed_report_of_a_suspended_account_alone_is_upheld() -> None:
    _, closed = taken(read("mastodon", mastodon(**CLOSED, target_account=account("7001", suspended=True))))
    assert (closed["target_id"], closed["verdict"], closed["action"]) == ("account/7001", "upheld", "removed")


@pytest.mark.parametrize("state", [(), ("silenced",), ("sensitized",), ("disabled",), ("silenced", "disabled")])
def test_a_closed_report_without_a_suspension_teaches_nothing_and_says_so(state: tuple[str, ...]) -> None:
    """An account may have been limited, marked as sensitive or frozen before the report, and the report dismissed."""
    target = account("7001", **dict.fromkeys(state, True))
    delivery = read("mastodon", mastodon(status("501"), **CLOSED, target_account=target))
    *_, closed, of_account = taken(delivery)
    for told in (closed, of_account):
        assert (told["action"], told["decided_by"]) == ("kept", "person") and "verdict" not in told
    assert any("does not say whether the report was right" in note for note in delivery.notes)


def test_closing_by_the_server_itself_is_automatic() -> None:
    *_, closed = taken(
        read("mastodon", mastodon(status("501"), **{**CLOSED, "action_taken_by_account": account("-99")}))
    )
    assert closed["decided_by"] == "automatic"


def test_created_and_updated_tell_the_same_complaint_in_either_order() -> None:
    created = taken(read("mastodon", mastodon(status("501"))))
    updated = taken(
        read("mastodon", mastodon(status("501", edited_at="2024-05-03T11:00:00.000Z", content="other"), **CLOSED))
    )
    assert updated[: len(created)] == created
    assert updated == taken(read("mastodon", mastodon(status("501"), **CLOSED)))


def test_the_event_is_known_again_by_what_is_signed() -> None:
    keys = {
        read("mastodon", mastodon(status("501"), **fields)).key
        for fields in ({}, {"updated_at": "2024-05-03T10:00:01.000Z"}, {"id": "311"}, {"event": "report.updated"})
    }
    assert len(keys) == 4 and None not in keys
    assert read("mastodon", mastodon(status("501"))).key in keys


def test_a_notice_of_illegal_content_is_one() -> None:
    assert taken(read("mastodon", mastodon(status("501"), category="legal")))[0]["notice_type"] == "illegal_content"


def test_other_events_are_answered_and_taken_for_nothing() -> None:
    delivery = read(
        "mastodon", {"event": "account.created", "created_at": "2024-05-03T10:00:00.000Z", "object": account("1")}
    )
    assert delivery.items == [] and "mail" not in str(delivery)


@pytest.mark.parametrize(
    "document",
    [[], None, {}, {"event": 1}, {"event": "report.created"}, {"event": "report.created", "object": {"id": None}}],
)
def test_what_mastodon_never_sends_is_refused(document: object) -> None:
    with pytest.raises(Unusable):
        read("mastodon", document)
