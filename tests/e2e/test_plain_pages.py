"""Pages in plain words in a real browser: a phone without key hints, the root, the audit trail's sentences."""

from __future__ import annotations

import re
from collections.abc import Callable

from console_browser import Visitor
from console_installation import Installation
from playwright.sync_api import expect

PHONE = {"has_touch": True, "is_mobile": True}


def test_a_phone_shows_no_keys_and_a_computer_does(visitor: Callable[..., Visitor], installation: Installation) -> None:
    case = installation.cases(installation.tenants["default"])[0]["id"]
    for phone in (True, False):
        person = visitor("moderator", width=390 if phone else 1280, more=PHONE if phone else {})
        page = person.go(f"/console/clusters/{case}")
        if phone:
            page.locator("#decide > summary").click()
        expect(page.get_by_role("button", name=re.compile("^Submit$"))).to_be_visible()
        assert (page.locator("kbd:visible").count() == 0) is phone
        page.locator("details.me > summary").click()
        assert page.locator("[data-opens=keys-help]").is_visible() is not phone
        assert person.violations() == [] and person.overflow() == 0


def test_the_root_leads_to_the_console_and_the_audit_trail_reads_as_sentences(
    visitor: Callable[..., Visitor], installation: Installation
) -> None:
    for theme, width in (("light", 390), ("dark", 2560)):
        person = visitor("admin", "bulk", theme=theme, width=width)
        page = person.go("/")
        expect(page).to_have_url(re.compile("/console/clusters"))
        page = person.go("/console/settings/audit")
        expect(page.get_by_text("signed in from 127.0.0.1").first).to_be_visible()
        assert page.locator("details:not([open]) > summary", has_text="Details").count() > 0
        assert person.violations() == [] and person.overflow() == 0
        person.go("/console/ops")
        expect(page.get_by_text("Find groups").first).to_be_visible()
        assert person.violations() == [] and person.overflow() == 0
