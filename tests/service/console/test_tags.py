"""Tags in the console: on the case page, in rows and filters, for moderators alone."""

from __future__ import annotations

from case_world import put_cluster
from conftest import Api
from console_pages import texts
from console_world import sign_in

CASE = "/console/clusters/k1"


def test_a_moderator_adds_and_removes_tags_and_finds_cases_by_them(api: Api) -> None:
    anna = sign_in(api)
    put_cluster(api.engine, 1, "k1")
    put_cluster(api.engine, 1, "k2")
    assert anna.post(f"{CASE}/tags/add", {"tag": "<b>Sports</b> & more"}).headers["location"] == f"{CASE}#tags"
    page = anna.get(CASE).text
    assert "&lt;b&gt;Sports&lt;/b&gt; &amp; more" in page and "<b>Sports" not in page
    assert "anna added the tag “&lt;b&gt;Sports&lt;/b&gt; &amp; more”" in texts(page)
    rows = anna.get("/console/clusters?tag=%3Cb%3Esports%3C/b%3E+%26+more").text
    assert 'id="case-k1"' in rows and 'id="case-k2"' not in rows and "tag: <bdi>" in rows
    assert '<option value="&lt;b&gt;Sports&lt;/b&gt; &amp; more">' in anna.get("/console/clusters/k2").text
    assert 'href="/console/clusters/k1"' in anna.get("/console/search?q=SPORTS").text
    assert ",<b>Sports</b> & more," in anna.get("/console/clusters.csv?tab=all").text
    anna.post("/console/clusters/k2/tags/add", {"tag": "x" * 41})
    assert "No tag was added: a tag must have 1 to 40 characters" in anna.get("/console/clusters/k2").text
    anna.post(f"{CASE}/tags/remove", {"tag": "<b>Sports</b> & more"})
    assert 'id="case-k1"' not in anna.get("/console/clusters?tag=sports").text
    assert "/console/clusters/k1" not in anna.get("/console/search?q=sports").text
    assert "removed the tag" in anna.get(CASE).text


def test_a_viewer_reads_tags_and_changes_none(api: Api) -> None:
    anna, vera = sign_in(api), sign_in(api, "vera", role="viewer")
    put_cluster(api.engine, 1, "k1")
    anna.post(f"{CASE}/tags/add", {"tag": "sports"})
    page = vera.get(CASE).text
    assert "sports" in page and "/tags/add" not in page and "/tags/remove" not in page
    for action in ("add", "remove"):
        assert vera.post(f"{CASE}/tags/{action}", {"tag": "sports"}).status_code == 403
        assert anna.post(f"{CASE}/tags/{action}", {"tag": "more"}, csrf="").status_code == 403
    assert "sports" in vera.get(CASE).text


def test_the_api_has_a_cases_tags(api: Api) -> None:
    anna = sign_in(api)
    put_cluster(api.engine, 1, "k1")
    anna.post(f"{CASE}/tags/add", {"tag": "sports"})
    assert api.get("/v1/clusters/k1").json()["tags"] == ["sports"]
    assert api.get("/v1/clusters").json()["items"][0]["tags"] == ["sports"]
