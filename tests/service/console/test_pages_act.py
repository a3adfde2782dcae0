"""What people change on these pages: a decision taken back, a word about a removal, a suggested warning, dead
letters.
"""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from case_world import put_cluster
from conftest import Api
from console_pages import furnish, texts
from console_world import Visitor, put_user, sign_in

from service.api.api_context import ApiContext
from service.console import operations
from service.console import restorations as page
from service.model import DecisionRequest, microseconds
from service.ops.worker_metrics import record_job
from service.ops.workers import Machinery, RedisState
from service.storage.accounts.tenants import tenant_id
from service.storage.cases import case_decisions
from service.storage.complaints.archive_reader import outcomes_of
from service.storage.redis_store import redis_keys
from service.storage.sql import schema
from service.storage.sql.engine import write
from service.storage.sql.hashing import key_of
from workers import ingest
from workers.resources import Resources


@pytest.fixture
def moderator(api: Api, monkeypatch: pytest.MonkeyPatch) -> Visitor:
    monkeypatch.setattr(page, "_SETTLE_SECONDS", 0.0)  # nothing detects here
    person = sign_in(api)
    furnish(api)
    with write(api.engine) as connection:
        connection.execute(sa.delete(schema.decisions))
    return person


def decide(api: Api, verdict: str = "coordinated", version: int = 1) -> str:
    api: ApiContext = api.app.state.api
    with write(api.engine) as connection:
        made = f"d-{version}{verdict[:3]}"
        request = DecisionRequest(verdict=verdict, reason_code="brigade", version=version)  # type: ignore[arg-type]
        case_decisions.record_decision(
            connection, tenant_id(api.engine, "default"), "k-1", request, decision_id=made, by="bea", now=api.now()
        )
    return made


def rows(api: Api, table: Any) -> list[Any]:
    with api.engine.connect() as connection:
        return list(connection.execute(sa.select(table)).mappings())


def version_on(answer: Any) -> str:
    found = re.search(r'name="version" value="(\d+)"', answer.text)
    assert found is not None, texts(answer.text)
    return found[1]


