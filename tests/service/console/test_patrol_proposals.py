"""A moderator proposes a group as good patrols; an administrator accepts or declines."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
import sqlalchemy as sa
from case_world import START, put_cluster, put_decision
from conftest import Api
from console_world import Visitor, sign_in

from service.storage.accounts.tenants import tenant_id
from service.storage.detection import allow_list
from service.storage.sql import schema
from service.storage.sql.engine import write

CASE, PATROLS = "/console/clusters/k1", "/console/settings/patrols"
WHY = "They clear spam every night. <b>Ask Bea.</b>"


@pytest.fixture
def number(api: Api) -> int:
    """A tenant with the case k1 of volunteers, of whom one is on the list, and one was excluded."""
    api.key("default")
    api.app.state.api.now = lambda: START + timedelta(days=9)
    number = tenant_id(api.engine, "default")
    cleared = {"status": "decided", "verdict": "not_coordinated", "disposition": "revoked"}
    put_cluster(api.engine, number, "k1", reporters=["r1", "r2", "r3", "r4"], excluded=["r4"], **cleared)
    put_decision(api.engine, number, "k1", "d1", "not_coordinated", reason_code="patrol")
    put_cluster(api.engine, number, "k2", **cleared)
    put_decision(api.engine, number, "k2", "d2", "not_coordinated", reason_code="outrage")
    with write(api.engine) as connection:
        allow_list.allow(connection, number, "r3", note=None, by="root", now_us=1)
    return number


def words(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def listed(api: Api, number: int) -> set[str]:
    with api.engine.connect() as connection:
        return {one.reporter_id for one in allow_list.list_allowed(connection, number)}


def proposed(api: Api) -> tuple[Visitor, Visitor]:
    anna, root = sign_in(api), sign_in(api, "root", role="admin")
    assert anna.post(f"{CASE}/propose-patrol", {"note": WHY}).status_code == 303
    return anna, root


def answers(root: Visitor, choice: str, **changes: Any) -> Any:
    page = root.get(PATROLS).text
    form = page[page.index("patrols/proposals") :]
    fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', form.split("</form>")[0]))
    return root.post(f"{PATROLS}/proposals", {**fields, "choice": choice, **changes})


def test_a_proposal_waits_for_an_administrator_who_accepts_it(api: Api, number: int) -> None:
    anna, root = proposed(api)
    shown = words(anna.get(CASE).text)
    assert "Nothing changes before an administrator accepts." in shown and "Propose its" not in shown
    assert "1 group is proposed as good patrols" in words(root.get("/console/overview").text)
    assert "is proposed" not in words(anna.get("/console/overview").text)
    assert "anna proposed these accounts" in shown and f": “ {WHY} ” An administrator decides." in shown
    assert listed(api, number) == {"r3"}
    assert "<b>Ask" not in root.get(PATROLS).text
    page = words(root.get(PATROLS).text)
    assert "Proposed by moderators" in page and WHY in page and "2 accounts r1 , r2" in page and "Effect:" in page
    assert anna.post(f"{PATROLS}/proposals", {"case": "k1", "choice": "accept"}).status_code == 403
    assert answers(root, "accept").status_code == 303
    assert listed(api, number) == {"r1", "r2", "r3"}
    page = words(root.get(PATROLS).text)
    assert "2 accounts added." in page and "Proposed by moderators" not in page and f"Case k1: {WHY}" in page
    trail = words(root.get("/console/settings/audit").text)
    assert "proposed 2 accounts of case k1 as good patrols" in trail
    assert "accepted the proposal by anna: 2 accounts of case k1 became good patrols" in trail
    assert "added r1 to the good patrols" in trail


def test_one_that_is_declined_changes_nothing_and_may_be_made_again(api: Api, number: int) -> None:
    anna, root = proposed(api)
    anna.post(f"{CASE}/propose-patrol", {"note": "again"})
    assert "It is proposed already" in words(anna.get(CASE).text)
    assert answers(root, "decline").status_code == 303
    assert listed(api, number) == {"r3"} and "Proposed by moderators" not in words(root.get(PATROLS).text)
    trail = words(root.get("/console/settings/audit").text)
    assert "declined to make the accounts of case k1 good patrols, as anna had proposed" in trail
    anna.post(f"{CASE}/propose-patrol", {"note": "again"})
    assert "“ again ”" in words(root.get(PATROLS).text)


def test_a_group_that_grew_since_or_is_no_longer_called_right_is_not_accepted_unseen(api: Api, number: int) -> None:
    anna, root = proposed(api)
    with write(api.engine) as connection:
        connection.execute(sa.update(schema.clusters).where(schema.clusters.c.id == "k1").values(version=2))
    stale = answers(root, "accept", version="1")
    assert "has changed in the meantime" in words(stale.text) and listed(api, number) == {"r3"}
    anna.post("/console/decisions/d1/reverse", {"version": "2"})
    refused = answers(root, "accept")
    assert "is not decided as “acting together, but right”" in words(refused.text) and listed(api, number) == {"r3"}


def test_what_is_no_patrol_cannot_be_proposed(api: Api, number: int) -> None:
    anna = sign_in(api)
    assert "Propose its 3 accounts as good patrols" in words(anna.get(CASE).text)
    assert "propose-patrol" not in anna.get("/console/clusters/k2").text
    anna.post("/console/clusters/k2/propose-patrol", {"note": WHY})
    assert "is not decided as" in words(anna.get("/console/clusters/k2").text)
    anna.post(f"{CASE}/propose-patrol", {"note": "  "})
    assert "Not proposed. Say in 1 to 900 characters" in words(anna.get(CASE).text)
    assert anna.post("/console/clusters/none/propose-patrol", {"note": WHY}).status_code == 404
    assert sign_in(api, "vera", role="viewer").post(f"{CASE}/propose-patrol", {"note": WHY}).status_code == 403
    eve = sign_in(api, "eve", role="admin", tenant="other")
    assert eve.post(f"{CASE}/propose-patrol", {"note": WHY}).status_code == 404
    assert "Proposed by moderators" not in words(sign_in(api, "root", role="admin").get(PATROLS).text)
