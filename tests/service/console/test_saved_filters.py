"""Saved filters: a view under a name with its count, one's own or shared, and none that breaks the list."""

from __future__ import annotations

import json
import re

import pytest
import sqlalchemy as sa
from case_world import put_cluster
from conftest import Api
from console_pages import texts
from console_world import put_user, sign_in

from service.storage.accounts.tenant_settings import change_settings
from service.storage.cases import saved_filters
from service.storage.privacy.erasure_rewrite import ErasureRewrite
from service.storage.sql import schema
from service.storage.sql.engine import write

SAVE, REMOVE = "/console/queue/filters/save", "/console/queue/filters/remove"


def nav(page: str) -> str:
    if 'aria-label="Saved filters"' not in page:
        return ""
    return texts(page[page.index('aria-label="Saved filters"') :].partition("</nav>")[0].partition(">")[2])


def stored(api: Api) -> list[dict[str, str]]:
    with api.engine.connect() as connection:
        found = connection.scalars(sa.select(schema.saved_filters.c.parameters).order_by(schema.saved_filters.c.id))
        return [json.loads(one) for one in found]


def test_a_view_is_saved_with_its_order_and_shows_its_count(api: Api) -> None:
    anna, ben, vera = sign_in(api), sign_in(api, "ben"), sign_in(api, "vera", role="viewer")
    put_cluster(api.engine, 1, "k1", kind="one_shot")
    put_cluster(api.engine, 1, "k2")
    assert nav(anna.get("/console/clusters").text) == ""
    view = "kind=one_shot&sort=found_at"
    assert anna.post(SAVE, {"name": "Single <i>", "view": view}).status_code == 303
    anna.post(SAVE, {"name": "Everything", "view": "tab=all", "shared": "yes"})
    page = anna.get("/console/clusters?kind=one_shot&sort=found_at").text
    assert nav(page) == "Everything 2 Single &lt;i&gt; 1"
    assert re.search(r'href="/console/clusters\?sort=found_at&amp;kind=one_shot" aria-current="page" title="Only', page)
    assert nav(ben.get("/console/clusters").text) == nav(vera.get("/console/clusters").text) == "Everything 2"
    anna.post(SAVE, {"name": "single  <I>", "view": "tab=mine"})
    assert nav(anna.get("/console/clusters").text) == "Everything 2 single &lt;I&gt; 0"


def test_what_no_longer_exists_is_left_out_of_it(api: Api) -> None:
    anna = sign_in(api)
    put_cluster(api.engine, 1, "k1")
    for number, view in enumerate(("tab=nowhere&sort=moon&kind=one_sided&future=1", "in_queue=77", "x" * 3_000)):
        assert anna.post(SAVE, {"name": f"v{number}", "view": view}).status_code in (303, 422)
    with write(api.engine) as connection:
        connection.execute(
            sa.insert(schema.saved_filters).values(
                tenant_id=1, user_id=1, shared=False, name="old", parameters='{"mode": "wide", "min_score": "many"}'
            )
        )
    assert nav(anna.get("/console/clusters").text) == "old 1 v0 1 v1 0"


def test_only_its_owner_and_admins_remove_a_shared_one_and_viewers_share_none(api: Api) -> None:
    anna, ben = sign_in(api), sign_in(api, "ben")
    vera, root = sign_in(api, "vera", role="viewer"), sign_in(api, "root", role="admin")
    anna.post(SAVE, {"name": "Shared", "view": "tab=all", "shared": "yes"})
    vera.post(SAVE, {"name": "Hers", "view": "tab=all", "shared": "yes"})
    assert nav(ben.get("/console/clusters").text) == "Shared 0"
    assert "/console/queue/filters/remove" not in ben.get("/console/clusters").text
    assert ben.post(REMOVE, {"filter": "1"}).status_code == 404
    assert root.post(REMOVE, {"filter": "2"}).status_code == 404  # somebody's own
    assert root.post(REMOVE, {"filter": "1"}, csrf="").status_code == 403
    assert root.post(REMOVE, {"filter": "1"}).status_code == 303
    assert vera.post(REMOVE, {"filter": "2"}).status_code == 303
    assert stored(api) == []
    trail = texts(root.get("/console/settings/audit").text)
    assert "anna shared a saved filter" in trail and "root removed a shared filter" in trail
    eve = sign_in(api, "eve", tenant="elsewhere")
    anna.post(SAVE, {"name": "Ours", "view": "tab=all", "shared": "yes"})
    assert nav(eve.get("/console/clusters").text) == "" and eve.post(REMOVE, {"filter": "3"}).status_code == 404


def test_names_and_numbers_are_bounded(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved_filters, "MOST", 1)
    anna, ben = sign_in(api), sign_in(api, "ben")
    anna.post(SAVE, {"name": "x" * 41, "view": ""})
    assert "1 to 40 characters" in anna.get("/console/clusters").text
    for name in ("one", "two"):
        anna.post(SAVE, {"name": name, "view": ""})
    assert "1 own saved filters already" in anna.get("/console/clusters").text
    anna.post(SAVE, {"name": "shared", "view": "", "shared": "yes"})
    ben.post(SAVE, {"name": "too", "view": "", "shared": "yes"})
    assert "1 shared saved filters already" in ben.get("/console/clusters").text
    assert len(stored(api)) == 2


def test_a_reporters_id_is_stored_under_the_pseudonym_where_the_tenant_has_them(api: Api) -> None:
    put_user(api)
    with write(api.engine) as connection:
        change_settings(connection, 1, actor="test", now_us=1, pseudonyms=True)
    anna = sign_in(api, "ben")
    anna.post(SAVE, {"name": "b", "view": "reporter=r-88"})
    (found,) = stored(api)
    assert found["reporter"] != "r-88"
    assert "r-88" not in anna.get("/console/clusters").text


def test_an_erased_reporter_is_in_no_saved_filter(api: Api) -> None:
    anna = sign_in(api)
    anna.post(SAVE, {"name": "a", "view": "tab=all&reporter=r-77&author=r-77"})
    assert stored(api)[0] == {"tab": "all", "reporter": "r-77", "author": "r-77"}
    rewrite = ErasureRewrite(1, {"r-77": "erased-1"})
    found = rewrite.find(api.engine)
    with write(api.engine) as connection:
        rewrite.apply(connection, found)
    assert stored(api)[0] == {"tab": "all", "reporter": "erased-1", "author": "erased-1"}
