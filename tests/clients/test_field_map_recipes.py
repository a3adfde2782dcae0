"""The field maps of docs/integrations/by-field-map.md, with documents as the code beside them makes them."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from service.platforms import registry
from tests.service.platforms import reading

PAGE = (Path(__file__).parents[2] / "docs" / "integrations" / "by-field-map.md").read_text()
NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


def section(title: str) -> str:
    (found,) = re.findall(rf"^## {re.escape(title)}[^\n]*\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


def taken(title: str, document: Any) -> list[dict[str, Any]]:
    """What becomes of a posted document by the map in this section."""
    (text,) = re.findall(r"```json\n(.*?)```", section(title), re.DOTALL)
    mapping = json.loads(text)
    registry.check("generic", "secret", mapping)
    delivery = reading.read("generic", document, now=NOW, mapping=mapping)
    assert reading.batch_of(delivery, now=NOW).rejected == [] and delivery.notes == []
    return reading.taken(delivery, now=NOW)


def test_flarum() -> None:
    flag = {
        "kind": "flag",
        "id": 7,
        "at": 1_714_730_400,
        "user": 55,
        "user_since": 1_600_000_000,
        "post": 9,
        "author": 3,
        "discussion": 2,
        "reason": "spam",
        "detail": None,
    }
    assert taken("Flarum", flag) == [
        {
            "kind": "c",
            "id": "flag/7",
            "occurred_at": "2024-05-03T10:00:00Z",
            "reporter": {"id": "55", "account_created_at": "2020-09-13T12:26:40Z", "trusted": False},
            "target": {"id": "9", "kind": "post", "author_id": "3", "context_id": "2"},
            "reason": "spam",
        }
    ]
    dismissed = {"kind": "dismissed", "id": "9/7", "at": 1_714_730_500, "post": 9, "hidden": False}
    (rejected,) = taken("Flarum", dismissed)
    (upheld,) = taken("Flarum", {**dismissed, "hidden": True})
    assert (rejected["target_id"], rejected["verdict"], rejected["action"]) == ("9", "rejected", "kept")
    assert (upheld["verdict"], upheld["action"], upheld["decided_by"]) == ("upheld", "removed", "person")


def test_nodebb() -> None:
    report = {
        "kind": "report",
        "id": "0f" * 16,
        "at": 1_714_730_400_123,
        "reporter": 55,
        "reporter_since": 1_600_000_000_000,
        "target": "9",
        "type": "post",
        "author": 3,
        "topic": 2,
        "reason": "spam; again",
    }
    (item,) = taken("NodeBB", report)
    assert item["id"] == f"report/{'0f' * 16}" and item["occurred_at"] == "2024-05-03T10:00:00.123000Z"
    assert item["target"] == {"id": "9", "kind": "post", "author_id": "3", "context_id": "2"}
    (account,) = taken("NodeBB", {**report, "target": "account/3", "type": "user", "topic": None})
    assert account["target"] == {"id": "account/3", "kind": "user", "author_id": "3"}
    for state, verdict in (("resolved", "upheld"), ("rejected", "rejected")):
        (decided,) = taken(
            "NodeBB", {"kind": "decision", "id": "4/1", "at": 1_714_730_500_000, "target": "9", "state": state}
        )
        assert (decided["target_id"], decided["verdict"]) == ("9", verdict)


def test_phpbb() -> None:
    report = {
        "report": 12,
        "at": 1_714_730_400,
        "user": 55,
        "since": 1_600_000_000,
        "post": 9,
        "author": 3,
        "topic": 2,
        "reason": "spam",
        "text": "buy bread",
    }
    first, second = taken("phpBB", {"reports": [report, {**report, "report": 13, "user": 56}]})
    assert (first["id"], second["reporter"]["id"], second["target"]["context_id"]) == ("report/12", "56", "2")


def test_zendesk() -> None:
    """The shape of Zendesk's documented event, zendesk_event_version 2022-11-06."""
    event = {
        "account_id": 12514403,
        "detail": {
            "created_at": "2025-01-08T10:12:07Z",
            "description": "This comment insults me.",
            "external_id": "comment-5",
            "id": "5158",
            "requester_id": "8447388090494",
            "status": "OPEN",
            "subject": "Report",
        },
        "event": {},
        "id": "cbe4028c-7239-495d-b020-f22348516046",
        "subject": "zen:ticket:5158",
        "time": "2025-01-08T10:12:07.672717030Z",
        "type": "zen:event-type:ticket.created",
        "zendesk_event_version": "2022-11-06",
    }
    (item,) = taken("Zendesk, and any ticket system", event)
    assert (item["id"], item["reporter"]["id"], item["target"]["id"]) == ("ticket/5158", "8447388090494", "comment-5")


HERE = "https://forum.example"


@pytest.mark.parametrize(
    ("activity", "actor_type", "targets", "author", "text"),
    [
        (  # as Mastodon sends it
            {
                "actor": "https://social.example/actor",
                "content": "look at these",
                "object": [f"{HERE}/users/1", f"{HERE}/posts/5", f"{HERE}/posts/6"],
            },
            "Application",
            [f"{HERE}/posts/5", f"{HERE}/posts/6"],
            f"{HERE}/users/1",
            "look at these",
        ),
        (  # as Mastodon sends one about an account
            {"actor": "https://social.example/actor", "content": "", "object": [f"{HERE}/users/1"]},
            "Application",
            [f"{HERE}/users/1"],
            f"{HERE}/users/1",
            None,
        ),
        (  # as Lemmy sends it
            {"actor": "https://lemmy.example/u/a", "summary": "off topic", "object": f"{HERE}/posts/5"},
            "Person",
            [f"{HERE}/posts/5"],
            None,
            "off topic",
        ),
        (  # as Mbin sends it
            {
                "actor": "https://mbin.example/u/a",
                "summary": "s",
                "content": "c",
                "object": [f"{HERE}/posts/5", f"{HERE}/users/1"],
            },
            "Person",
            [f"{HERE}/posts/5"],
            f"{HERE}/users/1",
            "c",
        ),
    ],
)
def test_activitypub(
    activity: dict[str, Any], actor_type: str, targets: list[str], author: str | None, text: str | None
) -> None:
    title = "ActivityPub `Flag`"
    (program,) = re.findall(r"```python\n(.*?)```", section(title), re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(program, "by-field-map.md", "exec"), names)
    made = names["complaints"](
        {"type": "Flag", "id": "https://social.example/flags/1", **activity},
        "2026-11-27T10:00:00Z",
        actor_type,
        lambda address: "/users/" in address,
    )
    items = taken(title, made)
    assert [item["target"]["id"] for item in items] == targets
    assert len({item["id"] for item in items}) == len(targets)
    for item in items:
        assert item["target"].get("author_id") == author and item.get("text") == text
        assert item["reporter"]["id"] == activity["actor"]
        assert item.get("machine", False) is (actor_type == "Application")
