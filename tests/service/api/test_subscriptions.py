"""Subscriptions over HTTP: what is shown once, what is refused, the log, sending again, and other people's ids."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from conftest import Api, RedisClients
from sqlalchemy import insert, select, update

from service.moderation.events import EVENT_TYPES, Event
from service.settings import Settings
from service.storage.accounts.secret_box import SecretBox
from service.storage.accounts.tenants import tenant_id
from service.storage.sql import schema, timers
from service.storage.sql.engine import write
from service.storage.webhooks.outbox import record

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
NOW_US = int(NOW.timestamp()) * 1_000_000
URL = "https://comments.example/hooks"


@pytest.fixture
def desk(fake_redis: RedisClients, make_api: Callable[..., Api], settings: Settings) -> Api:
    """The API with two tenants, at a fixed time, with one address inside opened."""
    api = make_api(fake_redis, replace(settings, outbound_allow="10.1.0.0/16:8443"))
    api.key("default")
    api.key("other")
    api.app.state.api.now = lambda: NOW
    return api


def create(desk: Api, tenant: str = "default", **fields: Any) -> Any:
    return desk.post("/v1/subscriptions", tenant=tenant, json={"url": URL, **fields}).json()


def patch(desk: Api, subscription: str, tenant: str = "default", **fields: Any) -> Any:
    return desk.request("PATCH", f"/v1/subscriptions/{subscription}", tenant=tenant, json=fields)


def happens(desk: Api, *keys: str, tenant: str = "default", at_us: int = NOW_US) -> None:
    with write(desk.engine) as connection:
        record(
            connection,
            tenant_id(desk.engine, tenant),
            [Event("cluster.flagged", key, {"cluster_id": key}) for key in keys],
            at_us,
        )


def log(desk: Api, subscription: str, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = desk.get(f"/v1/subscriptions/{subscription}/deliveries{query}").json()["items"]
    return found


def test_a_secret_is_shown_on_creation_alone_and_is_sealed_in_the_database(desk: Api) -> None:
    answer = desk.post(
        "/v1/subscriptions",
        json={
            "url": URL,
            "events": ["target.hold", "cluster.flagged", "target.hold"],
            "description": "comment section",
        },
    )
    assert answer.status_code == 201
    made = answer.json()
    assert answer.headers["location"] == f"/v1/subscriptions/{made['id']}"
    secret = made.pop("secret")
    assert secret.startswith("whsec_") and len(base64.b64decode(secret[6:], validate=True)) == 32
    assert made == {
        "id": made["id"],
        "url": URL,
        "format": "brigadewatch",
        "quiet_hours": "",
        "time_zone": "UTC",
        "events": ["target.hold", "cluster.flagged"],
        "description": "comment section",
        "created_at": "2026-11-22T12:00:00Z",
        "enabled": True,
        "disabled_at": None,
        "disabled_because": None,
        "previous_secret_until": None,
    }
    assert desk.get(f"/v1/subscriptions/{made['id']}").json() == made
    assert desk.get("/v1/subscriptions").json() == {"items": [made], "next_cursor": None}
    with desk.engine.connect() as connection:
        row = connection.execute(select(schema.subscriptions)).one()
        audit = connection.execute(select(schema.audit_trail).where(schema.audit_trail.c.action != "key-created")).one()
    assert secret not in str(row) and secret[6:] not in str(row)
    assert SecretBox(desk.settings).open(row.secret) == secret
    assert secret not in str(audit)
    assert (audit.actor, audit.action, audit.subject) == ("test", "subscription.created", f"subscription:{made['id']}")


def test_a_new_secret_is_shown_once_and_the_old_one_signs_for_a_day_more(desk: Api) -> None:
    made = create(desk)
    rotated = patch(desk, made["id"], rotate_secret=True)
    assert rotated.status_code == 200
    assert rotated.json()["secret"] not in (made["secret"], None)
    assert rotated.json()["previous_secret_until"] == "2026-11-23T12:00:00Z"
    shown = desk.get(f"/v1/subscriptions/{made['id']}").json()
    assert "secret" not in shown
    with desk.engine.connect() as connection:
        row = connection.execute(select(schema.subscriptions)).one()
    box = SecretBox(desk.settings)
    assert (box.open(row.secret), box.open(row.previous_secret)) == (rotated.json()["secret"], made["secret"])
    desk.app.state.api.now = lambda: NOW + timedelta(hours=24)
    assert desk.get(f"/v1/subscriptions/{made['id']}").json()["previous_secret_until"] is None
    assert "secret" not in patch(desk, made["id"], rotate_secret=False).json()


def test_what_is_named_changes_and_the_rest_stays(desk: Api) -> None:
    made = create(desk, events=["target.hold"], description="one")
    assert patch(desk, made["id"]).json()["events"] == ["target.hold"]
    changed = patch(desk, made["id"], url="https://10.1.2.3:8443/x", events=[], description=None).json()
    assert (changed["url"], changed["events"], changed["description"], "secret" in changed) == (
        "https://10.1.2.3:8443/x",
        [],
        "one",
        False,
    )


def test_disabled_by_hand_it_keeps_what_waits_and_enabled_it_sends_that(desk: Api) -> None:
    made = create(desk)
    happens(desk, "k1")
    off = patch(desk, made["id"], enabled=False).json()
    assert (off["enabled"], off["disabled_at"], off["disabled_because"]) == (
        False,
        "2026-11-22T12:00:00Z",
        "disabled by test",
    )
    assert [(line["state"], line["next_attempt_at"]) for line in log(desk, made["id"])] == [("pending", None)]
    happens(desk, "k2")
    assert patch(desk, made["id"], enabled=False).json() == off
    [line] = log(desk, made["id"])
    refused = desk.post(f"/v1/subscriptions/{made['id']}/deliveries/{line['id']}/replay")
    assert (refused.status_code, "enable it first" in refused.json()["detail"]) == (409, True)
    on = patch(desk, made["id"], enabled=True).json()
    assert (on["enabled"], on["disabled_because"]) == (True, None)
    assert [(line["state"], line["next_attempt_at"]) for line in log(desk, made["id"])] == [
        ("pending", "2026-11-22T12:00:00Z")
    ]
    with desk.engine.connect() as connection:
        assert timers.due(connection, NOW_US) == [("deliver", "default")]


def test_a_deleted_one_is_gone_and_what_waited_is_cancelled(desk: Api) -> None:
    made = create(desk)
    happens(desk, "k1")
    answer = desk.request("DELETE", f"/v1/subscriptions/{made['id']}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert desk.request("DELETE", f"/v1/subscriptions/{made['id']}").status_code == 404
    assert desk.get(f"/v1/subscriptions/{made['id']}").status_code == 404
    assert desk.get(f"/v1/subscriptions/{made['id']}/deliveries").status_code == 404
    with desk.engine.connect() as connection:
        assert connection.scalars(select(schema.deliveries.c.state)).all() == ["cancelled"]


def test_the_log_has_every_attempt_and_is_read_page_by_page(desk: Api) -> None:
    made = create(desk)
    for number in range(5):
        happens(desk, f"k{number}", at_us=NOW_US + number)
    with write(desk.engine) as connection:
        newest = connection.scalars(
            select(schema.deliveries.c.id).order_by(schema.deliveries.c.created_us.desc())
        ).all()
        for status, error in ((503, None), (None, "ConnectTimeout: no answer")):
            connection.execute(
                insert(schema.delivery_attempts).values(
                    delivery_id=newest[0], tenant_id=1, at_us=NOW_US, seconds=0.12345, status=status, error=error
                )
            )
        connection.execute(
            update(schema.deliveries)
            .where(schema.deliveries.c.id == newest[1])
            .values(state="delivered", next_us=None, finished_us=NOW_US)
        )
    first = desk.get(f"/v1/subscriptions/{made['id']}/deliveries?limit=2")
    assert [item["id"] for item in first.json()["items"]] == newest[:2]
    assert first.json()["items"][0]["attempts"] == [
        {"at": "2026-11-22T12:00:00Z", "seconds": 0.123, "status": 503, "error": None},
        {"at": "2026-11-22T12:00:00Z", "seconds": 0.123, "status": None, "error": "ConnectTimeout: no answer"},
    ]
    seen, path = newest[:2], first.headers["link"].split(">")[0].strip("<")
    while path:
        answer = desk.get(path)
        seen = seen + [item["id"] for item in answer.json()["items"]]
        path = answer.headers.get("link", "").split(">")[0].strip("<")
    assert seen == newest
    assert [item["id"] for item in log(desk, made["id"], "?state=delivered")] == [newest[1]]
    paged = desk.get(f"/v1/subscriptions/{made['id']}/deliveries?state=pending&limit=1").json()
    assert (
        desk.get(f"/v1/subscriptions/{made['id']}/deliveries?state=failed&cursor={paged['next_cursor']}").status_code
        == 400
    )
    assert [
        i["state"]
        for i in desk.get(f"/v1/subscriptions/{made['id']}/deliveries?cursor={paged['next_cursor']}").json()["items"]
    ] == ["pending"] * 3
    other = create(desk)
    assert desk.get(f"/v1/subscriptions/{other['id']}/deliveries?cursor={paged['next_cursor']}").status_code == 400
    assert log(desk, other["id"]) == []


def test_subscriptions_are_listed_page_by_page_in_the_order_of_their_making(desk: Api) -> None:
    made = []
    for second in range(5):
        desk.app.state.api.now = lambda second=second: NOW + timedelta(seconds=second)
        made.append(create(desk)["id"])
    create(desk, tenant="other")
    first = desk.get("/v1/subscriptions?limit=3")
    assert [item["id"] for item in first.json()["items"]] == made[:3]
    second = desk.get(first.headers["link"].split(">")[0].strip("<"))
    assert ([item["id"] for item in second.json()["items"]], second.json()["next_cursor"]) == (made[3:], None)
    assert desk.get("/v1/subscriptions?cursor=nonsense").status_code == 400


def test_a_replay_is_due_at_once_with_the_attempts_of_before_in_its_log(desk: Api) -> None:
    made = create(desk)
    happens(desk, "k1")
    [line] = log(desk, made["id"])
    with write(desk.engine) as connection:
        connection.execute(update(schema.deliveries).values(state="failed", attempts=10, next_us=None, finished_us=1))
        timers.move_to(connection, tenant_id(desk.engine, "default"), "deliver", None)
    answer = desk.post(f"/v1/subscriptions/{made['id']}/deliveries/{line['id']}/replay")
    assert answer.status_code == 202
    assert (answer.json()["state"], answer.json()["next_attempt_at"], answer.json()["event_id"]) == (
        "pending",
        "2026-11-22T12:00:00Z",
        line["event_id"],
    )
    with desk.engine.connect() as connection:
        assert timers.due(connection, NOW_US) == [("deliver", "default")]
        assert connection.scalar(select(schema.deliveries.c.attempts)) == 0


def test_another_tenant_s_subscription_answers_byte_for_byte_like_one_that_never_was(desk: Api) -> None:
    theirs = create(desk, tenant="other")["id"]
    mine = create(desk)["id"]
    happens(desk, "k1", tenant="other")
    delivery = desk.get(f"/v1/subscriptions/{theirs}/deliveries", tenant="other").json()["items"][0]["id"]
    calls = [
        ("GET", "/v1/subscriptions/{}", None),
        ("PATCH", "/v1/subscriptions/{}", {"enabled": False, "rotate_secret": True}),
        ("GET", "/v1/subscriptions/{}/deliveries", None),
        ("POST", f"/v1/subscriptions/{{}}/deliveries/{delivery}/replay", None),
        ("DELETE", "/v1/subscriptions/{}", None),
    ]
    for method, path, body in calls:
        found = [desk.request(method, path.format(one), json=body) for one in (theirs, "sub_nosuch")]
        assert [answer.status_code for answer in found] == [404, 404], (method, path)
        assert found[0].content == found[1].content
        assert set(found[0].headers.items()) == set(found[1].headers.items())
    borrowed, unknown = (
        desk.post(f"/v1/subscriptions/{mine}/deliveries/{one}/replay") for one in (delivery, "dlv_nosuch")
    )
    assert (borrowed.status_code, borrowed.content) == (404, unknown.content)
    assert desk.get(f"/v1/subscriptions/{theirs}", tenant="other").json()["enabled"] is True
    assert [item["id"] for item in desk.get("/v1/subscriptions").json()["items"]] == [mine]


def test_every_call_needs_the_scope_admin(desk: Api) -> None:
    made = create(desk)["id"]
    for method, path in (
        ("GET", "/v1/subscriptions"),
        ("POST", "/v1/subscriptions"),
        ("GET", f"/v1/subscriptions/{made}"),
        ("PATCH", f"/v1/subscriptions/{made}"),
        ("DELETE", f"/v1/subscriptions/{made}"),
        ("GET", f"/v1/subscriptions/{made}/deliveries"),
        ("POST", f"/v1/subscriptions/{made}/deliveries/d/replay"),
    ):
        assert (
            desk.request(method, path, key=desk.key("default", "ingest", "read", "moderate"), content=b"{").status_code
            == 403
        ), (method, path)
        assert desk.request(method, path, key="bw_none", content=b"{").status_code == 401, (method, path)


WRONG: list[tuple[Any, str]] = [
    ({}, "/url"),
    ({"url": None}, "/url"),
    ({"url": 5}, "/url"),
    ({"url": ""}, "/url"),
    ({"url": "https://" + "a" * 2050}, "/url"),
    ({"url": URL, "extra": 1}, "/extra"),
    ([], ""),
    ("x", ""),
    (7, ""),
    ({"url": URL, "events": "cluster.flagged"}, "/events"),
    ({"url": URL, "events": ["cluster.exploded"]}, "/events/0"),
    ({"url": URL, "events": [None]}, "/events/0"),
    ({"url": URL, "events": ["target.hold"] * 51}, "/events"),
    ({"url": URL, "events": None}, "/events"),
    ({"url": URL, "description": "x" * 257}, "/description"),
    ({"url": URL, "description": "a\u0000b"}, "/description"),
    ({"url": URL, "description": "a\u009bb"}, "/description"),
    ({"url": URL, "secret": "whsec_mine"}, "/secret"),
    ({"url": "http://127.0.0.1/"}, "/url"),
    ({"url": "http://169.254.169.254/latest"}, "/url"),
    ({"url": "https://10.1.2.3/"}, "/url"),
    ({"url": "https://10.2.2.3:8443/"}, "/url"),
    ({"url": "http://localhost:8000/"}, "/url"),
    ({"url": "http://[::1]/"}, "/url"),
    ({"url": "http://2130706433/"}, "/url"),
    ({"url": "ftp://example.org/"}, "/url"),
    ({"url": "example.org"}, "/url"),
    ({"url": "https://user:pass@example.org/"}, "/url"),
    ({"url": "https://example.org/\n"}, "/url"),
    ({"url": "javascript:alert(1)"}, "/url"),
    ({"url": "http://\u0000/"}, "/url"),
    ({"url": "https://example.org:99999/"}, "/url"),
    ({"url": "http://[fe80::1%25eth0]/"}, "/url"),
]


def test_what_does_not_fit_is_pointed_at_and_nothing_is_made(desk: Api) -> None:
    for body, pointer in WRONG:
        answer = desk.post("/v1/subscriptions", json=body)
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), body
        assert answer.json()["errors"][0]["pointer"] == pointer, body
    assert desk.get("/v1/subscriptions").json()["items"] == []


WRONG_CHANGES: list[dict[str, Any]] = [
    {"url": "http://127.0.0.1/"},
    {"url": 1},
    {"events": ["x"]},
    {"events": {}},
    {"enabled": "yes"},
    {"enabled": 1},
    {"rotate_secret": "true"},
    {"description": 3},
    {"id": "sub_1"},
    {"secret": "whsec_x"},
    {"disabled_because": ""},
]


def test_a_change_that_does_not_fit_changes_nothing(desk: Api) -> None:
    made = create(desk)
    made.pop("secret")
    for fields in WRONG_CHANGES:
        answer = patch(desk, made["id"], **{"description": "changed", **fields})
        assert answer.status_code == 422, fields
        assert answer.json()["errors"][0]["pointer"].startswith(f"/{next(iter(fields))}"), fields
    assert desk.get(f"/v1/subscriptions/{made['id']}").json() == made


JSON = {"Content-Type": "application/json"}
UNREADABLE: list[tuple[bytes, dict[str, str], int]] = [
    (b"", JSON, 400),
    (b"{", JSON, 400),
    (b"\xff\xfe", JSON, 400),
    (b"{}", {"Content-Type": "text/plain"}, 415),
    (b"{}", {**JSON, "Content-Encoding": "br"}, 415),
    (b'{"url":"\\ud800"}', JSON, 400),
    (b"[" * 5000, JSON, 400),
    (b" " * (9 * 1024 * 1024), JSON, 413),
]


def test_a_body_that_is_none_is_refused(desk: Api) -> None:
    made = create(desk)["id"]
    for content, headers, status in UNREADABLE:
        for method, path in (("POST", "/v1/subscriptions"), ("PATCH", f"/v1/subscriptions/{made}")):
            answer = desk.request(method, path, content=content, headers=headers)
            assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), (
                content[:20]
            )


def test_a_tenant_has_a_hundred_at_most(desk: Api) -> None:
    with write(desk.engine) as connection:
        rows = [
            {
                "id": f"sub_{n}",
                "tenant_id": tenant_id(desk.engine, "default"),
                "url": URL,
                "events": "[]",
                "secret": "s",
                "created_us": n,
            }
            for n in range(100)
        ]
        connection.execute(insert(schema.subscriptions), rows)
    answer = desk.post("/v1/subscriptions", json={"url": URL})
    assert (answer.status_code, "100" in answer.json()["detail"]) == (409, True)
    assert desk.post("/v1/subscriptions", tenant="other", json={"url": URL}).status_code == 201


def test_hostile_ids_are_unknown_or_no_ids(desk: Api) -> None:
    for identifier in ("%00", "%FF", "x" * 129, "..", "%2e%2e", "a%2Fb", "'%20OR%201=1"):
        for path in (f"/v1/subscriptions/{identifier}", f"/v1/subscriptions/{identifier}/deliveries"):
            assert desk.get(path, raw_path=path.encode()).status_code in (404, 422), path


def test_the_document_describes_every_call_with_its_scope_and_types_of_events(desk: Api) -> None:
    document = desk.get("/openapi.json").json()
    assert document["components"]["schemas"]["NewSecret"]["properties"]["secret"]
    for path, methods in {
        "/v1/subscriptions": ("get", "post"),
        "/v1/subscriptions/{id}": ("get", "patch", "delete"),
        "/v1/subscriptions/{id}/deliveries": ("get",),
        "/v1/subscriptions/{id}/deliveries/{delivery}/replay": ("post",),
    }.items():
        for method in methods:
            assert document["paths"][path][method]["x-scope"] == "admin"
    body = document["paths"]["/v1/subscriptions"]["post"]["requestBody"]["content"]["application/json"]
    assert all(kind in json.dumps(body["schema"]) for kind in EVENT_TYPES)
