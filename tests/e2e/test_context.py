"""Words, titles and links where people decide, in a real browser; that nothing leaves the page's origin is checked by
every visitor (console_browser.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from console_browser import Visitor
from console_installation import Installation
from playwright.sync_api import Locator, expect

TITLE = re.compile(r"\w+ .*\w")


def leads_out_safely(links: Locator, address: str) -> None:
    """Every one of the links says what it has to say to a browser, and stands at this address."""
    assert links.count() > 0
    for link in links.all():
        assert str(link.get_attribute("href")).startswith(address)
        assert link.get_attribute("rel") == "noopener noreferrer nofollow"
        assert link.get_attribute("target") == "_blank"


@pytest.mark.parametrize(("theme", "width"), [("light", 390), ("dark", 2560)])
def test_the_demo_world_shows_words_title_and_link_on_queue_case_target_and_restorations(
    visitor: Callable[..., Visitor], installation: Installation, theme: str, width: int
) -> None:
    person = visitor("moderator", theme=theme, width=width)
    page = person.go("/console/clusters")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for place in ("/console/clusters", "/console/restorations"):
        person.go(place)
        rows = page.locator("tbody tr")
        expect(rows.first.locator("q")).to_have_text(TITLE)
        leads_out_safely(rows.first.locator("a.context"), "https://news.example/articles/")
        expect(rows.first.locator("a.context")).to_have_text(TITLE)
        assert person.violations() == [] and person.overflow() == 0
    original = re.compile("^(open|image)$")
    leads_out_safely(page.locator("tbody").get_by_role("link", name=original), "https://news.example/")
    case = installation.cases(installation.tenants["default"])[0]
    person.go(f"/console/clusters/{case['id']}")
    against = page.locator("dl.glance > div").nth(1)
    expect(against).to_contain_text(re.compile(rf"\d+ of {case['target_count']} in "))
    leads_out_safely(against.locator("a.context"), "https://news.example/articles/")
    row = page.locator("#targets tbody tr").first
    expect(row.locator(".excerpt")).to_have_text(TITLE)
    leads_out_safely(row.locator("a.context"), "https://news.example/articles/")
    assert row.locator("a[target=_blank]").count() == 2
    assert person.violations() == [] and person.overflow() == 0
    row.locator("a.id").click()
    expect(page.locator("blockquote bdi")).to_have_text(TITLE)
    leads_out_safely(page.locator(".quote-card a.context"), "https://news.example/articles/")
    assert person.violations() == [] and person.overflow() == 0
    assert {urlsplit(url).netloc for url in asked} == {urlsplit(installation.base).netloc}


def test_strangers_titles_and_addresses_are_text_and_nothing_of_theirs_is_loaded(
    visitor: Callable[..., Visitor], installation: Installation
) -> None:
    case = installation.cases(installation.tenants["hostile"])[0]
    person = visitor("viewer", "hostile")
    for place in ("/console/clusters", f"/console/clusters/{case['id']}"):
        page = person.go(place)
        title = page.locator("a.context bdi").first
        expect(title).to_contain_text("title")
        expect(title).to_contain_text("\\u{202e}")
        assert page.locator("a[href^='javascript']").count() == 0
        assert page.locator("img:not([src^='/']), [style*='evil.example'], [src*='evil.example']").count() == 0
        assert person.violations() == [] and person.overflow() == 0
