"""The audit trail outside: the list, and the event of each entry."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from conftest import Api
from listening import listening

from service.moderation.events import DEFAULT_TYPES, Event
from service.storage.accounts import audit_log
from service.storage.accounts.tenants import tenant_id
from service.storage.detection import allow_list
from service.storage.privacy.erasure_rewrite import ErasureRewrite
from service.storage.sql import schema
from service.storage.sql.engine import write
from service.storage.webhooks import outbox, subscriptions

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
NOW_US = int(NOW.timestamp()) * 1_000_000
URL = "https://siem.example/hooks"


@pytest.fixture
def desk(api: Api) -> Api:
    for tenant in ("default", "other"):
        api.key(tenant)
    api.app.state.api.now = lambda: NOW
    with write(api.engine) as connection:
        connection.execute(sa.delete(schema.audit_trail))
    return api


def enter(desk: Api, count: int = 1, tenant: str = "default", **values: Any) -> None:
    number = tenant_id(desk.engine, tenant)
    with write(desk.engine) as connection:
        for place in range(count):
            given = {
                "actor": "anna",
                "action": "key-created",
                "subject": f"key:{place}",
                "now_us": NOW_US + place,
            } | values
            audit_log.enter(connection, number, detail={"n": place}, **given)


def subscribe(desk: Api, events: list[str], tenant: str = "default") -> str:
    answer = desk.post("/v1/subscriptions", tenant=tenant, json={"url": URL, "events": events})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def sent(desk: Api, subscription: str) -> list[dict[str, Any]]:
    """The audit events that wait for the subscription, oldest first."""
    e, d = schema.events.c, schema.deliveries.c
    with desk.engine.connect() as connection:
        rows = connection.execute(
            sa.select(e.type, e.data)
            .join(schema.deliveries, d.event_id == e.id)
            .where(d.subscription_id == subscription)
        ).all()
    found = [json.loads(row.data) for row in rows if row.type == "audit.recorded"]
    return sorted(found, key=lambda one: int(one["id"]))  # they have the same time, and deliveries drawn ids


@pytest.mark.parametrize("sort", ["-at", "at"])
def test_the_list_is_read_to_its_end_in_either_order(desk: Api, sort: str) -> None:
    enter(desk, 7)
    enter(desk, 2, tenant="other")
    found, query = [], f"sort={sort}&limit=3&actor=anna"
    while True:
        page = desk.get(f"/v1/audit-log?{query}").json()
        found += [one["detail"]["n"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        enter(desk, 1, now_us=NOW_US + 99, actor="ben")  # what is added meanwhile repeats and hides nothing
        query = f"cursor={page['next_cursor']}&limit=3"
    assert found == (list(range(7)) if sort == "at" else list(range(6, -1, -1)))


def test_an_entry_says_who_did_what_to_what(desk: Api) -> None:
    enter(desk)
    (item,) = desk.get("/v1/audit-log").json()["items"]
    assert item.pop("id").isdigit()
    assert item == {
        "at": "2026-11-22T12:00:00Z",
        "actor": "anna",
        "action": "key-created",
        "subject": "key:0",
        "detail": {"n": 0},
    }


def test_filters_restrict_the_list(desk: Api) -> None:
    enter(desk, 1, actor="anna", action="sign-in", subject="user:anna")
    enter(desk, 1, actor="ben", action="sign-in", subject="user:ben", now_us=NOW_US + 1_000_000)
    enter(desk, 1, actor="ben", action="user-role", subject="user:anna", now_us=NOW_US + 2_000_000)

    def actions(query: str) -> list[str]:
        answer = desk.get(f"/v1/audit-log?sort=at&{query}")
        assert answer.status_code == 200, answer.text
        return [f"{one['actor']} {one['action']}" for one in answer.json()["items"]]

    assert actions("actor=ben") == ["ben sign-in", "ben user-role"]
    assert actions("action=sign-in&actor=anna") == ["anna sign-in"]
    assert actions("subject=anna") == ["anna sign-in", "ben user-role"]
    assert actions("subject=%25") == []
    assert actions("since=2026-11-22T12:00:01Z&until=2026-11-22T12:00:02Z") == ["ben sign-in"]
    backwards = desk.get("/v1/audit-log?since=2026-11-22T12:00:01Z&until=2026-11-22T12:00:01Z")
    assert (backwards.status_code, backwards.json()["errors"][0]["pointer"]) == (422, "/since")
    assert desk.get("/v1/audit-log?sort=id").status_code == 422
    assert desk.get("/v1/audit-log?aktor=x").status_code == 422
    cursor = desk.get("/v1/audit-log?limit=1&actor=ben").json()["next_cursor"]
    assert desk.get(f"/v1/audit-log?cursor={cursor}&actor=anna").status_code == 400


def test_a_forged_cursor_is_refused(desk: Api) -> None:
    from service.storage.sql.cursors import Page, write_cursor

    for filters in ({"since_us": "x"}, {"until_us": "9" * 30}, {"since_us": "\u0663"}):
        forged = write_cursor(Page("audit-log", "-at", filters, (5,)))
        assert desk.get(f"/v1/audit-log?cursor={forged}").status_code == 400


@pytest.mark.parametrize("scope", ["ingest", "read", "moderate"])
def test_only_an_administrators_key_reads_the_list_or_subscribes(desk: Api, scope: str) -> None:
    key = desk.key("default", scope)
    assert desk.get("/v1/audit-log", key=key).status_code == 403
    refused = desk.post("/v1/subscriptions", key=key, json={"url": URL, "events": ["audit.recorded"]})
    assert refused.status_code == 403


def test_entries_are_sent_to_whoever_names_the_event_and_to_nobody_else(desk: Api) -> None:
    everything, siem, theirs = (
        subscribe(desk, []),
        subscribe(desk, ["audit.recorded"]),
        subscribe(desk, ["audit.recorded"], "other"),
    )
    before = len(sent(desk, siem))
    enter(desk, 3)
    assert [one["detail"] for one in sent(desk, siem)[before:]] == [{"n": 0}, {"n": 1}, {"n": 2}]
    assert sent(desk, everything) == [] and len(sent(desk, theirs)) == 1, "their own creation"
    listed = desk.get("/v1/audit-log?action=key-created&sort=at").json()["items"]
    assert sent(desk, siem)[before:] == listed, "the event holds what the list does"
    with desk.engine.connect() as connection:
        due = connection.scalar(
            sa.select(schema.timers.c.work).where(schema.timers.c.tenant_id == 1, schema.timers.c.work == "deliver")
        )
    assert due == "deliver"


def test_without_such_a_subscription_the_trail_is_not_stored_twice(desk: Api) -> None:
    subscribe(desk, [])
    subscribe(desk, list(DEFAULT_TYPES))
    enter(desk, 3)
    with desk.engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(schema.events)) == 0


def test_an_entry_that_is_rolled_back_is_not_sent(desk: Api) -> None:
    siem = subscribe(desk, ["audit.recorded"])
    before = sent(desk, siem)
    with pytest.raises(ZeroDivisionError), write(desk.engine) as connection:
        audit_log.enter(connection, 1, actor="a", action="b", subject="c:d", now_us=NOW_US)
        raise ZeroDivisionError
    assert sent(desk, siem) == before


def test_sending_makes_no_entry_and_a_subscription_reports_its_own_making_once(desk: Api) -> None:
    siem = subscribe(desk, ["audit.recorded"])
    assert [one["action"] for one in sent(desk, siem)] == ["subscription.created"]
    other = subscribe(desk, ["audit.recorded"])
    for _ in range(3):  # failing receivers are disabled once each; a disabled one hears nothing more
        for one in (siem, other):
            with write(desk.engine) as connection:
                subscriptions.disable(connection, 1, one, "they failed", by="delivery", now_us=NOW_US)
    assert [one["action"] for one in sent(desk, siem)] == ["subscription.created", "subscription.created"]
    assert [one["action"] for one in sent(desk, other)] == ["subscription.created", "subscription.disabled"]
    desk.get("/v1/audit-log")
    desk.get(f"/v1/subscriptions/{siem}/deliveries")
    with desk.engine.connect() as connection:
        count = connection.scalar(sa.select(sa.func.count()).select_from(schema.audit_trail))
    assert count == 4, "two were made, two were disabled; reading the list is not an entry"


def test_no_secret_leaves_with_an_entry(desk: Api) -> None:
    siem = subscribe(desk, ["audit.recorded"])
    made = desk.post("/v1/subscriptions", json={"url": URL}).json()
    rotated = desk.request("PATCH", f"/v1/subscriptions/{made['id']}", json={"rotate_secret": True}).json()
    text = json.dumps(sent(desk, siem)) + desk.get("/v1/audit-log").text
    assert made["secret"] not in text and rotated["secret"] not in text


def test_an_erased_reporter_is_in_no_entry_and_no_event(desk: Api) -> None:
    siem = subscribe(desk, ["audit.recorded"])
    vera = "vera.blum@7"
    with write(desk.engine) as connection:
        allow_list.allow(connection, 1, vera, note=f"{vera} reports spam", by="ann", now_us=NOW_US)
        outbox.record(connection, 1, [Event("cluster.flagged", "k", {"subject": "reporter of things"})], NOW_US)
    assert vera in json.dumps(sent(desk, siem))
    rewrite = ErasureRewrite(1, {vera: "erased-1"})
    found = rewrite.find(desk.engine)
    with write(desk.engine) as connection:
        rewrite.apply(connection, found)
    text = json.dumps(sent(desk, siem)) + desk.get("/v1/audit-log").text
    assert vera not in text and "reporter:erased-1" in text


def test_the_script_of_the_guide_prints_each_entry_once(desk: Api, tmp_path: Path) -> None:
    guide = Path(__file__).parents[3] / "docs" / "how-to" / "send-the-audit-trail-to-a-siem.md"
    script = re.search(r"```python\n(.*?)```", guide.read_text(), re.DOTALL)
    assert script is not None
    enter(desk, 130, action="before")
    with listening(desk.app) as port:
        settings = {"API": f"http://127.0.0.1:{port}", "ADMIN_KEY": desk.key("default"), "STATE": f"{tmp_path}/state"}

        def printed() -> list[str]:
            done = subprocess.run(
                [sys.executable, "-c", script[1]], capture_output=True, text=True, timeout=60, env=os.environ | settings
            )
            assert done.returncode == 0, done.stderr
            return [json.loads(line)["action"] for line in done.stdout.splitlines()]

        first = printed()
        assert first.count("before") == 130
        assert printed() == []
        enter(desk, 1, action="late", now_us=NOW_US - 60_000_000)  # committed after later ones
        enter(desk, 1, action="new", now_us=NOW_US + 60_000_000)
        assert sorted(printed()) == ["late", "new"]
        assert printed() == []


def test_the_timer_of_deliveries_is_locked_last(desk: Api) -> None:
    subscribe(desk, ["audit.recorded"])
    waiting = sa.select(sa.func.count()).select_from(schema.timers).where(schema.timers.c.work == "deliver")
    with write(desk.engine) as connection:
        connection.execute(sa.delete(schema.timers))
        audit_log.enter(connection, 1, actor="a", action="b", subject="c:d", now_us=NOW_US)
        assert connection.scalar(waiting) == 0, "a transaction that goes on to lock other rows must not hold it"
    with desk.engine.connect() as connection:
        assert connection.scalar(waiting) == 1
