"""Decisions, targets, reporters, restorations, overview and operations: what they show, to whom, and that what is
hostile stays text.
"""

from __future__ import annotations

import csv
import io
import json
import re
from html import unescape
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from case_world import at_text, put_complaint, put_decision, put_outcome
from conftest import Api
from console_pages import BAD, furnish, texts
from console_world import Visitor, put_user, sign_in

from service.storage.accounts.tenants import tenant_id
from service.storage.redis_store import redis_keys
from service.storage.sql import schema
from service.storage.sql.engine import write

PAGES = (
    "/console/decisions",
    "/console/targets",
    f"/console/targets/{quote('t/1', safe='')}",
    "/console/reporters",
    "/console/reporters/r1",
    "/console/restorations",
    "/console/campaigns",
    "/console/restorations?state=any",
    "/console/overview",
    "/console/overview?period=week",
)


@pytest.fixture
def world(api: Api) -> Visitor:
    person = sign_in(api, role="viewer")
    furnish(api)
    return person


@pytest.mark.parametrize("path", PAGES)
def test_a_viewer_can_read_every_page_and_hostile_input_stays_text(world: Visitor, path: str) -> None:
    answer = world.get(path, raw_path=path.partition("?")[0].encode() if "%" in path else None)
    assert answer.status_code == 200, answer.text
    assert "<script>alert" not in answer.text
    assert not re.search(r"<script(?![^>]* src=)", answer.text)
    assert not re.search(r"\sstyle=|\son[a-z]+=", answer.text)


@pytest.mark.parametrize("path", PAGES)
def test_pages_of_an_empty_tenant_say_that_there_is_nothing(api: Api, path: str) -> None:
    person = sign_in(api, role="viewer")
    answer = person.get(path, raw_path=path.partition("?")[0].encode() if "%" in path else None)
    assert answer.status_code == (404 if re.search("/(targets|reporters)/.", path) else 200), answer.text


def test_another_tenants_data_is_not_found(api: Api) -> None:
    stranger = sign_in(api, "eve", role="admin", tenant="other")
    api.key("default")
    furnish(api)
    for path in ("/console/reporters/r1", "/console/decisions/d-1/reverse"):
        known, unknown = stranger.get(path), stranger.get(path.replace("r1", "r77").replace("d-1", "d-77"))
        assert (known.status_code, unknown.status_code) == (404, 404)
        assert texts(known.text) == texts(unknown.text)
    assert "t/1" not in stranger.get("/console/restorations?state=any").text
    assert "d-1" not in stranger.get("/console/decisions").text
    assert "ValueError" not in stranger.get("/console/ops").text
    assert "3 accounts" not in stranger.get("/console/decisions.csv").text


def test_a_target_page_shows_counts_advice_groups_outcomes_and_the_brief(world: Visitor) -> None:
    answer = world.get("/console/targets/t%2F1", raw_path=b"/console/targets/t%2F1")
    page_text = texts(answer.text)
    for words in (
        "hold",
        "12",
        "5.5",
        "It reaches the threshold of 8 only because of a coordinated group",
        "reaches 8",
        "complaints rejected",
        "in no group",
        "group k-1",
    ):
        assert words in page_text, words
    assert "only because of coordinated complaints" in page_text
    assert '<svg class="column-chart"' in answer.text
    assert "/console/targets/t%2F1/complaints.csv" in answer.text


def test_a_retracted_outcome_is_shown_as_taken_back_on_the_target_and_in_the_case(world: Visitor) -> None:
    put_outcome(world.api.engine, tenant_id(world.api.engine, "default"), 6, "t/1", "upheld", hours=4, retracts="o5")
    page = texts(world.get("/console/targets/t%2F1", raw_path=b"/console/targets/t%2F1").text)
    assert "complaints rejected taken back since: does not count" in page
    assert "complaints upheld, earlier outcome taken back" in page
    case = texts(world.get("/console/clusters/k-1").text)
    assert "recorded the outcome: rejected (taken back later)" in case
    assert "recorded the outcome: upheld and took back outcome o5" in case


