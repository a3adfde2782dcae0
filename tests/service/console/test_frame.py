"""What every page of the console has: headers, failures as pages, bounds, files with hashes."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from pathlib import Path

import pytest
import sqlalchemy as sa
from conftest import Api
from console_world import Visitor, sign_in
from outages import take_away

from service.console import static_files
from service.console.rendering import environment
from service.storage.sql import schema
from service.storage.sql.engine import write

TEMPLATES = Path(static_files.FOLDER).with_name("templates")
VENDOR = static_files.FOLDER / "vendor"


def test_the_console_opens_at_the_cases(api: Api) -> None:
    for path in ("/console", "/console/"):
        assert Visitor(api).get(path).headers["location"] == "/console/clusters"


def test_every_answer_carries_the_policy_that_allows_nothing_inline_and_no_other_host(api: Api) -> None:
    anna = sign_in(api)
    for path in ("/console/clusters", "/console/sign-in", "/console/nothing", static_files.static("console.css")):
        headers = anna.get(path).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; ")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
    assert anna.get("/console/clusters").headers["cache-control"] == "no-store"


def test_no_template_holds_a_script_a_style_or_a_handler() -> None:
    for path in sorted(TEMPLATES.rglob("*.html")):
        text = path.read_text()
        assert not re.search(
            r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|javascript:|hx-on|\|\s*safe\b", text
        ), path.name
        assert not re.search(r"(?:src|href|action)=[\"']?(?:https?:)?//", text), path.name


def test_errors_are_pages_with_a_link_to_continue(api: Api) -> None:
    anna = sign_in(api)
    missing = anna.get("/console/nothing")
    assert missing.status_code == 404
    assert "<h1>Not Found</h1>" in missing.text
    assert "Go to cases" in missing.text
    assert anna.get("/console/preferences", headers={"Accept": "application/json"}).status_code == 405
    unfit = anna.post("/console/preferences", {"theme": "<script>"})
    assert unfit.status_code == 422
    assert "<script>" not in unfit.text.replace('<script src="/console/static', "")


def test_htmx_gets_an_error_as_a_message_at_the_top_of_the_page(api: Api) -> None:
    anna = sign_in(api)
    answer = anna.post("/console/preferences", {"theme": "pink"}, htmx=True)
    assert (answer.status_code, answer.headers["hx-retarget"]) == (422, "#messages")
    assert "<html" not in answer.text
    assert 'role="alert"' in answer.text


def test_a_form_larger_than_a_megabyte_is_refused(api: Api) -> None:
    anna = sign_in(api)
    assert anna.post("/console/preferences", {"theme": "x" * (1 << 20)}).status_code == 413


def test_a_database_failure_is_reported_as_such(api: Api) -> None:
    anna = sign_in(api)
    back = take_away(api.engine)
    answer = anna.get("/console/clusters")
    assert answer.status_code == 503
    assert "database" in answer.text
    back()
    assert anna.get("/console/clusters").status_code == 200


def test_an_unexpected_error_page_reveals_no_details(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    anna = sign_in(api)

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the secret inside")

    monkeypatch.setattr("service.console.queue.case_queue.count_tabs", broken)
    answer = anna.get("/console/clusters")
    assert answer.status_code == 500
    assert "An unexpected error occurred" in answer.text
    assert "secret inside" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_files_are_compressed_and_cached_forever_under_their_hash(api: Api) -> None:
    visitor = Visitor(api)
    for name in static_files.static_files():
        answer = visitor.get(static_files.static(name))
        assert answer.status_code == 200
        assert answer.content == (static_files.FOLDER / name).read_bytes()
        assert "immutable" in answer.headers["cache-control"]
    assert visitor.get("/console/static/console.css").headers["cache-control"] == "no-cache"
    assert (
        visitor.get("/console/static/console.css", headers={"Accept-Encoding": "gzip"}).headers["content-encoding"]
        == "gzip"
    )
    etag = visitor.get("/console/static/console.css").headers["etag"]
    assert visitor.get("/console/static/console.css", headers={"If-None-Match": etag}).status_code == 304


@pytest.mark.parametrize(
    "path",
    [
        "/console/static/../site.py",
        "/console/static/%2e%2e/site.py",
        "/console/static//etc/passwd",
        "/console/static/",
        "/console/static/vendor",
    ],
)
def test_nothing_outside_the_folder_is_served(api: Api, path: str) -> None:
    assert Visitor(api).get(path, raw_path=path.encode()).status_code == 404


def test_vendored_files_match_the_manifest() -> None:
    listed = json.loads((VENDOR / "manifest.json").read_text())["files"]
    assert {entry["file"] for entry in listed} == {path.name for path in VENDOR.iterdir()} - {"manifest.json"}
    for entry in listed:
        assert sha256((VENDOR / entry["file"]).read_bytes()).hexdigest() == entry["sha256"], entry["file"]
        assert all(entry[field] for field in ("name", "version", "source", "path_in_source", "licence"))
        assert len(entry["licence_text"]) > 200
        assert re.fullmatch(r"\d+\.\d+\.\d+", entry["version"])


def test_every_template_compiles() -> None:
    for name in environment().list_templates(filter_func=lambda name: name.endswith(".html")):
        environment().get_template(name)


def test_a_flash_message_is_shown_once(api: Api) -> None:
    anna = sign_in(api)
    with write(api.engine) as connection:
        connection.execute(
            sa.update(schema.sessions).values(
                flash=json.dumps({"text": "<b>kept</b>", "kind": "good", "link": None, "link_text": None})
            )
        )
    assert "&lt;b&gt;kept&lt;/b&gt;" in anna.get("/console/clusters").text
    assert "kept" not in anna.get("/console/clusters").text


def test_the_menu_shows_what_a_role_may_open_and_the_installation_has(api: Api) -> None:
    page = sign_in(api, "vera", role="viewer").get("/console/clusters").text
    menu = page[page.index('class="menu"') : page.index("</nav>")]
    assert ">Cases<" in menu
    assert "/console/settings" not in menu
