"""Mentions in the console: a count in the menu, the list, and what is read."""

from __future__ import annotations

import re

import sqlalchemy as sa
from case_scenes import put_case
from conftest import Api
from console_pages import texts
from console_world import Visitor, put_user, sign_in

from service.storage.accounts import users
from service.storage.accounts.tenants import tenant_id
from service.storage.sql import schema
from service.storage.sql.engine import write

CASE = "/console/clusters/k1"


def unread(visitor: Visitor) -> int:
    page = texts(visitor.get("/console/search").text)
    found = re.search(r"Mentions (\d+)", page)
    return int(found[1]) if found else 0


def disable(api: Api, name: str) -> None:
    with write(api.engine) as connection:
        user = users.find_user(connection, 1, name)
        users.disable_user(connection, user, actor="test", now_us=1)


def test_a_mention_in_a_note_is_counted_listed_and_read_on_the_case(api: Api) -> None:
    api.key()
    put_case(api.engine, tenant_id(api.engine, "default"))
    anna, ben = sign_in(api), sign_in(api, "ben boss", role="viewer")
    assert unread(ben) == 0 and "Nobody has mentioned you yet" in ben.get("/console/mentions").text
    for _ in range(2):  # sent twice, written once
        anna.post(f"{CASE}/notes", {"text": "@Ben Boss and @anna: <b>look</b>, not x@ben boss"})
    assert "Mentioned: ben boss." in anna.get(CASE).text
    assert unread(ben) == 1 and unread(anna) == 0
    page = ben.get("/console/mentions").text
    assert "&lt;b&gt;look&lt;/b&gt;" in page and f'href="{CASE}#notes"' in page and page.count("unread</span>") == 1
    ben.get("/console/clusters")
    assert unread(ben) == 1
    assert ben.get(CASE).status_code == 200
    assert unread(ben) == 0 and "unread</span>" not in ben.get("/console/mentions").text


def test_a_name_that_no_colleague_has_is_answered_with_a_remark(api: Api) -> None:
    api.key()
    put_case(api.engine, tenant_id(api.engine, "default"))
    anna = sign_in(api)
    put_user(api, "ben boss")
    sign_in(api, "eve", tenant="elsewhere")
    anna.post(f"{CASE}/notes", {"text": "@Ben Boss, @nobody-here and @eve: see x@example.org"})
    page = texts(anna.get(CASE).text)
    assert "Mentioned: ben boss. No colleague has the name @nobody-here, @eve, so they see nothing of it." in page


def test_mentions_are_marked_as_read_by_their_person_alone(api: Api) -> None:
    api.key()
    put_case(api.engine, tenant_id(api.engine, "default"))
    anna, ben, eve = sign_in(api), sign_in(api, "ben"), sign_in(api, "eve", tenant="elsewhere")
    put_user(api, "cem")
    for text in ("@ben one", "@ben two", "@ben three", "@eve four"):
        anna.post(f"{CASE}/notes", {"text": text})
    assert unread(eve) == 0
    assert anna.post("/console/mentions/read", {"mention": "1"}).status_code == 303
    assert unread(ben) == 3
    assert ben.post("/console/mentions/read", {"mention": "1"}, csrf="").status_code == 403
    ben.post("/console/mentions/read", {"mention": "2"})
    assert unread(ben) == 2
    ben.post("/console/mentions/read")
    assert unread(ben) == 0


def test_a_decisions_note_mentions_too_and_a_disabled_account_is_named(api: Api) -> None:
    api.key()
    put_case(api.engine, tenant_id(api.engine, "default"))
    anna, ben = sign_in(api), sign_in(api, "ben")
    put_user(api, "cem")
    disable(api, "cem")
    anna.post(f"{CASE}/decide", {"verdict": "escalated", "version": "1", "note": "@ben @cem what do you think?"})
    page = anna.get(CASE).text
    assert "Mentioned: ben. The account of cem is disabled, so they will not see it." in page
    assert unread(ben) == 1
    assert "in a decision" in ben.get("/console/mentions").text
    with api.engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(schema.mentions)) == 1
