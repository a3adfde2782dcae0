"""Settings in a browser: every page in both themes and widths, a dry run watched and put in force, an invitation, a
patrol.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from console_browser import NARROW, WIDE, Theme, Visitor
from console_installation import Installation, Tenant, town
from playwright.sync_api import expect

from tests.service.platforms.payloads import discourse, encoded, headers, score

SECTIONS = (
    "thresholds",
    "patrols",
    "flaggers",
    "people",
    "keys",
    "subscriptions",
    "sources",
    "import",
    "privacy",
    "audit",
)
NAME = "settings"
SECRET = "a secret of the tests"


@pytest.fixture(scope="module")
def tenant(installation: Installation) -> Tenant:
    """A tenant that nobody else's tests look at."""
    made = installation.tenants.get(NAME) or installation.add(NAME, town(11, brigades=3), least_cases=2)
    installation.settle(made)
    return made


def test_thresholds_are_tried_in_a_dry_run_and_applied(
    visitor: Callable[..., Visitor], installation: Installation, tenant: Tenant
) -> None:
    page = visitor("admin", tenant.name).go("/console/settings/thresholds")
    before = installation.cases(tenant, status="any")
    page.get_by_label("Minimum group size").fill("20")
    page.get_by_role("button", name="Start a dry run").click()
    expect(page).to_have_url(re.compile(r"/thresholds/runs/run_[0-9a-f]+$"))
    # shown by the page itself, without a reload
    expect(page.get_by_role("heading", name="Dry run: finished")).to_be_visible(timeout=90_000)
    gone = page.locator("section", has=page.get_by_role("heading", name="Cases that would be dropped")).locator(
        "tbody tr"
    )
    assert gone.count() >= len(before) >= 2
    hrefs = {link.get_attribute("href") for link in gone.locator("th a").all()}
    assert {f"/console/clusters/{case['id']}" for case in before} <= hrefs
    assert installation.cases(tenant, status="any") == before, "nothing was changed yet"
    page.get_by_role("button", name="Apply these thresholds").click()
    expect(page.locator(".message.good")).to_contain_text("now active")
    expect(page.get_by_label("Minimum group size")).to_have_value("20")
    installation.up.wait(lambda: installation.cases(tenant, status="any") == [], seconds=90)
    page.get_by_role("button", name="Dry run with the defaults").click()
    expect(page.get_by_role("heading", name="Dry run: finished")).to_be_visible(timeout=90_000)
    page.get_by_role("button", name="Apply these thresholds").click()
    installation.up.wait(lambda: len(installation.cases(tenant, status="any")) >= 2, seconds=90)