def test_a_removed_target_s_page_has_the_fields_of_a_statement_of_reasons(world: Visitor) -> None:
    def page() -> str:
        return unescape(world.get("/console/targets/t%2F1", raw_path=b"/console/targets/t%2F1").text)

    assert 'id="statement"' not in page()
    put_outcome(world.api.engine, tenant_id(world.api.engine, "default"), 6, "t/1", None, hours=4, action="removed")
    found = re.search(r'<textarea id="statement"[^>]*>([^<]+)</textarea>', page())
    assert found is not None
    assert json.loads(found[1])["decision_visibility"] == ["DECISION_VISIBILITY_CONTENT_REMOVED"]
    assert "<code>decision_ground</code>" in page()


def test_a_target_page_works_from_the_archive_while_redis_is_unavailable(
    world: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.api.redis.blocking.delete(redis_keys.position("default"))
    page_text = texts(world.get("/console/targets/t%2F1", raw_path=b"/console/targets/t%2F1").text)
    assert "Current counts are unavailable" in page_text
    assert "complaints rejected" in page_text
    assert world.get("/console/restorations").status_code == 200
    assert world.get("/console/overview").status_code == 200


def test_a_targets_text_is_on_its_page_and_next_to_its_restoration(api: Api) -> None:
    person = sign_in(api, role="viewer")
    number = furnish(api)
    with write(api.engine) as connection:
        content = {
            "id": "c1",
            "reporter": {"id": "r1"},
            "target": {
                "id": "t/1",
                "excerpt": f"The tram is late. {BAD}",
                "author_id": "a-9",
                "url": "javascript:alert(1)",
            },
            "occurred_at": at_text(1),
        }
        connection.execute(
            sa.update(schema.complaints)
            .where(schema.complaints.c.tenant_id == number)
            .values(content=json.dumps(content))
        )
    for path in ("/console/targets/t%2F1", "/console/restorations"):
        answer = person.get(path, raw_path=path.encode()).text
        assert (
            "The tram is late. &lt;script&gt;" in answer
            and "a-9" in answer
            and "javascript:alert" not in answer
            and "<script>alert" not in answer
        )
    answer = person.get("/console/reporters/r1").text
    assert "The tram is late. &lt;script&gt;" in answer and "javascript:alert" not in answer


def test_what_people_decided_about_a_group_stands_where_its_targets_are_listed(api: Api) -> None:
    person = sign_in(api, role="viewer")
    furnish(api)
    pages = ("/console/restorations", "/console/overview", "/console/targets")
    assert [path for path in pages if "k-1 not decided" not in texts(person.get(path).text)] == []
    with write(api.engine) as connection:
        connection.execute(sa.update(schema.clusters).values(verdict="coordinated", status="decided"))
    assert [path for path in pages if "k-1 coordinated" not in texts(person.get(path).text)] == []


def test_complaints_are_paged_and_a_cursor_of_another_list_is_refused(world: Visitor) -> None:
    number = tenant_id(world.api.engine, "default")
    for seq in range(100, 160):
        put_complaint(world.api.engine, number, seq, f"x{seq}", "t2", hours=seq)
    first = world.get("/console/targets/t2")
    following = re.search(r'href="(/console/targets/t2\?cursor=[^"]+)"', first.text)
    assert following is not None
    second = world.get(following[1])
    assert second.status_code == 200
    shown = [re.findall(r'href="/console/reporters/(x\d+)"', page.text) for page in (first, second)]
    assert [len(each) for each in shown] == [50, 10]
    assert shown[0] + shown[1] == [f"x{seq}" for seq in range(159, 99, -1)]
    assert world.get(following[1].replace("targets/t2", "reporters/r1")).status_code == 400
    assert world.get("/console/targets/t2?cursor=nonsense").status_code == 400


def test_a_reporter_page_shows_history_reputation_and_a_suggested_warning(world: Visitor) -> None:
    answer = world.get("/console/reporters/r1")
    page_text = texts(answer.text)
    for words in (
        "1 complaint",
        "consider a warning",
        "moderators reviewed 3 complaints by this reporter: 1 upheld, 2 rejected. 10 more were not reviewed",
        "Together 12 of 13 (92 %) count against them",
        "90 % interval",
        "upheld 0 of 1 complaint that they reviewed",
        "Estimated share of justified complaints: ",
        "Art. 23 DSA",
    ):
        assert words in page_text, words
    assert "I have sent a warning" not in page_text  # a viewer reads
    assert '<svg class="interval"' in answer.text
    suggested = texts(world.get("/console/reporters").text)
    assert "to review" in suggested and "2 of 3" in suggested and "12 of 13" not in suggested


def test_looking_up_an_id_leads_to_its_page(world: Visitor) -> None:
    for noun in ("targets", "reporters"):
        assert world.get(f"/console/{noun}?id=%20a%2Fb%20").headers["location"] == f"/console/{noun}/a%2Fb"
        assert world.get(f"/console/{noun}?id=..").headers["location"] == f"/console/{noun}/%2E%2E"


def test_the_overview_shows_complaints_and_waiting_cases(world: Visitor) -> None:
    page_text = texts(world.get("/console/overview").text)
    for words in (
        "4 0.00 per minute; 75 % (3) in flagged groups",
        "Open cases 1",
        "unknown: no cases decided yet",
        "Restorations to review 1",
        "The latest complaint is from 1 Nov",
        "t/1",
    ):
        assert words in page_text, words
    assert world.get("/console/overview?period=year").status_code == 422


def rows_of(answer: Any) -> list[list[str]]:
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/csv")
    return list(csv.reader(io.StringIO(answer.text)))


def test_tables_are_available_as_csv_without_formulas(world: Visitor) -> None:
    put_decision(
        world.api.engine, tenant_id(world.api.engine, "default"), "k-1", "d-2", "escalated", hours=4, note="=1+1"
    )
    log = rows_of(world.get("/console/decisions.csv"))
    assert [row[1] for row in log[1:]] == ["d-2", "d-1"]
    assert log[1][log[0].index("Note")] == "'=1+1"
    assert [row[1] for row in rows_of(world.get("/console/decisions.csv?verdict=coordinated"))[1:]] == ["d-1"]
    complaints = rows_of(
        world.get("/console/targets/t%2F1/complaints.csv", raw_path=b"/console/targets/t%2F1/complaints.csv")
    )
    assert [row[0] for row in complaints[1:]] == ["c4", "c3", "c2", "c1"]
    assert complaints[2][-1] == "k-1"
    assert rows_of(world.get("/console/reporters/r1/complaints.csv"))[1][0] == "c1"
    assert rows_of(world.get("/console/restorations.csv"))[1][:2] == ["t/1", "open"]
    assert sum(int(row[1]) for row in rows_of(world.get("/console/overview.csv"))[1:]) == 4


@pytest.mark.parametrize(
    "query",
    [
        "verdict=x",
        "reason=x",
        "since=yesterday",
        "since=2026-11-02&until=2026-11-01",
        "until=9999-12-31",
        "by=" + "x" * 300,
        "case=%00",
        "cursor=x",
    ],
)
def test_invalid_filters_give_an_error_message_and_never_a_failure(world: Visitor, query: str) -> None:
    assert world.get(f"/console/decisions?{query}").status_code in (400, 422)


def test_filters_in_the_url_are_applied(world: Visitor) -> None:
    number = tenant_id(world.api.engine, "default")
    put_decision(world.api.engine, number, "k-1", "d-2", "escalated", hours=30)

    def shown(query: str) -> list[str]:
        return re.findall(r'<tr id="(d-\d)"', world.get(f"/console/decisions?{query}").text)

    assert shown("") == ["d-2", "d-1"]
    assert shown("since=2026-11-02&until=2026-11-02") == ["d-2"]
    assert shown("until=2026-11-01&verdict=&by=ann&case=k-1") == ["d-1"]
    assert shown("by=nobody") == []


def test_operations_are_for_admins(api: Api) -> None:
    moderator = sign_in(api)
    furnish(api)
    assert moderator.get("/console/ops").status_code == 403
    put_user(api, "root", role="admin")
    admin = Visitor(api)
    admin.sign_in("default", "root")
    answer = admin.get("/console/ops")
    page_text = texts(answer.text)
    assert answer.status_code == 200
    assert "No worker is running for ingest, detect, sweep, deliver, chores" in page_text
    assert "ValueError: &lt;script&gt;" in answer.text
    api.redis.blocking.delete(redis_keys.position("default"))
    assert "Unavailable: the counter" in texts(admin.get("/console/ops").text)
