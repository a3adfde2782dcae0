"""A session that ends, forms sent twice and addresses of forms, in a real browser: nobody enters anything twice."""

from __future__ import annotations

import re
from collections.abc import Callable

import sqlalchemy as sa
from console_browser import NARROW, Visitor
from console_installation import PASSWORD, Installation, Tenant
from playwright.sync_api import Page, expect

from service.storage.sql import schema
from service.storage.sql.engine import write

NOTE = "They all write within the same hour"


def end_sessions(installation: Installation, name: str) -> None:
    users = sa.select(schema.users.c.id).where(schema.users.c.name == name)
    with write(installation.engine) as connection:
        connection.execute(sa.delete(schema.sessions).where(schema.sessions.c.user_id.in_(users)))


def sign_in(page: Page, name: str, tenant: str) -> None:
    page.get_by_label("Tenant").fill(tenant)
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def verdicts(installation: Installation, tenant: Tenant, case: str) -> list[str]:
    with installation.client(tenant) as client:
        log = client.get(f"/v1/clusters/{case}/decisions").raise_for_status().json()["items"]
    return [entry["verdict"] for entry in log]


def test_a_decision_survives_the_end_of_the_session_and_is_recorded_once(
    visitor: Callable[..., Visitor], installation: Installation
) -> None:
    tenant = installation.tenants["bulk"]
    installation.add_person(tenant.id, "nightowl", "moderator")
    installation.add_person(tenant.id, "earlybird", "moderator")
    case = installation.cases(tenant)[-1]["id"]
    person = visitor("nightowl", "bulk", theme="dark", width=NARROW)
    page = person.go(f"/console/clusters/{case}")
    page.locator("#decide > summary").click()
    page.get_by_label("Note, kept in the decision log").fill(NOTE)
    end_sessions(installation, "nightowl")
    with person.expecting(401):
        page.locator("[data-verdict='2']").check()  # its preview finds that the session has ended
        expect(page).to_have_url(re.compile("/console/sign-in"))
    expect(page.locator("#messages")).to_contain_text("What you entered is kept for an hour")
    assert person.violations() == [] and person.overflow() == 0
    address = page.url
    stranger = visitor(theme="light")
    stranger.go(address.partition(installation.base)[2])
    sign_in(stranger.page, "earlybird", "bulk")
    expect(stranger.page.locator("#messages")).to_contain_text("entered by somebody else")
    expect(stranger.page.get_by_label("Note, kept in the decision log")).to_have_value("")
    sign_in(page, "nightowl", "bulk")
    expect(page.locator("#messages")).to_contain_text("nothing was done")
    expect(page.get_by_label("Note, kept in the decision log")).to_have_value(NOTE)
    expect(page.locator("[data-verdict='2']")).to_be_checked()
    assert person.violations() == [] and person.overflow() == 0
    page.reload()
    expect(page.get_by_label("Note, kept in the decision log")).to_have_value(NOTE)
    assert verdicts(installation, tenant, case) == []
    page.get_by_role("button", name="Submit", exact=True).dblclick()
    expect(page.locator("#messages")).to_contain_text("Not coordinated")
    assert verdicts(installation, tenant, case) == ["not_coordinated"]


def test_two_windows_a_reload_and_the_address_of_a_form_do_nothing_twice(
    visitor: Callable[..., Visitor], installation: Installation
) -> None:
    tenant = installation.tenants["bulk"]
    case = installation.cases(tenant)[-2]["id"]
    person = visitor("moderator", "bulk")
    page, other = person.page, person.open()
    for window in (page, other):
        window.goto(f"/console/clusters/{case}")
        window.locator("[data-verdict='3']").check()
        expect(window.locator("#effect")).to_contain_text("Effect:")
    for window in (page, other):
        window.get_by_role("button", name="Submit", exact=True).click()
        expect(window.locator("#messages")).to_contain_text("Escalate")
        window.reload()
    assert verdicts(installation, tenant, case) == ["escalated"]
    person.go(f"/console/clusters/{case}/decide")
    expect(page).to_have_url(f"{installation.base}/console/clusters/{case}")


def test_marking_nothing_as_restored_says_what_to_do(
    visitor: Callable[..., Visitor], installation: Installation
) -> None:
    person = visitor("moderator")
    page = person.go("/console/restorations")
    page.get_by_role("button", name="Mark as restored…").click()
    expect(page.locator("#messages")).to_contain_text("Select targets first")