def test_a_value_out_of_range_shows_an_error_at_its_field_and_keeps_the_entry(
    visitor: Callable[..., Visitor], tenant: Tenant
) -> None:
    person = visitor("admin", tenant.name)
    page = person.go("/console/settings/thresholds")
    page.get_by_label("Minimum group size").fill("2")
    page.get_by_label("Removal threshold").fill("11")
    with person.expecting(422):
        page.get_by_role("button", name="Start a dry run").click()
        expect(page.get_by_label("Minimum group size")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Removal threshold")).to_have_value("11")
    assert person.violations() == []


def test_a_new_person_chooses_a_password_and_can_sign_in_until_disabled(
    visitor: Callable[..., Visitor], tenant: Tenant
) -> None:
    page = visitor("admin", tenant.name).go("/console/settings/people")
    page.get_by_label("Name", exact=True).fill("newcomer")
    page.get_by_role("button", name="Add and show").click()
    password = page.locator("#shown-once").input_value()
    # as over plain http, where browsers have none
    page.evaluate("() => Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    page.evaluate(
        "() => document.addEventListener('copy', () => { window.copied = String(document.getSelection()) ||"
        " document.activeElement.value; })"
    )
    page.locator("[data-copy]").click()
    expect(page.locator("[data-copy]")).to_have_text("Copied")
    assert page.evaluate("() => window.copied") == password
    page.get_by_role("link", name="I have saved it").click()
    guest = visitor()
    theirs = guest.sign_in("newcomer", password, tenant.name)
    expect(theirs).to_have_url(re.compile("/console/password$"))
    assert guest.violations() == []
    theirs.get_by_label("Current password").fill(password)
    theirs.get_by_label("New password", exact=True).fill("something that only I know")
    theirs.get_by_label("Repeat the new password").fill("something that only I know")
    theirs.get_by_role("button", name="Change password").click()
    expect(theirs.get_by_role("heading", level=1)).to_have_text(re.compile("Cases"))
    page.get_by_text("Disable…").click()
    page.get_by_role("button", name="Disable account").click()
    expect(page.locator(".message.good")).to_contain_text("can no longer sign in")
    guest.go("/console/clusters")
    expect(theirs).to_have_url(re.compile("/console/sign-in"))


def test_a_good_patrol_counts_in_full(
    visitor: Callable[..., Visitor], installation: Installation, tenant: Tenant
) -> None:
    case = installation.case(tenant, installation.cases(tenant, status="any", disposition="any")[0]["id"])
    page = visitor("admin", tenant.name).go(f"/console/settings/patrols?reporter={case['reporters'][0]}")
    expect(page.get_by_text("more count as independent")).to_be_visible()
    page.get_by_label("Reason").fill("knows spam")
    page.get_by_role("button", name="Add to the list").click()
    expect(page.get_by_role("table")).to_contain_text(case["reporters"][0])
    with installation.client(tenant) as client:

        def exempt() -> bool:
            complaints = (
                client.get(f"/v1/clusters/{case['id']}/complaints", params={"limit": "100"})
                .raise_for_status()
                .json()["items"]
            )
            return all(
                one["exempt"] for one in complaints if one["complaint"]["reporter"]["id"] == case["reporters"][0]
            )

        installation.up.wait(exempt, seconds=30)


def test_a_trusted_flaggers_notices_within_the_area_count_in_full_until_the_status_is_suspended(
    visitor: Callable[..., Visitor], installation: Installation, tenant: Tenant
) -> None:
    case = installation.case(tenant, installation.cases(tenant, status="any", disposition="any")[0]["id"])
    reporter = case["reporters"][1]  # the first is a good patrol
    with installation.client(tenant) as client:

        def theirs() -> list[dict[str, Any]]:
            found = client.get(f"/v1/clusters/{case['id']}/complaints", params={"limit": "100"}).raise_for_status()
            return [one for one in found.json()["items"] if one["complaint"]["reporter"]["id"] == reporter]

        (reason,) = {one["complaint"]["reason"] for one in theirs()}
        assert not any(one["exempt"] for one in theirs())
        person = visitor("admin", tenant.name)
        page = person.go("/console/settings/flaggers")
        page.get_by_label("Reporter ID").fill(reporter)
        page.get_by_label("Name of the organisation").fill("Hotline e. V.")
        page.get_by_label("Digital Services Coordinator that awarded the status").fill("Bundesnetzagentur")
        page.get_by_label("From").fill("2001-01-01")
        page.get_by_label("Area: your platform’s words for reasons").fill(reason.upper())
        page.get_by_role("button", name="Add to the registry").click()
        expect(page.get_by_role("table")).to_contain_text("in force")
        installation.up.wait(lambda: all(one["exempt"] for one in theirs()), seconds=30)
        page.get_by_role("link", name="Hotline e. V.").click()
        expect(page.get_by_role("row", name="Within area and time")).to_be_visible()
        for width in (WIDE, NARROW):
            page.set_viewport_size({"width": width, "height": 900})
            assert (person.violations(), person.overflow()) == ([], 0)
        page.get_by_label("Suspended from").fill("2001-01-01")
        page.get_by_role("button", name="Record the suspension").click()
        expect(page.locator(".message.good")).to_contain_text("The suspension is recorded")
        installation.up.wait(lambda: not any(one["exempt"] for one in theirs()), seconds=30)
        page = person.go("/console/targets")
        expect(page.get_by_text("Notices by trusted flaggers without a decision")).to_have_count(0)


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_is_accessible_in_both_themes_and_widths(
    visitor: Callable[..., Visitor], tenant: Tenant, theme: Theme, width: int
) -> None:
    person = visitor("admin", tenant.name, theme=theme, width=width)
    found = {}
    for section in SECTIONS:
        page = person.go(f"/console/settings/{section}")
        expect(page.locator(".tabs a[aria-current]")).to_be_in_viewport()
        found[section] = person.violations(), person.overflow()
    assert found == {section: ([], 0) for section in SECTIONS}


def test_a_connection_shows_what_arrived_and_what_a_payload_would_become(
    visitor: Callable[..., Visitor], installation: Installation, tenant: Tenant
) -> None:
    person = visitor("admin", tenant.name)
    page = person.go("/console/settings/sources")
    page.get_by_label("Platform").select_option("discourse")
    page.get_by_label("Secret").fill(SECRET)
    page.get_by_role("textbox", name="Namespace").fill("forum2")
    page.get_by_role("button", name="Connect").click()
    address = page.locator("#shown-once").input_value()
    body = encoded(discourse(score(1, 501, "2024-05-03T10:00:00.000Z"), score(2, 502, "yesterday")))
    for secret, status in ((SECRET, 202), (SECRET, 202), ("forged", 401)):
        sent = {"content-type": "application/json", **headers("discourse", secret, body)}
        answer = httpx.post(f"{installation.base}{urlsplit(address).path}", content=body, headers=sent)
        assert answer.status_code == status
    person.go("/console/settings/sources")
    page.get_by_role("link", name="discourse").click()
    page.get_by_role("link", name="Last deliveries, and try a payload").click()
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.nth(0)).to_contain_text("wrong signature")
    expect(rows.nth(1)).to_contain_text("complaint forum2:1")
    expect(rows.nth(1)).to_contain_text("/occurred_at")
    page.get_by_label("JSON").fill(body.decode())
    page.get_by_role("button", name="Try").click()
    expect(page.get_by_role("heading", name="1 item would be stored, 1 refused")).to_be_visible()
    expect(page.locator("pre", has_text="forum2:9001")).to_be_visible()
    assert (person.violations(), person.overflow()) == ([], 0)
    narrow = visitor("admin", tenant.name, theme="dark", width=NARROW)
    narrow.go(urlsplit(page.url).path.replace("/try", "/deliveries"))
    assert (narrow.violations(), narrow.overflow()) == ([], 0)


def test_a_moderator_sees_no_settings(visitor: Callable[..., Visitor], tenant: Tenant) -> None:
    person = visitor("moderator", tenant.name)
    page = person.go("/console/clusters")
    expect(page.get_by_role("link", name="Settings")).to_have_count(0)
    with person.expecting(403):
        page.goto("/console/settings/keys")
        expect(page.get_by_text("This page needs the admin role")).to_be_visible()
