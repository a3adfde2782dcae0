"""One clock a person, told on every page, and a demo whose world ends now."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

from console_browser import Visitor
from console_installation import Installation
from playwright.sync_api import expect


def test_a_person_chooses_a_time_zone_and_tables_and_charts_follow(
    visitor: Callable[..., Visitor], installation: Installation
) -> None:
    tenant = installation.tenants["triage"]
    installation.add_person(tenant.id, "kolkata", "moderator")
    case = installation.cases(tenant)[0]["id"]
    person = visitor("kolkata", "triage", theme="dark", width=390)
    page = person.go(f"/console/clusters/{case}")
    page.wait_for_function("() => window.brigadewatch.clock !== undefined")
    assert page.evaluate("window.brigadewatch.clock(0)") == "00:00"
    page.get_by_role("link", name="Change", exact=True).click()
    page.get_by_label("Your time zone").select_option("Asia/Kolkata")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#messages")).to_contain_text("Times are now in Asia/Kolkata")
    assert person.violations() == [] and person.overflow() == 0
    page = person.go(f"/console/clusters/{case}")
    expect(page.locator("footer")).to_contain_text("Times are in Asia/Kolkata (UTC+05:30)")
    page.wait_for_function("() => window.brigadewatch.clock !== undefined")
    assert page.evaluate("window.brigadewatch.clock(0)") == "05:30"
    assert person.violations() == [] and person.overflow() == 0


def test_the_overview_of_the_demos_world_lives(visitor: Callable[..., Visitor], installation: Installation) -> None:
    person = visitor("viewer", width=2560)
    page = person.go("/console/overview")
    assert page.get_by_text("Periods and ages are measured up to then").count() == 0
    with installation.client(installation.tenants["default"]) as client:
        newest = max(
            datetime.fromisoformat(one["last_at"])
            for one in client.get("/v1/clusters", params={"limit": "100"}).raise_for_status().json()["items"]
        )
    assert (datetime.now(UTC) - newest).total_seconds() < 1_800  # the attack was found
    person.go("/console/clusters")
    expect(page.locator("td.waits").first).to_contain_text(re.compile("since"))
    assert person.violations() == [] and person.overflow() == 0
