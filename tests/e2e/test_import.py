"""Settings, Import in a browser: a file is uploaded, mapped, tried, imported and undone, without a command line."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable

import pytest
from console_browser import NARROW, WIDE, Visitor
from console_installation import Installation, Tenant, town
from playwright.sync_api import expect

NAME = "importing"
LONG = 120_000  # milliseconds: workers of one machine share two cores


@pytest.fixture(scope="module")
def tenant(installation: Installation) -> Tenant:
    """A tenant without anything in it."""
    return installation.tenants.get(NAME) or installation.add(NAME, [])


def export() -> bytes:
    """A forum's export, with columns of its own names and semicolons."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";")
    writer.writerow(["Meldung", "Kürzel", "Beitrag", "gemeldet am", "Thread", "Grund"])
    for one in town(17, brigades=2):
        target = one["target"]
        writer.writerow(
            [
                one["id"],
                one["reporter"]["id"],
                target["id"],
                one["occurred_at"],
                target.get("context_id"),
                one["reason"],
            ]
        )
    return text.getvalue().encode()


def test_a_file_is_uploaded_mapped_tried_imported_and_undone(
    visitor: Callable[..., Visitor], installation: Installation, tenant: Tenant
) -> None:
    person = visitor("admin", tenant.name)
    page = person.go("/console/settings/import")
    page.get_by_label("File", exact=True).set_input_files(
        {"name": "flags.csv", "mimeType": "text/csv", "buffer": export()}
    )
    page.get_by_role("button", name="Upload").click()
    expect(page.locator("#import .message.bad")).to_contain_text("who reported", timeout=LONG)
    page.get_by_label("Column “Kürzel”").select_option("reporter_id")
    page.get_by_role("button", name="Read it like this").click()
    expect(page.get_by_role("heading", name="What was read")).to_be_visible(timeout=LONG)
    there = page.url
    for theme, width in (("light", WIDE), ("dark", NARROW)):
        shown = visitor("admin", tenant.name, theme=theme, width=width)
        shown.go(there)
        assert shown.violations() == [] and shown.overflow() <= 0
    page.get_by_role("button", name="Try it").click()
    expect(page.get_by_role("heading", name="What was found in it")).to_be_visible(timeout=LONG)
    assert installation.cases(tenant, status="any") == [], "nothing was stored"
    page.get_by_role("link", name="Open the report").click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.locator("svg").first).to_be_visible()
    page.go_back()
    page.get_by_role("button", name=re.compile("Import .* complaints")).click()
    expect(page.get_by_role("heading", name="What was stored")).to_be_visible(timeout=LONG)
    installation.settle(tenant)
    installation.up.wait(lambda: len(installation.cases(tenant)) >= 2, seconds=90)
    page.get_by_role("link", name="Undo this import").click()
    expect(page.get_by_role("heading", name="Undo this import?")).to_be_visible()
    assert person.violations() == []
    page.get_by_role("button", name="Withdraw everything it brought").click()
    expect(page.get_by_role("heading", name="Undone")).to_be_visible(timeout=LONG)
    installation.settle(tenant)
    installation.up.wait(lambda: installation.cases(tenant) == [], seconds=90)
