"""Templates for notes: made by admins, inserted as text, with and without a script, and kept when a session ends."""

from __future__ import annotations

import html
import re
from urllib.parse import unquote

import pytest
import sqlalchemy as sa
from case_scenes import put_case
from conftest import Api
from console_pages import texts
from console_world import Visitor, sign_in

from service.storage.accounts.tenants import tenant_id
from service.storage.cases import note_templates
from service.storage.sql import schema
from service.storage.sql.engine import write

SETTINGS = "/console/settings/templates"
CASE = "/console/clusters/k1"
TEXT = "{accounts} accounts, {targets} targets <b>: {case} {0} {x}"


def field(page: str, name: str) -> str:
    found = re.search(rf'<textarea [^>]*name="{name}"[^>]*>([^<]*)</textarea>', page)
    assert found is not None
    return html.unescape(found[1])


@pytest.fixture
def root(api: Api) -> Visitor:
    api.key()
    put_case(api.engine, tenant_id(api.engine, "default"))
    visitor = sign_in(api, "root", role="admin")
    assert visitor.post(f"{SETTINGS}/save", {"name": "Usual <i>", "text": TEXT}).status_code == 303
    return visitor


def test_an_admin_writes_changes_and_removes_templates(
    api: Api, root: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Usual &lt;i&gt;" in root.get(SETTINGS).text
    assert field(root.get(f"{SETTINGS}?edit=1").text, "text") == TEXT
    assert root.post(f"{SETTINGS}/save", {"name": "USUAL <I>", "text": "x"}).status_code == 422
    answer = root.post(f"{SETTINGS}/save", {"name": "Long", "text": "x" * 2_001})
    assert answer.status_code == 422 and "x" * 2_001 in answer.text
    root.post(f"{SETTINGS}/save", {"template": "1", "name": "Usual", "text": "changed"})
    assert "changed" in root.get(SETTINGS).text
    monkeypatch.setattr(note_templates, "MOST", 1)
    assert root.post(f"{SETTINGS}/save", {"name": "More", "text": "x"}).status_code == 422
    root.post(f"{SETTINGS}/remove", {"template": "1"})
    assert "No templates yet" in root.get(SETTINGS).text and 'name="template"' not in root.get(CASE).text
    trail = texts(root.get("/console/settings/audit").text)
    assert "root saved a note template" in trail and "root removed a note template" in trail


def test_a_template_is_inserted_as_text_with_the_cases_figures(api: Api, root: Visitor) -> None:
    anna = sign_in(api)
    with api.engine.connect() as connection:
        c = schema.clusters.c
        row = connection.execute(sa.select(c.reporter_count, c.target_count).where(c.id == "k1")).one()
    words = f"{row.reporter_count} accounts, {row.target_count} targets <b>: k1 {{0}} {{x}}"
    page = anna.post(f"{CASE}/notes/template", {"template": "1"}).text
    assert field(page, "text") == words and 'id="decision"' in page
    part = anna.post(f"{CASE}/notes/template", {"template": "1", "text": "Mine. "}, htmx=True).text
    assert field(part, "text") == f"Mine.\n\n{words}" and 'id="decision"' not in part and 'id="note-template"' in part
    filled = {"template": "1", "note": "So", "verdict": "escalated", "version": "1"}
    page = anna.post(f"{CASE}/template", filled).text
    assert field(page, "note") == f"So\n\n{words}" and re.search(r'value="escalated" checked', page)
    part = anna.post(f"{CASE}/template", filled, htmx=True).text
    assert field(part, "note") == f"So\n\n{words}" and "<aside" not in part
    with api.engine.connect() as connection:
        for table in (schema.notes, schema.decisions):
            assert connection.execute(sa.select(table)).all() == []


def test_what_does_not_fit_or_is_gone_leaves_the_note_as_it_was(api: Api, root: Visitor) -> None:
    anna = sign_in(api)
    long = "x" * 4_090
    page = anna.post(f"{CASE}/notes/template", {"template": "1", "text": long}).text
    assert field(page, "text") == long and "would be too long" in page
    page = anna.post(f"{CASE}/template", {"template": "9", "note": "So"}).text
    assert field(page, "note") == "So" and "no longer exists" in page
    assert anna.post("/console/clusters/k9/notes/template", {"template": "1"}).status_code == 404
    eve = sign_in(api, "eve", tenant="elsewhere")
    assert eve.post(f"{CASE}/notes/template", {"template": "1"}).status_code == 404


def test_only_admins_write_templates_and_only_moderators_use_them(api: Api, root: Visitor) -> None:
    anna, vera = sign_in(api), sign_in(api, "vera", role="viewer")
    for path in ("save", "remove"):
        assert anna.post(f"{SETTINGS}/{path}", {"template": "1", "name": "x", "text": "x"}).status_code == 403
    for path in ("notes/template", "template"):
        assert vera.post(f"{CASE}/{path}", {"template": "1"}).status_code == 403
        assert anna.post(f"{CASE}/{path}", {"template": "1"}, csrf="").status_code == 403
    assert "Usual" not in vera.get(CASE).text


@pytest.mark.parametrize(("path", "name"), [("notes/template", "text"), ("template", "note")])
def test_a_note_is_kept_when_the_session_ends_before_a_template_is_inserted(
    api: Api, root: Visitor, path: str, name: str
) -> None:
    anna = sign_in(api)
    page = anna.get(CASE).text
    ticket = re.search(r'name="form_of" value="([^"]+)"', page)
    assert ticket is not None
    with write(api.engine) as connection:
        connection.execute(sa.delete(schema.sessions))
    form = {"form_of": ticket[1], "template": "1", name: "Written before @root", "version": "1"}
    there = unquote(anna.post(f"{CASE}/{path}", form).headers["location"].partition("next=")[2])
    anna.sign_in("default", "anna", next=there)
    page = anna.get(there).text
    assert field(page, name) == "Written before @root"
