"""What was removed because of a brigade: found in the restorations, put back by a person, and a decision taken back."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from console_browser import NARROW, Visitor
from console_installation import Installation
from playwright.sync_api import expect


def remove_targets_of_a_case(installation: Installation) -> str:
    """All targets of the strongest case of `shared` are removed automatically, as a platform that counts would; the
    case's id.
    """
    tenant = installation.tenants["shared"]
    case = installation.case(tenant, installation.cases(tenant, disposition="any", status="any")[0]["id"])
    last = datetime.fromisoformat(case["last_at"]).astimezone(UTC) + timedelta(days=1)
    installation.send(
        tenant,
        "outcomes",
        [
            {
                "id": f"auto-{n}",
                "target_id": target,
                "decided_at": last.isoformat(),
                "action": "removed",
                "decided_by": "automatic",
            }
            for n, target in enumerate(case["targets"])
        ],
    )
    with installation.client(tenant) as client:
        client.post(
            f"/v1/clusters/{case['id']}/decisions",
            json={"verdict": "coordinated", "reason_code": "brigade", "version": case["version"]},
        ).raise_for_status()
        installation.up.wait(
            lambda: bool(client.get("/v1/restorations").raise_for_status().json()["items"]), seconds=60
        )
    return str(case["id"])


def test_a_moderator_marks_a_target_as_restored_and_undoes_a_decision_after_previews(
    visitor: Callable[..., Visitor], installation: Installation
) -> None:
    case = remove_targets_of_a_case(installation)
    person = visitor("second", "shared")
    page = person.go("/console/restorations")
    box = page.locator("tbody input[name=target]").first
    target = box.get_attribute("value") or ""
    box.check()
    page.get_by_role("button", name="Mark as restored…").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Mark 1 target as restored?")
    expect(page.get_by_text("This changes nothing on your platform")).to_be_visible()
    page.get_by_role("button", name="Mark as restored").click()
    expect(page.locator("#messages")).to_contain_text("1 target marked as restored")
    with installation.client(installation.tenants["shared"]) as client:

        def restored() -> bool:
            items = client.get("/v1/restorations", params={"state": "restored"}).raise_for_status().json()["items"]
            return target in [item["target_id"] for item in items]

        installation.up.wait(restored, seconds=60)
    page = person.go(f"/console/decisions?case={case}")
    page.get_by_role("link", name=re.compile("Undo decision")).first.click()
    page.get_by_label("Reason (optional)").fill("looked again")
    page.get_by_role("button", name="Undo it").click()
    expect(page.locator("#messages")).to_contain_text("Undone. The case is now open.")
    expect(page.locator("tbody")).to_contain_text("looked again")


def test_these_pages_are_accessible_and_need_no_sideways_scrolling_on_a_phone(visitor: Callable[..., Visitor]) -> None:
    for theme, width in (("light", NARROW), ("dark", 1280)):
        person = visitor("admin", "default", theme=theme, width=width)
        for path in (
            "/console/overview?period=week",
            "/console/decisions",
            "/console/restorations?state=any",
            "/console/targets",
            "/console/reporters",
            "/console/ops",
        ):
            person.go(path)
            assert person.violations() == [], path
            assert person.overflow() == 0, path
