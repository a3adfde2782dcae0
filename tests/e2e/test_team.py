"""Work in a team: queues by rule, assignments, tags, templates, mentions and saved filters, as people use them."""

from __future__ import annotations

import re
from collections.abc import Callable

from console_browser import NARROW, Visitor
from console_installation import Installation
from playwright.sync_api import Page, expect


def rows(page: Page) -> list[str]:
    found: list[str] = page.locator("table.queue tbody tr").evaluate_all("rows => rows.map(row => row.dataset.case)")
    return found


def test_cases_go_into_a_queue_by_rule_and_a_moderator_moves_and_assigns_one(
    visitor: Callable[..., Visitor], installation: Installation
) -> None:
    tenant = installation.tenants["shared"]
    admin = visitor("admin", "shared")
    page = admin.go("/console/settings/queues")
    page.get_by_label("Name", exact=True).fill("Night shift")
    page.get_by_label("Accounts from").fill("2")
    page.get_by_role("checkbox", name="second").check()
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("status").filter(has_text="nothing is saved")).to_contain_text(
        re.compile(r"this queue would take \d+ open cases")
    )
    assert admin.violations() == [] and admin.overflow() == 0
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("link", name="Night shift", exact=True)).to_be_visible()

    second = visitor("second", "shared")

    def placed() -> bool:
        there = second.go("/console/clusters?tab=mine")
        return there.locator("table.queue").count() > 0 and "for you" in there.locator("table.queue").inner_text()

    installation.up.wait(placed, seconds=60)  # the job has run
    there = second.go("/console/clusters?tab=all")
    there.get_by_role("navigation", name="Queues").get_by_role("link", name="Night shift").click()
    case = rows(there)[0]
    assert second.violations() == [] and second.overflow() == 0
    second.go(f"/console/clusters/{case}")
    there.get_by_label("Assigned to").select_option("moderator")
    there.get_by_role("button", name="Assign", exact=True).click()
    expect(there.locator("#messages")).to_contain_text("Assigned to moderator.")
    there.get_by_label("Queue", exact=True).select_option("No queue")
    there.get_by_role("button", name="Move", exact=True).click()
    expect(there.locator("#history")).to_contain_text("second moved the case to no queue")
    expect(there.locator("#history")).to_contain_text("second assigned the case to moderator")
    second.go("/console/clusters?tab=all&in_queue=none")
    assert case in rows(there)
    admin.go("/console/settings/queues")
    page.get_by_role("button", name=re.compile("Remove")).click()
    expect(page.get_by_text("No queues yet")).to_be_visible()
    assert installation.case(tenant, case)["status"] in ("open", "escalated", "decided")


def test_a_tag_is_added_suggested_filtered_by_and_removed(
    visitor: Callable[..., Visitor], installation: Installation
) -> None:
    tenant = installation.tenants["bulk"]
    first, other = (one["id"] for one in installation.cases(tenant, status="any")[:2])
    person = visitor("moderator", "bulk", theme="dark", width=NARROW)
    page = person.go(f"/console/clusters/{first}")
    page.get_by_label("New tag").fill("Election night")
    page.get_by_role("button", name="Add tag").click()
    expect(page.locator("#tags")).to_contain_text("Election night")
    assert person.violations() == [] and person.overflow() == 0
    person.go(f"/console/clusters/{other}")
    expect(page.locator("#known-tags option")).to_have_attribute("value", "Election night")
    page.get_by_label("New tag").fill("ELECTION NIGHT")
    page.get_by_label("New tag").press("Enter")
    page.locator("#tags").get_by_role("link", name="Election night").click()
    expect(page.locator("table.queue")).to_be_visible()
    assert set(rows(page)) == {first, other}
    assert person.violations() == [] and person.overflow() == 0
    assert installation.case(tenant, first)["tags"] == ["Election night"]
    person.go(f"/console/clusters/{first}")
    page.get_by_role("button", name="Remove the tag Election night").click()
    expect(page.locator("#tags")).not_to_contain_text("Election night")
    assert installation.case(tenant, first)["tags"] == []


