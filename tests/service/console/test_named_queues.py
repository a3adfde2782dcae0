"""Queues in the console: their settings, what they take, and how cases are moved and assigned."""

from __future__ import annotations

import re
from typing import Any

from case_world import put_cluster
from conftest import Api
from console_pages import texts
from console_world import put_user, sign_in

from service.storage.cases import placements
from service.storage.sql.engine import write

SETTINGS = "/console/settings/queues"
CASE = "/console/clusters/k1"


def apply_rules(api: Api) -> None:
    with write(api.engine) as connection:
        placements.apply_rules(connection, 1, placements.waiting_cases(connection, 1))


def shown(page: str) -> set[str]:
    return set(re.findall(r'data-case="([^"]+)"', page))


def test_an_admin_previews_saves_orders_and_removes_queues(api: Api) -> None:
    root = sign_in(api, "root", role="admin")
    put_cluster(api.engine, 1, "k1", score=9.0)
    put_cluster(api.engine, 1, "k2", kind="one_shot")
    put_cluster(api.engine, 1, "k3", kind="one_shot", status="decided")
    form: dict[str, Any] = {"queue": "0", "name": "Single <i>", "kind": "one_shot"}
    page = root.post(f"{SETTINGS}/preview", form).text
    assert "this queue would take 1 open case of 2" in texts(page) and 'value="Single &lt;i&gt;"' in page
    assert "No queues yet" in root.get(SETTINGS).text
    assert root.post(f"{SETTINGS}/save", form).status_code == 303
    assert root.post(f"{SETTINGS}/save", {"name": "High", "min_score": "8,5"}).status_code == 303
    page = texts(root.get(SETTINGS).text)
    assert re.search(r"Single &lt;i&gt; a single target nobody 1 .*High priority from 8.5 nobody 1 ", page), page
    assert "Move up" in page
    root.post(f"{SETTINGS}/raise", {"queue": "2"})
    page = root.get(SETTINGS).text
    assert page.index("High") < page.index("Single &lt;")
    page = root.post(f"{SETTINGS}/preview", {"queue": "2", "name": "High", "min_score": "1"}).text
    assert "this queue would take 2 open cases of 2" in texts(page)
    page = root.get(f"{SETTINGS}?edit=2").text
    assert 'name="min_score" type="text" value="8.5"' in page
    assert root.post(f"{SETTINGS}/save", {"queue": "2", "name": "Higher", "min_score": "9"}).status_code == 303
    root.post(f"{SETTINGS}/remove", {"queue": "1"})
    page = texts(root.get(SETTINGS).text)
    assert "Higher priority from 9" in page and "Single &lt;" not in page
    trail = texts(root.get("/console/settings/audit").text)
    assert "root removed the queue “Single &lt;i&gt;”" in trail and "root saved the queue “Higher”" in trail


def test_what_cannot_be_read_is_refused_and_stays_in_the_form(api: Api) -> None:
    root = sign_in(api, "root", role="admin")
    for wrong in ({"min_score": "many"}, {"contexts": "x" * 129}, {"kind": "moon"}, {"name": " "}):
        answer = root.post(f"{SETTINGS}/save", {"name": "Mine", "reasons": "spam", **wrong})
        assert answer.status_code == 422 and 'value="spam"' in answer.text, wrong
    assert root.post(f"{SETTINGS}/save", {"queue": "77", "name": "Gone"}).status_code == 422
    assert root.post(f"{SETTINGS}/remove", {"queue": "77"}).status_code == 404


def test_queues_are_tabs_of_the_list_with_the_counts_of_what_they_show(api: Api) -> None:
    root = sign_in(api, "root", role="admin")
    put_cluster(api.engine, 1, "k1")
    put_cluster(api.engine, 1, "k2", kind="one_shot")
    put_cluster(api.engine, 1, "k3", status="escalated")
    assert 'aria-label="Queues"' not in root.get("/console/clusters").text
    root.post(f"{SETTINGS}/save", {"name": "Repeated", "kind": "repeat"})
    apply_rules(api)
    page = root.get("/console/clusters?in_queue=1").text
    assert shown(page) == {"k1"} and "queue: <bdi>Repeated" in page
    nav = texts(page[page.index('aria-label="Queues"') :].partition("</nav>")[0])
    assert nav.endswith("All queues 2 Repeated 1 No queue 1")
    assert shown(root.get("/console/clusters?in_queue=none").text) == {"k2"}
    assert shown(root.get("/console/clusters?tab=escalated&in_queue=1").text) == {"k3"}
    assert shown(root.get("/console/clusters?in_queue=99").text) == set()
    assert shown(root.get("/console/clusters?in_queue=first").text) == {"k1", "k2"}


def test_a_moderator_moves_and_assigns_and_mine_shows_it(api: Api) -> None:
    anna, root = sign_in(api), sign_in(api, "root", role="admin")
    ben = put_user(api, "ben")
    put_cluster(api.engine, 1, "k1")
    put_cluster(api.engine, 1, "k2")
    root.post(f"{SETTINGS}/save", {"name": "Sport", "reasons": "sport"})
    assert anna.post(f"{CASE}/move", {"to_queue": "1"}).headers["location"] == CASE
    anna.post(f"{CASE}/assign", {"assignee": "1"})
    page = anna.get(CASE).text
    assert "Assigned to anna." in page and "(moved by hand)" in page
    words = texts(page)
    assert "anna moved the case to the queue “Sport”" in words and "anna assigned the case to anna" in words
    mine = anna.get("/console/clusters?tab=mine").text
    assert shown(mine) == {"k1"} and '>Mine <span class="count">1<' in mine and "for you" in mine
    assert shown(anna.get("/console/clusters").text) == {"k1", "k2"}  # an assignment is not a claim
    anna.post("/console/queue/claim", {"only": "k1"})
    assert '>Mine <span class="count">1<' in anna.get("/console/clusters?tab=mine").text
    anna.post(f"{CASE}/assign", {"assignee": str(ben)})
    assert "for ben" in root.get("/console/clusters?tab=all").text
    anna.post(f"{CASE}/assign", {"assignee": "0"})
    assert "for ben" not in root.get("/console/clusters?tab=all").text
    anna.post(f"{CASE}/move", {"to_queue": "9"})
    assert "this queue no longer exists" in anna.get(CASE).text


def test_viewers_change_nothing_and_only_admins_change_queues(api: Api) -> None:
    anna, vera = sign_in(api), sign_in(api, "vera", role="viewer")
    viewer = vera.api and put_user(api, "vic", role="viewer")
    put_cluster(api.engine, 1, "k1")
    page = vera.get(CASE).text
    assert "Assigned to nobody" in page and "/assign" not in page
    for form in ("move", "assign"):
        assert vera.post(f"{CASE}/{form}", {"to_queue": "0", "assignee": "0"}).status_code == 403
        assert anna.post(f"{CASE}/{form}", {"to_queue": "0", "assignee": "0"}, csrf="").status_code == 403
    anna.post(f"{CASE}/assign", {"assignee": str(viewer)})
    assert "Nothing was assigned" in anna.get(CASE).text
    for path in ("save", "preview", "remove", "raise"):
        assert anna.post(f"{SETTINGS}/{path}", {"name": "Mine", "queue": "1"}).status_code == 403
    assert anna.post("/console/clusters/k9/move", {"to_queue": "0"}).status_code == 404
