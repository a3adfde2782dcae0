"""Subscriptions of a chat format over HTTP: their address is a secret, and what does not fit them is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from conftest import Api, RedisClients
from sqlalchemy import select

from service.settings import Settings
from service.storage.accounts.secret_box import SecretBox
from service.storage.sql import schema

SLACK = "https://hooks.slack.com/services/T000/B000/XXXXXXXXsecret"
ROOM = "https://matrix.example.org/!room:example.org"


@pytest.fixture
def desk(fake_redis: RedisClients, make_api: Callable[..., Api], settings: Settings) -> Api:
    api = make_api(fake_redis, settings)
    api.key("default")
    return api


def create(desk: Api, **fields: Any) -> Any:
    return desk.post("/v1/subscriptions", json={"url": SLACK, "format": "slack", **fields})


def stored(desk: Api) -> Any:
    with desk.engine.connect() as connection:
        return connection.execute(select(schema.subscriptions)).one()


def test_the_address_of_a_room_is_sealed_and_shown_nowhere(desk: Api) -> None:
    answer = create(desk, quiet_hours="22:00-07:00", time_zone="Europe/Berlin")
    made = answer.json()
    assert answer.status_code == 201 and "secret" not in made
    assert made["url"] == "https://hooks.slack.com/…cret"
    assert made["events"] == ["cluster.flagged", "target.hold"]
    assert (made["format"], made["quiet_hours"], made["time_zone"]) == ("slack", "22:00-07:00", "Europe/Berlin")
    row = stored(desk)
    assert json.loads(SecretBox(desk.settings).open(row.secret)) == {"url": SLACK, "token": ""}
    with desk.engine.connect() as connection:
        trail = str(connection.execute(select(schema.audit_trail)).all())
    listed = desk.get("/v1/subscriptions").text
    assert "XXXXXXXX" not in trail + listed + str(row)


def test_a_matrix_room_has_a_token_which_changes_with_its_address(desk: Api) -> None:
    made = create(desk, url=ROOM, format="matrix", token="syt_one").json()
    assert made["url"] == ROOM and "syt_one" not in str(made)
    there = f"/v1/subscriptions/{made['id']}"
    assert desk.request("PATCH", there, json={"url": ROOM}).status_code == 422
    assert desk.request("PATCH", there, json={"token": "syt_two"}).status_code == 422
    assert desk.request("PATCH", there, json={"url": ROOM, "token": "syt_two"}).status_code == 200
    assert json.loads(SecretBox(desk.settings).open(stored(desk).secret))["token"] == "syt_two"


def test_quiet_hours_and_zone_change_and_end(desk: Api) -> None:
    there = f"/v1/subscriptions/{create(desk).json()['id']}"
    changed = desk.request("PATCH", there, json={"quiet_hours": "23:00-06:30", "time_zone": "Asia/Tokyo"}).json()
    assert (changed["quiet_hours"], changed["time_zone"]) == ("23:00-06:30", "Asia/Tokyo")
    assert desk.request("PATCH", there, json={"events": []}).json()["quiet_hours"] == "23:00-06:30"
    assert desk.request("PATCH", there, json={"quiet_hours": ""}).json()["quiet_hours"] == ""


@pytest.mark.parametrize(
    "fields",
    [
        {"format": "teams"},
        {"token": "a token"},
        {"url": "https://hooks.slack.com/"},
        {"url": "http://169.254.169.254/a/b/c"},
        {"events": ["reporter.warn_suggested"]},
        {"events": ["cluster.flagged", "audit.recorded"]},
        {"quiet_hours": "22:00"},
        {"quiet_hours": "22:00-22:00"},
        {"quiet_hours": "25:00-07:00"},
        {"time_zone": "Berlin"},
        {"format": "matrix", "url": ROOM},
        {"format": "brigadewatch", "quiet_hours": "22:00-07:00"},
        {"format": "brigadewatch", "token": "x"},
    ],
)
def test_what_does_not_fit_is_refused_and_repeats_no_secret(desk: Api, fields: dict[str, Any]) -> None:
    answer = create(desk, **fields)
    assert answer.status_code == 422 and "XXXXXXXX" not in answer.text
    assert desk.get("/v1/subscriptions").json()["items"] == []


def test_a_room_has_no_signing_secret_to_rotate(desk: Api) -> None:
    there = f"/v1/subscriptions/{create(desk).json()['id']}"
    assert desk.request("PATCH", there, json={"rotate_secret": True}).status_code == 422
