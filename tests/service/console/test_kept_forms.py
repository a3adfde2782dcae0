"""Forms sent after their session ended, sent twice, or sent from an old page: nothing is lost or happens twice."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

import pytest
import sqlalchemy as sa
from case_scenes import put_case
from case_world import START
from conftest import Api, RedisClients
from console_world import Visitor, put_user, sign_in
from starlette.requests import Request

from service.model import DecisionRequest
from service.storage.accounts.tenants import tenant_id
from service.storage.cases import case_decisions
from service.storage.redis_store import kept_forms
from service.storage.sql import schema
from service.storage.sql.engine import write

NOW = START + timedelta(days=9)
CASE = "/console/clusters/k1"
NOTE = "All nine of them write in the same hour <every day>"


@pytest.fixture
def desk(fake_redis: RedisClients, make_api: Callable[..., Api]) -> Api:
    api = make_api(fake_redis)
    api.key("default")
    api.app.state.api.now = lambda: NOW
    put_case(api.engine, tenant_id(api.engine, "default"))
    return api


@pytest.fixture
def anna(desk: Api) -> Visitor:
    return sign_in(desk)


def end_sessions(api: Api) -> None:
    with write(api.engine) as connection:
        connection.execute(sa.delete(schema.sessions))


def decisions(api: Api) -> list[Any]:
    with api.engine.connect() as connection:
        return list(connection.execute(sa.select(schema.decisions)).mappings())


def fields(page: str) -> dict[str, str]:
    form = page[page.index('id="decision"') : page.index('id="effect"')]
    return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', form))


def filled_in(visitor: Visitor) -> dict[str, Any]:
    return {
        **fields(visitor.get(CASE).text),
        "verdict": "not_coordinated",
        "reason_code": "other",
        "note": NOTE,
        "excluded_reporters": ["r-1", "r-2"],
    }


def next_of(answer: Any) -> str:
    location = answer.headers.get("location") or answer.headers["hx-redirect"]
    assert location.startswith("/console/sign-in?next="), location
    return unquote(location.partition("next=")[2])


def shows_what_was_entered(page: str) -> bool:
    return (
        NOTE.replace("<", "&lt;").replace(">", "&gt;") in page
        and re.search(r'value="not_coordinated" checked', page) is not None
        and re.search(r'<option value="other" selected', page) is not None
        and len(re.findall(r'name="excluded_reporters" value="r-[12]" form="decision" checked', page)) == 2
    )


@pytest.mark.parametrize(("action", "htmx"), [("decide", False), ("preview", True)])
def test_a_decision_sent_after_the_session_ended_is_there_after_signing_in_and_waits_for_its_person(
    desk: Api, anna: Visitor, action: str, htmx: bool
) -> None:
    form = filled_in(anna)
    old = anna.csrf
    end_sessions(desk)
    there = next_of(anna.post(f"{CASE}/{action}", form, htmx=htmx))
    assert there.startswith(f"{CASE}?kept=") and len(there) < 700
    assert "What you entered is kept for an hour" in anna.get(f"/console/sign-in?next={there}").text
    assert "What you entered" not in anna.get("/console/sign-in?next=/console/overview").text
    answer = anna.sign_in("default", "anna", next=there)
    assert answer.headers["location"] == there
    page = anna.get(there)
    assert page.status_code == 200 and shows_what_was_entered(page.text)
    assert "Check what you entered, then submit it" in page.text
    assert decisions(desk) == []  # nothing happens on its own
    assert anna.csrf != old
    anna.post(f"{CASE}/decide", {**form, **fields(page.text)})
    assert [(one["verdict"], one["note"]) for one in decisions(desk)] == [("not_coordinated", NOTE)]
    assert "there is nothing left to submit" in anna.get(there).text and not shows_what_was_entered(
        anna.get(there).text
    )


def test_another_person_sees_nothing_of_it_and_it_is_sealed_where_it_is_kept(desk: Api, anna: Visitor) -> None:
    form = filled_in(anna)
    end_sessions(desk)
    there = next_of(anna.post(f"{CASE}/decide", form))
    stored = str(desk.redis.run(desk.app.state.api.redis.lrange("bw:default:kept-forms:1", 0, -1)))
    assert "gAAAA" in stored and "nine" not in stored
    put_user(desk, "bea")
    anna.sign_in("default", "bea", next=there)  # at the same browser
    page = anna.get(there).text
    assert "entered by somebody else" in page and NOTE[:20] not in page
    other = sign_in(desk, "eve", tenant="elsewhere")
    assert NOTE[:20] not in other.get(there).text


def test_it_is_forgotten_after_an_hour(desk: Api, anna: Visitor) -> None:
    form = filled_in(anna)
    end_sessions(desk)
    there = next_of(anna.post(f"{CASE}/decide", form))
    assert desk.redis.run(desk.app.state.api.redis.ttl("bw:default:kept-forms:1")) > 3_000
    desk.app.state.api.now = lambda: NOW + timedelta(seconds=kept_forms.KEPT_SECONDS + 1)
    anna.sign_in("default", "anna", next=there)
    assert "no longer kept" in anna.get(there).text


@pytest.mark.parametrize("ticket", ["", "x", "form_of.default.1.99999999999999999.abc", "form_of.default.1"])
def test_nothing_is_kept_for_a_form_without_a_valid_ticket(desk: Api, anna: Visitor, ticket: str) -> None:
    form = filled_in(anna) | {"form_of": ticket}
    end_sessions(desk)
    assert next_of(anna.post(f"{CASE}/decide", form)) == CASE  # the page that the form was on
    assert desk.redis.run(desk.app.state.api.redis.exists("bw:default:kept-forms:1")) == 0


def test_a_form_that_another_site_sends_is_refused_and_not_kept(desk: Api, anna: Visitor) -> None:
    form = filled_in(anna)
    end_sessions(desk)
    answer = anna.post(f"{CASE}/decide", form, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert desk.redis.run(desk.app.state.api.redis.exists("bw:default:kept-forms:1")) == 0


def test_passwords_and_secrets_are_never_kept(desk: Api, anna: Visitor) -> None:
    form = fields(anna.get(CASE).text)
    end_sessions(desk)
    for path in ("/console/password", "/console/security/prove", "/console/settings/sources/add"):
        anna.post(path, {**form, "password": "a secret", "current": "a secret"})
    assert desk.redis.run(desk.app.state.api.redis.exists("bw:default:kept-forms:1")) == 0


def test_nobody_sends_a_file_without_being_signed_in(desk: Api, anna: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    end_sessions(desk)
    received: list[str] = []
    form = Request.form

    def noted(request: Request, *given: Any, **named: Any) -> Any:
        received.append(request.url.path)
        return form(request, *given, **named)

    monkeypatch.setattr(Request, "form", noted)
    upload = "/console/settings/import/upload"
    answer = anna.request("POST", upload, data={"csrf": anna.csrf}, files={"file": ("flags.csv", b"a,b")})
    assert next_of(answer) == "/console/settings/import" and received == []


def test_at_most_three_forms_a_person_are_kept(desk: Api, anna: Visitor) -> None:
    form = filled_in(anna)
    end_sessions(desk)
    for _ in range(5):
        anna.post(f"{CASE}/decide", form)
    assert desk.redis.run(desk.app.state.api.redis.llen("bw:default:kept-forms:1")) == kept_forms.MOST


def test_a_page_of_an_earlier_session_of_the_same_person_keeps_its_entries(desk: Api, anna: Visitor) -> None:
    form = filled_in(anna)
    end_sessions(desk)
    anna.sign_in("default", "anna")  # in another window
    answer = anna.post(f"{CASE}/decide", form, csrf=form["csrf"])
    assert answer.status_code == 303 and answer.headers["location"].startswith(f"{CASE}?kept=")
    assert shows_what_was_entered(anna.get(answer.headers["location"]).text)
    assert decisions(desk) == []
    put_user(desk, "bea")
    end_sessions(desk)
    anna.sign_in("default", "bea")
    assert anna.post(f"{CASE}/decide", form, csrf=form["csrf"]).status_code == 403


def test_what_somebody_else_decided_meanwhile_is_named(desk: Api, anna: Visitor) -> None:
    form = filled_in(anna)
    end_sessions(desk)
    there = next_of(anna.post(f"{CASE}/decide", form))
    with write(desk.engine) as connection:
        request = DecisionRequest(verdict="coordinated", reason_code="brigade", version=int(form["version"]))
        number = tenant_id(desk.engine, "default")
        case_decisions.record_decision(connection, number, "k1", request, decision_id="d-bea", by="bea", now=NOW)
    anna.sign_in("default", "anna", next=there)
    page = anna.get(there).text
    assert "What bea changed in the meantime" in page and shows_what_was_entered(page)


def test_a_note_and_other_forms_are_shown_to_be_submitted(desk: Api, anna: Visitor) -> None:
    form = fields(anna.get(CASE).text)
    end_sessions(desk)
    there = next_of(anna.post(f"{CASE}/notes", {**form, "text": NOTE}))
    anna.sign_in("default", "anna", next=there)
    page = anna.get(there).text
    assert "Add your note to case k1?" in page and "nine of them" in page
    assert f'action="{CASE}/notes"' in page
    sent = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page.partition("<main")[2]))
    assert anna.post(f"{CASE}/notes", {**sent, "text": NOTE}).status_code == 303
    assert "nine of them" in anna.get(CASE).text
    bulk = {**form, "case": ["k1:1"], "verdict": "escalated", "note": "look at this", "back": "/console/clusters"}
    end_sessions(desk)
    there = next_of(anna.post("/console/queue/decide", bulk))
    anna.sign_in("default", "anna", next=there)
    page = anna.get(there).text
    assert "Decide the cases that you selected?" in page and "Escalate" in page and "look at this" in page


@pytest.mark.parametrize(
    ("path", "page"),
    [
        (f"{CASE}/decide", CASE),
        (f"{CASE}/preview", CASE),
        ("/console/clusters/a%2Fb/notes", "/console/clusters/a%2Fb"),
        ("/console/queue/decide", "/console/clusters"),
        ("/console/queue/chosen", "/console/clusters"),
        ("/console/restorations/handle", "/console/restorations"),
        ("/console/settings/patrols/add", "/console/settings/patrols"),
        ("/console/ops/dead-letters", "/console/ops"),
        ("/console/reporters/r-1/misuse/steps", "/console/reporters/r-1/misuse"),
        ("/console/mail/test", "/console/mail"),
        ("/console/sign-out", "/console/clusters"),
        ("/console/preferences", "/console/clusters"),
    ],
)
def test_the_address_of_a_form_leads_to_its_page(anna: Visitor, path: str, page: str) -> None:
    answer = anna.get(path, raw_path=path.encode())
    assert (answer.status_code, answer.headers["location"]) == (303, page)


@pytest.mark.parametrize("path", ["people/add", "subscriptions/add", "sources/add", "import/upload"])
def test_the_address_of_a_form_of_the_settings_is_not_taken_for_an_id(desk: Api, path: str) -> None:
    answer = sign_in(desk, "root", role="admin").get(f"/console/settings/{path}")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/console/settings/{path.partition('/')[0]}")


def test_a_decision_sent_twice_is_logged_once_and_both_answers_say_it_is_done(desk: Api, anna: Visitor) -> None:
    form = filled_in(anna)
    first, second = anna.post(f"{CASE}/decide", form), anna.post(f"{CASE}/decide", form)
    assert (first.status_code, second.status_code) == (303, 303)
    assert first.headers["location"] == second.headers["location"]
    assert len(decisions(desk)) == 1
    assert "Not coordinated: recorded once" in anna.get(CASE).text
    another = anna.post(f"{CASE}/decide", {**form, "note": "I changed my mind"})
    assert another.status_code == 409 and len(decisions(desk)) == 1  # not the same decision


def test_a_decision_that_was_undone_may_be_made_again(desk: Api, anna: Visitor) -> None:
    form = filled_in(anna)
    anna.post(f"{CASE}/decide", form)
    page = anna.get(CASE).text
    undo = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', page[page.index(f'action="{CASE}/undo"') :][:1_500]))
    first, second = anna.post(f"{CASE}/undo", undo), anna.post(f"{CASE}/undo", undo)
    assert (first.status_code, second.status_code) == (303, 303)
    assert len(decisions(desk)) == 2  # undone once
    assert anna.post(f"{CASE}/decide", form).status_code == 409  # its page is old, and it is not in force


def test_several_cases_sent_twice_are_decided_once(desk: Api, anna: Visitor) -> None:
    form = {"case": ["k1:1"], "verdict": "coordinated", "back": "/console/clusters"}
    anna.post("/console/queue/decide", form)
    assert len(decisions(desk)) == 1
    anna.post("/console/queue/decide", form)
    assert len(decisions(desk)) == 1
    assert "skipped" not in anna.get("/console/clusters").text


def test_a_note_sent_twice_is_kept_once(desk: Api, anna: Visitor) -> None:
    for _ in range(2):
        anna.post(f"{CASE}/notes", {"text": NOTE})
    anna.post(f"{CASE}/notes", {"text": "another"})
    anna.post(f"{CASE}/notes", {"text": NOTE})
    with desk.engine.connect() as connection:
        assert len(connection.execute(sa.select(schema.notes)).all()) == 3


@pytest.mark.parametrize("path", ["preview", "handle"])
def test_nothing_ticked_is_said(desk: Api, anna: Visitor, path: str) -> None:
    answer = anna.post(f"/console/restorations/{path}", {"choice": "restored", "nonce": "0" * 16})
    assert answer.status_code == 303
    assert "Select targets first" in anna.get(answer.headers["location"]).text