def test_undoing_a_decision_adds_a_new_one_after_a_preview_of_its_effect(moderator: Visitor) -> None:
    made = decide(moderator.api)
    form = moderator.get(f"/console/decisions/{made}/reverse")
    assert "Case decided, coordinated open" in texts(form.text)
    assert "Complaints not counted, on 2 targets 2.0 1.4" in texts(form.text)
    answer = moderator.post(
        f"/console/decisions/{made}/reverse", {"version": version_on(form), "note": " I was wrong "}
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/decisions")
    first, second = rows(moderator.api, schema.decisions)
    assert (second["reverses"], second["verdict"], second["by"], second["note"]) == (
        first["id"],
        "coordinated",
        "anna",
        "I was wrong",
    )
    (case,) = rows(moderator.api, schema.clusters)
    assert (case["status"], case["verdict"], case["changed_by"]) == ("open", None, "anna")
    assert moderator.api.redis.blocking.smembers(redis_keys.TENANTS_DIRTY) == {b"default"}
    log = texts(moderator.get("/console/decisions").text)
    assert "Undone. The case is now open." in log
    assert "no longer in force" in log
    again = moderator.get(f"/console/decisions/{made}/reverse")
    assert "reversed already" in texts(again.text)
    undo = moderator.get(f"/console/decisions/{second['id']}/reverse")
    moderator.post(f"/console/decisions/{second['id']}/reverse", {"version": version_on(undo)})
    (case,) = rows(moderator.api, schema.clusters)
    assert case["verdict"] == "coordinated"


def test_undoing_a_case_changed_by_someone_else_names_them_and_keeps_the_note(moderator: Visitor) -> None:
    made = decide(moderator.api)
    version = version_on(moderator.get(f"/console/decisions/{made}/reverse"))
    decide(moderator.api, "escalated", 2)
    answer = moderator.post(f"/console/decisions/{made}/reverse", {"version": version, "note": "my <b>reasons</b>"})
    assert answer.status_code == 409
    assert "bea changed the case in the meantime" in texts(answer.text)
    assert "my &lt;b&gt;reasons&lt;/b&gt;" in answer.text
    assert version_on(answer) == "3"
    assert len(rows(moderator.api, schema.decisions)) == 2


def test_a_decision_on_a_merged_case_is_undone_on_the_surviving_case(moderator: Visitor) -> None:
    made = decide(moderator.api)
    number = tenant_id(moderator.api.engine, "default")
    put_cluster(moderator.api.engine, number, "k-2", targets=("t9",))
    with write(moderator.api.engine) as connection:
        connection.execute(
            sa.update(schema.clusters)
            .where(schema.clusters.c.id == "k-1")
            .values(disposition="merged", merged_into="k-2")
        )
    form = moderator.get(f"/console/decisions/{made}/reverse")
    assert 'href="/console/clusters/k-2"' in form.text
    assert moderator.post(f"/console/decisions/{made}/reverse", {"version": version_on(form)}).status_code == 303
    assert [row["cluster_id"] for row in rows(moderator.api, schema.decisions)] == ["k-1", "k-2"]


@pytest.mark.parametrize(
    "data", [{}, {"version": "x"}, {"version": "-1"}, {"version": str(2**40)}, {"version": "2", "note": "x" * 4097}]
)
def test_an_invalid_form_changes_nothing(moderator: Visitor, data: dict[str, str]) -> None:
    made = decide(moderator.api)
    assert moderator.post(f"/console/decisions/{made}/reverse", data).status_code == 422
    assert moderator.post(f"/console/decisions/{made}/reverse", {"version": "2", "note": "a\0b"}).status_code == 422
    assert len(rows(moderator.api, schema.decisions)) == 1


def chosen_form(moderator: Visitor, choice: str, targets: list[str]) -> tuple[Any, dict[str, Any]]:
    preview = moderator.post("/console/restorations/preview", {"choice": choice, "target": targets})
    nonce = re.search(r'name="nonce" value="([0-9a-f]{16})"', preview.text)
    sent = [html.unescape(one) for one in re.findall(r'type="hidden" name="target" value="([^"]+)"', preview.text)]
    return preview, {"choice": choice, "nonce": nonce[1] if nonce else "", "target": sent}


@pytest.mark.parametrize(
    ("choice", "verdict", "action"), [("restored", "rejected", "restored"), ("stands", "upheld", None)]
)
def test_a_decision_about_a_removal_is_recorded_as_an_outcome_through_the_stream(
    moderator: Visitor, choice: str, verdict: str, action: str | None
) -> None:
    api, number = moderator.api, tenant_id(moderator.api.engine, "default")
    preview, form = chosen_form(moderator, choice, ["t/1", "never-seen"])
    assert "1 selected target no longer needs a restoration" in texts(preview.text)
    assert "the 12 complaints about it (9 when it was removed, 3 since) were" in texts(preview.text)
    assert "k-1 not decided" in texts(preview.text)
    assert form["target"] == ["t/1"]
    before = microseconds(api.app.state.api.now())
    for _ in range(2):  # a double click
        answer = moderator.post("/console/restorations/handle", form)
        assert (answer.status_code, answer.headers["location"]) == (303, "/console/restorations")
    assert re.search(
        "1 target (marked as restored|confirmed as removed)", texts(moderator.get("/console/restorations").text)
    )
    ingest.run("default", Resources(api.settings, api.engine, api.redis.blocking))
    with api.engine.connect() as connection:
        recorded = [
            o for o in outcomes_of(connection, number, [key_of("t/1")])[key_of("t/1")] if o.id.startswith("console-")
        ]
    assert [(o.verdict, o.action, o.decided_by, o.complaint) for o in recorded] == [(verdict, action, "person", 0)]
    assert recorded[0].decided_us >= before
    entry = rows(api, schema.audit_trail)[-1]
    assert (entry["actor"], entry["action"], json.loads(entry["detail"])["target"]) == ("anna", "restoration", "t/1")


def test_a_decision_about_a_removal_needs_targets_a_choice_and_a_current_form(moderator: Visitor) -> None:
    for data in (
        {"choice": "burn", "target": ["t/1"]},
        {"choice": "restored", "target": [f"x{n}" for n in range(201)]},
    ):
        assert moderator.post("/console/restorations/preview", data).status_code == 422
    assert (
        moderator.post(
            "/console/restorations/handle", {"choice": "restored", "nonce": "no", "target": ["t/1"]}
        ).status_code
        == 422
    )
    assert (
        moderator.post("/console/restorations/preview", {"choice": "restored"}).headers["location"]
        == "/console/restorations"
    )
    assert moderator.api.redis.blocking.xlen(redis_keys.stream("default")) == 0


def test_nothing_is_recorded_while_redis_is_being_rebuilt(moderator: Visitor) -> None:
    _, form = chosen_form(moderator, "restored", ["t/1"])
    moderator.api.redis.blocking.delete(redis_keys.position("default"))
    assert moderator.post("/console/restorations/handle", form).status_code == 503
    assert all(row["action"] != "restoration" for row in rows(moderator.api, schema.audit_trail))


def test_handling_a_suggested_warning_is_recorded(moderator: Visitor) -> None:
    shown = moderator.get("/console/reporters/r1")
    assert "I have sent a warning" in texts(shown.text)
    assert (
        moderator.post("/console/reporters/r1/warning", {"choice": "warned"}).headers["location"]
        == "/console/reporters/r1"
    )
    assert "anna warned this reporter" in texts(moderator.get("/console/reporters/r1").text)
    assert moderator.post("/console/reporters/r2/warning", {"choice": "warned"}).status_code == 404
    assert moderator.post("/console/reporters/r1/warning", {"choice": "ban"}).status_code == 422


def admin_of(api: Api) -> Visitor:
    put_user(api, "root", role="admin")
    admin = Visitor(api)
    admin.sign_in("default", "root")
    admin.get("/console/ops")
    return admin


def test_operations_show_the_tenants_jobs_and_the_living_processes(moderator: Visitor) -> None:
    api = moderator.api
    admin = admin_of(api)
    redis = api.redis.blocking
    record_job(redis, "sweep", "default", 2.0, "done")
    record_job(redis, "sweep", "default", 2.0, "failed")
    record_job(redis, "detect", "other", 2.0, "failed")
    redis.hset(
        redis_keys.PROCESSES,
        mapping={
            "worker-detect|a": json.dumps({"at": redis.time()[0], "resident": 123_000_000, "peak": 2_500_000_000}),
            "clock|b": json.dumps({"at": redis.time()[0] - 60, "resident": 1}),
        },
    )
    page_text = texts(admin.get("/console/ops").text)
    assert re.search(r"Check the whole period again 1 0 0 ! ?1\b", page_text), page_text
    assert "Re-evaluate cases" not in page_text  # another tenant's
    assert re.search(r"Worker: find groups 1 123 MB 2.5 GB", page_text), page_text
    assert re.search(r"Clock ! ?none – –", page_text), page_text
    assert "This Redis server does not report its state." in page_text  # the pretended one of the tests


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (
            RedisState(900_000_000, 1_000_000_000, True, True),
            "Redis uses 900 MB of 1.0 GB ▲ nearly full . Its append-only file is ✓ on .",
        ),
        (
            RedisState(5_000_000, 0, False, True),
            "Redis uses 5 MB . Its append-only file is ! off : acknowledged items would be lost if Redis stopped.",
        ),
        (
            RedisState(5_000_000, 10_000_000, True, False),
            "Redis uses 5 MB of 10 MB . Its append-only file ! cannot be written : check whether its disk is full.",
        ),
    ],
)
def test_operations_warn_when_redis_does_not_persist_data(
    moderator: Visitor, monkeypatch: pytest.MonkeyPatch, state: RedisState, words: str
) -> None:
    admin, read = admin_of(moderator.api), operations.read_machinery

    async def with_state(*asked: Any) -> Machinery:
        return replace(await read(*asked), redis=state)

    monkeypatch.setattr(operations, "read_machinery", with_state)
    assert words.replace(" ", "") in texts(admin.get("/console/ops").text).replace(" ", "")


