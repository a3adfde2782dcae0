"""Several cases at once: what is shown before, what is done, and what is left as it is."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa
from case_world import START, put_cluster, put_complaint
from conftest import Api
from console_world import Visitor, sign_in

from service.model import Decision, DecisionRequest
from service.storage.cases import case_decisions, cases
from service.storage.sql import schema
from service.storage.sql.engine import write
from service.storage.sql.hashing import key_of

NOW = START + timedelta(hours=30)


@pytest.fixture
def anna(api: Api) -> Visitor:
    api.app.state.api.now = lambda: NOW
    visitor = sign_in(api)
    for number, name in enumerate(("k-1", "k-2", "k-3")):
        targets = [f"{name}-t1", f"{name}-t2"]
        put_cluster(api.engine, 1, name, score=5.0 - number, targets=targets)
        for at, (reporter, target) in enumerate((r, t) for r in ("r1", "r2", "r3") for t in targets):
            put_complaint(api.engine, 1, 100 * number + at + 1, reporter, target, hours=at / 10, cluster=name)
        with write(api.engine) as connection:
            connection.execute(
                sa.insert(schema.targets),
                [{"tenant_id": 1, "target_key": key_of(target), "complaints": 3} for target in targets],
            )
    return visitor


def decide_elsewhere(api: Api, case: str, by: str = "ben", version: int = 1) -> str:
    asked = DecisionRequest(verdict="escalated", reason_code="other", version=version)
    with write(api.engine) as connection:
        case_decisions.record_decision(connection, 1, case, asked, decision_id=f"d-{case}-{by}", by=by, now=NOW)
    return f"d-{case}-{by}"


def logged(api: Api, case: str) -> list[Decision]:
    with api.engine.connect() as connection:
        return case_decisions.list_decisions(connection, 1, case, after=None, limit=50)[0]


def state(api: Api, case: str) -> tuple[str, str]:
    with api.engine.connect() as connection:
        found = cases.read_cluster(connection, 1, case, now=NOW)
    return found.disposition, found.status


def test_the_effect_is_previewed_before_anything_is_decided(api: Api, anna: Visitor) -> None:
    page = anna.post(
        "/console/queue/chosen", {"case": ["k-1:1", "k-2:1"], "back": "/console/clusters?sort=found_at"}
    ).text
    assert "2 selected cases" in page
    effects = dict(re.findall(r'id="effect-(\w+)">([^<]+)<', page))
    assert "4 targets" in effects["coordinated"]
    assert "Stops counting" in effects["coordinated"]
    assert effects["coordinated"] != effects["not_coordinated"]
    assert 'href="/console/clusters?sort=found_at"' in page
    assert logged(api, "k-1") == []


def test_all_selected_cases_are_decided_under_the_persons_name_and_can_be_undone(api: Api, anna: Visitor) -> None:
    anna.post("/console/queue/chosen", {"case": ["k-1:1", "k-2:1"]})
    done = anna.post(
        "/console/queue/decide",
        {
            "case": ["k-1:1", "k-2:1"],
            "verdict": "not_coordinated",
            "reason_code": "outrage",
            "note": "seen on air",
            "back": "/console/clusters?kind=repeat",
        },
    )
    assert done.headers["location"] == "/console/clusters?kind=repeat"
    assert state(api, "k-1") == state(api, "k-2") == ("revoked", "decided")
    assert [(d.by, d.verdict, d.reason_code, d.note) for d in logged(api, "k-1")] == [
        ("anna", "not_coordinated", "outrage", "seen on air")
    ]
    page = anna.get("/console/clusters").text
    assert "2 cases decided: not coordinated." in page
    ids = re.search(r'name="decisions" value="([^"]+)"', page)
    assert ids is not None
    anna.post("/console/queue/undo", {"decisions": ids[1]})
    assert "2 decisions undone" in anna.get("/console/clusters").text
    assert state(api, "k-1") == state(api, "k-2") == ("flagged", "open")
    assert len(logged(api, "k-1")) == 2
    anna.post("/console/queue/undo", {"decisions": ids[1]})
    assert "already undone" in anna.get("/console/clusters").text
    assert len(logged(api, "k-1")) == 2


def test_cases_changed_in_the_meantime_are_skipped_and_listed_and_the_rest_is_decided(api: Api, anna: Visitor) -> None:
    decide_elsewhere(api, "k-2")
    preview = anna.post("/console/queue/chosen", {"case": ["k-1:1", "k-2:1", "k-3:1"]}).text
    assert "changed by ben, skipped" in preview
    assert re.findall(r'name="case" value="([^"]+)"', preview) == ["k-1:1", "k-3:1"]
    decide_elsewhere(api, "k-3", "olga")
    anna.post("/console/queue/decide", {"case": ["k-1:1", "k-3:1", "k-nothing:1"], "verdict": "coordinated"})
    page = anna.get("/console/clusters?tab=all").text
    assert (
        "1 case decided: coordinated. 2 cases skipped: k-3 was changed by olga in the meantime; k-nothing does not"
        " exist." in page
    )
    assert state(api, "k-1") == ("flagged", "decided")
    assert [d.by for d in logged(api, "k-3")] == ["olga"]


def test_several_cases_can_be_snoozed_and_escalated(api: Api, anna: Visitor) -> None:
    anna.post("/console/queue/decide", {"case": ["k-1:1"], "verdict": "snoozed", "snooze_for": "7"})
    anna.post("/console/queue/decide", {"case": ["k-2:1"], "verdict": "escalated"})
    assert logged(api, "k-1")[0].snooze_until == NOW + timedelta(days=7)
    assert (state(api, "k-1")[1], state(api, "k-2")[1]) == ("snoozed", "escalated")


@pytest.mark.parametrize(
    "form",
    [
        {"verdict": ""},
        {"verdict": "guilty"},
        {"verdict": "coordinated", "reason_code": "because"},
        {"verdict": "snoozed", "snooze_for": "0"},
        {"verdict": "snoozed", "snooze_for": "x"},
    ],
)
def test_an_invalid_decision_returns_with_an_error_and_the_entries(
    api: Api, anna: Visitor, form: dict[str, str]
) -> None:
    answer = anna.post("/console/queue/decide", {"case": ["k-1:1"], "note": "keep <me>", **form})
    assert answer.status_code == 422
    assert "keep &lt;me&gt;" in answer.text
    assert 'class="message bad"' in answer.text
    assert logged(api, "k-1") == []


def test_selecting_nothing_or_unknown_cases_gives_a_message(api: Api, anna: Visitor) -> None:
    for path in ("chosen", "decide"):
        assert anna.post(f"/console/queue/{path}", {"verdict": "coordinated"}).status_code == 303
        assert "elect cases first" in (page := anna.get("/console/clusters").text) or "No cases were selected" in page
    nonsense = anna.post("/console/queue/chosen", {"case": ["k-1", "k-1:x", ":1", "\x00:1", "k" * 90 + ":1"]})
    assert nonsense.status_code in (200, 303)
    assert (
        anna.post(
            "/console/queue/decide", {"case": [f"k-{n}:1" for n in range(101)], "verdict": "coordinated"}
        ).status_code
        == 422
    )


def test_undo_offers_ones_own_last_decision_in_force(api: Api, anna: Visitor) -> None:
    assert "no decision to undo" in anna.get("/console/queue/undo").text
    decide_elsewhere(api, "k-3")
    anna.post("/console/queue/decide", {"case": ["k-1:1"], "verdict": "coordinated", "note": "first"})
    anna.post("/console/queue/decide", {"case": ["k-2:1"], "verdict": "coordinated", "note": "second"})
    page = anna.get("/console/queue/undo", headers={"Referer": "http://testserver/console/clusters?tab=mine"}).text
    assert "second" in page
    assert 'href="/console/clusters?tab=mine"' in page
    decision = re.search(r'name="decisions" value="([^"]+)"', page)
    assert decision is not None
    assert (
        anna.post("/console/queue/undo", {"decisions": decision[1], "back": "/console/clusters?tab=mine"}).headers[
            "location"
        ]
        == "/console/clusters?tab=mine"
    )
    assert "first" in anna.get("/console/queue/undo").text
    anna.post("/console/queue/undo", {"decisions": "d-k-3-ben,nonsense"})
    page_text = anna.get("/console/clusters").text
    assert "Nothing was undone." in page_text
    assert "ben’s decision" in page_text
    assert [d.by for d in logged(api, "k-3")] == ["ben"]


def test_undoing_a_decision_on_a_case_merged_since_applies_to_the_surviving_case(api: Api, anna: Visitor) -> None:
    anna.post("/console/queue/decide", {"case": ["k-1:1"], "verdict": "coordinated"})
    with write(api.engine) as connection:
        connection.execute(
            sa.update(schema.clusters)
            .where(schema.clusters.c.id == "k-1")
            .values(disposition="merged", merged_into="k-2")
        )
    decision = logged(api, "k-2")[0].id
    anna.post("/console/queue/undo", {"decisions": decision})
    assert "1 decision undone" in anna.get("/console/clusters").text
    assert [d.reverses for d in logged(api, "k-2")] == [None, decision]
