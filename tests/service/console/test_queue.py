"""The queue: which cases are shown to whom, in which order, and what their address says."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa
from case_world import START, at_us, put_cluster, put_complaint
from conftest import Api
from console_world import Visitor, put_user, sign_in

from service.console.queue import next_case
from service.console.queue_filters import QueueQuery, parse_query, read_query
from service.model import microseconds
from service.storage.cases import claims
from service.storage.sql import schema
from service.storage.sql.engine import write

HOSTILE = '<script>alert("x")</script>\'"><img src=x onerror=alert(1)>'


@pytest.fixture
def anna(api: Api) -> Visitor:
    api.app.state.api.now = lambda: START + timedelta(hours=30)
    visitor = sign_in(api)
    with write(api.engine) as connection:
        connection.execute(sa.update(schema.ingest_state).values(watermark_us=at_us(30)))
    return visitor


def shown(page: str) -> list[str]:
    """Ids of the rows, in their order."""
    return re.findall(r'data-case="([^"]+)"', page)


def tab_counts(page: str) -> dict[str, int]:
    found = re.findall(r">(New|Mine|Escalated|Decided|All) <span class=\"count\">([\d,]+)<", page)
    return {name: int(count.replace(",", "")) for name, count in found}


def take(api: Api, case: str, by: str) -> None:
    with write(api.engine) as connection:
        claims.claim(connection, 1, [case], by=by, now=START)


def test_every_tab_holds_its_cases_and_counts_them(api: Api, anna: Visitor) -> None:
    put_cluster(api.engine, 1, "k-new")
    put_cluster(api.engine, 1, "k-mine")
    put_cluster(api.engine, 1, "k-bens")
    put_cluster(api.engine, 1, "k-escalated", status="escalated")
    put_cluster(api.engine, 1, "k-decided", status="decided", verdict="coordinated")
    put_cluster(api.engine, 1, "k-asleep", status="snoozed", snooze_until_us=at_us(31))
    put_cluster(api.engine, 1, "k-awake", status="snoozed", snooze_until_us=at_us(29), score=4.0)
    put_cluster(api.engine, 1, "k-revoked", disposition="revoked")
    put_cluster(api.engine, 1, "k-merged", disposition="merged", merged_into="k-new")
    take(api, "k-mine", "anna")
    take(api, "k-bens", "ben")
    expected = {
        "new": {"k-new", "k-awake"},
        "mine": {"k-mine"},
        "escalated": {"k-escalated"},
        "decided": {"k-decided"},
        "all": {
            "k-new",
            "k-mine",
            "k-bens",
            "k-escalated",
            "k-decided",
            "k-asleep",
            "k-awake",
            "k-revoked",
            "k-merged",
        },
    }
    for tab, cases in expected.items():
        page = anna.get(f"/console/clusters?tab={tab}").text
        assert set(shown(page)) == cases, tab
        assert tab_counts(page) == {"New": 2, "Mine": 1, "Escalated": 1, "Decided": 1, "All": 9}


def test_the_queue_is_sorted_by_score_unless_the_url_says_otherwise(api: Api, anna: Visitor) -> None:
    put_cluster(api.engine, 1, "k-a", score=2.0, found_us=at_us(1), last=9, reporters=["r1", "r2"])
    put_cluster(api.engine, 1, "k-b", score=9.0, found_us=at_us(3), last=3, reporters=["r1", "r2", "r3", "r4"])
    put_cluster(api.engine, 1, "k-c", score=5.0, found_us=at_us(2), last=6, reporters=["r1", "r2", "r3"])
    orders = {
        "": ["b", "c", "a"],
        "found_at": ["a", "c", "b"],
        "-found_at": ["b", "c", "a"],
        "-last_at": ["a", "c", "b"],
        "-reporter_count": ["b", "c", "a"],
        "nonsense": ["b", "c", "a"],
    }
    for sort, order in orders.items():
        assert shown(anna.get(f"/console/clusters?sort={sort}").text) == [f"k-{one}" for one in order], sort


def test_a_queue_row_shows_the_key_facts_of_a_case(api: Api, anna: Visitor) -> None:
    put_cluster(
        api.engine,
        1,
        "k-1",
        first=2,
        last=26,
        score=7.42,
        found_us=at_us(27),
        summary="3 accounts complained together about 2 targets; acting together, not judged yet.",
        reporters=[f"r{n}" for n in range(1_234)],
    )
    for seq, hours in enumerate((2, 2.1, 13, 26), 1):
        put_complaint(api.engine, 1, seq, f"r{seq}", "t1", hours=hours, cluster="k-1")
    take(api, "k-1", "ben")
    page = anna.get("/console/clusters?tab=all").text
    row = page[page.index('id="case-k-1"') : page.index("</tbody>")]
    for words in (
        "7.4",
        "3 accounts complained together",
        "<b>1,234</b> × <b>2</b>",
        "open",
        "ben",
        ">3 h<",
        'value="k-1:1"',
        "1 Nov, 02:00",
        "2 Nov, 02:00",
    ):
        assert words in row, words
    picture = row[row.index('<svg class="spark"') :]
    assert picture[: picture.index("</svg>")].count("<rect") == 3


def test_waiting_times_use_the_tenants_own_clock_for_a_replayed_history(api: Api, anna: Visitor) -> None:
    put_cluster(api.engine, 1, "k-1", found_us=at_us(25))
    assert "oldest 5 h" in anna.get("/console/clusters").text
    api.app.state.api.now = lambda: START + timedelta(days=6, hours=30)
    anna.sign_in("default", "anna")
    assert "oldest 5 h" in anna.get("/console/clusters").text
    with write(api.engine) as connection:
        connection.execute(sa.update(schema.ingest_state).values(watermark_us=at_us(24 * 6)))
    assert "oldest 6 days" in anna.get("/console/clusters").text


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"kind": "one_shot"}, {"k-once"}),
        ({"min_score": "4.5"}, {"k-once"}),
        ({"min_score": "4,5"}, {"k-once"}),
        ({"reporter": "r9"}, {"k-two"}),
        ({"target": "t9"}, {"k-two"}),
        ({"author": "a-9"}, {"k-two"}),
        ({"since": "2026-11-02"}, {"k-two"}),
        ({"until": "2026-11-01"}, {"k-once"}),
        ({"text": "FERRY"}, {"k-once"}),
        ({"text": "k-t"}, {"k-two"}),
        ({"text": "100%"}, set()),
        ({"disposition": "revoked"}, {"k-revoked"}),
        ({"disposition": "any"}, {"k-once", "k-two", "k-revoked"}),
        ({"kind": "repeat", "min_score": "9"}, set()),
    ],
)
def test_filters_are_in_the_url(api: Api, anna: Visitor, filters: dict[str, str], expected: set[str]) -> None:
    put_cluster(api.engine, 1, "k-once", kind="one_shot", score=5.0, first=1, last=3, summary="all about the ferry")
    put_cluster(api.engine, 1, "k-two", score=3.0, first=25, last=27, reporters=["r9"], targets=["t9"], author="a-9")
    put_cluster(api.engine, 1, "k-revoked", disposition="revoked")
    page = api.redis.run(_get(anna, filters))
    assert set(shown(page)) == expected
    for name, value in filters.items():
        assert f'name="{name}"' in page
        assert value in page


async def _get(visitor: Visitor, params: dict[str, str]) -> str:
    answer = await visitor.api.client.get(
        "/console/clusters",
        params=params,
        headers={"Cookie": "; ".join(f"{n}={v}" for n, v in visitor.cookies.items())},
    )
    assert answer.status_code == 200
    return str(answer.text)


@pytest.mark.parametrize(
    "filters",
    [
        {"min_score": "lots"},
        {"min_score": "inf"},
        {"since": "yesterday"},
        {"since": "2026-13-45"},
        {"until": "0001-01-01T00:00:00+23:59"},
        {"kind": "odd"},
        {"disposition": "odd"},
        {"reporter": "x" * 300},
        {"target": "a\u0007b"},
        {"since": "2026-11-05", "until": "2026-11-02"},
        {"text": "x" * 200},
    ],
)
def test_an_invalid_filter_is_reported_and_ignored(api: Api, anna: Visitor, filters: dict[str, str]) -> None:
    put_cluster(api.engine, 1, "k-1")
    page = api.redis.run(_get(anna, filters))
    assert "ignored" in page
    assert shown(page) == ["k-1"] or "until" in filters


def test_pages_follow_each_other_without_gap_or_repeat(
    api: Api, anna: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.console.queue.PAGE", 7)
    names = [f"k-{number:02}" for number in range(20)]
    for name in names:
        put_cluster(api.engine, 1, name, score=float(int(name[2:]) // 4))  # many of the same score
    for sort in ("", "found_at"):
        seen: list[str] = []
        path = f"/console/clusters?sort={sort}"
        while path:
            page = anna.get(path).text
            seen += shown(page)
            further = re.search(r'href="([^"]+)" rel="next"', page)
            path = further[1].replace("&amp;", "&") if further else ""
        assert sorted(seen) == names
        assert len(seen) == 20


def test_a_cursor_of_another_list_restarts_the_list_with_a_message(api: Api, anna: Visitor) -> None:
    put_cluster(api.engine, 1, "k-1")
    page = anna.get("/console/clusters?cursor=nonsense")
    assert page.status_code == 200
    assert shown(page.text) == ["k-1"]
    assert "Showing the first page" in page.text


def test_hostile_text_is_shown_as_text(api: Api, anna: Visitor) -> None:
    put_cluster(api.engine, 1, "k-1", summary=HOSTILE, changed_by=HOSTILE)
    take(api, "k-1", HOSTILE)
    page = anna.get("/console/clusters?tab=all&text=%3Cscript%3E").text
    assert shown(page) == ["k-1"]
    assert "<script>" not in page
    assert "<img src=x" not in page
    assert "&lt;script&gt;" in page


def test_another_tenants_cases_are_not_listed(api: Api, anna: Visitor) -> None:
    put_user(api, "olga", tenant="other")
    put_cluster(api.engine, 2, "k-theirs")
    page = anna.get("/console/clusters?tab=all").text
    assert shown(page) == []
    assert tab_counts(page)["All"] == 0
    anna.post("/console/queue/claim", {"case": "k-theirs:1"})
    with api.engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(schema.claims)) == 0


def test_claiming_moves_a_case_to_mine_and_back(api: Api, anna: Visitor) -> None:
    for name in ("k-1", "k-2", "k-3"):
        put_cluster(api.engine, 1, name)
    assert (
        anna.post("/console/queue/claim", {"case": ["k-1:1", "k-2:1"], "back": "/console/clusters?tab=new"}).headers[
            "location"
        ]
        == "/console/clusters?tab=new"
    )
    page = anna.get("/console/clusters").text
    assert "2 cases claimed." in page
    assert shown(page) == ["k-3"]
    assert set(shown(anna.get("/console/clusters?tab=mine").text)) == {"k-1", "k-2"}
    row = anna.post("/console/queue/unclaim", {"only": "k-1", "back": "/console/clusters?tab=mine"}, htmx=True)
    assert row.status_code == 200
    assert row.text.lstrip().startswith('<tr id="case-k-1"')
    assert ">Claim</button>" in row.text
    assert "queue=tab%3Dmine" in row.text
    assert set(shown(anna.get("/console/clusters?tab=mine").text)) == {"k-2"}
    assert anna.post("/console/queue/claim", {"only": "k-nothing"}, htmx=True).status_code == 404
    assert (
        anna.post("/console/queue/claim", {"back": "https://evil.example"}).headers["location"] == "/console/clusters"
    )


def test_a_viewer_can_read_but_change_nothing(api: Api) -> None:
    put_user(api, "anna")
    put_cluster(api.engine, 1, "k-1")
    vera = sign_in(api, "vera", role="viewer")
    page = vera.get("/console/clusters").text
    assert shown(page) == ["k-1"]
    assert "Claim" not in page
    assert 'type="checkbox"' not in page
    for path in ("claim", "unclaim", "chosen", "decide", "undo"):
        assert vera.post(f"/console/queue/{path}", {"case": "k-1:1"}).status_code == 403
    assert vera.get("/console/queue/undo").status_code == 403


def test_a_case_that_grew_after_its_decision_says_so(api: Api, anna: Visitor) -> None:
    put_cluster(api.engine, 1, "k-1", verdict="coordinated", status="open")
    assert "grown since the decision" in anna.get("/console/clusters").text


def test_empty_tabs_explain_what_appears_there(anna: Visitor) -> None:
    assert "No new cases" in anna.get("/console/clusters").text
    assert "You have no cases" in anna.get("/console/clusters?tab=mine").text
    assert "No cases match" in anna.get("/console/clusters?kind=repeat").text


def test_the_next_case_is_the_first_other_one_of_the_same_list(api: Api, anna: Visitor) -> None:
    for name, score in (("k-1", 9.0), ("k-2", 8.0), ("k-3", 7.0)):
        put_cluster(api.engine, 1, name, score=score)
    privacy_filter = api.redis.run(api.app.state.api.privacy_filters.of(1))
    take(api, "k-2", "ben")

    def after(done: str, queue: str) -> str | None:
        with api.engine.connect() as connection:
            return next_case(
                connection, 1, "anna", privacy_filter, queue, done=done, now=datetime(2026, 11, 2, tzinfo=UTC)
            )

    assert after("k-1", "") == "k-3"
    assert after("k-1", "tab=all") == "k-2"
    assert after("k-1", "min_score=8.5") is None
    assert after("k-3", "sort=found_at&nonsense=%00&" + "x" * 5_000) == "k-1"


def test_a_queue_view_survives_a_round_trip_through_a_url() -> None:
    parameters: dict[str, Any] = {
        "tab": "all",
        "sort": "found_at",
        "text": "a b&c=d",
        "min_score": "2.5",
        "reporter": "r/1?x",
        "since": "2026-11-01",
        "status": "open",
    }
    question = read_query(parameters)
    assert parse_query(question.text) == question
    assert {name: values[0] for name, values in parse_qs(urlsplit(question.url()).query).items()} == parameters
    assert (
        question.url(text=None, tab="new")
        == "/console/clusters?sort=found_at&min_score=2.5&reporter=r%2F1%3Fx&since=2026-11-01"
    )
    assert QueueQuery().url() == "/console/clusters"
    assert question.filters["since_us"] == str(microseconds(datetime(2026, 11, 1, tzinfo=UTC)))


def test_what_is_merged_or_reliable_does_not_wait_under_all(api: Api, anna: Visitor) -> None:
    put_cluster(api.engine, 1, "k-open")
    put_cluster(api.engine, 1, "k-merged", disposition="merged")
    put_cluster(api.engine, 1, "k-reliable", disposition="reliable")
    page = anna.get("/console/clusters?tab=all").text
    for case, words in (("k-open", "open"), ("k-merged", "part of another case"), ("k-reliable", "nothing to decide")):
        row = page[page.index(f'id="case-{case}"') :].split("</tr>")[0]
        state = re.sub(r"<[^>]+>", " ", row[row.index('class="state"') :]).split(">", 1)[1]
        assert words in state and (case == "k-open" or "open" not in state), state
    assert shown(anna.get("/console/clusters?tab=all&status=open").text) == ["k-open"]
    assert set(shown(anna.get("/console/clusters?tab=all&disposition=merged").text)) == {"k-merged"}
    assert set(shown(anna.get("/console/clusters?tab=all&status=open&disposition=reliable").text)) == {"k-reliable"}
