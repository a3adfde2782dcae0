"""One box for cases, accounts, targets and words, across all states, over what the tenant keeps and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from case_scenes import put_case
from case_world import START, put_cluster
from conftest import Api, RedisClients
from console_world import Visitor, sign_in

from service.model import DecisionRequest, microseconds
from service.storage.accounts.tenant_settings import change_settings
from service.storage.accounts.tenants import tenant_id
from service.storage.cases import case_decisions, case_search, notes
from service.storage.sql import schema
from service.storage.sql.engine import write

NOW = START + timedelta(days=9)


@pytest.fixture
def desk(fake_redis: RedisClients, make_api: Callable[..., Api]) -> Api:
    api = make_api(fake_redis)
    api.key("default")
    api.app.state.api.now = lambda: NOW
    number = tenant_id(api.engine, "default")
    put_case(api.engine, number)
    with write(api.engine) as connection:
        change_settings(connection, number, actor="test", now_us=microseconds(NOW), keep_text=True)
    return api


@pytest.fixture
def anna(desk: Api) -> Visitor:
    return sign_in(desk)


def found(visitor: Visitor, q: str) -> str:
    answer = visitor.get("/console/search", params={"q": q})
    assert answer.status_code == 200
    return answer.text


def decide(desk: Api, note: str | None = None) -> None:
    with write(desk.engine) as connection:
        request = DecisionRequest(verdict="coordinated", reason_code="brigade", version=1, note=note)
        number = tenant_id(desk.engine, "default")
        case_decisions.record_decision(connection, number, "k1", request, decision_id="d-1", by="bea", now=NOW)


@pytest.mark.parametrize(
    ("q", "why"),
    [
        ("k1", "the case’s ID"),
        ("r-3", "an account of the group"),
        ("comment/4", "a target"),
        ("a-9", "the author of a target"),
        ("WHAT WAS SAID, number 5", "What was said, number 5."),
        ("accounts complained", "summary:"),
    ],
)
def test_ids_and_words_lead_to_the_case_with_the_reason_why(anna: Visitor, q: str, why: str) -> None:
    page = found(anna, q)
    assert "1 match in New" in page and 'href="/console/clusters/k1"' in page
    assert why in page


def test_decided_cases_are_found_and_counted_by_state(desk: Api, anna: Visitor) -> None:
    decide(desk, "Überfall aus dem Nachbarforum")
    assert "1 match in Decided" in found(anna, "r-3")
    assert "decision: Überfall aus dem Nachbarforum" in found(anna, "überfall")  # beyond ASCII, too
    with write(desk.engine) as connection:
        notes.add_note(connection, 1, "k1", "seen in spring <b>", by="bea", now=NOW)
    assert "note: seen in spring &lt;b&gt;" in found(anna, "IN SPRING")


def test_an_account_and_a_target_are_shown_with_links(anna: Visitor) -> None:
    assert 'href="/console/targets/comment%2F4"' in found(anna, "comment/4")
    page = found(anna, "nobody-of-this-name")
    assert "No cases match" in page and "Nothing found" in page
    assert "Nothing found" not in anna.get("/console/search").text


@pytest.mark.parametrize("q", ["%", "_", "'; DROP TABLE clusters", "\\", "x" * 900, "<script>", "k1\x07"])
def test_any_text_may_be_searched(anna: Visitor, q: str) -> None:
    page = found(anna, q)
    assert "k1</span>" not in page or q == "_"
    assert "<script>" not in page.partition("<main")[2].replace("</main>", "")


def test_another_tenants_cases_are_not_found(desk: Api, anna: Visitor) -> None:
    other = sign_in(desk, "eve", tenant="elsewhere")
    for q in ("k1", "r-3", "comment/4", "a-9", "What was said", "accounts complained"):
        assert "/console/clusters/k1" not in found(other, q), q


def test_what_is_erased_or_expired_is_not_found_since_nothing_is_copied(desk: Api, anna: Visitor) -> None:
    assert "1 match" in found(anna, "What was said")
    with write(desk.engine) as connection:
        connection.execute(sa.delete(schema.complaints))
    assert "No cases match" in found(anna, "What was said")
    with write(desk.engine) as connection:
        change_settings(connection, 1, actor="test", now_us=microseconds(NOW), keep_text=False)
    assert "this tenant keeps no texts" in found(anna, "What was said")


def test_the_search_is_bounded_and_says_so(desk: Api, anna: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(case_search, "MOST_CASES", 2)
    for k in range(4):
        put_cluster(desk.engine, 1, f"kk{k}")
    page = found(anna, "kk")
    assert "There may be more" in page and page.count('class="case-link"') == 2


def test_search_targets_and_reporters_are_in_the_menu(anna: Visitor) -> None:
    page = anna.get("/console/reporters").text
    for path, label in (("search", "Search"), ("targets", "Targets"), ("reporters", "Reporters")):
        assert f'<a href="/console/{path}"' in page and f">{label}</a>" in page
    assert "Warnings to consider" in page