def test_a_template_is_inserted_and_a_mention_reaches_a_colleague(
    visitor: Callable[..., Visitor], installation: Installation
) -> None:
    tenant = installation.tenants["triage"]
    case = installation.cases(tenant, status="any")[-1]
    admin = visitor("admin", "triage")
    page = admin.go("/console/settings/templates")
    page.get_by_label("Name", exact=True).fill("Handover")
    page.get_by_label("Text", exact=True).fill("{accounts} accounts on {targets} targets")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("cell", name="Handover")).to_be_visible()
    assert admin.violations() == []

    person = visitor("moderator", "triage")
    there = person.go(f"/console/clusters/{case['id']}")
    assert person.violations() == [] and person.overflow() == 0
    figures = f"{case['reporter_count']} accounts on {case['target_count']} targets"
    there.locator("#decision-note").get_by_role("button", name="Insert").click()
    expect(there.locator("#note")).to_have_value(figures)
    there.locator("#note-text").fill("@Second: please look.")
    there.locator("#note-field").get_by_role("button", name="Insert").click()
    expect(there.locator("#note-text")).to_have_value(f"@Second: please look.\n\n{figures}")
    expect(there.locator("#note")).to_have_value(figures)  # the other field keeps what is in it
    there.get_by_role("button", name="Add note").click()
    expect(there.locator("#messages")).to_contain_text("Mentioned: second.")

    colleague = visitor("second", "triage")
    menu = colleague.go("/console/clusters").get_by_role("navigation", name="Main")
    expect(menu.get_by_role("link", name=re.compile("Mentions"))).to_contain_text("1")
    menu.get_by_role("link", name=re.compile("Mentions")).click()
    expect(colleague.page.locator("main")).to_contain_text("@Second: please look.")
    assert colleague.violations() == [] and colleague.overflow() == 0
    colleague.page.locator("main").get_by_role("link", name=case["summary"][:30]).click()
    expect(colleague.page.locator("#notes")).to_contain_text("please look")
    colleague.go("/console/mentions")
    expect(colleague.page.get_by_text("unread")).to_have_count(0)


def test_a_view_is_saved_with_its_count_for_everybody(
    visitor: Callable[..., Visitor], installation: Installation
) -> None:
    tenant = installation.tenants["bulk"]
    few = [one["id"] for one in installation.cases(tenant, status="any", disposition="any")]
    person = visitor("moderator", "bulk")
    page = person.go("/console/clusters?tab=all&sort=-reporter_count")
    page.locator("summary", has_text="Save this view").click()
    page.get_by_label("Name", exact=True).fill("Largest first")
    page.get_by_label("Share with everybody").check()
    page.get_by_role("button", name="Save view").click()
    saved = page.get_by_role("navigation", name="Saved filters").get_by_role("link", name=re.compile("Largest first"))
    expect(saved).to_have_attribute("aria-current", "page")
    expect(saved).to_contain_text(str(len(few)))
    assert person.violations() == [] and person.overflow() == 0
    other = visitor("viewer", "bulk", width=NARROW)
    other.go("/console/clusters")
    other.page.get_by_role("link", name=re.compile("Largest first")).click()
    expect(other.page).to_have_url(re.compile(r"tab=all&sort=-reporter_count$"))
    assert sorted(rows(other.page)) == sorted(few)
    assert other.violations() == [] and other.overflow() == 0
    page.locator("summary", has_text="Save this view").click()
    page.get_by_role("button", name=re.compile("Remove Largest first")).click()
    expect(page.get_by_role("navigation", name="Saved filters")).to_have_count(0)


def test_a_moderator_proposes_a_group_as_good_patrols_and_an_administrator_accepts(
    visitor: Callable[..., Visitor], installation: Installation
) -> None:
    tenant = installation.tenants["bulk"]
    case = installation.cases(tenant)[-1]["id"]
    person = visitor("moderator", "bulk")
    page = person.go(f"/console/clusters/{case}")
    page.get_by_role("radio", name=re.compile("Not coordinated")).check()
    page.get_by_label("Reason", exact=True).select_option("patrol")
    page.get_by_role("button", name="Submit and go to next").click()
    person.go(f"/console/clusters/{case}")
    page.get_by_text("as good patrols…").click()
    assert person.violations() == [] and person.overflow() == 0
    page.get_by_label("Why their complaints can be relied on").fill("They clear spam every night")
    page.get_by_role("button", name="Propose", exact=True).click()
    expect(page.locator("#patrol")).to_contain_text("An administrator decides.")
    admin = visitor("admin", "bulk", theme="dark", width=NARROW)
    there = admin.go("/console/overview")
    there.get_by_role("link", name="Accept or decline").click()
    expect(there.locator("#proposed")).to_contain_text("They clear spam every night")
    assert admin.violations() == [] and admin.overflow() == 0
    there.get_by_role("button", name=re.compile("^Accept")).click()
    expect(there.locator("#messages")).to_contain_text("Their complaints will count in full within seconds.")
    assert person.troubles == [] and admin.troubles == []
