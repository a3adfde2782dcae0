"""Where people are signed in: listed, bounded, and ended by themselves or an administrator."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
import sqlalchemy as sa
from conftest import Api
from console_world import Visitor, put_user, sign_in

from service.console import shares
from service.console.browser_words import browser_words
from service.console.device_cookie import name_for
from service.console.shares import DOWNLOADS_OF_ONE, REQUESTS_OF_ONE
from service.storage.sql import schema

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


def again(api: Api, name: str = "anna", agent: str = FIREFOX) -> Visitor:
    """The same person in another browser."""
    visitor = Visitor(api, name)
    visitor.get("/console/sign-in")
    form = {"tenant": "default", "name": name, "password": "correct horse battery"}
    assert visitor.post("/console/sign-in", form, headers={"User-Agent": agent}).status_code == 303
    return visitor


def ids(page: str) -> list[str]:
    return re.findall(r"/sessions/([0-9a-f]{16})/end", page)


def test_a_person_sees_their_sessions_and_ends_one_or_all_others(api: Api) -> None:
    here, there, third = sign_in(api), again(api), again(api, agent="<script>alert(1)</script>")
    page = here.get("/console/sessions").text
    assert len(ids(page)) == 3 and "Firefox on Linux" in page and "127.0.0.1" in page
    assert "<script>alert" not in page and "unknown browser" in page
    row = next(part for part in page.split("<tr>") if "Firefox on Linux" in part)
    assert here.post(f"/console/sessions/{ids(row)[0]}/end").status_code == 303
    assert [one.get("/console/clusters").status_code for one in (here, there, third)] == [200, 303, 200]
    here.get("/console/sessions")
    here.post("/console/sessions/end-others")
    assert "1 other session ended" in here.get("/console/sessions").text
    assert [one.get("/console/clusters").status_code for one in (here, third)] == [200, 303]
    with api.engine.connect() as connection:
        actions = connection.scalars(sa.select(schema.audit_trail.c.action)).all()
        devices = connection.scalar(sa.select(sa.func.count()).select_from(schema.sign_in_devices))
    assert actions.count("session-ended") == 2
    assert devices == 1, "browsers whose sessions were ended from another one are not known any more"


def test_ending_ones_own_session_leads_to_the_sign_in_page_and_keeps_the_device(api: Api) -> None:
    anna = sign_in(api)
    (mine,) = ids(anna.get("/console/sessions").text)
    assert anna.post(f"/console/sessions/{mine}/end").headers["location"] == "/console/sign-in"
    assert anna.get("/console/clusters").status_code == 303
    assert name_for("default", "anna") in anna.cookies


@pytest.mark.parametrize("id", ["", "f" * 16, "%25", "_" * 16, "0", "f" * 64])
def test_nobody_ends_the_session_of_another_person_by_its_id(api: Api, id: str) -> None:
    anna, ben = sign_in(api, "anna"), sign_in(api, "ben")
    (bens,) = ids(ben.get("/console/sessions").text)
    anna.get("/console/sessions")
    for tried in (bens, id):
        assert anna.post(f"/console/sessions/{tried}/end").status_code in (303, 404)
    assert ben.get("/console/clusters").status_code == anna.get("/console/clusters").status_code == 200


def test_an_admin_sees_and_ends_the_sessions_of_others_and_a_moderator_does_not(api: Api) -> None:
    root, anna = sign_in(api, "root", role="admin"), sign_in(api, "anna")
    ben, stranger = sign_in(api, "ben"), sign_in(api, "eve", role="admin", tenant="other")
    there = "/console/settings/people/2"
    (annas,) = ids(root.get(there).text)
    for other, status in ((ben, 403), (stranger, 404)):
        other.get("/console/sessions")
        assert other.post(f"{there}/sessions/{annas}/end").status_code == status
        assert other.post(f"{there}/sessions/end-all").status_code == status
    assert anna.get("/console/clusters").status_code == 200
    root.get(there)
    assert root.post(f"{there}/sessions/{annas}/end").status_code == 303
    assert anna.get("/console/clusters").status_code == 303
    again(api)
    again(api)
    root.get(there)
    root.post(f"{there}/sessions/end-all")
    assert "2 sessions of anna ended" in root.get(there).text
    root.post("/console/settings/people/1/sessions/end-all")
    assert root.get("/console/clusters").status_code == 200, "never the one in use"


def test_a_person_with_too_many_requests_or_downloads_under_way_waits_and_others_do_not(api: Api) -> None:
    anna, ben = sign_in(api, "anna"), sign_in(api, "ben")
    state = api.app.state
    user = 1
    for share, most, path in (
        (state.requests_at_once, REQUESTS_OF_ONE, "/console/clusters"),
        (state.downloads_at_once, DOWNLOADS_OF_ONE, "/console/decisions.csv"),
    ):
        for _ in range(most):
            assert share.take(1, user)
        refused = anna.get(path)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")
        assert "Wait" in refused.text or "Try again" in refused.text
        assert ben.get(path).status_code == 200
        for _ in range(most):
            share.give_back(1, user)
        assert anna.get(path).status_code == 200
        assert len(share) == 0, "each request gave its place back"


def test_a_refused_or_failed_request_gives_its_place_back(api: Api) -> None:
    anna = sign_in(api)
    anna.get("/console/clusters/unknown/export.json")
    anna.get("/console/overview.csv?period=never")
    anna.get("/console/settings/audit.csv")
    assert len(api.app.state.requests_at_once) == len(api.app.state.downloads_at_once) == 0


def test_every_download_is_counted(api: Api) -> None:
    from service.console.app import PAGES

    def routes(router: Any) -> list[Any]:
        return [route for route in router.routes if hasattr(route, "dependant")]

    found = {
        route.path: any(each.dependency is shares.few_downloads for each in route.dependencies)
        for router in PAGES
        for route in routes(router)
        if re.search(r"\.csv$|/export\.|/print$", route.path)
    }
    assert len(found) >= 9 and all(found.values()), found


def test_the_audit_trails_file_holds_no_database_connection_while_nobody_reads(api: Api) -> None:
    from service.console.csv_files import csv_response
    from service.console.person import Preferences
    from service.console.settings import audit_log

    root = sign_in(api, "root", role="admin")
    del root
    held: list[int] = []

    class Asked:
        app = api.app

    person: Any = type("P", (), {"tenant_id": 1, "tenant": "default", "preferences": Preferences()})()
    answer = audit_log.download_trail(Asked(), person, dict.fromkeys(audit_log._NAMES, ""))  # type: ignore[arg-type]
    assert csv_response is not None

    async def read() -> None:
        async for _ in answer.body_iterator:  # type: ignore[attr-defined]
            held.append(api.engine.pool.checkedout())  # type: ignore[attr-defined]

    asyncio.run(read())
    assert held and set(held) <= {0}


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (FIREFOX, "Firefox on Linux"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0) AppleWebKit/605 Version/17.0 Safari/604.1", "Safari on iPhone"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/126.0 Safari/537.36 Edg/126.0", "Edge on Windows"),
        ("Mozilla/5.0 (Linux; Android 14) Chrome/126.0 Mobile Safari/537.36", "Chrome on Android"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15) Chrome/126 Safari/537", "Chrome on macOS"),
        ("curl/8.5.0", "curl"),
        ("Linux", "unknown browser on Linux"),
        ("", "unknown browser"),
        ("<b>\x00" * 9_999, "unknown browser"),
    ],
)
def test_a_browser_in_a_few_words(agent: str, words: str) -> None:
    assert browser_words(agent) == words


def test_accounts_made_before_have_sessions_without_address_or_browser(api: Api) -> None:
    anna = sign_in(api)
    put_user(api, "ben")
    with api.engine.begin() as connection:
        connection.execute(sa.update(schema.sessions).values(address="", browser="", device=None))
    assert "unknown browser" in anna.get("/console/sessions").text
