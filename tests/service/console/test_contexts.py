"""Context where people decide: the comment's words, the original and the article or thread, by link alone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from case_scenes import put_case, put_removal
from case_world import START, at_us
from conftest import Api, RedisClients
from console_world import Visitor, sign_in

from service.console.case_contexts import contexts_of, described_targets
from service.storage.accounts.tenants import tenant_id
from service.storage.complaints.target_content import TargetWords, example_of
from service.storage.sql import schema
from service.storage.sql.engine import write
from service.storage.sql.hashing import key_of

NOW = START + timedelta(days=9)
CASE = "/console/clusters/k1"


def in_context(name: str | None, title: str | None = None, **more: str) -> TargetWords:
    return TargetWords(context_id=name, context_title=title, **more)


def test_contexts_are_counted_by_targets_and_called_by_their_latest_title() -> None:
    found = contexts_of(
        [
            *((k, in_context("a", f"Title {k}", context_url="https://news.example/a")) for k in range(40)),
            (0, in_context("a")),  # later, and without a title
            (40, in_context("b")),
            (41, in_context("b")),
            (42, in_context(None)),  # an account
            *((k, in_context(f"c{k}", "One")) for k in range(43, 46)),
        ]
    )
    assert [(c.name, c.titled, c.link, c.targets, c.other_titles) for c in found.shown] == [
        ("Title 39", True, "https://news.example/a", 40, 39),
        ("b", False, None, 2, 0),
        ("One", True, None, 1, 0),
    ]
    assert (found.left_out, found.described, 42 in found.by_target) == (2, 46, False)


def test_a_target_keeps_its_first_words_and_gets_what_later_complaints_add() -> None:
    first, second = TargetWords("words", "a-1", None, "x", "Old"), TargetWords("other", None, "https://u", "x", "New")
    assert described_targets([(1, first), (1, second), (1, in_context("x"))]) == {
        1: TargetWords("words", "a-1", "https://u", "x", "New")
    }


def test_the_example_of_a_case_is_of_the_context_of_most_and_has_words_if_any_has() -> None:
    bare, said, other = in_context("a", "A"), in_context("a", excerpt="words"), in_context("b", "B", excerpt="b's")
    assert example_of([other, bare, said]) == TargetWords("words", context_id="a", context_title="A")
    assert example_of([]) is None and example_of([TargetWords(author_id="x")]) == TargetWords(author_id="x")


@pytest.fixture
def desk(fake_redis: RedisClients, make_api: Callable[..., Api]) -> Api:
    api = make_api(fake_redis)
    api.key("default")
    api.app.state.api.now = lambda: NOW
    number = tenant_id(api.engine, "default")
    put_case(api.engine, number)
    put_removal(api.engine, number, "comment/0", seq=900, hours=3)
    return api


@pytest.fixture
def anna(desk: Api) -> Visitor:
    return sign_in(desk)


def describe(api: Api, **target: Any) -> None:
    """All complaints describe their targets so from now on."""
    with write(api.engine) as connection:
        for row_key, content in connection.execute(sa.select(schema.complaints.c.row_key, schema.complaints.c.content)):
            document = json.loads(content)
            document["target"] = {**document["target"], **target}
            connection.execute(
                sa.update(schema.complaints)
                .where(schema.complaints.c.row_key == row_key)
                .values(content=json.dumps(document))
            )


@pytest.mark.parametrize(
    "page", [CASE, "/console/clusters", "/console/targets/comment%2F0", "/console/search?q=comment/0"]
)
def test_words_title_and_links_are_where_people_decide(anna: Visitor, page: str) -> None:
    text = anna.get(page).text
    assert "What was said, number " in text
    link = re.search(
        r'<a class="context" href="https://news\.example/articles/\d" target="_blank" rel="([^"]+)">', text
    )
    assert link is not None and link[1] == "noopener noreferrer nofollow"
    assert "<bdi>The headline of " in text


def test_the_case_says_how_many_of_its_targets_are_in_which_article(desk: Api, anna: Visitor) -> None:
    assert "1 of 6 in" in anna.get(CASE).text and "and in 3 other articles or threads" in anna.get(CASE).text
    describe(desk, context_id="one")
    page = anna.get(CASE).text
    assert "6 of 6 in" in page and "(and under 5 other titles)" in page and "other articles" not in page
    with write(desk.engine) as connection:  # retention
        connection.execute(sa.delete(schema.complaints).where(schema.complaints.c.target_id != "comment/0"))
    page = anna.get(CASE).text
    assert "1 of 1 in" in page and "nothing is stored any more about 5 targets" in page
    with write(desk.engine) as connection:
        connection.execute(sa.delete(schema.complaints))
    for place in (CASE, "/console/clusters"):
        assert "The headline of" not in anna.get(place).text and "What was said" not in anna.get(place).text


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "data:text/html,x", "/t/1", "//evil.example", "http://[", " "]
)
def test_what_is_no_web_address_is_no_link(desk: Api, anna: Visitor, address: str) -> None:
    describe(desk, context_url=address, url=address)
    for place in (CASE, "/console/clusters", "/console/targets/comment%2F0"):
        page = anna.get(place).text
        assert "The headline of" in page and 'target="_blank"' not in page


def test_titles_are_strangers_text(desk: Api, anna: Visitor) -> None:
    describe(desk, context_title="\u202e<img src=x onerror=alert(1)>" + "w" * 260)
    for place in (CASE, "/console/clusters", "/console/targets/comment%2F0", f"{CASE}/print"):
        page = anna.get(place).text
        assert "\\u{202e}&lt;img src=x" in page
        assert "<img src=x" not in page and "\u202e" not in page
    assert "w" * 100 not in anna.get("/console/clusters").text  # one line of the queue


def test_an_image_is_a_link_that_says_so_and_is_never_loaded(desk: Api, anna: Visitor) -> None:
    describe(desk, url="https://img.example/a/b.PNG?size=large")
    for place in (CASE, "/console/targets/comment%2F0"):
        page = anna.get(place).text
        assert re.search(r'<a[^>]+href="https://img\.example/a/b\.PNG\?size=large"[^>]*>image ', page)
        assert not re.search(r'(src|srcset|poster|data|style)="[^"]*img\.example', page)


def test_the_search_finds_words_of_a_title(anna: Visitor) -> None:
    page = anna.get("/console/search", params={"q": "HEADLINE of 4"}).text
    assert "1 match" in page and "The headline of 4" in page


def test_restorations_show_the_words_and_where_they_stand(desk: Api, anna: Visitor) -> None:
    with write(desk.engine) as connection:
        connection.execute(
            sa.insert(schema.restorations).values(
                tenant_id=tenant_id(desk.engine, "default"),
                target_key=key_of("comment/0"),
                target_id="comment/0",
                state="open",
                harm=1.5,
                complaints=9,
                independent=2.5,
                cluster_ids=json.dumps(["k1"]),
                threshold=8,
                removal_id="x900",
                removed_us=at_us(3),
                removed_by="automatic",
                opened_us=at_us(3),
                changed_us=at_us(3),
                opened_seq=5,
            )
        )
    listed = anna.get("/console/restorations").text
    preview = anna.post("/console/restorations/preview", {"choice": "restored", "target": ["comment/0"]}).text
    for page in (listed, preview):
        assert "What was said, number 0." in page
        assert '<a class="context" href="https://news.example/articles/0" target="_blank"' in page
        assert 'href="https://news.example/comment/0" target="_blank" rel="noopener noreferrer nofollow">open' in page
