"""Campaigns in a real browser: found by the running service, looked at, a case added and split off again."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from case_world import put_cluster, put_complaint, put_decision
from console_browser import Visitor
from console_installation import Installation
from playwright.sync_api import expect

from service.storage.cases import campaign_groups
from service.storage.sql.engine import write

WEEK = 7 * 24.0


@pytest.fixture
def campaign(installation: Installation) -> str:
    """A tenant with four strikes of one campaign over a year and a case of others; the campaign's id."""
    tenant = installation.add("months", [])
    people = [f"r{n}" for n in range(18)]
    for place, week in enumerate((0, 6, 30, 45)):
        members = people[place : place + 14]
        case = f"strike-{place}"
        put_cluster(
            installation.engine,
            tenant.id,
            case,
            reporters=members,
            author="dora",
            first=(week - 52) * WEEK,
            last=(week - 51.5) * WEEK,
        )
        for number, member in enumerate(members):
            seq, hours = 1 + place * 20 + number, (week - 52) * WEEK + number
            put_complaint(installation.engine, tenant.id, seq, member, "t1", hours=hours, cluster=case)
    put_cluster(installation.engine, tenant.id, "other-1", reporters=[f"s{n}" for n in range(6)])
    put_decision(installation.engine, tenant.id, "strike-0", "d-month", hours=-40 * WEEK)
    with write(installation.engine) as connection:
        campaign_groups.plan(connection, tenant.id, time.time_ns() // 1_000)
    with installation.client(tenant) as client:
        installation.up.wait(lambda: bool(client.get("/v1/campaigns").json()["items"]), seconds=60)
        return str(client.get("/v1/campaigns").json()["items"][0]["id"])


def test_a_campaign_is_looked_at_joined_and_split(
    visitor: Callable[..., Visitor], installation: Installation, campaign: str
) -> None:
    for theme, width in (("light", 390), ("dark", 2560)):
        person = visitor("viewer", "months", theme=theme, width=width)
        page = person.go("/console/campaigns")
        page.get_by_role("link", name=campaign).click()
        expect(page.get_by_role("img", name=re.compile("56 complaints by week"))).to_be_visible()
        expect(page.get_by_text(re.compile("No complaints for 23 weeks"))).to_be_visible()
        page.get_by_text("Show as a table").click()
        page.get_by_text("All cases with all others").click()
        assert person.violations() == [] and person.overflow() == 0
        page.get_by_role("link", name="strike-3", exact=True).first.click()
        expect(page.locator("#campaign")).to_contain_text(re.compile(r"1\d of 14 accounts are also in case strike-"))
        assert person.violations() == [] and person.overflow() == 0

    person = visitor("moderator", "months", width=390)
    page = person.go(f"/console/campaigns/{campaign}")
    page.get_by_label("Add a case").fill("other-1")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text(f"Campaign {campaign}: other-1 joins (4 → 5 cases).")).to_be_visible()
    assert person.violations() == [] and person.overflow() == 0
    page.get_by_label("Note for your colleagues").fill("the same chat room")
    page.get_by_role("button", name="Join").click()
    expect(page.get_by_text("other-1 and strike-3 are one campaign")).to_be_visible()
    page.get_by_role("link", name="Split off… other-1").click()
    expect(page.get_by_text(f"Campaign {campaign}: other-1 leaves (5 → 4 cases).")).to_be_visible()
    page.get_by_role("button", name="Split off").click()
    expect(page).to_have_url(re.compile("/console/clusters/other-1"))
    expect(page.locator("#campaign")).to_have_count(0)
    assert person.violations() == [] and person.overflow() == 0
