"""“Acting together, but right” is called so wherever people read a verdict, and an undo has none of its own."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
import sqlalchemy as sa
from case_scenes import put_case, put_removal
from case_world import START, put_cluster, put_complaint
from conftest import Api
from console_world import Visitor, sign_in

from service.console.rendering import environment
from service.storage.accounts.tenants import tenant_id
from service.storage.cases.case_decisions import GivenVerdict
from service.storage.sql import schema

RIGHT = "acting together, but right"


@pytest.fixture
def anna(api: Api) -> Visitor:
    """A moderator of a console with the case k1, and k2 of some of its people."""
    api.key("default")
    api.app.state.api.now = lambda: START + timedelta(days=9)
    number = tenant_id(api.engine, "default")
    put_case(api.engine, number)
    put_removal(api.engine, number, "comment/0", seq=900, hours=3)
    put_cluster(api.engine, number, "k2", reporters=["r-0", "r-1", "r-2"], targets=["comment/0"])
    return sign_in(api)


def words(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def said(api: Api, verdict: str, reason: str, **fields: Any) -> str:
    """A decision on k1 over the API; its id."""
    version = api.get("/v1/clusters/k1").json()["version"]
    body = {"verdict": verdict, "reason_code": reason, "version": version, **fields}
    assert api.post("/v1/clusters/k1/decisions", json=body).status_code == 201
    with api.engine.connect() as connection:
        return str(connection.scalar(sa.select(schema.decisions.c.id).order_by(schema.decisions.c.seq.desc()).limit(1)))


def test_a_case_that_was_cleared_as_volunteers_is_worded_so_on_every_page(api: Api, anna: Visitor) -> None:
    made = said(api, "not_coordinated", "patrol")
    pages = {
        "the queue": "/console/clusters?tab=decided",
        "the case": "/console/clusters/k1",
        "a related case": "/console/clusters/k2",
        "a target": "/console/targets/comment%2F0",
        "the decision to undo": f"/console/decisions/{made}/reverse",
        "the log": "/console/decisions",
    }
    for name, path in pages.items():
        shown = words(anna.get(path).text)
        assert RIGHT in shown, name
    assert f"decided: {RIGHT}. Its complaints count in full." in words(anna.get("/console/clusters/k1").text)
    brief = api.get("/v1/targets/comment%2F0/brief").text
    assert f"a moderator decided: {RIGHT}" in brief and f": {RIGHT} (patrol)." in brief
    module: Any = environment().get_template("parts/ui.html").module
    assert RIGHT in module.verdict_of("k1", {"k1": GivenVerdict("not_coordinated", "patrol")})
    listed = next(csv.DictReader(io.StringIO(anna.get("/console/clusters.csv?tab=decided").text)))
    assert listed["Verdict"] == "not coordinated", "values of files stay"


def test_several_cases_and_the_own_last_decision_are_worded_so_too(api: Api, anna: Visitor) -> None:
    anna.post("/console/queue/decide", {"case": ["k1:1"], "verdict": "not_coordinated", "reason_code": "patrol"})
    assert f"1 case decided: {RIGHT}." in words(anna.get("/console/clusters").text)
    assert "Acting together, but right (patrol)" in words(anna.get("/console/queue/undo").text)


def test_an_undo_over_the_api_is_one_whatever_its_reason_and_another_verdict_is_told(api: Api, anna: Visitor) -> None:
    first = said(api, "coordinated", "brigade")
    undo = said(api, "coordinated", "duplicate", reverses=first)
    redo = said(api, "coordinated", "other", reverses=undo)
    opposite = said(api, "not_coordinated", "other", reverses=first)
    history = words(anna.get("/console/clusters/k1").text)
    assert f"undid decision {first} and decided: not coordinated (other)" in history
    assert f"undid decision {undo}" in history and "duplicate)" not in history
    rows = {row["Decision"]: row for row in csv.DictReader(io.StringIO(anna.get("/console/decisions.csv").text))}
    assert [rows[one]["Reason"] for one in (first, undo, redo, opposite)] == ["brigade", "", "", "other"]
    log = words(anna.get("/console/decisions").text)
    assert f"undone decision {first} ○ not coordinated other" in log
    trail = words(sign_in(api, "root", role="admin").get("/console/settings/audit").text)
    assert f"undid decision {first} (“coordinated”) on case k1: not coordinated" in trail
    assert f"undid decision {first} (“coordinated”) on case k1" in trail


def test_the_pages_say_what_they_show(api: Api, anna: Visitor) -> None:
    number = tenant_id(api.engine, "default")
    assert re.search(r"comment/0 by a-9 in ", words(anna.get("/console/clusters/k1").text))
    assert "targets that most members" not in words(anna.get("/console/targets").text)
    put_cluster(api.engine, number, "k3", disposition="reliable")
    put_cluster(api.engine, number, "k4", targets=[f"u{place}" for place in range(12)], last=9 * 24)
    for place in range(12):
        put_complaint(api.engine, number, 800 + place, "r1", f"u{place}", hours=9 * 24 - 1, cluster="k4")
    for path in ("/console/targets", "/console/overview"):
        assert "The 10 targets that most members complained about." in words(anna.get(path).text), path
    rows = anna.get("/console/clusters?tab=all").text.split("<tr id=")
    claims = {row[6:8]: "/console/queue/claim" in row for row in rows[1:]}
    assert claims == {"k1": True, "k2": True, "k3": False, "k4": True}, "nothing to decide, nothing to claim"