def test_dead_letters_are_retried_or_deleted_after_a_confirmation_and_audited(moderator: Visitor) -> None:
    api = moderator.api
    admin = admin_of(api)
    (letter,) = rows(api, schema.dead_letters)
    assert (
        admin.post(
            "/console/ops/dead-letters", {"action": "resend", "letter": [str(letter["id"]), "77", "x"]}
        ).status_code
        == 303
    )
    assert api.redis.blocking.xlen(redis_keys.stream("default")) == 1
    page_text = texts(admin.get("/console/ops").text)
    assert "1 dead letter queued for retry" in page_text
    assert "retrying" in page_text
    assert (
        admin.post("/console/ops/dead-letters", {"action": "resend", "letter": [str(letter["id"])]}).status_code == 303
    )
    assert "no longer dead letters" in texts(admin.get("/console/ops").text)
    asked = admin.post("/console/ops/dead-letters", {"action": "drop", "letter": [str(letter["id"])]})
    assert "Delete 1 dead letter permanently?" in texts(asked.text)
    assert len(rows(api, schema.dead_letters)) == 1
    admin.post("/console/ops/dead-letters", {"action": "drop", "letter": [str(letter["id"])], "sure": "yes"})
    assert rows(api, schema.dead_letters) == []
    assert [row["action"] for row in rows(api, schema.audit_trail) if row["subject"] == "dead letters"] == [
        "dead letters sent again",
        "dead letters dropped",
    ]


