"""A shift in a real browser: what was decided is in the report, each number leads to as many rows, the handover reaches
the next person, and lists can be taken away as files.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

from console_browser import Visitor
from console_installation import Installation
from playwright.sync_api import Page, expect


def rows_of(page: Page, label: str) -> list[dict[str, str]]:
    with page.expect_download() as given:
        page.get_by_role("link", name=label, exact=True).first.click()
    return list(csv.DictReader(io.StringIO(Path(given.value.path()).read_text(encoding="utf-8"))))


def test_a_shift_is_handed_over(visitor: Callable[..., Visitor], installation: Installation) -> None:
    tenant = installation.tenants["bulk"]
    case = installation.case(tenant, installation.cases(tenant)[0]["id"])
    with installation.client(tenant) as client:
        client.post(
            f"/v1/clusters/{case['id']}/decisions",
            json={"verdict": "escalated", "reason_code": "other", "version": case["version"]},
        ).raise_for_status()
    person = visitor("moderator", "bulk", theme="light", width=1280)
    page = person.go("/console/clusters")
    page.get_by_role("link", name="Shift report", exact=True).click()
    page.get_by_role("link", name="Last 8 hours").click()
    for part in ("decided", "escalated", "waiting"):
        number = page.locator(f"a[data-part='{part}']")
        count = int(number.inner_text().replace(",", ""))
        assert count >= (part != "waiting")
        number.click()
        if count <= 50:
            expect(page.locator("tr[data-row]")).to_have_count(count)
            assert len(rows_of(page, "Download as CSV")) == count
        page.go_back()
    page.get_by_label("For the next shift").fill("Look at the escalated one first.")
    page.get_by_role("button", name="Save handover").click()
    expect(page.get_by_text("Saved. The next shift sees it above its report.")).to_be_visible()
    for theme, width in (("light", 390), ("dark", 2560)):
        following = visitor("viewer", "bulk", theme=theme, width=width)
        page = following.go("/console/shift")
        expect(page.get_by_text("Look at the escalated one first.").first).to_be_visible()
        assert following.violations() == [] and following.overflow() == 0
        page = following.go(f"/console/clusters/{case['id']}?order=least")
        members = page.locator("tr[data-reporter]").evaluate_all("rows => rows.map(row => row.dataset.reporter)")
        assert [row["Reporter"] for row in rows_of(page, "Reporters as CSV")][: len(members)] == members
        assert following.violations() == [] and following.overflow() == 0
        assert following.troubles == []
