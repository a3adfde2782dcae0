"""One box for everything, in a real browser: a decided case is found by an account, a target and a word of its note."""

from __future__ import annotations

import re
from collections.abc import Callable

from console_browser import Visitor
from console_installation import Installation
from playwright.sync_api import expect


def test_a_decided_case_is_found_by_account_target_and_words(
    visitor: Callable[..., Visitor], installation: Installation
) -> None:
    tenant = installation.tenants["bulk"]
    case = installation.case(tenant, installation.cases(tenant)[0]["id"])
    with installation.client(tenant) as client:
        client.post(
            f"/v1/clusters/{case['id']}/decisions",
            json={
                "verdict": "coordinated",
                "reason_code": "brigade",
                "version": case["version"],
                "note": "Zwölf Konten aus dem Nachbarforum",
            },
        ).raise_for_status()
    for theme, width in (("light", 390), ("dark", 2560)):
        person = visitor("viewer", "bulk", theme=theme, width=width)
        page = person.go("/console/clusters")
        page.get_by_role("link", name="Search", exact=True).click()
        for words in ("NACHBARFORUM", case["reporters"][0], case["targets"][0]):
            page.get_by_label("Case, account, target, author or words").fill(words)
            page.get_by_role("button", name="Search").click()
            expect(page.get_by_role("status").filter(has_text="1 match in Decided")).to_be_visible()
            assert page.locator(f"a.case-link[href='/console/clusters/{case['id']}']").count() == 1
            assert person.violations() == [] and person.overflow() == 0
        page.get_by_role("link", name="Reporters", exact=True).click()
        expect(page.get_by_role("heading", name=re.compile("Warnings to consider"))).to_be_visible()
        page.get_by_role("link", name="Targets", exact=True).click()
        expect(page).to_have_url(re.compile("/console/targets"))
        assert person.violations() == [] and person.overflow() == 0