def test_another_tenants_dead_letters_cannot_be_changed(moderator: Visitor) -> None:
    api = moderator.api
    (letter,) = rows(api, schema.dead_letters)
    stranger = sign_in(api, "eve", role="admin", tenant="other")
    api.redis.blocking.set(redis_keys.position("other"), 0)
    for sent in ({"action": "resend"}, {"action": "drop", "sure": "yes"}):
        stranger.post("/console/ops/dead-letters", {**sent, "letter": [str(letter["id"])]})
    assert len(rows(api, schema.dead_letters)) == 1
    assert rows(api, schema.dead_letters)[0]["resent_us"] is None


@pytest.mark.parametrize(
    ("path", "data", "least"),
    [
        ("/console/decisions/d-1coo/reverse", {"version": "2"}, "moderator"),
        ("/console/restorations/preview", {"choice": "restored", "target": ["t/1"]}, "moderator"),
        ("/console/restorations/handle", {"choice": "restored", "target": ["t/1"], "nonce": "0" * 16}, "moderator"),
        ("/console/reporters/r1/warning", {"choice": "warned"}, "moderator"),
        ("/console/ops/dead-letters", {"action": "drop", "sure": "yes", "letter": ["1"]}, "admin"),
    ],
)
def test_requests_without_permission_or_from_another_site_change_nothing(
    moderator: Visitor, path: str, data: dict[str, Any], least: str
) -> None:
    decide(moderator.api)
    before = [len(rows(moderator.api, table)) for table in (schema.decisions, schema.dead_letters)]
    viewer = sign_in(moderator.api, "vic", role="viewer" if least == "moderator" else "moderator")
    person = moderator if least == "moderator" else admin_of(moderator.api)
    assert viewer.post(path, data).status_code == 403
    assert person.post(path, data, csrf="").status_code == 403
    assert person.post(path, data, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert Visitor(moderator.api).post(path, data).status_code in (303, 403)
    assert [len(rows(moderator.api, table)) for table in (schema.decisions, schema.dead_letters)] == before
    assert moderator.api.redis.blocking.xlen(redis_keys.stream("default")) == 0
